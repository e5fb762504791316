"""The one button, its progress and its outcome."""

from __future__ import annotations

import bpy
from bpy.types import Context, Panel

from .. import jobs
from ..avatar_queries import active_avatar
from ..properties import make_groups
from .parts import draw_error, is_about_now, paragraph, translated
from .presets import SAPIENS2_PT_presets
from .progress import IN_THEIR_PANELS, draw_job, step
from .tab import AfterSetup


def what_is_missing(settings: bpy.types.PropertyGroup) -> str:
    """Why the button would do nothing, empty where it would."""
    if not settings.photo:
        return "Choose a photo above first"
    if len(settings.boxes) and not any(box.use for box in settings.boxes):
        return "Tick a person above first"
    found = jobs.status.models.get(settings.network.model)
    if settings.network.model != "preview" and found is not None and not found.tasks:
        return "This model is not installed. Open Model above to get it, or choose Preview there"
    return ""


def what_it_makes(settings: bpy.types.PropertyGroup) -> str:
    """A sentence about what the button will make."""
    body = settings.make != "scan"
    scan = settings.make != "avatar"
    things = ["body", "clothes"] * body + ["scan", "textures"] * scan + ["rig"] * settings.rig.with_rig
    made = translated("{:s} and camera").format(", ".join(map(translated, things)))
    chosen = sum(box.use for box in settings.boxes)
    if len(settings.boxes) == 1:
        return translated("Makes {:s} of the person in the box").format(made)
    if chosen:
        return translated("Makes {:s} of {:d} of {:d} people").format(made, chosen, len(settings.boxes))
    return translated("Makes {:s} of everybody in the photo").format(made)


class SAPIENS2_PT_run(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_run"
    bl_label = "Run"

    def draw_header_preset(self, _context: Context) -> None:
        SAPIENS2_PT_presets.draw_panel_header(self.layout)

    def draw(self, context: Context) -> None:
        settings = context.scene.sapiens2
        make_groups(settings)
        if draw_job(self.layout, but=IN_THEIR_PANELS):
            return
        layout = step(self.layout)
        missing = what_is_missing(settings)
        column = layout.column()
        column.scale_y, column.enabled = 1.6, not missing
        column.operator("sapiens2.run", icon="PLAY")
        paragraph(layout, missing or what_it_makes(settings), "INFO" if missing else "NONE")
        layout.row(align=True).prop(settings, "make", expand=True)
        if active_avatar(context) is not None:  # else there is nothing to update
            layout.row(align=True).prop(settings, "place", expand=True)
        layout.prop(settings, "match_render")
        alone = context.space_data is not None and context.space_data.local_view is not None
        if alone or active_avatar(context) is not None:
            row = self.layout.row(align=True)
            row.operator("sapiens2.result_show", text="Show Everything" if alone else "Show Result", icon="ZOOM_SELECTED")
            if alone:
                row.prop(context.space_data.overlay, "show_bones", text="", icon="BONE_DATA")
        draw_error(self.layout)
        for note in jobs.status.notes if is_about_now() else ():
            paragraph(self.layout, note, "INFO")


CLASSES = (SAPIENS2_PT_run,)
