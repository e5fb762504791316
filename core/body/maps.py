"""A fitted body as the camera sees it: its own pointmap, normals and parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import Camera
from ..common.rotations import unit
from ..texture.rasterise import draw_mesh, halves
from .evaluate import pose_points, rest_points, vertex_normals
from .fitted import BodyFit
from .template import template


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
    return halves(quads)


def draw_body(fit: BodyFit, camera: Camera) -> BodyMaps:
    """What the camera sees of a body, the nearest face on top (painter's algorithm: faces are small against their distances)."""
    posed = pose_points(rest_points(fit.shape, fit.face), fit.posture)
    t = template()
    normals = vertex_normals(posed, t.faces[t.body_faces()])
    faces = triangles()
    face, weights = draw_mesh(posed, faces, camera)
    inside = face >= 0
    points = np.full((camera.height, camera.width, 3), np.nan, np.float32)
    normal = points.copy()
    labels = np.zeros(inside.shape, np.uint8)
    if inside.any():
        own = faces[face[inside]]
        share = weights[inside]
        points[inside] = np.einsum("nk,nki->ni", share, posed[own])
        normal[inside] = unit(np.einsum("nk,nki->ni", share, normals[own]))
        labels[inside] = template().labels[own[np.arange(len(own)), share.argmax(axis=1)]]
    return BodyMaps(points, normal, labels, face)
