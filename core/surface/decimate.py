"""Fewer triangles for the same surface: quadric edge collapses that keep outline, texture coordinates and body parts."""

from __future__ import annotations

import numpy as np

from ..common.arrays import Camera, MeshData
from ..common.spaces import uv_from_pixel
from .pixel_mesh import vertex_normals

OUTLINE_SHARE = 0.5
"""Share of the vertices aimed for that the outline may take whole; a longer one is thinned as well."""


def decimate(mesh: MeshData, camera: Camera, faces: int) -> tuple[MeshData, np.ndarray]:
    """A mesh of about `faces` triangles, and the photo's pixel of every vertex (V, 2) float32.

    Vertices move, so their texture coordinates are projected anew with `camera`; normals and labels are those of the nearest
    vertices of the surface they came from. The result is as valid as the input: no face twice, thin or turned away, no edge with
    more than two. The count is missed where the outline alone has more vertices than that.
    """
    from fast_simplification import simplify
    from scipy.spatial import cKDTree

    directed = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]).astype(np.int64)
    count = len(mesh.vertices)
    outline = np.setdiff1d(directed[:, 0] * count + directed[:, 1], directed[:, 1] * count + directed[:, 0], assume_unique=True)
    # In units of the depth, so that the collapses weigh a near face as a far body.
    unit = float(np.median(mesh.vertices[:, 2]))
    points, kept = simplify(
        mesh.vertices.astype(np.float64) / unit,
        mesh.faces,
        target_count=faces,
        agg=5.0,
        preserve_border=len(outline) < OUTLINE_SHARE * faces / 2,
    )
    points = points * unit
    # An edge of the photo is an edge of the texture: nothing may hang over it.
    pixel = np.clip(camera.project(points), -0.5, [camera.width - 0.5, camera.height - 0.5])
    points = camera.rays(pixel).astype(np.float64) * points[:, 2:]
    kept = _valid(kept.astype(np.int64), points, pixel)
    used, index = np.unique(kept, return_inverse=True)
    vertices, pixel = points[used].astype(np.float32), pixel[used].astype(np.float32)
    triangles = index.reshape(-1, 3).astype(np.int32)

    _, near = cKDTree(mesh.vertices).query(vertices, k=min(4, count))
    near = near.reshape(len(vertices), -1)
    normals = mesh.normals[near].sum(1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.where(length > 1e-3, normals / np.maximum(length, 1e-3), vertex_normals(vertices, triangles))
    uvs = uv_from_pixel(pixel, camera.width, camera.height).astype(np.float32)
    return MeshData(vertices, triangles, uvs, normals.astype(np.float32), mesh.labels[near[:, 0]]), pixel


def _valid(faces: np.ndarray, points: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """The faces (F, 3) that turn to the camera, have an area, and pass each edge only once in each direction."""
    a, b, c = (pixel[faces[:, k]] for k in range(3))
    # Pixels run right and down: a face that is counter-clockwise to the camera has a negative area in these axes.
    turned = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    p, q, r = (points[faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(q - p, r - p), axis=1)
    good = (turned < -1e-4) & (area > 1e-11)
    faces, area = faces[good], area[good]
    # The larger of two faces that claim the same side of an edge keeps it.
    faces = faces[np.argsort(-area, kind="stable")]
    edges = (faces * (len(points) + 1))[:, :] + np.roll(faces, -1, axis=1)
    _, first = np.unique(edges.ravel(), return_index=True)
    owns = np.zeros(edges.size, bool)
    owns[first] = True
    return faces[owns.reshape(-1, 3).all(1)]
