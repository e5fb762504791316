"""A barrel of known colours before a camera, as the textures of closed surfaces are tested on."""

from dataclasses import replace

import numpy as np

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.texture.project import PaintedSurface
from sapiens2_avatar.core.texture.rasterise import draw_mesh, halves
from sapiens2_avatar.core.texture.views import View

CLOTH = 23
RINGS, SEGMENTS, RADIUS, HEIGHT = 40, 64, 0.15, 0.6
CAMERA = Camera(360, 480, 900.0, 900.0, 179.5, 239.5)
TONE = np.array([120, 110, 100], np.uint8)


def barrel() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices at rest (x to the side, -y to the front, z up), quads, and uvs in two charts, cut at the sides."""
    ring, segment = np.meshgrid(np.arange(RINGS + 1), np.arange(SEGMENTS), indexing="ij")
    turn = 2 * np.pi * segment / SEGMENTS
    points = np.stack([RADIUS * np.cos(turn), -RADIUS * np.sin(turn), HEIGHT * ring / RINGS], axis=-1)
    index = np.arange(points[..., 0].size).reshape(ring.shape)
    r, s = (x.ravel() for x in np.meshgrid(np.arange(RINGS), np.arange(SEGMENTS), indexing="ij"))
    after = (s + 1) % SEGMENTS
    quads = np.stack([index[r, s], index[r + 1, s], index[r + 1, after], index[r, after]], axis=1)
    back = s >= SEGMENTS // 2
    half = SEGMENTS // 2
    u = np.stack([s, s, s + 1, s + 1], axis=1) - np.where(back, half, 0)[:, None]
    v = np.stack([r, r + 1, r + 1, r], axis=1)
    uvs = np.stack([0.05 + 0.4 * u / half + 0.5 * back[:, None], 0.05 + 0.9 * v / RINGS], axis=-1)
    return points.reshape(-1, 3).astype(np.float32), quads.astype(np.int32), uvs.astype(np.float32)


def stood(points: np.ndarray, yaw: float = 0.0) -> np.ndarray:
    """The barrel before the camera, turned by degrees about its axis."""
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    x, y = c * points[:, 0] - s * points[:, 1], s * points[:, 0] + c * points[:, 1]
    return np.stack([x, HEIGHT / 2 - points[:, 2], 1.5 + y], axis=1).astype(np.float32)


def colours_of(points: np.ndarray) -> np.ndarray:
    """(n, 3) sRGB 0..255: a smooth pattern without symmetry."""
    x, y, z = (np.asarray(points, np.float64) / RADIUS).T
    waves = np.stack([np.sin(2 * x + 0.7), np.sin(1.5 * z + y), np.cos(2 * y - x)], axis=1)
    return 128 + 60 * waves


def photo_of(surface: PaintedSurface, number: int, colours, label: int = CLOTH, light: float = 1.0) -> View:
    """The barrel as view `number` sees it; colours: a function of points at rest."""
    faces, posed = halves(surface.quads), surface.posed[number]
    face, share = draw_mesh(posed.astype(np.float64), faces, CAMERA)
    inside = face >= 0
    corners = faces[face[inside]]
    image = np.full((*inside.shape, 3), 30, np.uint8)
    image[inside] = np.clip(light * colours((surface.rest[corners] * share[inside][..., None]).sum(axis=1)), 0, 255).round()
    depth = np.full(inside.shape, np.nan, np.float32)
    depth[inside] = (posed[corners][..., 2] * share[inside]).sum(axis=1)
    return View(image, image, np.where(inside, label, 0).astype(np.uint8), CAMERA, depth)


def surface_at(*yaws: float, **changes) -> PaintedSurface:
    points, quads, uvs = barrel()
    posed = tuple(stood(points, yaw) for yaw in yaws)
    return replace(PaintedSurface(quads, uvs, posed, np.array([CLOTH], np.uint8), TONE, points), **changes)


def facing(points: np.ndarray, yaw: float = 0.0) -> np.ndarray:
    """(n,) cosine to the camera of points at rest."""
    return -(stood(points, yaw)[:, 2] - 1.5) / RADIUS
