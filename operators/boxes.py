"""The boxes of people: drawn, moved and resized over the photo in the image editor."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import EnumProperty, IntProperty
from bpy.types import Area, Context, Event, Operator

from .. import jobs
from ..gizmos import boxes as handles
from ..gizmos.handle import pressed_at
from ..scene.photo_editor import EditorFrame, frame_of
from .job import BUSY
from .maps import show_image

SMALLEST = 8.0
"""Pixels of the photo that a box has on each side."""
EDGES = ("x1", "y1", "x2", "y2")


class SAPIENS2_OT_box_draw(Operator):
    """Draw a box around a person: the photo opens in the image editor, drag over the person there"""

    bl_idname = "sapiens2.box_draw"
    bl_label = "Draw Box"
    bl_options = {"UNDO"}

    _area: Area | None = None
    _start: tuple[float, float] | None = None
    _photo = Path()
    _stored = (0, 0)
    """Width and height of the photo as it is stored."""

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
        path = Path(bpy.path.abspath(context.scene.sapiens2.photo))
        try:
            image = bpy.data.images.load(str(path), check_existing=True)
        except RuntimeError:
            self.report({"ERROR"}, f"{path.name} could not be opened. Choose another photo")
            return {"CANCELLED"}
        if not image.size[0]:  # HEIC, and AVIF before Blender 5: the worker reads them, Blender does not
            self.report({"ERROR"}, f"Blender cannot show {path.name}. Save it as PNG or JPEG to draw a box, or go on without one")
            return {"CANCELLED"}
        self._photo, self._stored = path, (image.size[0], image.size[1])
        self._area = show_image(context, image)
        window = next(w for w in context.window_manager.windows if self._area in w.screen.areas[:])
        window.cursor_modal_set("CROSSHAIR")
        self._window = window
        with context.temp_override(window=window, area=self._area):
            context.window_manager.modal_handler_add(self)
        with context.temp_override(window=window, area=self._area, region=self._region()):
            bpy.ops.image.view_all(fit_view=True)
        self._area.header_text_set(bpy.app.translations.pgettext_iface("Drag over the person. Esc: cancel"))
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: Event) -> set[str]:
        if event.type in {"ESC", "RIGHTMOUSE"}:
            return self._end({"CANCELLED"})
        if event.type == "MOUSEMOVE" and self._start is not None:
            handles.drawn = (*self._start, *self._pixel(event))
            self._area.tag_redraw()
            return {"RUNNING_MODAL"}
        if event.type != "LEFTMOUSE":
            return {"PASS_THROUGH"}
        if event.value == "PRESS":
            self._start = self._pixel(event)
            return {"RUNNING_MODAL"}
        if self._start is None:
            return {"RUNNING_MODAL"}
        (xa, ya), (xb, yb) = self._start, self._pixel(event)
        if abs(xa - xb) < SMALLEST or abs(ya - yb) < SMALLEST:
            self.report({"WARNING"}, "The box is too small: drag from one corner of the person to the other")
            return self._end({"CANCELLED"})
        settings = context.scene.sapiens2
        settings.photo_size = self._frame().size
        box = settings.boxes.add()
        box.x1, box.y1, box.x2, box.y2 = min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)
        jobs.redraw()
        return self._end({"FINISHED"})

    def cancel(self, _context: Context) -> None:
        handles.drawn = None

    def _end(self, result: set[str]) -> set[str]:
        handles.drawn = None
        self._window.cursor_modal_restore()
        self._area.header_text_set(None)
        self._area.tag_redraw()
        return result

    def _region(self) -> bpy.types.Region:
        return next(region for region in self._area.regions if region.type == "WINDOW")

    def _frame(self) -> EditorFrame:
        return frame_of(self._region(), self._photo, self._stored)

    def _pixel(self, event: Event) -> tuple[float, float]:
        region = self._region()
        return self._frame().pixel(event.mouse_x - region.x, event.mouse_y - region.y)


class SAPIENS2_OT_box_drag(Operator):
    """Drag a corner to resize the box, its middle to move it. Esc: as it was"""

    bl_idname = "sapiens2.box_drag"
    bl_label = "Change Box"
    bl_options = {"UNDO", "INTERNAL"}

    box: IntProperty(options={"HIDDEN", "SKIP_SAVE"})
    part: EnumProperty(items=[(part, part, "") for part in handles.PARTS], options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: Context, event: Event) -> set[str]:
        frame, boxes = handles.frame_in(context), context.scene.sapiens2.boxes
        if frame is None or self.box >= len(boxes):
            return {"CANCELLED"}
        self._before = tuple(getattr(boxes[self.box], edge) for edge in EDGES)
        self._start = frame.pixel(*pressed_at(context, event))
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: Event) -> set[str]:
        frame, boxes = handles.frame_in(context), context.scene.sapiens2.boxes
        if frame is None or self.box >= len(boxes):
            return {"CANCELLED"}
        if event.type in {"ESC", "RIGHTMOUSE"}:
            self._put(context, self._before)
            return {"CANCELLED"}
        if event.type in {"MOUSEMOVE", "LEFTMOUSE"}:
            at = frame.pixel(event.mouse_region_x, event.mouse_region_y)
            moved = at[0] - self._start[0], at[1] - self._start[1]
            self._put(context, changed(self._before, self.part, moved, frame.size))
            if event.type == "LEFTMOUSE" and event.value == "RELEASE":
                return {"FINISHED"}
        return {"RUNNING_MODAL"}

    def _put(self, context: Context, values: tuple[float, ...]) -> None:
        box = context.scene.sapiens2.boxes[self.box]
        for edge, value in zip(EDGES, values, strict=True):
            setattr(box, edge, value)
        context.area.tag_redraw()
        jobs.redraw()


def changed(
    box: tuple[float, ...], part: str, moved: tuple[float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """x1, y1, x2, y2 of a box whose `part` (`gizmos.boxes.PARTS`) was moved by pixels, inside a photo of this size. A corner
    stops before the one across; a box that is moved keeps its size."""
    values: dict[str, float] = dict(zip(EDGES, box, strict=True))
    for axis, (low, high) in enumerate((("x1", "x2"), ("y1", "y2"))):
        move, end = moved[axis], float(size[axis])
        if part == "all":
            move = min(max(move, -values[low]), end - values[high])
            values[low], values[high] = values[low] + move, values[high] + move
        elif low in part:
            values[low] = min(max(values[low] + move, 0.0), values[high] - SMALLEST)
        else:
            values[high] = max(min(values[high] + move, end), values[low] + SMALLEST)
    return values["x1"], values["y1"], values["x2"], values["y2"]


class SAPIENS2_OT_box_remove(Operator):
    """Take this person's box away"""

    bl_idname = "sapiens2.box_remove"
    bl_label = "Remove Box"
    bl_options = {"UNDO"}

    box: IntProperty(name="Box", description="Which one of the list", min=0, options={"SKIP_SAVE"})

    @classmethod
    def poll(cls, context: Context) -> bool:
        if not len(context.scene.sapiens2.boxes):
            cls.poll_message_set("There is no box")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        boxes = context.scene.sapiens2.boxes
        if self.box >= len(boxes):
            return {"CANCELLED"}
        boxes.remove(self.box)
        return {"FINISHED"}


class SAPIENS2_OT_boxes_clear(Operator):
    """Forget the boxes: everybody in the photo is made"""

    bl_idname = "sapiens2.boxes_clear"
    bl_label = "Everybody"
    bl_options = {"UNDO"}

    def execute(self, context: Context) -> set[str]:
        context.scene.sapiens2.boxes.clear()
        return {"FINISHED"}


CLASSES = (SAPIENS2_OT_box_draw, SAPIENS2_OT_box_drag, SAPIENS2_OT_box_remove, SAPIENS2_OT_boxes_clear)
