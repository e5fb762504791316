"""A pose on disk: how the worker hands it to Blender. One safetensors file, read with numpy alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..common.arrays import Pose
from ..common.errors import SapiensError

FORMAT = "sapiens2-pose"
ARRAYS = ("positions", "confidence", "seen", "surface")


def save_pose(pose: Pose, path: str | Path) -> Path:
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(getattr(pose, name)) for name in ARRAYS}
    said = {"names": json.dumps(pose.names), "stature": repr(float(pose.stature)), "doubt": pose.doubt}
    save_file(arrays, path, {"format": FORMAT, **said})
    return Path(path)


def load_pose(path: str | Path) -> Pose:
    """Read what `save_pose` wrote. Raises SapiensError for any other file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise SapiensError(f"{Path(path).name} does not hold a pose.", "Make the pose again from its predictions.")
            arrays = {name: file.get_tensor(name) for name in ARRAYS}
    except (SafetensorError, OSError) as error:
        raise SapiensError(f"{Path(path).name} could not be read: {error}.", "Make the pose again.") from error
    names, stature = tuple(json.loads(metadata["names"])), float(metadata["stature"])
    return Pose(names=names, stature=stature, doubt=metadata["doubt"], **arrays)
