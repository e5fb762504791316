"""Hems: where a garment is open it is turned in, so that nobody looks into a hole."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..common.rotations import unit
from .cut import loops_of
from .suit import Layer, edges_of

FOLD = 0.0025  # metres, thickness of the cloth at its hem
SUNK = 0.004  # metres under the skin where the lining ends
DEPTH = 0.022  # metres up the inside


@dataclass(frozen=True, eq=False)
class Lining:
    """What is added to a mesh of n vertices: (m, 3) vertices at rest, which vertex of the mesh each hangs on (m,), and the
    (F, 4) quads that join them, row by row for each (rows, columns) of `strips`."""

    vertices: np.ndarray
    owner: np.ndarray
    quads: np.ndarray
    strips: list[tuple[int, int]]


def lining(layer: Layer, rest: np.ndarray, above_skin: np.ndarray, rings: np.ndarray | None = None) -> Lining:
    """The lining of every open border.

    rest        (n, 3) the layer with its offset
    above_skin  (n,) metres from the skin out to it
    rings       (rows, columns) vertices of a skirt, from the hips down; it is lined up to them, for one sees far into it
    """
    n = len(rest)
    vertices, owner, quads, strips = [], [], [], []
    inwards = _inwards(rest, layer.quads)
    normals = Layer(rest, layer.quads, layer.bones, layer.weights, layer.source).normals
    count = n
    for loop in loops_of(layer.quads):
        m = len(loop)
        if m < 6:
            continue
        normal = unit(_smoothed(normals[loop], 2))
        way = unit(_smoothed(inwards[loop], 4))
        deep = _smoothed(above_skin[loop][:, None], 2)
        here = rest[loop]
        rows = [
            here - normal * FOLD,
            here - normal * np.minimum(FOLD + 0.3 * deep, deep + SUNK) + way * DEPTH * 0.6,
            here - normal * (deep + SUNK) + way * DEPTH,
        ]
        holders = [loop] * len(rows)
        if rings is not None and np.isin(loop, rings[-1]).all():
            column = np.argsort(rings[-1])[np.searchsorted(np.sort(rings[-1]), loop)]
            holders = [rings[k][column] for k in range(len(rings) - 1, -1, -1)]
            rows = [rest[held] - normals[held] * 2 * FOLD for held in holders]
            rows[-1] -= normals[holders[-1]] * (np.maximum(above_skin[holders[-1]], 0)[:, None] + SUNK)
        ring = [loop, *(count + k * m + np.arange(m) for k in range(len(rows)))]
        for a, b in pairwise(ring):
            # The border runs with the outside on its left; the lining goes on over the edge.
            quads.append(np.stack([np.roll(a, -1), a, b, np.roll(b, -1)], axis=1))
        strips.append((len(rows), m))
        vertices += rows
        owner += holders
        count += m * len(rows)
    if not vertices:
        return Lining(np.zeros((0, 3)), np.zeros(0, np.int64), np.zeros((0, 4), np.int64), [])
    return Lining(np.concatenate(vertices), np.concatenate(owner), np.concatenate(quads), strips)


def _inwards(rest: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """(n, 3) from vertices of the border to their neighbours inside."""
    edges, uses, _ = edges_of(quads)
    border = np.zeros(len(rest), bool)
    border[edges[uses == 1]] = True
    both = np.concatenate([edges, edges[:, ::-1]])
    a, b = both[border[both[:, 0]] & ~border[both[:, 1]]].T
    return np.stack([np.bincount(a, (rest[b] - rest[a])[:, k], len(rest)) for k in range(3)], axis=1)


def _smoothed(values: np.ndarray, steps: int) -> np.ndarray:
    for _ in range(steps):
        values = 0.5 * values + 0.25 * (np.roll(values, 1, axis=0) + np.roll(values, -1, axis=0))
    return values
