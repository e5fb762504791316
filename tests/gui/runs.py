"""From a click to a scene and back. Runs inside Blender, see driver.py."""

from __future__ import annotations

import os
import time
from pathlib import Path

import bpy
from driver import OUT, click, datablocks, find_button, key, module, picture, press, redraws, region, rest, until
from steps import contents, each_stage, finish_run, jobs, left_behind, project, saved_bytes, settings, store_predictions


def scan():
    return next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "scan")


def kept_state():
    """What belongs to the artist and no operator may touch."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    render = scene.render
    selected = sorted(obj.name for obj in layer.objects if obj.select_get())
    active = layer.objects.active.name if layer.objects.active else ""
    return [selected, active, bpy.context.mode, scene.frame_current, render.resolution_x, render.resolution_y, render.engine,
            scene.camera.name if scene.camera else ""]  # fmt: skip


def watch_writing():
    """Time the final write apart from the rest: the operator's `finish` runs between two drawings."""
    build = module("operators.build")
    original, spent = build.write_result, {}

    def timed(*arguments, **options):
        redraws.drawn()
        redraws.begin("write")
        start = time.monotonic(), time.process_time()
        try:
            return original(*arguments, **options)
        finally:
            spent["clock"], spent["work"] = time.monotonic() - start[0], time.process_time() - start[1]

    build.write_result = module("operators.imports").write_result = timed
    return spent


def first_run():
    """The sample photo through the network by a click, with nothing there but a Python; then undo and redo."""
    yield from project()
    yield from rest()
    before, state = datablocks(), kept_state()
    spent = watch_writing()
    place = yield from find_button("sapiens2.run")
    redraws.begin("idle")  # a plain loop of drawings of the same window, to compare with
    yield 5.0
    redraws.begin("running")
    yield from click(*place)
    yield from until(lambda: jobs().current() is not None, 20)
    yield from until(lambda: jobs().current() is None, 300)
    yield from until(lambda: redraws.label == "write", 20)
    yield 1.0
    redraws.begin("")
    made = datablocks()
    kept = kept_state() == state
    yield from key("z", "Control_L")
    undone = datablocks()
    yield from key("z", "Control_L", "Shift_L")
    redone = datablocks()
    bpy.data.objects["Cube"].hide_set(True)
    view = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")
    view.spaces[0].shading.color_type = "TEXTURE"  # with software OpenGL, Material Preview takes minutes
    corners = [scan().matrix_world @ type(scan().location)(corner) for corner in scan().bound_box]
    view.spaces[0].region_3d.view_location = sum(corners, start=corners[0] * 0) / 8
    view.spaces[0].region_3d.view_distance = 3.5
    yield from rest()
    yield 2.0
    picture("window")
    return {"before": before, "made": made, "undone": undone, "redone": redone, "kept": kept, "seconds": spent}


def full_frame():
    """A person who fills 1024 x 768 pixels, imported: how long the write keeps the window waiting."""
    yield from project()
    spent = watch_writing()
    redraws.begin("idle")
    yield 2.0
    redraws.begin("running")
    bpy.ops.sapiens2.import_predictions("INVOKE_DEFAULT", filepath=os.environ["FULL_FRAME"])
    yield from until(lambda: redraws.label == "write", 300)
    yield 1.0
    redraws.begin("")
    return {"vertices": len(scan().data.vertices), "polygons": len(scan().data.polygons), "seconds": spent}


def cancel():
    """Cancel by a click at several shares of a run: in the start, the network, the build."""
    yield from project()
    yield from rest()
    before, bytes_before = datablocks(), saved_bytes()
    assert saved_bytes() == bytes_before  # else the comparison would say nothing
    stages, place = [], []

    def stop():
        stage = jobs().current().stage
        if not place:  # found while the worker starts; later stages are over before a search ends
            place.append((yield from find_button("sapiens2.cancel", offset=region("UI").width // 2 - 58, start=0.4)))
        yield from click(*place[0])
        asked = time.monotonic()
        yield from until(lambda: jobs().current() is None, 8)
        seconds = time.monotonic() - asked
        yield 0.5
        stages.append(
            {"stage": stage, "seconds": seconds, "same": saved_bytes() == bytes_before, "datablocks": datablocks() == before,
             "left": left_behind()}
        )  # fmt: skip

    yield from each_stage(stop)
    picture("cancelled", crop_panel=True)
    yield from press("sapiens2.run", start=0.35)
    made = yield from finish_run(before)
    return {"before": before, "stages": stages, "made": made}


def undo():
    """Each operator that writes into the file, then Ctrl+Z and Ctrl+Shift+Z."""
    yield from project()
    store_predictions()
    steps = {}

    def operate(name, **options):
        before = contents()
        getattr(bpy.ops.sapiens2, name)("INVOKE_DEFAULT", True, **options)  # True: an undo step, as for a click
        yield from until(lambda: jobs().current() is None, 90)
        yield 1.0
        made = contents()
        yield from key("z", "Control_L")
        undone = contents()
        yield from key("z", "Control_L", "Shift_L")
        steps[name] = {"before": before, "made": made, "undone": undone, "redone": contents()}

    yield from operate("run")
    settings().colour = "photo"
    bpy.ops.ed.undo_push(message="colour")
    yield from operate("build_texture")
    settings().rest = "A"
    bpy.ops.ed.undo_push(message="rest pose")
    yield from operate("build_rig")
    yield from operate("photo_pose")
    settings().armature = next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "rig")
    bpy.ops.ed.undo_push(message="armature")
    yield from operate("retarget")
    settings().resolution, settings().faces = "FACES", 2000
    bpy.ops.ed.undo_push(message="face count")
    yield from operate("build_scan")
    yield from operate("clear")
    yield from operate("import_predictions", filepath=str(Path(os.environ["PREDICTIONS"])))
    return steps


def save_reload_rebuild():
    yield from project()
    store_predictions()
    before = datablocks()
    yield from press("sapiens2.run", start=0.35)
    saved = yield from finish_run(before)
    faces = [len(scan().data.polygons)]
    bpy.ops.wm.save_as_mainfile(filepath=str(OUT / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(OUT / "saved.blend"))
    yield 2.0
    reloaded = datablocks()
    settings().resolution = "FACES"
    settings().faces = 2000
    bpy.ops.sapiens2.build_scan("INVOKE_DEFAULT")
    yield from until(lambda: jobs().current() is None, 90)
    yield 1.0
    faces.append(len(scan().data.polygons))
    return {"saved": saved, "reloaded": reloaded, "rebuilt": datablocks(), "faces": faces}
