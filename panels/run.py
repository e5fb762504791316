"""The one button, its progress and its outcome."""

from __future__ import annotations

from bpy.types import Context, Panel

from .. import jobs
from .parts import draw_error, draw_job, paragraph
from .tab import AfterSetup


class SAPIENS2_PT_run(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_run"
    bl_label = "Run"

    def draw(self, context: Context) -> None:
        layout, settings = self.layout, context.scene.sapiens2
        if draw_job(layout):
            return
        column = layout.column()
        column.scale_y = 1.6
        column.operator("sapiens2.run", icon="PLAY")
        row = layout.row(align=True)
        row.prop(settings, "place", expand=True)
        layout.prop(settings, "match_render")
        draw_error(layout)
        for note in jobs.status.notes:
            paragraph(layout, note, "INFO")


CLASSES = (SAPIENS2_PT_run,)
