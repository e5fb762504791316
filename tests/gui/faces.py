"""The sidebar's faces, each as a picture. Runs inside Blender, see driver.py."""

from __future__ import annotations

import time

import bpy
from driver import (
    NET,
    area,
    click,
    datablocks,
    drag,
    extension,
    find_button,
    module,
    open_tab,
    picture,
    press,
    region,
    rest,
    scroll_down,
    until,
)
from steps import at_rest, finish_run, hold_workers, jobs, preferences, project, run_to, settings, store_predictions


def three_faces():
    """Needs setup, nothing chosen yet, idle, running, done."""
    yield from open_tab()
    yield from rest()
    picture("setup", crop_panel=True)
    widths = [region("UI").width]
    yield from project()
    settings().photo = ""
    yield from rest()
    picture("empty", crop_panel=True)
    yield from find_button("sapiens2.add_avatar")  # the sample photo
    settings().photo = "//anna.jpg"
    yield from rest()
    yield 2.0
    picture("idle", crop_panel=True)
    before, points = datablocks(), hold_workers()
    yield from run_to("predict/maps", points)
    job = jobs().current()
    job.fraction, job.started = 0.4, time.monotonic() - 37  # as it would be on a slow computer, whatever this one is
    drawn = watch_progress()
    yield from rest()
    picture("running", crop_panel=True)
    picture("running_window")
    yield from until(lambda: {"VIEW_3D", "STATUSBAR"} <= {kind for kind, words in drawn if "40%" in words}, NET)
    points.release()
    yield from finish_run(before)
    yield from rest()
    picture("done", crop_panel=True)
    picture("window")
    space = area().spaces.active
    found = {
        "shown alone": space.local_view is not None,
        "color type": space.shading.color_type,
        "selected": [obj.name for obj in bpy.context.selected_objects],
        "share": share_of_view("anna"),
        "light": space.shading.studio_light,
        "bones": [space.overlay.show_bones],
    }
    for mode in ("POSE", "OBJECT"):
        with bpy.context.temp_override(area=area(), region=region("WINDOW")):
            bpy.ops.object.mode_set(mode=mode)
        yield 0.5
        found["bones"].append(space.overlay.show_bones)
    yield from press("sapiens2.result_show", start=0.35)
    yield from until(lambda: space.local_view is None, NET)
    found["way back"] = [space.local_view is not None, space.shading.color_type, space.shading.studio_light]
    picture("window_after")
    return {"widths": widths, "made": datablocks(), "notes": jobs().status.notes, **found}


def share_of_view(name):
    """How much of the height of the view an avatar fills."""
    from bpy_extras.view3d_utils import location_3d_to_region_2d
    from mathutils import Vector

    view = region("WINDOW")
    shown = [obj for obj in bpy.data.collections[name].all_objects if obj.type == "MESH"]
    corners = [obj.matrix_world @ Vector(corner) for obj in shown for corner in obj.bound_box]
    places = [location_3d_to_region_2d(view, area().spaces.active.region_3d, corner) for corner in corners]
    heights = [place.y for place in places if place is not None]
    return (min(max(heights), view.height) - max(min(heights), 0)) / view.height


def watch_progress():
    """From now on, what is said of the job in each kind of area: pairs of the kind and the words."""
    progress, drawn = module("panels.progress"), set()
    words = progress.words

    def watched(job):
        drawn.add((bpy.context.area.type, words(job)))
        return words(job)

    progress.words = watched
    return drawn


def unfold(number, *labels):
    """Register the panels anew with only these unfolded. Blender remembers panels by name,
    so each `number` gives them new ones."""
    classes = module("panels").CLASSES
    for cls in reversed(classes):
        bpy.utils.unregister_class(cls)
    for cls in classes:
        if issubclass(cls, bpy.types.Panel) and cls.bl_region_type == "UI":
            cls.bl_idname = f"{cls.__name__}_{number}"
            if hasattr(cls, "bl_parent_id"):
                cls.bl_parent_id = f"{cls.bl_parent_id.rstrip('_0123456789')}_{number}"
            cls.bl_options = set() if cls.bl_label in labels else {"DEFAULT_CLOSED"}
        bpy.utils.register_class(cls)
    yield 0.5


def every_panel():
    """Each panel unfolded, before and after a run, also with a model whose weights are missing."""
    preferences().python_path = ""
    yield from unfold(0, "Model", "Maps")
    yield from project()
    settings().network.model = "0.8b"
    yield from rest()
    picture("model_and_no_maps", crop_panel=True)
    settings().network.model = "preview"
    store_predictions()
    before = datablocks()
    bpy.ops.sapiens2.run()
    made = datablocks()
    assert len(made["objects"]) > len(before["objects"])
    yield from rest()
    yield 2.0
    picture("maps", crop_panel=True)
    settings().rig.rest = "A"
    bpy.ops.sapiens2.build_rig()
    settings().retarget.armature = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    settings().retarget.active_bone = next(n for n, bone in enumerate(settings().retarget.bones) if bone.role == "leftUpperArm")
    settings().motion.clip = "//walk.mp4"
    shown = ("Avatar", "Scan"), ("Texture", "Rig", "Export"), ("Retarget", "Bone Table"), ("Retarget", "Motion"), ("Batch",)
    for number, labels in enumerate(shown, 1):
        yield from unfold(number, *labels)
        yield from open_tab()
        if "Rig" in labels:
            yield from press("sapiens2.photo_pose")
        if "Retarget" in labels:
            yield from scroll_down()
        yield from rest()
        picture("motion" if "Motion" in labels else labels[0].lower(), crop_panel=True)
    return {"width": region("UI").width, "photo pose": module("avatar_queries").is_photo_pose(bpy.context)}


def people():
    """Find the people, untick one, draw a box around another: the thumbnail shows what is meant."""
    yield from project()
    yield from press("sapiens2.people_find")
    yield from until(lambda: at_rest() and len(settings().boxes), NET)
    found = [(box.x1, box.y1, box.x2, box.y2) for box in settings().boxes]
    yield from rest()
    yield 1.0
    picture("people_found", crop_panel=True)
    place = yield from find_button("sapiens2.box_draw", offset=region("UI").width // 2 - 60)
    yield from click(*place)
    yield 2.0
    editor = next(a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == "IMAGE_EDITOR")
    picture("box_drawing")
    size = editor.width, editor.height
    # The new window covers the screen, so places in it are places on the screen.
    yield from drag((size[0] // 2 - 60, size[1] // 2 - 100), (size[0] // 2 + 60, size[1] // 2 + 100))
    yield from until(lambda: len(settings().boxes) > len(found), NET)
    drawn = settings().boxes[-1]
    steps = [[drawn.x1, drawn.y1, drawn.x2, drawn.y2]]
    editing = bpy.context.window_manager.windows[-1]
    canvas = next(part for part in editor.regions if part.type == "WINDOW")
    yield 1.0
    picture("box_drawn")
    for place in (lambda: (drawn.x2, drawn.y2), lambda: ((drawn.x1 + drawn.x2) / 2, (drawn.y1 + drawn.y2) / 2)):
        with bpy.context.temp_override(window=editing, area=editor, region=canvas):
            x, y = module("gizmos.boxes").frame_in(bpy.context).place(*place())
        x, y = int(x) + canvas.x + editing.x, int(y) + canvas.y + editing.y
        yield from drag((x, y), (x + 30, y - 20))
        steps.append([drawn.x1, drawn.y1, drawn.x2, drawn.y2])
    settings().boxes[0].use = False
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
        bpy.ops.wm.window_close()
    yield 1.0
    yield from rest()
    picture("people_chosen", crop_panel=True)
    size = tuple(settings().photo_size)
    return {"found": found, "drawn": steps[0], "steps": steps, "size": size, "id": extension().__name__}
