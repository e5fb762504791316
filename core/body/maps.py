"""A fitted body as the camera sees it: its own pointmap, normals and parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import Camera
from ..common.rotations import unit
from ..texture.rasterise import rasterise
from .evaluate import pose_points, rest_points, vertex_normals
from .fitted import BodyFit
from .template import template

NEAREST = 0.05  # metres in front of the camera, where faces are no longer drawn


@dataclass(frozen=True, eq=False)
class BodyMaps:
    """Maps of one body, aligned with the photo.

    points   (H, W, 3) float32 camera space, NaN where the body is not
    normals  (H, W, 3) float32 camera space, unit, towards the camera; NaN where the body is not
    labels   (H, W) uint8 body part of 29 classes, 0 where the body is not
    face     (H, W) int32 triangle of `triangles()`, -1 where the body is not
    """

    points: np.ndarray
    normals: np.ndarray
    labels: np.ndarray
    face: np.ndarray


def triangles() -> np.ndarray:
    """(F, 3) int32: the body's quads in halves."""
    t = template()
    quads = t.faces[t.body_faces()]
    return np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3)


def draw_body(fit: BodyFit, camera: Camera) -> BodyMaps:
    """What the camera sees of a body, the nearest face on top (painter's algorithm: faces are small against their distances)."""
    posed = pose_points(rest_points(fit.shape, fit.face), fit.posture)
    t = template()
    normals = vertex_normals(posed, t.faces[t.body_faces()])
    faces = triangles()
    corners = posed[faces]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = camera.project(corners)
    front = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    seen = (corners[..., 2] > NEAREST).all(axis=1) & ((front * corners.mean(axis=1)).sum(axis=1) < 0)
    shown = np.flatnonzero(seen)
    shown = shown[np.argsort(-corners[shown][..., 2].mean(axis=1), kind="stable")]
    drawn, weights = rasterise(pixels[shown].astype(np.float32), camera.height, camera.width)
    inside = drawn >= 0
    face = np.where(inside, shown[np.maximum(drawn, 0)] if len(shown) else -1, -1).astype(np.int32)
    points = np.full((camera.height, camera.width, 3), np.nan, np.float32)
    normal = points.copy()
    labels = np.zeros(inside.shape, np.uint8)
    if inside.any():
        own = faces[face[inside]]
        share = weights[inside]
        # Straight lines in space are not evenly spaced in the image: shares are corrected by depth.
        share = share / posed[own][..., 2]
        share /= share.sum(axis=1, keepdims=True)
        points[inside] = np.einsum("nk,nki->ni", share, posed[own])
        normal[inside] = unit(np.einsum("nk,nki->ni", share, normals[own]))
        labels[inside] = template().labels[own[np.arange(len(own)), share.argmax(axis=1)]]
    return BodyMaps(points, normal, labels, face)
