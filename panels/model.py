"""The network: which one, on what, and what of it is installed."""

from __future__ import annotations

import bpy
from bpy.types import Context, Panel

from .. import jobs, preference_values
from ..weights.licence import SAPIENS2_LICENCE
from .parts import draw_remedy, paragraph, translated
from .progress import draw_outcome, step
from .tab import AfterSetup

WORDS = {"seg": "parts", "pointmap": "depth"}
"""Tasks of the network whose maps have another name in the sidebar."""
NETWORK_MEMORY, PROGRAM_MEMORY = 1.3, 1.5e9
"""Memory of a checkpoint at work: a multiple of its file, and bytes for the libraries and the maps. Measured for depth with 0.4B,
2.2 GB of weights in 32 bits: 4.3 GB."""


class SAPIENS2_PT_model(AfterSetup, Panel):
    bl_idname = "SAPIENS2_PT_model"
    bl_label = "Model"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: Context) -> None:
        network = context.scene.sapiens2.network
        self.layout.label(text=network.bl_rna.properties["model"].enum_items[network.model].name)

    def draw(self, context: Context) -> None:
        layout, settings = step(self.layout), context.scene.sapiens2
        layout.prop(settings.network, "model", text="")
        if settings.network.model == "preview":
            paragraph(layout, "Rough, for a first look. Choose Sapiens2 above for what the photo really shows", "INFO")
        else:
            _draw_network(layout, settings)
        draw_outcome(self.layout, "sapiens2.model_download", "sapiens2.model_import")


def _draw_network(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """What is installed of a network, and how it looks; the preview has nothing of this."""
    found = jobs.status.models.get(settings.network.model)
    if found is not None:
        _draw_weights(layout, found, preference_values.device_for(settings))
    column = layout.column()
    column.use_property_split, column.use_property_decorate = True, False
    column.prop(settings.network, "device")
    column.prop(settings.network, "precision")
    column.prop(settings.network, "flip_test")
    column.prop(settings.network, "draft")
    layout.operator("wm.url_open", text="License of Sapiens2", icon="URL").url = SAPIENS2_LICENCE.url


def _names(tasks: tuple[str, ...]) -> str:
    return ", ".join(translated(WORDS.get(task, task)) for task in tasks)


def _draw_weights(layout: bpy.types.UILayout, found: jobs.Installed, device: str) -> None:
    translate = bpy.app.translations.pgettext_iface
    if found.tasks:
        paragraph(layout, translate("Installed: {:s}").format(_names(found.tasks)), "CHECKMARK")
    if found.missing:
        paragraph(layout, translate("Missing: {:s}").format(_names(found.missing)), "ERROR")
        row = layout.row(align=True)
        row.operator(
            "sapiens2.model_download", text=translate("Download {:.1f} GB").format(found.missing_bytes / 1e9), icon="IMPORT"
        )
        row.operator("sapiens2.model_import", text="", icon="FILE_FOLDER")
        if not bpy.app.online_access:
            draw_remedy(layout, "network")
    column = layout.column()
    card, memory = jobs.memory_for(device)
    if memory:
        needed = NETWORK_MEMORY * found.largest + PROGRAM_MEMORY
        column.alert = needed > memory
        owner = card or translate("this computer")
        text = translate("Needs {:.0f} GB, {:s} has {:.0f} GB").format(needed / 1e9, owner, memory / 1e9)
        paragraph(column, text, "ERROR" if column.alert else "NONE")


CLASSES = (SAPIENS2_PT_model,)
