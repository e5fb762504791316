"""From a depth map whose neighbours are linked or cut to a valid triangle mesh. Pixels are named by their flat index y * W + x.

The four corners of a grid cell are a b over d c; a face never uses a cut pair, so an edge belongs to at most two faces by
construction, all faces turn the same way, and no vertex is used twice in a face.
"""

from __future__ import annotations

import numpy as np


def links(mask: np.ndarray, right_cut: np.ndarray, down_cut: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of neighbours that belong to one surface.

    mask, right_cut, down_cut: (H, W) bool, a cut belongs to the pixel and its right or lower neighbour.
    Returns right (H, W-1) and down (H-1, W) bool.
    """
    right = mask[:, :-1] & mask[:, 1:] & ~right_cut[:, :-1]
    down = mask[:-1] & mask[1:] & ~down_cut[:-1]
    return right, down


def corner_triangles(right: np.ndarray, down: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The faces of the grid: two per whole cell along its shorter diagonal, one where three corners hang together.

    right (H, W-1), down (H-1, W) bool links; points (H, W, 3) camera space, metres.
    Returns (F, 3) int64 flat pixel indices, counter-clockwise seen from the camera.
    """
    height, width = points.shape[:2]
    if height < 2 or width < 2:
        return np.zeros((0, 3), np.int64)
    top, bottom, left, rite = right[:-1], right[1:], down[:, :-1], down[:, 1:]
    cells = np.flatnonzero((top.view(np.uint8) + bottom + left + rite >= 2).ravel())
    y, x = np.divmod(cells, width - 1)
    a = y * width + x
    b, d = a + 1, a + width
    c = d + 1
    top, bottom, left, rite = (side.ravel()[cells] for side in (top, bottom, left, rite))
    flat = points.reshape(-1, 3)
    first = np.square(flat[b] - flat[d]).sum(1) <= np.square(flat[a] - flat[c]).sum(1)
    # Three links leave two candidates that overlap, four leave four: the shorter diagonal decides.
    at_a, at_c, at_b, at_d = top & left, bottom & rite, top & rite, left & bottom
    both = (at_a | at_c) & (at_b | at_d)
    use_bd = np.where(both, first, at_a | at_c)
    return np.concatenate([np.stack(corner, 1)[use] for corner, use in (
        ((a, d, b), at_a & use_bd), ((b, d, c), at_c & use_bd), ((a, c, b), at_b & ~use_bd), ((a, d, c), at_d & ~use_bd))])  # fmt: skip


def quads_from_grid(mask: np.ndarray, right_cut: np.ndarray, down_cut: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same surface with a quad for every whole cell: (Q, 4) and (F, 3) int64 flat pixel indices, counter-clockwise from the camera.

    mask, right_cut, down_cut: (H, W) bool as in `links`; points (H, W, 3) camera space.
    """
    _height, width = mask.shape
    right, down = links(mask, right_cut, down_cut)
    whole = right[:-1] & right[1:] & down[:, :-1] & down[:, 1:]
    y, x = np.nonzero(whole)
    a = y * width + x
    quads = np.stack([a, a + width, a + width + 1, a + 1], 1)
    triangles = corner_triangles(right, down, points)
    # A triangle lies in the cell of its smallest row and column.
    cell = (triangles // width).min(1) * (width - 1) + (triangles % width).min(1)
    return quads, triangles[~whole.ravel()[cell]]


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


def compact(faces: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Leave out pixels that no face uses: (F, 3) int32 faces over vertices, and (V,) int64 flat pixel of each vertex, ascending."""
    used = np.zeros(pixels, bool)
    used[faces.ravel()] = True
    vertex_pixel = np.flatnonzero(used)
    index = np.full(pixels, -1, np.int32)
    index[vertex_pixel] = np.arange(len(vertex_pixel), dtype=np.int32)
    return index[faces], vertex_pixel


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (V, 3) float32 of (V, 3) vertices and (F, 3) counter-clockwise faces."""
    corner = vertices[faces].astype(np.float64)
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    out = np.stack([np.bincount(faces.ravel(), np.repeat(cross[:, k], 3), len(vertices)) for k in range(3)], 1)
    return (out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-30)).astype(np.float32)
