"""How people are built: segment lengths as shares of stature, how much they vary, and the stature that lengths suggest.

Mean lengths are those of the mean standing person (`core.pose.anatomy.template_joints`); how much they vary between adults was
measured over 300 adults of Anny's shape space (CC0 MakeHuman), stature 1.5 to 2.2 m, both sexes, and is rounded up here because
real people vary more than a model of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.landmarks import FINGERS, JOINT_NAMES, SIDES, finger_joints, joint_index
from .anatomy import template_joints

DEFAULT_STATURE = 1.72
STATURE_RANGE = (1.0, 2.3)

_LIMB = {  # standard deviation between people in percent of the length
    ("shoulder", "elbow"): 4.0,
    ("elbow", "wrist"): 6.0,
    ("hip", "knee"): 6.5,
    ("knee", "ankle"): 5.0,
    ("ankle", "big_toe"): 4.0,
    ("ankle", "small_toe"): 4.0,
    ("ankle", "heel"): 8.0,
    ("big_toe", "small_toe"): 8.0,
    ("heel", "big_toe"): 5.0,
    ("heel", "small_toe"): 5.0,
    ("hip", "shoulder"): 6.0,  # bends with the spine
    ("neck", "shoulder"): 7.0,  # moves with the clavicle
}
_SMALL_RADII = {  # percent of stature from joint to skin, the same all around; larger joints: `anatomy.skin_distances`
    "big_toe": 0.4,
    "small_toe": 0.55,
    "heel": 1.5,
    "thumb": (0.9, 0.75, 0.4, 0.3),
    "finger": (0.5, 0.55, 0.42, 0.33),
}


@dataclass(frozen=True, eq=False)
class Segments:
    """S pairs of joints at a nearly fixed distance.

    pairs       (S, 2) int64 into JOINT_NAMES
    shares      (S,) mean length, share of stature
    deviations  (S,) standard deviation between people, relative to the length
    groups      (S,) int64: left and right segments that are equally long on one person carry the same number
    """

    pairs: np.ndarray
    shares: np.ndarray
    deviations: np.ndarray
    groups: np.ndarray


@cache
def segments() -> Segments:
    """The limbs, the fingers, and what is rigid of trunk, palms and feet."""
    rows: list[tuple[str, str, float, str]] = [
        ("left_hip", "right_hip", 5.0, "hips"),
        ("left_shoulder", "right_shoulder", 7.0, "shoulders"),
        ("pelvis", "neck", 4.0, "trunk"),
    ]
    for side, other in zip(SIDES, SIDES[::-1], strict=True):
        for (a, b), deviation in _LIMB.items():
            rows.append((a if a == "neck" else f"{side}_{a}", f"{side}_{b}", deviation, f"{a} {b}"))
        rows.append((f"{side}_hip", f"{other}_shoulder", 6.0, "across"))
        bases = [finger_joints(side, finger)[0] for finger in FINGERS]
        for i, finger in enumerate(FINGERS):
            rows.append((f"{side}_wrist", bases[i], 5.0, f"palm {finger}"))
            chain = finger_joints(side, finger)
            rows += [(chain[k], chain[k + 1], 6.0, f"{finger} {k}") for k in range(3)]
            rows += [(bases[i], bases[j], 10.0, f"bases {i} {j}") for j in range(i)]
    pairs = np.array([[joint_index(a), joint_index(b)] for a, b, _, _ in rows])
    template = template_joints()
    names = list(dict.fromkeys(row[3] for row in rows))
    shares = np.linalg.norm(template[pairs[:, 0]] - template[pairs[:, 1]], axis=1)
    return Segments(pairs, shares, np.array([row[2] for row in rows]) / 100, np.array([names.index(row[3]) for row in rows]))


@cache
def small_radii() -> np.ndarray:
    """(68,) share of stature: distance from joint to skin of toes, heels and fingers; 0 for all other joints."""
    out = np.zeros(len(JOINT_NAMES))
    for i, name in enumerate(JOINT_NAMES):
        bare = name.split("_", 1)[-1]
        if bare in ("big_toe", "small_toe", "heel"):
            out[i] = _SMALL_RADII[bare]
        elif "finger" in bare or "thumb" in bare:
            order = 0 if bare.endswith("third_joint") else int(bare[-1]) - 1
            out[i] = _SMALL_RADII["thumb" if "thumb" in bare else "finger"][order]
    return out / 100


def estimate_stature(positions: np.ndarray, trust: np.ndarray, head_stature: float | None = None) -> float:
    """Stature in metres from the distances between joints.

    positions     (68, 3) metres
    trust         (68,) 0..1; joints with 0 are left out
    head_stature  stature that goes with the size of the head, None = unknown

    The median of length / share, weighted by trust, by length, and by how little the segment varies between people; the head
    counts like one segment. DEFAULT_STATURE where nothing is known.
    """
    known = segments()
    length = np.linalg.norm(positions[known.pairs[:, 0]] - positions[known.pairs[:, 1]], axis=1)
    weight = np.nan_to_num(trust)[known.pairs].prod(axis=1) * known.shares / known.deviations
    usable = np.isfinite(length) & (weight > 0)
    estimate, weight = (length / known.shares)[usable], weight[usable]
    if head_stature is not None:
        estimate, weight = np.append(estimate, head_stature), np.append(weight, 2.0)
    if not len(estimate):
        return DEFAULT_STATURE
    order = np.argsort(estimate)
    rank = np.cumsum(weight[order]) / weight.sum()
    return float(np.clip(estimate[order][np.searchsorted(rank, 0.5)], *STATURE_RANGE))
