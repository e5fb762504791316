"""A folder of photos at once."""

from __future__ import annotations

import bpy
from bpy.types import Context, Panel

from .parts import paragraph
from .progress import draw_outcome, step
from .tab import AfterSetup


class SAPIENS2_PT_batch(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_batch"
    bl_label = "Batch"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout, settings = step(self.layout), context.scene.sapiens2.batch
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(settings, "folder")
        column.prop(settings, "output")
        makes = column.row(heading="Make")
        makes.prop(settings, "blend")
        makes.prop(settings, "picture")
        column.prop(settings, "export")
        column.prop(settings, "retry")
        paragraph(layout, "Makes each photo of the folder with the settings above. Run it again to go on where it stopped.")
        layout.operator("sapiens2.batch", icon="FILE_FOLDER")
        draw_outcome(self.layout, "sapiens2.batch", "sapiens2.batch_gather")
        if not settings.output:
            return
        row = step(self.layout).row(align=True)
        row.operator("wm.path_open", text="Open Results", icon="FILEBROWSER").filepath = bpy.path.abspath(settings.output)
        row.operator("sapiens2.batch_gather", text="Bring into Scene", icon="OUTLINER_COLLECTION")


CLASSES = (SAPIENS2_PT_batch,)
