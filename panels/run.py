"""The one button, its progress and its outcome."""

from __future__ import annotations

import bpy
from bpy.types import Context, Panel, UILayout

from .. import jobs
from ..avatar_queries import active_avatar
from ..properties import make_groups
from .parts import is_about_now, paragraph, shown_error, translated
from .presets import SAPIENS2_PT_presets
from .progress import IN_THEIR_PANELS, draw_job, draw_run_error, step
from .tab import AfterSetup

LOOKING = ("sapiens2.run", "sapiens2.people_find", "sapiens2.add_avatar")
"""Operators that let the model look at a photo."""


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


def _offer_better(layout: UILayout, settings: bpy.types.PropertyGroup) -> None:
    """What sees more than the built-in model, where that could not do a photo: how large it is, and where to get it."""
    error = shown_error()
    if error is None or error.remedy or jobs.status.detail or jobs.status.failed not in LOOKING:
        return
    if settings.network.model != "preview":
        return
    sizes = [found.missing_bytes for found in jobs.status.models.values() if found.missing_bytes]
    if any(found.tasks for found in jobs.status.models.values()) or not sizes:
        paragraph(layout, "Sapiens2 sees more than Preview: choose it in Model above", "INFO")
        return
    words = "Sapiens2 sees more than Preview: get it in Model above, from {:.1f} GB on, with a license of its own"
    paragraph(layout, translated(words).format(min(sizes) / 1e9), "INFO")


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
        draw_run_error(self.layout)
        _offer_better(self.layout, settings)
        for note in jobs.status.notes if is_about_now() else ():
            paragraph(self.layout, note, "INFO")


CLASSES = (SAPIENS2_PT_run,)
