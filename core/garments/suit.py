"""The suit: the template's close layer over trunk and limbs, on which clothes are made.

It has even quads, encloses feet without toes, and ends at neck and wrists. Its points follow shape and pose as the body does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ..body.evaluate import Frames, frames, rest_points, vertex_normals
from ..body.fitted import BodyFit
from ..body.skeleton import BONES
from ..body.template import PARTS, template
from ..common.rotations import unit

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

LEVELS = 1  # subdivisions of the template's layer
NECK = ("spine.004", "spine.005", "spine.006")
TRUNK, ARM, LEG, FOOT = 0, 1, 3, 5
"""Regions of the suit: the trunk; then left and right arms, legs and feet, the right one after the left."""


@dataclass(frozen=True, eq=False)
class Suit:
    """n vertices in the rest pose of the template, whoever wears it.

    subdivide  (n, P) csr: the vertices from the template's points
    quads      (F, 4) int64
    edges      (E, 2) int64, each once
    mirror     (n,) the vertex on the other side
    bones      (n, 4) rows of BONES, weights (n, 4) that add up to 1
    labels     (n,) uint8 body part of 29 classes
    region     (n,) TRUNK, ARM, ARM + 1, …
    axis       (n, 3) unit: along the limb or the trunk; zero where nothing lies round anything (feet)
    rim        (n,) bool: at neck and wrists, where the suit ends
    """

    subdivide: csr_matrix
    quads: np.ndarray
    edges: np.ndarray
    mirror: np.ndarray
    bones: np.ndarray
    weights: np.ndarray
    labels: np.ndarray
    region: np.ndarray
    axis: np.ndarray
    rim: np.ndarray


def edges_of(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(E, 2) edges, each once with the lower vertex first; (E,) how many quads have it; (F, 4) the edge after each corner."""
    after = np.roll(quads, -1, axis=1)
    size = int(quads.max(initial=0)) + 1
    key = np.minimum(quads, after).astype(np.int64) * size + np.maximum(quads, after)
    edges, which, count = np.unique(key.ravel(), return_inverse=True, return_counts=True)
    return np.stack(np.divmod(edges, size), axis=1), count, which.reshape(quads.shape)


def subdivided(quads: np.ndarray, count: int) -> tuple[csr_matrix, np.ndarray]:
    """One step of Catmull and Clark: (n, count) csr matrix from old to new vertices, and the new quads. Every vertex is used.

    New vertices are the old ones in their order, then those of edges, then those of faces.
    """
    from scipy.sparse import coo_matrix, diags, identity, vstack

    edges, uses, which = edges_of(quads)
    f, e = len(quads), len(edges)
    face = coo_matrix((np.full(f * 4, 0.25), (np.repeat(np.arange(f), 4), quads.ravel())), shape=(f, count)).tocsr()
    middle = coo_matrix((np.full(e * 2, 0.5), (np.repeat(np.arange(e), 2), edges.ravel())), shape=(e, count)).tocsr()
    beside = coo_matrix((np.ones(f * 4), (which.ravel(), np.repeat(np.arange(f), 4))), shape=(e, f)).tocsr()
    open_edge = uses == 1
    inner = diags(np.where(open_edge, 0.0, 0.5)) @ middle + diags(np.where(open_edge, 0.0, 0.25)) @ (beside @ face)
    edge = inner + diags(open_edge.astype(float)) @ middle
    touching = coo_matrix((np.ones(e * 2), (edges.ravel(), np.repeat(np.arange(e), 2))), shape=(count, e)).tocsr()
    round_face = coo_matrix((np.ones(f * 4), (quads.ravel(), np.repeat(np.arange(f), 4))), shape=(count, f)).tocsr()
    valence = np.asarray(round_face.sum(axis=1)).ravel()
    rim = np.zeros(count, bool)
    rim[edges[open_edge]] = True
    n = np.maximum(valence, 3.0)
    smooth = (
        diags((n - 3) / n) @ identity(count)
        + diags(2 / n / np.maximum(np.asarray(touching.sum(axis=1)).ravel(), 1)) @ (touching @ middle)
        + diags(1 / n / np.maximum(valence, 1)) @ (round_face @ face)
    )
    along = touching @ diags(open_edge.astype(float))
    on_rim = 0.5 * identity(count) + 0.25 * (along @ middle)
    vertex = diags((~rim).astype(float)) @ smooth + diags(rim.astype(float)) @ on_rim
    at_edge, at_face = count + which, count + e + np.arange(f)
    new = np.stack([quads, at_edge, np.repeat(at_face[:, None], 4, axis=1), np.roll(at_edge, 1, axis=1)], axis=-1)
    return vstack([vertex, edge, face]).tocsr(), new.reshape(-1, 4)


def strongest(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The four strongest of (n, B) weights: (n, 4) bones, (n, 4) weights that add up to 1."""
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    kept = np.take_along_axis(weights, bones, axis=1)
    return bones, kept / kept.sum(axis=1, keepdims=True)


def dense_weights(bones: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, B) of (n, 4) bones and weights."""
    out = np.zeros((len(bones), len(BONES)))
    np.add.at(out, (np.arange(len(bones))[:, None], bones), weights)
    return out


@dataclass(frozen=True, eq=False)
class CoarseSuit:
    """The template's layer before it is subdivided, m vertices.

    used    (m,) points of the template
    quads   (F, 4)
    region  (m,), axis (m, 3): as of `Suit`
    free    (m,) bool: trunk, arms and legs, without neck, hands and feet
    refine  (n, m) csr: the vertices of the suit from these
    fine    (4 F, 4) quads of the suit
    """

    used: np.ndarray
    quads: np.ndarray
    region: np.ndarray
    axis: np.ndarray
    free: np.ndarray
    refine: csr_matrix
    fine: np.ndarray


@cache
def coarse_suit() -> CoarseSuit:
    """The coarse suit, made once."""
    from scipy.sparse import identity

    t = template()
    faces = t.faces[t.face_part == PARTS.index("tights")]
    used = np.unique(faces)
    quads = np.searchsorted(used, faces)
    refine, fine = identity(len(used), format="csr"), quads
    for _ in range(LEVELS):
        step, fine = subdivided(fine, refine.shape[0])
        refine = (step @ refine).tocsr()
    bones, weights = strongest(dense_weights(t.weight_bones, t.weights)[used])
    region, axis = _regions(bones, weights)
    edges, uses, _ = edges_of(quads)
    free = region < FOOT
    free[edges[uses == 1]] = False
    free &= ~np.isin(bones[:, 0], [row for row, name in enumerate(BONES) if name in NECK])
    return CoarseSuit(used, quads, region, axis, free, refine, fine)


@cache
def suit() -> Suit:
    """The suit, made once."""
    from scipy.sparse import csr_matrix

    t, coarse = template(), coarse_suit()
    m = len(coarse.used)
    matrix = (coarse.refine @ csr_matrix((np.ones(m), (np.arange(m), coarse.used)), shape=(m, len(t.base)))).tocsr()
    quads = coarse.fine
    rest = matrix @ t.base
    bones, weights = strongest(matrix @ dense_weights(t.weight_bones, t.weights))
    edges, uses, _ = edges_of(quads)
    rim = np.zeros(len(rest), bool)
    rim[edges[uses == 1]] = True
    nearest = np.asarray(matrix.argmax(axis=1)).ravel()
    region, axis = _regions(bones, weights)
    return Suit(matrix, quads, edges, _mirrored(rest), bones, weights, t.labels[nearest], region, axis, rim)


def _mirrored(rest: np.ndarray) -> np.ndarray:
    from scipy.spatial import cKDTree

    return cKDTree(rest).query(rest * [-1, 1, 1])[1]


def _regions(bones: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Region and axis of vertices by the bones that move them."""
    t = template()
    names, heads = list(BONES), t.heads.of(t.base.astype(np.float64))
    region, axis = np.zeros(len(names), np.int64), np.tile([0.0, 0.0, 1.0], (len(names), 1))
    for k, name in enumerate(names):
        limb, _, side = name.rpartition(".")
        other = int(side == "R")
        after = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}.get(limb)
        if after:
            region[k] = (ARM if limb.endswith("arm") else LEG) + other
            axis[k] = unit(heads[names.index(f"{after}.{side}")] - heads[k])
        elif limb.startswith(("foot", "toe")):
            region[k], axis[k] = FOOT + other, 0
        elif side in "LR" and limb.startswith(("hand", "palm", "thumb", "f_")):
            region[k] = ARM + other
            axis[k] = axis[names.index(f"forearm.{side}")]
    mixed = dense_weights(bones, weights)
    share = np.stack([mixed[:, region == r].sum(axis=1) for r in range(FOOT + 2)], axis=1)
    own = axis[bones[:, 0]]
    return share.argmax(axis=1), own


@dataclass(frozen=True, eq=False)
class Layer:
    """A mesh that hangs on the bones: part of the suit, or a skirt that was joined to it.

    rest     (n, 3) float64 in the rest pose of the person
    quads    (F, 4) int64
    bones    (n, 4) rows of BONES, weights (n, 4)
    source   (n, vertices of the suit) csr: how the vertices are means of the suit's; zero rows for those that are not
    """

    rest: np.ndarray
    quads: np.ndarray
    bones: np.ndarray
    weights: np.ndarray
    source: csr_matrix

    @property
    def normals(self) -> np.ndarray:
        """(n, 3) unit, at rest."""
        return vertex_normals(self.rest, self.quads)


@dataclass(frozen=True, eq=False)
class Wearer:
    """One person in one photo: how a resting layer gets into its camera."""

    skeleton: Frames

    @classmethod
    def of(cls, fit: BodyFit) -> Wearer:
        """The bones of a fit."""
        return cls(frames(template().heads.of(rest_points(fit.shape).astype(np.float64)), fit.posture))

    def turns(self, bones: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(n, 3, 3) what takes directions at rest to the photo."""
        return np.einsum("nk,nkij->nij", weights, self.skeleton.turns[bones])

    def place(self, points: np.ndarray, bones: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(n, 3) points at rest, in the photo."""
        return self.skeleton.place(points, bones, weights)
