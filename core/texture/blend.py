"""Colours of several photos made one: the same exposure, and no seams where one takes over from another.

Low and high frequencies are blended apart (Burt and Adelson, "A Multiresolution Spline with Application to Image Mosaics", 1983):
the low ones over the whole overlap, so that no step in brightness is left, the high ones almost from the best photo alone, so
that detail which does not quite coincide is not drawn twice.
"""

from __future__ import annotations

import numpy as np

SHARPNESS = 8.0
"""Power of belief and quality by which the photos share the high frequencies; the low ones take 1.5."""
FIRST = 2.0
"""How much more the first photo counts than another that sees a point as well: surfaces stand as they do in it,
and lie on the others only as well as bodies could be fitted to them."""
LARGEST_GAIN = 0.35
"""Natural logarithm of what an exposure is corrected by at most; what differs more is another colour."""
FEWEST = 30
"""Points that two photos must both see before their exposures are compared."""


def exposure_gains(colours: np.ndarray, belief: np.ndarray) -> np.ndarray:
    """Factors that make photos alike where they see the same points.

    colours  (K, n, 3) float, of K photos at n points
    belief   (K, n) float 0..1, how far each sees them

    Returns (K, 3) float32 by which to multiply. The logarithms of all pairs' median ratios are met by least squares, and add up
    to zero over the photos; photos without overlap stay as they are.
    """
    count = len(colours)
    light = np.log(np.maximum(colours, 0) + 8.0)
    rows, wanted = [], []
    for a in range(count):
        for b in range(a + 1, count):
            both = np.minimum(belief[a], belief[b]) > 0.5
            if np.count_nonzero(both) >= FEWEST:
                weight = np.sqrt(min(np.count_nonzero(both), 2000))
                row = np.zeros(count)
                row[a], row[b] = weight, -weight
                rows.append(row)
                wanted.append(weight * np.median(light[b][both] - light[a][both], axis=0))
    if not rows:
        return np.ones((count, 3), np.float32)
    matrix, target = np.array(rows), np.array(wanted)
    # The smallest corrections that do it: their sum is zero within every group of photos that overlap.
    logs = np.linalg.lstsq(matrix, target, rcond=None)[0]
    return np.exp(np.clip(logs, -LARGEST_GAIN, LARGEST_GAIN)).astype(np.float32)


def blend_shares(belief: np.ndarray, quality: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How K photos share n points.

    belief   (K, n) float32 0..1, how far each sees them
    quality  (K, n) float32, how well: pixels per metre across the surface

    The first photo is the one in which the surface stands. Returns shares (K, n) float32 of the low frequencies and of the high
    ones, which add up to 1 where a point is seen, and how far it is seen at all (n,) float32 0..1.
    """
    known = 1 - np.prod(1 - belief, axis=0)
    value = belief * quality
    value[:1] *= FIRST
    relative = value / np.maximum(value.max(axis=0), 1e-12)
    shares = []
    for power in (1.5, SHARPNESS):
        part = relative**power
        shares.append((part / np.maximum(part.sum(axis=0), 1e-12)).astype(np.float32))
    return shares[0], shares[1], known.astype(np.float32)
