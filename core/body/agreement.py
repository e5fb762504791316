"""Photos of one person often show one posture: somebody stands, and the camera, or they, turn round. What one photo leaves open,
as the bones of a back or an arm behind the body, is then known from the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..common.arrays import Pose
from ..common.landmarks import SIDES, joint_index
from ..common.rotations import fit_rigid, vector_from_rotation
from .evaluate import Posture
from .skeleton import BONES
from .state import TURNING, columns

LIMBS = [
    *(joint_index(f"{side}_{name}") for side in SIDES for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")),
    *(joint_index(name) for name in ("pelvis", "neck", "head")),
]
FEWEST = 6
"""Joints that both photos must show."""
SPREAD = np.radians(0.4)
"""Standard deviation of a bone's turn between two photos of one posture, if they show it exactly."""
NOISE, DRAWN_NOISE = 0.015, 0.05
"""Metres between the joints of two photos of one posture, going by maps of a network and by maps that are drawn.

Measured 6 to 9 mm on exact maps, 10 to 25 on those of a network, 40 to 56 on drawn ones; on exact maps 30 to 50 where every bone
turned by 2 degrees between the photos, 50 to 90 where by 5, over 160 where by 20."""
MOVED = 4.0
"""Times that from which on nothing is shared: the postures are different ones."""
APART = np.radians(15.0)
"""Difference from which on a bone is taken to have moved between two photos (there Geman and McClure's weight is a quarter)."""


def spread_between(one: Pose, other: Pose, noise: float = NOISE) -> float:
    """Radians by which bones are thought to turn between two photos; infinite where they share too few joints, or where the
    postures are different ones.

    noise  metres by which the joints of one posture differ

    It goes by the median distance of the joints that both show, once one photo's are brought onto the other's: a joint that is
    hidden and was put anywhere does not count.
    """
    both = (one.seen & other.seen)[LIMBS]
    if both.sum() < FEWEST:
        return np.inf
    a, b = (pose.positions[LIMBS][both].astype(np.float64) for pose in (one, other))
    turn, scale, shift = fit_rigid(a, b, np.ones(len(a)))
    apart = float(np.median(np.linalg.norm(scale * a @ turn.T + shift - b, axis=1)))
    return SPREAD * (1 + (apart / noise) ** 2) if apart < MOVED * noise else np.inf


@dataclass(frozen=True, eq=False)
class Agreement:
    """How the bones of a person turn in several photos, but for the root, where they agree: a residual of each pair of photos.

    pairs    (P, 2) rows of photos
    weights  (P, B) one over the standard deviation, less where they differ
    turns    (P, B, 3) radians by which the turns of the first photo of a pair lead those of the second
    """

    pairs: np.ndarray
    weights: np.ndarray
    turns: np.ndarray

    @classmethod
    def of(cls, postures: Sequence[Posture], spreads: np.ndarray) -> Agreement:
        """spreads: (P,) `spread_between` of all pairs, in the order of itertools.combinations."""
        pairs = np.array(list(combinations(range(len(postures)), 2)), np.int64).reshape(-1, 2)
        if not len(pairs):
            return cls(pairs, np.zeros((0, len(BONES))), np.zeros((0, len(BONES), 3)))
        turns = _differences(postures, pairs)
        weights = 1 / (1 + (np.linalg.norm(turns, axis=2) / APART) ** 2) / spreads[:, None] / np.sqrt(max(len(postures) - 1, 1))
        weights[:, 0] = 0  # the root is how the camera stands
        return cls(pairs, weights, turns)

    def cost(self, postures: Sequence[Posture] | None = None) -> float:
        """The sum of squares, also of other postures with the same weights."""
        if not len(self.pairs):
            return 0.0
        turns = self.turns if postures is None else _differences(postures, self.pairs)
        return float((self.weights[..., None] ** 2 * turns**2).sum())

    def add_to(self, normal: np.ndarray, gradient: np.ndarray, own: np.ndarray) -> None:
        """Adds its part to the normal equations, in place.

        normal, gradient  over the free columns of each photo in turn, then what they share
        own               columns of a state's vector that are free in each photo, ascending

        A step turns a bone from the left, and turns that agree are near each other: their difference moves by that of the steps.
        """
        turns = columns()["turns"]
        moving = np.flatnonzero((own >= turns.start) & (own < turns.stop))
        turning, axis = np.divmod(own[moving] - turns.start, 3)
        bones = TURNING[turning]
        for (one, other), weights, apart in zip(self.pairs, self.weights, self.turns, strict=True):
            a, b = one * len(own) + moving, other * len(own) + moving
            square = weights[bones] ** 2
            normal[a, a] += square
            normal[b, b] += square
            normal[a, b] -= square
            normal[b, a] -= square
            gradient[a] += square * apart[bones, axis]
            gradient[b] -= square * apart[bones, axis]


def _differences(postures: Sequence[Posture], pairs: np.ndarray) -> np.ndarray:
    """(P, B, 3) radians."""
    turns = np.stack([posture.turns for posture in postures])
    return vector_from_rotation(np.einsum("pbij,pbkj->pbik", turns[pairs[:, 0]], turns[pairs[:, 1]]))
