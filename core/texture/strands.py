"""Strands of hair where no photo looks: fine light and dark lines from the whorl down, and their relief.

Hair grows from the whorl outwards and hangs. Lines of one azimuth about the vertical axis through the whorl follow it well enough
on heads of any haircut. Across them the pattern is a sum of octaves of noise, along them it changes slowly; an octave counts
where its strands are neither finer than the texels nor broader than locks, so strands are as broad at the whorl as at the tips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.colour import LUMINANCE
from .project import smoothstep

OCTAVES = (12, 24, 48, 96, 192, 384, 768)
"""Cells of noise round the axis."""
FINEST = (1.5, 3.0)
"""Texels across a cell between which an octave comes in."""
BROADEST = (0.004, 0.02)
"""Metres across a cell between which it goes out."""
LONG = 24.0
"""Length of a cell along the strand, in its breadth at arm's length of the axis."""
ARM = 0.09
"""Metres from the axis to the hair of most heads."""
WAVES = (9, 0.08, 0.08)
"""Waves of the strands: cells round the axis, metres along it, radians."""
STEEP = 0.1
"""Height of the relief over the breadth of a cell."""
FAINTEST, STRONGEST = 0.04, 0.14
"""Standard deviation of the strands' brightness, as a share of the hair's tone."""
HINTED = 0.6
"""Of what photos show: behind, no strand lies where the true one does, and a calmer guess is a better one."""
STRAND = 0.003
"""Metres across the strands that photos of a whole person show."""
FAINT = 2.0
"""Steps of 255, standard deviation of the strands' brightness, below which the photo shows none."""
CAP = 0.06
"""Metres below the top of the hair within which it says where the head's middle is."""
BEHIND = 0.03
"""Metres from there back to the whorl."""
SEED = 308


@dataclass(frozen=True, eq=False)
class Strands:
    """Of n points: `shade` (n,) float32 brightness of mean 0 and standard deviation 1; `height` (n,) float32 metres of relief."""

    shade: np.ndarray
    height: np.ndarray


def strands(points: np.ndarray, whorl: np.ndarray, texel: float) -> Strands:
    """The strands at points of hair.

    points  (n, 3) float metres at rest, z up
    whorl   (3,) where the hair grows from
    texel   metres: nothing finer is drawn

    Deterministic: the same points give the same strands.
    """
    x, y, z = (np.asarray(points, np.float32) - np.asarray(whorl, np.float32)).T
    radius = np.maximum(np.hypot(x, y), np.float32(1e-4))
    turns = np.arctan2(y, x) / np.float32(2 * np.pi)
    # Over the crown the way along a strand grows with the radius, at the sides with the drop.
    way = radius - z
    rng = np.random.default_rng(SEED)
    around, length, radians = WAVES
    turns = turns + np.float32(radians / (2 * np.pi)) * _noise(
        rng, around, turns, way / np.float32(length), np.arange(len(radius))
    )
    shade, height, power = (np.zeros(len(radius), np.float32) for _ in range(3))
    for cells in OCTAVES:
        breadth = np.float32(2 * np.pi / cells) * radius
        share = smoothstep(breadth / np.float32(texel), FINEST) * (1 - smoothstep(breadth, BROADEST))
        at = np.flatnonzero(share)
        line = share[at] * _noise(rng, cells, turns, way * np.float32(cells / (2 * np.pi * ARM * LONG)), at)
        shade[at] += line
        height[at] += np.float32(STEEP) * breadth[at] * line
        power[at] += share[at] * share[at]
    return Strands(shade / np.sqrt(np.maximum(power, 0.25)), height)


def seen_height(fine: np.ndarray) -> np.ndarray:
    """(n,) float32 metres: the relief of strands that photos show, of which the bright ones lie on the dark ones.

    fine  (n, 3) float sRGB 0..255 beyond the low frequencies
    """
    bright = fine @ LUMINANCE
    return np.float32(STEEP * STRAND) * np.clip(bright / max(_deviation(bright), FAINT), -2, 2)


def relief(height: np.ndarray, texel: float) -> np.ndarray:
    """(H, W, 3) float32 tangent-space normals, +y up, of a height (H, W) in metres over the texels of a map."""
    down, across = np.gradient(height, np.float32(texel))
    out = np.stack([-across, down, np.ones_like(height)], axis=-1)
    return out / np.linalg.norm(out, axis=-1, keepdims=True)


def shade_of(fine: np.ndarray, tone: np.ndarray) -> np.ndarray:
    """(3,) float32 sRGB 0..255: one standard deviation of the strands' colour.

    fine  (n, 3) float what photos show of the hair beyond its low frequencies; few or none = as faint as can be
    tone  (3,) sRGB 0..255 of the hair
    """
    tone = np.asarray(tone, np.float32)
    light = float(max(tone @ LUMINANCE, 8.0))
    # Strands of dark and of light hair differ in how much light comes back, not in hue.
    return tone * np.float32(np.clip(HINTED * _deviation(fine @ LUMINANCE) / light, FAINTEST, STRONGEST))


def whorl_of(points: np.ndarray) -> np.ndarray:
    """(3,) float64: the highest place behind the middle of the head's hair.

    points  (n, 3) metres at rest, z up, +y to the back
    """
    top = points[:, 2].max()
    cap = points[points[:, 2] > top - CAP]
    x, y = np.median(cap[:, 0]), np.median(cap[:, 1]) + BEHIND
    near = np.argsort(np.hypot(points[:, 0] - x, points[:, 1] - y) + 0.5 * np.maximum(top - points[:, 2] - CAP, 0))[:50]
    return np.array([x, y, np.median(points[near, 2])])


def _deviation(bright: np.ndarray) -> float:
    """The standard deviation of a brightness (n,), of most of it: a parting or a clasp does not count. 0 of none."""
    return float(np.subtract(*np.percentile(bright, (84, 16))) / 2) if len(bright) else 0.0


def _noise(rng: np.random.Generator, cells: int, turns: np.ndarray, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(m,) float32 of mean 0 and standard deviation about 1: noise with `cells` a turn and one a row, smooth between them, at
    the points of the numbers `at` (m,)."""
    start = rows.min(initial=0)
    count = int(np.ceil(rows.max(initial=0) - start)) + 2
    table = rng.standard_normal((cells, count)).astype(np.float32)
    u, v = (turns[at] % 1) * np.float32(cells), rows[at] - start
    i, j = np.minimum(u.astype(np.int32), cells - 1), v.astype(np.int32)
    s, t = smoothstep(u - i, (0, 1)), smoothstep(v - j, (0, 1))
    table = table.ravel()
    first, second = i * count + j, (i + 1) % cells * count + j
    left = table[first] * (1 - t) + table[first + 1] * t
    right = table[second] * (1 - t) + table[second + 1] * t
    out = left * (1 - s) + right * s
    # Between the cells noise is fainter than at them.
    return out / np.sqrt(np.maximum((s * s + (1 - s) ** 2) * (t * t + (1 - t) ** 2), 0.25))
