"""Where the result is: a scene has other things in it, and a new avatar may stand inside one of them."""

from __future__ import annotations

from contextlib import suppress
from math import radians
from types import MappingProxyType
from typing import TYPE_CHECKING

import bpy
from bpy.types import Collection, Context, Operator
from mathutils import Euler, Vector

from ..avatar_queries import active_avatar, meant_avatar

if TYPE_CHECKING:
    import numpy as np

FROM_THE_FRONT = (radians(84), 0.0, radians(18))
SHADING = ("color_type", "use_scene_lights", "use_scene_world", "use_scene_lights_render", "use_scene_world_render")
BONES, OUTLINE = "show_bones", "show_outline_selected"
"""Of the overlay of a view: the bones of a face cover it, and a line round each piece of clothing hides how they meet."""
LIGHT, BRIGHT = "studio_light", "paint.sl"
"""Of solid shading; of the lights that Blender comes with, the one that leaves textures as bright as they are."""
AS_NEW = MappingProxyType({BONES: True, OUTLINE: True, "color_type": "MATERIAL", LIGHT: "Default"})
"""What a view goes back to that was saved while it showed a result alone: as Blender comes."""
FILL = 0.85
"""Share of the view that a result fills, in the direction in which it is larger."""
CENTRINGS = 8
"""How often the view is moved to the middle of what it shows, which moves with the distance."""
SENSOR = 72.0
"""Millimetres of the larger side of a view that a lens is counted for."""
_before: dict[int, dict[str, object]] = {}
"""Of the views that show a result alone, by their address: the shading and the overlay that they had before."""
_unmarked: dict[int, list[str]] = {}
"""Of the views that show the first avatar, by their address: what was selected for the artist, and is not outlined until they
select something."""


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
    from ..scene.typed import layer_of

    select_avatar(context, avatar)
    region = next(region for region in area.regions if region.type == "WINDOW")
    with context.temp_override(area=area, region=region):
        show_alone(context, avatar)
    address = space.as_pointer()
    _before[address][OUTLINE] = space.overlay.show_outline_selected
    space.overlay.show_outline_selected = False
    _unmarked[address] = _selected(layer_of(context))


def keep_in_sight(context: Context, avatar: Collection, is_new: bool) -> None:
    """Let what was written of an avatar be seen, in a window, wherever only a part of the scene is shown: its new objects where
    its former ones are, and a further avatar, which becomes the one that is meant, beside what is shown."""
    from ..scene.people import select_avatar
    from ..scene.typed import layer_of, scene_of

    layer, scene = layer_of(context), scene_of(context)
    if is_new and context.mode == "OBJECT":
        unmarked = [address for address in _unmarked if _is_unmarked(address, layer)]
        select_avatar(context, avatar)
        _unmarked.update({address: _selected(layer) for address in unmarked})
    own = [obj for obj in avatar.all_objects if obj.type != "CAMERA"]
    for window in context.window_manager.windows:
        areas = [area for area in window.screen.areas if area.type == "VIEW_3D" and area.spaces.active.local_view is not None]
        if window.scene != scene or not areas:
            continue
        window.view_layer.update()  # until then it lists objects that are gone
        for area in areas:
            space, objects = area.spaces.active, window.view_layer.objects
            here = [obj for obj in own if obj.name in objects]
            shown = [obj for obj in objects if obj.local_view_get(space)]
            if not is_new and shown and not set(shown) & set(here):
                continue
            for obj in here:
                obj.local_view_set(space, True)
            if (is_new or not shown) and space.region_3d.view_perspective != "CAMERA":
                region = next(region for region in area.regions if region.type == "WINDOW")
                with context.temp_override(window=window, area=area, region=region):
                    _fill_view(context, [obj for obj in {*shown, *here} if obj.type == "MESH"])


def _selected(layer: bpy.types.ViewLayer) -> list[str]:
    return [obj.name for obj in layer.objects if obj.select_get(view_layer=layer)]


def _is_unmarked(address: int, layer: bpy.types.ViewLayer) -> bool:
    """Whether all that is left of what was selected for the artist is still what is selected."""
    return [name for name in _unmarked[address] if name in layer.objects] == _selected(layer)


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
    """Move the view, which keeps its direction, until it shows objects in its middle and as large as it can."""
    import numpy as np

    space, region = context.space_data, context.region
    points = _points(context, objects)
    if not len(points):
        return
    view, larger = space.region_3d, max(region.width, region.height)
    axes = np.array(view.view_rotation.to_matrix())  # columns: right, up, towards the viewer
    reach = np.array([SENSOR / 2 / space.lens * side / larger * FILL for side in (region.width, region.height)])
    middle, distance = (points.min(0) + points.max(0)) / 2, 0.0
    for _ in range(CENTRINGS):
        seen = (points - middle) @ axes
        distance = float((seen[:, 2] + (np.abs(seen[:, :2]) / reach).max(1)).max())
        drawn = seen[:, :2] / (distance - seen[:, 2:])
        middle = middle + axes[:, :2] @ ((drawn.min(0) + drawn.max(0)) / 2 * distance)
    view.view_location, view.view_distance = Vector(middle), distance


def _points(context: Context, objects: list[bpy.types.Object]) -> np.ndarray:
    """(N, 3) float64 vertices of meshes as they are drawn, in the scene."""
    import numpy as np

    graph, found = context.evaluated_depsgraph_get(), [np.empty((0, 3))]
    for obj in objects:
        drawn = obj.evaluated_get(graph)
        mesh = drawn.to_mesh()
        places = np.empty((len(mesh.vertices), 3), np.float32)
        mesh.vertices.foreach_get("co", places.ravel())
        drawn.to_mesh_clear()
        matrix = np.array(obj.matrix_world)
        found.append(places @ matrix[:3, :3].T + matrix[:3, 3])
    return np.concatenate(found)


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
    _unmarked.pop(space.as_pointer(), None)
    as_new = AS_NEW if space.shading.color_type == "TEXTURE" and not space.overlay.show_bones else {}
    for name, value in _before.pop(space.as_pointer(), as_new).items():
        if name == LIGHT:
            _light_solid(space.shading, str(value))
        else:
            setattr(space.overlay if name in (BONES, OUTLINE) else space.shading, name, value)


def show_what_is_worked_on() -> None:
    """Who poses sees the bones, in a result that is shown alone, too, and who selects sees the outline of what they selected.
    To be called after every change of the scene."""
    if not _before:
        return
    for window in bpy.context.window_manager.windows:
        spaces = [area.spaces.active for area in window.screen.areas if area.type == "VIEW_3D"]
        for space in spaces:
            address = space.as_pointer()
            if address in _unmarked and not _is_unmarked(address, window.view_layer):
                del _unmarked[address]
                space.overlay.show_outline_selected = bool(_before[address].pop(OUTLINE))
        active = window.view_layer.objects.active
        if active is None or active.type != "ARMATURE" or active.mode == "OBJECT":
            continue
        for space in spaces:
            if space.as_pointer() in _before and not space.overlay.show_bones:
                space.overlay.show_bones = True
                _before[space.as_pointer()].pop(BONES, None)


def show_instead(context: Context, rig: bpy.types.Object, controls: bpy.types.Object) -> None:
    """Let a control rig be seen, with its bones, in each view that shows the avatar of a rig alone."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            space = area.spaces.active
            if area.type != "VIEW_3D" or space.local_view is None:
                continue
            objects = window.view_layer.objects
            if rig.name in objects and controls.name in objects and rig.local_view_get(space):
                controls.local_view_set(space, True)
                space.overlay.show_bones = True
                _before.get(space.as_pointer(), {}).pop(BONES, None)


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
