"""Stripes that lie aslant or bent over a surface at rest, made level, so that they go on round it as sharp as they are seen.

A body that leans, a shirt that hangs and a fit that is some millimetres off bend what was knitted straight. Rows of one colour,
taken straight across, would blur it.
"""

from __future__ import annotations

import numpy as np

STRIP, STEP = 0.025, 0.0015
"""Metres: the width of strips down the surface whose stripes are compared with their neighbours', and one row of a strip."""
WINDOW = 0.2
"""Metres of a strip that are compared at a time; windows overlap by half."""
REACH = 0.009
"""Metres by which stripes move from one strip to the next, at most: less than half of one and of what is beside it."""
ALIKE = 0.6
"""Correlation of neighbouring strips from which their shift is believed."""
CONTRAST = 5.0
"""Standard deviation of the light along a strip, 0..255, below which there are no stripes to compare."""
SHARPER = 1.05
"""Times the variance of rows, by which it must grow: else the surface stays as it is."""
FEWEST = 4
"""Shifts that are believed, at least: as many as the field has terms across."""
STIFF = 1e-3
"""Ridge of the fit, beside 1 for each shift; terms are scaled to about 1."""


def levelled(along: np.ndarray, across: np.ndarray, seen: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """(V,) float32 metres along the body at which level stripes would stand that are seen on a surface.

    along   (V,) metres along the axis that stripes cross, of all vertices
    across  (V,) metres across it, 0 in the middle of the body
    seen    n samples: along, across, and their light 0..255, each (n,)

    Where the samples have no stripes, or are no sharper for it, `along` comes back.
    """
    field = _field(*seen)
    if field is None:
        return along
    return (along - field(along, across)).astype(np.float32)


class _Field:
    """Metres by which stripes stand farther along at (along, across); beyond what is seen as at its border."""

    def __init__(self, along: np.ndarray, across: np.ndarray):
        self.low = np.array([along.min(), across.min()])
        self.high = np.array([along.max(), across.max()])
        self.coefficients = np.zeros(6)

    def __call__(self, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        return self.terms(along, across) @ self.coefficients

    def terms(self, along: np.ndarray, across: np.ndarray) -> np.ndarray:
        """(n, 6): 0 in the middle, where the stripes stay."""
        x = np.clip(across, self.low[1], self.high[1]) / max(np.abs([self.low[1], self.high[1]]).max(), 1e-6)
        middle, half = (self.low[0] + self.high[0]) / 2, max((self.high[0] - self.low[0]) / 2, 1e-6)
        a = (np.clip(along, self.low[0], self.high[0]) - middle) / half
        return np.stack([x, x**2, x**3, x * a, x**2 * a, x**3 * a], axis=1)


def _field(along: np.ndarray, across: np.ndarray, light: np.ndarray) -> _Field | None:
    """How the stripes of samples are bent; None where there are none, or where it is of no use."""
    if len(along) < 1000 or np.ptp(across) < 3 * STRIP:
        return None
    field = _Field(along, across)
    profiles, first = _profiles(along, across, light)
    places, shifts, weights = [], [], []
    for start in range(0, max(profiles.shape[1] - int(WINDOW / STEP) // 2, 1), int(WINDOW / STEP) // 2):
        window = profiles[:, start : start + int(WINDOW / STEP)]
        height = along.min() + (start + window.shape[1] / 2) * STEP
        for side in (1, -1):
            total, believed = 0.0, 1.0
            strip = first
            while 0 <= strip + side < len(window):
                shift, alike = _shift(window[strip], window[strip + side])
                believed *= float(np.clip((alike - ALIKE) / (1 - ALIKE), 0, 1)) ** 0.5
                if believed < 0.05:
                    break
                total, strip = total + shift, strip + side
                places.append((height, (strip - first) * STRIP))
                shifts.append(total)
                weights.append(believed)
    if len(shifts) < FEWEST:
        return None
    terms = field.terms(*np.array(places).T) * np.array(weights)[:, None]
    square = terms.T @ terms + STIFF * len(shifts) * np.eye(terms.shape[1])
    field.coefficients = np.linalg.solve(square, terms.T @ (np.array(shifts) * weights))
    sharper = _row_variance(along - field(along, across), light) > SHARPER * _row_variance(along, light)
    return field if sharper else None


def _profiles(along: np.ndarray, across: np.ndarray, light: np.ndarray) -> tuple[np.ndarray, int]:
    """(strips, rows) mean light of strips down the surface, NaN where nothing is seen, and which strip is the middle one."""
    strip = np.floor(across / STRIP + 0.5).astype(np.int64)
    first = -int(strip.min())
    row = ((along - along.min()) / STEP).astype(np.int64)
    shape = first + int(strip.max()) + 1, int(row.max()) + 1
    number = (strip + first) * shape[1] + row
    count = np.bincount(number, minlength=shape[0] * shape[1])
    total = np.bincount(number, light, minlength=shape[0] * shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return (total / count).reshape(shape), int(np.clip(first, 0, shape[0] - 1))


def _shift(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Metres by which the stripes of another strip stand farther along, and how alike the strips are then, -1..1."""
    reach = int(REACH / STEP)
    scores = np.full(2 * reach + 1, -1.0)
    for step in range(-reach, reach + 1):
        a, b = (one[: len(one) - step], other[step:]) if step >= 0 else (one[-step:], other[: len(other) + step])
        both = np.isfinite(a) & np.isfinite(b)
        if np.count_nonzero(both) < 0.3 * len(one):
            continue
        a, b = a[both] - a[both].mean(), b[both] - b[both].mean()
        if min(a.std(), b.std()) > CONTRAST:
            scores[step + reach] = float((a * b).mean() / (a.std() * b.std()))
    found = int(scores.argmax())
    best = float(scores[found])
    if 0 < found < 2 * reach and scores[[found - 1, found + 1]].min() > -1:  # a parabola through the three
        before, at, after = scores[found - 1 : found + 2]
        fine = 0.5 * (before - after) / min(before - 2 * at + after, -1e-9)
        return (found - reach + float(np.clip(fine, -0.5, 0.5))) * STEP, best
    return (found - reach) * STEP, best if 0 < found < 2 * reach else -1.0


def _row_variance(along: np.ndarray, light: np.ndarray) -> float:
    """The variance of the mean light of rows, weighted by their samples."""
    row = ((along - along.min()) / (2 * STEP)).astype(np.int64)
    count = np.bincount(row)
    mean = np.bincount(row, light) / np.maximum(count, 1)
    return float((count * (mean - light.mean()) ** 2).sum() / count.sum())
