"""How wide limbs look: of a left and a right one, which are alike and dressed alike, the nearer one is wider in the photo."""

from __future__ import annotations

import numpy as np

from ..common.landmarks import SIDES, keypoint_index

LIMBS = ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")
"""Upper arm, forearm, thigh and shin: their ends."""
PLACES = ((0.5, 0.6, 0.7, 0.8, 0.9), (0.15, 0.3, 0.4, 0.5, 0.65), (0.6, 0.7, 0.75, 0.8, 0.9), (0.15, 0.3, 0.45, 0.6, 0.75))
"""Where along each of them its width is taken: shares of the way from its first end."""
FEWEST = 3
"""Places without which nothing is said of a limb."""
STEP = 0.5
"""Pixels between two looks at the mask."""
WIDEST = 0.5
"""A limb's border is looked for this far to each side of its middle, in its length in the photo: what points at the camera shows
no sides."""


def nearer_sides(keypoints: np.ndarray, mask: np.ndarray, least_score: float) -> np.ndarray:
    """(4,) logarithm of how much wider the left one of each of LIMBS is than the right one; NaN where that is not seen.

    keypoints    (308, 3) x, y, score
    mask         (H, W) bool: the person's pixels
    least_score  joints of a lower one are guesses
    """
    out = np.full(len(LIMBS), np.nan)
    for k, (names, places) in enumerate(zip(LIMBS, PLACES, strict=True)):
        ends = keypoints[[[keypoint_index(f"{side}_{name}") for name in names] for side in SIDES]]  # (side, end, 3)
        if not (ends[..., 2] >= least_score).all():
            continue
        start, way = ends[:, 0, :2].astype(np.float64), (ends[:, 1, :2] - ends[:, 0, :2]).astype(np.float64)
        middles = start[:, None] + np.array(places)[:, None] * way[:, None]  # (side, place, 2)
        widths = np.stack([_widths(at, along, mask) for at, along in zip(middles, way, strict=True)])
        told = np.isfinite(widths).all(axis=0) & (widths > 0).all(axis=0)
        told &= np.array([_gap_between(a, b, mask) for a, b in zip(*middles, strict=True)])
        if told.sum() >= FEWEST:
            out[k] = np.median(np.log(widths[0, told] / widths[1, told]))
    return out


def _widths(middles: np.ndarray, way: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(n,) pixels across a limb at (n, 2) middles, square to its way (2,); NaN where it has no border near."""
    length = float(np.linalg.norm(way))
    reach = np.arange(0, WIDEST * length, STEP)
    if len(reach) < 2:
        return np.full(len(middles), np.nan)
    aside = np.array([-way[1], way[0]]) / length
    both = []
    for sign in (1, -1):
        inside = _inside(middles[:, None] + sign * reach[:, None] * aside, mask)
        both.append(np.where(inside.all(axis=1), np.nan, inside.argmin(axis=1) * STEP))
    return both[0] + both[1]


def _gap_between(one: np.ndarray, other: np.ndarray, mask: np.ndarray) -> bool:
    """Whether something else than the person is seen between two places (2,)."""
    count = max(2, int(np.linalg.norm(other - one) / STEP))
    return not _inside(one + np.linspace(0, 1, count)[:, None] * (other - one), mask).all()


def _inside(places: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(...) bool: which places (..., 2) are the person's. Beyond the border of the photo a limb goes on."""
    x, y = np.moveaxis(np.round(places).astype(np.int64), -1, 0)
    return mask[np.clip(y, 0, mask.shape[0] - 1), np.clip(x, 0, mask.shape[1] - 1)]
