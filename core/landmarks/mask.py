"""Which pixels show a person: the body's network says it on 256 x 256 pixels, the photo's own edges make it sharp."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..capture.guided_filter import GuidedFilter
from .body import Body
from .networks import PERSON_MASK, run
from .regions import Picture, Region

CELLS = 400
"""Cells of the longer side of the grid on which the mask is compared with the photo."""
RADIUS = 4
"""Half the window of the guided filter, cells."""
FLAT = 1e-4
"""Variance of colour that counts as none."""
LEAST = 0.02
"""Where the network sees less than this, nothing is added."""
UNSURE = (0.1, 0.9)
"""Opacities between which the network does not know."""
REACH, STRIDE, SAMPLES = 40, 4, 3
"""Cells to each side among which colours are compared, every how many of them, and how many of the most alike count."""
ALIKE, COLOUR = 3.0, 3.0
"""Distance in CIELAB below which colours are the same, and how much colour weighs beside the network."""
SOLID = 0.3
"""Pixels of more than this hold together."""
ISLAND = 0.04
"""Pieces smaller than this share of the largest are left out; a forearm beyond a table's edge is larger."""
CLOSE = 0.5
"""When less of the body's square than this is in the photo, it is a portrait, and the network for portraits has its say."""


@dataclass(frozen=True, eq=False)
class Mask:
    """Opacity of a person in the part of the photo that holds them.

    opacity  (h, w) float32, 0..1
    left     column of the photo where it begins
    top      row of the photo where it begins
    """

    opacity: np.ndarray
    left: int
    top: int

    def in_photo(self, height: int, width: int) -> np.ndarray:
        """(height, width) float32: the same for the whole photo."""
        whole = np.zeros((height, width), np.float32)
        h, w = self.opacity.shape
        whole[self.top : self.top + h, self.left : self.left + w] = self.opacity
        return whole

    def box(self) -> np.ndarray | None:
        """(4,) float64: x1, y1, x2, y2 of the pixels that are more person than not; None if there are none."""
        solid = self.opacity > 0.5
        rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
        if not len(rows):
            return None
        return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float64) + np.tile([self.left, self.top], 2)

    def share_in(self, other: Mask) -> float:
        """0..1: how much of the pixels that are more person than not is so in another mask too."""
        solid, theirs = self.opacity > 0.5, other.opacity > 0.5
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + solid.shape[0], other.top + theirs.shape[0])
        right = min(self.left + solid.shape[1], other.left + theirs.shape[1])
        if bottom <= top or right <= left:
            return 0.0
        mine = solid[top - self.top : bottom - self.top, left - self.left : right - self.left]
        theirs = theirs[top - other.top : bottom - other.top, left - other.left : right - other.left]
        return float((mine & theirs).sum() / max(solid.sum(), 1))


def person_mask(picture: Picture, body: Body, within: np.ndarray | None = None) -> Mask:
    """The person's mask, of at least one pixel. within (4,): a box that it must not leave."""
    import cv2

    limits = np.array([0, 0, picture.width - 1, picture.height - 1], np.float64)
    if within is not None:
        limits = np.clip(within, limits[[0, 1, 0, 1]], limits[[2, 3, 2, 3]])
    y, x = np.nonzero(body.opacity > 0.1)
    seen = np.column_stack([x, y]) if len(x) else np.array([[0, 0], [255, 255]])
    pixels = body.region.to_photo((seen + 0.5) / body.opacity.shape[0])
    low, high = pixels.min(0), pixels.max(0)
    margin = 0.05 * (high - low).max()
    left, top = np.floor(np.clip(low - margin, limits[:2], limits[2:])).astype(int)
    right, bottom = np.ceil(np.clip(high + margin, limits[:2], limits[2:])).astype(int)
    photo = picture.image[top : bottom + 1, left : right + 1]
    height, width = photo.shape[:2]
    step = max(1.0, max(height, width) / CELLS)
    grid = max(1, round(height / step)), max(1, round(width / step))
    origin = np.array([left, top], np.float64)
    cells = _cells(body.opacity, body.region, grid, origin, (height, width))
    if _share_in_photo(picture, body.region) < CLOSE:
        square = Region(body.region.centre, 1.0, body.region.angle).around(np.clip(pixels, limits[:2], limits[2:]), 1.1)
        portrait = run(PERSON_MASK, picture.cut(square, PERSON_MASK.size))["activation_10"][0, 0]
        cells = np.where(cells > LEAST, (cells + _cells(portrait, square, grid, origin, (height, width))) / 2, cells)
    cells = _by_colour(cells, cv2.resize(photo, grid[::-1], interpolation=cv2.INTER_AREA))
    if min(grid) < 2 * RADIUS + 1:
        return Mask(_resized(cells, height, width), int(left), int(top))
    sharp = GuidedFilter(np.ascontiguousarray(photo), grid, RADIUS, edge=FLAT).upsample(cells)
    sharp[_resized(cells, height, width) < LEAST] = 0
    return Mask(_without_islands(np.clip(sharp, 0, 1)), int(left), int(top))


def _by_colour(cells: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """(h, w) float32 opacity of cells, where the network is unsure by their colour too: whether it is rather like that of cells
    near by which are surely the person's, or of those which are surely not (as sampling does for alpha mattes, Wang and Cohen,
    "Optimized Color Sampling for Robust Matting", CVPR 2007).

    colours  (h, w, 3) uint8 sRGB
    """
    import cv2

    low, high = UNSURE
    unsure = (cells > low) & (cells < high)
    if not unsure.any():
        return cells
    lab = cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    steps = np.mgrid[-REACH : REACH + 1 : STRIDE, -REACH : REACH + 1 : STRIDE].reshape(2, -1)
    steps = steps[:, np.hypot(*steps) <= REACH]
    row, column = (at[:, None] + step for at, step in zip(np.nonzero(unsure), steps, strict=True))
    inside = (row >= 0) & (row < cells.shape[0]) & (column >= 0) & (column < cells.shape[1])
    row, column = np.clip(row, 0, cells.shape[0] - 1), np.clip(column, 0, cells.shape[1] - 1)
    apart = np.linalg.norm(lab[row, column] - lab[unsure][:, None], axis=-1)
    sampled = cells[row, column]

    def nearest(among: np.ndarray) -> np.ndarray:
        """(n,) mean distance of the SAMPLES most alike; inf where there are fewer."""
        return np.partition(np.where(among & inside, apart, np.inf), SAMPLES - 1, axis=1)[:, :SAMPLES].mean(axis=1)

    person, other = nearest(sampled >= high), nearest(sampled <= low)
    told = np.isfinite(person) & np.isfinite(other)
    ratio = (np.where(told, other, 0) + ALIKE) / (np.where(told, person, 0) + ALIKE)
    odds = cells[unsure] / (1 - cells[unsure]) * ratio**COLOUR
    out = cells.copy()
    out[unsure] = odds / (1 + odds)
    return out


def _without_islands(opacity: np.ndarray) -> np.ndarray:
    """The opacity without pieces that are small and apart: of somebody else, of a bag, of the ground."""
    import cv2

    count, pieces, table, _ = cv2.connectedComponentsWithStats((opacity > SOLID).astype(np.uint8))
    areas = table[1:, cv2.CC_STAT_AREA]
    if count < 3:
        return opacity
    kept = np.concatenate([[True], areas >= ISLAND * areas.max()])
    return np.where(kept[pieces], opacity, np.float32(0))


def _resized(cells: np.ndarray, height: int, width: int) -> np.ndarray:
    import cv2

    return cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)


def _cells(opacity: np.ndarray, region: Region, grid: tuple[int, int], origin: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) float32: the opacity in a region, at the centres of the cells of a part of the photo."""
    import cv2

    pixels = opacity.shape[0]
    step = np.array([size[1] / grid[1], size[0] / grid[0]])  # pixels of the photo in a cell, x and y
    first = region.from_photo(origin - 0.5 + step / 2) * pixels - 0.5
    across = region.axes / region.side * pixels
    matrix = np.column_stack([across * step, first])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(np.ascontiguousarray(opacity), matrix, (grid[1], grid[0]), flags=flags)


def _share_in_photo(picture: Picture, region: Region) -> float:
    y, x = np.divmod(np.arange(32 * 32), 32)
    pixels = region.to_photo((np.column_stack([x, y]) + 0.5) / 32)
    return float(((pixels >= 0) & (pixels <= [picture.width - 1, picture.height - 1])).all(1).mean())
