"""How far out hair or a hat reaches in every direction round the head, and where there is any: seen, mirrored, or guessed.

Directions are cells of a capsule round the head: rows of latitude over its middle, rows of height below, columns of azimuth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..surface.sparse_solver import factored
from .head_space import Head

COLUMNS = 96
UPPER_ROWS = 24
ROW = 0.006  # metres, of the lower rows
FEWEST = 2  # pixels in a cell that count
HAIR_SHARE = 0.3  # of a cell's pixels
OVERHANG = 0.008  # metres over skin in the same direction
MANY = 6  # pixels in a cell that are enough to be sure
SHELL = 0.02  # metres behind the outermost points of a cell that belong to the same surface
COVER = 0.0025  # metres over the skin, at least
THINNEST, THICKEST = 0.002, 0.12  # metres over the skull
BEHIND_BODY = 0.12  # metres that hair goes on where something in front hides its end
BEHIND_NECK = 0.3  # cosine of the azimuth from the back, beyond which a neck hides what is behind it
BROAD = 0.03  # metres that it is wider than the neck where it goes on for so long
BELOW = 6  # rows under the lowest that has any
TAPER = 0.06  # metres before a hidden end over which it gets narrower
FRONT = 0.78  # share of the way from the back to the front beyond which a strand hangs before the shoulder
BACK = 0.2  # metres to the side that the back reaches, without the arms
ROUNDED = 0.005  # pull of what is not seen to as much as along the outline: within some centimetres, as a ball goes on round
OUTLINE = -0.3  # cosine of the azimuth from the back, beyond which a border of what is seen is no outline but a hairline
LONG_OUTLINE = 12  # cells
HANGING_DEPTH = 0.022  # metres over the back of hair that lies on it


@dataclass(frozen=True, eq=False)
class Capsule:
    """Cells round a head. middle: (3,) of the half ball; lowest: z where the rows end."""

    middle: np.ndarray
    lowest: float

    @classmethod
    def round_head(cls, head: Head, lowest: float) -> Capsule:
        above = head.skull[head.skull[:, 2] > head.eye_level]
        depth = (above[:, 1].min() + above[:, 1].max()) / 2
        return cls(np.array([0.0, depth, head.eye_level]), min(lowest, head.eye_level - 10 * ROW) - BELOW * ROW)

    @property
    def rows(self) -> int:
        return UPPER_ROWS + int(np.ceil((self.middle[2] - self.lowest) / ROW))

    @property
    def heights(self) -> np.ndarray:
        """(rows,) z of the rows' middles; of the upper ones, on a ball of 10 cm."""
        upper = np.radians(90 * (UPPER_ROWS - 0.5 - np.arange(UPPER_ROWS)) / UPPER_ROWS)
        lower = -(np.arange(self.rows - UPPER_ROWS) + 0.5) * ROW
        return self.middle[2] + np.concatenate([0.1 * np.sin(upper), lower])

    @property
    def azimuths(self) -> np.ndarray:
        """(COLUMNS,) radians: 0 = back, to the person's left up to pi = front."""
        return (np.arange(COLUMNS) + 0.5) / COLUMNS * 2 * np.pi

    def place(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row and column as fractions (n,), whole at the middles of cells, and the radius, of (n, 3) points."""
        x, y, z = (points - self.middle).T
        flat = np.hypot(x, y)
        upper = z >= 0
        latitude = np.degrees(np.arctan2(np.maximum(z, 0), np.maximum(flat, 1e-9)))
        row = np.where(upper, UPPER_ROWS * (1 - latitude / 90), UPPER_ROWS - z / ROW) - 0.5
        column = (np.arctan2(x, y) / (2 * np.pi) * COLUMNS) % COLUMNS - 0.5
        return row, column, np.where(upper, np.hypot(flat, z), flat)

    def cells(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) cell of each point, row by row, and its radius; points below the lowest row belong to that."""
        row, column, radius = self.place(points)
        row = np.clip(np.rint(row), 0, self.rows - 1).astype(np.int64)
        return row * COLUMNS + np.rint(column).astype(np.int64) % COLUMNS, radius

    def at(self, values: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Values (rows, COLUMNS) at (n, 3) points, linear between the middles of cells."""
        from scipy.ndimage import map_coordinates

        row, column, _ = self.place(points)
        around = np.concatenate([values[:, -1:], values, values[:, :1]], axis=1)
        return map_coordinates(around, [np.clip(row, 0, self.rows - 1), column + 1], order=1, mode="nearest")

    def outermost(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rows, COLUMNS) number of points, and mean radius of those on the outermost surface, NaN where there are none."""
        cell, radius = self.cells(points)
        size = self.rows * COLUMNS
        far = np.full(size, -np.inf)
        np.maximum.at(far, cell, radius)
        near = radius > far[cell] - SHELL
        count = np.bincount(cell[near], minlength=size)
        with np.errstate(invalid="ignore"):
            mean = np.bincount(cell[near], radius[near], minlength=size) / np.where(count, count, np.nan)
        return np.bincount(cell, minlength=size).reshape(-1, COLUMNS), mean.reshape(-1, COLUMNS)


@dataclass(frozen=True, eq=False)
class Envelope:
    """Of one piece.

    radius    (rows, COLUMNS) metres from the capsule's axis
    there     (rows, COLUMNS) 0..1: how surely the piece covers the cell
    reach     (rows, 2) metres to the left and right of the head's middle plane, at most
    depth     (rows,) metres over the skin, at least; more where it lies on the back
    """

    capsule: Capsule
    radius: np.ndarray
    there: np.ndarray
    reach: np.ndarray
    depth: np.ndarray

    def field(self, points: np.ndarray, body: np.ndarray) -> np.ndarray:
        """(n,) metres, negative inside, at (n, 3) points of head space; body: (n,) signed distance to the skin."""
        along, _, radius = self.capsule.place(points)
        outer = radius - self.capsule.at(self.radius, points)
        row = np.clip(np.rint(along), 0, self.capsule.rows - 1).astype(np.int64)
        lying = points[:, 1] > self.capsule.middle[1]
        outer = np.minimum(outer, body - np.where(lying, self.depth[row], COVER))
        beside = (0.5 - self.capsule.at(self.there, points)) * 2.5 * ROW
        side = (points[:, 0] < 0).astype(np.int64)
        width = np.abs(points[:, 0]) - self.reach[row, side]
        return np.maximum(np.maximum(outer, beside), width)


def scalp(head: Head, capsule: Capsule) -> np.ndarray:
    """(rows, COLUMNS) bool: where hair grows, on the skull seen from the side: over the forehead, behind the temples, in front of
    the ear down to its middle, behind it down to the nape."""
    h, level = head.height, head.eye_level
    front = head.skull[head.skull[:, 2] > level, 1].min()
    back = head.skull[:, 1].max()
    ear = head.ears[0, 1]
    height = capsule.heights[:, None]
    flat = _skull_radius(head, capsule)[0] * np.where(capsule.heights > level, np.sqrt(
        np.clip(1 - ((capsule.heights - level) / 0.1) ** 2, 0, 1)), 1.0)[:, None]  # fmt: skip
    depth = capsule.middle[1] + flat * np.cos(capsule.azimuths)
    # z of the hairline from the front to the back, as y grows.
    along = [front, front + 0.25 * (ear - front), ear - 0.25 * h, ear - 0.1 * h, ear + 0.15 * h, back]
    line = [level + 0.62 * h, level + 0.58 * h, level + 0.1 * h, level - 0.15 * h, level - 0.2 * h, level - 0.62 * h]
    return height > np.interp(depth, along, line)


def _skull_radius(head: Head, capsule: Capsule) -> tuple[np.ndarray, np.ndarray]:
    """(rows, COLUMNS) metres: the skull with the nape in every direction, and what hangs down from it."""
    from scipy.ndimage import gaussian_filter

    _, radius = capsule.outermost(head.skull)
    close = _filled(radius, np.isfinite(radius).astype(float), float(np.nanmedian(radius)))
    close = gaussian_filter(close, 1.0, mode=("nearest", "wrap"))
    hanging = close.copy()
    hanging[UPPER_ROWS:] = np.maximum.accumulate(close[UPPER_ROWS:], axis=0)
    return close, hanging


def _filled(values: np.ndarray, weight: np.ndarray, usual: float, pull: float = 1e-3) -> np.ndarray:
    """(rows, COLUMNS): values where they have weight, and in between as smooth as can be, slowly back to the usual one."""
    from scipy.sparse import coo_matrix, diags

    rows, columns = values.shape
    number = np.arange(rows * columns).reshape(rows, columns)
    pairs = np.concatenate([
        np.stack([number, np.roll(number, -1, axis=1)], axis=-1).reshape(-1, 2),
        np.stack([number[:-1], number[1:]], axis=-1).reshape(-1, 2),
        np.stack([number[0], np.roll(number[0], columns // 2)], axis=-1),  # over the crown
    ])  # fmt: skip
    slope = coo_matrix(
        (np.tile([1.0, -1.0], len(pairs)), (np.repeat(np.arange(len(pairs)), 2), pairs.ravel())), shape=(len(pairs), number.size)
    ).tocsr()
    w = np.where(np.isfinite(values), weight, 0).ravel()
    matrix = (slope.T @ slope) * 0.3 + diags(w + pull)
    right = w * np.nan_to_num(values).ravel() + pull * usual
    return factored(matrix).solve(right).reshape(rows, columns)


@dataclass(frozen=True, eq=False)
class Cues:
    """What photos say about one piece, as points in head space.

    own       (n, 3) seen points of it
    skin      (k, 3) seen points of skin
    going_on  (m, 3) points of it below which something in front hides it, or the photo ends
    even      what is seen on one side only may be on the other too: no photo says that it is not
    """

    own: np.ndarray
    skin: np.ndarray
    going_on: np.ndarray
    even: bool


def envelope(head: Head, capsule: Capsule, cues: Cues, grows: np.ndarray, thin: float) -> Envelope:
    """Of one piece. grows: (rows, COLUMNS) bool, where it is unless something else is seen; thin: metres over the skull where
    nothing is known."""
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    count, outer = capsule.outermost(cues.own)
    bare, skin = capsule.outermost(cues.skin)
    # Where it hangs over skin that is seen beside it, few pixels show it from the side.
    stands_off = outer > np.nan_to_num(skin, nan=np.inf) + OVERHANG
    seen = (count >= FEWEST) & ((count >= HAIR_SHARE * (count + bare)) | stands_off)
    free = (bare >= FEWEST) & ~seen
    # Hair may hang behind a neck that is seen from in front.
    neck = capsule.heights < head.eye_level - head.height
    free &= ~(neck[:, None] & (np.cos(capsule.azimuths) > BEHIND_NECK))
    close, hanging = _skull_radius(head, capsule)
    over = np.clip(outer - close, -0.02, THICKEST)
    near = seen & (capsule.heights > head.eye_level - 0.5 * head.height)[:, None]
    usual = float(np.median(np.maximum(over[near], THINNEST))) if near.any() else thin
    mirrored = np.where(seen, 0, 0.3) * seen[:, ::-1]
    behind = _behind(over, near, usual)
    there = np.where(seen, 1.0, np.where(free, 0.0, np.where(seen[:, ::-1], 1.0, np.where(free[:, ::-1], 0.0, grows))))
    grown = there
    there, reach, depth = _closed_behind(head, capsule, there, seen, free, cues)
    # What hangs down from the skull stands off the nape; what grows there lies close.
    low = (capsule.heights < head.eye_level - 0.5 * head.height)[:, None]
    long = ((there > grown) & low) | (seen & ~grows & (capsule.heights < head.eye_level - 1.1 * head.height)[:, None])
    loose = gaussian_filter1d(long.any(axis=0).astype(float), 2.0, mode="wrap")
    base = close + (hanging - close) * np.clip(2 * loose, 0, 1)
    over = np.clip(outer - base, -0.02, THICKEST)
    over = _filled(np.where(seen, over, over[:, ::-1]), seen + mirrored, behind, ROUNDED)
    there = gaussian_filter(there, 1.0, mode=("nearest", "wrap"))
    radius = np.maximum(base + np.maximum(over, THINNEST), 0.0)
    return Envelope(capsule, _draped(head, capsule, radius, depth), there, reach, depth)


def _behind(over: np.ndarray, near: np.ndarray, usual: float) -> float:
    """Metres over the skull behind what is seen: half way to as much as along its outline, where it is seen from the side.

    over  (rows, COLUMNS) metres; near (rows, COLUMNS) bool: where it is seen, on the head

    Its middle, which is seen from in front, lies closer: a parting, or what is combed back from the forehead.
    """
    from scipy.ndimage import binary_erosion

    rows = np.concatenate([near[:1], near])  # nothing lies over the crown
    inner = binary_erosion(np.concatenate([rows[:, -1:], rows, rows[:, :1]], axis=1), border_value=1)[1:, 1:-1]
    rim = near & ~inner & (np.cos(np.arange(COLUMNS) * 2 * np.pi / COLUMNS) > OUTLINE)
    if rim.sum() < LONG_OUTLINE:
        return usual
    return max(usual, (usual + float(np.median(over[rim]))) / 2)


def _draped(head: Head, capsule: Capsule, radius: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """The radius where hair lies on the back: over the shoulder blades, and straight across the valley of the spine."""
    from scipy.ndimage import gaussian_filter, grey_closing

    lying = depth > COVER
    if not lying.any():
        return radius
    back = head.skin[(head.skin[:, 1] > capsule.middle[1]) & (np.abs(head.skin[:, 0]) < BACK)]
    _, body = capsule.outermost(back)
    known = np.isfinite(body) & lying[:, None] & (np.cos(capsule.azimuths) > 0.4)
    if not known.any():
        return radius
    wide = _filled(np.where(known, body, 0), known.astype(float), float(body[known].mean()))
    over = grey_closing(wide + depth[:, None], (3, 21), mode="wrap")
    over = gaussian_filter(over, (2.0, 2.0), mode=("nearest", "wrap"))
    near = np.clip(np.cos(capsule.azimuths) / 0.4, 0, 1) * lying[:, None]
    return np.maximum(radius, np.where(near > 0, near * over + (1 - near) * radius, 0))


@dataclass(frozen=True)
class _Side:
    """Hair on one side that is longer than where it grows: rows from `first` to `last`, as far to the front as `column` (rows,);
    it goes on where its end is hidden; wide: metres to the side at its end."""

    first: int
    last: int
    column: np.ndarray
    hidden: bool
    wide: float


def _side(capsule: Capsule, level: float, hair: np.ndarray, bare: np.ndarray, own: np.ndarray, ends: np.ndarray) -> _Side | None:
    """Of the half of the columns from the back to the front, and the seen points on this side; None = nothing beside the face."""
    half = hair.shape[1]
    beside = hair & (np.arange(half) < FRONT * half)
    rearmost = np.where(beside.any(axis=1), beside.argmax(axis=1), half)
    foremost = half - 1 - beside[:, ::-1].argmax(axis=1)
    blocked = (bare & (np.arange(half) < rearmost[:, None])).any(axis=1)
    known = np.flatnonzero((rearmost < half) & ~blocked & (capsule.heights < level))
    if len(known) < 3:
        return None
    last = int(known[-1])
    z = capsule.heights[last]
    wide = np.abs(own[np.abs(own[:, 2] - z) < 0.03, 0])
    hidden = bool((ends[:, 2] < z + 0.03).sum() >= 3 and len(wide))
    column = np.interp(np.arange(capsule.rows), known, foremost[known]).astype(np.int64)
    return _Side(int(known[0]), last, column, hidden, float(wide.max()) + 0.004 if len(wide) else np.inf)


def _closed_behind(
    head: Head, capsule: Capsule, there: np.ndarray, seen: np.ndarray, free: np.ndarray, cues: Cues
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hair that is seen beside the face and the neck goes round the nape as far down as it is seen; it goes on behind what hides
    its end. What is seen on one side only goes to the middle, or round to the other where that is as likely."""
    there = there.copy()
    half = COLUMNS // 2
    reach = np.full((capsule.rows, 2), np.inf)
    depth = np.full(capsule.rows, COVER)
    rows = np.arange(capsule.rows)
    flips = (np.s_[:, :], np.s_[:, ::-1])  # left columns are the first half, from the back to the front
    sides = []
    for side, flip in enumerate(flips):
        mine, ends = (p[(p[:, 0] < 0) == bool(side)] for p in (cues.own, cues.going_on))
        sides.append(_side(capsule, head.eye_level, seen[flip][:, :half], free[flip][:, :half], mine, ends))
    if cues.even:
        longest = max((s for s in sides if s is not None), key=lambda s: (s.hidden, s.last), default=None)
        sides = [longest if s is None or s.last < longest.last or s.hidden else s for s in sides]
        known = [s for s in sides if s is not None]
        if len(known) == 2 and all(s.hidden for s in known):
            last, wide = max(s.last for s in known), max(s.wide for s in known)
            sides = [replace(s, last=last, wide=wide) for s in known]
    nape = head.eye_level - 1.2 * head.height
    beside = head.skin[np.abs(head.skin[:, 2] - nape) < 0.02, 0]
    neck = float(np.abs(beside).max()) if len(beside) else 0.0
    for side, (flip, found) in enumerate(zip(flips, sides, strict=True)):
        if found is None:
            continue
        end = found.last
        if found.hidden:
            # A thin strand beside the neck soon ends; what is broad goes on down the back.
            broad = np.clip((found.wide - neck) / BROAD, 0, 1)
            end = min(found.last + int(broad * BEHIND_BODY / ROW), capsule.rows - BELOW)
            # Its end is rounded, in width and in depth.
            along = np.clip((rows - end + TAPER / ROW) / (TAPER / ROW), 0, 1) ** 2
            reach[found.last + 1 :, side] = (found.wide * (1 - 0.7 * along))[found.last + 1 :]
            lies = (capsule.heights < nape) & (rows <= end)
            depth = np.where(lies, HANGING_DEPTH * (1 - 0.5 * along), depth)
        fill = (rows >= found.first) & (rows <= end)
        cover = fill[:, None] & (np.arange(half) <= found.column[:, None]) & ~free[flip][:, :half]
        there[flip][:, :half][cover] = 1.0  # a view: written through
    _behind_neck(capsule, there, free, sides, neck, reach)
    return there, reach, depth


def _behind_neck(
    capsule: Capsule, there: np.ndarray, free: np.ndarray, sides: list[_Side | None], neck: float, reach: np.ndarray
) -> None:
    """Hair that hangs beside the neck on one side goes round behind it, as far as the neck hides it on the other: nobody's hair
    ends in the middle of the nape. Written into `there` and `reach`.

    neck  metres from the middle of the nape to either side of it
    """
    half = COLUMNS // 2
    behind = np.cos(capsule.azimuths[:half]) > BEHIND_NECK
    rows = np.arange(capsule.rows)
    for side, (mine, other) in enumerate(zip(sides, sides[::-1], strict=True)):
        if other is None or (mine is not None and mine.last >= other.last):
            continue
        below = (rows <= other.last) & (rows > (other.first if mine is None else mine.last))
        flip = np.s_[:, ::-1] if side else np.s_[:, :]
        there[flip][:, :half][below[:, None] & behind & ~free[flip][:, :half]] = 1.0  # a view: written through
        reach[below, side] = np.minimum(reach[below, side], neck)
