"""Skin weights of a scan from the body that was fitted into it: a scan's point moves as the body's skin under it does.

Which part of the body a point lies on (one arm, the trunk, a leg) is decided by `core.rig.skin_weights`, along the surface; in
these the nearest skin that faces the same way gives its weights, which stay good in armpits and between legs, where the distance
to bones says little. Far from all skin (a wide skirt, hair) the weights of distance remain, and so do those of the face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..common.arrays import MeshData, RigData, SkinWeights
from ..common.avatars import BodyData
from ..common.rotations import unit
from ..pose.anatomy import smoothstep
from ..rig.patch_graph import Patches, make_patches
from ..rig.skin_weights import REGIONS, region_of_bone, strongest
from .evaluate import vertex_normals

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from scipy.spatial import cKDTree

NEIGHBOURS = 12  # points of the skin that are compared, of each part of the body
SPREAD = 0.02  # metres: how soon a farther point of the skin counts less
BLEND = 0.02  # metres along the scan over which weights are evened out
NEAR, FAR = 0.02, 0.06  # metres from the skin between which weights of distance take over
AWAY = 0.04  # metres by which skin is farther that faces sideways; twice that if it faces away
BLOCK = 50_000  # vertices at a time, so that a fine scan needs no more memory
SHARED = 0.02  # weight from which on a vertex may lie on a part of the body
HEAD = ("spine.006", "jaw", "eye.L", "eye.R")
"""Bones whose skin on a scan `core.rig.face_weights` knows better: it sees the person's own lips and lids."""


def body_weights(mesh: MeshData, weights: SkinWeights, body: BodyData, rig: RigData, influences: int = 4) -> SkinWeights:
    """Weights of the scan's vertices by the fitted body. Needs scipy.

    mesh, body  in the same pose, that of the photo; so is the rig
    weights     the scan's, by distance (`core.rig.skin_weights.skin`)
    """
    from scipy.spatial import cKDTree

    skin = np.unique(body.quads[body.part == body.part_names.index("skin")])
    bones = np.unique(np.concatenate([weights.bones.ravel(), body.weights.bones[skin].ravel()]))
    names = [region_of_bone(rig.names[bone]) for bone in bones]
    region = np.array([REGIONS.index(name) if name else -1 for name in names])
    head = np.array([rig.names[bone] in HEAD for bone in bones])
    region[head] = REGIONS.index("head")
    on_skin = dense(body.weights, bones)[skin]
    lies_on = region[on_skin.argmax(axis=1)]
    facing = vertex_normals(body.vertices, body.quads)[skin]
    trees = [(own, cKDTree(body.vertices[skin[own]])) for own in (np.flatnonzero(lies_on == r) for r in range(len(REGIONS)))]

    patches = make_patches(mesh)
    of_patch, normals = _means(patches, weights, bones), unit(_sums(patches.patch, mesh.normals))
    share, nearest = _near_skin(patches.centres, normals, of_patch, region, trees, facing)
    kept = smoothstep(NEAR, FAR, nearest)[:, None]
    mixed = patches.smooth(kept * of_patch + (1 - kept) * (share @ on_skin), BLEND)
    columns, values = patches.spread(mesh, mixed, max(7, influences))
    parts = []
    for first in range(0, len(mesh.vertices), BLOCK):
        block = slice(first, first + BLOCK)
        own = dense(SkinWeights(weights.bones[block], weights.weights[block]), bones)
        face = own[:, head].sum(axis=1, keepdims=True)
        carried = np.zeros_like(own)
        np.put_along_axis(carried, columns[block], np.maximum(values[block], 0), axis=1)
        both = face * own + (1 - face) * carried
        parts.append(strongest(both, np.broadcast_to(bones, both.shape), influences))
    return SkinWeights(np.concatenate([part.bones for part in parts]), np.concatenate([part.weights for part in parts]))


def _sums(patch: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(N, n) sums over the vertices of each patch."""
    return np.stack([np.bincount(patch, column) for column in values.T], axis=1)


def _means(patches: Patches, weights: SkinWeights, bones: np.ndarray) -> np.ndarray:
    """(N, b) mean weights of the vertices of each patch."""
    rows = patches.patch[:, None] * len(bones) + np.searchsorted(bones, weights.bones)
    total = np.bincount(rows.ravel(), weights.weights.ravel(), len(patches.centres) * len(bones)).reshape(-1, len(bones))
    return total / np.bincount(patches.patch)[:, None]


def _near_skin(
    points: np.ndarray,
    normals: np.ndarray,
    by_distance: np.ndarray,
    region: np.ndarray,
    trees: list[tuple[np.ndarray, cKDTree]],
    facing: np.ndarray,
) -> tuple[csr_matrix, np.ndarray]:
    """Shares (n, s) of the s points of the skin in each of (n, 3) points, sparse, rows add up to 1; and (n,) metres to the skin,
    infinite where no part of the body may be near.

    by_distance  (n, b) weights of bones; region (b,) of them
    trees        of each region: rows of the skin, and a tree of their places
    facing       (s, 3) unit normals of the skin
    """
    from scipy.sparse import csr_matrix

    rows, found, distances = [], [], []
    for number, (own, tree) in enumerate(trees):
        row = np.flatnonzero(by_distance[:, region == number].sum(axis=1) > SHARED)
        distance, near = tree.query(points[row], k=np.arange(1, min(NEIGHBOURS, len(own)) + 1))
        rows.append(np.repeat(row, distance.shape[1]))
        found.append(own[near.ravel()])
        distances.append(distance.ravel())
    at, skin, distance = np.concatenate(rows), np.concatenate(found), np.concatenate(distances)
    nearest = np.full(len(points), np.inf)
    np.minimum.at(nearest, at, distance)
    cost = distance + AWAY * (1 - np.einsum("nk,nk->n", facing[skin], normals[at]))
    least = np.full(len(points), np.inf)
    np.minimum.at(least, at, cost)
    share = np.exp((least[at] - cost) / np.maximum(SPREAD, 0.3 * nearest[at]))
    share /= np.bincount(at, share, len(points))[at]
    return csr_matrix((share, (at, skin)), (len(points), len(facing))), nearest


def dense(weights: SkinWeights, bones: np.ndarray) -> np.ndarray:
    """(V, b) float32 weights of (b,) bones in rising order, which are all that have any."""
    rows = np.arange(len(weights.bones))[:, None] * len(bones) + np.searchsorted(bones, weights.bones)
    rows = np.where(weights.weights > 0, rows, 0)
    total = np.bincount(rows.ravel(), weights.weights.ravel(), len(weights.bones) * len(bones))
    return total.astype(np.float32).reshape(-1, len(bones))
