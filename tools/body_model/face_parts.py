"""Lashes short enough for a face that a photo gives its own, eyes with room for an iris in the texture, teeth for a smile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from sapiens2_avatar.core.body.template import Means

LENGTH = {"upper": 0.45, "lower": 0.3}
"""Of MakeHuman's strips, which are for a picture of hairs with gaps: as one piece they look like soot round the eyes."""
EYE_SIZE, EYE_PLACES = 0.086, {"L": (0.954, 0.93), "R": (0.866, 0.93)}
"""Width of the front half of an eyeball in the texture, and where its middle lies: free room beside the arms."""
UPPER_TEETH = (0.0, -0.001, -0.0035)
"""Metres by which the upper teeth are moved: their edges lie at the upper lip, where a smile shows none. Of people they reach 2
to 4 mm below it, behind the lower lip (Vig and Brundo, "The kinetics of anterior tooth display", 1978)."""
FRONT_TEETH = 0.01
"""Metres behind the foremost of the upper teeth to which they count as front teeth."""


def at_the_lip(
    upper: np.ndarray, teeth: np.ndarray, points: np.ndarray, lip: Means, row: int
) -> Callable[[np.ndarray], np.ndarray]:
    """A linear function (..., P, 3) -> the same, for offsets of shapes: all teeth go along with the upper lip, up, down, to the
    front and to the back. MakeHuman's shapes of the mouth move the lips alone.

    upper, teeth  vertices of the upper teeth, and of all
    points        (P, 3) float metres
    lip, row      the keypoints, and which of them is the middle of the upper lip's rim
    """
    front = upper[points[upper, 1] < points[upper, 1].min() + FRONT_TEETH]
    mine = lip.entries[:, 0] == row
    at, share = lip.entries[mine, 1], lip.weights[mine, None]

    def apply(offsets: np.ndarray) -> np.ndarray:
        out = np.array(offsets)
        away = (share * offsets[..., at, :]).sum(axis=-2) - offsets[..., front, :].mean(axis=-2)
        out[..., teeth, :] += (away * [0, 1, 1])[..., None, :]
        return out

    return apply


def shortened(quads: dict[str, list[np.ndarray]], points: np.ndarray, skin: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A linear function (..., N, 3) -> the same, that draws lashes in towards their roots.

    quads   lid of LENGTH -> strips of (f, 4) vertices
    points  (N, 3) float metres
    skin    (s,) vertices of the skin
    """
    share, root = np.ones(len(points)), np.arange(len(points))
    for lid, strips in quads.items():
        for strip in strips:
            lashes, roots = _roots(strip, points, skin)
            share[lashes], root[lashes] = LENGTH[lid], roots
    moved = np.flatnonzero(share < 1)

    def apply(offsets: np.ndarray) -> np.ndarray:
        out = np.array(offsets)
        at_root = offsets[..., root[moved], :]
        out[..., moved, :] = at_root + share[moved, None] * (offsets[..., moved, :] - at_root)
        return out

    return apply


def _roots(strip: np.ndarray, points: np.ndarray, skin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vertices of a strip, a grid of (f, 4) quads, and of each the end of its row that lies at the lid."""
    vertices, faces = np.unique(strip, return_inverse=True)
    faces = faces.reshape(-1, 4)
    pairs = np.sort(np.concatenate([faces[:, [k, (k + 1) % 4]] for k in range(4)]), axis=1)
    edges, uses = np.unique(pairs, axis=0, return_counts=True)
    count = len(vertices)
    corner = np.bincount(faces.ravel(), minlength=count) == 1
    rim = edges[uses == 1]
    inner = rim[~corner[rim].any(axis=1)]
    _, side = connected_components(csr_matrix((np.ones(len(inner)), inner.T), (count, count)), directed=False)
    on_rim = np.setdiff1d(np.unique(rim), np.flatnonzero(corner))
    sides = sorted((on_rim[side[on_rim] == k] for k in np.unique(side[on_rim])), key=len)[-2:]
    away = cKDTree(points[skin]).query(points[vertices])[0]
    lid = min(sides, key=lambda found: away[found].mean())
    ends = rim[np.isin(rim, lid).any(axis=1)]
    roots = np.union1d(lid, ends[corner[ends]])
    # Row by row: what is next to a vertex that is known, and not beside it, is on its lash.
    root = np.full(count, -1)
    root[roots] = roots
    while (root < 0).any():
        both = np.concatenate([edges, edges[:, ::-1]])
        new = both[(root[both[:, 0]] >= 0) & (root[both[:, 1]] < 0)]
        root[new[:, 1]] = root[new[:, 0]]
    return vertices, vertices[root]


def with_large_eyes(uvs: np.ndarray, corners: np.ndarray, faces: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(U, 2) uvs in which the front halves of the eyeballs have EYE_SIZE, at EYE_PLACES.

    corners, faces  (f, 4) uvs and vertices of the faces of both eyeballs
    points          (N, 3) metres
    """
    out = np.array(uvs)
    used = np.unique(corners)
    row = np.full(len(uvs), -1)
    row[used] = np.arange(len(used))
    pairs = np.concatenate([row[corners[:, [k, (k + 1) % 4]]] for k in range(4)])
    joined = csr_matrix((np.ones(len(pairs)), pairs.T), (len(used), len(used)))
    _, island = connected_components(joined, directed=False)
    of_face = island[row[corners[:, 0]]]
    middles = points[faces].mean(axis=1)
    for side, (u, v) in EYE_PLACES.items():
        mine = middles[:, 0] > 0 if side == "L" else middles[:, 0] < 0
        front = min(np.unique(of_face[mine]), key=lambda k: middles[of_face == k][:, 1].mean())  # y is to the back
        rows = used[island == front]
        low, high = uvs[rows].min(axis=0), uvs[rows].max(axis=0)
        out[rows] = (uvs[rows] - (low + high) / 2) * (EYE_SIZE / (high - low).max()) + (u, v)
    return out
