"""Cut a scan open where parts of the body only touch: hand on hand, forearm on belly, hand on thigh.

In a scan, skin that touches is one surface. Bones that move apart would stretch the faces between them into sheets, so these
faces are given to one side each and the vertices that they share with the other side are doubled: at rest nothing shows, in
motion the parts part.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..common.arrays import MeshData, SkinWeights


def bridging_faces(faces: np.ndarray, patch: np.ndarray, severed: np.ndarray) -> np.ndarray:
    """(n,) int64: indices of the (F, 3) faces with an edge between patches that are not one piece of skin.

    patch    (V,) int64 patch of each vertex
    severed  (E, 2) int64 pairs of patches, smaller index first
    """
    if not len(severed):
        return np.zeros(0, np.int64)
    corners = patch[faces]
    mixed = np.flatnonzero((corners != np.roll(corners, 1, axis=1)).any(axis=1))
    low, high = (
        np.minimum(corners[mixed], np.roll(corners[mixed], 1, axis=1)),
        np.maximum(corners[mixed], np.roll(corners[mixed], 1, axis=1)),
    )
    count = int(patch.max()) + 1
    return mixed[np.isin(low * count + high, severed[:, 0] * count + severed[:, 1]).any(axis=1)]


def cut(mesh: MeshData, weights: SkinWeights, region: np.ndarray, faces: np.ndarray) -> tuple[MeshData, SkinWeights]:
    """The mesh with each of the (n,) `faces`, and their quads, wholly in one region: that of most of its corners.

    Triangles that come in pairs are quads, too: one quad of a scan is one pixel, so the seam passes between pixels. Along
    diagonals it would pass through their middles, where the photo's camera looks, and the last digit of a posed vertex opens a
    crack there.

    Corners of another region become new vertices, at the same place, with the weights of a corner that is in it. A vertex is
    doubled once per region, so faces on one side stay connected.
    """
    if not len(faces):
        return mesh, weights
    whole = mesh.quads or _in_pairs(mesh.faces)
    first = 2 * np.unique(faces // 2) if whole else faces
    if whole:
        corners = np.concatenate([mesh.faces[first], mesh.faces[first + 1, 2:]], axis=1).astype(np.int64)
    else:
        corners = mesh.faces[first].astype(np.int64)
    own = region[corners]
    most = (own[:, :, None] == own[:, None, :]).sum(axis=2).argmax(axis=1)
    side, anchor = own[np.arange(len(own)), most], corners[np.arange(len(own)), most]
    row, place = np.nonzero(own != side[:, None])
    # A vertex and the region that it goes over to.
    key = corners[row, place] * (int(region.max()) + 1) + side[row]
    _, example, new = np.unique(key, return_index=True, return_inverse=True)
    source, giver = corners[row[example], place[example]], anchor[row[example]]
    corners[row, place] = len(mesh.vertices) + new.ravel()
    out = mesh.faces.copy()
    if whole:
        out[first], out[first + 1] = corners[:, :3], corners[:, [0, 2, 3]]
    else:
        out[first] = corners
    twice = np.concatenate([np.arange(len(mesh.vertices)), source])
    rows = np.concatenate([np.arange(len(mesh.vertices)), giver])
    return replace(
        mesh,
        vertices=mesh.vertices[twice],
        faces=out,
        uvs=mesh.uvs[twice],
        normals=mesh.normals[twice],
        labels=mesh.labels[twice],
    ), SkinWeights(weights.bones[rows], weights.weights[rows])


def _in_pairs(faces: np.ndarray) -> bool:
    """Whether (F, 3) faces 2k and 2k + 1 are the halves of a quad, as `meshing.triangles` makes them."""
    if len(faces) % 2:
        return False
    return np.array_equal(faces[::2, [0, 2]], faces[1::2, [0, 1]])
