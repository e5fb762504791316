"""A pose on disk: how the worker hands it to Blender, and what `sapiens2 pose` keeps. A container, read with numpy alone."""

from __future__ import annotations

import json
from pathlib import Path

from ..common.arrays import Pose
from ..common.containers import Format, fitting, read_container, write_container

FILE = Format("sapiens2-pose", 1, "a pose", "Make the pose again from its predictions.")
ARRAYS = ("positions", "confidence", "seen", "surface")
"""Of a pose: what is stored as arrays."""


def save_pose(pose: Pose, path: str | Path) -> Path:
    """Write to `path`, whole or not at all."""
    strings = {"names": json.dumps(pose.names), "stature": repr(float(pose.stature)), "doubt": pose.doubt}
    return write_container(path, FILE, {name: getattr(pose, name) for name in ARRAYS}, strings)


def load_pose(path: str | Path) -> Pose:
    """Read what `save_pose` wrote. Raises SapiensError for any other file."""
    read = read_container(path, FILE)
    with fitting(path, FILE):
        return Pose(
            names=tuple(json.loads(read.strings["names"])),
            stature=float(read.strings["stature"]),
            doubt=read.strings["doubt"],
            **{name: read.arrays[name] for name in ARRAYS},
        )
