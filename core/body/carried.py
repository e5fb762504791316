"""Means of posed points, by what each bone carries of them, and how they move with the turns of bones.

A skinned point is the mean of the places that its bones give it, so a mean of skinned points is a sum over bones: each moves,
rigidly, its weighted sum of points at rest. Joints and keypoints are such means, of four times as many points as there are sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .evaluate import Frames, Selection, parents
from .skeleton import BONES
from .template import Means, template


@dataclass(frozen=True, eq=False)
class Carried:
    """m means of the template's points, in u parts: what one bone carries of one mean.

    count       m
    bone, mean  (u,) int64 of each part, ordered by mean
    weight      (u,) float64 share of the mean; those of one add up to 1
    base        (u, 3) float64 weighted sum of the points of the template's base
    directions  (u * 3, K) float32 and units (u, 3, 52) float32: how shape coefficients and ARKit values move that sum
    first       rows (r,) of the means that have parts, and (r,) the first part of each
    """

    count: int
    bone: np.ndarray
    mean: np.ndarray
    weight: np.ndarray
    base: np.ndarray
    directions: np.ndarray
    units: np.ndarray
    first: tuple[np.ndarray, np.ndarray]

    @classmethod
    def of(cls, means: Means) -> Carried:
        """The parts of means over all of the template's points."""
        t = template()
        mean, point = means.entries.astype(np.int64).T
        weight = means.weights[:, None].astype(np.float64) * t.weights[point]
        entry, k = np.nonzero(weight)
        cell, part = np.unique(mean[entry] * len(BONES) + t.weight_bones[point[entry], k], return_inverse=True)
        points, column = np.unique(point[entry], return_inverse=True)
        share = np.zeros((len(cell), len(points)))
        np.add.at(share, (part, column), weight[entry, k])
        selection, moves = Selection.of(points), unit_directions(points)
        of_means = cell // len(BONES)
        single = share.astype(np.float32)
        return cls(
            means.count,
            cell % len(BONES),
            of_means,
            share.sum(axis=1),
            share @ selection.base,
            (single @ selection.directions.reshape(len(points), -1)).reshape(len(cell) * 3, -1),
            (single @ moves.reshape(len(points), -1).astype(np.float32)).reshape(len(cell), 3, -1),
            np.unique(of_means, return_index=True),
        )

    def rest(self, coefficients: np.ndarray, face: np.ndarray) -> np.ndarray:
        """(u, 3) float64 the parts at rest."""
        return _of_shape(self, coefficients.astype(np.float32).tobytes()) + self.units @ face.astype(np.float32)

    def placed(self, skeleton: Frames, rest: np.ndarray) -> np.ndarray:
        """(u, 3) where its bone puts each part."""
        shift = skeleton.heads - np.einsum("bij,bj->bi", skeleton.turns, skeleton.rest)
        return np.einsum("uij,uj->ui", skeleton.turns[self.bone], rest) + self.weight[:, None] * shift[self.bone]

    def summed(self, parts: np.ndarray) -> np.ndarray:
        """(m, ...) sums of (u, ...) parts; NaN where a mean has none."""
        out = np.full((self.count, *parts.shape[1:]), np.nan, parts.dtype)
        out[self.first[0]] = np.add.reduceat(parts, self.first[1], axis=0)
        return out


@lru_cache(maxsize=4)
def _of_shape(carried: Carried, coefficients: bytes) -> np.ndarray:
    """(u, 3) float64 the parts at rest without a face: of somebody known, all frames ask for the same."""
    return carried.base + (carried.directions @ np.frombuffer(coefficients, np.float32)).reshape(-1, 3)


def unit_directions(points: np.ndarray) -> np.ndarray:
    """(n, 3, 52) how the ARKit shapes move (n,) of the points at rest."""
    t = template()
    row = np.full(len(t.base), -1)
    row[points] = np.arange(len(points))
    at = row[t.unit_entries[:, 1]]
    out = np.zeros((len(points), 3, len(t.unit_names)))
    kept = at >= 0
    out[at[kept], :, t.unit_entries[kept, 0]] = t.unit_offsets[kept]
    return out


def levers(skeleton: Frames, bone: np.ndarray, row: np.ndarray, placed: np.ndarray, weight: np.ndarray, count: int) -> np.ndarray:
    """(B, 3, count) float32 of each bone b and row: the sum over the bones c that b carries of w_c (x_c - H_b).

    bone, row       (u,) of each part of a row, each pair at most once
    placed, weight  (u, 3) w_c x_c, and (u,) w_c
    """
    moved = np.zeros((len(BONES), 4, count), np.float32)
    moved[bone, :3, row], moved[bone, 3, row] = placed, weight
    for child in range(len(BONES) - 1, 0, -1):  # children come after their parents
        moved[parents()[child]] += moved[child]
    return moved[:, :3] - moved[:, 3:] * skeleton.heads.astype(np.float32)[..., None]


def _parent_turns(skeleton: Frames) -> np.ndarray:
    """(B, 3, 3) float32 turns of the parents; the first bone has none."""
    parent = parents()
    return np.where((parent >= 0)[:, None, None], skeleton.turns[parent], np.eye(3)).astype(np.float32)


def turn_slopes(skeleton: Frames, arm: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """(n, 3, b * 3) float32 derivatives of n points, or means, by small turns exp(e) R of some (b,) bones, e in the axes of the
    frame of each one's parent; arm: (B, 3, n) the `levers` of the points.

    A bone moves what it and the bones on it carry: dx = d x sum_c w_c (x_c - H_b), d = A_parent e.
    """
    x, y, z = np.repeat(arm[bones], 3, axis=0).swapaxes(0, 1)
    a, b, c = _parent_turns(skeleton)[bones].swapaxes(0, 1).reshape(3, -1, 1)
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x]).T.swapaxes(1, 2)


def turn_slopes_along(skeleton: Frames, arm: np.ndarray, directions: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """(n, b * 3) float32 derivatives of (n, 3) directions . points: `turn_slopes`, without the other axes."""
    (x, y, z), (a, b, c) = arm[bones].swapaxes(0, 1), directions.astype(np.float32).T
    across = np.stack([y * c - z * b, z * a - x * c, x * b - y * a], axis=1)
    return np.matmul(_parent_turns(skeleton)[bones].swapaxes(1, 2), across).reshape(3 * len(bones), len(directions)).T


def carried_by_shape(skeleton: Frames, head_slopes: np.ndarray) -> np.ndarray:
    """(B, 3, S) derivatives by the shape of where a bone puts a point that the shape does not move, from those of the (B, 3, S)
    bones' heads at rest."""
    moved = np.empty_like(head_slopes)
    moved[0] = head_slopes[0]
    for bone, parent in enumerate(parents()[1:], 1):
        moved[bone] = moved[parent] + skeleton.turns[parent] @ (head_slopes[bone] - head_slopes[parent])
    return moved - np.einsum("bij,bjs->bis", skeleton.turns, head_slopes)
