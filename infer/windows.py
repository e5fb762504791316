"""Which parts of a photo the network looks at. A small person in a large photo is seen through a window of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.capture.people import Person, nearest_owner

MIN_GAIN = 1.5
"""A window is worth a pass of its own when it shows the person so many times larger than the whole photo does."""
MARGIN = 0.125
"""Around the person on each side, of its longer side: room for hair and hands that the first look missed, and context."""
OWNER_GRID = 768
"""Longest side, cells, of the grid on which pixels are given to people."""


@dataclass(frozen=True)
class Region:
    """Rows y1..y2 and columns x1..x2 of a photo, the ends excluded."""

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)"""
        return self.y2 - self.y1, self.x2 - self.x1

    def of(self, array: np.ndarray) -> np.ndarray:
        """The region of an array (H, W, ...): a view."""
        return array[self.y1 : self.y2, self.x1 : self.x2]

    @classmethod
    def whole(cls, height: int, width: int) -> Region:
        return cls(0, 0, width, height)


def plan_regions(people: list[Person], height: int, width: int, input_size: tuple[int, int]) -> list[Region]:
    """The region through which to look at each person: the whole photo, or a window around a person who is small in it."""
    whole = Region.whole(height, width)
    regions = []
    for person in people:
        window = _window(person.box, height, width, input_size)
        gain = _scale(window, input_size) / _scale(whole, input_size)
        regions.append(window if gain >= MIN_GAIN else whole)
    return regions


def _scale(region: Region, input_size: tuple[int, int]) -> float:
    """Network pixels per photo pixel when the region fills the input."""
    return min(input_size[0] / region.size[0], input_size[1] / region.size[1])


def _window(box: np.ndarray, height: int, width: int, input_size: tuple[int, int]) -> Region:
    """The box with its margin, enlarged to the aspect of the input and moved into the photo, where it fits."""
    x1, y1, x2, y2 = (float(v) for v in box)
    margin = MARGIN * max(x2 - x1, y2 - y1, 8.0)
    box_width, box_height = x2 - x1 + 1 + 2 * margin, y2 - y1 + 1 + 2 * margin
    aspect = input_size[1] / input_size[0]
    box_width, box_height = max(box_width, box_height * aspect), max(box_height, box_width / aspect)
    spans = []
    for centre, span, side in (((x1 + x2) / 2, box_width, width), ((y1 + y2) / 2, box_height, height)):
        span = min(round(span), side)
        start = min(max(round(centre - (span - 1) / 2), 0), side - span)
        spans.append((start, start + span))
    (left, right), (top, bottom) = spans
    return Region(left, top, right, bottom)


def owners(people: list[Person], height: int, width: int) -> np.ndarray:
    """(H, W) int16: the person to whom a pixel may belong, by the nearest mask; -1 = too far from everybody.

    The reach around a mask is what its first, coarse look may have missed: 4 % of the person, at least two cells.
    """
    step = -(-max(height, width) // OWNER_GRID)
    masks = [person.mask[step // 2 :: step, step // 2 :: step] for person in people]
    for mask, person in zip(masks, people, strict=True):
        if not mask.any():  # thinner than a cell
            rows, columns = np.nonzero(person.mask)
            mask[min(rows[0] // step, mask.shape[0] - 1), min(columns[0] // step, mask.shape[1] - 1)] = True
    owner, distance = nearest_owner(masks)
    reach = np.array([max(2.0, 0.04 * max(p.box[2] - p.box[0], p.box[3] - p.box[1]) / step) for p in people], np.float32)
    owner[distance > reach[owner]] = -1
    # Each cell stands for the pixels around its centre; the last ones are repeated where the photo does not end on a cell.
    rows = np.minimum(np.arange(height) // step, owner.shape[0] - 1)
    columns = np.minimum(np.arange(width) // step, owner.shape[1] - 1)
    return owner[rows[:, None], columns[None, :]]
