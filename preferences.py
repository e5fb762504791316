"""What belongs to the person at this computer and not to the .blend: folders, device, network."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import AddonPreferences, Context

from . import jobs
from .panels.parts import runtime_button
from .preference_values import DEVICES
from .weights.licence import SAPIENS2_LICENCE


def _restart(_preferences: SapiensPreferences, _context: Context) -> None:
    """The next job starts a worker with the preferences as they are now."""
    jobs.restart()


def _python_chosen(preferences: SapiensPreferences, context: Context) -> None:
    """Say at once when the chosen Python cannot be used."""
    _restart(preferences, context)
    jobs.check_python()


def _refresh(_preferences: SapiensPreferences, _context: Context) -> None:
    jobs.refresh()


class SapiensPreferences(AddonPreferences):
    bl_idname = str(__package__)

    python_path: StringProperty(
        name="Python",
        description="A Python 3.11 or newer of your studio with all that is needed; empty: the extension's own runtime",
        subtype="FILE_PATH",
        update=_python_chosen,
    )
    runtime_folder: StringProperty(
        name="Runtime",
        description="Where the runtime is installed, in a folder of its own; empty: beside the extension. "
        "Remove an installed runtime before you choose another folder",
        subtype="DIR_PATH",
        update=_restart,
    )
    models_folder: StringProperty(
        name="Models",
        description="Where weights are kept; empty: your folder for application data, which the command line uses too",
        subtype="DIR_PATH",
        update=_restart,
    )
    cache_folder: StringProperty(
        name="Predictions",
        description="Where predictions are kept; empty: beside the extension",
        subtype="DIR_PATH",
        update=_refresh,
    )
    device: EnumProperty(name="Device", description="What looks at the photos, unless a file asks for another", items=DEVICES)
    idle_minutes: FloatProperty(
        name="Free Memory (Minutes)",
        description="Minutes without work after which memory is given back; the next photo then takes a moment longer",
        default=5.0,
        min=0.1,
        soft_max=60.0,
        update=_restart,
    )
    allow_network: BoolProperty(
        name="Allow Downloads",
        description="Weights and the runtime may be downloaded when you click a download button; nothing is ever sent",
        default=True,
    )
    cache_gigabytes: IntProperty(
        name="Keep at Most (GB)",
        description="Gigabytes of stored predictions; the ones used longest ago are removed first, those of the open file never",
        default=5,
        min=1,
        soft_max=100,
    )

    def draw(self, _context: Context) -> None:
        translate = bpy.app.translations.pgettext_iface
        layout, status = self.layout, jobs.status
        layout.use_property_split = True
        layout.use_property_decorate = False
        row = layout.row()
        row.label(text="Sapiens2 is a tab in the sidebar of the 3D view (press N there)", icon="INFO")
        row.operator("sapiens2.tab_open", text="Open the Tab")
        layout.label(text="Runtime")
        column = layout.column()
        row = column.row(align=True)
        row.enabled = jobs.chosen_python() is None
        icon = "CHECKMARK" if row.enabled and status.python is not None else "IMPORT"
        row.operator("sapiens2.runtime_install", text=runtime_button(), icon=icon)
        row.operator("sapiens2.runtime_remove", text="", icon="TRASH")
        column.prop(self, "python_path", placeholder="The extension's own")
        problem = status.python_problem or (status.error if status.error and status.error.remedy == "preferences" else None)
        if problem is not None:
            alert = column.column(align=True)
            alert.alert = True
            alert.label(text=problem.message, icon="ERROR", translate=False)
            alert.label(text=problem.hint, icon="BLANK1", translate=False)
        column.prop(self, "idle_minutes")
        column.prop(self, "device")
        layout.label(text="Folders")
        column = layout.column()
        column.prop(self, "runtime_folder", placeholder="Beside the extension")
        column.prop(self, "models_folder", placeholder="Your folder for application data")
        column.prop(self, "cache_folder", placeholder="Beside the extension")
        row = column.row(align=True)
        row.prop(self, "cache_gigabytes")
        sub = row.row(align=True)
        sub.enabled = status.cache_bytes > 0
        text = (
            translate("Delete {:.1f} GB").format(status.cache_bytes / 1e9) if status.cache_bytes else translate("Nothing stored")
        )
        sub.operator("sapiens2.cache_clear", text=text, icon="TRASH", translate=False)
        layout.label(text="Internet")
        layout.prop(self, "allow_network")
        row = layout.row(align=True)
        row.operator("sapiens2.report_copy", icon="COPYDOWN")
        row.operator("sapiens2.log_open", icon="TEXT")
        row.operator("wm.url_open", text="License of the Weights", icon="URL").url = SAPIENS2_LICENCE.url


CLASSES = (SapiensPreferences,)
