"""The iris of an eye, seen in a square around it (Ablavatski et al., "Real-time Pupil Tracking", 2020)."""

from __future__ import annotations

import numpy as np

from .face import LEFT_EYE, RIGHT_EYE, Face
from .networks import IRIS, run
from .regions import Picture, Region

MARGIN = 2.3
"""The square that the network wants, in widths of the eye."""


def look_at_irises(picture: Picture, face: Face) -> np.ndarray:
    """(2, 5, 2) float64 pixels: of the left and the right eye the middle of the iris and four points of its rim: on the
    side of the nose, above, on the side of the temple, below."""
    return np.stack([_look(picture, face, *LEFT_EYE, mirrored=True), _look(picture, face, *RIGHT_EYE, mirrored=False)])


def _look(picture: Picture, face: Face, first: int, second: int, mirrored: bool) -> np.ndarray:
    """The network knows one eye; the other is shown to it in the mirror."""
    a, b = face.points[first, :2], face.points[second, :2]
    x, y = b - a
    width = max(float(np.hypot(x, y)), 1.0)
    region = Region((a + b) / 2, MARGIN * width, float(np.arctan2(y, x)))
    cut = picture.cut(region, IRIS.size)
    places = run(IRIS, cut[:, ::-1] if mirrored else cut)["output_iris"].reshape(5, 3)[:, :2].astype(np.float64) / IRIS.size
    if mirrored:
        places[:, 0] = 1 - places[:, 0]
    return region.to_photo(places)
