"""What an artist does, step by step; each function is one test's script. Runs inside Blender, see driver.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bpy
from driver import area, click, datablocks, extension, find_button, gaps, key, open_tab, picture, region, until

PYTHON = os.environ.get("WORKER_PYTHON", "")
PHOTO = os.environ.get("PHOTO", "")
PREDICTIONS = os.environ.get("PREDICTIONS", "")


def jobs():
    return sys.modules[f"{extension().__name__}.jobs"]


def preferences():
    return bpy.context.preferences.addons[extension().__name__].preferences


def ready():
    """A Python for the worker, and predictions in the cache so that Run needs no weights."""
    preferences().python_path = PYTHON
    settings = bpy.context.scene.sapiens2
    settings.photo = PHOTO
    settings.resolution = os.environ.get("RESOLUTION", "FULL")
    build = sys.modules[f"{extension().__name__}.operators.build"]
    target = build.predictions_path(Path(PHOTO), build.network_options(bpy.context))
    target.write_bytes(Path(PREDICTIONS).read_bytes())
    yield 1.0


def first_run():
    """The sample photo through the network, by a click: nothing is there beforehand but a Python."""
    yield from open_tab()
    preferences().python_path = PYTHON
    sample = Path(extension().__file__).parent / "data" / "sample_photo.jpg"
    bpy.context.scene.sapiens2.photo = str(sample)
    if "Cube" in bpy.data.objects:
        bpy.data.objects.remove(bpy.data.objects["Cube"])
    yield 2.0
    before = datablocks()
    place = yield from find_button("sapiens2.run")
    yield from click(*place)
    yield from until(lambda: jobs().current() is not None and jobs().current().fraction > 0.3, 240)
    picture("network_running", crop_panel=True)
    yield from until(lambda: jobs().current() is None, 400)
    yield 1.5
    assert jobs().status.error is None, jobs().status.error
    view = area().spaces[0].region_3d
    view.view_perspective = "PERSP"
    area().spaces[0].shading.type = "MATERIAL"
    scan = next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "scan")
    corners = [scan.matrix_world @ __import__("mathutils").Vector(corner) for corner in scan.bound_box]
    view.view_location = sum(corners, start=corners[0] * 0) / 8
    view.view_distance = 1.6
    view.view_rotation = __import__("mathutils").Euler((1.35, 0.0, -0.35)).to_quaternion()
    yield 20.0
    picture("first_run")
    return {"before": before, "made": datablocks(), "notes": jobs().status.notes}


def faces():
    """Needs setup, idle, running: a picture of each."""
    yield from open_tab()
    picture("face_setup", crop_panel=True)
    yield from ready()
    picture("face_idle", crop_panel=True)
    place = yield from find_button("sapiens2.run")
    yield from click(*place)
    yield from until(lambda: jobs().current() is not None and jobs().current().fraction > 0.05, 30)
    picture("face_running", crop_panel=True)
    yield from until(lambda: jobs().current() is None, 120)
    yield 1.0
    picture("face_done", crop_panel=True)
    picture("window_done")
    return datablocks()


def run_undo_redo():
    """Run by a click; nothing freezes; Ctrl+Z takes all of it away and Ctrl+Shift+Z brings it back."""
    yield from open_tab()
    yield from ready()
    before = datablocks()
    place = yield from find_button("sapiens2.run")
    gaps.begin("idle")
    yield 4.0
    gaps.begin("running")
    yield from click(*place)
    yield from until(lambda: jobs().current() is not None, 10)
    yield from until(lambda: jobs().current() is None or jobs().current().fraction > 0.98, 180)
    gaps.begin("write")
    yield from until(lambda: len(bpy.data.objects) > len(before["objects"]), 30)
    yield 0.2
    gaps.begin("after")
    made = datablocks()
    yield 1.0
    picture("made")
    yield from key("Z", ctrl=True)
    undone = datablocks()
    yield from key("Z", ctrl=True, shift=True)
    redone = datablocks()
    return {"before": before, "made": made, "undone": undone, "redone": redone}


def cancel():
    """Cancel in the middle leaves the scene as it was, and the next run works."""
    yield from open_tab()
    yield from ready()
    before = datablocks()
    place = yield from find_button("sapiens2.run")
    yield from click(*place)
    yield from until(lambda: jobs().current() is not None and jobs().current().fraction > 0.02, 30)
    pid = jobs().worker().pid
    place = yield from find_button("sapiens2.cancel", offset=region("UI").width // 2 - 45)
    yield from click(*place)
    yield from until(lambda: jobs().current() is None, 5)
    yield 0.5
    cancelled = datablocks()
    scratch = [p.name for p in (Path(bpy.utils.extension_path_user(extension().__name__)) / "scratch").iterdir()]
    picture("cancelled", crop_panel=True)
    place = yield from find_button("sapiens2.run")
    yield from click(*place)
    yield from until(lambda: len(bpy.data.objects) > len(before["objects"]), 120)
    return {"before": before, "cancelled": cancelled, "scratch": scratch, "pid": pid, "made": datablocks()}


def killed():
    """The worker dies in the middle: one sentence with the next step, the scene untouched, the next run works."""
    import signal

    yield from open_tab()
    yield from ready()
    before = datablocks()
    sentences = []
    for number in (signal.SIGKILL, signal.SIGSEGV):
        place = yield from find_button("sapiens2.run")
        yield from click(*place)
        yield from until(lambda: jobs().current() is not None and jobs().current().fraction > 0.02, 30)
        os.kill(jobs().worker().pid, number)
        yield from until(lambda: jobs().current() is None, 5)
        yield 0.5
        sentences.append([jobs().status.error.message, jobs().status.error.hint])
        picture(f"killed_{number.name}", crop_panel=True)
    after = datablocks()
    place = yield from find_button("sapiens2.run")
    yield from click(*place)
    yield from until(lambda: len(bpy.data.objects) > len(before["objects"]), 120)
    return {"before": before, "after": after, "sentences": sentences}


def show_only(*names: str):
    """Register the panels anew with only these unfolded; works before they are drawn for the first time."""
    panels = sys.modules[f"{extension().__name__}.panels"]
    for cls in reversed(panels.CLASSES):
        bpy.utils.unregister_class(cls)
    for cls in panels.CLASSES:
        cls.bl_options = set() if cls.bl_label in names else {"DEFAULT_CLOSED"}
        bpy.utils.register_class(cls)
    yield 0.5


def panels():
    """Every panel open, as an artist would see it after a run, also with a model whose weights are missing."""
    yield from show_only("Model", "Maps", "Scan", "Texture", "Rig", "Retarget", "Batch")
    yield from open_tab()
    yield from ready()
    bpy.ops.sapiens2.run()
    yield 1.0
    settings = bpy.context.scene.sapiens2
    settings.armature = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    settings.model = "0.8b"
    yield 4.0
    picture("panels", crop_panel=True)
    bpy.ops.sapiens2.map_open(map="normal")
    yield 2.0
    return {"predictions": settings.predictions}
