"""Names: keypoints, body parts, joints. The tables live in data/; this module reads them once."""

import json
from functools import cache
from pathlib import Path

import numpy as np

DATA = Path(__file__).parent.parent / "data"


@cache
def keypoint_names() -> tuple[str, ...]:
    """The 308 keypoint names, by index."""
    return tuple(k["name"] for k in json.loads((DATA / "keypoints308.json").read_text("utf-8"))["keypoints"])


@cache
def keypoint_index(name: str) -> int:
    """Index of a keypoint by name; ValueError for an unknown one."""
    return keypoint_names().index(name)


@cache
def keypoint_swap() -> np.ndarray:
    """(308,) int64: the index that each keypoint has in the mirrored photo."""
    return np.array([k["swap"] for k in json.loads((DATA / "keypoints308.json").read_text("utf-8"))["keypoints"]])


@cache
def part_names() -> tuple[str, ...]:
    """The 29 class names, by label."""
    return tuple(c["name"] for c in json.loads((DATA / "seg29.json").read_text("utf-8"))["classes"])


@cache
def part_swap() -> np.ndarray:
    """(29,) uint8: the label that each class has in the mirrored photo."""
    return np.array([c["swap"] for c in json.loads((DATA / "seg29.json").read_text("utf-8"))["classes"]], np.uint8)


@cache
def part_colours() -> np.ndarray:
    """(29, 3) uint8 sRGB: the display colour of each class."""
    return np.array([c["color"] for c in json.loads((DATA / "seg29.json").read_text("utf-8"))["classes"]], np.uint8)


def part_labels(*names: str) -> np.ndarray:
    """(n,) uint8 labels of the named classes."""
    return np.array([part_names().index(n) for n in names], np.uint8)
