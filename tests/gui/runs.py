"""From a click to a scene and back. Runs inside Blender, see driver.py."""

from __future__ import annotations

import os
import time
from pathlib import Path

import bpy
from driver import NET, OUT, click, datablocks, find_button, key, module, picture, press, redraws, region, rest, until
from steps import (
    at_rest,
    contents,
    finish_run,
    hold_workers,
    jobs,
    left_behind,
    project,
    run_to,
    saved_bytes,
    settings,
    store_predictions,
    stored,
)


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
    """Time the final write apart from the rest, for who looks at the printed figures: `finish` runs between two drawings."""
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
    spent, points, drawn = watch_writing(), hold_workers(), {}
    place = yield from find_button("sapiens2.run")
    redraws.begin("idle")  # a plain loop of drawings of the same window, to compare with
    yield 5.0
    redraws.begin("running")
    stages = ("run/starting", "predict/maps", "build/scan")
    for now, following in zip(stages, (*stages[1:], None), strict=True):
        # The worker is in the middle of its work and stays there, and the window is drawn nevertheless.
        if now == stages[0]:
            points.hold(now)
            yield from click(*place)
        yield from until(lambda: points.reached or jobs().status.error, NET)
        count = redraws.count["running"]
        yield from until(lambda count=count: redraws.count["running"] >= count + 20, NET)
        drawn[now] = bool(points.reached) and not jobs().current().ended
        points.hold(following) if following else points.release()
    yield from until(at_rest, NET)
    assert redraws.label == "write"
    redraws.begin("")
    made = datablocks()
    # The first avatar is selected, nothing else of the artist's is changed.
    selected, active, *others = kept_state()
    kept = others == state[2:] and active in selected and all(name.startswith("anna") for name in selected)
    yield from key("z", "Control_L", then=lambda: datablocks() != made)
    undone = datablocks()
    yield from key("z", "Control_L", "Shift_L", then=lambda: datablocks() != undone)
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
    return {"before": before, "made": made, "undone": undone, "redone": redone, "kept": kept, "seconds": spent, "drawn": drawn}


def full_frame():
    """A person who fills 1024 x 768 pixels, imported: the largest scan, and how long its write keeps the window waiting."""
    yield from project()
    spent = watch_writing()
    redraws.begin("idle")
    yield 2.0
    redraws.begin("running")
    bpy.ops.sapiens2.import_predictions("INVOKE_DEFAULT", filepath=os.environ["FULL_FRAME"])
    yield from until(at_rest, NET)
    assert redraws.label == "write"
    redraws.begin("")
    return {"vertices": len(scan().data.vertices), "polygons": len(scan().data.polygons), "seconds": spent}


def cancel():
    """Cancel by a click at several points of a run: in the start, the network, the build.

    A worker that stands still, as in a long call of a library, is ended; one that `answers` comes back from that call meanwhile.
    """
    yield from project()
    yield from rest()
    before, bytes_before, points = datablocks(), saved_bytes(), hold_workers()
    assert saved_bytes() == bytes_before  # else the comparison would say nothing
    stages = []
    for point, answers in (
        ("run/starting", False),
        ("predict/maps", True),
        ("predict/writing", False),
        ("build/camera", False),
        ("build/texture", True),
        ("build/done", True),
    ):
        yield from run_to(point, points)
        job = jobs().current()
        place = yield from find_button("sapiens2.cancel", offset=region("UI").width // 2 - 58, start=0.4)
        assert points.reached and not job.ended
        yield from click(*place, then=lambda job=job: job.cancel_at is not None)
        if answers:
            points.release()
        yield from until(at_rest, NET)
        stages.append(
            {"point": point, "kind": job.request.job, "state": job.state.value, "same": saved_bytes() == bytes_before,
             "datablocks": datablocks() == before, "left": left_behind(), "stored": len(stored())}
        )  # fmt: skip
    points.release()
    yield from rest()
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
        yield from until(at_rest, NET)
        made = contents()
        yield from key("z", "Control_L", then=lambda: contents() != made)
        undone = contents()
        yield from key("z", "Control_L", "Shift_L", then=lambda: contents() != undone)
        steps[name] = {"before": before, "made": made, "undone": undone, "redone": contents()}

    yield from operate("run")
    settings().texture.colour = "photo"
    bpy.ops.ed.undo_push(message="colour")
    yield from operate("build_texture")
    settings().rig.rest = "A"
    bpy.ops.ed.undo_push(message="rest pose")
    yield from operate("build_rig")
    yield from operate("photo_pose")
    settings().retarget.armature = next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "rig")
    bpy.ops.ed.undo_push(message="armature")
    yield from operate("retarget")
    settings().scan.resolution, settings().scan.faces = "FACES", 2000
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
    settings().scan.resolution = "FACES"
    settings().scan.faces = 2000
    bpy.ops.sapiens2.build_scan("INVOKE_DEFAULT")
    yield from until(at_rest, NET)
    faces.append(len(scan().data.polygons))
    return {"saved": saved, "reloaded": reloaded, "rebuilt": datablocks(), "faces": faces}
