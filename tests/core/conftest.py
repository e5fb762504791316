"""Synthetic subjects (surfaces given by a formula, seen by a known camera), what a valid mesh is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.spaces import normal_head_from_camera


def sphere(size: int = 160, depth: float = 2.0, radius: float = 0.4, wall: float | None = None) -> tuple[Predictions, Camera]:
    """A ball of skin (label Torso), in front of a wall of hair if `wall` is given (its depth, metres)."""
    camera = Camera(size, size, 1.6 * size, 1.6 * size, (size - 1) / 2, (size - 1) / 2)
    rays = camera.rays().astype(np.float64)
    rr, rc = (rays * rays).sum(-1), rays @ [0, 0, depth]
    root = rc**2 - rr * (depth**2 - radius**2)
    ball = root > 0
    z = np.where(ball, (rc - np.sqrt(np.maximum(root, 0))) / rr, 0)
    normal = np.where(ball[..., None], (rays * z[..., None] - [0, 0, depth]) / radius, 0)
    seg = np.where(ball, 22, 0).astype(np.uint8)
    if wall is not None:
        z = np.where(ball, z, wall)
        normal = np.where(ball[..., None], normal, [0, 0, -1])
        seg[~ball] = 6
    image = np.where((seg == 22)[..., None], [200, 150, 130], [90, 90, 160]).astype(np.uint8)
    points = (rays * z[..., None]).astype(np.float32)
    return Predictions(image=image, pointmap=points, normal=normal_head_from_camera(normal).astype(np.float16), seg=seg), camera


def noisy(predictions: Predictions, metres: float, degrees: float, seed: int = 0) -> Predictions:
    """The same with noise on depth (independent from pixel to pixel) and on the direction of the normals."""
    rng = np.random.default_rng(seed)
    points, normal = predictions.pointmap.copy(), predictions.normal.astype(np.float32)
    inside = points[..., 2] > 0
    factor = 1 + rng.normal(0, metres, inside.shape) / np.maximum(points[..., 2], 1e-3)
    normal += rng.normal(0, np.radians(degrees), normal.shape)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    return Predictions(
        image=predictions.image,
        pointmap=(points * factor[..., None]).astype(np.float32),
        normal=np.where(inside[..., None], normal, 0).astype(np.float16),
        seg=predictions.seg,
    )


def check_valid(mesh, camera: Camera) -> None:
    """Everything that makes a mesh valid for Blender and true to its camera; raises AssertionError."""
    v, f = mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64)
    assert len(f) and f.min() >= 0 and f.max() == len(v) - 1
    assert np.isfinite(v).all() and (v[:, 2] > 0).all() and np.isfinite(mesh.normals).all()
    assert len(np.unique(f)) == len(v), "loose vertices"
    assert (f[:, 0] != f[:, 1]).all() and (f[:, 1] != f[:, 2]).all() and (f[:, 2] != f[:, 0]).all()
    # Every edge at most once in each direction: at most two faces, turning the same way, none twice.
    edges = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
    assert len(np.unique(edges[:, 0] * len(v) + edges[:, 1])) == len(edges)
    corner = v[f]
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    assert (np.linalg.norm(cross, axis=1) > 1e-13).all(), "degenerate faces"
    assert (np.einsum("ij,ij->i", cross, corner.mean(1)) < 0).all(), "faces turned away from the camera"
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-3)
    pixel = camera.project(v)
    uv = mesh.uvs * [camera.width, -camera.height] + [-0.5, camera.height - 0.5]
    assert np.abs(pixel - uv).max() < 0.01 + 1e-6 * max(camera.width, camera.height)
    assert mesh.uvs.min() >= 0 and mesh.uvs.max() <= 1


@pytest.fixture(scope="session")
def scan_subjects() -> SimpleNamespace:
    """sphere(...), noisy(...), check_valid(mesh, camera)."""
    return SimpleNamespace(sphere=sphere, noisy=noisy, check_valid=check_valid)
