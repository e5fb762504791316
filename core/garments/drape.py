"""How cloth spans hollows: it does not follow the cleft between two muscles, and hangs from shoulder blades and seat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..body.evaluate import rest_points, vertex_normals
from ..body.fitted import BodyFit
from ..common.rotations import dot, unit
from .suit import ARM, Layer, coarse_suit, edges_of, suit

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CLEFT_STEPS, HANG_STEPS = 80, 160
MOST_CLEFT, MOST_HANG = 0.03, 0.06  # metres
ALONG = 6  # power of the cosine between an edge and the axis, along which cloth hangs


def whole_suit(fit: BodyFit) -> Layer:
    """The suit of one person, with the body's clefts filled."""
    from scipy.sparse import identity

    s, coarse = suit(), coarse_suit()
    rest = coarse.refine @ spanned(rest_points(fit.shape).astype(np.float64)[coarse.used])
    return Layer(rest, s.quads, s.bones, s.weights, identity(len(rest), format="csr"))


def spanned(points: np.ndarray) -> np.ndarray:
    """(m, 3) points of the coarse suit at rest, with the clefts along trunk and limbs filled."""
    moved = _one_sided(points, _means(points, along=False), CLEFT_STEPS, sideways=True)
    shift = moved - points
    length = np.linalg.norm(shift, axis=1, keepdims=True)
    return points + shift * np.minimum(1, MOST_CLEFT / np.maximum(length, 1e-9))


def hung(fit: BodyFit) -> np.ndarray:
    """(n,) the same for the suit's vertices of one person."""
    s = coarse_suit()
    return np.maximum(s.refine @ hanging(spanned(rest_points(fit.shape).astype(np.float64)[s.used])), 0)


def hanging(points: np.ndarray) -> np.ndarray:
    """(m,) metres that loose cloth hangs off the coarse suit's points at rest, as what is above and below stands further out."""
    s = coarse_suit()
    moved = _one_sided(points, _means(points, along=True), HANG_STEPS)
    off = np.clip(dot(moved - points, vertex_normals(points, s.quads)), 0, MOST_HANG)
    return np.where((s.region == ARM) | (s.region == ARM + 1), 0.0, off)  # arms bend, and sleeves with them


def _means(points: np.ndarray, along: bool) -> csr_matrix:
    """(m, m) csr: means of the neighbours along the axis of trunk or limb, or of those across; zero rows for what is not free."""
    from scipy.sparse import coo_matrix, diags

    s = coarse_suit()
    edges, _, _ = edges_of(s.quads)
    a, b = np.concatenate([edges, edges[:, ::-1]]).T
    cosine = np.abs(dot(unit(points[b] - points[a]), s.axis[a]))
    weight = s.free[a] * ((cosine if along else np.sqrt(np.maximum(1 - cosine**2, 0))) ** ALONG + 1e-4)
    near = coo_matrix((weight, (a, b)), shape=(len(points), len(points))).tocsr()
    return (diags(1 / np.maximum(np.asarray(near.sum(axis=1)).ravel(), 1e-12)) @ near).tocsr()


def _one_sided(points: np.ndarray, means: csr_matrix, steps: int, sideways: bool = False) -> np.ndarray:
    """Points that follow the means of their neighbours outwards, never inwards; along their normals unless sideways."""
    s = coarse_suit()
    moved = points.copy()
    normals = vertex_normals(points, s.quads) * s.free[:, None]
    for step in range(steps):
        if step % 10 == 9:
            normals = vertex_normals(moved, s.quads) * s.free[:, None]
        way = means @ moved - moved
        outwards = dot(way, normals)
        moved = moved + 0.8 * (
            np.where(outwards[:, None] > 0, way, 0) if sideways else np.maximum(outwards, 0)[:, None] * normals
        )
    return moved
