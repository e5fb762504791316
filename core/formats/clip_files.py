"""The poses of a clip and the take made of them, on disk: small files, so that another smoothness needs no network again.

Each is a container (`core.common.containers`), read with numpy alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..common.arrays import Pose
from ..common.containers import Format, fitting, read_container, write_container
from ..motion.take import Take
from .pose_file import ARRAYS as _ARRAYS

POSES = Format("sapiens2-clip-poses", 1, "the poses of a clip", "Make it again from the clip.")
TAKE = Format("sapiens2-take", 1, "a clip's motion", "Make it again from the clip.")
_VALUES = ("fps", "notes", "locked", "fullest", "person", "people")
"""Of a take: what is no array."""


@dataclass(frozen=True, eq=False)
class ClipPoses:
    """Everybody's pose in each frame of a clip, camera space.

    frames  a list of poses for each frame, empty where nobody was found
    fps     frames per second
    notes   sentences for the artist
    """

    frames: Sequence[Sequence[Pose]]
    fps: float
    notes: tuple[str, ...] = ()


def save_clip_poses(clip: ClipPoses, path: str | Path) -> Path:
    """Write to `path`."""
    poses = [pose for frame in clip.frames for pose in frame]
    arrays = {name: np.array([getattr(pose, name) for pose in poses]) for name in _ARRAYS} if poses else {}
    arrays["frame"] = np.array([n for n, frame in enumerate(clip.frames) for _ in frame], np.int32)
    arrays["stature"] = np.array([pose.stature for pose in poses], np.float64)
    names = poses[0].names if poses else ()
    strings = {
        "fps": repr(clip.fps),
        "count": str(len(clip.frames)),
        "names": json.dumps(names),
        "notes": json.dumps(clip.notes),
    }
    return write_container(path, POSES, arrays, strings)


def load_clip_poses(path: str | Path) -> ClipPoses:
    """Read what `save_clip_poses` wrote. Raises SapiensError for any other file."""
    read = read_container(path, POSES)
    arrays, strings = read.arrays, read.strings
    with fitting(path, POSES):
        names = tuple(json.loads(strings["names"]))
        frames: list[list[Pose]] = [[] for _ in range(int(strings["count"]))]
        for n, frame in enumerate(arrays["frame"].tolist()):
            values = {name: arrays[name][n] for name in _ARRAYS}
            frames[frame].append(Pose(names=names, stature=float(arrays["stature"][n]), **values))
        return ClipPoses(frames, float(strings["fps"]), tuple(json.loads(strings["notes"])))


def save_take(take: Take, path: str | Path) -> Path:
    """Write to `path`."""
    arrays: dict[str, np.ndarray] = {}
    for f in fields(take):
        value = getattr(take, f.name)
        if isinstance(value, np.ndarray):
            arrays[f.name] = value
        elif isinstance(value, tuple) and value and isinstance(value[0], np.ndarray):
            arrays |= {f"{f.name}.{n}": part for n, part in enumerate(value)}
    return write_container(path, TAKE, arrays, {name: json.dumps(getattr(take, name)) for name in _VALUES})


def load_take(path: str | Path) -> Take:
    """Read what `save_take` wrote. Raises SapiensError for any other file."""
    read = read_container(path, TAKE)
    with fitting(path, TAKE):
        values: dict[str, Any] = {name: array for name, array in read.arrays.items() if "." not in name}
        for name in sorted(name for name in read.arrays if "." in name):
            whole = name.split(".")[0]
            values[whole] = (*values.get(whole, ()), read.arrays[name])
        values |= {name: json.loads(read.strings[name]) for name in _VALUES}
        values["notes"] = tuple(values["notes"])
        return Take(**values)
