"""A scan's surface as a coarse graph: a few thousand patches with their neighbours, cheap enough to walk and to smooth on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .data import MeshData

NEIGHBOURS = 8


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

    def graph(self, weights: np.ndarray | None = None):
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
        near = around[self.patch]
        offset = self.centres[near] - mesh.vertices[:, None, :]
        share = np.exp(-np.einsum("vnk,vnk->vn", offset, offset) / (0.9 * self.spacing) ** 2).astype(np.float32)
        share[near < 0] = 0
        share[:, 0] += 1e-6
        share /= share.sum(axis=1, keepdims=True)
        mean = np.einsum("vn,vnk->vk", share, offset)
        offset -= mean[:, None, :]
        moment = np.swapaxes(share[..., None] * offset, 1, 2) @ offset
        moment += np.eye(3, dtype=np.float32) * (0.25 * self.spacing) ** 2
        tilt = np.linalg.solve(moment, mean[..., None])[..., 0]
        share *= 1 - np.clip(np.einsum("vnk,vk->vn", offset, tilt), -1, 1)
        share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
        # The value of column c at neighbour k of each patch, once per patch, then mixed per vertex.
        table = np.take_along_axis(values[np.maximum(around, 0)], columns[:, None, :], axis=2)  # (N, NEIGHBOURS + 1, count)
        return columns[self.patch], np.einsum("vn,vnc->vc", share, table[self.patch])

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

    Vertices share a patch when they lie in one cell of the photo, have one label, and are connected within it; so an arm in front of or
    beside the trunk is never in a patch with it.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    vertices, faces = mesh.vertices, mesh.faces.astype(np.int64)
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
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
