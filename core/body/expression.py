"""How the points of a face have moved, as values of the ARKit shapes: least squares with bounds, leaning to a calm face."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.landmarks import keypoint_names
from ..pose.anatomy import rigid_head_weights
from .carried import unit_directions
from .character import stature
from .evaluate import Shape
from .priors import FACE_SPREAD
from .template import template

FIRST_POINT = 70
"""The keypoint that the moves of a face begin with."""
POINT_SPREAD = 0.005  # metres, of a point that many others move with
LEAST_GAIN = 2.0  # a shape that explains less than this, in variances, is left out
SWEEPS = 40
STILL_WEIGHT = 0.9  # of `rigid_head_weights`, of points on nose and round the eyes; ears are often under hair
BY_BONES = ("eyeLook", "tongue")
"""How the names of shapes begin that no points of the face tell: eyes turn with their bones, and nobody sees the tongue."""


@dataclass(frozen=True, eq=False)
class _System:
    """The shapes' normal equations.

    chosen  (m,) rows of the ARKit shapes that are looked for
    slopes  (238 * 3, m) POINT_SPREADs of a point's move per unit of a shape
    normal  (m, m)
    still   (238,) bool: points that no expression moves, so that what they move by is noise
    """

    chosen: np.ndarray
    slopes: np.ndarray
    normal: np.ndarray
    still: np.ndarray


@cache
def _system() -> _System:
    t = template()
    points = np.unique(t.keypoints.entries[:, 1])
    moves = t.keypoints.over(points).of(unit_directions(points))[FIRST_POINT:]
    names = keypoint_names()[FIRST_POINT:]
    moves[["iris" in name or "pupil" in name for name in names]] = 0.0  # they tell where the eyes look
    chosen = np.array([k for k, name in enumerate(t.unit_names) if not name.startswith(BY_BONES)])
    slopes = np.nan_to_num(moves[..., chosen]).reshape(-1, len(chosen)) / POINT_SPREAD
    return _System(chosen, slopes, slopes.T @ slopes, rigid_head_weights()[FIRST_POINT:] > STILL_WEIGHT)


def arkit_values(moves: np.ndarray) -> np.ndarray:
    """(F, 52) values 0..1 of the ARKit shapes that explain the moves; 0 for those of `BY_BONES`.

    moves  (F, 238, 3) of the keypoints of the face from a calm face, as a share of stature, head axes
           (`core.retarget.head_motion.face_moves`)

    The sum of squares with bounds is solved shape by shape, over and over, for all frames at once. A face that is small in the
    picture is a noisy one, which shows at the points that cannot move by themselves: it leans to a calm face the more.
    """
    system = _system()
    own = moves.astype(np.float64) * (stature(tuple(Shape().numbers().tolist())) / POINT_SPREAD)
    noise = (own[:, system.still] ** 2).mean(axis=(1, 2))  # (F,) variances
    ridge = (1 + noise) / FACE_SPREAD**2
    by_chance = np.sqrt(noise[:, None] * np.diag(system.normal))
    pull = own.reshape(len(own), -1) @ system.slopes - LEAST_GAIN - by_chance  # less what the values explain already
    values = np.zeros_like(pull)
    for _ in range(SWEEPS):
        for shape in range(values.shape[1]):
            whole = pull[:, shape] + system.normal[shape, shape] * values[:, shape]
            better = np.clip(whole / (system.normal[shape, shape] + ridge), 0.0, 1.0)
            pull -= np.outer(better - values[:, shape], system.normal[shape])
            values[:, shape] = better
    out = np.zeros((len(moves), len(template().unit_names)))
    out[:, system.chosen] = values
    return out
