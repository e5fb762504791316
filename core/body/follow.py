"""Skin weights of a scan from the body that was fitted into it: a scan's point moves as the body's skin under it does.

Which part of the body a point lies on (one arm, the trunk, a leg) is decided by `core.rig.skin_weights`, along the surface; in
these the nearest skin that faces the same way gives its weights, which stay good in armpits and between legs, where the distance
to bones says little. Far from all skin (a wide skirt, hair) the weights of distance remain, and so do those of the face.
"""

from __future__ import annotations

import numpy as np

from ..common.arrays import BodyData, MeshData, RigData, SkinWeights
from ..rig.skin_weights import REGIONS, region_of_bone, strongest

NEIGHBOURS = 12  # points of the skin that are compared, of each part of the body
SPREAD = 0.012  # metres: how soon a farther point of the skin counts less
NEAR, FAR = 0.05, 0.12  # metres from the skin between which weights of distance take over
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
    facing = vertex_normals(body.vertices, body.quads)[skin].astype(np.float32)
    regions = [region_of_bone(name) for name in rig.names]
    head = np.array([name in HEAD for name in rig.names])
    region = np.array([REGIONS.index(name) if name else -1 for name in regions])
    region[head] = REGIONS.index("head")
    on_skin = dense(SkinWeights(body.weights.bones[skin], body.weights.weights[skin]), len(rig.names))
    lies_on = region[on_skin.argmax(axis=1)]
    trees = [(own, cKDTree(body.vertices[skin[own]])) for own in (np.flatnonzero(lies_on == r) for r in range(len(REGIONS)))]
    parts = []
    for first in range(0, len(mesh.vertices), BLOCK):
        block = slice(first, first + BLOCK)
        by_distance = dense(SkinWeights(weights.bones[block], weights.weights[block]), len(rig.names))
        near, distances = [], []
        for number, (own, tree) in enumerate(trees):
            count = min(NEIGHBOURS, len(own))
            distance, found = tree.query(mesh.vertices[block], k=np.arange(1, count + 1))
            near.append(own[found])
            belongs = by_distance[:, region == number].sum(axis=1) > SHARED
            distances.append(np.where(belongs[:, None], distance, FAR + distance))
        points, distance = np.concatenate(near, axis=1), np.concatenate(distances, axis=1)
        nearest = distance.min(axis=1, keepdims=True)
        turned = 1 - np.einsum("vnk,vk->vn", facing[points], mesh.normals[block])
        cost = distance + AWAY * turned
        share = np.exp((cost.min(axis=1, keepdims=True) - cost) / np.maximum(SPREAD, 0.3 * nearest))
        share /= share.sum(axis=1, keepdims=True)
        on_body = np.zeros_like(by_distance)
        for column in range(points.shape[1]):
            on_body += share[:, column : column + 1].astype(np.float32) * on_skin[points[:, column]]
        kept = np.clip((nearest - NEAR) / (FAR - NEAR), 0, 1)
        kept = np.maximum(kept, by_distance[:, head].sum(axis=1, keepdims=True)).astype(np.float32)
        mixed = kept * by_distance + (1 - kept) * on_body
        index = np.broadcast_to(np.arange(len(rig.names)), mixed.shape)
        parts.append(strongest(mixed, index, influences))
    return SkinWeights(np.concatenate([part.bones for part in parts]), np.concatenate([part.weights for part in parts]))


def dense(weights: SkinWeights, bones: int) -> np.ndarray:
    """(V, bones) float32."""
    rows = np.arange(len(weights.bones))[:, None] * bones + weights.bones
    total = np.bincount(rows.ravel(), weights.weights.ravel(), len(weights.bones) * bones)
    return total.astype(np.float32).reshape(-1, bones)


def vertex_normals(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """(V, 3) float64 unit, outwards, of (F, 4) counter-clockwise quads; larger faces count more."""
    a, b, c, d = (points[quads[:, k]].astype(np.float64) for k in range(4))
    out = np.zeros((len(points), 3))
    across = np.cross(c - a, d - b)
    for k in range(4):
        np.add.at(out, quads[:, k], across)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
