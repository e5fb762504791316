"""Depth error estimation from the maps themselves: the depth against the slopes of the normal map, integrated along the rows.

What the normals predict from one pixel to the next is almost exact on smooth surfaces. So the difference between
both is the error of the maps, not the shape of the person. Over one pixel it is the grain of the depth. Over a few centimetres
it is the relief that the depth lacks and the waves that it invents. The error of the normals adds to it, but only in proportion
to the distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import Camera
from .depth_edges import gap_limit, pair

REACH = 0.05
"""Metres over which the relief is compared: wider than blur and grain, narrower than a limb."""

NORMAL = 0.6745
"""Median of |x| for normally distributed x of variance 1."""

ROWS = 400
"""Rows that are looked at, at most."""


@dataclass(frozen=True)
class Noise:
    """Standard errors of the depth difference between two pixels, metres, robustly estimated.

    grain   of neighbours
    relief  of pixels REACH apart
    """

    grain: float
    relief: float


def measure(z: np.ndarray, sure: np.ndarray, slope: np.ndarray, weight: np.ndarray, camera: Camera) -> Noise | None:
    """The noise of a depth map.

    z (H, W) float32 metres; sure (H, W) bool: where there is depth on a person; slope, weight (H, W-1) float32: what the
    normals say about ln(z_right / z), 0 = nothing, as of `refine.slopes`. None where no two pixels can be compared.
    """
    rows = slice(None, None, max(1, z.shape[0] // ROWS))
    z, sure, slope, weight = z[rows], sure[rows], slope[rows], weight[rows]
    first, second = pair(1)
    linked = sure[first] & sure[second] & (weight > 0)
    if not linked.any():
        return None
    logarithm = np.log(np.where(sure, z, 1).astype(np.float64))
    off = logarithm[second] - logarithm[first] - slope
    # A step from one surface to another is no noise: no comparison goes across.
    linked &= np.abs(off) * z[first] < gap_limit(z, camera)[first]
    if not linked.any():
        return None
    distance = float(np.median(z[first][linked]))
    path = np.cumsum(np.pad(np.where(linked, off, 0), ((0, 0), (1, 0))), axis=1)
    gaps = np.cumsum(np.pad(~linked, ((0, 0), (1, 0))), axis=1, dtype=np.int32)

    def error(step: int) -> float | None:
        whole = gaps[:, step:] == gaps[:, :-step]
        return distance * float(np.median(np.abs((path[:, step:] - path[:, :-step])[whole]))) / NORMAL if whole.any() else None

    grain = error(1)
    assert grain is not None  # there are links
    step = int(np.clip(round(REACH * camera.fx / distance), 1, z.shape[1] - 1))
    relief = None
    while relief is None:  # a person narrower than that is compared over what there is
        relief, step = error(step), max(1, step // 2)
    return Noise(grain, relief)
