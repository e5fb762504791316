"""The boxes of the people over the photo in the image editor: corners that resize, a middle that moves."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.types import Context, Gizmo, GizmoGroup

from ..scene.photo_editor import EditorFrame, editor_frame
from .handle import Colour, SAPIENS2_GT_handle, draw_shape, draw_words

PARTS = ("x1 y1", "x2 y1", "x1 y2", "x2 y2", "all")
"""What a handle of a box changes: the edges of a corner, or all of them."""
MOST = 24
USED: Colour = (0.25, 0.9, 0.45, 1.0)
LEFT_OUT: Colour = (0.6, 0.6, 0.6, 1.0)
drawn: tuple[float, float, float, float] | None = None
"""A box that is being drawn: two corners, pixels of the upright photo."""


def person_words(number: int) -> str:
    """What the person of a box is called, counted from 0."""
    return f"{bpy.app.translations.pgettext_iface('Person')} {number + 1}"


def frame_in(context: Context) -> EditorFrame | None:
    """The photo of the sidebar in the region of the context."""
    photo = context.scene.sapiens2.photo
    return editor_frame(context, Path(bpy.path.abspath(photo))) if photo else None


class SAPIENS2_GT_box_lines(Gizmo):
    """The outlines of the boxes, and who is in each."""

    bl_idname = "SAPIENS2_GT_box_lines"

    def draw(self, context: Context) -> None:
        frame = frame_in(context)
        if frame is None:
            return
        for number, box in enumerate(context.scene.sapiens2.boxes):
            colour = USED if box.use else LEFT_OUT
            _draw_box(frame, (box.x1, box.y1, box.x2, box.y2), colour)
            draw_words(person_words(number), frame.place(box.x1, box.y1))
        if drawn is not None:
            _draw_box(frame, drawn, USED)

    def test_select(self, _context: Context, _location: object) -> int:
        return -1


def _draw_box(frame: EditorFrame, box: tuple[float, float, float, float], colour: Colour) -> None:
    x1, y1, x2, y2 = box
    corners = [frame.place(x, y) for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1))]
    draw_shape("LINE_STRIP", corners, colour, 2.0)


class SAPIENS2_GGT_boxes(GizmoGroup):
    bl_idname = "SAPIENS2_GGT_boxes"
    bl_label = "People"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "WINDOW"
    bl_options = {"PERSISTENT", "SHOW_MODAL_ALL"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        return (bool(len(context.scene.sapiens2.boxes)) or drawn is not None) and frame_in(context) is not None

    def setup(self, _context: Context) -> None:
        self.targets = []
        for _ in range(MOST * len(PARTS)):
            handle = self.gizmos.new(SAPIENS2_GT_handle.bl_idname)
            handle.hide = True
            self.targets.append(handle.target_set_operator("sapiens2.box_drag"))
        self.gizmos.new(SAPIENS2_GT_box_lines.bl_idname).use_draw_modal = True

    def draw_prepare(self, context: Context) -> None:
        frame, boxes = frame_in(context), context.scene.sapiens2.boxes
        for index, target in enumerate(self.targets):
            number, part = index // len(PARTS), PARTS[index % len(PARTS)]
            handle = self.gizmos[index]
            handle.hide = frame is None or number >= len(boxes)
            if frame is None or number >= len(boxes):
                continue
            box = boxes[number]
            if part == "all":
                pixel = (box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2
            else:
                pixel = tuple(getattr(box, edge) for edge in part.split())
            handle.place, handle.tint = frame.place(*pixel), USED if box.use else LEFT_OUT
            target.box, target.part = number, part


CLASSES = (SAPIENS2_GT_box_lines, SAPIENS2_GGT_boxes)
