"""The look through the camera of a photo, and the way back."""

from __future__ import annotations

import bpy
from bpy.types import Area, Context, Operator

from .. import jobs
from ..avatar_queries import meant_avatar
from ..core.common.errors import SapiensError
from .job import ForAvatar, at_once


def looking(context: Context) -> bool:
    """Whether there is a way back to go."""
    return bool(context.scene.sapiens2.look.scene_before)


class SAPIENS2_OT_look_through(ForAvatar, Operator):
    """Look at the avatar through the camera of its photo, with the photo over it. Press again for the view, the camera and the render size from before"""  # noqa: E501 - Blender shows it as one line of a tooltip

    bl_idname = "sapiens2.look_through"
    bl_label = "Look Through the Photo"
    bl_options = {"UNDO"}
    modes = ("OBJECT", "POSE")

    @classmethod
    def poll(cls, context: Context) -> bool:
        from ..scene.through_photo import photo_camera

        if looking(context):
            return True
        if not super().poll(context):
            return False
        if photo_camera(meant_avatar(context)) is None:
            cls.poll_message_set("The camera of the photo is gone: rebuild the avatar")
            return False
        return True

    @at_once
    def execute(self, context: Context) -> set[str]:
        from ..scene.typed import area_of

        area = area_of(context)
        view = area if area is not None and area.type == "VIEW_3D" else None
        (look_back if looking(context) else look_there)(context, view)
        jobs.settle()
        return {"FINISHED"}


def look_there(context: Context, area: Area | None) -> None:
    """Let the scene, and a 3D view, look through the photo of the avatar that the artist means.
    Raises SapiensError where that is linked from another file."""
    from ..scene.through_photo import look_through, photo_camera, view_state, view_through
    from ..scene.typed import scene_of, space_of

    avatar, look = meant_avatar(context), context.scene.sapiens2.look
    found = photo_camera(avatar)
    if found is None:
        raise SapiensError("The camera of the photo is gone.", "Rebuild the avatar.")
    camera, lens = found
    if camera.data.library is not None:
        raise SapiensError(f"{avatar.name} is linked from another file.", "Append it, or make a library override, first.")
    look.camera_before = context.scene.camera
    look.scene_before = look_through(scene_of(context), avatar, camera, lens)
    look.avatar, look.view_before = avatar, ""
    if area is None:
        return
    space = space_of(area)
    look.view_before = view_state(space)
    view_through(space, camera)
    region = next(region for region in area.regions if region.type == "WINDOW")
    with context.temp_override(area=area, region=region):
        bpy.ops.view3d.view_center_camera()


def look_back(context: Context, area: Area | None) -> None:
    """The camera, the render size, the pose and the view as they were before `look_there`."""
    from ..scene.through_photo import look_away, restore_view
    from ..scene.typed import scene_of, space_of

    look = context.scene.sapiens2.look
    look_away(scene_of(context), look.avatar, look.camera_before, look.scene_before)
    if area is not None and look.view_before:
        restore_view(space_of(area), scene_of(context), look.view_before)
    look.property_unset("scene_before")
    look.property_unset("view_before")
    look.avatar = look.camera_before = None


CLASSES = (SAPIENS2_OT_look_through,)
