"""Coarse maps into the pixels of a photo along the photo's own edges, for networks that see it much smaller than it is."""

from __future__ import annotations

import cv2
import numpy as np

from ..core.capture.guided_filter import GuidedFilter

WIDE, NARROW = 16, 5
"""Radius of a window in cells. For opacity, wide enough to hold what is surely on either side of a border of which the network is
unsure; between parts, which may share their colours, only as wide as a border is blurred."""
ROUNDS = 1
"""How often opacity settles on the coarse grid, where windows hand on what they found, before it goes to the photo."""
UNSURE = (0.25, 0.75)
"""A window mixes what is on both sides of a border. Opacity that was mixed up to here, and from here on, is none and all."""
SURE, REACH = 0.9, 4
"""Where the network is so sure of a part, and as many cells around, opacity is whole: eyes and buttons are no holes."""
HOLE = 16
"""Cells up to which a hole is filled: the network sees nothing so small."""
FEWEST = 0.1
"""A part that is nowhere likelier than this is left out."""


def guided_seg(logits: np.ndarray, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits (29, h, w) -> labels (H, W) uint8 and opacity (H, W) uint8 of a photo (H, W, 3) uint8.

    The likeliest part wherever all parts together are likelier than the background.
    """
    likelihood = np.exp(logits - logits.max(axis=0))
    likelihood /= likelihood.sum(axis=0)
    parts = GuidedFilter(photo, logits.shape[1:], WIDE).upsample(_settled(1 - likelihood[0], photo))
    within = cv2.erode((1 - likelihood[0] > SURE).astype(np.float32), np.ones((2 * REACH + 1, 2 * REACH + 1)))
    parts = np.maximum(parts, cv2.resize(within, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR))
    guide = GuidedFilter(photo, logits.shape[1:], NARROW)
    labels = np.zeros(photo.shape[:2], np.uint8)
    best = np.full(photo.shape[:2], -np.inf, np.float32)
    for index in range(1, len(likelihood)):
        if likelihood[index].max() >= FEWEST:
            fine = guide.upsample(likelihood[index])
            better = fine > best
            labels[better], best[better] = index, fine[better]
    opacity = (_sure(parts) * 255 + 0.5).astype(np.uint8)
    outside = (parts <= 0.5).astype(np.uint8)
    _, island, statistics, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    cell = photo.shape[0] * photo.shape[1] / likelihood[0].size
    speck = (statistics[:, cv2.CC_STAT_AREA] <= HOLE * cell)[island] & (outside > 0)
    opacity[speck] = 255
    labels[(outside > 0) & ~speck] = 0
    return labels, opacity


def _settled(opacity: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Opacity (h, w) on the coarse grid, drawn to the edges of the photo in rounds: each sharpens what the next one spreads."""
    cells = cv2.resize(photo, opacity.shape[::-1], interpolation=cv2.INTER_AREA)
    guide = GuidedFilter(cells, opacity.shape, WIDE)
    for _ in range(ROUNDS):
        opacity = _sure(guide.upsample(opacity))
    return opacity


def _sure(opacity: np.ndarray) -> np.ndarray:
    low, high = UNSURE
    return ((opacity - low) / (high - low)).clip(0, 1)


def guided_colour(colours: np.ndarray, inside: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Colours (3, h, w) in 0..1, of which the cells `inside` (h, w) bool count -> (3, H, W) float32 in 0..1."""
    guide = GuidedFilter(photo, inside.shape, NARROW, weight=inside, edge=1e-3)
    return np.stack([guide.upsample(channel) for channel in colours]).clip(0, 1)


def guided_depth(depth: np.ndarray, inside: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Depth (h, w), of which the cells `inside` (h, w) bool count -> (H, W) float32, without the grain of the cells.

    Only strong edges of colour are followed: what is printed on a shirt has no relief.
    """
    return GuidedFilter(photo, inside.shape, NARROW, weight=inside, edge=1e-2).upsample(np.where(inside, depth, 0))
