"""How much light from every direction reaches each point of a depth map, by diffuse and by glossy reflection, with cast shadows.

Precomputed radiance transfer (Sloan, Kautz and Snyder, "Precomputed Radiance Transfer for Real-Time Rendering in Dynamic,
Low-Frequency Lighting Environments", 2002) over directions instead of harmonics. The light seen at a point is linear in the
radiance of the directions, whatever shadows fall. So the radiance can be fitted by least squares, and it stays positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import Camera

SHADOW_STEPS = 16
"""Samples along a shadow ray, in geometric progression: near shadows are sharp, far ones soft."""
SHADOW_REACH = 0.6
"""Metres: what is farther away than about an arm's length takes away little of the sky."""
BODY_THICKNESS = 0.15
"""Metres behind the visible surface that count as solid: about a limb. What a depth map hides is not known."""


@dataclass(frozen=True, eq=False)
class Cells:
    """A coarse grid over a depth map; every cell averages the pixels of the part that covers most of it.

    step    pixels along the side of a cell
    part    (h, w) uint8    0 = nobody
    valid   (h, w) bool     at least half of the cell is that part
    colour  (h, w, 3) float32 linear
    normal  (h, w, 3) float32 camera space, unit
    depth   (h, w) float32  metres; inf = nobody
    points  (h, w, 3) float32 camera space
    """

    step: int
    part: np.ndarray
    valid: np.ndarray
    colour: np.ndarray
    normal: np.ndarray
    depth: np.ndarray
    points: np.ndarray


def directions(count: int) -> np.ndarray:
    """(count, 3) float32 unit vectors evenly spread over the sphere (Fibonacci lattice)."""
    i = np.arange(count) + 0.5
    polar, azimuth = np.arccos(1 - 2 * i / count), np.pi * (1 + np.sqrt(5)) * i
    return np.stack([np.cos(azimuth) * np.sin(polar), np.cos(polar), np.sin(azimuth) * np.sin(polar)], axis=-1).astype(np.float32)


def make_cells(
    colour: np.ndarray, part: np.ndarray, normal: np.ndarray, depth: np.ndarray, camera: Camera, wanted: int = 5000
) -> Cells:
    """About `wanted` cells over the person.

    colour (H, W, 3) float32 linear, part (H, W) uint8 with 0 = nobody, normal (H, W, 3) camera space, depth (H, W) metres.
    """
    import cv2

    height, width = part.shape
    step = max(1, int(np.sqrt(np.count_nonzero(part) / wanted)))
    h, w = -(-height // step), -(-width // step)
    pad = ((0, h * step - height), (0, w * step - width))
    part = np.pad(part, pad)

    def average(values: np.ndarray) -> np.ndarray:
        return cv2.resize(values, (w, h), interpolation=cv2.INTER_AREA).reshape(h, w, *values.shape[2:])

    best, share = np.zeros((h, w), np.uint8), np.zeros((h, w), np.float32)
    for label in np.flatnonzero(np.bincount(part.ravel())[1:]) + 1:
        area = average((part == label).astype(np.float32))
        better = area > share
        best[better], share[better] = label, area[better]
    inside = ((part == np.repeat(np.repeat(best, step, axis=0), step, axis=1)) & (part > 0)).astype(np.uint8)

    def mean(values: np.ndarray) -> np.ndarray:
        padded = np.pad(values, (*pad, *((0, 0),) * (values.ndim - 2))) if any(map(any, pad)) else values
        total = average(cv2.copyTo(padded.astype(np.float32, copy=False), inside))
        return total / np.maximum(share, 1e-6).reshape(share.shape + (1,) * (values.ndim - 2))

    n = mean(normal)
    n /= np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-6)
    z = mean(depth)
    valid = (share >= 0.5) & (z > 0)
    coarse = (
        camera.resized(w, h) if (h * step, w * step) == (height, width) else _padded(camera, w * step, h * step).resized(w, h)
    )
    points = coarse.rays() * z[..., None]
    return Cells(step, best, valid, mean(colour), n, np.where(best > 0, z, np.inf).astype(np.float32), points)


def _padded(camera: Camera, width: int, height: int) -> Camera:
    """The camera of the image padded at the right and at the bottom."""
    return Camera(width, height, camera.fx, camera.fy, camera.cx, camera.cy, camera.source)


def visibility(cells: Cells, camera: Camera, towards: np.ndarray) -> np.ndarray:
    """(N, D) float32 in 0..1: how free the view is from each valid cell in D directions; 0 below its horizon.

    Rays march over the depth map of the cells. A ray is blocked where it passes behind the surface by less than BODY_THICKNESS;
    the transition widens with the distance, as the penumbra of a light as wide as the spacing of the directions does.
    """
    h, w = cells.part.shape
    normal, origin = cells.normal[cells.valid], cells.points[cells.valid]
    footprint = float(np.median(origin[:, 2])) * cells.step / camera.fx if len(origin) else 1.0
    free = (normal @ towards.T > 0).astype(np.float32)
    cell, ray = np.nonzero(free)
    start, heading = (origin + footprint * normal)[cell], towards[ray]
    fx, fy = camera.fx / cells.step, camera.fy / cells.step
    cx, cy = (camera.cx + 0.5) / cells.step - 0.5, (camera.cy + 0.5) / cells.step - 0.5
    framed = np.pad(cells.depth, 1, constant_values=np.inf).ravel()  # rays may leave the image
    left = np.ones(len(cell), np.float32)
    for distance in np.geomspace(2 * footprint, max(SHADOW_REACH, 4 * footprint), SHADOW_STEPS).astype(np.float32):
        x, y, z = (start[:, axis] + distance * heading[:, axis] for axis in range(3))
        ahead = np.maximum(z, 1e-3)
        column = np.clip(x / ahead * fx + (cx + 1.5), 0, w + 1).astype(np.int32)
        row = np.clip(y / ahead * fy + (cy + 1.5), 0, h + 1).astype(np.int32)
        behind = z - framed[row * (w + 2) + column]
        blocked = np.clip((behind - 0.5 * footprint) / (0.1 * distance + footprint), 0, 1)
        blocked[(behind > BODY_THICKNESS) | (z <= 0)] = 0
        np.minimum(left, 1 - blocked, out=left)
    free[cell, ray] = left
    return free


def diffuse_transfer(normal: np.ndarray, free: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """(N, D + 1) float32: a white matt surface with `normal` (N, 3) shows transfer @ radiance.

    Column D is the light that comes back from what blocks the view: blocked directions are not black but show other parts of
    the person, all taken as equally bright.
    """
    cosine = np.clip(normal @ towards.T, 0, None) * np.float32(4 / len(towards))
    return np.concatenate([free * cosine, ((1 - free) * cosine).sum(axis=1, keepdims=True)], axis=1)


def glossy_transfer(
    normal: np.ndarray, points: np.ndarray, free: np.ndarray, towards: np.ndarray, roughness: np.ndarray, ior: np.ndarray
) -> np.ndarray:
    """(N, D + 1) float32: what the surface mirrors towards the camera, whatever its albedo.

    normal, points (N, 3) camera space; roughness, ior (N,). Microfacets with the GGX distribution, Schlick's Fresnel term and
    Smith's shadowing in Schlick's form (Walter et al. 2007; Karis 2013). The last column, for `diffuse_transfer`, is 0.
    """
    view = -points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-6)
    # Half vectors never exist as (N, D, 3): |v + l|^2 = 2 + 2 v.l.
    view_light = np.clip(view @ towards.T, -0.999, 1)
    half = np.sqrt(2 + 2 * view_light)
    normal_view = np.clip(np.einsum("ij,ij->i", normal, view), 0.1, 1)[:, None]
    normal_light = np.clip(normal @ towards.T, 0, 1)
    normal_half = np.clip((normal @ towards.T + normal_view) / half, 0, 1)
    alpha = (np.square(roughness)[:, None]).astype(np.float32)
    lobe = alpha**2 / (np.pi * np.square(normal_half**2 * (alpha**2 - 1) + 1))
    facing = np.square((ior - 1) / (ior + 1))[:, None]
    fresnel = facing + (1 - facing) * (1 - np.clip(half / 2, 0, 1)) ** 5
    k = alpha / 2
    shadowing = 1 / (4 * (normal_view * (1 - k) + k) * (normal_light * (1 - k) + k))
    mirrored = free * lobe * fresnel * shadowing * normal_light * np.float32(4 * np.pi / len(towards))
    return np.concatenate([mirrored, np.zeros((len(normal), 1), np.float32)], axis=1).astype(np.float32)


def fit_radiance(transfer: np.ndarray, observed: np.ndarray, weight: np.ndarray, smoothness: float = 1e-2) -> np.ndarray:
    """(D,) float64 non-negative radiance that minimises |weight (transfer @ radiance - observed)|^2 + a ridge.

    transfer (N, D), observed (N,), weight (N,); `smoothness` is the ridge relative to the mean of the normal matrix's diagonal.
    """
    rows = transfer * weight[:, None]
    normal_matrix = (rows.T @ rows).astype(np.float64)
    right = (rows.T @ (observed * weight)).astype(np.float64)
    ridge = smoothness * np.trace(normal_matrix) / len(right) + 1e-12
    return _non_negative(normal_matrix + ridge * np.eye(len(right)), right)


def _non_negative(normal_matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(D,) non-negative least squares from their normal equations (D, D), (D,), by Lawson and Hanson's active sets (1974).

    The active sets begin where all are free and whoever is negative has been held, with one solution for all of them: most of
    them are as they will be, and few have to be freed one by one. scipy.optimize has it too, and takes longer to import than a
    photo takes to be delighted.
    """
    free = np.ones(len(right), bool)
    found = _solved(normal_matrix, right, free)
    while (found[free] <= 0).any():
        free &= found > 0
        found = _solved(normal_matrix, right, free)
    least = 1e-10 * max(float(np.abs(right).max(initial=0.0)), 1e-30)
    for _ in range(3 * len(right)):
        gradient = np.where(free, -np.inf, right - normal_matrix @ found)
        if gradient.max() <= least:
            break
        free[gradient.argmax()] = True
        while free.any():
            wanted = _solved(normal_matrix, right, free)
            over = free & (wanted <= 0)
            if not over.any():
                found = wanted
                break
            # As far towards the solution as all stay non-negative; whoever meets zero is held there.
            way = found[over] / np.maximum(found[over] - wanted[over], 1e-300)
            found = found + way.min() * (wanted - found)
            free[over] &= way > way.min()
            found[~free] = 0
    return found


def _solved(normal_matrix: np.ndarray, right: np.ndarray, free: np.ndarray) -> np.ndarray:
    """(D,) least squares in the (D,) bool free unknowns, the others being 0."""
    wanted, some = np.zeros(len(right)), np.flatnonzero(free)
    wanted[some] = np.linalg.solve(normal_matrix[some[:, None], some], right[some])
    return wanted
