"""What is seen of a surface, as far as it tells its pattern."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..common.colour import LUMINANCE
from .level_rows import levelled
from .project import PaintedSurface, PaintJob, sample, vertex_normals
from .surface_fill import Pattern, Place, pattern_of
from .texels import Texels

UPRIGHT = 0.7
"""Vertical share of a normal at rest, below which a place is part of a row that goes round the body."""
SAMPLES = 60_000
"""Texels that are looked at to find a pattern."""
MINE = 0.6
"""Share from which a place is part of the rows along an axis."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Texels of a surface that tell its pattern: those n that are `shown`, with (n, 3) colours, (n,) weights and whether they are
    `upright`; and as densely those of the whole surface that are."""

    shown: Texels
    colours: np.ndarray
    weight: np.ndarray
    upright: np.ndarray
    whole: Texels

    def pattern(self, at_vertex: Place, tone: np.ndarray) -> Pattern:
        """The pattern, where the vertices have these places. tone: (3,) where nothing is seen."""
        place, whole = at_vertex.mapped(self.shown.of), at_vertex.mapped(self.whole.of)
        return pattern_of(place, self.colours, self.weight, self.upright, tone, whole)

    def levelled(self, surface: PaintedSurface) -> PaintedSurface:
        """The surface with the stripes of its trunk and of each sleeve level along their axes, as far as it has any."""
        assert surface.along is not None
        assert surface.share is not None
        straight, light = surface.along.copy(), self.colours @ LUMINANCE
        for axis, side in ((0, 0), (1, 1), (1, -1)):
            if axis >= straight.shape[1]:
                continue
            own = surface.rest[:, 0] * side >= 0
            part = own & (surface.share[:, axis] > MINE)
            if not part.any():
                continue
            across = surface.rest[:, 0] if axis == 0 else _across(surface.rest, surface.along[:, axis], part)
            values = np.column_stack([surface.along[:, axis], across, surface.share[:, axis] * own])
            along, beside, share = self.shown.of(values).T
            seen = self.upright & (share > MINE)
            straight[own, axis] = levelled(straight[own, axis], across[own], (along[seen], beside[seen], light[seen]))
        return replace(surface, along=straight)


def _across(rest: np.ndarray, along: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(V,) metres across a limb as the front sees it, 0 in its middle: `along` runs down it on the vertices `part` (V,) bool."""
    points = rest[part].astype(np.float64)
    middle = points.mean(axis=0)
    way, *_ = np.linalg.lstsq(points - middle, along[part] - along[part].mean(), rcond=None)
    return ((rest - middle) @ np.array([-way[2], 0.0, way[0]]) / max(float(np.hypot(way[0], way[2])), 1e-9)).astype(np.float32)


def samples_of(
    job: PaintJob, texels: Texels, places: Sequence[np.ndarray | None], known: np.ndarray, high: np.ndarray
) -> Samples:
    """What is seen well of a surface.

    places  of each of K views (N, 4) `Projection.values` at the texels
    known   (N,) how far each texel is seen;  high  (K, N) shares of the views in the high frequencies
    """
    # A sole or the top of a shoulder has the height of a rim that is seen, and takes its colour: it is none of the row. Nor does
    # piping on a shoulder show a row.
    vertical = vertex_normals(job.surface.rest.astype(np.float64), job.surface.quads)[:, 2:]
    at = np.flatnonzero(known > 0.8)
    if len(at) < 100:
        at = np.flatnonzero(known > 0.3)
    step = max(1, len(at) // SAMPLES)
    at = at[::step]
    shown, whole = texels.some(at), texels.some(np.flatnonzero(texels.inside)[::step])
    upright = np.abs(shown.of(vertical)[:, 0]) < UPRIGHT
    whole = whole.some(np.flatnonzero(np.abs(whole.of(vertical)[:, 0]) < UPRIGHT))
    colours, cosine = np.zeros((len(at), 3), np.float32), np.zeros(len(at), np.float32)
    for k, (p, values) in enumerate(zip(job.projections, places, strict=True)):
        if p is not None and values is not None:
            cosine += values[at, 3] * high[k, at]
            colours += sample(p.sharp, values[at, 0], values[at, 1]) * high[k, at, None]
    # What is turned to the side says more of the back than the middle of the front: an open jacket is closed behind.
    weight = (1.05 - np.clip(cosine, 0, 1)) ** 2
    return Samples(shown, colours, weight, upright, whole)
