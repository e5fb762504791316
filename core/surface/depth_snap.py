"""Depth edge de-blending: depths that a network blended across an edge are put back on the surface they belong to.

A network (or a resampling) blends the depths of both sides of an edge. Such pixels are real parts of the person: they are moved,
not deleted. Each is predicted by the tangent planes of trustworthy pixels around it. Those of the same part, colour and normal,
near to the measured depth, weigh most. The surest go first, and the next ones are predicted from them too. So every surface
spreads over its own colour before the soft borders between two are shared out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import Camera
from .depth_edges import gap_limit, inverse_depth, pair, pair_gap, parts_apart

STRIDE = 3
"""Network pixels across which the edge test is made: a blended edge is wider than one pixel."""

ZONE_GAP, ZONE_PIXELS = 0.010, 4.0
"""How far the ends of the stride may lie off each other's planes: metres, footprints of a pixel; the larger counts."""

ON_PLANE = 0.3
"""Share of that gap by which a pixel may be off a plane and still lie on it."""

SHARP = 0.5
"""Share of the edges that have a depth in between. Below it the map is not blended at all: measured 0.0 to 0.13 on rendered maps,
0.75 to 1.0 on those of networks."""

MIDDLE = 0.15
"""Share of the way from one surface to the other that counts as in between: a rounded rim is no blend."""

EDGES = 50
"""Edges that it takes to tell."""

RADIUS = 5
"""Network pixels around a pixel from which it is predicted."""

SURE = (4.0,) * 24 + (2.0,) * 4 + (1.0,) * 2 + (0.5,) * 2
"""Rounds of prediction, each from what the last ones found, and the support that a prediction must have in each:
about the number of next neighbours of the same colour that say the same."""

NEXT = 2
"""Network pixels from a newly filled one within which predictions are made anew: farther on its say is small."""

PASSES = 4
"""Rounds after these, in which every prediction counts: holes up to PASSES * RADIUS pixels wide from their rim are filled."""

AGREES = 0.02
"""Metres within which two predictions say the same."""

COLOUR = 25.0
"""sRGB steps by which the colour of one surface varies from pixel to pixel."""

CHUNK = 1 << 14
"""Pixels that are predicted at a time: bounds the memory."""


@dataclass(frozen=True, eq=False)
class Cues:
    """What tells which surface a pixel belongs to.

    normal  (H, W, 3) float32 unit, camera space
    slants  its `depth_edges.slant`, (H, W) float32 each
    labels  (H, W) uint8 body parts
    image   (H, W, 3) uint8 sRGB
    """

    normal: np.ndarray
    slants: tuple[np.ndarray, np.ndarray]
    labels: np.ndarray
    image: np.ndarray


def snap(z: np.ndarray, domain: np.ndarray, cues: Cues, camera: Camera, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Depth on all of the domain, without values between surfaces.

    z       (H, W) float32 metres, 0 = unknown
    domain  (H, W) bool: where depth is wanted
    scale   pixels of this grid per pixel of the network
    Returns z (H, W) float32, 0 where nothing within reach predicts it, and measured (H, W) bool:
    the depth is the one that came in.
    """
    known = domain & (z > 0)
    out = np.where(known, z, 0).astype(np.float32)
    stride = max(1, round(STRIDE * scale))
    doubtful, blended = _between_surfaces(out, cues, known, camera, stride)
    if not blended:
        doubtful[:] = False
    rim = _rim(domain, stride) & known & ~doubtful & blended
    trusted = known & ~doubtful & ~rim
    if not trusted.any():
        return out, known
    step = max(1, round(scale))
    limit = gap_limit(z, camera)
    # The rim of the silhouette is blended with the background more often than not: believe it only where planes agree.
    pixels = np.flatnonzero(rim)
    off = np.abs(_predict(pixels, out, trusted, cues, step)[0] - out.ravel()[pixels])
    out[~trusted] = 0
    agrees = pixels[off <= 0.5 * limit.ravel()[pixels]]
    out.ravel()[agrees] = z.ravel()[agrees]
    measured = out > 0
    valleys = _valleys(z, known, measured | ~domain, limit, stride) & measured if blended else np.zeros_like(measured)
    out[valleys] = 0
    _fill(out, z, domain, SURE, cues, step)
    believed = valleys & ((out <= 0) | (np.abs(out - z) <= limit))
    out[believed] = z[believed]
    _fill(out, z, domain, (0.0,) * PASSES, cues, step)
    return out, measured & (~valleys | believed)


def _valleys(z: np.ndarray, known: np.ndarray, trusted: np.ndarray, limit: np.ndarray, stride: int) -> np.ndarray:
    """(H, W) bool: strips of trusted pixels that are narrower than a blended edge and farther than both of their sides.
    That is what is seen between two fingers: on no edge, but blended with both of them."""
    import cv2

    width, around = (cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (n, n)) for n in (max(3, 2 * stride - 3), 4 * stride + 1))
    narrow = trusted & (cv2.morphologyEx(trusted.astype(np.uint8), cv2.MORPH_OPEN, width) == 0)
    sides = cv2.morphologyEx(np.where(known, z, np.inf).astype(np.float32), cv2.MORPH_OPEN, around)
    return narrow & (z - sides > 0.5 * limit)


def _fill(out: np.ndarray, z: np.ndarray, domain: np.ndarray, support: tuple[float, ...], cues: Cues, step: int) -> None:
    """Predict depths of the domain that `out` (H, W) lacks, in place, in rounds that ask for so much support each.

    z     (H, W) what was measured, 0 = nothing; where a prediction starts to look for its surface
    step  pixels of this grid per pixel of the network
    """
    import cv2

    reach = np.ones(2 * (2 * NEXT * step + 1,), np.uint8)
    guess, found = np.zeros((2, *out.shape), np.float32)
    trusted = out > 0
    depth, missing = np.where(trusted, out, z), domain & ~trusted
    changed = missing
    for least in support:
        wanted = np.flatnonzero(changed)
        if len(wanted):
            guess.ravel()[wanted], found.ravel()[wanted] = _predict(wanted, depth, trusted, cues, step)
        new = missing & (guess > 0) & (found >= least)
        out[new] = depth[new] = guess[new]
        trusted |= new
        missing &= ~new
        # Nothing is new for a pixel around which nothing was filled: its prediction waits for a round that asks for less.
        changed = missing & (cv2.dilate(new.astype(np.uint8), reach) > 0)


def _between_surfaces(z: np.ndarray, cues: Cues, known: np.ndarray, camera: Camera, stride: int) -> tuple[np.ndarray, bool]:
    """(H, W) bool: pixels between two different surfaces, in the image and in depth, that lie on neither of them;
    and whether the depth blends its edges at all."""
    slants, labels = cues.slants, cues.labels
    inverse = inverse_depth(z)
    zone = np.zeros(z.size, bool)
    limit = np.maximum(np.float32(ZONE_GAP), z * np.float32(ZONE_PIXELS / camera.fx))
    apart = parts_apart()
    flat = inverse.ravel()
    crossed = mixed = 0
    for axis in (0, 1):
        if z.shape[axis] <= stride:
            continue
        first, second = pair(axis, stride)
        least = np.minimum(limit[first], limit[second])
        # Parts that do not touch need less of a gap; look it up only where it could matter.
        y, x = np.nonzero(known[first] & known[second] & (pair_gap(inverse, slants, axis, stride) > 0.5 * least))
        a = y * z.shape[1] + x
        along = z.shape[1] if axis == 0 else 1
        b, slanted = a + stride * along, slants[axis].ravel()
        allowed = least[y, x] * np.where(apart[labels.ravel()[a], labels.ravel()[b]], np.float32(0.5), 1)
        rise = flat[b] - flat[a]
        gap = np.minimum(np.abs(rise - flat[a] * slanted[a] * stride), np.abs(rise - flat[b] * slanted[b] * stride))
        fails = gap > allowed * flat[a] * flat[b]
        a, b, allowed = a[fails], b[fails], allowed[fails]
        hit = np.zeros(len(a), bool)
        for k in range(1, stride):
            pixel = a + k * along
            off_a = flat[pixel] - flat[a] * (1 + slanted[a] * k)
            off_b = flat[pixel] - flat[b] * (1 - slanted[b] * (stride - k))
            tolerance = ON_PLANE * allowed * flat[pixel] ** 2
            between = (off_a * off_b < 0) & (np.minimum(np.abs(off_a), np.abs(off_b)) > tolerance)
            zone[pixel[between]] = True
            near, far = np.sort(np.abs([off_a, off_b]), axis=0)
            hit |= between & (near > MIDDLE * (near + far))
        crossed, mixed = crossed + len(hit), mixed + int(hit.sum())
    return zone.reshape(z.shape) & known, crossed < EDGES or mixed > SHARP * crossed


def _rim(domain: np.ndarray, width: int) -> np.ndarray:
    """(H, W) bool: pixels of the domain within `width` of its border; the border of the photo is no border."""
    import cv2

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    return domain & (cv2.erode(domain.astype(np.uint8), kernel, borderType=cv2.BORDER_REPLICATE) == 0)


def _predict(wanted: np.ndarray, z: np.ndarray, trusted: np.ndarray, cues: Cues, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Depth (n,) float32 of the pixels with flat indices `wanted` (n,), from trusted ones around, 0 = none in reach; and its
    support (n,): the weight of the neighbours of the pixel's colour that agree with it."""
    reach = np.arange(-RADIUS, RADIUS + 1)
    dy, dx = (d.ravel() for d in np.meshgrid(reach, reach, indexing="ij"))
    inside = (dx**2 + dy**2 <= RADIUS**2) & ((dx != 0) | (dy != 0))
    dy, dx = (d[inside].astype(np.float32) * step for d in (dy, dx))
    near = np.exp((dx**2 + dy**2) / np.float32(-8 * step**2))
    height, width = z.shape
    out, support = np.zeros((2, len(wanted)), np.float32)
    flat = [a.reshape(height * width, *a.shape[2:]) for a in (z, trusted, cues.labels, cues.image, cues.normal, *cues.slants)]
    depth, trust, label, colour, facing, down, right = flat
    for start in range(0, len(wanted), CHUNK):
        centre = wanted[start : start + CHUNK]
        y, x = np.divmod(centre, width)
        ny, nx = y[:, None] + dy.astype(np.int64), x[:, None] + dx.astype(np.int64)
        row, column = np.nonzero((ny >= 0) & (ny < height) & (nx >= 0) & (nx < width))
        pixel = ny[row, column] * width + nx[row, column]
        ok = trust[pixel]
        # One entry for every trusted neighbour: centre `row`, offset `column`.
        row, column, pixel = row[ok], column[ok], pixel[ok]
        here = centre[row]
        inverse = 1 / depth[pixel]
        guess = inverse * (1 - down[pixel] * dy[column] - right[pixel] * dx[column])
        difference = colour[pixel].astype(np.float32) - colour[here]
        alike = near[column] * np.exp(np.einsum("ij,ij->i", difference, difference) / np.float32(-2 * COLOUR**2))
        weight = alike + np.float32(0.05) * near[column]
        weight *= np.where(label[pixel] == label[here], 1, np.float32(0.3))
        weight *= np.maximum(np.einsum("ij,ij->i", facing[pixel], facing[here]), 0) ** 4 + np.float32(0.05)
        weight *= guess > 0.2 * inverse
        found = _mode(row, guess, weight, depth[centre])
        agrees = np.abs(guess * found[row] - 1) * found[row] < AGREES
        out[start : start + CHUNK] = found
        support[start : start + CHUNK] = np.bincount(row, alike * agrees, len(centre))
    return out, support


def _mode(group: np.ndarray, inverse: np.ndarray, weight: np.ndarray, measured: np.ndarray) -> np.ndarray:
    """The depth that most of the predictions of a pixel agree on, (n,) float32; 0 where there are none.

    inverse, weight (m,): predictions of 1 / z for pixel group (m,) of n; measured (n,): the depth that was there, 0 = none: where
    to start. Mean shift with a shrinking kernel: it ends on one of two surfaces, never between them.
    """
    count = len(measured)
    total = np.bincount(group, weight, count)
    some = total > 1e-9
    centre = np.bincount(group, weight * inverse, count) / np.where(some, total, 1)
    centre = np.where(measured > 0, 1 / np.where(measured > 0, measured, 1), centre)
    for width in (0.04, 0.02, 0.01):
        # A kernel of `width` metres in depth is width / z^2 in inverse depth.
        sharpness = 1 / np.maximum(width * centre**2, 1e-9)
        kernel = weight / np.square(1 + np.square((inverse - centre[group]) * sharpness[group]))
        share = np.bincount(group, kernel, count)
        held = share > 1e-12
        centre = np.where(held, np.bincount(group, kernel * inverse, count) / np.where(held, share, 1), centre)
    good = some & (centre > 0)
    return np.where(good, 1 / np.where(good, centre, 1), 0).astype(np.float32)
