"""The 33 points of a body, seen in a square around it (Bazarevsky et al., "BlazePose", 2020)."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from .networks import BODY, run, sigmoid
from .regions import Picture, Region

NAMES = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer", "left_ear",
    "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist",
    "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip
INDEX = {name: i for i, name in enumerate(NAMES)}
OTHER_SIDE = {"left": "right", "right": "left"}
MIRRORED = np.array([INDEX[re.sub("left|right", lambda side: OTHER_SIDE[side.group()], name)] for name in NAMES])
"""For each point the one that is in its place in a mirror."""
TRUNK = np.array([INDEX[f"{side}_{joint}"] for joint in ("shoulder", "hip") for side in ("left", "right")])
MIDDLE, TOP = 33, 34  # two more points: the middle of the hips, and how far from there a circle holds the whole body
MARGIN = 1.25
"""The square that the network wants, in diameters of that circle."""
WINDOW = 3  # cells around a point in which its heatmap is looked at
PEAK = 0.5  # a heatmap below this says nothing


@dataclass(frozen=True, eq=False)
class Body:
    """One body.

    points  (33, 4) float64: x, y in pixels, z in pixels towards the viewer from the hips (negative = nearer), score 0..1:
            whether the point is in the picture and seen
    inside  (33,) float64 0..1: whether it is in the picture at all, seen or covered
    world   (33, 3) float64: metres from the middle of the hips; x right, y down, z away from the viewer
    score   0..1: whether there is a person
    region  that was looked at
    next    the region that the points ask for
    opacity (256, 256) float32 0..1 of the person, in the region
    """

    points: np.ndarray
    inside: np.ndarray
    world: np.ndarray
    score: float
    region: Region
    next: Region
    opacity: np.ndarray

    @property
    def size(self) -> float:
        """Pixels: the radius of the circle around the whole body."""
        return self.next.side / (2 * MARGIN)


def body_region(middle: np.ndarray, top: np.ndarray) -> Region:
    """The square for a body with the middle of the hips here and the top of its circle there."""
    return Region.upright(middle, top, middle, 2 * MARGIN * max(float(np.linalg.norm(top - middle)), 1.0))


def look_at_body(picture: Picture, region: Region) -> Body:
    """The body in a region: the mean of what the network sees in it and in its mirror image. That is less noisy, favours neither
    side, and what is a person only one way round scores low."""
    cut = picture.cut(region, BODY.size)
    rows, world, score, mask = _mean(_look(cut), _unmirrored(_look(cut[:, ::-1])))
    points = region.to_photo_3d(rows[:, :3])
    visible, inside = rows[:, 3], rows[:, 4]
    world[:, :2] = world[:, :2] @ region.axes
    return Body(
        points=np.column_stack([points[:33], (visible * inside)[:33]]),
        inside=inside[:33],
        world=world,
        score=score,
        region=region,
        next=body_region(points[MIDDLE, :2], points[TOP, :2]),
        opacity=sigmoid(mask),
    )


Look = tuple[np.ndarray, np.ndarray, float, np.ndarray]
"""(39, 5) x, y, z in shares of the square, visible and inside 0..1; (33, 3) metres in its axes; score; (256, 256) logits of the
mask, so that of two looks the surer one decides."""


def _look(square: np.ndarray) -> Look:
    outputs = run(BODY, square)
    rows = outputs["Identity"].reshape(39, 5).astype(np.float64)
    rows[:, :3] /= BODY.size
    rows[:, :2] = _at_peaks(rows[:, :2], outputs["Identity_3"][0])
    rows[:, 3:] = sigmoid(rows[:, 3:])
    world = outputs["Identity_4"].reshape(39, 3)[:33].astype(np.float64)
    return rows, world, float(outputs["Identity_1"].ravel()[0]), outputs["Identity_2"][0, 0]


def _mean(one: Look, other: Look) -> Look:
    return (one[0] + other[0]) / 2, (one[1] + other[1]) / 2, (one[2] + other[2]) / 2, (one[3] + other[3]) / 2


def _unmirrored(look: Look) -> Look:
    """What was seen in a mirror, as it is without."""
    rows, world, score, mask = look
    rows = np.concatenate([rows[MIRRORED], rows[len(NAMES) :]]) * (-1, 1, 1, 1, 1) + (1, 0, 0, 0, 0)
    return rows, world[MIRRORED] * (-1, 1, 1), score, mask[:, ::-1]


def _at_peaks(places: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Places (P, 2) in 0..1 moved to the centre of the heat around them, where there is a peak; its logits (P, h, w)."""
    count, height, width = logits.shape
    column, row = (np.floor(places * (width, height)).astype(int)).T
    reach = np.arange(-WINDOW, WINDOW + 1)
    y, x = row[:, None, None] + reach[:, None], column[:, None, None] + reach[None, :]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    near = logits[np.arange(count)[:, None, None], y.clip(0, height - 1), x.clip(0, width - 1)]
    near = sigmoid(near).astype(np.float64) * inside
    total = np.maximum(near.sum((1, 2)), 1e-9)
    centre = np.column_stack([(near * x).sum((1, 2)) / total / width, (near * y).sum((1, 2)) / total / height])
    return np.where((near.max((1, 2)) >= PEAK)[:, None], centre, places)
