"""Whether two photos show one person: how they are built, and the colours of skin and hair.

Clothes, posture, camera and distance may differ, and so may the light to some degree. Doubt speaks for the same person: a photo
too many is seen at once, a photo that is left out for no reason is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..capture.provenance import is_drawn
from ..common.arrays import Pose
from ..common.landmarks import SIDES, part_labels
from .fit import Sighting

SEGMENTS = (
    ("hip", "knee"),
    ("knee", "ankle"),
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("pelvis", "neck"),
    ("left_hip", "right_hip"),
    ("left_shoulder", "right_shoulder"),
    ("neck", "head_top"),
)
"""Joints at a distance that no posture changes; those without a side are measured on both."""
PROPORTION = 0.03
"""Standard deviation of one length between photos of one person, relative: measured 0.015 on maps with a network's noise."""
SIZE = 0.06
"""The same of all lengths together: metric depth is unsure."""
BARE = ("Face_Neck", *(f"{side}_{part}" for side in ("Left", "Right") for part in ("Upper_Arm", "Lower_Arm", "Lower_Leg")))
SKIN, HAIR = 8.0, 10.0
"""Standard deviations of median colours, CIE76: measured 4 at most where the light was taken out; other light adds to it."""
UNDER_LIGHT = 2.0
"""Factor of both where the photo's light is still on the colours."""
HAIR_AT_MOST = 9.0
"""What hair alone can say: it is dyed, wet, or seen from behind."""
LIMIT = 20.0
"""Sum of squared deviations beyond which it is somebody else. Photos of one person reach 8, of two people as a rule 25."""
FEWEST_PIXELS = 50


@dataclass(frozen=True, eq=False)
class Traits:
    """What one photo says about who somebody is.

    lengths   (S,) natural logarithm of metres of SEGMENTS, NaN = not seen
    skin      (3,) median CIELAB, NaN = too little of it
    hair      (3,) the same
    lit       the colours hold the photo's light
    """

    lengths: np.ndarray
    skin: np.ndarray
    hair: np.ndarray
    lit: bool

    @classmethod
    def of(cls, sighting: Sighting) -> Traits:
        predictions = sighting.predictions
        lit = predictions.albedo is None
        skin, hair = np.full(3, np.nan), np.full(3, np.nan)
        if predictions.seg is not None:
            image = predictions.image if predictions.albedo is None else predictions.albedo
            own = np.ones(predictions.seg.shape, bool) if sighting.mask is None else sighting.mask
            skin = _median_lab(image, own & np.isin(predictions.seg, part_labels(*BARE)))
            hair = _median_lab(image, own & np.isin(predictions.seg, part_labels("Hair")))
        return cls(_lengths(sighting.pose), skin, hair, lit)


def _lengths(pose: Pose) -> np.ndarray:
    """(S,) of `Traits`: the mean of the sides that are seen."""
    out = np.full(len(SEGMENTS), np.nan)
    for row, pair in enumerate(SEGMENTS):
        sided = pair[0] in pose.names
        ends = [pair] if sided else [tuple(f"{side}_{joint}" for joint in pair) for side in SIDES]
        seen = [np.linalg.norm(pose[a] - pose[b]) for a, b in ends if pose.is_seen(a) and pose.is_seen(b)]
        if seen:
            out[row] = np.log(max(float(np.mean(seen)), 1e-3))
    return out


def _median_lab(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(3,) CIELAB of the pixels within a region's rim, whose colours are mixed; NaN where there are too few."""
    import cv2
    from scipy.ndimage import binary_erosion

    inner = binary_erosion(mask, iterations=2)
    if inner.sum() < FEWEST_PIXELS:
        return np.full(3, np.nan)
    lab = cv2.cvtColor(image[inner][None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.median(lab[0], axis=0)


def differences(one: Traits, other: Traits) -> dict[str, float]:
    """What differs, in an artist's words -> squared deviations between two photos, as far as both show it."""
    ratio = one.lengths - other.lengths
    known = np.isfinite(ratio)
    out = {}
    if known.sum() > 1:
        size = float(ratio[known].mean())
        out["size"] = (size / SIZE) ** 2
        out["build"] = float(np.square((ratio[known] - size) / PROPORTION).sum())
    light = UNDER_LIGHT if one.lit or other.lit else 1.0
    skin, hair = (float(np.linalg.norm(a - b)) for a, b in ((one.skin, other.skin), (one.hair, other.hair)))
    if np.isfinite(skin):
        out["skin"] = (skin / (SKIN * light)) ** 2
    if np.isfinite(hair):
        out["hair"] = min((hair / (HAIR * light)) ** 2, HAIR_AT_MOST)
    return out


def most_alike(own: Traits | None, others: Iterable[Sighting]) -> tuple[Sighting, str]:
    """Who of the people of another photo is the one with some traits, the largest one where there is no telling.

    own     None = nothing is known that tells them apart, as of maps that are drawn
    others  the largest first; where there is no telling, nobody else is asked for

    The bodies of the built-in model are nearer to the average than to the person, and its colours hold the light: they tell
    nobody apart. Returns them, and in words what tells even them apart, empty where they can be the same.
    """
    people = iter(others)
    largest = next(people)
    if own is None or is_drawn(largest.predictions):
        return largest, ""
    everybody = [largest, *people]
    found = [differences(own, Traits.of(other)) for other in everybody]
    best = min(range(len(everybody)), key=lambda k: sum(found[k].values()))
    if sum(found[best].values()) <= LIMIT:
        return everybody[best], ""
    return everybody[best], max(found[best], key=lambda what: found[best][what])
