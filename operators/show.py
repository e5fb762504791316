"""Where the result is: a scene has other things in it, and a new avatar may stand inside one of them."""

from __future__ import annotations

from contextlib import suppress
from math import radians

import bpy
from bpy.types import Collection, Context, Operator
from mathutils import Euler, Vector

from ..avatar_queries import active_avatar, meant_avatar

FROM_THE_FRONT = (radians(84), 0.0, radians(18))
SHADING = ("color_type", "use_scene_lights", "use_scene_world", "use_scene_lights_render", "use_scene_world_render")
BONES = "show_bones"
"""Of the overlay of a view: the bones of a face cover it."""
LIGHT, BRIGHT = "studio_light", "paint.sl"
"""Of solid shading; of the lights that Blender comes with, the one that leaves textures as bright as they are."""
FILL = 0.85
"""Share of the view that a result fills, in the direction in which it is larger."""
SENSOR = 72.0
"""Millimetres of the larger side of a view that a lens is counted for."""
_before: dict[int, dict[str, object]] = {}
"""Of the views that show a result alone, by their address: the shading and the overlay that they had before."""


def first_look(context: Context, avatar: Collection) -> None:
    """Show the first avatar of a scene: large, from the front, with its textures and without bones; alone, since it may stand
    inside something else.

    In a window. The largest 3D viewport of the scene turns to it, Show Everything brings the former view back.
    """
    window = context.window
    areas = [area for area in window.screen.areas if area.type == "VIEW_3D"] if window is not None else []
    if not areas or window.scene != context.scene or context.mode != "OBJECT":
        return
    area = max(areas, key=lambda area: area.width * area.height)
    space = area.spaces.active
    if space.local_view is not None or space.region_3d.view_perspective == "CAMERA":
        return
    from ..scene.people import select_avatar

    select_avatar(context, avatar)
    region = next(region for region in area.regions if region.type == "WINDOW")
    with context.temp_override(area=area, region=region):
        show_alone(context, avatar)


def show_alone(context: Context, avatar: Collection) -> None:
    """Blender's local view takes what is selected: the selection is as before afterwards."""
    layer, space = context.view_layer, context.space_data
    selected = [obj for obj in layer.objects if obj.select_get()]
    shown = [obj for obj in avatar.all_objects if obj.type != "CAMERA"]
    for obj in selected:
        obj.select_set(False)
    for obj in shown:
        if obj.name in layer.objects:
            obj.select_set(True)
    bpy.ops.view3d.localview(frame_selected=True)
    # A photo sees one side of the person: from there, a little turned. Leaving the local view brings the former view back.
    view = space.region_3d
    view.view_perspective, view.view_rotation = "PERSP", Euler(FROM_THE_FRONT).to_quaternion()
    _fill_view(context, [obj for obj in shown if obj.type == "MESH"])
    for obj in layer.objects:
        obj.select_set(obj in selected)
    shading = space.shading
    _before[space.as_pointer()] = {name: getattr(shading, name) for name in SHADING} | {BONES: space.overlay.show_bones}
    space.overlay.show_bones = False
    # The lights of the scene are not in the local view, and what they do not light is black.
    for name in SHADING[1:]:
        setattr(shading, name, False)
    if shading.type == "SOLID":
        shading.color_type = "TEXTURE"
        _before[space.as_pointer()][LIGHT] = _light_solid(shading, BRIGHT)


def _fill_view(context: Context, objects: list[bpy.types.Object]) -> None:
    """Move the view, which keeps its direction, until it shows objects as large as it can."""
    space, region = context.space_data, context.region
    corners = [obj.matrix_world @ Vector(corner) for obj in objects for corner in obj.bound_box]
    if not corners:
        return
    view, larger = space.region_3d, max(region.width, region.height)
    low, high = (Vector([extreme(corner[axis] for corner in corners) for axis in range(3)]) for extreme in (min, max))
    view.view_location = (low + high) / 2
    across, up = (SENSOR / 2 / space.lens * side / larger * FILL for side in (region.width, region.height))
    seen = [view.view_rotation.inverted() @ (corner - view.view_location) for corner in corners]
    view.view_distance = max(place.z + max(abs(place.x) / across, abs(place.y) / up) for place in seen)


def _light_solid(shading: bpy.types.View3DShading, name: str) -> str:
    """Change the light of solid shading, whatever a view shows now, and return the former one."""
    shown, lit = shading.type, shading.light
    shading.type, shading.light = "SOLID", "STUDIO"
    before = shading.studio_light
    with suppress(TypeError):  # somebody has taken it away
        shading.studio_light = name
    shading.light, shading.type = lit, shown
    return before


def show_everything(context: Context) -> None:
    """Leave the local view, with the shading and the bones that were before it."""
    bpy.ops.view3d.localview()
    space = context.space_data
    for name, value in _before.pop(space.as_pointer(), {}).items():
        if name == LIGHT:
            _light_solid(space.shading, str(value))
        else:
            setattr(space.overlay if name == BONES else space.shading, name, value)


def show_bones_to_pose() -> None:
    """Who poses sees the bones, in a result that is shown alone, too. To be called after every change of the scene."""
    if not _before:
        return
    for window in bpy.context.window_manager.windows:
        active = window.view_layer.objects.active
        if active is None or active.type != "ARMATURE" or active.mode == "OBJECT":
            continue
        spaces = [area.spaces.active for area in window.screen.areas if area.type == "VIEW_3D"]
        for space in spaces:
            if space.as_pointer() in _before and not space.overlay.show_bones:
                space.overlay.show_bones = True
                _before[space.as_pointer()].pop(BONES, None)


class SAPIENS2_OT_result_show(Operator):
    """Show nothing but the result, as large as the view allows; once more shows everything again"""

    bl_idname = "sapiens2.result_show"
    bl_label = "Show Result"

    @classmethod
    def poll(cls, context: Context) -> bool:
        if context.area is None or context.area.type != "VIEW_3D":
            cls.poll_message_set("This works in a 3D viewport")
            return False
        if context.mode != "OBJECT":
            cls.poll_message_set("Switch to Object Mode first")
            return False
        # A result that was deleted while it was shown alone leaves a way out of the local view.
        alone = context.space_data.local_view is not None
        if not alone and active_avatar(context) is None:
            cls.poll_message_set("There is no avatar in the scene")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        region = next(region for region in context.area.regions if region.type == "WINDOW")
        with context.temp_override(region=region):
            if context.space_data.local_view is None:
                show_alone(context, meant_avatar(context))
            else:
                show_everything(context)
        return {"FINISHED"}


CLASSES = (SAPIENS2_OT_result_show,)
