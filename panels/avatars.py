"""The avatars of the scene, and the one that every button of the tab acts on."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.types import Context, Panel, PropertyGroup, UILayout, UIList

from ..avatar_queries import active_predictions, avatars, is_beside
from .parts import paragraph
from .tab import AfterSetup


class SAPIENS2_UL_avatars(UIList):
    """All collections of the file, of which only those are drawn that are avatars of this scene."""

    bl_idname = "SAPIENS2_UL_avatars"

    def draw_item(
        self,
        _context: Context,
        layout: UILayout,
        _data: object,
        item: bpy.types.Collection,
        _icon: int,
        _active_data: object,
        _active_property: str,
    ) -> None:
        layout.prop(item, "name", text="", emboss=False, icon="OUTLINER_OB_ARMATURE")

    def filter_items(self, context: Context, data: object, property: str) -> tuple[list[int], list[int]]:
        shown = avatars(context)
        return [self.bitflag_filter_item if item in shown else 0 for item in getattr(data, property)], []


class SAPIENS2_PT_avatars(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_avatars"
    bl_label = "Avatars"

    @classmethod
    def poll(cls, context: Context) -> bool:
        return super().poll(context) and bool(avatars(context))

    def draw(self, context: Context) -> None:
        settings: PropertyGroup = context.scene.sapiens2
        row = self.layout.row()
        rows = min(max(len(avatars(context)), 1), 5)
        row.template_list(SAPIENS2_UL_avatars.bl_idname, "", bpy.data, "collections", settings, "avatar_row", rows=rows)
        row.operator("sapiens2.clear", text="", icon="TRASH")
        predictions = active_predictions(context)
        if not predictions:
            return
        if not Path(predictions).is_file():
            paragraph(self.layout, "What was seen in its photo is not there any more: find it to build the avatar again", "ERROR")
            self.layout.operator("sapiens2.find_predictions", icon="VIEWZOOM")
        elif not is_beside(predictions):
            self.layout.operator("sapiens2.keep_predictions", icon="FILE_TICK")


CLASSES = (SAPIENS2_UL_avatars, SAPIENS2_PT_avatars)
