"""The look through the photo, and pins dragged with the mouse. Runs inside Blender, see driver.py."""

from __future__ import annotations

import bpy
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from driver import NET, area, drag, key, module, picture, press, region, rest, until, window
from faces import unfold
from mathutils import Vector
from steps import at_rest, jobs, project, settings, store_predictions


def state():
    """What the way back has to bring back."""
    render, space = bpy.context.scene.render, area().spaces.active
    view = space.region_3d
    matrix = [round(value, 4) for row in view.view_matrix for value in row]
    camera = bpy.context.scene.camera
    return [render.resolution_x, render.resolution_y, camera.name if camera else "", view.view_perspective, matrix,
            space.shading.type, space.shading.color_type, space.lock_camera]  # fmt: skip


def wrist():
    """The left wrist of the rig in the region."""
    rig = next(obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "rig")
    place = rig.matrix_world @ Vector(rig.pose.bones["hand.L"].head)
    return np.array(location_3d_to_region_2d(region("WINDOW"), area().spaces.active.region_3d, place))


def pinned():
    view = region("WINDOW")
    with bpy.context.temp_override(window=window(), area=area(), region=view):
        look = module("avatar_queries").look_in(bpy.context)
        pins = module("scene.pins").pins_of(look.avatar)
        return [list(look.frame.place(pin.x, pin.y)) for pin in pins]


def rebuilt():
    """A build begins a moment after a pin was let go."""
    yield from until(lambda: jobs().current() is not None, NET)
    yield from until(at_rest, NET)
    yield 0.5


def through():
    """Look through the photo, wipe it, drag a wrist, take that back, drag it again, remove the pin, and go back."""
    yield from project("avatar")
    store_predictions()
    bpy.ops.sapiens2.run("INVOKE_DEFAULT", True)
    yield from until(at_rest, NET)
    yield from unfold(60, "Adjust")
    before = state()
    yield from press("sapiens2.look_through", then=lambda: bool(settings().look.scene_before))
    yield from rest()
    yield 1.0
    during = state()
    picture("through_photo")
    settings().look.opacity, settings().look.wipe = 1.0, 0.5
    yield from rest()
    picture("through_photo_wiped")
    settings().look.opacity, settings().look.wipe = 0.4, 0.0
    view = region("WINDOW")
    corner = np.array([view.x, view.y])
    start = wrist()
    target = start + np.array([18, 24])
    yield from drag((start + corner).astype(int), (target + corner).astype(int))
    yield from rebuilt()
    found = {"pins": pinned(), "target": target.tolist(), "wrist": [start.tolist(), wrist().tolist()]}
    found["error"] = str(jobs().status.error or "")
    yield from rest()
    picture("pinned")
    picture("adjust", crop_panel=True)
    yield from key("z", "Control_L", then=lambda: np.linalg.norm(wrist() - start) < 1)
    found["undone"] = wrist().tolist()
    yield from key("z", "Control_L", "Shift_L", then=lambda: np.linalg.norm(wrist() - start) > 3)
    yield from press("sapiens2.pin_remove", offset=region("UI").width // 2 - 53, then=lambda: not pinned())
    yield from rebuilt()
    found["removed"] = wrist().tolist()
    yield from press("sapiens2.look_through", then=lambda: not settings().look.scene_before)
    yield 0.5
    return {"before": before, "during": during, "after": state(), **found}
