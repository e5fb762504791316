"""Maps in the image editor."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy.types import Area, Context, Image, Operator

from ..avatar_queries import active_predictions
from ..core.common.errors import SapiensError
from ..core.common.predictions import Predictions
from ..core.formats.previews import picture
from .job import at_once


def show_image(context: Context, image: Image) -> Area:
    """Show an image in an image editor: one that is open, else a new window."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                area.spaces.active.image = image
                return area
    bpy.ops.wm.window_new()
    area = context.window_manager.windows[-1].screen.areas[0]
    area.ui_type = "IMAGE_EDITOR"
    area.spaces.active.image = image
    return area


class SAPIENS2_OT_map_open(Operator):
    """Open this map in full size in the image editor"""

    bl_idname = "sapiens2.map_open"
    bl_label = "Open Map"
    bl_options = {"UNDO"}

    map: StringProperty(name="Map", description="Which one: photo, normal, depth, parts, albedo or pose", default="normal")

    @at_once
    def execute(self, context: Context) -> set[str]:
        from ..scene.image import write_image

        path = Path(bpy.path.abspath(active_predictions(context)))
        shown = picture(Predictions.load(path), self.map)
        if shown is None:
            raise SapiensError(f"{path.name} has no {self.map} map.", "Choose another one.")
        title = f"{path.stem} {self.map}"
        old = bpy.data.images.get(title)
        if old is not None:
            bpy.data.images.remove(old)
        image = write_image(title, shown, colour=True)
        if not bpy.app.background:
            show_image(context, image)
        return {"FINISHED"}


CLASSES = (SAPIENS2_OT_map_open,)
