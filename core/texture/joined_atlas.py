"""The textures of several surfaces in one atlas: their charts packed anew, and their images resampled into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common.avatars import SurfaceTextures
from ..common.colour import byte_image
from ..common.rotations import unit
from ..common.spaces import pixel_from_uv
from .inpaint import nearest_index
from .project import sample
from .rasterise import halves, rasterise
from .tangent_maps import decode, encode
from .uv_atlas import pack_charts

GAP = 4.0
"""Texels between charts at least, so that mip maps two levels down do not mix them."""
FINEST = 64
"""Texels of the side of a shrunken source at least."""


@dataclass(frozen=True, eq=False)
class Source:
    """A surface that goes into the atlas.

    quads      (F, 4) int     of `points`
    uvs        (F, 4, 2) float32 of the corners, no two overlap
    points     (V, 3) float32 metres, whose areas say how many texels a chart gets
    density    (F,) float32   texels per metre against the other surfaces
    group      (F,) int32     faces of two groups are never in one chart
    textures   by `uvs`; None = one colour
    colour     (3,) uint8     sRGB where there is no texture
    roughness  0..1           where there is no map of it
    """

    quads: np.ndarray
    uvs: np.ndarray
    points: np.ndarray
    density: np.ndarray
    group: np.ndarray
    textures: SurfaceTextures | None
    colour: np.ndarray
    roughness: float


@dataclass(frozen=True, eq=False)
class _Charts:
    """uvs (F, 4, 2) float32 in the atlas, chart (F,) of each face, and of each chart how far it was turned (C,) radians, and how
    many units of its source's square one unit of the atlas is (C,)."""

    uvs: np.ndarray
    chart: np.ndarray
    turn: np.ndarray
    shrunk: np.ndarray


def joined_atlas(sources: Sequence[Source], size: int) -> tuple[np.ndarray, SurfaceTextures]:
    """(F, 4, 2) float32 uvs of the faces of all sources in turn, without overlap, and size x size textures by them.

    Charts keep their shape and orientation. Normals turn with them; they and the roughness have half the texels along a side.
    """
    charts = _packed(sources, GAP / size)
    corners = pixel_from_uv(halves(charts.uvs).astype(np.float64), size, size).astype(np.float32)
    triangle, shares = rasterise(corners, size, size)
    inside = triangle >= 0
    index = np.flatnonzero(inside)
    face, share = triangle.ravel()[index] // 2, shares.reshape(-1, 3)[index]
    old = halves(np.concatenate([source.uvs for source in sources]))[triangle.ravel()[index]]
    uv = np.einsum("nk,nkc->nc", share, old)
    owner = np.repeat(np.arange(len(sources)), [len(source.quads) for source in sources])[face]
    colour = np.zeros((len(index), 3), np.uint8)
    seen, rough = np.zeros(len(index), bool), np.zeros(len(index), np.uint8)
    bumps = any(source.textures is not None and source.textures.normal_tangent is not None for source in sources)
    normal = np.tile(np.array([0, 0, 1], np.float32), (len(index) if bumps else 0, 1))
    for number, source in enumerate(sources):
        mine = np.flatnonzero(owner == number)
        if not len(mine):
            continue
        colour[mine], rough[mine] = source.colour, byte_image(np.array(255 * source.roughness))
        made, chart = source.textures, charts.chart[face[mine]]
        if made is None:
            continue
        seen[mine] = _looked_up(made.seen.astype(np.uint8), uv[mine], made.seen.shape[0]) > 0.5
        # Charts that are about as much smaller than in their source share one shrunken source.
        wanted = np.exp2(np.rint(2 * np.log2(size / charts.shrunk)) / 2)
        for side in np.unique(wanted[chart]):
            which = wanted[chart] == side
            some = mine[which]
            colour[some] = byte_image(_looked_up(made.base_colour_srgb, uv[some], side))
            if made.roughness is not None:
                rough[some] = byte_image(_looked_up(made.roughness, uv[some], side))
            if made.normal_tangent is not None:
                normal[some] = _turned(_looked_up(made.normal_tangent, uv[some], side), charts.turn[chart[which]])
    around = nearest_index(inside) if len(index) else np.zeros((size, size), np.int64)

    def image(values: np.ndarray) -> np.ndarray:
        out = np.zeros((size * size, *values.shape[1:]), values.dtype)
        out[index] = values
        return out[around]

    shown = np.zeros(size * size, bool)
    shown[index] = seen
    detail = encode(unit(_half(image(normal)))) if bumps else None
    return charts.uvs, SurfaceTextures(image(colour), shown.reshape(size, size), detail, _half(image(rough)))


def _packed(sources: Sequence[Source], margin: float) -> _Charts:
    """The charts of all sources side by side, as large as their areas and densities say."""
    owner = np.repeat(np.arange(len(sources)), [4 * len(source.quads) for source in sources])
    corner = np.concatenate([source.quads.ravel() for source in sources])
    uv = np.ascontiguousarray(np.concatenate([source.uvs.reshape(-1, 2) for source in sources]), np.float32)
    group = np.repeat(np.concatenate([source.group for source in sources]), 4)
    key = np.column_stack([owner, group, corner, uv.view(np.int32)])
    first, node = np.unique(key, axis=0, return_index=True, return_inverse=True)[1:]
    node = node.reshape(-1, 4)
    chart, of_node = _islands(node, len(first))
    place = np.concatenate([source.points[source.quads] for source in sources]).astype(np.float64)
    real = np.bincount(chart, np.linalg.norm(np.cross(place[:, 2] - place[:, 0], place[:, 3] - place[:, 1]), axis=1) / 2)
    flat = uv.reshape(-1, 4, 2).astype(np.float64)
    a, b = flat[:, 2] - flat[:, 0], flat[:, 3] - flat[:, 1]
    drawn = np.bincount(chart, np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2)
    density = np.bincount(chart, np.concatenate([source.density for source in sources])) / np.bincount(chart)
    scale = density * np.sqrt(real / np.maximum(drawn, 1e-12))
    points = uv[first].astype(np.float64)
    placed = pack_charts(points, of_node, scale, margin)
    turn, grown = _similarity(points, placed, of_node)
    return _Charts(placed.astype(np.float32)[node], chart, turn, 1 / np.maximum(grown, 1e-9))


def _islands(node: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of faces (F, 4) of `count` nodes: which connected piece each face is in (F,), and each node (count,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = node[:, [0, 0, 0]].ravel(), node[:, 1:].ravel()
    graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(count, count))
    of_node = connected_components(graph, directed=False)[1].astype(np.int64)
    return of_node[node[:, 0]], of_node


def _similarity(before: np.ndarray, after: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angle (C,) and factor (C,) that bring the points (N, 2) of each group (N,) from `before` to `after`."""
    count = np.bincount(group)
    planes = []
    for points in (before, after):
        mean = np.stack([np.bincount(group, points[:, axis]) / count for axis in range(2)], axis=1)
        planes.append((points - mean[group]) @ np.array([1, 1j]))
    product = np.conj(planes[0]) * planes[1]
    total = np.bincount(group, product.real) + 1j * np.bincount(group, product.imag)
    size = np.bincount(group, np.abs(planes[0]) ** 2)
    return np.angle(total), np.abs(total) / np.maximum(size, 1e-18)


def _looked_up(image: np.ndarray, uv: np.ndarray, side: float) -> np.ndarray:
    """(n, ...) float32 values of an image at uv (n, 2), whose texels are averaged so that about `side` are left along it."""
    import cv2

    wanted = round(side)
    if FINEST <= wanted < image.shape[0]:
        image = cv2.resize(image, (wanted, wanted), interpolation=cv2.INTER_AREA)
    x, y = pixel_from_uv(uv, image.shape[1], image.shape[0]).astype(np.float32).T
    return sample(image, np.ascontiguousarray(x), np.ascontiguousarray(y)).astype(np.float32)


def _turned(values: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(n, 3) float32 coordinates of a normal map's values (n, 3), in frames that were turned by angles (n,)."""
    x, y, z = decode(values).T
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * x - s * y, s * x + c * y, z], axis=1).astype(np.float32)


def _half(image: np.ndarray) -> np.ndarray:
    """The means of each four texels."""
    import cv2

    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
