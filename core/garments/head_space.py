"""The head's own space, and what photos say there about what covers the head.

Head space has the template's rest axes (metres, x to the person's left, y to the back, z up), with the fitted head where the
resting body has it. In each photo the head is that one, moved rigidly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..body.evaluate import pose_points, rest_points, vertex_normals
from ..body.fit import Sighting
from ..body.fitted import BodyFit
from ..body.skeleton import BONES
from ..body.template import template
from ..common.arrays import Camera
from ..common.landmarks import part_labels
from ..common.rotations import fit_rigid, unit

HEAD = "spine.006"
SKIN = (
    "Face_Neck", "Torso", "Lower_Lip", "Upper_Lip", "Lower_Teeth", "Upper_Teeth", "Tongue",
    *(f"{side}_{limb}" for side in ("Left", "Right") for limb in ("Upper_Arm", "Lower_Arm", "Hand")),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class View:
    """One photo as the head sees it.

    camera    of the photo
    turn      (3, 3), shift (3,): from head space to the photo's camera space
    labels    (H, W) uint8 part of the person, 0 elsewhere
    person    (H, W) bool: anybody; what is not is background
    points    (H, W, 3) float32 camera space, NaN where unknown
    colour    (H, W, 3) uint8 sRGB
    """

    camera: Camera
    turn: np.ndarray
    shift: np.ndarray
    labels: np.ndarray
    person: np.ndarray
    points: np.ndarray
    colour: np.ndarray

    def to_head(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) of camera space."""
        return (points.astype(np.float64) - self.shift) @ self.turn

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) of head space."""
        return points @ self.turn.T + self.shift

    def look(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The pixels (n,) of row and column that show (n, 3) points of head space, (n,) whether they are in the photo, and the
        depth of the points; a pixel of the photo for those outside too."""
        at = self.to_camera(points)
        near = at[:, 2] > 0.05
        pixel = self.camera.project(np.where(near[:, None], at, [0.0, 0.0, 1.0]))
        height, width = self.labels.shape
        column, row = np.rint(np.clip(pixel, -2, [width + 1, height + 1])).T.astype(np.int64)
        shown = near & (row >= 0) & (row < height) & (column >= 0) & (column < width)
        return np.clip(row, 0, height - 1), np.clip(column, 0, width - 1), shown, at[:, 2]

    def of(self, *names: str) -> np.ndarray:
        """(H, W) bool: where these parts are, and their place is known."""
        return np.isin(self.labels, part_labels(*names)) & np.isfinite(self.points[..., 2])


@dataclass(frozen=True, eq=False)
class Head:
    """A person's head.

    skin     (n, 3) points of the body's skin, vertices and middles of faces, in the first photo's posture
    normals  (n, 3) unit, outwards
    skull    (m, 3) points of the skull and face without ears
    eyes     (2, 3) centres of the eyeballs, left first
    ears     (2, 3) where they grow, left first
    top      z of the crown
    """

    skin: np.ndarray
    normals: np.ndarray
    skull: np.ndarray
    eyes: np.ndarray
    ears: np.ndarray
    top: float

    @property
    def eye_level(self) -> float:
        return float(self.eyes[:, 2].mean())

    @property
    def height(self) -> float:
        """Metres from the eyes to the crown; half a head."""
        return self.top - self.eye_level


def head_vertices(least: float = 0.9) -> np.ndarray:
    """(n,) vertices of the skin that the head's bone carries with this share at least."""
    t = template()
    own = (t.weights * (t.weight_bones == list(BONES).index(HEAD))).sum(axis=1)
    skin = t.skin_vertices()
    return skin[own[skin] >= least]


def look_at_head(photos: Sequence[tuple[Sighting, BodyFit]]) -> tuple[Head, list[View]]:
    """The head, and the photos that have parts and points."""
    t = template()
    fit = photos[0][1]
    rest = rest_points(fit.shape).astype(np.float64)
    rigid = head_vertices()
    views, skin, normals = [], np.zeros((0, 3)), np.zeros((0, 3))
    for number, (sighting, own) in enumerate(photos):
        placed = pose_points(rest_points(own.shape), own.posture).astype(np.float64)
        turn, _, _ = fit_rigid(rest[rigid], placed[rigid], np.ones(len(rigid)))
        shift = placed[rigid].mean(axis=0) - turn @ rest[rigid].mean(axis=0)
        if not number:
            of_skin = t.skin_vertices()
            posed = pose_points(rest_points(own.shape, own.face), own.posture).astype(np.float64)
            quads = t.skin_faces()
            out = vertex_normals(posed, quads).astype(np.float64)
            skin = (np.concatenate([posed[of_skin], posed[quads].mean(axis=1)]) - shift) @ turn
            normals = unit(np.concatenate([out[of_skin], out[quads].mean(axis=1)])) @ turn
        view = _view(sighting, turn, shift)
        if view is not None:
            views.append(view)
    heads = dict(zip(BONES, t.heads.of(rest), strict=True))
    eyes = np.stack([heads["eye.L"], heads["eye.R"]])
    skull = rest[rigid]
    top = float(skull[:, 2].max())
    level = eyes[:, 2].mean()
    width = np.abs(skull[skull[:, 2] > level + 0.3 * (top - level), 0]).max()
    ear = np.abs(skull[:, 0]) > 1.02 * width
    left = skull[ear & (skull[:, 0] > 0)]
    root = np.array([width, left[:, 1].min(), left[:, 2].mean()]) if len(left) else np.array([width, skull[:, 1].mean(), level])
    ears = np.stack([root, root * [-1, 1, 1]])
    return Head(skin, normals, skull[~ear], eyes, ears, top), views


def _view(sighting: Sighting, turn: np.ndarray, shift: np.ndarray) -> View | None:
    """None where the photo has no parts or no points."""
    predictions = sighting.predictions
    if predictions.seg is None or predictions.pointmap is None:
        return None
    mask = predictions.seg > 0 if sighting.mask is None else sighting.mask
    points = predictions.pointmap.astype(np.float32)
    good = np.isfinite(points).all(axis=-1) & (points[..., 2] > 0) & mask
    colour = predictions.image if predictions.albedo is None else predictions.albedo
    return View(
        sighting.camera,
        turn,
        shift,
        np.where(mask, predictions.seg, 0).astype(np.uint8),
        (predictions.seg > 0) | mask,
        np.where(good[..., None], points, np.nan),
        colour,
    )
