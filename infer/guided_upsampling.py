"""Coarse maps into the pixels of a photo along the photo's own edges, for networks that see it much smaller than it is."""

from __future__ import annotations

import cv2
import numpy as np

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


class Guide:
    """Guided filter with a colour guide (He, Sun and Tang, PAMI 2013), on the coarse grid (He and Sun, 2015).

    In each window of the grid a value is a linear function of the photo's colour, by least squares; in a pixel of the photo
    the functions of the windows around it are averaged, and applied to its own colour.

    photo   (H, W, 3) uint8 sRGB
    shape   (h, w) of the coarse maps
    radius  of the windows, cells
    weight  (h, w) float32: how much each cell counts; None = all the same
    edge    variance of colour (0..1 squared) that counts as flat: below it a window is averaged, above it its edges are followed
    """

    def __init__(
        self, photo: np.ndarray, shape: tuple[int, ...], radius: int, weight: np.ndarray | None = None, edge: float = 3e-4
    ):
        self.photo, self._side = photo, (2 * radius + 1, 2 * radius + 1)
        self._weight = None if weight is None else weight.astype(np.float32)
        self._total = None if self._weight is None else np.maximum(self._box(self._weight), np.float32(1e-6))
        height, width = shape
        self._cells = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        self._mean = self._average(self._cells)
        pairs = [self._average(self._cells * self._cells[..., [i]]) - self._mean * self._mean[..., [i]] for i in range(3)]
        covariance = np.stack(pairs, axis=-1).astype(np.float64) + edge * np.eye(3)
        self._inverse = np.linalg.inv(covariance).astype(np.float32)

    def upsample(self, values: np.ndarray) -> np.ndarray:
        """(h, w) -> (H, W) float32. Not limited to the range of the values."""
        values = values.astype(np.float32)
        mean = self._average(values)
        covariance = self._average(self._cells * values[..., None]) - self._mean * mean[..., None]
        slope = np.einsum("hwij,hwj->hwi", self._inverse, covariance)
        offset = mean - (slope * self._mean).sum(-1)
        height, width = self.photo.shape[:2]
        result = np.zeros((height, width), np.float32)
        for channel in range(3):
            fine = cv2.resize(self._average(slope[..., channel]), (width, height), interpolation=cv2.INTER_LINEAR)
            result += fine * (self.photo[..., channel] * np.float32(1 / 255))
        return result + cv2.resize(self._average(offset), (width, height), interpolation=cv2.INTER_LINEAR)

    def _average(self, values: np.ndarray) -> np.ndarray:
        if self._weight is None or self._total is None:
            return self._box(values)
        weight, total = (self._weight, self._total) if values.ndim == 2 else (self._weight[..., None], self._total[..., None])
        return self._box(values * weight) / total

    def _box(self, values: np.ndarray) -> np.ndarray:
        """Means of the square windows around each cell."""
        return cv2.blur(values, self._side, borderType=cv2.BORDER_REFLECT)


def guided_seg(logits: np.ndarray, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits (29, h, w) -> labels (H, W) uint8 and opacity (H, W) uint8 of a photo (H, W, 3) uint8.

    The likeliest part wherever all parts together are likelier than the background.
    """
    likelihood = np.exp(logits - logits.max(axis=0))
    likelihood /= likelihood.sum(axis=0)
    parts = Guide(photo, logits.shape[1:], WIDE).upsample(_settled(1 - likelihood[0], photo))
    within = cv2.erode((1 - likelihood[0] > SURE).astype(np.float32), np.ones((2 * REACH + 1, 2 * REACH + 1)))
    parts = np.maximum(parts, cv2.resize(within, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR))
    guide = Guide(photo, logits.shape[1:], NARROW)
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
    guide = Guide(cells, opacity.shape, WIDE)
    for _ in range(ROUNDS):
        opacity = _sure(guide.upsample(opacity))
    return opacity


def _sure(opacity: np.ndarray) -> np.ndarray:
    low, high = UNSURE
    return ((opacity - low) / (high - low)).clip(0, 1)


def guided_colour(colours: np.ndarray, inside: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Colours (3, h, w) in 0..1, of which the cells `inside` (h, w) bool count -> (3, H, W) float32 in 0..1."""
    guide = Guide(photo, inside.shape, NARROW, weight=inside, edge=1e-3)
    return np.stack([guide.upsample(channel) for channel in colours]).clip(0, 1)


def guided_depth(depth: np.ndarray, inside: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Depth (h, w), of which the cells `inside` (h, w) bool count -> (H, W) float32, without the grain of the cells.

    Only strong edges of colour are followed: what is printed on a shirt has no relief.
    """
    return Guide(photo, inside.shape, NARROW, weight=inside, edge=1e-2).upsample(np.where(inside, depth, 0))
