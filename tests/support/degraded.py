"""The maps of a sample as a network would give them, made from its exact ones: blurred, shifted, noisy, wrong at the edges.

The errors are those that are known of the real networks' outputs: relief lost, a depth that is smooth but off, points that hang
in the air at silhouettes, borders of parts a few pixels aside, keypoints a few pixels off and now and then wrong altogether. All
of it is drawn from the sample's name, so that it is the same in every run.
"""

from __future__ import annotations

import zlib

import numpy as np

_BAND = 4.0  # network pixels around the person where maps hold finite garbage, as the network's do everywhere
_NETWORK = 1024.0  # pixels of the network's longer side: sizes of errors below are in its pixels


def degraded(maps: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The same keys, shapes and types as the exact maps of the sample called `name`; image and intrinsics are left alone."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    # What a network gets wrong of a scene it gets wrong in every frame of a clip; the frames of a clip are in one folder.
    clip = np.random.default_rng(zlib.crc32(name.split("/")[0].encode()))
    person = maps["seg"] > 0
    unit = max(person.shape) / _NETWORK  # photo pixels in a network pixel
    near = _grown(person, max(2.0, _BAND * unit))
    return {
        "image": maps["image"],
        "pointmap": _points(rng, clip, maps, person, near, unit),
        "normal": _normals(rng, maps["normal"], person, near, unit),
        "albedo": _albedo(rng, maps["albedo"], person, near, unit),
        "seg": _labels(rng, maps["seg"], unit),
        "alpha": _alpha(rng, maps["alpha"], unit),
        "keypoints": _keypoints(rng, maps["keypoints"], person.shape, unit),
        "intrinsics": maps["intrinsics"],
    }


def _grown(mask: np.ndarray, pixels: float) -> np.ndarray:
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~mask) <= pixels


def _smooth(rng: np.random.Generator, shape: tuple[int, int], cells: int, channels: int = 1) -> np.ndarray:
    """(H, W, channels) float32: smooth noise of deviation about 1 that varies over a `cells`-th of the longer side."""
    import cv2

    rows, columns = (max(2, round(cells * side / max(shape)) + 1) for side in shape)
    coarse = rng.standard_normal((rows, columns, channels)).astype(np.float32)
    return cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC).reshape(*shape, channels)


def _inside_blur(values: np.ndarray, mask: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W, C) blurred within the mask only: what lies outside does not count."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(mask.astype(np.float32), sigma)[..., None]
    total = gaussian_filter(np.where(mask[..., None], values, 0).astype(np.float32), (sigma, sigma, 0))
    return np.where(mask[..., None], total / np.maximum(weight, 1e-6), values)


def _points(
    rng: np.random.Generator,
    clip: np.random.Generator,
    maps: dict[str, np.ndarray],
    person: np.ndarray,
    near: np.ndarray,
    unit: float,
) -> np.ndarray:
    """Depth without its relief, off by centimetres that vary slowly, noisy, at half the resolution;
    x and y a little too large."""
    import cv2

    height, width = person.shape
    z = maps["pointmap"][..., 2:].astype(np.float32)
    z = 0.25 * z + 0.75 * _inside_blur(z, person, 4 * unit)
    z += 0.008 * _smooth(clip, person.shape, 5) + clip.normal(0, 0.008) + rng.normal(0, 0.003)
    z += 0.003 * _smooth(rng, person.shape, round(max(person.shape) / 2))
    # The background is farther by an amount that nobody taught the network: at silhouettes half-size cells mix the two.
    behind = np.median(z[person]) + clip.uniform(0.6, 1.2) + 0.1 * _smooth(rng, person.shape, 4)
    z = np.where(person[..., None], z, behind)
    half = cv2.resize(z, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
    z = cv2.resize(half, (width, height), interpolation=cv2.INTER_LINEAR)
    (fx, _, cx), (_, fy, cy), _ = maps["intrinsics"].astype(np.float64)
    rows, columns = np.mgrid[:height, :width]
    stretch = 1 + clip.normal(0, 0.01)
    points = np.stack([(columns - cx) / fx * z * stretch, (rows - cy) / fy * z * stretch, z], -1)
    return np.where(near[..., None], np.round(points * 2**11) / 2**11, 0).astype(np.float32)


def _normals(rng: np.random.Generator, normal: np.ndarray, person: np.ndarray, near: np.ndarray, unit: float) -> np.ndarray:
    """Blurred, turned by a few degrees that vary slowly; any direction outside the person."""
    blurred = _inside_blur(normal.astype(np.float32), person, 2 * unit)
    blurred += np.radians(3.0) * _smooth(rng, person.shape, 12, 3) + np.radians(1.5) * _smooth(rng, person.shape, 90, 3)
    blurred = np.where(person[..., None], blurred, _smooth(rng, person.shape, 30, 3) + np.array([0, 0, 1]))
    blurred /= np.maximum(np.linalg.norm(blurred, axis=-1, keepdims=True), 1e-6)
    return np.where(near[..., None], np.round(blurred * 128) / 128, 0).astype(np.float16)


def _albedo(rng: np.random.Generator, albedo: np.ndarray, person: np.ndarray, near: np.ndarray, unit: float) -> np.ndarray:
    """Blurred, its tones a few per cent off; the colours of the person run over the silhouette."""
    blurred = _inside_blur(albedo.astype(np.float32), person, 1.5 * unit)
    spread = _inside_blur(blurred * person[..., None], np.ones_like(person), 3 * unit)
    blurred = np.where(person[..., None], blurred, spread)
    blurred *= 1 + 0.02 * rng.standard_normal(3) + 0.03 * _smooth(rng, person.shape, 8, 3)
    return np.where(near[..., None], np.clip(np.round(blurred), 0, 255), 0).astype(np.uint8)


def _labels(rng: np.random.Generator, seg: np.ndarray, unit: float) -> np.ndarray:
    """Borders two to three network pixels aside, and a few islands of other parts."""
    height, width = seg.shape
    rows, columns = np.mgrid[:height, :width]
    shift = 1.8 * unit * _smooth(rng, seg.shape, 40, 2)
    row, column = (
        np.clip(np.round(grid + shift[..., k]).astype(int), 0, side - 1)
        for k, (grid, side) in enumerate(((rows, height), (columns, width)))
    )
    moved = seg[row, column]
    islands = _smooth(rng, seg.shape, 60)[..., 0] > 3.0
    present = np.unique(seg[seg > 0])
    return np.where(islands & (moved > 0), rng.choice(present), moved).astype(np.uint8)


def _alpha(rng: np.random.Generator, alpha: np.ndarray, unit: float) -> np.ndarray:
    """A softer edge, a little aside."""
    from scipy.ndimage import gaussian_filter, shift

    soft = gaussian_filter(alpha.astype(np.float32), 1.2 * unit)
    return np.clip(np.round(shift(soft, rng.normal(0, 0.4 * unit, 2), order=1, mode="nearest")), 0, 255).astype(np.uint8)


def _keypoints(rng: np.random.Generator, keypoints: np.ndarray, shape: tuple[int, int], unit: float) -> np.ndarray:
    """One to three network pixels off, scores as a network gives them, one in forty anywhere with a score that says so."""
    out = keypoints.astype(np.float32).copy()
    count = len(out)
    shown, hidden = out[:, 2] == 1, out[:, 2] == 0.5
    out[:, :2] += rng.normal(0, 1, (count, 2)) * (rng.uniform(0.8, 1.6, (count, 1)) * unit)
    out[:, 2] = np.where(shown, rng.uniform(0.6, 0.95, count), np.where(hidden, rng.uniform(0.25, 0.6, count), 0))
    wrong = (rng.random(count) < 0.025) & (shown | hidden)
    out[wrong, :2] += rng.normal(0, 60 * unit, (int(wrong.sum()), 2))
    out[wrong, 2] = rng.uniform(0.05, 0.2, int(wrong.sum()))
    scored = keypoints[:, 2] > 0
    return np.where(scored[:, None], np.clip(out, 0, [shape[1] - 1, shape[0] - 1, 1]), keypoints).astype(np.float32)
