"""What can be wrong with a computer, each met by a sentence and a button. Runs inside Blender, see driver.py."""

from __future__ import annotations

import os
from pathlib import Path

import bpy
from driver import NET, OUT, click, datablocks, find_button, module, mouse, open_tab, picture, press, rest, until
from steps import (
    PYTHON,
    at_rest,
    finish_run,
    hold_workers,
    jobs,
    preferences,
    project,
    run_to,
    settings,
    store_predictions,
    stored,
)

REFUSING = "http://127.0.0.1:9"
NOWHERE = "https://no-such-host.invalid/simple"
EMPTY, READ_ONLY = os.environ.get("FULL_DISK", ""), os.environ.get("READ_ONLY_DISK", "")


def shown(name):
    """The trouble as a picture, with what the panel says and the button that it offers."""
    yield from until(at_rest, NET)
    error = jobs().status.python_problem or jobs().status.error
    assert error is not None, name
    buttons = module("panels.parts").REMEDY_BUTTONS
    button = ""
    if error.remedy:
        button = buttons[error.remedy][0]
        yield from find_button(button)
    yield from rest()
    picture(f"trouble_{name}", crop_panel=True)
    return {"name": name, "message": error.message, "hint": error.hint, "button": button}


def install_fails(name, **environment):
    """The button of the runtime where `environment` holds."""
    os.environ.update(environment)
    bpy.ops.sapiens2.runtime_install("EXEC_DEFAULT")
    found = yield from shown(name)
    for key in environment:
        del os.environ[key]
    return found


def runtime():
    """Before there is a runtime: offline, no network, a refusing proxy, no room, a folder that cannot be written,
    an old Python."""
    yield from open_tab()
    troubles = []
    bpy.context.preferences.system.use_online_access = False
    try:
        bpy.ops.sapiens2.runtime_install("EXEC_DEFAULT")
    except RuntimeError as error:  # an operator's report, where there is nobody to read it
        assert "offline" in str(error), error
    troubles.append((yield from shown("offline")))
    yield from press("extensions.userpref_allow_online")
    yield 0.5
    assert bpy.app.online_access
    uv = {"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "5"}
    index = {"UV_DEFAULT_INDEX": NOWHERE, "UV_TORCH_BACKEND": ""}
    troubles.append((yield from install_fails("no_network", **uv, **index)))
    refusing = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"), REFUSING)
    troubles.append((yield from install_fails("proxy_refuses", **uv, **refusing, NO_PROXY="", no_proxy="")))
    for folder, name in ((EMPTY, "no_room"), (READ_ONLY, "runtime_read_only")):
        if folder:
            preferences().runtime_folder = folder
            troubles.append((yield from install_fails(name)))
            preferences().runtime_folder = ""
    old = OUT / "old python"
    old.write_text("#!/bin/sh\necho '[[3, 8], []]'\n")
    old.chmod(0o755)
    preferences().python_path = str(old)
    yield 1.0
    troubles.append((yield from shown("old_python")))
    preferences().python_path = PYTHON
    yield 1.0
    assert jobs().status.python_problem is None and jobs().status.error is None
    return troubles


def running():
    """With a runtime: its torch is damaged, stored predictions find no room or a folder that cannot be written."""
    yield from project()
    troubles, before = [], datablocks()
    for folder, name in ((EMPTY, "disk_full"), (READ_ONLY, "cache_read_only")):
        if folder:
            preferences().cache_folder = folder
            yield from press("sapiens2.run", start=0.35)
            troubles.append((yield from shown(name)))
            preferences().cache_folder = ""
    preferences().python_path = os.environ["BROKEN_PYTHON"]
    yield 1.0
    yield from press("sapiens2.run", start=0.35)
    troubles.append((yield from shown("damaged_runtime")))
    assert datablocks() == before
    preferences().python_path = PYTHON
    store_predictions()
    yield 1.0
    yield from press("sapiens2.run", start=0.35)
    yield from finish_run(before)
    return troubles


def one_of_two():
    """One of two windows that share everything: run, and write the same predictions while the other one does."""
    together = Path(os.environ["TOGETHER"])
    (together / f"installed {os.getpid()}").touch()
    yield from project()
    before, points = datablocks(), hold_workers()
    yield from run_to("predict/writing", points)
    pid = jobs().worker().pid
    bpy.ops.sapiens2.import_predictions("INVOKE_DEFAULT", filepath=os.environ["PREDICTIONS"])
    waiting = len(jobs().waiting())
    yield from rest()
    picture("queue", crop_panel=True)
    (together / f"running {os.getpid()}").touch()
    yield from until(lambda: len(list(together.glob("running *"))) == 2, NET)
    assert points.reached and not stored()
    (together / f"seen {os.getpid()}").touch()
    yield from until(lambda: len(list(together.glob("seen *"))) == 2, NET)
    points.release()
    yield from finish_run(before)
    return {"before": before, "made": datablocks(), "waiting": waiting, "worker": pid, "blender": os.getpid(),
            "stored": len(stored())}  # fmt: skip


def drop_and_paste():
    """A photo dropped on the viewport, a path pasted from the clipboard, an image of this file."""
    yield from open_tab()
    preferences().python_path = PYTHON
    yield 1.0
    photo, taken = OUT / "anna.jpg", {}
    window = bpy.context.window_manager.windows[0]
    view = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    with bpy.context.temp_override(window=window, area=view, region=next(r for r in view.regions if r.type == "WINDOW")):
        bpy.ops.wm.drop_import_file("INVOKE_DEFAULT", directory=str(photo.parent), files=[{"name": photo.name}])
    yield 1.0
    picture("drop")
    mouse.key("s")  # Blender asks what to do with the picture; "Sapiens2 Photo" is the answer with the underlined S
    yield 1.0
    taken["dropped"] = settings().photo
    settings().photo = ""
    yield from open_tab()
    place = yield from find_button("sapiens2.photo_from_clipboard", offset=97)
    bpy.context.window_manager.clipboard = f"file://{photo}"  # the search has used the clipboard
    yield from click(*place)
    taken["pasted"] = settings().photo
    settings().photo = ""
    settings().image = bpy.data.images.load(str(photo))
    yield 0.5
    yield from press("sapiens2.photo_from_image", offset=76)
    taken["image"] = settings().photo
    return {"photo": str(photo), **taken}
