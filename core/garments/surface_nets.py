"""The surface of a volume as quads: naive surface nets (Gibson 1998), smoothed by Taubin's filter."""

from __future__ import annotations

import numpy as np

# Corners of a cell as offsets along the axes, and its twelve edges as pairs of corners.
_CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)])
_EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1])

TAUBIN_SHRINK, TAUBIN_GROW = 0.5, -0.53
"""Taubin's two steps: the second gives back the volume that the first takes."""


def surface_of(field: np.ndarray, origin: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Where a field is zero: one vertex in each cell that the surface passes, one quad round each edge that it crosses.

    field   (X, Y, Z) float, negative inside; what is inside at the border of the grid is cut off there
    origin  (3,) position of field[0, 0, 0]
    step    distance of neighbouring samples

    Returns vertices (V, 3) float64 and quads (F, 4) int32, counter-clockwise from outside. The surface is closed: every edge
    belongs to as many quads in one direction as in the other.
    """
    padded = np.pad(np.asarray(field, np.float64), 1, constant_values=np.inf)
    inside = padded < 0
    finite = np.where(np.isfinite(padded), padded, step)
    corners = [np.s_[i : i + s[0], j : j + s[1], k : k + s[2]] for s in [np.array(padded.shape) - 1] for i, j, k in _CORNERS]
    count = sum(inside[c].astype(np.int8) for c in corners)
    cell = np.argwhere((count > 0) & (count < 8))
    if not len(cell):
        return np.zeros((0, 3)), np.zeros((0, 4), np.int32)
    values = np.stack([finite[tuple((cell + c).T)] for c in _CORNERS], axis=1)
    a, b = values[:, _EDGES[:, 0]], values[:, _EDGES[:, 1]]
    crossed = (a < 0) != (b < 0)
    share = np.where(crossed, a / np.where(crossed, a - b, 1.0), 0.0)
    at = _CORNERS[_EDGES[:, 0]] + share[..., None] * (_CORNERS[_EDGES[:, 1]] - _CORNERS[_EDGES[:, 0]])
    mean = (at * crossed[..., None]).sum(axis=1) / crossed.sum(axis=1, keepdims=True)
    vertices = origin + (cell + mean - 1) * step
    number = np.full(count.shape, -1, np.int32)
    number[tuple(cell.T)] = np.arange(len(cell))
    return vertices, _quads(inside, number)


def _quads(inside: np.ndarray, number: np.ndarray) -> np.ndarray:
    """(F, 4) rows of vertices round every crossed edge of the (padded) grid, whose border is outside."""
    out = []
    for axis in range(3):
        ahead = np.roll(inside, -1, axis=axis)
        lower = np.argwhere((inside != ahead) & (np.arange(inside.shape[axis]) < inside.shape[axis] - 1).reshape(
            [-1 if k == axis else 1 for k in range(3)]
        ))  # fmt: skip
        u, v = np.eye(3, dtype=np.int64)[(axis + 1) % 3], np.eye(3, dtype=np.int64)[(axis + 2) % 3]
        ring = [lower - u - v, lower - v, lower, lower - u]  # counter-clockwise seen from the axis' far end
        quads = np.stack([number[tuple(r.T)] for r in ring], axis=1)
        outward = inside[tuple(lower.T)]
        out.append(np.where(outward[:, None], quads, quads[:, ::-1]))
    return np.concatenate(out).astype(np.int32)


def neighbours(quads: np.ndarray, count: int):
    """(count, count) sparse matrix that takes values at the vertices to the mean of their neighbours'."""
    from scipy.sparse import coo_matrix, diags

    ends = np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)])
    both = np.concatenate([ends, ends[:, ::-1]])
    graph = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count)).tocsr()
    graph.data[:] = 1.0
    degree = np.asarray(graph.sum(axis=1)).ravel()
    return diags(1 / np.maximum(degree, 1)) @ graph


def smoothed(vertices: np.ndarray, quads: np.ndarray, rounds: int) -> np.ndarray:
    """(V, 3) after some rounds of Taubin's filter."""
    mean = neighbours(quads, len(vertices))
    out = vertices.astype(np.float64)
    for _ in range(rounds):
        for share in (TAUBIN_SHRINK, TAUBIN_GROW):
            out = out + share * (mean @ out - out)
    return out
