"""Maps in the image editor, and boxes drawn there."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import StringProperty
from bpy.types import Area, Context, Event, Image, Operator

from .. import jobs
from ..avatar_queries import active_predictions
from ..core.capture.exif_orientation import upright_of, upright_point
from ..core.common.errors import SapiensError
from ..core.common.predictions import Predictions
from ..core.formats.previews import picture
from ..properties import photo_path
from .job import BUSY, fail


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

    def execute(self, context: Context) -> set[str]:
        from ..scene.image import write_image

        path = Path(bpy.path.abspath(active_predictions(context)))
        try:
            shown = picture(Predictions.load(path), self.map)
            if shown is None:
                raise SapiensError(f"{path.name} has no {self.map} map.", "Choose another one.")
        except SapiensError as error:
            return fail(self, error)
        title = f"{path.stem} {self.map}"
        old = bpy.data.images.get(title)
        if old is not None:
            bpy.data.images.remove(old)
        image = write_image(title, shown, colour=True)
        if not bpy.app.background:
            show_image(context, image)
        return {"FINISHED"}


class SAPIENS2_OT_box_draw(Operator):
    """Draw a box around a person: the photo opens in the image editor, drag over the person there"""

    bl_idname = "sapiens2.box_draw"
    bl_label = "Draw Box"
    bl_options = {"UNDO"}

    _area: Area | None = None
    _start: tuple[float, float] | None = None

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not context.scene.sapiens2.photo:
            cls.poll_message_set("Choose a photo first")
            return False
        if jobs.current() is not None:
            cls.poll_message_set(BUSY)
            return False
        return True

    def invoke(self, context: Context, _event: Event) -> set[str]:
        path = photo_path(context.scene.sapiens2)
        try:
            image = bpy.data.images.load(str(path), check_existing=True)
        except RuntimeError:
            self.report({"ERROR"}, f"{path.name} could not be opened. Choose another photo")
            return {"CANCELLED"}
        if not image.size[0]:  # HEIC, and AVIF before Blender 5: the worker reads them, Blender does not
            self.report({"ERROR"}, f"Blender cannot show {path.name}. Save it as PNG or JPEG to draw a box, or go on without one")
            return {"CANCELLED"}
        self._size, self._upright = tuple(image.size), upright_of(path)
        self._area = show_image(context, image)
        window = next(w for w in context.window_manager.windows if self._area in w.screen.areas[:])
        window.cursor_modal_set("CROSSHAIR")
        self._window = window
        with context.temp_override(window=window, area=self._area):
            context.window_manager.modal_handler_add(self)
        region = next(region for region in self._area.regions if region.type == "WINDOW")
        with context.temp_override(window=window, area=self._area, region=region):
            bpy.ops.image.view_all(fit_view=True)
        self._area.header_text_set(bpy.app.translations.pgettext_iface("Drag over the person. Esc: cancel"))
        return {"RUNNING_MODAL"}

    def _restore(self) -> None:
        self._window.cursor_modal_restore()
        self._area.header_text_set(None)

    def _pixel(self, event: Event) -> tuple[float, float]:
        """The pixel of the upright photo under the pointer, (0, 0) in its upper left corner; Blender shows it as it is stored."""
        region = next(region for region in self._area.regions if region.type == "WINDOW")
        u, v = region.view2d.region_to_view(event.mouse_x - region.x, event.mouse_y - region.y)
        width, height = self._size
        x, y = min(max(u, 0.0), 1.0) * width, (1 - min(max(v, 0.0), 1.0)) * height
        return upright_point(x, y, width, height, *self._upright)

    def modal(self, context: Context, event: Event) -> set[str]:
        if event.type in {"ESC", "RIGHTMOUSE"}:
            self._restore()
            return {"CANCELLED"}
        if event.type != "LEFTMOUSE":
            return {"PASS_THROUGH"}
        if event.value == "PRESS":
            self._start = self._pixel(event)
            return {"RUNNING_MODAL"}
        if self._start is None:
            return {"RUNNING_MODAL"}
        self._restore()
        (xa, ya), (xb, yb) = self._start, self._pixel(event)
        if abs(xa - xb) < 8 or abs(ya - yb) < 8:
            self.report({"WARNING"}, "The box is too small: drag from one corner of the person to the other")
            return {"CANCELLED"}
        context.scene.sapiens2.photo_size = self._size[::-1] if self._upright[0] % 2 else self._size
        box = context.scene.sapiens2.boxes.add()
        box.x1, box.y1, box.x2, box.y2 = min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)
        jobs.redraw()
        return {"FINISHED"}


CLASSES = (SAPIENS2_OT_map_open, SAPIENS2_OT_box_draw)
