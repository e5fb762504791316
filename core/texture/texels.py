"""Where the texels of a texture lie on its surface, a band around every chart included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..common.spaces import pixel_from_uv
from .inpaint import nearest_index
from .rasterise import halves, rasterise

FARTHEST_SHARE = 2.0
"""Barycentric coordinates beyond a face at most; farther out the surface is not as its last face is."""


@dataclass(frozen=True, eq=False)
class Texels:
    """Texels of a square texture, in and around the charts of a surface.

    side      texels
    faces     (F, 3) int32 vertices of triangles
    index     (N,) int32 flat index of the texel, first row at v = 1
    triangle  (N,) int32
    shares    (N, 3) float32 barycentric coordinates; outside of the charts those of the nearest face, continued
    inside    (N,) bool: in a chart
    """

    side: int
    faces: np.ndarray
    index: np.ndarray
    triangle: np.ndarray
    shares: np.ndarray
    inside: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """(V, C) at the vertices -> (N, C) float32 at the texels."""
        from scipy.sparse import csr_array

        shape = len(self.index), len(values)
        return csr_array((self.shares.ravel(), self._corners, self._ends), shape=shape) @ np.asarray(values, np.float32)

    @cached_property
    def _corners(self) -> np.ndarray:
        """(3N,) int32: vertices of the triangles of the texels."""
        return self.faces[self.triangle].ravel()

    @cached_property
    def _ends(self) -> np.ndarray:
        """(N + 1,) int32: where the vertices of each texel begin."""
        return np.arange(0, 3 * len(self.index) + 1, 3, dtype=np.int32)

    def some(self, at: np.ndarray) -> Texels:
        """Those of the numbers (n,) int."""
        return replace(self, index=self.index[at], triangle=self.triangle[at], shares=self.shares[at], inside=self.inside[at])

    def around(self, own: np.ndarray) -> np.ndarray:
        """(n,) int: the numbers of texels that are `own` (N,) bool, and of those that touch one, ascending."""
        import cv2

        near = cv2.dilate(self.image(own.astype(np.uint8)), np.ones((3, 3), np.uint8))
        return np.flatnonzero(near.ravel()[self.index])

    def image(self, values: np.ndarray, beyond: float | np.ndarray = 0.0) -> np.ndarray:
        """(N, ...) -> (side, side, ...) of the same type, `beyond` where there is no texel."""
        out = np.empty((self.side * self.side, *values.shape[1:]), values.dtype)
        out[:] = beyond
        out[self.index] = values
        return out.reshape(self.side, self.side, *values.shape[1:])


def texels_of(quads: np.ndarray, uvs: np.ndarray, side: int, gutter: int) -> Texels:
    """The texels of a surface.

    quads   (F, 4) int of vertices
    uvs     (F, 4, 2) float of the corners
    gutter  texels around the charts
    """
    faces = halves(quads).astype(np.int32)
    corners = pixel_from_uv(halves(uvs).astype(np.float64), side, side).astype(np.float32)
    triangle, shares = rasterise(corners, side, side)
    inside = triangle >= 0
    if not inside.any():
        empty = np.zeros(0, np.int32)
        return Texels(side, faces, empty, empty, np.zeros((0, 3), np.float32), np.zeros(0, bool))
    near = _widened(inside, gutter)
    source = nearest_index(inside).ravel()
    index = np.flatnonzero(near).astype(np.int32)
    within = inside.ravel()[index]
    face = triangle.ravel()[source[index]]
    share = shares.reshape(-1, 3)[source[index]]
    outer = np.flatnonzero(~within)
    y, x = np.divmod(index[outer], side)
    share[outer] = _continued(corners[face[outer]], np.stack([x, y], axis=1), share[outer])
    made = Texels(side, faces, index, face, share, within)
    made._corners, made._ends  # noqa: B018 (now, so that whoever keeps the texels knows how large they are)
    return made


def _widened(inside: np.ndarray, by: int) -> np.ndarray:
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return cv2.dilate(inside.astype(np.uint8), kernel) > 0


def _continued(corners: np.ndarray, texel: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """(n, 3) float32 barycentric coordinates of texels (n, 2) in the plane of triangles (n, 3, 2); `nearest` where flat."""
    a = corners[:, 0].astype(np.float64)
    ab, ac, ap = corners[:, 1] - a, corners[:, 2] - a, texel - a
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    flat = np.abs(area) < 1e-3
    area = np.where(flat, 1, area)
    v = (ap[:, 0] * ac[:, 1] - ap[:, 1] * ac[:, 0]) / area
    w = (ab[:, 0] * ap[:, 1] - ab[:, 1] * ap[:, 0]) / area
    out = np.clip(np.stack([1 - v - w, v, w], axis=1), 1 - FARTHEST_SHARE, FARTHEST_SHARE)
    out /= np.maximum(out.sum(axis=1, keepdims=True), 0.5)
    return np.where(flat[:, None], nearest, out).astype(np.float32)
