"""The extension as a whole: it comes, it goes, and it leaves nothing behind."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXT_ZIP = os.environ.get("EXT_ZIP", "")
needs_zip = pytest.mark.skipif(not EXT_ZIP, reason="EXT_ZIP names no packaged extension")


def traces(name: str) -> set[str]:
    """Everything by which an enabled extension can be noticed."""
    found = {f"class {kind}" for kind in dir(bpy.types) if "SAPIENS2" in kind or kind.startswith("Sapiens")}
    found |= {f"scene property {key}" for key in ("sapiens2",) if hasattr(bpy.types.Scene, key)}
    found |= {f"window manager property {key}" for key in dir(bpy.types.WindowManager) if "sapiens" in key.lower()}
    found |= {f"operator {key}" for key in dir(bpy.ops.sapiens2)}
    for handlers in (getattr(bpy.app.handlers, key) for key in dir(bpy.app.handlers) if not key.startswith("_")):
        if isinstance(handlers, list):
            found |= {f"handler {h}" for h in handlers if name in getattr(h, "__module__", "")}
    for menu in ("TOPBAR_MT_file_import", "TOPBAR_MT_file_export", "VIEW3D_MT_add", "VIEW3D_MT_object",
                 "VIEW3D_MT_object_context_menu"):  # fmt: skip
        draws = getattr(getattr(bpy.types, menu).draw, "_draw_funcs", [])
        found |= {f"{menu} {draw}" for draw in draws if name in draw.__module__}
    return found


def test_register_twice_and_leave_nothing(extension):
    assert traces(extension.__name__)
    for _ in range(2):
        extension.unregister()
        assert not traces(extension.__name__)
        extension.register()
    assert bpy.context.scene.sapiens2.network.model == "preview"


@needs_zip
def test_disabling_the_installed_zip_leaves_nothing(extension):
    name = extension.__name__
    import threading

    bpy.ops.preferences.addon_disable(module=name)
    try:
        assert not traces(name)
        assert name not in bpy.context.preferences.addons
        assert not [thread.name for thread in threading.enumerate() if "sapiens2" in thread.name]
    finally:
        bpy.ops.preferences.addon_enable(module=name)
    assert traces(name)


SECOND_PROCESS = """
import sys, bpy, addon_utils
addon_utils.enable({name!r}, default_set=False)
import numpy, safetensors
module = sys.modules[{name!r}]
assert bpy.context.scene.sapiens2.network.model == "preview"
assert "numpy" not in module.__path__[0] and {user!r} not in numpy.__file__, numpy.__file__
forbidden = {{"torch", "scipy", "cv2", "PIL"}} & set(sys.modules)
assert not forbidden, forbidden
print("second process", safetensors.__file__)
"""


@needs_zip
def test_a_second_process_finds_it_and_blenders_own_modules(extension):
    """After a restart the wheels of extensions come before Blender's own modules: ours must not hide one."""
    user = os.environ["BLENDER_USER_RESOURCES"]
    code = SECOND_PROCESS.format(name=extension.__name__, user=user)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "second process" in done.stdout


def test_blenders_python_needs_nothing_but_numpy_and_safetensors(extension):
    """Registering, drawing and writing load no library that Blender does not bring."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import bpy, conftest;"
        "m = conftest._checkout(); m.register();"
        "import importlib; [importlib.import_module(f'sapiens2_avatar.{n}') for n in"
        "('scene.build', 'scene.export', 'jobs', 'core.formats.avatar_file', 'runtime.environment')];"
        "m.unregister(); print('loaded', sorted({'torch', 'scipy', 'cv2', 'PIL', 'timm', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "loaded []" in done.stdout, done.stdout + done.stderr


LONGEST_NAME = 22
"""Letters of a property's name that the sidebar shows in full at its default width."""


def repeats(name: str, text: str) -> bool:
    """Whether a tooltip is none, or tells nothing but what the label says; Blender adds the full stop itself."""
    words = [set(re.findall(r"[a-z]{3,}", said.lower())) - {"the"} for said in (text, name)]
    return not words[0] - words[1] or text.endswith(".")


def test_a_disabled_button_says_why():
    """Every way out of a poll that refuses gives Blender the reason for the tooltip."""
    found = 0
    for path in (ROOT / "operators").glob("*.py"):
        polls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if getattr(node, "name", "") == "poll"]
        for node in (node for poll in polls for node in ast.walk(poll)):
            body = getattr(node, "body", None)
            if not isinstance(body, list) or ast.unparse(body[-1]) != "return False":
                continue
            found += 1
            said = len(body) > 1 and "poll_message_set" in ast.unparse(body[-2])
            assert said or ast.unparse(node.test).startswith("not super().poll("), f"{path.name}:{node.lineno}"
    assert found > 15


def test_every_property_operator_and_panel_explains_itself(extension, part):
    wrong = []
    for cls in part("registration").CLASSES:
        drawn = cls.bl_rna
        if issubclass(cls, bpy.types.Operator):
            category, verb = cls.bl_idname.split(".")
            drawn = getattr(getattr(bpy.ops, category), verb).get_rna_type()
            if repeats(drawn.name, drawn.description):
                wrong.append((cls.__name__, drawn.description))
        for prop in getattr(cls, "__annotations__", {}):
            rna = drawn.properties.get(prop)
            if rna is None or rna.is_hidden:
                continue
            texts = [rna.description, *(item.description for item in getattr(rna, "enum_items_static", ()))]
            if any(repeats(rna.name, text) for text in texts) or not 0 < len(rna.name) <= LONGEST_NAME:
                wrong.append((cls.__name__, prop, rna.name, texts))
    assert not wrong


def test_the_command_is_there_and_tells_its_usage(extension, part):
    registration = part("registration")
    assert registration._command([]) == 2
    assert registration._command(["--version"]) == 0
    assert registration._command(["no-such-command"]) == 2


def test_what_is_missing_is_told_without_a_runtime(extension, part, monkeypatch, capsys):
    registration, away = part("registration"), part("commands.through_worker")
    monkeypatch.setattr(away, "needed", lambda: True)
    monkeypatch.setenv("SAPIENS2_PYTHON", "")
    assert registration._command(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"]
    assert registration._command(["models", "list"]) == 0
    assert "preview" in capsys.readouterr().out
    assert registration._command(["predict", "photo.jpg", "-o", "out"]) == 1
    assert "there is no runtime yet" in capsys.readouterr().err
