"""Which samples of a grid lie inside closed surfaces that may have small holes and may overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAJORITY = 2
"""Of three axes: along so many must a sample be inside. A hole misleads the lines through it along one axis only."""


@dataclass(frozen=True)
class Lattice:
    """A grid of samples: position low + step * (i, j, k).

    low    (3,) metres
    step   metres
    shape  (3,) samples
    """

    low: np.ndarray
    step: float
    shape: tuple[int, int, int]

    @staticmethod
    def around(points: np.ndarray, step: float, margin: float) -> Lattice:
        """The grid that holds (n, 3) points and a margin of metres around them."""
        low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
        shape = np.ceil((high - low) / step).astype(int) + 1
        return Lattice(low.astype(np.float64), step, (int(shape[0]), int(shape[1]), int(shape[2])))

    def index(self, points: np.ndarray) -> np.ndarray:
        """(n, 3) int: the nearest sample of (n, 3) points, within the grid."""
        return np.clip(np.rint((points - self.low) / self.step).astype(int), 0, np.array(self.shape) - 1)


def inside(lattice: Lattice, vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(X, Y, Z) bool: samples inside, by the winding number along each axis, of which most decide.

    vertices   (V, 3) metres
    triangles  (F, 3) counter-clockwise from outside
    """
    corners = (vertices[triangles].astype(np.float64) - lattice.low) / lattice.step
    votes = np.zeros(lattice.shape, np.int8)
    for axis in range(3):
        order = [axis, (axis + 1) % 3, (axis + 2) % 3]
        shape = tuple(lattice.shape[k] for k in order)
        wound = _winding(corners[..., order], shape) > 0
        votes += np.transpose(wound, np.argsort(order))
    return votes >= MAJORITY


def _winding(corners: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(X, Y, Z) int: how often surfaces (F, 3, 3) wind round each sample, counted along the first axis."""
    triangle, column = _columns(corners[..., 1:], shape[1:])
    a, b, c = (corners[triangle, k] for k in range(3))
    p = np.stack(np.divmod(column, shape[2]), axis=1).astype(np.float64)
    edge = [_cross(second[:, 1:] - first[:, 1:], p - first[:, 1:]) for first, second in ((a, b), (b, c), (c, a))]
    sign = np.sign(_cross(b[:, 1:] - a[:, 1:], c[:, 1:] - a[:, 1:]))
    # A sample on an edge of two triangles belongs to one of them: the one on whose left the edge goes up, or right.
    hit = sign != 0
    for value, (first, second) in zip(edge, ((a, b), (b, c), (c, a)), strict=True):
        step = (second - first)[:, 1:] * sign[:, None]
        owns = (step[:, 1] > 0) | ((step[:, 1] == 0) & (step[:, 0] > 0))
        hit &= (value * sign > 0) | ((value == 0) & owns)
    area = np.where(hit, edge[0] + edge[1] + edge[2], 1.0)
    height = (edge[1] * a[:, 0] + edge[2] * b[:, 0] + edge[0] * c[:, 0]) / area
    start = np.clip(np.ceil(height[hit]).astype(int), 0, shape[0])
    # What looks down along the axis is entered there.
    count = np.zeros((shape[0] + 1, shape[1] * shape[2]), np.int32)
    np.add.at(count, (start, column[hit]), -sign[hit].astype(np.int32))
    return np.cumsum(count[:-1], axis=0).reshape(shape)


def _columns(flat: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of triangles (F, 3, 2) and flat numbers of the samples (Y, Z) in their boxes, as pairs."""
    low = np.clip(np.ceil(flat.min(axis=1)).astype(int), 0, np.array(shape))
    high = np.clip(np.floor(flat.max(axis=1)).astype(int) + 1, 0, np.array(shape))
    size = np.maximum(high - low, 0)
    count = size.prod(axis=1)
    triangle = np.repeat(np.arange(len(flat)), count)
    within = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count)
    y, z = np.divmod(within, np.maximum(size[triangle, 1], 1))
    return triangle, (low[triangle, 0] + y) * shape[1] + low[triangle, 1] + z


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
