"""The part of the photo that geometry is made of: a crop around the person, every n-th pixel of it.

Networks see a person through about 1024 x 768 pixels. A finer grid than theirs carries no more shape, only more vertices; so
large photos are sampled, and the maps that textures need are brought back to the photo afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..capture.camera import NETWORK_SIZE
from ..common.arrays import Camera

MARGIN = 8
"""Grid pixels around the person, for what the matte adds to the segmentation."""


@dataclass(frozen=True)
class Grid:
    """Rows top, top + step, ... and columns left, left + step, ... of a photo of height x width pixels: rows x columns of them.

    detail  pixels of the grid per pixel in which the network saw the person; under 1 for a small person
    """

    height: int
    width: int
    top: int
    left: int
    step: int
    rows: int
    columns: int
    detail: float

    @classmethod
    def around(cls, mask: np.ndarray, resolution: str | int) -> Grid:
        """The grid for the True pixels of mask (H, W), at least one; resolution as in `ScanSettings`."""
        height, width = mask.shape
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        detail = max((bottom - top) / NETWORK_SIZE[0], (right - left) / NETWORK_SIZE[1])
        step = 1 if resolution == "photo" else max(1, int(detail)) * (2 if resolution == "half" else 1)
        # Sample in the middle of blocks of step x step pixels.
        margin, middle = MARGIN * step, step // 2
        top, left = max(top - margin, 0), max(left - margin, 0)
        top, left = min(top + middle, height - 1), min(left + middle, width - 1)
        bottom, right = min(bottom + margin, height), min(right + margin, width)
        rows_, columns_ = max(1, -(-(bottom - top) // step)), max(1, -(-(right - left) // step))
        return cls(height, width, int(top), int(left), step, int(rows_), int(columns_), detail / step)

    @property
    def scale(self) -> float:
        """By how much lengths given in network pixels grow on this grid: at least 1."""
        return max(1.0, self.detail)

    @property
    def index(self) -> tuple[slice, slice]:
        """What to index a map of the photo with to get the grid."""
        return slice(self.top, self.top + self.rows * self.step, self.step), slice(
            self.left, self.left + self.columns * self.step, self.step
        )

    def camera(self, camera: Camera) -> Camera:
        """The photo's camera, for pixels of the grid."""
        s = self.step
        cx, cy = (camera.cx - self.left) / s, (camera.cy - self.top) / s
        return Camera(self.columns, self.rows, camera.fx / s, camera.fy / s, cx, cy, camera.source)

    def photo_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """(..., 2) pixel coordinates of the grid -> those of the photo."""
        return pixels * self.step + np.array([self.left, self.top])

    def nearest(self) -> tuple[slice, slice, np.ndarray, np.ndarray]:
        """The photo's rows and columns that the grid covers (slices), and the grid row and column nearest to each."""
        half = (self.step - 1) // 2
        top, left = max(self.top - half, 0), max(self.left - half, 0)
        bottom = min(self.top + self.rows * self.step - half, self.height)
        right = min(self.left + self.columns * self.step - half, self.width)
        row = np.minimum((np.arange(top, bottom) - self.top + half) // self.step, self.rows - 1)
        column = np.minimum((np.arange(left, right) - self.left + half) // self.step, self.columns - 1)
        return slice(top, bottom), slice(left, right), row, column

    def spread(self, values: np.ndarray) -> np.ndarray:
        """A map (rows, columns, ...) of the grid -> (H, W, ...) of the photo by the nearest pixel; 0 outside."""
        out = np.zeros((self.height, self.width, *values.shape[2:]), values.dtype)
        if self.step == 1:
            out[self.index] = values
            return out
        rows, columns, row, column = self.nearest()
        out[rows, columns] = values[row[:, None], column]
        return out
