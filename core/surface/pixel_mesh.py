"""Meshing a depth map whose neighbours are linked or cut: every pixel is a small quad on its surface, and the mesh is valid.

The vertices are the corners of the pixels. Pixels that meet in a corner share its vertex if a chain of links around the corner
joins them; on the two sides of a tear the corner is two vertices at different depths. So the camera sees no crack along a tear,
and a strand of hair one pixel wide is a surface. The mesh is valid by construction: an edge lies between two pixels, hence has
one or two faces, all of which turn the same way.
"""

from __future__ import annotations

import numpy as np

CORNERS = ((0, 0), (1, 0), (1, 1), (0, 1))
"""Of a pixel, (row, column), counter-clockwise seen from the camera: upper left, lower left, lower right, upper right."""


def links(mask: np.ndarray, right_cut: np.ndarray, down_cut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of neighbours that belong to one surface.

    mask, right_cut, down_cut: (H, W) bool, a cut belongs to the pixel and its right or lower neighbour.
    Returns right (H, W-1) and down (H-1, W) bool.
    """
    return mask[:, :-1] & mask[:, 1:] & ~right_cut[:, :-1], mask[:-1] & mask[1:] & ~down_cut[:-1]


def corner_quads(mask: np.ndarray, right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A quad for every pixel of the mask, over shared corners.

    mask (H, W) bool, N pixels in it; right (H, W-1), down (H-1, W) bool links.
    Returns quads (N, 4) int32 vertex indices, counter-clockwise seen from the camera, in the order of the pixels, and
    corners (V,) int64: row * (W + 1) + column of the lattice corner of each vertex.
    Corner (0, 0) is the upper left one of pixel (0, 0).
    """
    height, width = mask.shape
    # Around a corner lie the pixels a b over d c. Each starts as its own surface; links in turn pass the name on.
    across = np.zeros((height + 2, width + 1), bool)
    across[1:-1, 1:-1] = right
    along = np.zeros((height + 1, width + 2), bool)
    along[1:-1, 1:-1] = down
    ab, dc, ad, bc = across[:-1], across[1:], along[:, :-1], along[:, 1:]
    b = np.where(ab, 0, 1).astype(np.uint8)
    c = np.where(bc, b, 2).astype(np.uint8)
    d = np.where(dc, c, 3).astype(np.uint8)
    names = [np.zeros_like(b), *(np.where(ad & (name == d), 0, name).astype(np.uint8) for name in (b, c, d))]
    # A pixel is c to its upper left corner, b to its lower left, a to its lower right, d to its upper right one.
    row, column = np.nonzero(mask)
    keys = np.empty((len(row), 4), np.int64)
    for k, ((dy, dx), name) in enumerate(zip(CORNERS, (2, 1, 0, 3), strict=True)):
        corner = (row + dy) * (width + 1) + column + dx
        keys[:, k] = corner * 4 + names[name].ravel()[corner]
    used = np.zeros(4 * (height + 1) * (width + 1), bool)
    used[keys.ravel()] = True
    vertex = np.flatnonzero(used)
    index = np.zeros(len(used), np.int32)
    index[vertex] = np.arange(len(vertex), dtype=np.int32)
    return index[keys], vertex >> 2


def gather(quads: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Mean over the pixels that meet in each vertex of (N,) or (N, 4) values of pixels (or of their corners): (V,) float64."""
    values = np.broadcast_to(values if values.ndim == 2 else values[:, None], quads.shape)
    return np.bincount(quads.ravel(), values.ravel(), count) / np.maximum(np.bincount(quads.ravel(), minlength=count), 1)


def triangles(quads: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """(2N, 3) int32 faces of (N, 4) quads, split along the shorter diagonal; faces 2k and 2k + 1 are those of quad k."""
    corner = [vertices[quads[:, k]] for k in range(4)]
    first = np.square(corner[0] - corner[2]).sum(1) <= np.square(corner[1] - corner[3]).sum(1)
    q = np.where(first[:, None], quads, np.roll(quads, -1, axis=1))
    return np.stack([q[:, [0, 1, 2]], q[:, [0, 2, 3]]], axis=1).reshape(-1, 3)


def outline_edges(quads: np.ndarray, mask: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(E, 2) int32 edges with a quad on one side only, in the direction of that quad.
    Arguments as in `corner_quads`, and its quads."""
    edges = []
    for k, (links, here) in enumerate(((right, np.s_[:, 1:]), (down, np.s_[:-1]), (right, np.s_[:, :-1]), (down, np.s_[1:]))):
        # Left, lower, right and upper side of a pixel: from its corner k to the next.
        linked = np.zeros(mask.shape, bool)
        linked[here] = links
        edges.append(quads[~linked[mask]][:, [k, (k + 1) % 4]])
    outline = np.concatenate(edges)
    # A tear between two pixels only, whose ends both hold, is no opening: its two sides are one edge.
    low, high = outline.min(1).astype(np.int64), outline.max(1).astype(np.int64)
    _, first, count = np.unique(low << 32 | high, return_index=True, return_counts=True)
    return outline[np.sort(first[count == 1])]


def smooth_outline(pixel: np.ndarray, outline: np.ndarray, limit: float = 0.3, rounds: int = 3) -> np.ndarray:
    """Vertex positions (V, 2) in the image with the stairs of the outline, (E, 2) of `outline_edges`, smoothed.

    Each vertex of an outline moves towards the middle of its two neighbours on it, in all at most `limit` pixels: under 0.35 no
    face of a unit grid can turn over. Vertices where outlines cross stay.
    Both sides of a tear move alike, so no gap opens between.
    """
    count = len(pixel)
    simple = np.flatnonzero(np.bincount(outline.ravel(), minlength=count) == 2)
    before, after = np.zeros(count, np.int64), np.zeros(count, np.int64)
    after[outline[:, 0]], before[outline[:, 1]] = outline[:, 1], outline[:, 0]
    moved = pixel.astype(np.float64)
    for _ in range(rounds):
        moved[simple] = (moved[before[simple]] + moved[after[simple]]) / 4 + moved[simple] / 2
    shift = moved[simple] - pixel[simple]
    length = np.linalg.norm(shift, axis=1, keepdims=True)
    moved[simple] = pixel[simple] + shift * np.minimum(1, limit / np.maximum(length, 1e-9))
    return moved


def components(mask: np.ndarray, right: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Surfaces that hang together: (H, W) int32 component of every pixel (0 = none) and (N + 1,) int64 pixels in each.

    Links are drawn as pixels between the pixels of a map of twice the size, so that plain image labelling finds them.
    """
    import cv2

    height, width = mask.shape
    drawn = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    drawn[::2, ::2], drawn[::2, 1::2], drawn[1::2, ::2] = mask, right, down
    label = np.ascontiguousarray(cv2.connectedComponents(drawn, connectivity=4, ltype=cv2.CV_32S)[1][::2, ::2])
    return label, np.bincount(label.ravel())


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (V, 3) float32 of (V, 3) vertices and (F, 3) counter-clockwise faces."""
    corner = vertices[faces].astype(np.float64)
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    out = np.stack([np.bincount(faces.ravel(), np.repeat(cross[:, k], 3), len(vertices)) for k in range(3)], 1)
    return (out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-30)).astype(np.float32)
