"""Where the surface that the photo shows pulls a body: closest points along the rays, and the outline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.landmarks import part_labels
from ..common.rotations import unit
from .evaluate import Selection, vertex_normals
from .evidence import Evidence, ease_table, looseness_table, may_lie_under, part_without_side
from .state import Body
from .template import template

SPACING = {"Face_Neck": 0.014, "Hand": 0.013, "Foot": 0.025, "other": 0.038}
"""Metres between the vertices that are compared with the maps."""
FACING = -0.15  # cosine between normal and ray, below which a vertex is seen
AGREEMENT = 0.5  # cosine between the body's normal and the map's
OUTLINE_SPREAD = 3.0  # pixels


@cache
def compared_vertices() -> np.ndarray:
    """(n,) vertices of the skin, spread evenly by SPACING at rest, mirrored on both sides; ascending."""
    t = template()
    skin = t.skin_vertices()
    hands, feet, face = (
        part_labels(*names) for names in (("Left_Hand", "Right_Hand"), ("Left_Foot", "Right_Foot"), ("Face_Neck",))
    )
    label = t.labels[skin]
    step = np.full(len(skin), SPACING["other"])
    for parts, name in ((hands, "Hand"), (feet, "Foot"), (face, "Face_Neck")):
        step[np.isin(label, parts)] = SPACING[name]
    left = t.base[skin, 0] >= 0
    cell = np.floor(t.base[skin] / step[:, None]).astype(np.int64)
    _, first = np.unique(np.column_stack([cell, (step * 1e4).astype(np.int64)])[left], axis=0, return_index=True)
    chosen = skin[left][first]
    chosen = chosen[~_inside_mouth(chosen)]
    return np.unique(np.concatenate([chosen, t.mirror[chosen]]))


def _inside_mouth(vertices: np.ndarray) -> np.ndarray:
    """(n,) bool: the lining of mouth, nostrils and eye sockets, which lies behind other skin, seen from in front."""
    t = template()
    skin = t.skin_vertices()
    head = t.base[skin][np.isin(t.labels[skin], part_labels("Face_Neck"))]
    out = np.isin(t.labels[vertices], part_labels("Face_Neck")) & (t.base[vertices, 1] < -0.02)
    place = t.base[vertices[out]]
    column = np.abs(head[None, :, 0] - place[:, 0, None]) < 0.004
    column &= np.abs(head[None, :, 2] - place[:, 2, None]) < 0.004
    out[out] = place[:, 1] > np.where(column, head[None, :, 1], np.inf).min(axis=1) + 0.012
    return out


@cache
def _rings() -> tuple[np.ndarray, np.ndarray]:
    """(q, 4) quads of the skin that touch a compared vertex, and (n,) the vertices at their corners, ascending."""
    quads = template().skin_faces()
    touched = np.isin(quads, compared_vertices()).any(axis=1)
    return quads[touched], np.unique(quads[touched])


def normals_at(posed: np.ndarray) -> np.ndarray:
    """(n, 3) unit normals of the compared vertices, from (P, 3) posed points of which those round them are right."""
    return vertex_normals(posed, _rings()[0])[compared_vertices()]


def ring_points(body: Body) -> np.ndarray:
    """(P, 3) float32 posed points where the compared vertices and their neighbours are filled in, NaN elsewhere."""
    out = np.full((len(template().base), 3), np.nan, np.float32)
    out[_rings()[1]] = body.points(_near())
    return out


@cache
def _near() -> Selection:
    """The compared vertices and their neighbours."""
    return Selection.of(_rings()[1])


@dataclass(frozen=True, eq=False)
class Pulls:
    """Rows r = a . (x - y): how far a point is from where the photo wants it.

    vertex     (m,) rows of `compared_vertices`
    direction  (m, 3) a, one over a standard deviation
    target     (m, 3) y, camera space
    piece      (m,) what hangs as loose as one: rows of one piece of clothing on one part of the body; -1 = bare
    looseness  (m,) how far that is unknown, in the standard deviations of each row
    """

    vertex: np.ndarray
    direction: np.ndarray
    target: np.ndarray
    piece: np.ndarray
    looseness: np.ndarray

    def decorrelated(self, rows: np.ndarray) -> np.ndarray:
        """(m, ...) rows, or their derivatives, so that their squares count what the rows of a piece share once.

        Rows of one piece have the covariance I + u u^T, u = looseness; this multiplies by its inverse square root,
        I - (1 - 1 / sqrt(1 + |u|^2)) u u^T / |u|^2.
        """
        at = np.flatnonzero(self.piece >= 0)
        if not len(at):
            return rows
        piece, u = self.piece[at], self.looseness[at].astype(rows.dtype)
        member = np.zeros((int(piece.max()) + 1, len(at)), rows.dtype)
        member[piece, np.arange(len(at))] = u
        size = np.maximum((member**2).sum(axis=1), 1e-12)
        shared = (member @ rows[at].reshape(len(at), -1)) * ((1 - 1 / np.sqrt(1 + size)) / size)[:, None]
        out = rows.copy()
        out[at] -= (member.T @ shared).reshape(len(at), *rows.shape[1:])
        return out


def surface_pulls(evidence: Evidence, posed: np.ndarray, normals: np.ndarray, reach: float) -> Pulls:
    """From the pointmap at the pixels of vertices that the camera sees; reach: metres beyond which they are not the same."""
    camera, labels = evidence.camera, evidence.labels
    with np.errstate(invalid="ignore", divide="ignore"):
        pixel = camera.project(posed)
        ray = unit(posed)
        facing = (normals * ray).sum(axis=1) < FACING
        inside = (posed[:, 2] > 0.05) & np.isfinite(pixel).all(axis=1)
    x, y = np.round(np.where(inside[:, None], pixel, -1)).astype(np.int64).T
    inside &= (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height) & facing
    x, y = np.clip(x, 0, camera.width - 1), np.clip(y, 0, camera.height - 1)
    target, surface = evidence.surface_at(x, y)
    label = labels[y, x] if labels is not None else np.zeros(len(x), np.uint8)
    part = template().labels[compared_vertices()]
    good = inside & np.isfinite(target).all(axis=1) & np.isfinite(surface).all(axis=1)
    with np.errstate(invalid="ignore"):
        good &= (np.linalg.norm(target - posed, axis=1) < reach) & ((surface * normals).sum(axis=1) > AGREEMENT)
    if labels is not None:
        good &= may_lie_under()[label, part]
    at = np.flatnonzero(good)
    usual, outwards, inwards = ease_table()[label[at], part[at]].T
    if labels is None:
        usual, outwards, inwards = 0.006, 0.012, 0.005
    gap = ((target[at] - posed[at]) * surface[at]).sum(axis=1)
    spread = np.where(gap >= usual, outwards, np.where(gap >= 0, np.maximum(outwards * 0.8, inwards), inwards))
    if evidence.drawn:  # an outline is seen, a depth is not
        spread = np.hypot(spread, evidence.depth_spread * (surface[at] * ray[at]).sum(axis=1))
    wanted = target[at] - np.where(gap >= 0, usual, 0.0)[:, None] * surface[at]
    weight = 1 / (1 + ((gap - usual) / (3 * np.maximum(outwards, 0.008))) ** 2)  # Geman-McClure's, as reweighting
    # Both sleeves are as loose as each other; what would show through the cloth does not depend on how loose it is.
    unknown = np.where(gap >= 0, looseness_table()[label[at]], 0.0)
    piece = label[at].astype(np.int64) * len(looseness_table()) + part_without_side()[part[at]]
    piece = np.where(unknown > 0, np.unique(piece, return_inverse=True)[1], -1)
    return Pulls(at, surface[at] * (weight / spread)[:, None], wanted, piece, unknown * weight / spread)


def outline_pulls(evidence: Evidence, posed: np.ndarray) -> Pulls:
    """Vertices that would be seen outside the person's mask are pulled to its border, along the image."""
    assert evidence.outside is not None
    camera, outside = evidence.camera, evidence.outside
    with np.errstate(invalid="ignore", divide="ignore"):
        pixel = camera.project(posed)
        inside = (posed[:, 2] > 0.05) & np.isfinite(pixel).all(axis=1)
    inside &= (pixel[:, 0] >= 1) & (pixel[:, 1] >= 1) & (pixel[:, 0] < camera.width - 2) & (pixel[:, 1] < camera.height - 2)
    x, y = np.round(np.where(inside[:, None], pixel, 1)).astype(np.int64).T
    away = outside[y, x]
    slope = np.stack([(outside[y, x + 1] - outside[y, x - 1]) / 2, (outside[y + 1, x] - outside[y - 1, x]) / 2], axis=1)
    at = np.flatnonzero(inside & (away > 1.0) & (np.linalg.norm(slope, axis=1) > 0.3))
    scale = max(camera.width, camera.height) / 1024
    spread = OUTLINE_SPREAD * scale
    robust = 1 / (1 + (away[at] / (12 * spread)) ** 2)
    depth = posed[at, 2]
    pull = slope[at] * (robust / spread)[:, None]
    direction = np.stack(
        [
            pull[:, 0] * camera.fx / depth,
            pull[:, 1] * camera.fy / depth,
            -(pull[:, 0] * camera.fx * posed[at, 0] + pull[:, 1] * camera.fy * posed[at, 1]) / depth**2,
        ],
        axis=1,
    )
    # r = away / spread at the present place: the target lies that far back along the direction.
    size = (direction**2).sum(axis=1)
    residual = away[at] * robust / spread
    alone = np.full(len(at), -1)
    return Pulls(at, direction, posed[at] - direction * (residual / size)[:, None], alone, np.zeros(len(at)))
