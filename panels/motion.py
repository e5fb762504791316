"""A clip onto an armature."""

from __future__ import annotations

from bpy.types import Context, Panel

from ..setting_properties import draw_or_automatic
from .parts import paragraph
from .progress import draw_outcome, step
from .tab import AfterSetup


class SAPIENS2_PT_motion(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_motion"
    bl_label = "Motion"
    bl_parent_id = "SAPIENS2_PT_retarget"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = step(self.layout), context.scene.sapiens2.motion
        layout.prop(settings, "clip", text="", placeholder="Clip")
        if not settings.clip:
            paragraph(layout, "Choose a video, or a folder of pictures", "INFO")
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(settings, "smoothness", slider=True)
        row = column.column(align=True)
        row.prop(settings, "start")
        draw_or_automatic(row, settings, "end", settings.start + 5.0)
        column.prop(settings, "fps")
        column.prop(settings, "person")
        column.prop(settings, "lock_feet")
        column.prop(settings, "keep_raw")
        column.prop(settings, "at_cursor")
        row = layout.row()
        row.scale_y = 1.3
        row.operator("sapiens2.animate", icon="ARMATURE_DATA")
        layout.operator("sapiens2.import_motion", text="Import Keypoints or BVH", icon="IMPORT")
        draw_outcome(self.layout, "sapiens2.animate", "sapiens2.import_motion")


CLASSES = (SAPIENS2_PT_motion,)
