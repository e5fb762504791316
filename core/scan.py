"""The scan: predictions in, the surface that the camera sees out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import domain as domains
from . import edges, meshing, refine, snap
from .data import Camera, MeshData, Predictions
from .errors import SapiensError
from .frames import camera_from_normal_head, uv_from_pixel

NEAREST, FARTHEST = 0.01, 1000.0
"""Metres between which a predicted depth is believed at all."""


@dataclass(frozen=True)
class ScanSettings:
    """How the surface is made.

    refine            0..1: 0 = the pointmap alone gives the shape, 1 = the normal map leads
    resolution        "full" (the grid of the network: every pixel of photos up to about 2000 x 1500, every other one of larger ones ...),
                      "half" (every other pixel of that), "photo" (every pixel), or the number of faces to aim for
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


def make_mesh(
    predictions: Predictions, camera: Camera, mask: np.ndarray | None = None, settings: ScanSettings | None = None
) -> Surface:
    """Mesh what the camera sees of the person in `mask` ((H, W) bool; None = everybody)."""
    settings = settings or ScanSettings()
    if predictions.pointmap is None:
        raise SapiensError("These predictions have no pointmap.", "Run the pointmap task, then build again.")
    pm = predictions.pointmap[..., 2].astype(np.float32)
    known = np.isfinite(pm) & (pm > NEAREST) & (pm < FARTHEST)
    z = np.where(known, pm, 0)
    px = 1.0
    domain, labels = domains.person_domain(predictions.seg, predictions.alpha, mask, known, px, settings.alpha_threshold, settings.hair_threshold)
    rays = camera.rays()
    if predictions.normal is None:
        normal = edges.tangent_normals(z, rays)
    else:
        normal = camera_from_normal_head(np.nan_to_num(predictions.normal.astype(np.float32)))
        length = np.linalg.norm(normal, axis=-1, keepdims=True)
        normal = np.where(length > 0.3, normal / np.maximum(length, 1e-6), 0)
    ok = (np.abs(normal).sum(-1) > 0) & domain
    normal = domains.nearest(ok, normal) * domain[..., None]
    z, measured = snap.snap(z, domain, normal, labels, predictions.image, rays, camera, px)
    domain &= z > 0
    right_cut, down_cut = edges.cut_pairs(z, normal, labels, rays, camera)
    if settings.refine > 0 and predictions.normal is not None:
        right, down, rw, dw = refine.slopes(normal, rays, camera)
        lr, ld = meshing.links(domain, right_cut, down_cut)
        z = refine.fuse(z, np.where(measured, 1, np.float32(0.1)), right, down, rw * lr, dw * ld, refine.data_weight(settings.refine, px))
    points = rays * z[..., None]
    lr, ld = meshing.links(domain, right_cut, down_cut)
    comp, size = meshing.components(domain, lr, ld)
    domain &= size[comp] > 100
    lr, ld = meshing.links(domain, right_cut, down_cut)
    faces, pixel = meshing.compact(meshing.corner_triangles(lr, ld, points), z.size)
    if not len(faces):
        raise SapiensError("No surface was found in the pointmap.", "Check that a person is visible in the photo.")
    vertices = points.reshape(-1, 3)[pixel]
    normals = normal.reshape(-1, 3)[pixel]
    labels = np.where(domain, labels, 0).astype(np.uint8)
    xy = np.stack([pixel % camera.width, pixel // camera.width], 1).astype(np.float32)
    uvs = uv_from_pixel(xy, camera.width, camera.height).astype(np.float32)
    mesh = MeshData(vertices, faces, uvs, normals, labels.ravel()[pixel])
    return Surface(mesh, camera, z, domain, normal, labels, right_cut, down_cut, xy)
