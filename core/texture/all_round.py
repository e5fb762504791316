"""Texture all round: photos onto surfaces, and a plausible guess where no photo looks.

1. Every point takes the photos that see it, the best one most (`project`, `blend`).
2. What only its mirror image shows takes that.
3. The rest continues the pattern of the surface, or its tone, into which the seen colours run out over the mesh (`surface_fill`).

Texels are weighed at half the resolution of the texture, or less where it is much finer than the photos; only the photos
themselves are looked up at all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from ..common.avatars import SurfaceTextures
from ..common.colour import byte_image
from ..common.errors import SapiensError
from ..common.memo import Once, anew
from .blend import blend_shares, exposure_gains
from .hem_bands import FARTHEST, REACH
from .normal_detail import calmed, normal_detail
from .other_side import other_side
from .pattern_samples import SAMPLES, Samples, samples_of
from .project import (
    BROAD,
    FACING,
    PaintedSurface,
    PaintJob,
    Projection,
    draw_surfaces,
    project,
    sample,
)
from .strands import Strands, relief, seen_height, shade_of, strands
from .surface_fill import Place, plain_share, plained, spread
from .texels import Texels, texels_of
from .views import View, continued

GUTTER = 6
"""Texels around the charts that are painted too, at half of a texture of 2K, and as many more or fewer as that has."""
ENOUGH = 1.5
"""Texels for every pixel of the finest photo at which weights, normals and roughness lose nothing."""
MIRRORED = 0.5
"""How far the colour of the mirror image counts against one that is seen."""
TIPS = 0.04
"""Metres of a blur over the rows of hair: its tips may be lighter than its roots, but nothing goes round it."""
BESIDE_BAND = (REACH[1], FARTHEST)
"""Metres from a hem with a band within which the low frequencies are those of two colours, and run out nowhere."""
SMALLEST = 64
"""Texels of a texture's side, at least."""
TOGETHER = 2
"""Surfaces that are painted at the same time: nearly all of it is done outside of Python, and more would take more memory."""


def paint(
    surfaces: Sequence[PaintedSurface], views: Sequence[View], size: int = 2048, once: Once = anew
) -> list[SurfaceTextures]:
    """Textures of surfaces that stand in photos.

    surfaces  all that may hide each other; `posed` as many as views
    views     of one person, the best first; with none the textures are plain
    size      texels of their side
    once      for what does not depend on the colours of the views

    Raises SapiensError for a size that is too small.
    """
    if size < SMALLEST:
        raise SapiensError(f"A texture of {size} texels is too small.", f"Choose at least {SMALLEST}.")
    for surface in surfaces:
        if len(surface.posed) != len(views):
            raise ValueError(f"A surface is posed in {len(surface.posed)} views of {len(views)}.")
    drawn = [once(f"drawn in view {k}", lambda k=k: draw_surfaces(surfaces, views[k], k)) for k in range(len(views))]
    with ThreadPoolExecutor(TOGETHER) as pool:
        rows = [[pool.submit(project, surface, view, k, drawn[k]) for k, view in enumerate(views)] for surface in surfaces]
        found = [[each.result() for each in row] for row in rows]
    at_vertices = [_look(row, None) for row in found]
    if len(views) > 1 and surfaces:
        joined = [
            np.concatenate(parts, axis=1) for parts in zip(*((seen.broad, seen.belief) for seen in at_vertices), strict=True)
        ]
        gains = exposure_gains(joined[0], joined[1])
        found = [[None if p is None else p.brightened(gain) for p, gain in zip(row, gains, strict=True)] for row in found]
        at_vertices = [replace(seen, broad=np.clip(seen.broad * gains[:, None], 0, 255)) for seen in at_vertices]
    calm = [replace(view, normal=once(f"normals of view {k}", lambda v=view: calmed(v).normal)) for k, view in enumerate(views)]
    jobs = [
        PaintJob(surface, calm, row, drawn, number) for number, (surface, row) in enumerate(zip(surfaces, found, strict=True))
    ]
    with ThreadPoolExecutor(TOGETHER) as pool:
        largest_first = sorted(range(len(jobs)), key=lambda k: -len(jobs[k].surface.quads))
        made = {k: pool.submit(_painted, jobs[k], at_vertices[k], size, once) for k in largest_first}
        return [made[k].result() for k in range(len(jobs))]


@dataclass(frozen=True, eq=False)
class _Seen:
    """What K views show of n points: colours (K, n, 3) of the low frequencies, belief (K, n), quality (K, n)."""

    broad: np.ndarray
    belief: np.ndarray
    quality: np.ndarray

    def known(self) -> np.ndarray:
        """(n,) float32 0..1: how far a point is seen."""
        return (1 - np.prod(1 - self.belief, axis=0)).astype(np.float32)

    def low(self) -> np.ndarray:
        """(n, 3) float32: low frequencies of all views, blended."""
        share = blend_shares(self.belief, self.quality)[0]
        return np.einsum("kn,knc->nc", share, self.broad)


def _look(projections: Sequence[Projection | None], rows: np.ndarray | None) -> _Seen:
    """What all views show of the vertices, or of the vertices in `rows`."""
    broad, belief, quality = [], [], []
    count = next((len(p.values) for p in projections if p is not None), 0) if rows is None else len(rows)
    for p in projections:
        if p is None:
            broad.append(np.zeros((count, 3), np.float32))
            belief.append(np.zeros(count, np.float32))
            quality.append(np.zeros(count, np.float32))
            continue
        values = p.values if rows is None else p.values[rows]
        one, how_well = p.seen(values)
        broad.append(sample(p.broad, values[:, 0], values[:, 1]))
        belief.append(one)
        quality.append(how_well)
    return _Seen(np.stack(broad), np.stack(belief), np.stack(quality)) if broad else _nothing(count)


def _nothing(count: int) -> _Seen:
    return _Seen(np.zeros((0, count, 3), np.float32), np.zeros((0, count), np.float32), np.zeros((0, count), np.float32))


def _painted(job: PaintJob, at_vertices: _Seen, size: int, once: Once) -> SurfaceTextures:
    """The textures of one surface."""
    surface = job.surface
    side = _side(job, size) if surface.whorl is None else size // 2
    gutter = max(4, GUTTER * side // 1024)
    texels = once(f"texels of surface {job.number}", lambda: texels_of(surface.quads, surface.uvs, side, gutter))
    if not any(p is not None for p in job.projections):
        return _plain(surface, texels, size)
    places = [None if p is None else texels.of(p.values) for p in job.projections]
    shares = _shares(job, places)
    if not shares.known.any():  # supposed, as the trousers of a half figure
        return _plain(surface, texels, size)
    blank = texels.around(shares.known < 1)
    unseen = texels.some(blank)
    lines = None if surface.whorl is None else strands(unseen.of(surface.rest), surface.whorl, _texel(surface, side))
    fill = _fill(job, texels, places, at_vertices, shares, blank, lines)
    made = _composed(job, texels, places, shares, unseen, fill, size)
    believed = shares.known * shares.high
    if lines is None:
        flat = lambda: normal_detail(surface, job.views, job.projections, texels, places, believed)  # noqa: E731
        detail = once(f"normals of surface {job.number}", flat)
    else:  # where hair is seen depends on its colours
        bumps = _bumps(job, texels, places, shares, blank, lines)
        detail = normal_detail(surface, job.views, job.projections, texels, places, believed, bumps)
    return replace(made, normal_tangent=detail, roughness=_roughness(job, texels, places, shares))


def _plain(surface: PaintedSurface, texels: Texels, size: int) -> SurfaceTextures:
    """The base colour, size x size texels, of a surface that no photo shows."""
    import cv2

    tone = surface.tone.astype(np.float32)
    share = texels.of(plain_share(surface, np.zeros(len(surface.rest), np.float32)))
    image = texels.image(byte_image(plained(tone, share)), surface.tone)
    return SurfaceTextures(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR), np.zeros((size, size), bool))


def _side(job: PaintJob, size: int) -> int:
    """Texels of the side at which a surface is weighed: half of `size`, and half of that again as long as it is enough."""
    finest = max((p.scale for p in job.projections if p is not None), default=0.0)
    least = max(ENOUGH * finest * _texel(job.surface, 1), SMALLEST)
    side = size // 2
    while side >= 2 * least:
        side //= 2
    return side


def _texel(surface: PaintedSurface, side: int) -> float:
    """Metres across a texel of a texture of `side` texels, on average."""
    corners, uvs = surface.rest[surface.quads].astype(np.float64), surface.uvs.astype(np.float64)
    real = np.linalg.norm(np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]), axis=1).sum()
    a, b = uvs[:, 2] - uvs[:, 0], uvs[:, 3] - uvs[:, 1]
    drawn = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    return float(np.sqrt(real / max(drawn, 1e-12))) / side


@dataclass(frozen=True, eq=False)
class _Shares:
    """Of N texels: shares of K views in low and high frequencies (K, N), and how far each is seen (N,)."""

    low: np.ndarray
    high: np.ndarray
    known: np.ndarray


def _shares(job: PaintJob, places: list[np.ndarray | None]) -> _Shares:
    count = next(len(p) for p in places if p is not None)
    belief, quality = np.zeros((len(places), count), np.float32), np.zeros((len(places), count), np.float32)
    for k, (projection, values) in enumerate(zip(job.projections, places, strict=True)):
        if projection is not None and values is not None:
            belief[k], quality[k] = projection.seen(values)
    return _Shares(*blend_shares(belief, quality))


def _fill(
    job: PaintJob,
    texels: Texels,
    places: list[np.ndarray | None],
    at_vertices: _Seen,
    shares: _Shares,
    blank: np.ndarray,
    lines: Strands | None,
) -> np.ndarray:
    """(n, 3) float32 sRGB: what the texels of the numbers `blank` (n,) have where no photo sees them; lines: of hair, there."""
    surface, unseen = job.surface, texels.some(blank)
    known, low = at_vertices.known(), at_vertices.low()
    tone = np.median(low[known > 0.5], axis=0) if (known > 0.5).any() else surface.tone.astype(np.float32)
    detail = np.zeros((len(blank), 3), np.float32)
    if surface.mirror is not None:
        other = _look(job.projections, surface.mirror)
        other_known = MIRRORED * other.known() * (1 - known)
        total = np.maximum(known + other_known, 1e-6)[:, None]
        low = (low * known[:, None] + other.low() * other_known[:, None]) / total
        known = known + other_known
        detail += _mirror_detail(job, unseen)
    if surface.along is None or surface.share is None:
        plain = plain_share(surface, known)
        mixed = 1.0
        guide, behind = plained(tone, plain), plained(tone, unseen.of(plain))
    else:
        samples = _samples(job, texels, places, shares)
        if lines is None and surface.mirror is None:
            surface = samples.levelled(surface)
            job = replace(job, surface=surface)
        at_vertex = Place.on(surface)
        place = at_vertex.mapped(unseen.of)
        pattern = samples.pattern(at_vertex, tone)
        behind = pattern.at(place, 0.0 if lines is None else TIPS)
        guide = pattern.at(at_vertex, BROAD if lines is None else TIPS)
        mixed = 1 - pattern.banded(place, BESIDE_BAND)
        if lines is not None:
            detail += lines.shade[:, None] * shade_of(_fine(job), tone)
        elif surface.mirror is None:
            detail += other_side(job, pattern, place, unseen, [None if p is None else p[blank] for p in places])
    out = behind + detail
    out += mixed * unseen.of(spread(low - guide, known, surface.rest, surface.quads, surface.reach))
    return np.clip(out, 0, 255)


def _mirror_detail(job: PaintJob, texels: Texels) -> np.ndarray:
    """(N, 3) float32: the high frequencies of the other side of the body, where they are seen."""
    out = np.zeros((len(texels.index), 3), np.float32)
    best = np.zeros(len(out), np.float32)
    for p in job.projections:
        if p is None:
            continue
        values = texels.of(p.values[job.surface.mirror])
        belief, quality = p.seen(values)
        better = np.flatnonzero(belief * quality > best)
        best[better] = (belief * quality)[better]
        x, y = values[better, 0], values[better, 1]
        out[better] = p.fine(x, y) * belief[better, None]
    return out


def _bumps(
    job: PaintJob, texels: Texels, places: list[np.ndarray | None], shares: _Shares, blank: np.ndarray, lines: Strands
) -> np.ndarray:
    """(N, 3) float32 tangent-space normals of the relief of hair, of the strands that photos show and of those behind, which
    `lines` has of the texels of the numbers `blank`."""
    at = np.flatnonzero(shares.known > 0.01)
    fine = np.zeros((len(at), 3), np.float32)
    for k, (p, values) in enumerate(zip(job.projections, places, strict=True)):
        if p is not None and values is not None:
            fine += p.fine(values[at, 0], values[at, 1]) * (shares.known * shares.high[k])[at, None]
    height = np.zeros(len(texels.index), np.float32)
    height[blank] = lines.height * (1 - shares.known[blank])
    height[at] += seen_height(fine)
    return relief(texels.image(height), _texel(job.surface, texels.side)).reshape(-1, 3)[texels.index]


def _fine(job: PaintJob) -> np.ndarray:
    """(n, 3) float32: what photos show of the surface beyond its low frequencies, some of their pixels."""
    some = []
    for k, p in enumerate(job.projections):
        if p is not None:
            own = np.flatnonzero((job.drawn[k].surface == job.number) & (p.inner > 1))
            own = own[:: max(1, len(own) // SAMPLES)]
            some.append(p.sharp.reshape(-1, 3)[own] - p.broad.reshape(-1, 3)[own])
    return np.concatenate(some)


def _samples(job: PaintJob, texels: Texels, places: list[np.ndarray | None], shares: _Shares) -> Samples:
    """Texels that are seen well."""
    if job.surface.whorl is not None:  # what hair looks like on the whole, shaded under its fringe and lit at its outline
        wide = [None if p is None else replace(p, facing=FACING) for p in job.projections]
        shares = _shares(replace(job, projections=wide), places)
    return samples_of(job, texels, places, shares.known, shares.high)


def _roughness(job: PaintJob, texels: Texels, places: list[np.ndarray | None], shares: _Shares) -> np.ndarray | None:
    """(side, side) uint8: the gloss that photos show, and that of most of the surface where none looks; None = unknown."""
    total, weight = np.zeros(len(texels.index), np.float32), np.zeros(len(texels.index), np.float32)
    for k, (view, p, values) in enumerate(zip(job.views, job.projections, places, strict=True)):
        if view.roughness is None or p is None or values is None:
            continue
        share = shares.known * shares.low[k]
        total += share * sample(continued(view.roughness, p.inner > 0), values[:, 0], values[:, 1])
        weight += share
    if not weight.any():
        return None
    typical = np.array(np.average(total / np.maximum(weight, 1e-6), weights=weight))
    out = total + np.maximum(1 - weight, 0) * typical
    return texels.image(byte_image(out), byte_image(typical))


def _composed(
    job: PaintJob,
    texels: Texels,
    places: list[np.ndarray | None],
    shares: _Shares,
    unseen: Texels,
    fill: np.ndarray,
    size: int,
) -> SurfaceTextures:
    """Photos and fill at the full resolution. fill: (n, 3) of the n texels that are not wholly seen.

    The sharp photos are mixed by their shares of the high frequencies. What the low ones differ by is smooth, and is added.
    """
    import cv2

    def enlarged(image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)

    usual = fill.mean(axis=0) if len(fill) else job.surface.tone.astype(np.float32)
    out = enlarged(unseen.image(byte_image(fill), byte_image(usual)))
    weight = enlarged(texels.image(1 - shares.known, 1.0))
    smooth = np.zeros((len(texels.index), 3), np.float32)
    for k, (p, values) in enumerate(zip(job.projections, places, strict=True)):
        if p is None or values is None or not shares.low[k].any():
            continue
        high = enlarged(texels.image(shares.known * shares.high[k]))
        pixel = enlarged(texels.image(values[:, :2]))
        colours = cv2.remap(byte_image(p.sharp), pixel, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        out = cv2.blendLinear(colours, out, high, weight)
        weight += high
        differs = shares.low[k] - shares.high[k]
        if differs.any():
            smooth += sample(p.broad, values[:, 0], values[:, 1]) * (shares.known * differs)[:, None]
    if np.abs(smooth).max() > 0.5:
        out = byte_image(out + enlarged(texels.image(smooth)))
    known = enlarged(texels.image(byte_image(255 * shares.known * texels.inside)))
    return SurfaceTextures(out, known > 127)
