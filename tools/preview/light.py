"""From surface to picture: light on the samples of a ray cast, and what a camera makes of it."""

from __future__ import annotations

import cv2
import numpy as np
from embreex.rtcore_scene import EmbreeScene

from . import wardrobe


def shade(
    rng: np.random.Generator,
    scene: EmbreeScene,
    points: np.ndarray,
    normal: np.ndarray,
    toward: np.ndarray,
    albedo: np.ndarray,
    label: np.ndarray,
) -> np.ndarray:
    """(n, 3) linear radiance of n samples, exposed for the person.

    Light of sky and ground with occlusion, one sun with shadows, a little gloss.
    """
    sun = rng.normal(0, 1, 3) * [1, 1, 0.6] + [0, -0.7, 0.7]
    sun /= np.linalg.norm(sun)
    warm = np.array([1, 1, 1]) * (1 + rng.normal(0, 0.12) * np.array([1, 0.2, -1]))
    sky, ground, side = (rng.uniform(0.1, 1.0) * (1 + rng.normal(0, 0.12, 3)) for _ in range(3))
    ambient = ground + (sky - ground) * (0.5 + 0.5 * normal[:, 2:]) + side * 0.5 * (normal @ _random_direction(rng))[:, None]
    strength = rng.choice([0.0, rng.uniform(0.3, 3.0)], p=[0.2, 0.8])
    lifted = (points + normal * 0.004).astype(np.float32)
    scatter = normal + _random_directions(rng, len(points))
    near = scene.run(lifted, scatter.astype(np.float32), output=1)["tfar"]
    open_sky = 1 - 0.75 * np.exp(-near / 0.18) * (near < 1e4)
    light = np.maximum(ambient, 0.02) * open_sky[:, None]
    if strength:
        soft = (sun + rng.uniform(0, 0.25) * _random_directions(rng, len(points))).astype(np.float32)
        lit = scene.run(lifted, soft, output=1)["primID"] < 0
        facing = np.maximum(normal @ sun, 0) * lit
        light = light + strength * warm * facing[:, None]
        half = toward + sun
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        gloss = np.where(label == wardrobe.HAIR, 0.08, np.where(np.isin(label, (wardrobe.UPPER, wardrobe.LOWER)), 0.01, 0.04))
        shine = gloss * np.maximum(np.einsum("nc,nc->n", normal, half), 0) ** 18 * lit * strength
    else:
        shine = np.zeros(len(points))
    radiance = albedo * light + shine[:, None]
    exposure = rng.uniform(0.09, 0.38) / max(float(radiance.mean()), 1e-4) if len(points) else 1.0
    return (radiance * min(exposure, 1.6 / max(float(light.mean()), 1e-3))).astype(np.float32)


def _random_direction(rng: np.random.Generator) -> np.ndarray:
    return _random_directions(rng, 1)[0]


def _random_directions(rng: np.random.Generator, n: int) -> np.ndarray:
    v = rng.standard_normal((n, 3), np.float32)
    return v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-6)


def srgb(linear: np.ndarray) -> np.ndarray:
    """Display values 0..1 of linear light."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def develop(rng: np.random.Generator, linear: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: what a camera makes of the light, black outside the photo."""
    image = srgb(linear * rng.uniform(0.8, 1.2)).astype(np.float32)
    image = np.clip(0.5 + (image - 0.5) * rng.uniform(0.85, 1.15), 0, 1)
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.1))
    image += rng.standard_normal(image.shape, np.float32) * rng.uniform(0, 0.025)
    pixels = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.5:
        ok, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(45, 96))])
        if not ok:
            raise RuntimeError("OpenCV could not encode a JPEG image.")
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return pixels * inside
