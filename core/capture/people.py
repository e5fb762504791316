"""Who is in the photo: people found in the body-part map, from left to right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.errors import SapiensError
from ..common.landmarks import HEAD_PARTS, part_labels, part_names
from ..common.predictions import Predictions

GRID = 512
"""Longest side, cells, of the grid on which people are told apart; finer islands are noise."""
REACH = 2.5
"""Cells around a person's cells in which its pixels still belong to it: hair, fingers, the rim."""

TRUNK = ("Torso", "Upper_Clothing")

MIN_AREA = 5e-4  # of the photo: about a person 6 % as tall as the photo
MIN_SHARE = 0.08  # of the largest person: the same person three and a half times as far away
MIN_ISLAND = 0.003  # of the largest person: smaller islands are speckle
MAX_GAP = 0.25  # of the person's longer side: how far an island may be from the person that it belongs to


@dataclass(frozen=True, eq=False)
class Person:
    """One person in the photo.

    mask  (H, W) bool     the pixels that show this person
    box   (4,) float32    x1, y1, x2, y2 in pixels
    """

    mask: np.ndarray
    box: np.ndarray


@dataclass
class _Island:
    """A connected piece of foreground on the coarse grid."""

    cells: np.ndarray  # (h, w) bool
    area: int
    parts: np.ndarray  # (29,) cells of each class

    def share(self, names: tuple[str, ...]) -> float:
        return float(self.parts[part_labels(*names)].sum()) / max(self.area, 1)

    @property
    def has_head(self) -> bool:
        return self.share(HEAD_PARTS) > 0.02

    @property
    def is_whole(self) -> bool:
        """A head and something below it."""
        return 0.02 < self.share(HEAD_PARTS) < 0.9

    @property
    def extent(self) -> int:
        rows, columns = np.flatnonzero(self.cells.any(1)), np.flatnonzero(self.cells.any(0))
        return int(max(np.ptp(rows), np.ptp(columns))) + 1

    def joined(self, other: _Island) -> _Island:
        return _Island(self.cells | other.cells, self.area + other.area, self.parts + other.parts)


def find_people(seg: np.ndarray, boxes: np.ndarray | None = None) -> list[Person]:
    """People in a body-part map (H, W) uint8, from left to right; with boxes (P, 4) x1 y1 x2 y2, those people in that order.

    Without boxes a person is a connected piece of foreground, with the pieces that something in front cuts off (a forearm
    beyond a table edge, legs below it); speckle is left out. People who touch are one person: boxes tell them apart.
    Returns an empty list when there is nobody. Raises SapiensError for boxes that are no boxes or have nobody in them.
    """
    if boxes is not None:
        return _people_in_boxes(seg, check_boxes(boxes, *seg.shape))
    foreground = seg > 0
    step = -(-max(seg.shape) // GRID)
    people = _assembled(_islands(foreground, seg, step))
    if not people:
        return []
    masks = _fine_masks([person.cells for person in people], foreground, step)
    found = [Person(mask, box_of(mask)) for mask in masks if mask.any()]
    return sorted(found, key=lambda person: float(person.box[0] + person.box[2]))


def labels_of(predictions: Predictions) -> np.ndarray | None:
    """(H, W) uint8 body parts; without a segmentation, everything that has a depth and opacity counts as one part.
    None where no map tells people from what is behind them."""
    if predictions.seg is not None:
        return predictions.seg
    if predictions.pointmap is None and predictions.alpha is None:
        return None
    solid = np.ones(predictions.image.shape[:2], bool)
    if predictions.pointmap is not None:
        with np.errstate(invalid="ignore"):
            solid = np.isfinite(predictions.pointmap).all(-1) & (predictions.pointmap[..., 2] > 0)
    if predictions.alpha is not None:
        solid &= predictions.alpha > 127
    return np.where(solid, np.uint8(1), np.uint8(0))


def box_of(mask: np.ndarray) -> np.ndarray:
    """(4,) float32: the outermost pixel centres of a (H, W) bool mask with at least one pixel."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float32)


def check_boxes(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """(P, 4) float32 boxes inside the photo. Raises SapiensError for a wrong shape, or a box without area inside the photo."""
    boxes = np.atleast_2d(np.asarray(boxes, np.float32))
    if boxes.ndim != 2 or boxes.shape[1] != 4 or len(boxes) == 0:
        raise SapiensError(
            f"Boxes must be rows of x1, y1, x2, y2, not an array {boxes.shape}.", "Give four numbers for each person."
        )
    clipped = np.clip(boxes, 0, np.array([width - 1, height - 1, width - 1, height - 1], np.float32))
    good = np.isfinite(boxes).all(1) & (clipped[:, 2] - clipped[:, 0] >= 2) & (clipped[:, 3] - clipped[:, 1] >= 2)
    if not good.all():
        box = ", ".join(f"{v:g}" for v in boxes[~good][0])
        raise SapiensError(
            f"The box ({box}) has no area inside the photo.", "Give x1, y1, x2, y2 in pixels of the upright photo."
        )
    return clipped


def _blocks(array: np.ndarray, step: int) -> np.ndarray:
    """(H, W) -> (h, w, step * step): the pixels of each cell, the last cells filled with zeros."""
    height, width = (-(-side // step) for side in array.shape)
    padded = np.zeros((height * step, width * step), array.dtype)
    padded[: array.shape[0], : array.shape[1]] = array
    return padded.reshape(height, step, width, step).transpose(0, 2, 1, 3).reshape(height, width, step * step)


def _islands(foreground: np.ndarray, seg: np.ndarray, step: int) -> list[_Island]:
    """Connected pieces on the coarse grid, the largest first, without speckle."""
    from scipy import ndimage

    filled = _blocks(foreground, step).mean(-1, dtype=np.float32)
    # A majority of 3 x 3 cells: single cells of a weak network are no bridge between people.
    cells = ndimage.uniform_filter(filled, 3, mode="nearest") > 0.5
    labels = _blocks(seg, step)[..., (step * step) // 2]
    islands, count = ndimage.label(cells, np.ones((3, 3)))
    if not count:
        return []
    areas = np.bincount(islands.ravel())
    areas[0] = 0
    classes = len(part_names())
    pairs = (islands * classes + np.minimum(labels, classes - 1)).ravel()
    parts = np.bincount(pairs, minlength=(count + 1) * classes).reshape(count + 1, -1)
    order = [i for i in np.argsort(-areas, kind="stable")[:64] if areas[i] >= max(4, MIN_ISLAND * areas.max())]
    if areas.max() < MIN_AREA * cells.size:
        return []
    return [_Island(islands == i, int(areas[i]), parts[i]) for i in order]


def _assembled(islands: list[_Island]) -> list[_Island]:
    """Islands -> people: whole ones stand for themselves, the others join the person that they may be a piece of."""
    if not islands:
        return []
    largest = islands[0].area
    people = [island for island in islands if island.is_whole and island.area >= MIN_SHARE * largest]
    rest = [island for island in islands if not any(island is person for person in people)]
    if not people:
        people, rest = rest[:1], rest[1:]
    for island in rest:
        gaps = [_gap(person, island) for person in people]
        i = int(np.argmin(gaps))
        if gaps[i] <= MAX_GAP * people[i].extent and not _is_another(people[i], island):
            people[i] = people[i].joined(island)
        elif island.area >= (MIN_SHARE if island.has_head else 2 * MIN_SHARE) * largest:
            people.append(island)
    return people


def _is_another(person: _Island, island: _Island) -> bool:
    """Whether the island has what the person already has: a second head, or a second trunk of similar size."""
    if person.has_head and island.has_head and island.area > 0.02 * person.area:
        return True
    return person.share(TRUNK) > 0.15 and island.share(TRUNK) > 0.15 and island.area > 0.3 * person.area


def _gap(person: _Island, island: _Island) -> float:
    """Smallest distance between two islands, cells."""
    from scipy import ndimage

    return float(ndimage.distance_transform_edt(~person.cells)[island.cells].min())


def _fine_masks(cells: list[np.ndarray], foreground: np.ndarray, step: int) -> list[np.ndarray]:
    """Masks (H, W): the foreground pixels in or near the cells of each person, each pixel given to the nearest one."""
    owner, distance = nearest_owner(cells)
    owner[distance > REACH] = -1
    height, width = foreground.shape
    fine = owner.repeat(step, 0).repeat(step, 1)[:height, :width]
    return [foreground & (fine == i) for i in range(len(cells))]


def nearest_owner(masks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Masks (h, w) bool -> for every cell the index of the nearest mask (int16) and the distance to it (float32)."""
    from scipy import ndimage

    owner = np.full(masks[0].shape, -1, np.int16)
    for i, mask in reversed(list(enumerate(masks))):
        owner[mask] = i
    distance, (rows, columns) = ndimage.distance_transform_edt(owner < 0, return_indices=True)
    return owner[rows, columns], distance.astype(np.float32)


def _people_in_boxes(seg: np.ndarray, boxes: np.ndarray) -> list[Person]:
    """The foreground of each box. A person whom a box fits is taken whole; people who touch are divided between their boxes."""
    foreground = seg > 0
    owner = np.full(seg.shape, -1, np.int16)
    fitting = _fitting(find_people(seg), boxes)
    for i, person in fitting.items():
        owner[person.mask] = i
    rest = [i for i in range(len(boxes)) if i not in fitting]
    if rest:
        nearest = _nearest_box(boxes[rest], *seg.shape)
        free = (owner < 0) & (nearest >= 0)
        owner[free] = np.array(rest, np.int16)[nearest[free]]
    people = [Person(foreground & (owner == i), box) for i, box in enumerate(boxes)]
    for person in people:
        if not person.mask.any():
            box = ", ".join(f"{v:.0f}" for v in person.box)
            raise SapiensError(f"No person was found in the box ({box}).", "Draw the box around a whole person.")
    return people


def _fitting(people: list[Person], boxes: np.ndarray) -> dict[int, Person]:
    """Box index -> the person whom that box fits (intersection over union 0.8), but if a box that fits nobody claims part."""
    if not people:
        return {}
    theirs = np.stack([person.box for person in people])
    low = np.maximum(boxes[:, None, :2], theirs[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], theirs[None, :, 2:])
    common = np.prod(np.maximum(high - low + 1, 0), axis=-1)
    union = _areas(boxes)[:, None] + _areas(theirs)[None, :] - common
    fits = common / union >= 0.8
    pairs = {i: int(np.argmax(row)) for i, row in enumerate(fits) if row.sum() == 1}
    pairs = {i: j for i, j in pairs.items() if fits[:, j].sum() == 1}
    others = np.array([box for i, box in enumerate(boxes) if i not in pairs]).reshape(-1, 4)
    return {i: people[j] for i, j in pairs.items() if not any(_share_inside(people[j].mask, box) > 0.05 for box in others)}


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=-1)


def _share_inside(mask: np.ndarray, box: np.ndarray) -> float:
    """The share of a mask's pixels that lies in a box."""
    x1, y1, x2, y2 = np.round(box).astype(int)
    return np.count_nonzero(mask[y1 : y2 + 1, x1 : x2 + 1]) / max(np.count_nonzero(mask), 1)


def _nearest_box(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) int16: the box that each pixel is in, -1 = none; of several, the one whose centre is nearer in box sizes."""
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]
    best = np.full((height, width), np.inf, np.float32)
    owner = np.full((height, width), -1, np.int16)
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        inside = (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
        off_x, off_y = (2 * x - x1 - x2) / (x2 - x1), (2 * y - y1 - y2) / (y2 - y1)
        offset = np.where(inside, off_x * off_x + off_y * off_y, np.inf).astype(np.float32)
        closer = offset < best
        best[closer], owner[closer] = offset[closer], i
    return owner
