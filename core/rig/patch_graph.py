"""A scan's surface as a coarse graph: a few thousand patches with their neighbours, cheap enough to walk and to smooth on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..common.arrays import MeshData

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

NEIGHBOURS = 8
CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of a mesh; only surfaces that the mesh connects are neighbours.

    patch      (V,) int64        patch of each vertex
    centres    (N, 3) float32    metres
    labels     (N,) int64        body part of the patch
    edges      (E, 2) int64      pairs of neighbouring patches, each pair once, smaller index first
    spacing    metres between neighbours, median
    """

    patch: NDArray[np.int64]
    centres: NDArray[np.float32]
    labels: NDArray[np.int64]
    edges: NDArray[np.int64]
    spacing: float

    def graph(self, weights: np.ndarray | None = None) -> csr_matrix:
        """(N, N) symmetric scipy CSR matrix with the (E,) weights, by default the distances in metres, on the edges."""
        from scipy.sparse import coo_matrix

        a, b = self.edges.T
        if weights is None:
            weights = np.linalg.norm(self.centres[a] - self.centres[b], axis=1)
        n = len(self.centres)
        return coo_matrix((np.r_[weights, weights], (np.r_[a, b], np.r_[b, a])), shape=(n, n)).tocsr()

    def smooth(self, values: np.ndarray, distance: float) -> np.ndarray:
        """(N, n) values spread over `distance` metres along the surface (standard deviation of the random walk)."""
        from scipy.sparse import diags

        if not len(self.edges):
            return values
        graph = self.graph(np.ones(len(self.edges), np.float32))
        degree = np.asarray(graph.sum(axis=1)).ravel()
        walk = diags(1 / np.maximum(degree, 1)) @ graph
        # One step keeps half of a value and moves half by one spacing: variance spacing^2 / 2 per step, along two axes.
        steps = int(np.clip(np.ceil(4 * (distance / max(self.spacing, 1e-6)) ** 2), 1, 200))
        alone = degree == 0
        for _ in range(steps):
            values = 0.5 * values + 0.5 * np.where(alone[:, None], values, walk @ values)
        return values

    def distances(self, sources: np.ndarray) -> np.ndarray:
        """(N,) metres along the surface from the nearest of the (N,) bool sources; inf where none can be reached."""
        from scipy.sparse.csgraph import dijkstra

        if not sources.any() or not len(self.edges):
            return np.where(sources, 0.0, np.inf)
        return dijkstra(self.graph(), directed=False, indices=np.flatnonzero(sources), min_only=True)

    def spread(self, mesh: MeshData, values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(N, n) values of patches at the vertices: the `count` columns that matter most around each vertex' patch.

        Returns columns (V, count) int64 and their values (V, count) float32.

        A Gaussian mean of a vertex' own and neighbouring patches, corrected to first order (moving least squares), so that values
        that change evenly along the surface come out without steps. Never outside the range of the values.
        """
        around = self._neighbours()  # (N, NEIGHBOURS + 1), -1 = none
        values = np.ascontiguousarray(values, np.float32)
        count = min(count, values.shape[1])
        matter = values[np.maximum(around, 0)].max(axis=1)  # a patch stands in for neighbours that it lacks: 0 is harmless
        columns = np.argpartition(matter, matter.shape[1] - count, axis=1)[:, -count:]
        # The value of column c at neighbour k of each patch, once per patch, then mixed per vertex.
        table = np.take_along_axis(values[np.maximum(around, 0)], columns[:, None, :], axis=2)  # (N, NEIGHBOURS + 1, count)
        out = np.empty((len(self.patch), count), np.float32)
        for start in range(0, len(self.patch), CHUNK):  # as many vertices as fit into the processor's cache
            patch = self.patch[start : start + CHUNK]
            share = self._shares(mesh.vertices[start : start + CHUNK], around[patch])
            out[start : start + CHUNK] = (share[:, None] @ table[patch])[:, 0]
        return columns[self.patch], out

    def _shares(self, vertices: np.ndarray, near: np.ndarray) -> np.ndarray:
        """(n, k) float32: what each of the (n, k) patches `near` counts at each of (n, 3) vertices; rows sum to 1."""
        # One array (k, n) per axis: long rows are what the processor adds up fastest.
        x, y, z = (np.ascontiguousarray((self.centres[:, axis][near] - vertices[:, axis, None]).T) for axis in range(3))
        share = np.exp((x * x + y * y + z * z) * np.float32(-1 / (0.9 * self.spacing) ** 2))
        share[near.T < 0] = 0
        share[0] += 1e-6
        share /= share.sum(axis=0)
        mean = [(share * axis).sum(axis=0) for axis in (x, y, z)]
        for axis, middle in zip((x, y, z), mean, strict=True):
            axis -= middle
        # The upper half of the symmetric moment, and the solution of moment @ tilt = mean by its adjugate.
        give = np.float32((0.25 * self.spacing) ** 2)
        wx, wy, wz = share * x, share * y, share * z
        xx, yy, zz = ((weighted * axis).sum(axis=0) + give for weighted, axis in ((wx, x), (wy, y), (wz, z)))
        xy, xz, yz = ((weighted * axis).sum(axis=0) for weighted, axis in ((wx, y), (wx, z), (wy, z)))
        a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
        d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
        mx, my, mz = mean
        inverse = 1 / (xx * a + xy * b + xz * c)
        tilt = [(p * mx + q * my + r * mz) * inverse for p, q, r in ((a, b, c), (b, d, e), (c, e, f))]
        share *= 1 - np.clip(x * tilt[0] + y * tilt[1] + z * tilt[2], -1, 1)
        share /= np.maximum(share.sum(axis=0), 1e-9)
        return share.T

    def _neighbours(self) -> NDArray[np.int64]:
        """(N, NEIGHBOURS + 1): each patch and its neighbours, -1 = fewer."""
        n = len(self.centres)
        out = np.full((n, NEIGHBOURS + 1), -1)
        out[:, 0] = np.arange(n)
        source, target = np.concatenate([self.edges, self.edges[:, ::-1]]).T
        order = np.argsort(source, kind="stable")
        source, target = source[order], target[order]
        place = np.arange(len(source)) - np.searchsorted(source, source)
        fits = place < NEIGHBOURS
        out[source[fits], place[fits] + 1] = target[fits]
        return out


def make_patches(mesh: MeshData, count: int = 5000) -> Patches:
    """About `count` patches of nearby vertices with one label.

    Vertices share a patch when they lie in one cell of the photo, have one label, and are connected within it; so an arm in front
    of or beside the trunk is never in a patch with it.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    vertices, faces = mesh.vertices, mesh.faces
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])  # the third side of a triangle adds no connection
    edge = np.linalg.norm(vertices[faces[:, 0]] - vertices[faces[:, 1]], axis=1)
    side = float(np.median(edge)) * max(1.0, np.sqrt(len(vertices) / count)) if len(faces) else 1.0
    scale = side / max(float(np.median(vertices[:, 2])), 1e-6)
    cell_x = np.floor(vertices[:, 0] / vertices[:, 2] / scale).astype(np.int64)
    cell_y = np.floor(vertices[:, 1] / vertices[:, 2] / scale).astype(np.int64)
    key = np.zeros(len(vertices), np.int64)
    for part in (cell_x, cell_y, mesh.labels.astype(np.int64)):
        part = part - part.min()
        key = key * (int(part.max()) + 1) + part
    within = pairs[key[pairs[:, 0]] == key[pairs[:, 1]]]
    inside = coo_matrix((np.ones(len(within), bool), (within[:, 0], within[:, 1])), shape=(len(vertices),) * 2)
    patch = connected_components(inside, directed=False)[1].astype(np.int64)
    _, first = np.unique(patch, return_index=True)
    size = np.bincount(patch)
    centres = np.stack([np.bincount(patch, vertices[:, k]) / size for k in range(3)], axis=1).astype(np.float32)
    ends = patch[pairs]
    ends = np.sort(ends[ends[:, 0] != ends[:, 1]], axis=1)
    packed = np.unique(ends[:, 0] * len(size) + ends[:, 1])
    edges = np.stack([packed // len(size), packed % len(size)], axis=1)
    length = np.linalg.norm(centres[edges[:, 0]] - centres[edges[:, 1]], axis=1)
    return Patches(patch, centres, mesh.labels[first].astype(np.int64), edges, float(np.median(length)) if len(length) else side)
