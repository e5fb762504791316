"""The 21 points of a hand, seen in a square around it (Zhang et al., "MediaPipe Hands", 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anchors import PALMS, detect, suppressed
from .body import INDEX, Body
from .networks import HAND, run
from .regions import Picture, Region

WRIST, INDEX_BASE, MIDDLE_BASE, RING_BASE = 0, 5, 9, 13
PALM = np.array([0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18])
"""The points that tell where the next look should be: fingers stretch and curl, the palm stays."""
SURE = 0.8
"""A hand of this score is not looked for in other ways."""
LEAST = 0.5
"""A hand of a lower score is none."""
LEAST_INSIDE = 0.3
"""A hand whose wrist is in the photo with a lower probability is not looked for."""
WRIST_REACH = 0.15
"""How far the hand's wrist may be from the body's, in radii of the body; at twice that it is another hand."""
PALM_SQUARE = 0.6
"""The square around the wrist in which palms are looked for, in radii of the body."""


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand.

    points  (21, 3) float64: x, y in pixels, z in pixels from the wrist (negative = nearer)
    world   (21, 3) float64: metres from the middle of the hand; x right, y down, z away from the viewer
    score   0..1: whether there is a hand
    left    0..1: whether it is a left one
    region  that was looked at
    """

    points: np.ndarray
    world: np.ndarray
    score: float
    left: float
    region: Region

    @property
    def next(self) -> Region:
        """The region that the points ask for."""
        flat = self.points[:, :2]
        knuckles = ((flat[INDEX_BASE] + flat[RING_BASE]) / 2 + flat[MIDDLE_BASE]) / 2
        return Region.upright(flat[WRIST], knuckles, flat[WRIST], 1).around(flat[PALM], 2.0).moved(0, -0.1)


def look_at_hand(picture: Picture, region: Region) -> Hand:
    outputs = run(HAND, picture.cut(region, HAND.size))
    world = outputs["Identity_3"].reshape(21, 3).astype(np.float64)
    world[:, :2] = world[:, :2] @ region.axes
    return Hand(
        points=region.to_photo_3d(outputs["Identity"].reshape(21, 3).astype(np.float64) / HAND.size),
        world=world,
        score=float(outputs["Identity_1"].ravel()[0]),
        left=1 - float(outputs["Identity_2"].ravel()[0]),
        region=region,
    )


def region_from_body(body: Body, side: str) -> Region:
    """Around the hand that the body's wrist and knuckles promise."""
    wrist, index, pinky = (body.points[INDEX[f"{side}_{name}"], :2] for name in ("wrist", "index", "pinky"))
    knuckles = (2 * index + pinky) / 3
    length = max(float(np.linalg.norm(knuckles - wrist)), 0.02 * body.size)
    return Region.upright(wrist, knuckles, knuckles, 2 * length * 1.35).moved(0, -0.1)


def find_hands(picture: Picture, body: Body) -> tuple[Hand | None, Hand | None]:
    """The person's own left and right hand; None where none is seen."""
    left, right = (_find(picture, body, side) for side in ("left", "right"))
    if left is not None and right is not None:
        apart = float(np.linalg.norm(left.points[PALM, :2].mean(0) - right.points[PALM, :2].mean(0)))
        if apart < 0.25 * min(left.region.side, right.region.side):  # one hand, seen twice
            if _fit(left, body, "left") >= _fit(right, body, "right"):
                right = None
            else:
                left = None
    return left, right


def _find(picture: Picture, body: Body, side: str) -> Hand | None:
    if body.inside[INDEX[f"{side}_wrist"]] < LEAST_INSIDE:
        return None
    best = _closer(picture, region_from_body(body, side))
    if _fit(best, body, side) < SURE:
        looked = [best, *(_closer(picture, region) for region in _palms(picture, body, side))]
        best = max(looked, key=lambda hand: _fit(hand, body, side))
    return best if _fit(best, body, side) >= LEAST else None


def _closer(picture: Picture, region: Region) -> Hand:
    """The hand in a region, looked at again where its points say."""
    first = look_at_hand(picture, region)
    second = look_at_hand(picture, first.next)
    return second if second.score >= first.score - 0.05 else first


def _fit(hand: Hand, body: Body, side: str) -> float:
    """0..1: whether this is a hand, the right or left one that is meant, and where the arm ends."""
    apart = float(np.linalg.norm(hand.points[WRIST, :2] - body.points[INDEX[f"{side}_wrist"], :2])) / body.size
    meant = hand.left if side == "left" else 1 - hand.left
    return hand.score * min(1.0, 2 * meant) * float(np.clip(2 - apart / WRIST_REACH, 0, 1))


def _palms(picture: Picture, body: Body, side: str) -> list[Region]:
    """Around the palms that the detector sees near the wrist, the nearest first."""
    wrist = body.points[INDEX[f"{side}_wrist"], :2]
    square = Region(wrist, PALM_SQUARE * body.size, body.next.angle)
    found = suppressed(detect(PALMS, picture.cut(square, PALMS.network.size), 0.5), 0.3)
    regions = []
    for box, points in zip(found.boxes, found.points, strict=True):
        points = square.to_photo(points)
        centre, extent = square.to_photo((box[:2] + box[2:]) / 2), float((box[2:] - box[:2]).max()) * square.side
        region = Region.upright(points[0], points[2], centre, extent).moved(0, -0.5).scaled(2.6)
        regions.append((float(np.linalg.norm(points[0] - wrist)), region))
    return [region for _, region in sorted(regions, key=lambda pair: pair[0])[:2]]
