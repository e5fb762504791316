"""What belongs to the person at this computer and not to the .blend: folders, device, network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy.types import AddonPreferences, Context

DEVICES = (
    ("auto", "Automatic", "The fastest device that this computer has"),
    ("cpu", "CPU", "Slow but always there, and uses main memory"),
    ("cuda", "CUDA or ROCm", "A graphics card by NVIDIA or AMD"),
    ("mps", "Metal", "The graphics processor of an Apple computer"),
    ("xpu", "XPU", "A graphics card by Intel"),
)


@dataclass(frozen=True)
class Defaults:
    """The preferences where the package runs without being installed as an extension: a script, a test."""

    python_path: str = ""
    models_folder: str = ""
    cache_folder: str = ""
    device: str = "auto"
    idle_minutes: float = 5.0
    allow_network: bool = True
    cache_gigabytes: int = 5


def _interpreter_changed(_preferences: SapiensPreferences, _context: Context) -> None:
    from . import jobs

    jobs.restart()


class SapiensPreferences(AddonPreferences):
    bl_idname = __package__

    python_path: StringProperty(
        name="Python",
        description="A Python 3.11 or newer that has torch and the other packages already; empty: the extension's own runtime",
        subtype="FILE_PATH",
        update=_interpreter_changed,
    )
    models_folder: StringProperty(
        name="Models",
        description="Where weights are kept; empty: a folder of the extension",
        subtype="DIR_PATH",
        update=_interpreter_changed,
    )
    cache_folder: StringProperty(
        name="Predictions", description="Where predictions are kept; empty: a folder of the extension", subtype="DIR_PATH"
    )
    device: EnumProperty(name="Device", description="What the network runs on unless a file asks for another", items=DEVICES)
    idle_minutes: FloatProperty(
        name="Keep Worker For",
        description="Minutes without work after which the worker process leaves and gives its memory back",
        default=5.0,
        min=0.1,
        soft_max=60.0,
    )
    allow_network: BoolProperty(
        name="Allow Downloads",
        description="Weights and the runtime may be downloaded when you click a download button; nothing is ever sent",
        default=True,
    )
    cache_gigabytes: IntProperty(
        name="Keep at Most",
        description="Gigabytes of stored predictions; the ones used longest ago are removed first",
        default=5,
        min=1,
        soft_max=100,
    )

    def draw(self, _context: Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(heading="Runtime")
        column.prop(self, "python_path")
        row = column.row(align=True)
        row.operator("sapiens2.runtime_install")
        row.operator("sapiens2.runtime_remove", text="", icon="TRASH")
        column.prop(self, "idle_minutes")
        column.prop(self, "device")
        column = layout.column(heading="Folders")
        column.prop(self, "models_folder")
        column.prop(self, "cache_folder")
        row = column.row(align=True)
        row.prop(self, "cache_gigabytes")
        row.operator("sapiens2.cache_clear", text="", icon="TRASH")
        layout.prop(self, "allow_network")
        row = layout.row(align=True)
        row.operator("sapiens2.report_copy", icon="COPYDOWN")
        row.operator("sapiens2.log_open", icon="TEXT")
        row.operator("wm.url_open", text="License of the Weights", icon="URL").url = LICENSE_URL


LICENSE_URL = "https://github.com/facebookresearch/sapiens2/blob/main/LICENSE.md"


def current() -> SapiensPreferences | Defaults:
    """The preferences of the installed extension, else the defaults."""
    addon = bpy.context.preferences.addons.get(__package__)
    return addon.preferences if addon is not None and addon.preferences is not None else Defaults()


def user_folder(*parts: str) -> Path:
    """A folder that the extension may write to, made if need be; it survives updates of the extension."""
    path = "/".join(parts)
    try:
        return Path(bpy.utils.extension_path_user(__package__, path=path, create=True))
    except ValueError:  # not installed as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path="/".join(("sapiens2_avatar", *parts)), create=True))


def cache_folder() -> Path:
    chosen = current().cache_folder
    folder = Path(bpy.path.abspath(chosen)) if chosen else user_folder("predictions")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


CLASSES = (SapiensPreferences,)
