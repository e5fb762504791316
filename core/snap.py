"""Depths that hang in the air between two surfaces, put back on the surface they belong to.

A network (or a resampling) blends the depths of both sides of an edge. Such pixels are real parts of the person: they are moved,
not deleted. Each is predicted by the tangent planes of trustworthy pixels around it; those of the same part, colour and normal, near to the
measured depth, have the say.
"""

from __future__ import annotations

import numpy as np

from .data import Camera
from .edges import gap_limit, pair_gap, parts_apart, plane_gradients

STRIDE = 3
"""Pixels (of a 1024 x 768 map) across which the edge test is made: a blended edge is wider than one pixel."""

ZONE_GAP, ZONE_PIXELS = 0.010, 4.0
"""How far the ends of the stride may lie off each other's planes: metres, footprints of a pixel; the larger counts."""

ON_PLANE = 0.3
"""Share of that gap by which a pixel on a plane may be off it."""

RADIUS = 5
"""Pixels (of a 1024 x 768 map) around a pixel from which it is predicted."""

CHUNK = 1 << 15
"""Pixels that are predicted at a time: bounds the memory."""


def snap(
    z: np.ndarray,
    domain: np.ndarray,
    normal: np.ndarray,
    labels: np.ndarray,
    image: np.ndarray,
    rays: np.ndarray,
    camera: Camera,
    pixel_scale: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Depth on all of the domain, without values between surfaces.

    z            (H, W) float32 metres, 0 = unknown
    domain       (H, W) bool: where depth is wanted
    normal       (H, W, 3) float32 unit, camera space; labels (H, W) uint8; image (H, W, 3) uint8; rays (H, W, 3) of `camera`
    pixel_scale  pixels of this grid per pixel of a 1024 x 768 map
    Returns z (H, W) float32, 0 where nothing within reach predicts it, and measured (H, W) bool: the depth is the one that came in.
    """
    scale = max(1, round(pixel_scale))
    known = domain & (z > 0)
    planes = plane_gradients(np.where(known, z, 0), normal, rays, camera)
    doubtful = _between_surfaces(planes, z, labels, known, camera, max(1, round(STRIDE * pixel_scale)))
    rim = _rim(domain, max(1, round(STRIDE * pixel_scale))) & known & ~doubtful
    trusted = known & ~doubtful & ~rim
    if not trusted.any():
        return np.where(known, z, 0).astype(np.float32), known
    # The rim of the silhouette is blended with the background more often than not: believe it only where planes agree.
    out = np.where(trusted, z, 0).astype(np.float32)
    guess = _predict(np.flatnonzero(rim), z, trusted, planes, normal, labels, image, scale)
    agrees = np.abs(guess - z[rim]) <= 0.5 * gap_limit(z, camera)[rim]
    out[rim] = np.where(agrees, z[rim], 0)
    measured = out > 0
    for _ in range(4):
        missing = np.flatnonzero(domain & (out <= 0))
        if not len(missing):
            break
        planes = plane_gradients(out, normal, rays, camera)
        out.ravel()[missing] = _predict(missing, z, out > 0, planes, normal, labels, image, scale)
    return out, measured


def _between_surfaces(
    planes: tuple[np.ndarray, ...], z: np.ndarray, labels: np.ndarray, known: np.ndarray, camera: Camera, stride: int
) -> np.ndarray:
    """(H, W) bool: pixels that lie between two that are on different surfaces, in the image and in depth, and on neither of them."""
    zone = np.zeros(z.size, bool)
    limit = np.maximum(np.float32(ZONE_GAP), z * np.float32(ZONE_PIXELS / camera.fx))
    apart = parts_apart()
    inverse, *gradients = (plane.ravel() for plane in planes)
    width = z.shape[1]
    for axis in (1, 0):
        if z.shape[axis] <= stride:
            continue
        first = (slice(None), slice(None, -stride)) if axis else (slice(None, -stride), slice(None))
        second = (slice(None), slice(stride, None)) if axis else (slice(stride, None), slice(None))
        allowed = np.minimum(limit[first], limit[second])
        allowed *= np.where(apart[labels[first], labels[second]], np.float32(0.5), 1)
        fails = known[first] & known[second] & (pair_gap(planes, axis, stride) > allowed)
        y, x = np.nonzero(fails)
        a, allowed = y * width + x, allowed[fails]
        next_pixel = 1 if axis else width
        b, gradient = a + stride * next_pixel, gradients[1 - axis]
        for k in range(1, stride):
            pixel = a + k * next_pixel
            here = inverse[pixel]
            off_a = here - inverse[a] - gradient[a] * k
            off_b = here - inverse[b] + gradient[b] * (stride - k)
            tolerance = ON_PLANE * allowed * here**2
            hangs = (off_a * off_b < 0) & (np.minimum(np.abs(off_a), np.abs(off_b)) > tolerance)
            zone[pixel[hangs]] = True
    return zone.reshape(z.shape) & known


def _rim(domain: np.ndarray, width: int) -> np.ndarray:
    """(H, W) bool: pixels of the domain within `width` of its border; the border of the photo is no border."""
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    return domain & (cv2.erode(domain.astype(np.uint8), kernel, borderType=cv2.BORDER_REPLICATE) == 0)


def _predict(
    wanted: np.ndarray,
    z: np.ndarray,
    trusted: np.ndarray,
    planes: tuple[np.ndarray, ...],
    normal: np.ndarray,
    labels: np.ndarray,
    image: np.ndarray,
    scale: int,
) -> np.ndarray:
    """Depth (n,) float32 of the pixels with flat indices `wanted` (n,), from trusted ones around; 0 = none in reach."""
    reach = np.arange(-RADIUS, RADIUS + 1)
    dy, dx = (d.ravel() for d in np.meshgrid(reach, reach, indexing="ij"))
    inside = (dx**2 + dy**2 <= RADIUS**2) & ((dx != 0) | (dy != 0))
    dy, dx = dy[inside], dx[inside]
    _height, width = z.shape
    border = RADIUS * scale
    step = width + 2 * border
    offsets = (dy * step + dx) * scale
    near = np.exp(-(dx**2 + dy**2) / 8).astype(np.float32)
    padded = [np.pad(a, border).ravel() for a in (trusted, *planes, labels)]
    colour = np.pad(image, ((border, border), (border, border), (0, 0))).reshape(-1, 3)
    facing = np.pad(normal.astype(np.float16), ((border, border), (border, border), (0, 0))).reshape(-1, 3)
    out = np.zeros(len(wanted), np.float32)
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        centre = (chunk // width + border) * step + chunk % width + border
        around = centre[:, None] + offsets
        ok, inverse, along_x, along_y, label = (a[around] for a in padded)
        guess = inverse - (along_x * dx + along_y * dy) * scale
        ok &= guess > 0.2 * inverse
        difference = colour[around].astype(np.int16) - colour[centre][:, None]
        similar = np.exp(np.square(difference, dtype=np.float32).sum(-1) / np.float32(-2 * 25**2)) + np.float32(0.05)
        turned = np.einsum("ijk,ik->ij", facing[around].astype(np.float32), facing[centre].astype(np.float32))
        weight = ok * near * similar * np.where(label == label_of(labels, chunk)[:, None], 1, np.float32(0.3))
        weight *= np.maximum(turned, 0) ** 4 + np.float32(0.05)
        out[start : start + CHUNK] = _mode(guess, weight, z.ravel()[chunk])
    return out


def label_of(labels: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(n,) labels of flat pixels."""
    return labels.ravel()[pixels]


def _mode(inverse: np.ndarray, weight: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """The depth that most of the predictions agree on, (n,) float32; 0 where all weights vanish.

    inverse (n, m) predicted 1 / z with weight (n, m); measured (n,) the depth that was there, 0 = none: where to start.
    Mean shift with a shrinking kernel: it ends on one of two surfaces, never between them.
    """
    total = weight.sum(1)
    some = total > 1e-9
    centre = (weight * inverse).sum(1) / np.where(some, total, 1)
    centre = np.where(measured > 0, 1 / np.where(measured > 0, measured, 1), centre)
    for width in (0.04, 0.02, 0.01):
        # A kernel of `width` metres in depth is width / z^2 in inverse depth.
        off = (inverse - centre[:, None]) / np.maximum(width * centre[:, None] ** 2, 1e-9)
        kernel = weight / np.square(1 + np.square(off))
        share = kernel.sum(1)
        centre = np.where(share > 1e-12, (kernel * inverse).sum(1) / np.where(share > 1e-12, share, 1), centre)
    return np.where(some & (centre > 0), 1 / np.where(centre > 0, centre, 1), 0).astype(np.float32)
