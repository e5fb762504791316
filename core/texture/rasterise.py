"""Rasterisation: which triangle of a mesh covers each texel of its texture, or each pixel of a camera, and where in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..common.arrays import Camera

EDGE = 1e-4
"""Barycentric coordinates down to minus this count as inside."""
CANDIDATES = 1 << 21
"""Pairs of triangle and texel that are tested at a time; bounds the memory at about 200 MB."""
NEAREST = 0.05
"""Metres in front of the camera, where faces are no longer drawn."""


def rasterise(corners: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw triangles without regard to depth; where several cover a texel, the one with the highest index stays.

    corners  (F, 3, 2) float32 pixel coordinates (x, y), an integer is the centre of a texel

    Returns the triangle of each texel, (height, width) int32, -1 = none, and its barycentric coordinates (height, width, 3)
    float32. A texel on an edge belongs to both triangles, so neighbours leave no gap.
    """
    triangle = np.full(height * width, -1, np.int32)
    weights = np.zeros((height * width, 3), np.float32)
    for index, texel, v, w in _pairs(corners, height, width):
        triangle[texel] = index
        weights[texel] = np.clip(np.stack([1 - v - w, v, w], axis=1), 0, 1)
    return triangle.reshape(height, width), weights.reshape(height, width, 3)


def lowest_and_highest(corners: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last of the triangles that cover each texel, (height, width) int32, -1 = none; as `rasterise` draws them."""
    first, last = np.full(height * width, -1, np.int32), np.full(height * width, -1, np.int32)
    for index, texel, _, _ in _pairs(corners, height, width):
        last[texel] = index
        bare = first[texel] < 0
        first[texel[bare][::-1]] = index[bare][::-1]
    return first.reshape(height, width), last.reshape(height, width)


def _pairs(corners: np.ndarray, height: int, width: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Triangles, ascending, the flat index of a texel that each covers, and the barycentric coordinates there of its second and
    third corner; (n,) each, some at a time."""
    finite = np.isfinite(corners).all(axis=(1, 2))
    safe = np.where(finite[:, None, None], corners, -10.0)
    limit = np.array([width, height])
    low = np.clip(np.ceil(safe.min(axis=1) - 1e-3), 0, limit).astype(np.int64)
    high = np.clip(np.floor(safe.max(axis=1) + 1e-3) + 1, 0, limit).astype(np.int64)
    span = np.where(finite[:, None], np.maximum(high - low, 0), 0)
    second, third = _planes(safe.astype(np.float64), low)
    count = span[:, 0] * span[:, 1] * np.isfinite(second).all(axis=1)
    start = np.concatenate([[0], np.cumsum(count)])
    first = 0
    while first < len(corners):
        last = max(first + 1, int(np.searchsorted(start, start[first] + CANDIDATES, side="right")) - 1)
        index, row = _counted(np.arange(first, last), np.where(count[first:last] > 0, span[first:last, 1], 0))
        v, w = (plane[index, 0] + plane[index, 2] * row.astype(np.float32) for plane in (second, third))
        begin, end = _columns(v, w, second[index, 1], third[index, 1], span[index, 0])
        of_row, column = _counted(np.arange(len(index)), np.maximum(end - begin, 0))
        column += begin[of_row]
        v, w, index = v[of_row], w[of_row], index[of_row]
        v += second[index, 1] * column.astype(np.float32)
        w += third[index, 1] * column.astype(np.float32)
        inside = np.flatnonzero((v >= -EDGE) & (w >= -EDGE) & (v + w <= 1 + EDGE))
        index, v, w = index[inside], v[inside], w[inside]
        yield index.astype(np.int32), (low[index, 1] + row[of_row[inside]]) * width + low[index, 0] + column[inside], v, w
        first = last


def _counted(values: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each of (n,) values as often as it counts, (m,), and its number among its equals from 0, (m,) int64."""
    end = np.cumsum(count)
    return np.repeat(values, count), np.arange(end[-1] if len(end) else 0) - np.repeat(end - count, count)


def _columns(
    v: np.ndarray, w: np.ndarray, v_step: np.ndarray, w_step: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The columns of rows between which a triangle may cover texels, (n,) int64 first and behind the last.

    v, w            (n,) barycentric coordinates at the first column
    v_step, w_step  (n,) their steps to the right
    width           (n,) columns of the triangle's box
    """
    low, high = np.zeros(len(v), np.float32), (width - 1).astype(np.float32)
    for value, step in ((v, v_step), (w, w_step), (1 - v - w, -v_step - w_step)):
        with np.errstate(divide="ignore", invalid="ignore"):
            edge = (-EDGE - value) / step
        low = np.where(step > 0, np.maximum(low, edge), low)
        high = np.where(step < 0, np.minimum(high, edge), high)
    # A little more than that: rounding must not lose a texel.
    return np.ceil(np.minimum(low, width) - 0.01).astype(np.int64), np.floor(np.maximum(high, -1) + 0.01).astype(np.int64) + 1


def _planes(corners: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The barycentric coordinates of the second and third corner as planes over the texels: (F, 3) float32 each, the value at the
    texel `origin` (F, 2) and the steps to the right and downwards; NaN for triangles without area."""
    a, b, c = (corners[:, k] - origin for k in range(3))
    ab, ac = b - a, c - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    scale = 1 / np.where(np.abs(area) > 1e-12, area, np.nan)
    right = np.stack([ac[:, 1], -ab[:, 1]]) * scale
    down = np.stack([-ac[:, 0], ab[:, 0]]) * scale
    at_origin = -(a[:, 0] * right + a[:, 1] * down)
    planes = np.stack([at_origin, right, down], axis=-1).astype(np.float32)
    return planes[0], planes[1]


def interpolate(values: np.ndarray, faces: np.ndarray, triangle: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values (V, C) at the vertices, linear over triangles: (N, C) float32 for texels with triangle (N,), weights (N, 3)."""
    corner = faces[triangle]
    out = weights[:, 0, None] * values[corner[:, 0]]
    out += weights[:, 1, None] * values[corner[:, 1]]
    out += weights[:, 2, None] * values[corner[:, 2]]
    return out


def draw_mesh(points: np.ndarray, faces: np.ndarray, camera: Camera, both_sides: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """What a camera sees of a mesh, the nearest face on top (painter's algorithm: faces are small against their distances).

    points      (V, 3) camera space
    faces       (F, 3) int, counter-clockwise from outside
    both_sides  also draw faces whose back is seen

    Returns the face of each pixel (H, W) int32, -1 = none, and its barycentric coordinates in space (H, W, 3) float32.
    """
    corners = points[faces]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = camera.project(corners)
    seen = (corners[..., 2] > NEAREST).all(axis=1)
    if not both_sides:
        front = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        seen &= (front * corners.mean(axis=1)).sum(axis=1) < 0
    shown = np.flatnonzero(seen)
    shown = shown[np.argsort(-corners[shown][..., 2].mean(axis=1), kind="stable")]
    drawn, weights = rasterise(pixels[shown].astype(np.float32), camera.height, camera.width)
    inside = drawn >= 0
    face = np.where(inside, shown[np.maximum(drawn, 0)] if len(shown) else -1, -1).astype(np.int32)
    if inside.any():
        # Straight lines in space are not evenly spaced in the image: shares are corrected by depth.
        share = weights[inside] / points[faces[face[inside]]][..., 2]
        weights[inside] = share / share.sum(axis=1, keepdims=True)
    return face, weights


def halves(quads: np.ndarray) -> np.ndarray:
    """(F, 4, ...) of the corners of quads -> (2F, 3, ...) of the corners of their halves, each two in turn."""
    return np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3, *quads.shape[2:])
