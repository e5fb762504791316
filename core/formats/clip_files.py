"""The poses of a clip and the take made of them, on disk: small files, so that another smoothness needs no network again.

Each is one safetensors file, read with numpy alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..common.arrays import Pose
from ..common.errors import SapiensError
from ..motion.take import Take

POSES, TAKE = "sapiens2-clip-poses", "sapiens2-take"
_ARRAYS = ("positions", "confidence", "seen", "surface")
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
    from safetensors.numpy import save_file

    poses = [pose for frame in clip.frames for pose in frame]
    arrays = {name: np.array([getattr(pose, name) for pose in poses]) for name in _ARRAYS} if poses else {}
    arrays["frame"] = np.array([n for n, frame in enumerate(clip.frames) for _ in frame], np.int32)
    arrays["stature"] = np.array([pose.stature for pose in poses], np.float64)
    names = poses[0].names if poses else ()
    metadata = {
        "format": POSES,
        "fps": repr(clip.fps),
        "count": str(len(clip.frames)),
        "names": json.dumps(names),
        "notes": json.dumps(clip.notes),
    }
    save_file(arrays, path, metadata)
    return Path(path)


def load_clip_poses(path: str | Path) -> ClipPoses:
    """Read what `save_clip_poses` wrote. Raises SapiensError for any other file."""
    arrays, metadata = _read(path, POSES)
    names = tuple(json.loads(metadata["names"]))
    frames: list[list[Pose]] = [[] for _ in range(int(metadata["count"]))]
    for n, frame in enumerate(arrays["frame"].tolist()):
        values = {name: arrays[name][n] for name in _ARRAYS}
        frames[frame].append(Pose(names=names, stature=float(arrays["stature"][n]), **values))
    return ClipPoses(frames, float(metadata["fps"]), tuple(json.loads(metadata["notes"])))


def save_take(take: Take, path: str | Path) -> Path:
    """Write to `path`."""
    from safetensors.numpy import save_file

    arrays: dict[str, np.ndarray] = {}
    for f in fields(take):
        value = getattr(take, f.name)
        if isinstance(value, np.ndarray):
            arrays[f.name] = np.ascontiguousarray(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], np.ndarray):
            arrays |= {f"{f.name}.{n}": np.ascontiguousarray(part) for n, part in enumerate(value)}
    metadata = {"format": TAKE, **{name: json.dumps(getattr(take, name)) for name in _VALUES}}
    save_file(arrays, path, metadata)
    return Path(path)


def load_take(path: str | Path) -> Take:
    """Read what `save_take` wrote. Raises SapiensError for any other file."""
    arrays, metadata = _read(path, TAKE)
    values: dict[str, Any] = {name: array for name, array in arrays.items() if "." not in name}
    for name in sorted(name for name in arrays if "." in name):
        whole = name.split(".")[0]
        values[whole] = (*values.get(whole, ()), arrays[name])
    values |= {name: json.loads(metadata[name]) for name in _VALUES}
    values["notes"] = tuple(values["notes"])
    return Take(**values)


def _read(path: str | Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != kind:
                raise SapiensError(f"{Path(path).name} does not hold a clip's motion.", "Make it again from the clip.")
            return {key: file.get_tensor(key) for key in file.keys()}, metadata  # noqa: SIM118 (safe_open is no dict)
    except (SafetensorError, OSError) as error:
        raise SapiensError(f"{Path(path).name} could not be read: {error}.", "Make it again from the clip.") from error
