"""Bodies that a photo cuts off or shows in part: the network is looked through several times, a little otherwise each time.

What it sees it sees every time in the same place, within a hundredth of the body's size. Where it only supposes something, limbs
beyond the border or behind somebody else, a square that is a little larger or turned makes it suppose something else.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .body import Body, look_at_body
from .regions import Picture, Region

LOOKS = ((0.87, 0.0), (1.15, 0.0), (1.0, 0.2), (1.0, -0.2))
"""Sides of the squares, of the one that the body asks for, and how far they are turned, radians."""
APART = 0.08
"""Radii of the body: points that are this far from where other looks have them lose two thirds of their score."""
BORDER = 0.01
"""Longer sides of the photo: nearer than this to its border somebody counts as cut."""
FULL = 0.5
"""Opacity from which a pixel is taken for the person."""


def steadied(picture: Picture, body: Body) -> Body:
    """The body, if the photo's border cuts it, with each point in the middle of where several looks have it; a point's score
    falls as they disagree. Deterministic."""
    if not _is_cut(picture, body):
        return body
    square = body.next
    looks = [body]
    for scale, turn in LOOKS:
        looks.append(look_at_body(picture, Region(square.centre, square.side * scale, square.angle + turn)))
    points = np.array([look.points for look in looks])
    middle = np.median(points, axis=0)
    away = np.linalg.norm(points[..., :2] - middle[:, :2], axis=-1) / body.size
    agreed = np.exp(-np.square(np.median(away, axis=0) / APART))
    best = looks[int((away * middle[:, 3]).sum(axis=1).argmin())]
    return replace(
        best,
        points=np.column_stack([middle[:, :3], middle[:, 3] * agreed]),
        inside=np.median([look.inside for look in looks], axis=0),
        world=np.median([look.world for look in looks], axis=0),
    )


def _is_cut(picture: Picture, body: Body) -> bool:
    """Whether the person reaches the border of the photo."""
    y, x = np.nonzero(body.opacity > FULL)
    if not len(x):
        return False
    seen = body.region.to_photo((np.column_stack([x, y]) + 0.5) / body.opacity.shape[0])
    margin = BORDER * max(picture.height, picture.width)
    outer = np.array([picture.width, picture.height]) - margin
    return bool((seen.min(axis=0) < margin).any() or (seen.max(axis=0) > outer).any())
