"""The inner edges of the lips, which `tools.samples.landmarks` puts on the upper lip alike:
told apart by what a jaw takes along."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.spatial import cKDTree

from .body import load_body

# Where the points of a lip lie from the right corner of the mouth to the left, as in `tools.samples.landmarks`.
_FRACTION = {"midpoint_3": 1 / 8, "midpoint_1": 2 / 8, "midpoint_4": 3 / 8, "center": 4 / 8,
             "midpoint_5": 5 / 8, "midpoint_2": 6 / 8, "midpoint_6": 7 / 8}  # fmt: skip
_INNER = 0.88  # width of the opening over the width of the lips


@cache
def inner_lips() -> dict[str, int]:
    """Keypoint name -> vertex of the body: where the closed lips meet, the upper one's points and the lower one's."""
    body = load_body()
    shut, _ = body.rest({}, {})
    open_, _ = body.rest({}, {"jawOpen": 1.0})
    moved = np.linalg.norm(open_ - shut, axis=1)
    front = (body.lips > 0.5) & ~body.inside & ~body.tongue & (body.head[:, 2] < 0.5)
    lips = np.flatnonzero(front)
    x, y = shut[lips, 0], shut[lips, 1]
    with_jaw = moved[lips] > 0.5 * moved[lips].max()
    ends = x.min(), x.max()
    found = {}
    for part, own in (("upper", ~with_jaw), ("lower", with_jaw)):
        # Nearest to the other lip, and of those in front: behind them the lips go on into the mouth.
        gap, _ = cKDTree(shut[lips[~own]]).query(shut[lips])
        for name, fraction in _FRACTION.items():
            at = _INNER * (ends[0] + (ends[1] - ends[0]) * fraction)
            cost = gap + 0.4 * (y - y.min()) + 2.0 * np.abs(x - at)
            found[f"{name}_of_{part}_inner_lip"] = int(lips[np.argmin(np.where(own, cost, np.inf))])
    return found
