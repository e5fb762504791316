"""Guided filter with a colour guide (He, Sun and Tang, "Guided Image Filtering", PAMI 2013), fitted on a coarse grid (He and Sun,
"Fast Guided Filter", 2015).

In each window of the grid a value is a linear function of the photo's colour, by least squares. In a pixel of the photo the
functions of the windows around it are averaged, and applied to its own colour.
"""

from __future__ import annotations

import numpy as np

UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""Places of a symmetric 3 x 3 matrix that say all of it."""


class ColourWindows:
    """The statistics of colour in the square windows around each cell of a grid.

    cells   (h, w, 3) float32: the colour of each cell, 0..1
    radius  of the windows, cells
    weight  (h, w) float32: how much each cell counts; None = all the same
    mean    (h, w, 3) float32: of the colour in each window
    """

    def __init__(self, cells: np.ndarray, radius: int, weight: np.ndarray | None = None):
        self.cells, self._side = cells, (2 * radius + 1, 2 * radius + 1)
        self._weight = None if weight is None else weight.astype(np.float32)
        self._total = None if self._weight is None else np.maximum(self._box(self._weight), np.float32(1e-6))
        self.mean = self.average(cells)

    def average(self, values: np.ndarray) -> np.ndarray:
        """(h, w) or (h, w, C) float32 -> the same: weighted means of the windows."""
        if self._weight is None or self._total is None:
            return self._box(values)
        weight, total = (self._weight, self._total) if values.ndim == 2 else (self._weight[..., None], self._total[..., None])
        return self._box(values * weight) / total

    def covariance(self) -> np.ndarray:
        """(h, w, 6) float32: of the colour with itself, in the places UPPER."""
        square = self.average(np.stack([self.cells[..., i] * self.cells[..., j] for i, j in UPPER], axis=-1))
        for k, (i, j) in enumerate(UPPER):
            square[..., k] -= self.mean[..., i] * self.mean[..., j]
        return square

    def covariance_with(self, values: np.ndarray, mean: np.ndarray) -> np.ndarray:
        """(h, w, 3) float32: of the colour with values (h, w) whose average is `mean`."""
        return self.average(self.cells * values[..., None]) - self.mean * mean[..., None]

    def _box(self, values: np.ndarray) -> np.ndarray:
        import cv2

        return cv2.blur(values, self._side, borderType=cv2.BORDER_REFLECT)


def symmetric(upper: np.ndarray, flat: float) -> np.ndarray:
    """(..., 6) in the places UPPER -> (..., 3, 3) with `flat`, the variance of colour that counts as none,
    added to the diagonal."""
    out = np.empty((*upper.shape[:-1], 3, 3), upper.dtype)
    for k, (i, j) in enumerate(UPPER):
        out[..., i, j] = out[..., j, i] = upper[..., k]
    out += flat * np.eye(3, dtype=upper.dtype)
    return out


def inverse(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) of symmetric positive definite matrices, by cofactors: ten times as fast as LAPACK on many small ones."""
    columns = np.moveaxis(matrices, -1, 0)
    cofactors = np.stack([np.cross(columns[(k + 1) % 3], columns[(k + 2) % 3]) for k in range(3)], axis=-2)
    return cofactors / (cofactors[..., 0, :] * columns[0]).sum(-1)[..., None, None]


class GuidedFilter:
    """Maps of a coarse grid brought into the pixels of a photo along the photo's own edges; one guide for many maps.

    photo   (H, W, 3) uint8 sRGB
    shape   (h, w) of the coarse maps
    radius  of the windows, cells
    weight  (h, w) float32: how much each cell counts; None = all the same
    edge    variance of colour (0..1 squared) that counts as flat: below it a window is averaged, above it its edges are followed
    """

    def __init__(
        self, photo: np.ndarray, shape: tuple[int, ...], radius: int, weight: np.ndarray | None = None, edge: float = 3e-4
    ):
        import cv2

        height, width = shape
        self.photo = photo
        cells = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        self._windows = ColourWindows(cells, radius, weight)
        self._inverse = inverse(symmetric(self._windows.covariance().astype(np.float64), edge)).astype(np.float32)

    def upsample(self, values: np.ndarray) -> np.ndarray:
        """(h, w) -> (H, W) float32. Not limited to the range of the values."""
        import cv2

        windows, values = self._windows, values.astype(np.float32)
        mean = windows.average(values)
        slope = np.einsum("hwij,hwj->hwi", self._inverse, windows.covariance_with(values, mean))
        offset = mean - (slope * windows.mean).sum(-1)
        height, width = self.photo.shape[:2]
        result = np.zeros((height, width), np.float32)
        for channel in range(3):
            fine = cv2.resize(windows.average(slope[..., channel]), (width, height), interpolation=cv2.INTER_LINEAR)
            result += fine * (self.photo[..., channel] * np.float32(1 / 255))
        return result + cv2.resize(windows.average(offset), (width, height), interpolation=cv2.INTER_LINEAR)
