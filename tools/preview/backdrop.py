"""Random backgrounds: walls, floors, gradients, noise and clutter. Nothing here is a person; some of it has the colours
of one."""

from __future__ import annotations

import cv2
import numpy as np


def _colour(rng: np.random.Generator) -> np.ndarray:
    """(3,) linear colour; a fifth of them like skin or hair."""
    if rng.random() < 0.2:
        return np.array([0.62, 0.40, 0.30]) ** rng.uniform(1, 3.3)
    grey = rng.uniform(0.02, 0.9)
    return np.clip(grey * (1 + rng.normal(0, 0.35, 3)), 0.005, 1)


def _clouds(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(H, W) smooth noise of several octaves, about -1..1."""
    total = np.zeros((height, width), np.float32)
    for octave in range(int(rng.integers(1, 6))):
        cells = rng.normal(0, 1, (3 + 2**octave, 3 + 2**octave)).astype(np.float32)
        total += cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC) / 2 ** (octave * rng.uniform(0.3, 1.0))
    return total / max(float(np.abs(total).max()), 1e-6)


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(H, W, 3) one surface: two colours mixed by clouds, bricks, planks or a gradient."""
    a, b = _colour(rng), _colour(rng)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    kind = rng.integers(0, 5)
    if kind == 0:
        mix = 0.5 + 0.5 * _clouds(rng, height, width)
    elif kind == 1:
        angle = rng.uniform(0, 6.28)
        mix = (x * np.cos(angle) + y * np.sin(angle)) / np.hypot(height, width) % 1.0
    elif kind == 2:
        p, q = rng.uniform(6, 60), rng.uniform(6, 60)
        row = np.floor(y / p)
        mix = ((y % p < 1.5) | ((x + row % 2 * q / 2) % q < 1.5)) * 0.8 + 0.2 * _clouds(rng, height, width)
    elif kind == 3:
        angle, period = rng.uniform(0, 3.14), rng.uniform(4, 50)
        mix = 0.5 + 0.5 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * 6.28 / period)
    else:
        mix = np.zeros_like(x) + 0.15 * _clouds(rng, height, width)
    mix = np.clip(mix + rng.uniform(0, 0.15) * _clouds(rng, height, width), 0, 1)[..., None]
    return (a + (b - a) * mix).astype(np.float32)


def _clutter(rng: np.random.Generator, image: np.ndarray) -> None:
    """Boxes, discs, limbs of nothing and lines, drawn in place."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(0, 14))):
        colour = tuple(float(c) for c in _colour(rng))
        x, y = int(rng.uniform(-0.1, 1.1) * width), int(rng.uniform(-0.1, 1.1) * height)
        size = np.exp(rng.uniform(np.log(4), np.log(0.5 * height)))
        kind = rng.integers(0, 4)
        if kind == 0:
            box = cv2.boxPoints(
                ((x, y), (float(size), float(size * rng.uniform(0.2, 3))), float(rng.choice([0, rng.uniform(0, 90)])))
            )
            cv2.fillPoly(image, [box.astype(np.int32)], colour, cv2.LINE_AA)
        elif kind == 1:
            axes = (int(size * 0.5) + 1, int(size * rng.uniform(0.2, 1)) + 1)
            cv2.ellipse(image, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
        elif kind == 2:
            points = np.array([x, y]) + np.cumsum(rng.normal(0, size * 0.6, (int(rng.integers(2, 5)), 2)), 0)
            cv2.polylines(image, [points.astype(np.int32)], False, colour, int(rng.uniform(1, 18)), cv2.LINE_AA)
        else:
            corners = np.array([x, y]) + rng.normal(0, size * 0.5, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(image, [corners.astype(np.int32)], colour, cv2.LINE_AA)


def random_backdrop(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """(H, W, 3) float32 linear."""
    image = _texture(rng, height, width)
    if rng.random() < 0.55:
        floor = int(height * rng.uniform(0.55, 0.98))
        image[floor:] = _texture(rng, height, width)[floor:] * rng.uniform(0.4, 1.2)
    if rng.random() < 0.65:
        image = np.ascontiguousarray(image)
        _clutter(rng, image)
    blur = rng.choice([0.0, rng.uniform(0.3, 5.0)], p=[0.4, 0.6])
    if blur:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    light = 1 + rng.uniform(0, 0.6) * _clouds(rng, height, width)[..., None]
    return np.clip(image * light, 0, 2).astype(np.float32)
