"""The 468 points of a face, seen in a square around it (Kartynnik et al., "Real-time Facial Surface Geometry", 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .networks import FACE, run, sigmoid
from .regions import Picture, Region

RIGHT_EYE, LEFT_EYE = (33, 133), (362, 263)
"""The corners of the person's own right and left eye: the outer and the inner, the inner and the outer."""
MARGIN = 1.5
"""The square that the network wants, in extents of the points."""


@dataclass(frozen=True, eq=False)
class Face:
    """One face.

    points  (468, 3) float64: x, y in pixels, z in pixels from the middle of the head (negative = nearer)
    score   0..1: whether there is a face
    region  that was looked at
    """

    points: np.ndarray
    score: float
    region: Region

    @property
    def next(self) -> Region:
        """The region that the points ask for."""
        right, left = self.points[RIGHT_EYE[0], :2], self.points[LEFT_EYE[1], :2]
        x, y = left - right
        return Region(right, 1, float(np.arctan2(y, x))).around(self.points[:, :2], MARGIN)


def look_at_face(picture: Picture, region: Region) -> Face:
    outputs = run(FACE, picture.cut(region, FACE.size))
    places = outputs["conv2d_21"].reshape(468, 3).astype(np.float64) / FACE.size
    score = float(sigmoid(outputs["conv2d_31"]).ravel()[0])
    return Face(region.to_photo_3d(places), score, region)


def surest_face(picture: Picture, region: Region, looks: int = 3) -> Face:
    """Look, and look again where the points say, and keep the look of the highest score; of equal ones the last."""
    best = None
    for _ in range(looks):
        face = look_at_face(picture, region)
        if best is None or face.score >= best.score - 0.01:
            best = face
        region = face.next
    assert best is not None
    return best
