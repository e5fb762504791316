"""`doctor`: what this machine can do, and what is missing."""

from __future__ import annotations

import importlib.util
import platform
import sys
from argparse import ArgumentParser, Namespace
from importlib.metadata import PackageNotFoundError, version

from ..core.common.version import VERSION
from ..runtime.memory import total_memory
from .console import Console

LIBRARIES = ("numpy", "scipy", "opencv-python-headless", "pillow", "safetensors", "huggingface-hub", "torch", "timm", "av", "ray")


HELP = "What this machine can do, and what is missing."


def add_arguments(_parser: ArgumentParser) -> None:
    """It takes no argument of its own."""


def run(_options: Namespace, console: Console) -> None:
    report = {
        "sapiens2_avatar": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: _version_of(name) for name in LIBRARIES},
        "blender": _blender(),
        "devices": _devices(),
        "memory_gb": total_memory() / 1e9 or None,
        "models": _models(),
    }
    console.record(**report)
    if console.as_json:
        return
    write = sys.stdout.write
    write(f"Sapiens2 Avatar {VERSION}, Python {report['python']}, {report['platform']}\n")
    write(f"Blender: {report['blender'] or 'not in this Python'}\n")
    write(f"Memory: {report['memory_gb']:.1f} GB\n" if report["memory_gb"] else "")
    write("Devices: " + (", ".join(report["devices"]) or "none, the network cannot run: install sapiens2-avatar[predict]") + "\n")
    for name, found in report["libraries"].items():
        write(f"  {name:24} {found or 'missing'}\n")
    for model, tasks in report["models"].items():
        write(f"  model {model:18} {', '.join(tasks) if tasks else 'not installed'}\n")


def _version_of(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _blender() -> str | None:
    if importlib.util.find_spec("bpy") is None:
        return None
    try:
        import bpy
    except ImportError as error:  # installed, but a library of the system is missing
        return f"broken: {error}"
    return bpy.app.version_string


def _devices() -> list[str]:
    """Devices that the network can run on, best first."""
    if importlib.util.find_spec("torch") is None:
        return []
    from ..infer.devices import available_devices

    return [str(device) for device in available_devices()]


def _models() -> dict[str, list[str]]:
    """Model id -> tasks whose weights are on this machine."""
    from ..weights.catalogue import list_models

    installed: dict[str, list[str]] = {}
    for row in list_models():
        installed.setdefault(row.model, [])
        if row.path is not None:
            installed[row.model].append(row.task)
    return installed
