"""The fine pattern of cloth, carried from where photos show it to the back and round the sides."""

from __future__ import annotations

import numpy as np

from ..common.arrays import Camera
from ..common.rotations import unit
from .inpaint import push_pull
from .project import BROAD, PaintedSurface, PaintJob, Projection, blurred, box_around, sample, smoothstep, vertex_normals
from .rasterise import halves
from .surface_fill import Pattern, Place
from .texels import Texels

PRINTS = (18.0, 82.0)
"""Percentiles between which the fine pattern of one side is continued to the other: a print or a button is beyond them."""
BEYOND = 1.0
"""How far outside of them, in shares of their distance, a place is a print or a button, and takes the pattern around it."""
SAMPLES = 20_000
"""Pixels of a pattern that are looked at for them."""
BUTTON = 0.003
"""Metres around such a place that belong to it."""
EDGE = (0.3, 0.5)
"""Cosines between which the fine pattern of the other side comes in; at the sides that of what is seen goes on round them."""
AROUND = 24
"""Places from which the pattern goes on round the side, the nearest that are seen well."""
FRAME = (0.0, 12.0)
"""Pixels from the border of the photo over which the fine pattern comes in: beyond it there is none to carry on."""


def other_side(job: PaintJob, pattern: Pattern, at_texel: Place, texels: Texels, places: list[np.ndarray | None]) -> np.ndarray:
    """(N, 3) float32: the fine pattern that photos show on the side that is turned to them, behind it and round the sides.

    at_texel  of the N texels
    places    of each view, its `Projection.values` (N, 4) at the texels; None = it shows nothing of the surface
    """
    surface = job.surface
    quads = surface.quads if surface.hiding is None else np.concatenate([surface.quads, surface.hiding])
    faces = halves(quads)
    at_vertex = Place.on(surface)
    out, best = None, None
    for k, (p, values) in enumerate(zip(job.projections, places, strict=True)):
        if p is None or values is None:
            continue
        own = (job.drawn[k].surface == job.number) & (p.inner > 1)
        out = np.zeros((len(values), 3), np.float32) if out is None else out
        best = np.zeros(len(values), np.float32) if best is None else best
        if not own.any():
            continue
        corners, weights = faces[job.drawn[k].face[own]], job.drawn[k].shares[own]
        place = at_vertex.mapped(lambda x, corners=corners, weights=weights: np.einsum("nkg,nk->ng", x[corners], weights))
        box = box_around(own, 0)
        rest = np.zeros_like(p.sharp[box])
        rest[own[box]] = p.sharp[own] - pattern.at(place)
        rest -= blurred(rest, own[box], BROAD * p.scale)
        fine = np.zeros_like(p.sharp)
        fine[box] = without_prints(rest, own[box], BUTTON * p.scale)
        facing = np.abs(values[:, 3])
        better = np.flatnonzero(facing > best)
        best[better] = facing[better]
        behind = smoothstep(facing[better], EDGE)[:, None]
        # At the sides a pixel would be smeared over much of the surface.
        x, y = texels.of(round_the_side(surface, p, job.views[k].camera, k))[better].T
        mirrored = within_frame(fine, values[better, 0], values[better, 1])
        out[better] = behind * mirrored + (1 - behind) * within_frame(fine, x, y)
    assert out is not None
    return out * (1 - pattern.banded(at_texel))


def within_frame(fine: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, 3) float32 bilinear values of a fine pattern (H, W, 3) at pixels, running out to 0 at the border of the photo."""
    height, width = fine.shape[:2]
    margin = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    return sample(fine, x, y) * smoothstep(margin, FRAME)[:, None]


def round_the_side(surface: PaintedSurface, p: Projection, camera: Camera, number: int) -> np.ndarray:
    """(V, 2) float32 pixels in which view `number` shows what may be at each vertex that is turned to the side: as far beyond
    the place from which it is seen well as it lies before that. Elsewhere the vertex's own pixel.

    On a limb that is round this is its mirror image in the plane through its axis and that place.
    """
    from scipy.spatial import cKDTree

    pixels = p.values[:, :2].copy()
    posed = surface.posed[number]
    assert posed is not None  # of `project`
    cosine = p.values[:, 3]
    well = np.flatnonzero((cosine > EDGE[0]) & (p.seen(p.values)[0] > 0.5))
    aside = np.flatnonzero((cosine > -EDGE[1]) & (cosine < EDGE[0]))
    if not len(well) or not len(aside):
        return pixels
    points, normals = posed.astype(np.float64), vertex_normals(posed.astype(np.float64), surface.quads)
    # Of one place alone the pattern would be as ragged as the border of what is seen well.
    begin = well[cKDTree(points[well]).query(points[aside], min(AROUND, len(well)))[1]].reshape(len(aside), -1)
    outwards = unit(normals[begin].sum(axis=1))
    way = points[aside] - points[begin].mean(axis=1)
    way -= (way * outwards).sum(axis=1, keepdims=True) * outwards
    with np.errstate(divide="ignore", invalid="ignore"):
        found = camera.project(points[aside] - 2 * way)
    pixels[aside] = np.where(np.isfinite(found), found, pixels[aside])
    return pixels


def without_prints(fine: np.ndarray, own: np.ndarray, around: float) -> np.ndarray:
    """(H, W, 3) float32: the fine pattern of `own` (H, W) bool without what stands out of it, and pixels `around` that."""
    import cv2

    shown = fine[own]
    low, high = np.percentile(shown[:: max(1, len(shown) // SAMPLES)], PRINTS, axis=0).astype(np.float32)
    reach = BEYOND * (high - low)
    stands_out = own & ((fine > high + reach) | (fine < low - reach)).any(axis=2)
    fine = np.where(own[..., None], np.clip(fine, low, high), np.float32(0))
    if not stands_out.any():
        return fine
    size = 2 * int(np.ceil(around)) + 1
    stands_out = cv2.dilate(stands_out.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0
    fine = push_pull(fine, (own & ~stands_out).astype(np.float32))
    return np.where(own[..., None], fine, np.float32(0))
