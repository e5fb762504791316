"""Small pictures of what the network saw."""

from __future__ import annotations

from bpy.types import Context, Panel

from .. import thumbnails
from ..avatar_queries import active_predictions
from ..core.formats.previews import MAPS
from .parts import paragraph
from .tab import AfterSetup


class SAPIENS2_PT_maps(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_maps"
    bl_label = "Maps"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout = self.layout
        maps = thumbnails.maps(active_predictions(context))
        if not maps:
            paragraph(layout, "Make an avatar to see what was seen in the photo", "INFO")
            return
        grid = layout.grid_flow(row_major=True, columns=3, even_columns=True, align=True)
        for name in MAPS:
            if name in maps:
                column = grid.column(align=True)
                column.template_icon(thumbnails.icon(maps[name]), scale=4.2)
                column.operator("sapiens2.map_open", text=name.capitalize()).map = name


CLASSES = (SAPIENS2_PT_maps,)
