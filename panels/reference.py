"""The photo, and who in it is meant."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.types import Context, Panel

from .. import jobs, thumbnails
from .parts import paragraph
from .tab import AfterSetup

SAMPLE = Path(__file__).parents[1] / "data" / "sample_photo.jpg"


class SAPIENS2_PT_reference(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_reference"
    bl_label = "Reference"

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.sapiens2
        layout.enabled = jobs.current() is None
        column = layout.column()
        column.prop(settings, "photo", text="")
        row = column.row(align=True)
        row.prop(settings, "image", text="")
        row.operator("sapiens2.photo_from_image", text="", icon="IMPORT")
        row.operator("sapiens2.photo_from_clipboard", text="", icon="PASTEDOWN")
        if not settings.photo:
            paragraph(layout, "Choose the photo of a person, drop one on the viewport, or try the sample", "INFO")
            layout.operator("sapiens2.photo_open", text="Use Sample Photo", icon="USER").filepath = str(SAMPLE)
            return
        layout.template_icon(thumbnails.photo_icon(settings), scale=7.0)
        row = layout.row(align=True)
        row.operator("sapiens2.people_find", icon="VIEWZOOM")
        row.operator("sapiens2.box_draw", text="", icon="SELECT_SET")
        if settings.boxes:
            row.operator("sapiens2.boxes_clear", text="", icon="X")
            column = layout.column(align=True)
            for index, box in enumerate(settings.boxes):
                size = f"{box.x2 - box.x1:.0f} × {box.y2 - box.y1:.0f}"
                column.prop(box, "use", text=bpy.app.translations.pgettext_iface("Person") + f" {index + 1}, {size}")


CLASSES = (SAPIENS2_PT_reference,)
