"""What no photo shows of a surface: its tone, the pattern of its other side, and the colours that run out from what is seen.

Nothing is done in the plane of the texture: colours spread over the mesh, so that no chart shows a border.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..surface.sparse_solver import factored
from .hem_bands import REACH, Hems, at_hem
from .project import PaintedSurface, sample, smoothstep

BIN = 0.003
"""Metres along an axis of the body, over which a row of a pattern has one colour."""
FEWEST = 10
"""Texels of a row from which its colour can be told."""
TRIMMED = 0.2
"""Share of a row, at either end of its values, that does not count for its colour: prints, buttons, pockets."""
HEMMED = 0.38
"""The same of a row along a hem, which lies some millimetres off the one in the photo: of two colours it takes the one that more
of it has."""
BANDED = (5.0, 20.0)
"""Steps in colour, sRGB, between a hem and what is above it, beyond what differs along it, from which there may be a band, and is
one."""
CALM = 0.03
"""Metres over which the colours of rows are compared with their neighbours'."""
INDEPENDENT = 5.0
"""Samples of a row that count as independent: about as many stripes as are seen of a garment at one height."""
COVERED = (0.06, 0.2)
"""Share of the visible half of a row that is seen, below which it says nothing of the rest, and above which it does."""
FADE = (0.03, 0.08)
"""Metres beyond the rows that are seen between which their colours run out into the tone."""
PLAIN = np.array([152, 150, 147], np.float32)
"""sRGB of limbs of which nobody knows whether they are bare: a mannequin's."""
BARE = 0.02
"""Share of a limb that is seen bare, from which all of it is."""
BELIEVED = 0.02
"""Metres within which the colours of a vertex that is seen count more than those of its neighbours."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where N points of a surface lie, for its pattern.

    along, share    (N, G) as of `PaintedSurface`
    distance, near  (N, H) as of `Hems`
    twin            (H,) as of `Hems`
    """

    along: np.ndarray
    share: np.ndarray
    distance: np.ndarray
    near: np.ndarray
    twin: np.ndarray

    @staticmethod
    def on(surface: PaintedSurface) -> Place:
        """The vertices of a surface that has axes."""
        assert surface.along is not None and surface.share is not None
        hems = Hems.none(len(surface.along)) if surface.hems is None else surface.hems
        return Place(surface.along, surface.share, hems.distance, hems.near, hems.twin)

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Place:
        """Other points, to which `function` carries values of these."""
        along, share, distance, near = map(function, (self.along, self.share, self.distance, self.near))
        return Place(along, share, distance, near, self.twin)


@dataclass(frozen=True, eq=False)
class Pattern:
    """The colours of a garment where no photo shows it: its rows, and the bands along its H hems.

    sure  (H,) float32 0..1: how far each hem has a band
    """

    rows: Rows
    bands: Rows
    sure: np.ndarray

    def at(self, place: Place, smooth: float = 0.0) -> np.ndarray:
        """(N, 3) float32 sRGB; smooth: metres, standard deviation of a blur along the axes."""
        out = self.rows.at(place.along, place.share, smooth)
        if not place.near.shape[1]:
            return out
        return out + self.banded(place) * self.bands.at(place.distance, place.near, smooth)

    def banded(self, place: Place, reach: tuple[float, float] = REACH) -> np.ndarray:
        """(N, 1) float32 0..1: how far points belong to a band of another colour, or lie within `reach` of a hem that has one.
        What photos show beyond the pattern there is the border of the band where the surface lies a little off, and does not go
        on elsewhere."""
        if not place.near.shape[1]:
            return np.zeros((len(place.along), 1), np.float32)
        return at_hem(place.distance, place.near, reach) * (place.near @ self.sure)[:, None]


def pattern_of(
    place: Place, colours: np.ndarray, weight: np.ndarray, upright: np.ndarray, tone: np.ndarray, whole: Place
) -> Pattern:
    """The pattern of n points that are seen.

    colours  (n, 3) float32
    weight   (n,) float32 > 0: how far each says what is behind
    upright  (n,) bool: they are part of the rows; others only have the height of one
    tone     (3,) of an axis along which nothing is seen
    whole    all of the surface that is upright, as densely: of a row of which only a strip is seen nobody knows the rest

    A band is what the rows along a hem have beyond those along the axes, which begin where it ends: a hem is seldom level.
    """
    away = at_hem(place.distance, place.near)[:, 0] == 0
    if np.count_nonzero(away & upright) < FEWEST * FEWEST:
        away[:] = True
    rows = _rows_of(
        place.along[away], place.share[away], colours[away], weight[away], upright[away], tone, (whole.along, whole.share)
    )
    beyond = colours - rows.at(place.along, place.share)
    none = np.zeros(3, np.float32)
    every = np.ones(len(colours), bool)
    bands = _rows_of(place.distance, place.near, beyond, weight, every, none, (whole.distance, whole.near), HEMMED)
    # Stripes that run to a hem differ along it as much as from it.
    close = at_hem(place.distance, place.near) * (place.near > 0.6)
    strange = np.square(beyond - bands.at(place.distance, place.near)).sum(axis=1)
    within = np.sqrt(strange @ close / np.maximum(close.sum(axis=0), 1e-6))
    sure = smoothstep(bands.steps() - within, BANDED).astype(np.float32)
    # Of two sleeves the one of which the photo shows more tells the band of both.
    told = np.where(sure[place.twin] > sure, place.twin, np.arange(len(sure)))
    return Pattern(rows, Rows(bands.start[told], tuple(bands.colours[k] for k in told), none), sure[told])


@dataclass(frozen=True, eq=False)
class Rows:
    """The typical colour of a garment at every place along the axes of the body: rows of stripes go on round it, what is on one
    side only, as a print or a row of buttons, does not.

    start    (G,) float, metres
    colours  G times (n, 3) float32 sRGB 0..255, one of every BIN
    tone     (3,) float32 sRGB 0..255, where there are no rows
    """

    start: np.ndarray
    colours: tuple[np.ndarray, ...]
    tone: np.ndarray

    def at(self, along: np.ndarray, share: np.ndarray, smooth: float = 0.0) -> np.ndarray:
        """(N, 3) float32 at (N, G) places; smooth: metres, standard deviation of a blur along the axis."""
        import cv2

        out, share = np.zeros((len(along), 3), np.float32), np.maximum(share, 0)  # around a chart they are extrapolated
        total = np.maximum(share @ np.ones(share.shape[1], np.float32), np.float32(1e-6))
        for axis in range(len(self.colours)):
            at = np.flatnonzero(share[:, axis])
            if not len(at):
                continue
            table, start = self._table(axis, smooth)
            place = (along[at, axis] - np.float32(start)) / np.float32(BIN)
            seen = sample(table[None], place, np.zeros_like(place))
            counts = share[at, axis] / total[at]
            out[at] += cv2.multiply(seen, cv2.merge([counts] * 3).reshape(-1, 3))
        return out

    def _table(self, axis: int, smooth: float) -> tuple[np.ndarray, float]:
        """The colours of an axis, at either end as far beyond it as they run out into the tone, and the metres of the first."""
        from scipy.ndimage import gaussian_filter1d

        row, beyond = self.colours[axis], int(np.ceil(FADE[1] / BIN)) + 1
        if smooth:
            row = gaussian_filter1d(row, smooth / BIN, axis=0, mode="nearest")
        step = np.arange(-beyond, len(row) + beyond)
        near = 1 - smoothstep(np.maximum(-step, step - len(row) + 1) * BIN, FADE)[:, None]
        table = self.tone + near * (row[np.clip(step, 0, len(row) - 1)] - self.tone)
        return table.astype(np.float32), float(self.start[axis]) - beyond * BIN

    def steps(self) -> np.ndarray:
        """(G,) float: by how much the rows of each axis differ from its last one, at most."""
        return np.array([np.linalg.norm(row - row[-1], axis=1).max() for row in self.colours])


def _rows_of(
    along: np.ndarray,
    share: np.ndarray,
    colours: np.ndarray,
    weight: np.ndarray,
    upright: np.ndarray,
    tone: np.ndarray,
    whole: tuple[np.ndarray, np.ndarray],
    trimmed: float = TRIMMED,
) -> Rows:
    """The rows of n points along G axes; the other arguments are those of `pattern_of`, and of `_trimmed_means`."""
    starts, rows = [], []
    for axis in range(along.shape[1]):
        mine = share[:, axis] > 0.6
        if not mine.any():
            starts.append(0.0)
            rows.append(np.asarray(tone, np.float32)[None])
            continue
        place, values, counts = along[mine, axis], colours[mine], weight[mine]
        start = float(place.min())
        number = ((place - start) / BIN).astype(np.int64)
        count = np.bincount(number)
        typical = _trimmed_means(number, values, counts, len(count), trimmed)
        shown = np.bincount(number[upright[mine]], minlength=len(count))
        believed = smoothstep(_covered(shown, whole[0][whole[1][:, axis] > 0.6, axis], start), COVERED)
        good = np.flatnonzero((count >= FEWEST) & (believed > 0))
        if not len(good):
            starts.append(start)
            rows.append(np.median(values, axis=0)[None].astype(np.float32))
            continue
        steps = np.arange(len(count))
        row = np.stack([np.interp(steps, good, typical[good, c]) for c in range(3)], axis=1)
        # Between rows that are believed, and before the first, a row is as good as those.
        rows.append(_without_chance(row, number, values, np.interp(steps, good, believed[good])).astype(np.float32))
        starts.append(start)
    return Rows(np.array(starts), tuple(rows), np.asarray(tone, np.float32))


def _covered(count: np.ndarray, places: np.ndarray, start: float) -> np.ndarray:
    """(n,) float 0..1: how much is seen of what may be seen from one side, of rows with `count` samples from `start` on.

    places  of all of the surface
    """
    number = np.floor((places - start) / BIN)
    inside = number[(number >= 0) & (number < len(count))].astype(np.int64)
    return np.clip(2 * count / np.maximum(np.bincount(inside, minlength=len(count)), 1), 0, 1)


def plain_share(surface: PaintedSurface, known: np.ndarray) -> np.ndarray:
    """(V, 1) float32 0..1: how far the vertices of a surface are plain, where no photo shows them.

    known  (V,) float 0..1: how far each vertex is seen

    A limb that is nowhere seen bare, as the legs of a portrait, is plain: its skin is nobody's guess.
    """
    if surface.limbs is None:
        return np.zeros((len(known), 1), np.float32)
    used = np.zeros(len(known), bool)
    used[surface.quads] = True
    limbs = surface.limbs * used[:, None]
    unseen = known @ limbs <= BARE * limbs.sum(axis=0)
    return surface.limbs @ unseen[:, None].astype(np.float32)


def plained(tone: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(n, 3) float32 sRGB: a tone (3,), plain as far as the (n, 1) shares of `plain_share` say, which may be extrapolated."""
    return tone + np.clip(share, 0, 1) * (PLAIN - tone)


def _trimmed_means(group: np.ndarray, values: np.ndarray, weight: np.ndarray, groups: int, trimmed: float) -> np.ndarray:
    """(groups, 3) float32 weighted means of each group without its ends, channel by channel; 0 of an empty group.

    trimmed  share at either end, below 0.5

    A median would jump between the colours of stripes that run along the axis.
    """
    out = np.zeros((groups, 3), np.float32)
    total = np.bincount(group, weight, minlength=groups)
    before = np.cumsum(total) - total
    for channel in range(3):
        order = np.lexsort((values[:, channel], group))
        rank, mine = np.cumsum(weight[order], dtype=np.float64) - 0.5 * weight[order], group[order]
        place = (rank - before[mine]) / np.maximum(total[mine], 1e-12)
        kept = weight[order] * np.clip(np.minimum(place - trimmed, 1 - trimmed - place) / 0.05, 1e-3, 1)
        sums = np.bincount(mine, kept * values[order, channel], minlength=groups)
        out[:, channel] = sums / np.maximum(np.bincount(mine, kept, minlength=groups), 1e-12)
    return out


def _without_chance(row: np.ndarray, number: np.ndarray, values: np.ndarray, believed: np.ndarray) -> np.ndarray:
    """(n, 3) colours of rows, where those of neighbouring rows differ by chance only brought to their mean (a Wiener filter).

    number, values  (m,) int, (m, 3): the samples, and which row each is in
    believed        (n,) float 0..1: how far a row speaks for what is not seen of it

    Stripes that run along the axis make the mean of a row waver, those that run round make it differ for good.
    """
    from scipy.ndimage import gaussian_filter1d

    count = np.maximum(np.bincount(number, minlength=len(row)), 1)
    within = np.square(values - row[number]).sum(axis=1)
    within = np.bincount(number, within, minlength=len(row)) / count
    mass = gaussian_filter1d(believed + 1e-3, CALM / BIN, mode="nearest")[:, None]
    calm = gaussian_filter1d(row * (believed + 1e-3)[:, None], CALM / BIN, axis=0, mode="nearest") / mass
    between = gaussian_filter1d(np.square(row - calm).sum(axis=1), CALM / BIN, mode="nearest")
    chance = gaussian_filter1d(within, CALM / BIN, mode="nearest") / INDEPENDENT
    kept = np.clip(1 - chance / np.maximum(between, 1e-6), 0, 1) * believed
    return calm + kept[:, None] * (row - calm)


def spread(values: np.ndarray, belief: np.ndarray, points: np.ndarray, quads: np.ndarray, reach: float) -> np.ndarray:
    """Values known at some vertices, continued over a mesh: a screened Poisson equation.

    values  (V, C) float, of no meaning where belief is 0
    belief  (V,) float 0..1
    points  (V, 3) metres, of the mesh on which distances count
    quads   (F, 4) int
    reach   metres over which values run out to 0

    Minimises  |grad x|^2 + (x / reach)^2 + belief ((x - value) / BELIEVED)^2  over the surface. Returns (V, C) float32.
    """
    from scipy.sparse import coo_array, diags_array

    count = len(points)
    ends = np.sort(np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)]).astype(np.int64), axis=1)
    a, b = np.divmod(np.unique(ends[:, 0] * count + ends[:, 1]), count)
    a, b = a[a != b], b[a != b]
    p = points[quads].astype(np.float64)
    area = np.linalg.norm(np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 1]), axis=1) / 2
    mass = np.bincount(quads.ravel(), np.repeat(area / 4, 4), minlength=count) + 1e-9
    one = np.ones(len(a))
    links = coo_array(
        (np.concatenate([one, one]), (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(count, count)
    ).tocsr()
    data = mass * belief / BELIEVED**2
    system = diags_array(links.sum(axis=1) + mass / reach**2 + data) - links
    known = np.where(belief[:, None] > 0, values, 0)
    return factored(system).solve(data[:, None] * known).astype(np.float32)
