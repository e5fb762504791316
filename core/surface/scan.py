"""The scan: predictions in, the surface that the camera sees out.

person_mask   which pixels belong to the person (segmentation and matte)
normal_map    the normal map, checked against the depth
depth_snap    depths between two surfaces go back to one of them
depth_edges   the surface is torn where tangent planes do not explain the next pixel
depth_noise   how far the depth is off
depth_fusion  depth and normals are fused, the noise decides which leads;
              then the surface is torn once more, where steps have come out
pixel_mesh    every pixel becomes a quad, tears become gaps
decimate      fewer faces, if asked for
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..common.arrays import Camera, MeshData
from ..common.errors import SapiensError
from ..common.landmarks import part_labels
from ..common.predictions import Predictions
from ..common.spaces import TO_CAMERA, uv_from_pixel
from . import depth_edges, depth_fusion, pixel_mesh
from .decimate import decimate
from .depth_noise import measure as measure_noise
from .depth_snap import Cues, snap
from .normal_map import usable_normals
from .person_mask import person_domain
from .sampling_grid import Grid
from .settings import ScanSettings

NEAREST, FARTHEST = 0.01, 1000.0
"""Metres between which a predicted depth is believed at all."""

GUESSED = 0.1
"""Weight of a depth that was predicted from its neighbours, against one that was measured."""


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
    quads         (Q, 4) int32    faces 2k and 2k + 1 of the mesh are quad k, counter-clockwise; None for a decimated mesh
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
    quads: np.ndarray | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Maps:
    """The surface on its grid; fields as in `Surface`, with cuts as (down, right), and the `depth_edges.slant` of the normals."""

    camera: Camera
    rays: np.ndarray
    depth: np.ndarray
    mask: np.ndarray
    normal: np.ndarray
    labels: np.ndarray
    slants: tuple[np.ndarray, np.ndarray]
    cuts: tuple[np.ndarray, np.ndarray]

    def gaps(self) -> tuple[np.ndarray, np.ndarray]:
        """`depth_edges.pair_gap` downwards and to the right."""
        inverse = depth_edges.inverse_depth(self.depth)
        return depth_edges.pair_gap(inverse, self.slants, 0), depth_edges.pair_gap(inverse, self.slants, 1)


def make_mesh(
    predictions: Predictions, camera: Camera, mask: np.ndarray | None = None, settings: ScanSettings | None = None
) -> Surface:
    """Mesh what the camera sees of the person in `mask` ((H, W) bool; None = everybody).

    Only the z of the pointmap is used: x and y follow from the pixel and the camera, so that the camera projects every vertex
    onto the pixel it came from. Raises SapiensError where there is no pointmap, no person or no depth on them.
    """
    settings = settings or ScanSettings()
    seen = _check(predictions, camera, mask)
    grid = Grid.around(seen, settings.resolution)
    maps, notes = _surface_maps(predictions, camera, mask, grid, settings)
    mesh, pixel, quads = _mesh(maps, grid, camera, settings)
    if isinstance(settings.resolution, int) and len(mesh.faces) > settings.resolution:
        mesh, pixel = decimate(mesh, camera, settings.resolution)
        quads = None
    if settings.quads and quads is not None:
        mesh = replace(mesh, quads=True)
    return Surface(
        mesh=mesh,
        camera=camera,
        mask=grid.spread(maps.mask),
        depth=_spread_depth(maps, grid, camera),
        normal=grid.spread(maps.normal),
        labels=grid.spread(maps.labels),
        right_cut=_spread_cut(maps.cuts[1], grid, 1),
        down_cut=_spread_cut(maps.cuts[0], grid, 0),
        vertex_pixel=pixel,
        quads=quads,
        notes=notes,
    )


def _check(predictions: Predictions, camera: Camera, mask: np.ndarray | None) -> np.ndarray:
    """(H, W) bool: where the person may be; raises SapiensError where there is nothing to mesh."""
    if predictions.pointmap is None:
        raise SapiensError(
            "These predictions have no depth map, so there is no surface.", "Run the depth task (pointmap) on the photo."
        )
    size = (predictions.height, predictions.width)
    if (camera.height, camera.width) != size:
        raise SapiensError(
            f"The camera is for {camera.width} x {camera.height} pixels, the photo has {size[1]} x {size[0]}.",
            "Resize the camera with Camera.resized.",
        )
    if mask is not None and (mask.shape != size or mask.dtype != bool):
        raise SapiensError(f"The mask must be bool of {size}, not {mask.dtype} {mask.shape}.", "Use one mask per person.")
    seen = _known(predictions.pointmap[..., 2])
    if not seen.any():
        raise SapiensError("The depth map is empty.", "Run the depth task (pointmap) again.")
    if predictions.seg is not None:
        seen = predictions.seg > 0
    elif predictions.alpha is not None:
        seen = predictions.alpha > 0
    if mask is not None:
        seen = seen & mask if predictions.seg is not None else mask
    if not seen.any():
        raise SapiensError(
            "There is no person here to make a surface of.", "Choose a photo of a person, or draw a box around them."
        )
    return seen


def _known(z: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.isfinite(z) & (z > NEAREST) & (z < FARTHEST)


def _surface_maps(
    predictions: Predictions, photo_camera: Camera, mask: np.ndarray | None, grid: Grid, settings: ScanSettings
) -> tuple[_Maps, tuple[str, ...]]:
    """Domain, depth, normals, labels and tears on the grid."""

    def part(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.ascontiguousarray(values[grid.index])

    camera = grid.camera(photo_camera)
    rays = camera.rays()
    assert predictions.pointmap is not None  # a scan is not made without one
    z = np.ascontiguousarray(predictions.pointmap[..., 2][grid.index]).astype(np.float32)
    known = _known(z)
    z = np.where(known, z, 0)
    thresholds = settings.alpha_threshold, settings.hair_threshold
    domain, labels = person_domain(part(predictions.seg), part(predictions.alpha), part(mask), known, grid.scale, *thresholds)
    if not (domain & known).any():
        raise SapiensError("The depth map is empty on the person.", "Run the depth task (pointmap) again.")
    normal, informed, notes = usable_normals(part(predictions.normal), z, domain, rays)
    if predictions.seg is None:
        notes = (*notes, "Without body parts the scan has one material, and its skin follows the nearest bones.")
    slants = depth_edges.slant(normal, rays, camera)
    image = np.ascontiguousarray(predictions.image[grid.index])
    z, measured = snap(z, domain, Cues(normal, slants, labels, image), camera, grid.scale)
    domain &= z > 0
    nowhere = np.zeros(z.shape, bool)
    maps = _Maps(camera, rays, z, domain, normal, labels, slants, (nowhere, nowhere))
    gaps = maps.gaps()
    maps = replace(maps, cuts=depth_edges.cut_pairs(z, gaps, labels, camera))
    if settings.detail > 0 and informed:
        maps = replace(maps, depth=_refined(maps, measured, gaps, settings.detail))
        maps = replace(maps, cuts=_cut_again(maps))
    elif settings.detail > 0:
        notes = (*notes, "Without a normal map the surface has no more detail than the depth.")
    domain = _without_specks(domain, labels, maps.cuts, grid, settings.min_component)
    labels = np.where(domain, labels, 0).astype(np.uint8)
    depth = np.where(domain, maps.depth, 0)
    return replace(maps, depth=depth, mask=domain, normal=normal * domain[..., None], labels=labels), notes


def _refined(maps: _Maps, measured: np.ndarray, gaps: tuple[np.ndarray, np.ndarray], strength: float) -> np.ndarray:
    """Depth (H, W) fused with the normals across all pairs that are not cut.

    measured (H, W) bool: the depth is not a prediction; gaps: those of `maps`; strength 0..1 of the normals
    """
    z, camera, cuts = maps.depth, maps.camera, maps.cuts
    slope, weight = depth_fusion.slopes(maps.normal, maps.rays, camera)
    hair = maps.labels == part_labels("Hair")[0]
    linked = pixel_mesh.links(maps.mask, cuts[1], cuts[0])[::-1]
    noise = measure_noise(z, measured & maps.mask, slope[1], weight[1], camera)
    grain = 0.0 if noise is None else noise.grain
    inverse, weights = depth_edges.inverse_depth(z), []
    for axis in (0, 1):
        first, second = depth_edges.pair(axis)
        around = depth_fusion.wide_gap(inverse, maps.slants, linked[axis], axis)
        believed = depth_fusion.step_weight(gaps[axis], z[first], camera, grain)
        believed *= depth_fusion.step_weight(around, z[first], camera, grain, depth_fusion.WIDE_STEP)
        believed *= np.where(hair[first] & hair[second], np.float32(depth_fusion.HAIR), np.float32(1))
        weights.append(weight[axis] * linked[axis] * believed)
    prior = depth_fusion.data_weight(z, camera, strength, noise) * np.where(measured, np.float32(1), np.float32(GUESSED))
    return depth_fusion.fuse(z, prior, slope, (weights[0], weights[1]))


def _cut_again(maps: _Maps) -> tuple[np.ndarray, np.ndarray]:
    """The cuts, and those of the refined depth.

    A step that was blended over several pixels, none of which was off by enough to be torn, is gathered by the normals in the
    pair that they explain least.
    """
    down, right = depth_edges.cut_pairs(maps.depth, maps.gaps(), maps.labels, maps.camera)
    return maps.cuts[0] | down, maps.cuts[1] | right


def _without_specks(
    domain: np.ndarray, labels: np.ndarray, cuts: tuple[np.ndarray, np.ndarray], grid: Grid, min_component: int
) -> np.ndarray:
    """The domain without pieces that are too small; hair is fine, so an eighth is enough for it."""
    piece, size = pixel_mesh.components(domain, *pixel_mesh.links(domain, cuts[1], cuts[0]))
    size[0] = 0
    smallest = min(min_component / 2 * min(1.0, grid.detail) ** 2, size.max() / 50)
    hair = np.bincount(piece.ravel(), (labels == part_labels("Hair")[0]).ravel(), len(size)) > 0.5 * size
    keep = size >= np.where(hair, smallest / 8, smallest)
    keep[0] = False
    return keep[piece]


def _mesh(maps: _Maps, grid: Grid, camera: Camera, settings: ScanSettings) -> tuple[MeshData, np.ndarray, np.ndarray]:
    """The mesh, the photo's pixel of every vertex (V, 2) float32, and the quads."""
    mask = maps.mask
    linked = pixel_mesh.links(mask, maps.cuts[1], maps.cuts[0])
    quads, corner = pixel_mesh.corner_quads(mask, *linked)
    count = len(corner)
    row, column = np.divmod(corner, mask.shape[1] + 1)
    pixel = np.stack([column, row], 1) - 0.5
    if settings.smooth_outline:
        pixel = pixel_mesh.smooth_outline(pixel, pixel_mesh.outline_edges(quads, mask, *linked))
    # On its tangent plane a pixel says where its corners are; a vertex is where its pixels say, in the mean.
    inverse = depth_edges.inverse_depth(maps.depth)[mask]
    down, right = (slanted[mask] for slanted in depth_edges.slant(maps.normal, maps.rays, maps.camera))
    y, x = np.nonzero(mask)
    guess = 1 + right[:, None] * (pixel[quads, 0] - x[:, None]) + down[:, None] * (pixel[quads, 1] - y[:, None])
    depth = 1 / pixel_mesh.gather(quads, inverse[:, None] * np.clip(guess, 0.5, 2), count)
    normal = np.stack([pixel_mesh.gather(quads, maps.normal[mask][:, k], count) for k in range(3)], 1)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.where(length > 1e-3, normal / np.maximum(length, 1e-3), TO_CAMERA)
    labels = np.zeros(count, np.uint8)
    labels[quads] = maps.labels[mask][:, None]
    # Blocks of a coarse grid may reach over the border of the photo.
    pixel = np.clip(grid.photo_pixels(pixel), -0.5, [camera.width - 0.5, camera.height - 0.5]).astype(np.float32)
    vertices = camera.rays(pixel) * depth[:, None].astype(np.float32)
    uvs = uv_from_pixel(pixel, camera.width, camera.height).astype(np.float32)
    faces = pixel_mesh.triangles(quads, vertices)
    return MeshData(vertices, faces, uvs, normal.astype(np.float32), labels), pixel, quads


def _spread_depth(maps: _Maps, grid: Grid, camera: Camera) -> np.ndarray:
    """Depth (H, W) float32 of the photo: every pixel lies on the tangent plane of the nearest pixel of the grid."""
    if grid.step == 1:
        return grid.spread(maps.depth)
    facing = np.einsum("ijk,ijk->ij", maps.normal, maps.rays)
    plane = maps.depth * np.minimum(facing, np.float32(-depth_edges.CLAMP))
    normal, plane = grid.spread(maps.normal), grid.spread(plane)
    facing = np.minimum(np.einsum("ijk,ijk->ij", normal, camera.rays()), np.float32(-depth_edges.CLAMP))
    return np.where(plane < 0, plane / facing, np.float32(0))


def _spread_cut(cut: np.ndarray, grid: Grid, axis: int) -> np.ndarray:
    """A cut map of the grid in the photo: only the last of the pixels that a grid pixel stands for is torn from the next."""
    out = grid.spread(cut)
    if grid.step > 1:
        rows, columns, row, column = grid.nearest()
        start, index = (rows.start, row) if axis == 0 else (columns.start, column)
        last = np.zeros(out.shape[axis], bool)
        last[start : start + len(index) - 1] = index[1:] != index[:-1]
        out &= last[:, None] if axis == 0 else last[None, :]
    return out
