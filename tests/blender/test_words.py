"""What an artist reads is in an artist's words: labels, descriptions, choices, buttons, and sentences about what is wrong."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("operators", "panels", "gizmos", "scene", "core", "runtime", "weights", "infer")
FOREIGN = re.compile(
    r"\b(neural|networks?|torch|pytorch|wheels?|scale head|(?<!\()pointmaps?|tensors?|checkpoints?|inference|worker|numpy)\b",
    re.IGNORECASE,
)
"""Words of who builds networks."""
SAYS = {"SapiensError", "paragraph", "counted", "label", "operator", "poll_message_set", "translated", "report"}
"""Functions whose texts are read by people."""
BY_HAND = {
    "core/landmarks/networks.py",  # a damaged extension: for the report
    "core/formats",
    "core/mesh_texture.py",
    "core/common/predictions.py",
    "core/capture/camera.py",
    "infer",
    "weights/header.py",  # of what a file is that was not made by us
}
"""Where files of other programs and tasks of the command line are called by their names."""


def of_blender():
    """Place and text of everything that Blender shows of our classes."""
    groups = [cls for cls in bpy.types.PropertyGroup.__subclasses__() if cls.__name__.startswith("Sapiens")]
    kinds = [getattr(bpy.ops.sapiens2, name).get_rna_type() for name in dir(bpy.ops.sapiens2) if not name.startswith("_")]
    kinds += [cls.bl_rna for cls in groups] + [cls.bl_rna for cls in bpy.types.AddonPreferences.__subclasses__()]
    for kind in kinds:
        yield kind.identifier, kind.name
        if kind.identifier.startswith("SAPIENS2_OT"):
            yield kind.identifier, kind.description
        for prop in kind.properties:
            place = f"{kind.identifier}.{prop.identifier}"
            yield from ((place, prop.name), (place, prop.description))
            if prop.type == "ENUM":
                yield from ((place, text) for item in prop.enum_items for text in (item.name, item.description))


def test_labels_and_descriptions_are_in_an_artists_words(part):
    part("registration")
    texts = list(of_blender())
    assert len(texts) > 500
    assert not [(place, text) for place, text in texts if FOREIGN.search(text)]


def sentences(path: Path):
    """Line and text of what a module says to people."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SAYS:
                given = (*node.args, *(keyword.value for keyword in node.keywords if keyword.arg in ("text", "message")))
                for part in (part for value in given for part in ast.walk(value)):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str) and " " in part.value:
                        yield part.lineno, part.value


@pytest.mark.parametrize("room", ROOMS)
def test_sentences_are_in_an_artists_words(room):
    files = [path.relative_to(ROOT) for path in (ROOT / room).rglob("*.py")]
    read = [path for path in files if not any(path.as_posix().startswith(known) for known in BY_HAND)]
    found = [(f"{path}:{line}", text) for path in read for line, text in sentences(ROOT / path) if FOREIGN.search(text)]
    assert not found
