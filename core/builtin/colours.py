"""How likely a colour is on each kind of surface: histograms over CIELAB, counted where a kind is expected."""

from __future__ import annotations

import numpy as np

BINS = (16, 24, 24)
"""Of lightness, a and b."""
RANGE = ((0.0, 100.0), (-60.0, 60.0), (-60.0, 60.0))
BLUR = (1.6, 0.9, 0.9)
"""Standard deviation over which counts are spread, bins: light and shade change lightness most."""
RARE = 0.02
"""Share of every histogram that is spread evenly over all colours that the person has."""


def lab(image: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 sRGB -> (h, w, 3) float32 CIELAB."""
    import cv2

    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def bins_of(colours: np.ndarray) -> np.ndarray:
    """(..., 3) CIELAB -> (...) int64 bin."""
    low, high = np.array(RANGE).T
    place = np.clip((colours - low) / (high - low), 0, 0.999999) * BINS
    a, b, c = np.moveaxis(place.astype(np.int64), -1, 0)
    return (a * BINS[1] + b) * BINS[2] + c


def log_likelihood(bins: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n, K) float32: logarithm of the probability of (n,) colours in each of K kinds, to which they belong by weights (n, K)."""
    from scipy.ndimage import gaussian_filter

    size = int(np.prod(BINS))
    everything = gaussian_filter(np.bincount(bins, minlength=size).reshape(BINS).astype(np.float32), BLUR, mode="nearest").ravel()
    everything /= max(float(everything.sum()), 1e-9)
    out = np.zeros(weights.shape, np.float32)
    for k in range(weights.shape[1]):
        counts = np.bincount(bins, weights[:, k], size).reshape(BINS).astype(np.float32)
        counts = gaussian_filter(counts, BLUR, mode="nearest").ravel()
        total = float(counts.sum())
        share = (counts / total if total > 1 else everything) * (1 - RARE) + RARE * everything
        out[:, k] = np.log(np.maximum(share, 1e-9))[bins]
    return out
