"""Tangent-space normal map and displacement (metres): what a mesh is too coarse to carry, as textures on it.

The frame is that of MikkTSpace (Morten Mikkelsen, "Simulation of Wrinkled Surfaces Revisited", 2008, section 3.4;
mikktspace.com), which Blender, glTF and game engines use. On a scan it is simple: the texture coordinates are welded and run
like the image, so every vertex has one frame and no triangle is mirrored. A renderer interpolates normal N and tangent T over a
triangle without normalising them, and shows the normal  x T + y (N x T) + z N.  The map holds the x, y, z that give
the wanted normal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..common.arrays import MeshData
from ..common.rotations import cross
from ..common.spaces import pixel_from_uv
from .inpaint import nearest_index
from .rasterise import interpolate, rasterise

if TYPE_CHECKING:
    from ..surface.scan import Surface

FLAT = 32768
"""The 16-bit value that stands for 0; -1 is 1 and 1 is 65535."""
VISIBLE_DEGREES = 3.0
"""A map is worth its memory if a twentieth of the surface differs by more from the mesh's own shading."""


def vertex_tangents(mesh: MeshData) -> np.ndarray:
    """(V, 3) float32 unit MikkTSpace tangents of the vertices, perpendicular to `mesh.normals`; 0 without a triangle."""
    p, uv, n = mesh.vertices[mesh.faces], mesh.uvs[mesh.faces].astype(np.float64), mesh.normals[mesh.faces]
    d1, d2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    t1, t2 = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    along_u = t2[:, 1, None] * d1 - t1[:, 1, None] * d2
    area = t1[:, 0] * t2[:, 1] - t1[:, 1] * t2[:, 0]
    along_u = (along_u * np.sign(area)[:, None]).astype(np.float32)
    # Every corner adds the direction of growing u, brought into the plane of its normal, by the corner's angle there.
    on_plane = _unit(along_u[:, None] - np.einsum("fi,fki->fk", along_u, n)[..., None] * n)
    onward, back = np.roll(p, -1, axis=1) - p, np.roll(p, 1, axis=1) - p
    onward, back = (_unit(e - np.einsum("fki,fki->fk", e, n)[..., None] * n) for e in (onward, back))
    angle = np.arccos(np.clip(np.einsum("fki,fki->fk", onward, back), -1, 1))
    share = (on_plane * angle[..., None]).reshape(-1, 3)
    corner = mesh.faces.ravel()
    total = np.stack([np.bincount(corner, share[:, axis], minlength=len(mesh.vertices)) for axis in range(3)], axis=1)
    return _unit(total).astype(np.float32)


def tangent_normal_map(mesh: MeshData, normal: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """(H, W, 3) uint16 tangent-space map of `normal` on `mesh`; None if the mesh shades like it anyway.

    normal  (H, W, 3) float32 camera space, unit: what is to be seen at every texel
    mask    (H, W) bool: where it is known

    Encoded as Non-Color data, +y up; texels that are not on the mesh repeat the nearest one that is.
    """
    height, width = mask.shape
    known = mask & (np.einsum("ijk,ijk->ij", normal, normal) > 0.25)
    if _shading_error(mesh, normal, known) <= VISIBLE_DEGREES:
        return None
    triangle, weights = rasterise(_texel_corners(mesh, height, width), height, width)
    drawn = (triangle >= 0) & known
    y, x = np.nonzero(drawn)
    tangents = vertex_tangents(mesh)
    out = np.full((height, width, 3), FLAT, np.uint16)
    for part in np.array_split(np.arange(len(y)), max(1, len(y) // (1 << 20))):
        rows, columns = y[part], x[part]
        face, bary, wanted = triangle[rows, columns], weights[rows, columns], normal[rows, columns]
        own, along = interpolate(mesh.normals, mesh.faces, face, bary), interpolate(tangents, mesh.faces, face, bary)
        out[rows, columns] = encode(coordinates_in(along, cross(own, along).astype(np.float32), own, wanted))
    return out.reshape(-1, 3)[nearest_index(drawn)] if len(y) else None


def _shading_error(mesh: MeshData, normal: np.ndarray, known: np.ndarray, probes: int = 20000) -> float:
    """95th percentile in degrees of what the mesh's own shading differs from the map at the middles of up to `probes` faces."""
    faces = mesh.faces[:: max(1, len(mesh.faces) // probes)]
    height, width = known.shape
    x, y = np.rint(pixel_from_uv(mesh.uvs[faces].mean(axis=1), width, height)).astype(np.int64).T
    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
    seen = known[y, x]
    if not seen.any():
        return 0.0
    cosine = np.einsum("ij,ij->i", _unit(mesh.normals[faces].sum(axis=1)), normal[y, x])[seen]
    return float(np.degrees(np.arccos(np.clip(np.percentile(cosine, 5), -1, 1))))


def decode(values: np.ndarray) -> np.ndarray:
    """(..., 3) uint16 map -> (..., 3) float32 coordinates in the frame (T, N x T, N), not normalised."""
    return (values.astype(np.float32) - FLAT) / (65535 - FLAT)


def displacement(surface: Surface) -> np.ndarray:
    """(H, W) float32 metres from the mesh along its normal to the surface that the maps describe; 0 off the mesh.

    The distance to the tangent plane of the map at the texel's pixel, so that displacing along the normal, which leaves the
    pixel's ray, still lands on the surface. Use with mid-level 0 and scale 1.
    """
    mesh, (height, width) = surface.mesh, surface.mask.shape
    triangle, weights = rasterise(_texel_corners(mesh, height, width), height, width)
    y, x = np.nonzero((triangle >= 0) & surface.mask & (surface.depth > 0))
    out = np.zeros((height, width), np.float32)
    face, bary = triangle[y, x], weights[y, x]
    own = _unit(interpolate(mesh.normals, mesh.faces, face, bary))
    away = surface.camera.rays(np.stack([x, y], axis=1).astype(np.float32)) * surface.depth[y, x, None]
    away -= interpolate(mesh.vertices, mesh.faces, face, bary)
    plane = surface.normal[y, x]
    slope = np.einsum("ij,ij->i", own, plane)
    # Where the two normals hardly agree the plane says nothing about this direction: go straight.
    out[y, x] = np.where(
        slope > 0.3, np.einsum("ij,ij->i", away, plane) / np.maximum(slope, 0.3), np.einsum("ij,ij->i", away, own)
    )
    return out


def _texel_corners(mesh: MeshData, height: int, width: int) -> np.ndarray:
    """(F, 3, 2) texel coordinates of the corners of the faces."""
    return pixel_from_uv(mesh.uvs.astype(np.float64), width, height).astype(np.float32)[mesh.faces]


def coordinates_in(x: np.ndarray, y: np.ndarray, z: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """(N, 3) a, b, c with vector ~ a x + b y + c z, normalised to length 1; all arguments (N, 3). Cramer's rule.

    The frame need not be orthonormal: interpolated ones are not. The factor det is left out: positive, it scales all alike.
    """
    parts = [np.einsum("ij,ij->i", vector, cross(p, q)) for p, q in ((y, z), (z, x), (x, y))]
    return _unit(np.stack(parts, axis=1).astype(np.float32))


def encode(coordinates: np.ndarray) -> np.ndarray:
    """(..., 3) coordinates in the frame -> (..., 3) uint16 map, which `decode` reads."""
    return np.clip(np.rint(coordinates * (65535 - FLAT) + FLAT), 0, 65535).astype(np.uint16)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.sqrt(np.einsum("...i,...i->...", v, v)), 1e-20)[..., None]
