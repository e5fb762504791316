"""Inputs that hold predictions already: files of ours, and outputs of Meta's demo scripts, which need their photo beside them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ..capture.photo import read_photo
from ..common.errors import SapiensError
from ..common.predictions import Predictions
from .import_groups import DEMO, OURS, Group, group_files
from .meta_demo import predictions_from_demo

CONTENT = re.compile("-[0-9a-f]{16}$")
"""What the name of stored predictions has after that of their photo: a part of the hash of what they were made of."""


def is_demo(path: Path) -> bool:
    """Whether a file can be an output of the demo scripts."""
    return path.suffix.lower() in DEMO


def is_stored(path: Path) -> bool:
    """Whether the network has nothing to do for this file."""
    return path.suffix.lower() == OURS or is_demo(path)


def demo_group(path: Path) -> Group:
    """The photo that a demo output is about, with all that the scripts wrote for it beside.
    Raises SapiensError unless it is one."""
    if not path.is_file():
        raise SapiensError(f"{path} is no file.", "Check the name.")
    groups, problems = group_files([path])
    if problems or not groups:
        raise problems[0] if problems else SapiensError(f"{path.name} is about no photo.", "Choose another file.")
    if len(groups) > 1:
        raise SapiensError(
            f"{path.name} is about {len(groups)} photos.",
            "Give the .npy or .ply files of the photos: this one is found beside them.",
        )
    return groups[0]


def load_stored(path: Path) -> Predictions:
    """Predictions of a file of ours or of a demo output. Raises SapiensError."""
    if not is_demo(path):
        return Predictions.load(path)
    group = demo_group(path)
    assert group.photo is not None  # of every group of demo outputs
    return predictions_from_demo(group.photo, group.files)


def load_named(paths: Iterable[Path]) -> dict[str, Predictions]:
    """Predictions files by the names of their photos, told apart by a number where several have one name."""
    out: dict[str, Predictions] = {}
    for path in paths:
        photo = CONTENT.sub("", path.stem)
        name, count = photo, 2
        while name in out:
            name, count = f"{photo} {count}", count + 1
        out[name] = Predictions.load(path)
    return out


def focal_of(path: Path) -> float | None:
    """Focal length for 35 mm film that the photo of an input states, millimetres; None for predictions and photos without it."""
    photo = demo_group(path).photo if is_demo(path) else None if is_stored(path) else path
    if photo is None:
        return None
    return read_photo(photo).focal_35mm
