"""Depth-normal fusion: depth from the pointmap and slope from the normal map, by least squares in log depth.

For neighbours a, b on one plane with normal n, z_b / z_a = (n . r_a) / (n . r_b) exactly, r being the rays at depth 1. In
log depth that is one linear equation per pair (Nehab et al. 2005, "Efficiently Combining Positions and Normals for Precise 3D
Geometry", in logarithms, so that perspective needs no linearisation). With a weak pull to the pointmap the system is symmetric
positive definite with five points per row.
"""

from __future__ import annotations

import math

import numpy as np

from ..common.arrays import Camera
from .depth_edges import pair, pair_gap
from .depth_noise import REACH, Noise
from .multigrid import solve

LENGTH = 0.6
"""Metres over which the normal map outweighs the pointmap at refine 0.5, at most: the error of the depth (1 to 2 cm, in waves)
over the error of the normals (4 to 6 degrees) once it is averaged over a hand."""

SLOPE = 1 / 120
"""That remaining error of the normals, a tangent: how much relief the depth must lack for the normals to lead over a length."""

BEST = 0.009
"""Tangent of the error of even the best normals (half a degree, rounded or interpolated).
A slope that differs from the depth by no more is no error of the depth."""

PIXEL = 0.002
"""Metres of a pixel's footprint above which the integral of the normals drifts: they miss the shape between pixels, and fewer of
them average out. Errors that are independent from pixel to pixel shorten the length in proportion to the footprint."""

HAIR = 0.3
"""Weight of the normals on hair, whose strands are finer than pixels."""

STEP = (2.0, 1.0)
"""Step between neighbours at which half of a pair's weight is gone: in standard errors of the grain of the depth, and in
footprints of a pixel; the larger counts."""

WIDE, WIDE_STEP = 3, (5.0, 2.0)
"""The same for the pixels WIDE apart around the pair: blended depth climbs small steps slowly."""

TOLERANCE = 3e-3
"""Relative residual at which the solver stops: what is left is far below the noise of the maps."""

GRAZING = 0.05
"""Cosine of the view angle under which a normal says nothing about depth."""


def data_weight(z: np.ndarray, camera: Camera, refine: float, noise: Noise | None = None) -> np.ndarray:
    """The weight lambda of the pointmap against the normals, (H, W) float32: (error of a slope / error of log z)^2.

    A normal that is off by an angle s moves the next pixel by s z / f. So lambda = (z / (f L))^2 with the length
    L = error of z / s.

    z       (H, W) float32 metres
    refine  0..1 (exclusive 0), scales L by refine / (1 - refine), at most 20: beyond that the pointmap decides no distance
            within a person, and the solver could not hold the surface in its place
    noise   the error of the depth; None = that of a network
    """
    footprint = z * np.float32(1 / camera.fx)
    length = LENGTH
    if noise is not None:
        lacking = math.sqrt(max(noise.relief**2 - (BEST * REACH) ** 2, 0))
        length = min(LENGTH, lacking / SLOPE)
    scale = min(refine / max(1 - refine, 1e-3), 20.0)
    drift = np.square(np.maximum(1, footprint * np.float32(1 / PIXEL)))
    return np.minimum(np.square(footprint / np.float32(max(length, 1e-9))) * drift, 1) * np.float32(1 / scale**2)


def step_weight(gap: np.ndarray, z: np.ndarray, camera: Camera, grain: float, half: tuple[float, float] = STEP) -> np.ndarray:
    """How far to believe that a pair is one smooth surface, 0..1 (H, W): a robust weight for steps too small to be cut.

    gap (H, W) metres of the pair off each other's tangent planes, z (H, W) metres; grain of `depth_noise.Noise`, metres;
    half: where the weight is one half, as STEP.
    """
    errors, footprints = half
    least = np.float32(max(errors * grain, 1e-6))  # a micrometre: depth without any grain, next to the camera
    return 1 / (1 + np.square(gap / np.maximum(least, z * np.float32(footprints / camera.fx))))


def wide_gap(inverse: np.ndarray, slants: tuple[np.ndarray, np.ndarray], linked: np.ndarray, axis: int) -> np.ndarray:
    """How far the pixels on both sides of each pair lie off each other's tangent planes, metres:
    `depth_edges.pair_gap` over WIDE = 3 pixels.

    inverse, slants, axis as in `depth_edges.pair_gap`; linked (H, W-1) or (H-1, W) bool: pairs that are not cut. The shape is
    that of `linked`; 0 where one of the three pairs is cut or missing, as there is nothing to be told.
    """
    out = np.zeros(linked.shape, np.float32)
    if inverse.shape[axis] <= WIDE:
        return out
    before, middle, after = ((..., cut) if axis else (cut,) for cut in (slice(None, -2), slice(1, -1), slice(2, None)))
    whole = linked[before] & linked[middle] & linked[after]
    out[middle] = np.where(whole, pair_gap(inverse, slants, axis, WIDE), np.float32(0))
    return out


def slopes(
    normal: np.ndarray, rays: np.ndarray, camera: Camera
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """What the normals say about the log depth between neighbours.

    normal (H, W, 3) float32 camera space, unit; rays (H, W, 3) float32 at depth 1 of `camera`.
    Returns slopes and weights, each (down, right) of (H-1, W) and (H, W-1) float32: ln(z_next / z), and the squared cosine
    of the view angle, 0 where the surface is too grazing to tell.
    """
    facing = np.einsum("ijk,ijk->ij", normal, rays)
    length = np.sqrt(np.einsum("ijk,ijk->ij", rays, rays))
    out = []
    for axis, focal in enumerate((camera.fy, camera.fx)):
        a, b = pair(axis)
        along = normal[..., 1 - axis] * np.float32(1 / focal)
        # The mean normal of the pair times the ray of a, and of b: rays differ by 1 / focal in one coordinate alone, so
        # both products come from those at hand.
        both = facing[a] + facing[b]
        at_a, at_b = both - along[b], both + along[a]
        cosine = np.float32(-0.5) * np.maximum(at_a, at_b) / length[a]
        usable = cosine > GRAZING
        ratio = np.divide(at_a, at_b, out=np.ones_like(at_a), where=usable)
        out.append((np.log(ratio), np.where(usable, cosine * cosine, np.float32(0))))
    return (out[0][0], out[1][0]), (out[0][1], out[1][1])


def fuse(
    z: np.ndarray, prior: np.ndarray, slope: tuple[np.ndarray, np.ndarray], weight: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """The depth that has the given slopes and stays near z.

    z       (H, W) float32, metres; pixels <= 0 are left alone (the weights of their pairs must be 0)
    prior   (H, W) float32 weight of z, >= 0
    slope   (down, right) of (H-1, W) and (H, W-1) float32: ln(z_next / z); weight: of those equations, 0 = none
    Returns (H, W) float32.
    """
    # Solve for the correction to ln z: it is small, so float32 carries it, and z itself keeps all its digits.
    logarithm = np.log(np.where(z > 0, z, 1).astype(np.float64))
    force = np.zeros(z.shape, np.float32)
    for axis in (0, 1):
        a, b = pair(axis)
        pull = weight[axis] * (slope[axis] - (logarithm[b] - logarithm[a]).astype(np.float32))
        force[b] += pull
        force[a] -= pull
    held = np.where(z > 0, prior, np.float32(0))
    correction = solve(weight[1], weight[0], held, force, tolerance=TOLERANCE)
    return z * np.exp(correction - _drift(correction, held, weight))


def _drift(correction: np.ndarray, prior: np.ndarray, weight: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """How far each connected piece of the surface has moved as a whole, (H, W) float32: the exact solution has 0 there.

    What the pairs of a piece pull cancels in their sum, so the sum of prior times correction is 0. Under a weak prior that is
    what an iteration finds last, and its residual hardly tells.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    index = np.arange(correction.size).reshape(correction.shape)
    first = np.concatenate([index[pair(axis)[0]][weight[axis] > 0] for axis in (0, 1)])
    second = np.concatenate([index[pair(axis)[1]][weight[axis] > 0] for axis in (0, 1)])
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), (index.size, index.size))
    piece = connected_components(graph, directed=False)[1]
    mass = np.bincount(piece, prior.ravel())
    moved = np.bincount(piece, (prior * correction).ravel()) / np.maximum(mass, 1e-30)
    return moved[piece].reshape(correction.shape).astype(np.float32)
