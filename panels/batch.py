"""A folder of photos at once."""

from __future__ import annotations

from bpy.types import Context, Panel

from .. import jobs
from .parts import paragraph
from .tab import AfterSetup


class SAPIENS2_PT_batch(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_batch"
    bl_label = "Batch"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.sapiens2
        layout.enabled = jobs.current() is None
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(settings, "batch_folder")
        column.prop(settings, "batch_output")
        paragraph(layout, "Runs the network on each photo of the folder. Import the results with File > Import.")
        layout.operator("sapiens2.batch", icon="FILE_FOLDER")


CLASSES = (SAPIENS2_PT_batch,)
