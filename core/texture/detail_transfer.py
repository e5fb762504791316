"""Detail transfer: a base colour that a network has blurred gets back the detail of the photo that it was predicted from.

Light changes slowly over a few pixels, so there photo = albedo · light, the light constant, and where the map is the albedo
blurred with a kernel K:  albedo = map · photo / K(photo). The same holds for display values, which are powers of linear ones.
"""

from __future__ import annotations

import numpy as np

BLURS = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)
"""Standard deviations in pixels that are tried: from a network's blur at the photo's size to a map enlarged eight times."""
FLOOR = 8.0
"""Added to display values 0..255, so that noise in the dark does not become detail."""
STRONGEST = 3.0
"""Detail changes a colour at most by this factor."""
WINDOW = 640
"""Pixels of the side of the square on which the blur is measured."""
WORTHWHILE = 0.9
"""The blurred photo must differ from the map's detail at most by this share of what the sharp photo differs."""


def add_detail(colour: np.ndarray, photo: np.ndarray, person: np.ndarray) -> np.ndarray:
    """The base colour with the detail that it lost against the photo.

    colour, photo  (H, W, 3) uint8 sRGB
    person         (H, W) bool

    Returns (H, W, 3) float32 sRGB in 0..255; `colour` itself if it is no less sharp than the photo.
    """
    import cv2

    result = colour.astype(np.float32)
    rows, columns = np.flatnonzero(person.any(axis=1)), np.flatnonzero(person.any(axis=0))
    if not len(rows):
        return result
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside = cv2.distanceTransform(np.pad(person[box].astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    sigma = blur_between(colour[box], photo[box], inside)
    if sigma is None:
        return result
    sharp = photo[box].astype(np.float32) + FLOOR
    ratio = np.clip(sharp / np.maximum(_blurred(sharp, person[box], sigma), FLOOR), 1 / STRONGEST, STRONGEST)
    # At the border the photo's detail is the background's.
    trust = np.clip((inside - 1.5) / 2, 0, 1)[..., None]
    result[box] = np.clip((result[box] + FLOOR) * (1 + trust * (ratio - 1)) - FLOOR, 0, 255)
    return result


def blur_between(colour: np.ndarray, photo: np.ndarray, inside: np.ndarray) -> float | None:
    """The standard deviation in pixels by which the base colour is more blurred than the photo; None if it is not.

    colour, photo (H, W, 3) uint8; inside (H, W) float: distance to the border of the person. It is the least blur that makes
    the photo's detail, in logarithms, more like that of the base colour than a little less and a little more blur do. Only the
    strongest tenth of the detail counts: edges stand out of the noise of either.
    """
    import cv2

    def log_luminance(image: np.ndarray) -> np.ndarray:
        return np.log(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY).astype(np.float32) + FLOOR)

    window = _window(inside > 0)
    person, inside = inside[window] > 0, inside[window]
    fine, target = log_luminance(photo[window]), log_luminance(colour[window])
    errors: list[float] = []
    for sigma in (0.0, *BLURS):
        # Compare above a frequency that follows the blur: below it the photo shows light.
        wide = 2.5 * max(sigma, 1.0)
        deep = inside > 2 * wide
        if np.count_nonzero(deep) < 1000:
            break
        wanted = (target - _blurred(target, person, wide))[deep]
        strong = np.abs(wanted) >= np.quantile(np.abs(wanted), 0.9)
        candidate = _blurred(fine, person, sigma) if sigma else fine
        found = (candidate - _blurred(candidate, person, wide))[deep]
        error = np.abs(found - wanted)[strong].mean() / max(np.abs(wanted[strong]).mean(), 1e-6)
        if errors and error > errors[-1]:
            break
        errors.append(error)
    return BLURS[len(errors) - 2] if len(errors) > 1 and errors[-1] < WORTHWHILE * errors[0] else None


def _window(person: np.ndarray) -> tuple[slice, slice]:
    """A square of WINDOW pixels around the middle of the person: enough to tell a blur."""
    if not person.any():
        return np.s_[:WINDOW, :WINDOW]
    y, x = (int(np.average(np.arange(len(count)), weights=count)) for count in (person.sum(axis=1), person.sum(axis=0)))
    half = WINDOW // 2
    return np.s_[max(0, y - half) : y + half, max(0, x - half) : x + half]


def _blurred(image: np.ndarray, person: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur that sees the person only."""
    import cv2

    mask = person.astype(np.float32)
    mass = np.maximum(cv2.GaussianBlur(mask, (0, 0), sigma), 1e-3)
    masked = image * (mask if image.ndim == 2 else mask[..., None])
    blurred = cv2.GaussianBlur(masked, (0, 0), sigma)
    return blurred / (mass if image.ndim == 2 else mass[..., None])
