"""The photo, and who in it is meant."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.types import Context, Panel, PropertyGroup, UILayout, UIList

from .. import thumbnails
from .parts import paragraph
from .progress import draw_outcome, step
from .tab import AfterSetup

USED = "Used"
"""What `SapiensPhoto.gave` says of a photo that the avatar was made with."""
SAMPLE = Path(__file__).parents[1] / "data" / "sample_photo.jpg"


class SAPIENS2_PT_reference(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_reference"
    bl_label = "Reference"

    def draw(self, context: Context) -> None:
        layout, settings = step(self.layout), context.scene.sapiens2
        column = layout.column()
        row = column.row(align=True)
        row.prop(settings, "photo", text="", placeholder="Photo")
        row.operator("sapiens2.photo_open", text="", icon="FILE_FOLDER")
        row = column.row(align=True)
        row.prop(settings, "image", text="")
        row.operator("sapiens2.photo_from_image", text="", icon="IMPORT")
        row.operator("sapiens2.photo_from_clipboard", text="", icon="PASTEDOWN")
        if not settings.photo:
            paragraph(layout, "Choose the photo of a person, drop one on the viewport, or try the sample", "INFO")
            layout.operator("sapiens2.add_avatar", text="Try the Sample Photo", icon="USER").filepath = str(SAMPLE)
            draw_outcome(self.layout, "sapiens2.people_find")
            return
        layout.template_icon(thumbnails.photo_icon(settings), scale=7.0)
        draw_more(layout, settings)
        row = layout.row(align=True)
        row.operator("sapiens2.people_find", icon="VIEWZOOM")
        row.operator("sapiens2.box_draw", text="", icon="SELECT_SET")
        if settings.boxes:
            row.operator("sapiens2.boxes_clear", text="", icon="X")
            column = layout.column(align=True)
            for number, box in enumerate(settings.boxes):
                person = column.row(align=True)
                person.template_icon(thumbnails.person_icon(settings, number), scale=2.0)
                person.prop(box, "use", text=f"{bpy.app.translations.pgettext_iface('Person')} {number + 1}", translate=False)
                person.operator("sapiens2.box_remove", text="", icon="X", emboss=False).box = number
        draw_outcome(self.layout, "sapiens2.people_find")


def draw_more(layout: UILayout, settings: bpy.types.PropertyGroup) -> None:
    """Other photos of the same person."""
    if not settings.more_photos:
        layout.operator("sapiens2.photos_add", text="More Photos of This Person", icon="ADD")
        return
    row = layout.row()
    row.template_list("SAPIENS2_UL_photos", "", settings, "more_photos", settings, "more_row", rows=2)
    buttons = row.column(align=True)
    buttons.operator("sapiens2.photos_add", text="", icon="ADD")
    buttons.operator("sapiens2.photos_remove", text="", icon="REMOVE")
    gave = settings.more_photos[min(settings.more_row, len(settings.more_photos) - 1)].gave
    if gave not in ("", USED):
        paragraph(layout, bpy.app.translations.pgettext_iface("Left out: {:s}").format(gave), "ERROR")


class SAPIENS2_UL_photos(UIList):
    """Photos with their thumbnails; one that is not there any more is marked."""

    bl_idname = "SAPIENS2_UL_photos"

    def draw_item(
        self,
        _context: Context,
        layout: UILayout,
        _data: PropertyGroup,
        item: PropertyGroup,
        _icon: int,
        _active_data: PropertyGroup,
        _active_property: str,
        _index: int,
        _flags: int,
    ) -> None:
        path = Path(bpy.path.abspath(item.path))
        row = layout.row()
        if path.is_file():
            row.template_icon(thumbnails.icon(path), scale=2.0)
        row.label(text=path.name, icon="NONE" if path.is_file() else "ERROR", translate=False)
        if item.gave:
            row.label(text="", icon="CHECKMARK" if item.gave == USED else "X")


CLASSES = (SAPIENS2_UL_photos, SAPIENS2_PT_reference)
