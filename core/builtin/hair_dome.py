"""Hair that stands off the skull: as far from it everywhere as the outline of the hair lies beyond that of the skull.

Seen from one side a head of hair is the skull drawn larger about its middle, in every direction as much larger as the outline of
the hair says. So its surface is known in front too, where nothing else tells how far the hair stands off: a surface that began at
the hairline on the skin and rose to the outline in between would be a cone with a peak at the crown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.landmarks import part_labels
from .body_regions import nearest_cells

DIRECTIONS = 72
"""In which outlines are looked for, round the middle of the head."""
EVEN = 1.5
"""Directions over which the outlines are evened out: strands stick out of hair, they do not carry it."""
LARGEST = 1.7
"""Of the skull: hair that reaches farther out hangs or stands off in a way that no skull tells."""
FORWARD = 0.4
"""How much of what hair stands off at the outline it stands off in front: it is combed back from the forehead."""
ROOTS = 0.15
"""Radii of the skull from the hairline over which hair rises off the skin."""
ABOVE = (-0.35, 0.0)
"""Sines of directions about the middle of the head: below the first hair hangs, above the second it lies on the skull."""


@dataclass(frozen=True, eq=False)
class Dome:
    """Of cells (h, w).

    share   float32 0..1: how far the hair of a cell lies on the skull
    depth   float32 metres along z, of no meaning where `share` is 0
    normal  (h, w, 3) float32 unit, camera space, towards the camera
    """

    share: np.ndarray
    depth: np.ndarray
    normal: np.ndarray


def hair_dome(
    inside: np.ndarray, on: np.ndarray, part: np.ndarray, hair: np.ndarray, points: np.ndarray, normals: np.ndarray
) -> Dome | None:
    """The hair of a head; None where there is none, or no head under it.

    inside, on  (h, w) bool: where the person is, and where the body is
    part        (h, w) uint8 of the body
    hair        (h, w) bool
    points, normals  (h, w, 3) float32 camera space, of the body
    """
    import cv2

    skull = on & np.isin(part, part_labels("Face_Neck", "Lower_Lip", "Upper_Lip"))
    if not (hair & inside).any() or np.count_nonzero(skull) < 2 * DIRECTIONS:
        return None
    middle = _middle(skull)
    rows, columns = np.indices(hair.shape, np.float32)
    across, up = columns - middle[1], middle[0] - rows
    away = np.hypot(across, up)
    sine = up / np.maximum(away, 1e-6)
    place = (np.degrees(np.arctan2(up, across)) % 360) * DIRECTIONS / 360
    own, out = _outlines(skull, place, away), _outlines(inside & (hair | skull), place, away)
    scale = np.clip(_between(out / np.maximum(own, 1e-6), place), 1.0, LARGEST)
    share = hair * np.clip((sine - ABOVE[0]) / (ABOVE[1] - ABOVE[0]), 0, 1)
    bare = skull & inside & ~hair
    if bare.any():
        share *= np.clip(nearest_cells(bare)[0] / (ROOTS * float(own[: DIRECTIONS // 2].mean())), 0, 1)
    x, y = middle[1] + across / scale, middle[0] - up / scale
    # Within the skull's outline, where its normal still faces the camera.
    known = skull.astype(np.float32)
    z = np.where(skull, points[..., 2], 0).astype(np.float32)
    found = cv2.remap(np.dstack([known, z]), x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
    turned = cv2.remap(np.where(skull[..., None], normals, 0).astype(np.float32), x, y, cv2.INTER_LINEAR)
    share = share * (found[..., 0] > 0.99)
    if not share.any():
        return None
    rim = skull & (cv2.erode(known, np.ones((3, 3), np.uint8)) < 1) & (sine > 0)
    behind = float(np.median(z[rim])) if rim.any() else float(z[skull].max())
    depth = behind - (1 + FORWARD * (scale - 1)) * (behind - found[..., 1] / np.maximum(found[..., 0], 1e-6))
    turned[..., 2] *= scale / (1 + FORWARD * (scale - 1))
    length = np.maximum(np.linalg.norm(turned, axis=-1, keepdims=True), 1e-6)
    return Dome(share.astype(np.float32), depth.astype(np.float32), (turned / length).astype(np.float32))


def _middle(skull: np.ndarray) -> tuple[float, float]:
    """Row and column of the middle of the ball of a skull: as far below its top as it is wide on either side."""
    rows = np.flatnonzero(skull.any(axis=1))
    width = skull[rows].sum(axis=1)
    radius = float(np.percentile(width, 90)) / 2
    row = min(rows[0] + 1.1 * radius, float(rows[-1]))
    columns = np.flatnonzero(skull[int(row)])
    return row, float(columns.mean()) if len(columns) else float(np.nonzero(skull)[1].mean())


def _outlines(mask: np.ndarray, place: np.ndarray, away: np.ndarray) -> np.ndarray:
    """(DIRECTIONS,) float64 cells from the middle to the outline of a mask in every direction."""
    from scipy.ndimage import gaussian_filter1d

    far = np.zeros(DIRECTIONS)
    np.maximum.at(far, place[mask].astype(np.int64) % DIRECTIONS, away[mask])
    return gaussian_filter1d(far, EVEN, mode="wrap")


def _between(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(h, w) values of directions (DIRECTIONS,) at places between them."""
    return np.interp(place, np.arange(DIRECTIONS) + 0.5, values, period=DIRECTIONS).astype(np.float32)
