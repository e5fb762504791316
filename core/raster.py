"""Which triangle of a mesh covers each texel, and where in it: the mesh drawn in the plane of its texture coordinates."""

from __future__ import annotations

import numpy as np

CANDIDATES = 1 << 21
"""Pairs of triangle and texel that are tested at a time; bounds the memory at about 200 MB."""


def rasterise(corners: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw triangles without regard to depth; where several cover a texel, the one with the highest index stays.

    corners  (F, 3, 2) float32 pixel coordinates (x, y), an integer is the centre of a texel

    Returns the triangle of each texel, (height, width) int32, -1 = none, and its barycentric coordinates (height, width, 3)
    float32. A texel on an edge belongs to both triangles, so neighbours leave no gap.
    """
    triangle = np.full(height * width, -1, np.int32)
    weights = np.zeros((height * width, 3), np.float32)
    finite = np.isfinite(corners).all(axis=(1, 2))
    safe = np.where(finite[:, None, None], corners, -10.0)
    limit = np.array([width, height])
    low = np.clip(np.ceil(safe.min(axis=1) - 1e-3), 0, limit).astype(np.int64)
    high = np.clip(np.floor(safe.max(axis=1) + 1e-3) + 1, 0, limit).astype(np.int64)
    span = np.where(finite[:, None], np.maximum(high - low, 0), 0)
    count = span[:, 0] * span[:, 1]
    start = np.concatenate([[0], np.cumsum(count)])
    first = 0
    while first < len(corners):
        last = max(first + 1, int(np.searchsorted(start, start[first] + CANDIDATES, side="right")) - 1)
        index = np.repeat(np.arange(first, last), count[first:last])
        offset = np.arange(len(index)) - np.repeat(start[first:last] - start[first], count[first:last])
        row, column = np.divmod(offset, np.maximum(span[index, 0], 1))
        x, y = low[index, 0] + column, low[index, 1] + row
        inside, bary = _barycentric(safe[index], x, y)
        texel = y[inside] * width + x[inside]
        triangle[texel], weights[texel] = index[inside], bary[inside]
        first = last
    return triangle.reshape(height, width), weights.reshape(height, width, 3)


def _barycentric(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) bool inside or on the edge, and (N, 3) float32 barycentric coordinates of points in triangles (N, 3, 2)."""
    a, b, c = (corners[:, k].astype(np.float64) for k in range(3))
    ab, ac = b - a, c - a
    px, py = x - a[:, 0], y - a[:, 1]
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    solid = np.abs(area) > 1e-12
    scale = 1 / np.where(solid, area, 1)
    second = (px * ac[:, 1] - py * ac[:, 0]) * scale
    third = (ab[:, 0] * py - ab[:, 1] * px) * scale
    bary = np.stack([1 - second - third, second, third], axis=1)
    return solid & (bary >= -1e-4).all(axis=1), np.clip(bary, 0, 1).astype(np.float32)


def interpolate(values: np.ndarray, faces: np.ndarray, triangle: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Values (V, C) at the vertices, linear over triangles: (N, C) float32 for texels with triangle (N,), weights (N, 3)."""
    corner = faces[triangle]
    out = weights[:, 0, None] * values[corner[:, 0]]
    out += weights[:, 1, None] * values[corner[:, 1]]
    out += weights[:, 2, None] * values[corner[:, 2]]
    return out
