"""Where on the body each pixel of a person lies, also where clothes and hair reach beyond the body."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..body.maps import BodyMaps, triangles
from ..body.template import template
from ..common.landmarks import joint_index, part_labels
from ..landmarks.people import PersonLandmarks

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Points of the face's network along the border of a face, from the top of the forehead to its left."""
CHIN = 0.42
"""Of the way from the neck's joint to the top of the head, at the height of the chin."""


@dataclass(frozen=True, eq=False)
class Regions:
    """Of cells (h, w).

    label    uint8 part of the naked body, of the nearest cell where the body is
    height   float32 in the body's rest pose: 0 at the hips, 1 at the shoulders
    beyond   float32 how far that body is, in lengths of the head
    head     bool: above the chin
    face     bool: within the oval of a face that is seen
    to_head  float32 how far from the head, in its lengths
    length   cells from the chin to the top of the head
    """

    label: np.ndarray
    height: np.ndarray
    beyond: np.ndarray
    head: np.ndarray
    face: np.ndarray
    to_head: np.ndarray
    length: float


@cache
def _heights() -> tuple[np.ndarray, np.ndarray]:
    """(F,) float32 height of each triangle of the body at rest, and (F,) bool whether it belongs to the head above the chin."""
    t = template()
    joints = t.joints.of(t.base.astype(np.float64))
    hips, shoulders = (
        (joints[joint_index(f"left_{name}")] + joints[joint_index(f"right_{name}")])[2] / 2 for name in ("hip", "shoulder")
    )
    neck, top = joints[joint_index("neck")][2], joints[joint_index("head_top")][2]
    z = t.base[triangles()][..., 2].mean(axis=1)
    face_neck = np.isin(t.labels[triangles()[:, 0]], part_labels("Face_Neck", "Lower_Lip", "Upper_Lip"))
    return ((z - hips) / (shoulders - hips)).astype(np.float32), face_neck & (z > neck + CHIN * (top - neck))


def face_oval(
    landmarks: PersonLandmarks, shape: tuple[int, ...], start: tuple[float, float] = (0.0, 0.0), step: float = 1.0
) -> np.ndarray:
    """(h, w) bool: cells of a grid within the oval of a face that is seen; start: the pixel of the first cell, x and y; step:
    pixels from a cell to the next."""
    import cv2

    face = np.zeros(shape, np.uint8)
    if landmarks.face is not None:
        oval = (landmarks.face.points[list(OVAL), :2] - start) / step
        cv2.fillPoly(face, [np.round(np.clip(oval, -20000, 20000)).astype(np.int32)], 1)
    return face.astype(bool)


def regions_of(
    landmarks: PersonLandmarks, maps: BodyMaps | None, rows: np.ndarray, columns: np.ndarray, inside: np.ndarray
) -> Regions:
    """rows (h,) and columns (w,) int: the photo's pixels that are looked at; inside (h, w) bool: those of the person."""
    shape = len(rows), len(columns)
    step = max(1.0, float(np.ptp(rows)) / max(len(rows) - 1, 1))
    face = face_oval(landmarks, shape, (columns[0], rows[0]), step)
    on = inside & (maps.face[np.ix_(rows, columns)] >= 0) if maps is not None else np.zeros(shape, bool)
    if maps is None or not on.any():
        trunk = np.full(shape, part_labels("Torso")[0], np.uint8)
        flat = np.full(shape, 0.5, np.float32)
        to_head = np.where(face, 0, 1).astype(np.float32)
        return Regions(trunk, flat, np.zeros(shape, np.float32), face, face, to_head, _head_length(face, face))
    distance, nearest = nearest_cells(on)
    triangle = maps.face[np.ix_(rows, columns)].ravel()[nearest]
    height, is_head = _heights()
    head = is_head[triangle]
    size = _head_length(head & on, face)
    to_head = nearest_cells((head & on) | face)[0] if (head & on).any() or face.any() else np.full(shape, 9 * size)
    return Regions(
        maps.labels[np.ix_(rows, columns)].ravel()[nearest],
        height[triangle],
        (distance / size).astype(np.float32),
        head | face,
        face,
        (to_head / size).astype(np.float32),
        size,
    )


def nearest_cells(region: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance (h, w) float32 to the nearest cell of a region, and its flat index (h, w)."""
    import cv2

    distance, labels = cv2.distanceTransformWithLabels(
        (~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    index = np.zeros(int(labels.max()) + 1, np.int64)
    at = np.flatnonzero(region)
    index[labels.ravel()[at]] = at
    return distance, index[labels]


def _head_length(head: np.ndarray, face: np.ndarray) -> float:
    """Cells from the chin to the top of the head, roughly."""
    rows, columns = np.nonzero(head if head.any() else face)
    if not len(rows):
        return max(face.shape) / 8
    return float(max(np.ptp(rows), np.ptp(columns), 2.0))
