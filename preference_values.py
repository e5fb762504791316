"""The preferences as values: those of the installed extension, else the defaults. `preferences` draws and keeps them."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
from bpy.types import PropertyGroup

from .infer import settings as infer

DEVICES = tuple((str(choice.value), choice.label, choice.description) for choice in infer.DEVICES)


@dataclass(frozen=True)
class Defaults:
    """The preferences where the package runs without being installed as an extension: a script, a test."""

    python_path: str = ""
    models_folder: str = ""
    cache_folder: str = ""
    runtime_folder: str = ""
    device: str = "auto"
    idle_minutes: float = 5.0
    allow_network: bool = True
    cache_gigabytes: int = 5


def current() -> Defaults:
    """The preferences of the installed extension, else the defaults."""
    addon = bpy.context.preferences.addons.get(__package__)
    return addon.preferences if addon is not None and addon.preferences is not None else Defaults()


def device_for(settings: PropertyGroup) -> str:
    """The device that the settings of a scene ask for; where they leave it to the preferences, that of these."""
    return current().device if settings.network.device == "default" else settings.network.device
