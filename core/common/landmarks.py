"""Names: keypoints, body parts, joints. The tables live in data/; this module reads them once."""

import json
from functools import cache
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[2] / "data"


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


HEAD_PARTS = ("Face_Neck", "Hair", "Eyeglass", "Lower_Lip", "Upper_Lip", "Lower_Teeth", "Upper_Teeth", "Tongue")
"""The classes of the head, the neck among them."""
CLOTH_PARTS = ("Apparel", "Upper_Clothing", "Lower_Clothing")
"""The classes of cloth: it hangs loose, covers skin and opens to its inside. Shoes and socks fit closely."""


def part_labels(*names: str) -> np.ndarray:
    """(n,) uint8 labels of the named classes."""
    return np.array([part_names().index(n) for n in names], np.uint8)


SIDES = ("left", "right")
FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")


def finger_joints(side: str, finger: str) -> tuple[str, str, str, str]:
    """Keypoint names of a finger from its base to its tip: thumb CMC MCP IP tip, others MCP PIP DIP tip."""
    return (f"{side}_{finger}_third_joint", f"{side}_{finger}2", f"{side}_{finger}3", f"{side}_{finger}4")


def _joint_names() -> tuple[str, ...]:
    limbs = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "big_toe", "small_toe", "heel", "eye", "clavicle")
    sided = tuple(
        name
        for side in SIDES
        for name in (*(f"{side}_{limb}" for limb in limbs), *(j for finger in FINGERS for j in finger_joints(side, finger)))
    )
    return ("pelvis", "spine", "chest", "neck", "head", "head_top", *sided)


JOINT_NAMES: tuple[str, ...] = _joint_names()
"""The 68 joints of a `Pose`. All but pelvis, spine, chest, head, head_top and the clavicles are keypoints of the same name."""


@cache
def joint_index(name: str) -> int:
    """Index in JOINT_NAMES; ValueError for an unknown one."""
    return JOINT_NAMES.index(name)


@cache
def joint_keypoints() -> np.ndarray:
    """(68,) int64: the keypoint that shows each joint, -1 for a joint that no keypoint shows."""
    return np.array([keypoint_names().index(n) if n in keypoint_names() else -1 for n in JOINT_NAMES])


@cache
def joint_swap() -> np.ndarray:
    """(68,) int64: the index that each joint has in the mirrored photo."""
    swapped = {"left": "right", "right": "left"}
    other = [n.replace(n.split("_")[0], swapped.get(n.split("_")[0], n.split("_")[0]), 1) for n in JOINT_NAMES]
    return np.array([JOINT_NAMES.index(n) for n in other])
