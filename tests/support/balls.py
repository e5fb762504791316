"""A coloured ball as a photo shows it: the least that can be textured."""

import numpy as np

RADIUS, FOCAL, DISTANCE = 0.4, 300.0, 2.0
WIDTH, HEIGHT = 160, 200
CLOTH = 23


def ball_mesh(rings: int = 24, segments: int = 48) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (V, 3) around the origin with z up, quads (F, 4), those at the poles with a corner twice, and uvs (F, 4, 2)."""
    ring, segment = np.meshgrid(np.arange(rings + 1), np.arange(segments), indexing="ij")
    polar, turn = np.pi * ring / rings, 2 * np.pi * segment / segments
    points = RADIUS * np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), -np.cos(polar)], axis=-1)
    index = np.arange(ring.size).reshape(ring.shape)
    r, s = (x.ravel() for x in np.meshgrid(np.arange(rings), np.arange(segments), indexing="ij"))
    quads = np.stack([index[r, s], index[r, (s + 1) % segments], index[r + 1, (s + 1) % segments], index[r + 1, s]], axis=1)
    u, v = np.stack([s, s + 1, s + 1, s], axis=1) / segments, np.stack([r, r, r + 1, r + 1], axis=1) / rings
    uvs = 0.02 + 0.96 * np.stack([u, v], axis=-1)
    return points.reshape(-1, 3).astype(np.float32), quads.astype(np.int32), uvs.astype(np.float32)


def colours_of(points: np.ndarray) -> np.ndarray:
    """(..., 3) sRGB 0..255 at points of the ball: left and right differ, and top and bottom."""
    x, _, z = np.moveaxis(np.asarray(points, np.float64) / RADIUS, -1, 0)
    return np.stack([128 + 90 * z, 110 + 80 * x, 60 + 0 * x], axis=-1)


def ball_maps(scale: float = 1.0) -> dict[str, np.ndarray]:
    """The arrays of a predictions file: the ball as a camera sees it that is DISTANCE before it, looks along +y and is level.

    scale  of the pointmap: 2 = a ball twice as large and twice as far
    """
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    rays = np.stack([(x - (WIDTH - 1) / 2) / FOCAL, (y - (HEIGHT - 1) / 2) / FOCAL, np.ones_like(x)], axis=-1)
    a, b, c = (rays**2).sum(axis=-1), DISTANCE * rays[..., 2], DISTANCE**2 - RADIUS**2
    inside = b**2 - a * c > 0
    depth = (b - np.sqrt(np.maximum(b**2 - a * c, 0))) / a
    points = rays * depth[..., None] * inside[..., None]
    on_ball = np.stack([points[..., 0], points[..., 2] - DISTANCE, -points[..., 1]], axis=-1)
    image = np.where(inside[..., None], colours_of(on_ball).clip(0, 255), 20).round().astype(np.uint8)
    return {
        "image": image,
        "pointmap": (scale * points).astype(np.float32),
        "seg": np.where(inside, CLOTH, 0).astype(np.uint8),
        "intrinsics": np.array([[FOCAL, 0, (WIDTH - 1) / 2], [0, FOCAL, (HEIGHT - 1) / 2], [0, 0, 1]], np.float32),
    }


WORLD_FROM_CAMERA = np.array([[1.0, 0, 0, 0], [0, 0, 1, -DISTANCE], [0, -1, 0, 0], [0, 0, 0, 1]])
"""(4, 4): the ball's middle is the origin of the world."""
