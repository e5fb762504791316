"""The scan: predictions in, the surface that the camera sees out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import domain as domains
from . import edges, meshing, refine, snap
from .data import Camera, MeshData, Predictions
from .errors import SapiensError
from .frames import camera_from_normal_head, uv_from_pixel

SOFT, SOFTPX, HAIR = 0.003, 1.0, 0.05
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
        if SOFT:
            planes = edges.plane_gradients(z, normal, rays, camera)
            for axis, w in ((1, rw), (0, dw)):
                f = (slice(None), slice(None, -1)) if axis else (slice(None, -1), slice(None))
                s_ = np.maximum(SOFT, SOFTPX * z[f] / camera.fx)
                w /= 1 + np.square(edges.pair_gap(planes, axis) / s_)
            hair = labels == 4
            rw *= np.where(hair[:, 1:] & hair[:, :-1], np.float32(HAIR), 1)
            dw *= np.where(hair[1:] & hair[:-1], np.float32(HAIR), 1)
        z = refine.fuse(z, np.where(measured, 1, np.float32(0.1)), right, down, rw * lr, dw * ld, refine.data_weight(z, camera, settings.refine))
    lr, ld = meshing.links(domain, right_cut, down_cut)
    comp, size = meshing.components(domain, lr, ld)
    domain &= size[comp] > settings.min_component // 2
    lr, ld = meshing.links(domain, right_cut, down_cut)
    if not domain.any():
        raise SapiensError("No surface was found in the pointmap.", "Check that a person is visible in the photo.")
    quads, corner = meshing.corner_quads(domain, lr, ld)
    count = len(corner)
    row, column = np.divmod(corner, camera.width + 1)
    xy = meshing.smooth_outline(np.stack([column, row], 1) - 0.5, quads)
    inv, gx, gy = edges.plane_gradients(z, normal, rays, camera)
    y, x = np.nonzero(domain)
    guess = inv[domain][:, None] + gx[domain][:, None] * (xy[quads, 0] - x[:, None]) + gy[domain][:, None] * (xy[quads, 1] - y[:, None])
    vz = 1 / meshing.gather(quads, guess, count)
    xy = xy.astype(np.float32)
    vertices = camera.rays(xy) * vz[:, None].astype(np.float32)
    normals = np.stack([meshing.gather(quads, normal[domain][:, k], count) for k in range(3)], 1)
    normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)
    faces = meshing.triangles(quads, vertices)
    labels = np.where(domain, labels, 0).astype(np.uint8)
    vl = np.zeros(count, np.uint8)
    vl[quads] = labels[domain][:, None]
    uvs = uv_from_pixel(xy, camera.width, camera.height).astype(np.float32)
    mesh = MeshData(vertices, faces, uvs, normals, vl)
    return Surface(mesh, camera, z, domain, normal, labels, right_cut, down_cut, xy)
