"""A closed volume from what photos show and what is likely behind: a signed field on a grid, and its surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .envelope import COVER, Envelope
from .head_space import Head, View
from .surface_nets import neighbours, smoothed, surface_of

STEP = 0.005  # metres between samples
ROOT = 0.008  # metres that the inner wall lies under the skin
SEEN_DEPTH = 0.014  # metres behind a seen point that surely belong to the piece
FAR = 0.02  # metres beyond which the field says no more
SMALLEST = 1.2e-5  # cubic metres of a loose bit that is kept
SNAP = 0.010  # metres along the ray that a seen vertex may move
VERTEX_SPACING = 0.006  # metres between the template's vertices
ROUNDS = 6  # of smoothing


@dataclass(frozen=True, eq=False)
class SeenPiece:
    """What one photo says about a piece.

    view    the photo
    own     (H, W) bool pixels of the piece
    depth   (H, W) float32 metres along z, smoothed within the piece, elsewhere as seen; NaN = unknown
    """

    view: View
    own: np.ndarray
    depth: np.ndarray


def see_piece(view: View, own: np.ndarray) -> SeenPiece:
    """The piece's pixels with a depth that is even over the size of a sample."""
    depth = view.points[..., 2]
    if own.any():
        pixels = STEP * view.camera.fx / float(np.median(depth[own]))
        size = int(np.clip(2 * round(pixels / 2) + 1, 3, 15))
        depth = np.where(own, _even(depth, own, size), depth)
    return SeenPiece(view, own, depth.astype(np.float32))


def _even(depth: np.ndarray, own: np.ndarray, size: int) -> np.ndarray:
    """The mean over size x size pixels of the piece that lie within 2 cm of the pixel's own depth, by two levels of bilateral."""
    import cv2

    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inner, mask = np.where(own, depth, 0)[box].astype(np.float32), own[box]
    middle = float(np.median(depth[own]))
    # What is not the piece stands so far off that the filter does not mix it in.
    filtered = cv2.bilateralFilter(np.where(mask, inner - middle, 9.0).astype(np.float32), size, 0.01, size / 2)
    out = np.zeros(depth.shape, np.float32)
    out[box] = filtered + middle
    return out


def _outline(mask: np.ndarray) -> np.ndarray:
    """(H, W) float32 pixels to the outline of a mask, negative inside."""
    import cv2

    out = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    return out - cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)


def _field(points: np.ndarray, pieces: list[SeenPiece], likely: Envelope, body: np.ndarray) -> np.ndarray:
    """(n,) signed metres at (n, 3) points of head space; body: (n,) signed distance to the skin."""
    free = np.full(len(points), -FAR)
    shell = np.full(len(points), FAR)
    for piece in pieces:
        view = piece.view
        at = view.to_camera(points)
        near = at[:, 2] > 0.05
        with np.errstate(divide="ignore", invalid="ignore"):
            pixel = view.camera.project(at)
        column, row = np.rint(np.where(near[:, None], pixel, -9)).T.astype(np.int64)
        height, width = piece.own.shape
        shown = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
        metres = at[:, 2] / view.camera.fx
        person = _outline(view.person)[row, column] * metres
        own = _outline(piece.own)[row, column] * metres if piece.own.any() else np.full(len(points), FAR)
        depth = piece.depth[row, column]
        front = np.where(np.isfinite(depth), depth - at[:, 2], -FAR)
        # The skin under it does not come through, where the fitted head is a little too large.
        front = np.where(piece.own[row, column], np.minimum(front, body - COVER), front)
        carved = np.where(person > 0, person, np.maximum(person, front))
        free = np.maximum(free, np.where(shown, np.clip(carved, -FAR, FAR), -FAR))
        layer = np.maximum(np.maximum(front, -front - SEEN_DEPTH), own)
        shell = np.minimum(shell, np.where(shown & np.isfinite(depth), np.clip(layer, -FAR, FAR), FAR))
    guess = np.maximum(likely.field(points, body), free)
    return np.clip(np.maximum(np.minimum(guess, shell), -(body + ROOT)), -FAR, FAR)


def skin_distance(head: Head, points: np.ndarray) -> np.ndarray:
    """(n,) metres from the skin, negative under it, at (n, 3) points of head space."""
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(head.skin).query(points, workers=1)
    along = ((points - head.skin[nearest]) * head.normals[nearest]).sum(axis=1)
    # Near a vertex its plane is the better measure, far from it the vertex.
    return np.where(along < 0, -1, 1) * np.maximum(np.abs(along), distance - VERTEX_SPACING)


def piece_surface(head: Head, pieces: list[SeenPiece], likely: Envelope, extra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) in head space and quads (F, 4) of a piece; extra: (n, 3) seen points of it, which the grid holds."""
    from scipy.ndimage import gaussian_filter, zoom

    low, high = _bounds(head, likely, extra)
    shape = 2 * (np.ceil((high - low) / STEP / 2).astype(int) + 1) + 1
    axes = [low[k] + STEP * np.arange(shape[k]) for k in range(3)]
    coarse = np.stack(np.meshgrid(*(a[::2] for a in axes), indexing="ij"), axis=-1)
    body = skin_distance(head, coarse.reshape(-1, 3)).reshape(coarse.shape[:3])
    body = zoom(body, np.array(shape) / body.shape, order=1, grid_mode=False)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    field = np.full(len(grid), FAR)
    outside = np.flatnonzero(body.ravel() > -ROOT - 2 * STEP)
    field[outside] = _field(grid[outside], pieces, likely, body.ravel()[outside])
    field = gaussian_filter(field.reshape(shape), 0.7)
    field = _without_bits(field)
    vertices, quads = surface_of(field, low, STEP)
    if not len(quads):
        return vertices, quads
    vertices = smoothed(vertices, quads, ROUNDS)
    return _snapped(head, vertices, quads, pieces), quads


def _bounds(head: Head, likely: Envelope, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the box that holds what is likely and what was seen."""
    capsule = likely.capsule
    rows, columns = np.nonzero(likely.there > 0.1)
    angle, radius = capsule.azimuths[columns], likely.radius[rows, columns]
    z = capsule.heights[rows]
    flat = np.stack([capsule.middle[0] + radius * np.sin(angle), capsule.middle[1] + radius * np.cos(angle), z], axis=1)
    crown = capsule.middle + np.array([0, 0, likely.radius[0].mean()])
    behind = head.skin[(np.abs(head.skin[:, 0]) < 0.1) & (head.skin[:, 2] > z.min(initial=crown[2]))] + [0, 0.03, 0]
    every = np.concatenate([flat, crown[None], seen, behind])
    return every.min(axis=0) - 3 * STEP, every.max(axis=0) + 3 * STEP


def _without_bits(field: np.ndarray) -> np.ndarray:
    """The field with small loose bits outside; the largest always stays."""
    from scipy.ndimage import label

    number, count = label(field < 0)
    if count < 2:
        return field
    size = np.bincount(number.ravel())
    size[0] = 0
    kept = size >= max(SMALLEST / STEP**3, 0.02 * size.max())
    kept[size.argmax()] = True
    return np.where((number > 0) & ~kept[number], STEP, field)


def _snapped(head: Head, vertices: np.ndarray, quads: np.ndarray, pieces: list[SeenPiece]) -> np.ndarray:
    """Seen vertices on the seen surface; their neighbours follow by less and less."""
    from scipy.spatial import cKDTree

    mean = neighbours(quads, len(vertices))
    corners = vertices[quads]
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    normals = np.zeros_like(vertices)
    for k in range(4):
        np.add.at(normals, quads[:, k], normal)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    shift, weight = np.zeros_like(vertices), np.zeros(len(vertices))
    for piece in pieces:
        view = piece.view
        at, facing = view.to_camera(vertices), normals @ view.turn.T
        ray = at / np.maximum(at[:, 2:], 0.05)
        slope = -(facing * ray).sum(axis=1) / np.linalg.norm(ray, axis=1)
        column, row = np.rint(view.camera.project(np.maximum(at, [-9, -9, 0.05]))).T.astype(np.int64)
        height, width = piece.own.shape
        shown = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
        gap = piece.depth[row, column] - at[:, 2]
        good = shown & piece.own[row, column] & (slope > 0.2) & (np.abs(gap) < SNAP)
        w = np.where(good, slope**2, 0)
        shift += w[:, None] * ((np.where(good, gap, 0)[:, None] * ray) @ view.turn)
        weight += w
    seen = weight > 0
    shift[seen] /= weight[seen, None]
    move = shift.copy()
    for _ in range(4):
        move = np.where(seen[:, None], 0.5 * shift + 0.5 * (mean @ move), 0.8 * (mean @ move))
    moved = vertices + move
    # Not under the skin, where it was over it.
    low = np.minimum(skin_distance(head, vertices), COVER) - skin_distance(head, moved)
    _, nearest = cKDTree(head.skin).query(moved, workers=1)
    return moved + np.where(seen, np.maximum(low, 0), 0)[:, None] * head.normals[nearest]
