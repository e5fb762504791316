"""What a network looks at: a square of the photo, turned so that what is in it stands upright."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Region:
    """A turned square.

    centre  (2,) float64 pixels of the photo, integer = pixel centre
    side    pixels
    angle   radians by which it is turned clockwise as seen in the photo (x right, y down)
    """

    centre: np.ndarray
    side: float
    angle: float = 0.0

    @property
    def axes(self) -> np.ndarray:
        """(2, 2) float64: its right and its down as rows, unit vectors of the photo."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.array([[c, s], [-s, c]])

    def to_photo(self, places: np.ndarray) -> np.ndarray:
        """Places (..., 2) in the square, 0..1 from its top left corner -> pixels of the photo."""
        return self.centre + (places - 0.5) @ self.axes * self.side

    def from_photo(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of the photo (..., 2) -> places in the square, 0..1 from its top left corner."""
        return (pixels - self.centre) @ self.axes.T / self.side + 0.5

    def to_photo_3d(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) whose x, y are places in the square and whose z has the same unit -> pixels, z too."""
        return np.concatenate([self.to_photo(points[..., :2]), points[..., 2:] * self.side], axis=-1)

    def moved(self, right: float, down: float) -> Region:
        """Moved in its own axes, in sides."""
        return replace(self, centre=self.centre + np.array([right, down]) @ self.axes * self.side)

    def scaled(self, factor: float) -> Region:
        return replace(self, side=self.side * factor)

    @classmethod
    def upright(cls, tail: np.ndarray, head: np.ndarray, centre: np.ndarray, side: float) -> Region:
        """Turned so that `head` is straight above `tail`."""
        x, y = head - tail
        return cls(np.asarray(centre, np.float64), float(side), float(np.arctan2(x, -y)))

    def around(self, pixels: np.ndarray, factor: float) -> Region:
        """Turned like this one, around points (n, 2) of the photo, `factor` times as large as their longer extent."""
        own = pixels @ self.axes.T
        low, high = own.min(0), own.max(0)
        return replace(self, centre=(low + high) / 2 @ self.axes, side=float((high - low).max()) * factor)


class Picture:
    """A photo from which regions are cut, at whatever size, without the jaggies of skipped pixels.

    image  (H, W, 3) uint8 sRGB
    """

    def __init__(self, image: np.ndarray):
        self.image = image
        self._levels = _halved(image)

    @property
    def height(self) -> int:
        return self.image.shape[0]

    @property
    def width(self) -> int:
        return self.image.shape[1]

    def _level(self, pixels_per_pixel: float) -> tuple[np.ndarray, int]:
        """The photo at the smallest of its halved sizes that still has all that is asked for, and how often it was halved."""
        wanted = max(0, int(np.floor(np.log2(max(pixels_per_pixel, 1e-9)))))
        level = min(wanted, len(self._levels) - 1)
        return self._levels[level], level

    def cut(self, region: Region, size: int) -> np.ndarray:
        """(size, size, 3) uint8: what is in the region, black outside the photo."""
        import cv2

        pixels, halved = self._level(region.side / size)
        # Pixel u of the cut is at (u + 1/2) / size; pixel p of the photo is at (p + 1/2) / 2^halved - 1/2 of the level.
        step = region.axes * region.side / size
        origin = region.centre + (np.array([0.5, 0.5]) - size / 2) @ step
        shrink = 0.5**halved
        matrix = np.column_stack([(step * shrink).T, (origin + 0.5) * shrink - 0.5])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(pixels, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_CONSTANT)


def _halved(image: np.ndarray) -> list[np.ndarray]:
    """The image, and it again at half of the size, until a side is a single pixel."""
    import cv2

    levels = [image]
    while min(levels[-1].shape[:2]) >= 2:
        last = levels[-1]
        even = last[: last.shape[0] // 2 * 2, : last.shape[1] // 2 * 2]
        levels.append(cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA))
    return levels
