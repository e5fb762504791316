"""The scan: predictions in, the surface that the camera sees out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import meshing
from .data import Camera, MeshData, Predictions
from .errors import SapiensError
from .frames import camera_from_normal_head, uv_from_pixel


@dataclass(frozen=True)
class ScanSettings:
    """How the surface is made.

    refine            0..1: 0 = the pointmap alone gives the shape, 1 = the normal map leads
    resolution        "full", "half", or the number of faces to aim for
    min_component     pieces with fewer faces are dropped
    alpha_threshold   opacity from which a pixel belongs to the person
    hair_threshold    the same for hair
    """

    refine: float = 0.5
    resolution: str | int = "full"
    min_component: int = 200
    alpha_threshold: float = 0.5
    hair_threshold: float = 0.25


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface of one person (or of all, when no mask was given), as a mesh and as the maps it was made from.

    mesh          vertices lie on the rays of `camera`; uv is the photo's projection
    camera        the camera that all of it is seen with
    depth         (H, W) float32  refined z, metres; 0 = not on the surface
    mask          (H, W) bool     domain of the surface
    normal        (H, W, 3) float32 camera space, unit, points to the camera; 0 outside the mask
    labels        (H, W) uint8    body part, cleaned and extended to the mask; 0 outside
    right_cut     (H, W) bool     the surface is torn between a pixel and its right neighbour
    down_cut      (H, W) bool     the same for the lower neighbour
    vertex_pixel  (V, 2) float32  pixel coordinates (x, y) of every vertex
    notes         sentences for the artist
    """

    mesh: MeshData
    camera: Camera
    depth: np.ndarray
    mask: np.ndarray
    normal: np.ndarray
    labels: np.ndarray
    right_cut: np.ndarray
    down_cut: np.ndarray
    vertex_pixel: np.ndarray
    notes: tuple[str, ...] = ()


def make_mesh(predictions: Predictions, camera: Camera, mask: np.ndarray | None = None, settings: ScanSettings = ScanSettings()) -> Surface:  # noqa: B008
    """Mesh what the camera sees of the person in `mask` ((H, W) bool; None = everybody)."""
    if predictions.pointmap is None:
        raise SapiensError("These predictions have no pointmap.", "Run the pointmap task, then build again.")
    z = predictions.pointmap[..., 2].astype(np.float32)
    domain = np.isfinite(z) & (z > 0.01) & (z < 1000)
    if predictions.seg is not None:
        domain &= predictions.seg > 0
    if mask is not None:
        domain &= mask
    z = np.where(domain, z, 0)
    limit = np.maximum(0.02, 4 * z / camera.fx)
    right_cut, down_cut = np.zeros_like(domain), np.zeros_like(domain)
    right_cut[:, :-1] = domain[:, :-1] & domain[:, 1:] & (np.abs(z[:, 1:] - z[:, :-1]) > limit[:, :-1])
    down_cut[:-1] = domain[:-1] & domain[1:] & (np.abs(z[1:] - z[:-1]) > limit[:-1])
    points = camera.rays() * z[..., None]
    faces, pixel = meshing.compact(meshing.corner_triangles(*meshing.links(domain, right_cut, down_cut), points), z.size)
    if not len(faces):
        raise SapiensError("No surface was found in the pointmap.", "Check that a person is visible in the photo.")
    vertices = points.reshape(-1, 3)[pixel]
    if predictions.normal is None:
        normals = meshing.vertex_normals(vertices, faces)
        normal = np.zeros((*z.shape, 3), np.float32)
        normal.reshape(-1, 3)[pixel] = normals
    else:
        normal = camera_from_normal_head(np.nan_to_num(predictions.normal.astype(np.float32))) * domain[..., None]
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
        normals = normal.reshape(-1, 3)[pixel]
    labels = np.where(domain, 22 if predictions.seg is None else predictions.seg, 0).astype(np.uint8)
    xy = np.stack([pixel % camera.width, pixel // camera.width], 1).astype(np.float32)
    mesh = MeshData(vertices, faces, uv_from_pixel(xy, camera.width, camera.height).astype(np.float32), normals, labels.ravel()[pixel])
    return Surface(mesh, camera, z, domain, normal, labels, right_cut, down_cut, xy)
