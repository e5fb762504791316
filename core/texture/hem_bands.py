"""Bands of colour along the hems of a garment: a collar, a cuff, the rim of a sock go on round where no photo looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

REACH = (0.025, 0.04)
"""Metres from a hem over which a band runs out."""
FARTHEST = 2 * REACH[1]
"""Metres from a hem up to which distances are measured."""
TWINS = 0.05
"""Metres between the middle of a hem and the mirror image of another's, up to which they are two of a pair: sleeves, socks."""


@dataclass(frozen=True, eq=False)
class Hems:
    """Where the vertices of a garment lie from the hems of its outside.

    distance  (V, H) float32 metres over the surface from the nearest hem, FARTHEST at most
    near      (V, H) float32 0 or 1: which hem is the nearest; nowhere beyond FARTHEST
    twin      (H,) int: the hem of the other side, or the hem itself
    """

    distance: np.ndarray
    near: np.ndarray
    twin: np.ndarray

    @staticmethod
    def of(rest: np.ndarray, quads: np.ndarray, inside: np.ndarray) -> Hems:
        """The hems of a garment, which are the open borders of its outside. What lines it is as near to them.

        rest    (V, 3) float metres, left and right of x = 0
        quads   (F, 4) int
        inside  (F,) bool: those that line it
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components, dijkstra

        count = len(rest)
        sides = np.concatenate([quads[~inside][:, [k, (k + 1) % 4]] for k in range(4)])
        sides = sides[sides[:, 0] != sides[:, 1]]
        _, first, uses = np.unique(np.sort(sides, axis=1), axis=0, return_index=True, return_counts=True)
        border = sides[first[uses == 1]]
        starts = np.unique(border)
        if not len(starts):
            return Hems.none(count)
        a, b = np.concatenate([quads[:, pair] for pair in ((0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3))]).T
        length = np.linalg.norm(rest[a].astype(np.float64) - rest[b], axis=1)
        # An edge of two faces stands here twice; of two entries of one place a sparse array would make the sum.
        both, at = np.unique(np.sort(np.stack([a, b], axis=1), axis=1), axis=0, return_index=True)
        paths = coo_array((length[at], (both[:, 0], both[:, 1])), shape=(count, count)).tocsr()
        far, _, origin = dijkstra(paths, directed=False, indices=starts, limit=FARTHEST, min_only=True, return_predecessors=True)
        loops = connected_components(coo_array((np.ones(len(border)), tuple(border.T)), shape=(count, count)), directed=False)[1]
        number = np.full(count, -1)
        number[starts] = np.unique(loops[starts], return_inverse=True)[1]
        reached = np.flatnonzero(np.isfinite(far))
        distance = np.repeat(np.minimum(far, FARTHEST)[:, None], number.max() + 1, axis=1).astype(np.float32)
        near = np.zeros(distance.shape, np.float32)
        near[reached, number[origin[reached]]] = 1
        middle = np.stack([np.bincount(number[starts], rest[starts, k]) for k in range(3)], axis=1)
        middle /= np.bincount(number[starts])[:, None]
        apart = np.linalg.norm(middle[:, None] * (-1, 1, 1) - middle[None], axis=2)
        twin = np.where(apart.min(axis=1) < TWINS, apart.argmin(axis=1), np.arange(len(middle)))
        return Hems(distance, near, twin)

    @staticmethod
    def none(count: int) -> Hems:
        """Of a surface of so many vertices that is nowhere open."""
        nowhere = np.zeros((count, 0), np.float32)
        return Hems(nowhere, nowhere, np.zeros(0, np.int64))


def at_hem(distance: np.ndarray, near: np.ndarray, reach: tuple[float, float] = REACH) -> np.ndarray:
    """(n, 1) float32 0..1: how far a hem counts at places that are (n, H) from each and near (n, H) to it: wholly within the
    first metres of `reach`, and not beyond the second."""
    share = near @ np.ones(near.shape[1], np.float32)  # numpy's sums over a few columns take several times as long
    nearest = np.einsum("nh,nh->n", distance, near) / np.maximum(share, np.float32(1e-6))
    close = np.clip((reach[1] - nearest) / (reach[1] - reach[0]), 0, 1)
    return (close * np.clip(share, 0, 1))[:, None]
