"""Tangent-space normal map of a closed surface: what the photos' normals show of it beyond what its mesh carries.

The frame is that of `tangent_maps`. The map is flat where no photo looks, where the surface is seen from the side, at the
borders of its parts, and where the photo's normal is that of something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..common.arrays import MeshData
from ..common.rotations import cross, unit
from .project import PaintedSurface, Projection, sample, smoothstep, vertex_normals
from .rasterise import halves
from .tangent_maps import VISIBLE_DEGREES, coordinates_in, encode, vertex_tangents
from .texels import Texels
from .uv_atlas import unwelded
from .views import View

CALM = 1.0
"""Pixels: standard deviation of the blur over the photo's normals, which are rounded and noisy."""
INSIDE = (1.0, 4.0)
"""Pixels inside of the parts that show a surface, below which their normals say nothing, and above which they do."""
TURNED = (0.2, 0.45)
"""The same of the cosine to the camera."""
ANOTHER = (0.7, 0.87)
"""Cosines to the mesh's own normal below which what the photo shows is another surface, and above which it is this one."""


def normal_detail(
    surface: PaintedSurface,
    views: Sequence[View],
    projections: Sequence[Projection | None],
    texels: Texels,
    places: Sequence[np.ndarray | None],
    shares: np.ndarray,
    bumps: np.ndarray | None = None,
) -> np.ndarray | None:
    """(side, side, 3) uint16 map as in `tangent_maps`; None where no photo has normals, or none that the mesh lacks.

    views   `calmed`
    texels  N of the surface
    places  of each view (N, 4) `Projection.values`
    shares  (K, N) how far each view is believed, at most 1 in all
    bumps   (N, 3) float32 tangent-space normals of a relief that is too fine for normals of photos; None = there is none
    """
    split = _split(surface)
    # Texels lie on the same triangles, whose corners are doubled at seams.
    on_split = replace(texels, faces=split.faces)
    total = np.zeros((len(texels.index), 3), np.float32)
    weight = np.zeros(len(texels.index), np.float32)
    for view, projection, values, share, posed in zip(views, projections, places, shares, surface.posed, strict=True):
        if view.normal is None or projection is None or values is None or posed is None:
            continue
        at = np.flatnonzero((share > 0.01) & (values[:, 3] > TURNED[0]))
        if not len(at):
            continue
        x, y = values[at, 0], values[at, 1]
        seen = sample(view.normal, x, y)
        length = np.linalg.norm(seen, axis=1)
        own, along, turn = _frames(surface, split, on_split, posed, at)
        inside = sample(projection.inner, x, y)
        believed = share[at] * smoothstep(length, (0.6, 0.9)) * smoothstep(inside, INSIDE) * smoothstep(values[at, 3], TURNED)
        seen /= np.maximum(length, 1e-6)[:, None]
        believed *= smoothstep(np.einsum("ni,ni->n", seen, unit(own)), ANOTHER)
        shown = coordinates_in(along, cross(own, along), own, seen)
        shown[:, 1] *= turn
        total[at] += believed[:, None] * shown
        weight[at] += believed
    if not weight.any() and bumps is None:
        return None
    total[:, 2] += np.maximum(1 - weight, 0)
    if bumps is not None:
        # Slopes of small reliefs add up (Barre-Brisebois and Hill, "Blending in Detail", 2012, partial derivatives).
        total[:, :2] = total[:, :2] * bumps[:, 2:] + bumps[:, :2] * total[:, 2:]
        total[:, 2] *= bumps[:, 2]
        weight[:] = 1
    total = unit(total).astype(np.float32)
    bent = np.degrees(np.arccos(np.clip(total[weight > 0.5, 2], -1, 1)))
    if not len(bent) or np.percentile(bent, 95) <= VISIBLE_DEGREES:
        return None
    return texels.image(encode(total), encode(np.array([0.0, 0.0, 1.0], np.float32)))


def calmed(view: View) -> View:
    """The view with its normals a little blurred; they are shorter where they are turned about."""
    import cv2

    if view.normal is None:
        return view
    known = (np.einsum("ijk,ijk->ij", view.normal, view.normal) > 0.25).astype(np.float32)
    mass = cv2.GaussianBlur(known, (0, 0), CALM)
    total = cv2.GaussianBlur(view.normal.astype(np.float32), (0, 0), CALM)
    return replace(view, normal=total / np.maximum(mass, 0.5)[..., None])


def _split(surface: PaintedSurface) -> MeshData:
    """The surface as triangles with one pair of texture coordinates at each vertex; `vertices` hold the number of the one that it
    was made of."""
    count = len(surface.rest)
    vertex = np.arange(count, dtype=np.float32)
    bare = MeshData(
        np.stack([vertex, vertex, vertex], axis=1),
        halves(surface.quads).astype(np.int32),
        np.zeros((count, 2), np.float32),
        np.zeros((count, 3), np.float32),
        np.zeros(count, np.uint8),
    )
    return unwelded(bare, halves(surface.uvs))


def _frames(
    surface: PaintedSurface, split: MeshData, texels: Texels, posed: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normals and tangents of the mesh in a photo at texels, interpolated as a renderer does (n, 3), and +1, or -1 where the
    texture is mirrored (n,)."""
    vertex = split.vertices[:, 0].astype(np.int64)
    normals = vertex_normals(posed.astype(np.float64), surface.quads)
    mesh = replace(split, vertices=posed[vertex].astype(np.float32), normals=normals[vertex].astype(np.float32))
    tangents = vertex_tangents(mesh)
    some = replace(texels, index=texels.index[at], triangle=texels.triangle[at], shares=texels.shares[at])
    uv = split.uvs[split.faces].astype(np.float64)
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    turn = np.where(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0, np.float32(-1), np.float32(1))
    return some.of(mesh.normals), some.of(tangents), turn[texels.triangle[at]]
