"""What several scenarios begin with. Runs inside Blender, see driver.py."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import bpy
from driver import NET, OUT, datablocks, extension, module, open_tab, press, until

from support import held_worker

PYTHON = os.environ["WORKER_PYTHON"]


def jobs():
    return module("jobs")


def settings():
    return bpy.context.scene.sapiens2


def preferences():
    return bpy.context.preferences.addons[extension().__name__].preferences


def user_folder(*parts):
    return module("folders").user_folder(*parts)


def project(make="scan"):
    """A saved file with the photo beside it, a Python for the worker, and the tab open. A scan is made sooner than an avatar."""
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "portrait.blend"))
    preferences().python_path = PYTHON
    yield from open_tab()
    settings().photo, settings().make = "//anna.jpg", make
    yield 1.0


def store_predictions():
    """Predictions of the photo in the cache: Run needs no network."""
    build = module("operators.build")
    target = build.predictions_path(OUT / "anna.jpg", build.network_options(bpy.context))
    shutil.copyfile(os.environ["PREDICTIONS"], target)


def contents():
    """The names of all data, and what tells one texture, mesh or pose from the next one of the same name."""
    bpy.context.view_layer.update()  # else poses are those of the last drawing
    images = {image.name: image.packed_file.size if image.packed_file else 0 for image in bpy.data.images}
    meshes = {mesh.name: [len(mesh.vertices), len(mesh.materials)] for mesh in bpy.data.meshes}
    posed = [obj for obj in bpy.data.objects if obj.pose is not None]
    poses = {obj.name: [round(value, 4) for bone in obj.pose.bones for value in bone.head] for obj in posed}
    return {**datablocks(), "image bytes": images, "mesh sizes": meshes, "poses": poses}


def hold_workers():
    """Workers of this Blender stop where the `Points` that are returned say. To be called before the first one starts."""
    folder = OUT / "points"
    folder.mkdir()
    os.environ.update(held_worker.Points.environment(folder, Path(extension().__file__).parent))
    jobs().WORKER = Path(held_worker.__file__)
    return held_worker.Points(folder)


def run_to(point, points):
    """Click Run and wait until its worker stands at this point and the sidebar knows."""
    points.hold(point)
    yield from press("sapiens2.run", start=0.35, then=lambda: jobs().current() is not None)
    yield from until(lambda: points.reached or jobs().current() is None, NET)
    assert points.reached, (point, jobs().status.error, jobs().status.detail)
    # Writing is no stage that is reported, but the last thing of the one before.
    yield from until(lambda: jobs().current().stage == point.rpartition("/")[2].replace("writing", "done"), NET)


def stored():
    """What a reader of the folder of predictions finds there: name -> bytes. A hidden file is one that was being written."""
    folder = module("folders").make_cache_folder()
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def at_rest():
    """Whether no job is left and no operator of ours, which writes when the job has ended."""
    running = (operator.bl_idname for window in bpy.context.window_manager.windows for operator in window.modal_operators)
    return jobs().current() is None and not any(name.lower().startswith("sapiens2") for name in running)


def finish_run(before):
    """Wait until the job has ended and its objects are there."""
    yield from until(lambda: at_rest() and len(bpy.data.objects) > len(before["objects"]), NET)
    return datablocks()


INTERFACE = (b"GLOB", b"TEST", b"REND", b"WM", b"SN", b"SR", b"WS", b"BR")
"""Blocks of a saved copy that hold the windows, not the scene: file name, thumbnail, window manager, screens, workspaces,
brushes."""


def saved_bytes():
    """Everything of a saved copy of the file but the interface, block by block as it lies there."""
    path = OUT / "compared.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=False)
    data = path.read_bytes()
    assert data[:7] == b"BLENDER", data[:20]
    position, kept, wanted = int(data[7:9]) if data[7:9].isdigit() else 12, [], True
    large = position != 12
    while position < len(data):
        code = data[position : position + 4].rstrip(b"\0")
        start, size = (32, int.from_bytes(data[position + 16 : position + 24], "little")) if large else (
            24, int.from_bytes(data[position + 4 : position + 8], "little"))  # fmt: skip
        if code != b"DATA":  # the blocks after it, up to the next of another code, belong to it
            wanted = code not in INTERFACE
        if wanted:
            kept.append(data[position : position + start + size])
        position += start + size
    return b"".join(kept)


def left_behind():
    """Scratch folders of jobs, and processes that this Blender has started and not ended, but for the idle worker."""
    folders = [path.name for path in user_folder("scratch").iterdir()]
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    children = [int(entry.name) for entry in entries if _parent(entry) == os.getpid()]
    return folders, [pid for pid in children if pid != jobs().worker().pid]


def _parent(entry):
    """Number of the parent of a process, None when it has ended meanwhile."""
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None
