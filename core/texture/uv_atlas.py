"""UV atlas: a second set of texture coordinates without overlap, with more texels for face and hands.

A scan from one photo is a height field over its image, so the photo's projection unfolds every part without overlap and with
exactly the detail that the photo has. The atlas keeps that projection and only cuts it into connected parts, turns each so that
its box is smallest, scales it, and packs the boxes on shelves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..common.arrays import MeshData
from ..common.landmarks import part_labels
from ..common.spaces import pixel_from_uv
from ..surface.body_parts import face_labels
from .inpaint import nearest_index
from .rasterise import rasterise

FINE_PARTS = (
    "Face_Neck",
    "Left_Hand",
    "Right_Hand",
    "Lower_Lip",
    "Upper_Lip",
    "Lower_Teeth",
    "Upper_Teeth",
    "Tongue",
    "Eyeglass",
)
FINE_DENSITY = 2.0
"""Texels per metre of the fine parts over those of the others: four times as many texels on the same area."""
TURNS = 24
"""Angles over a quarter turn that are tried for every chart."""
BOX_SAMPLES = 20_000
"""Points on which the turns are compared."""
SMALLEST_CHART = 50
"""Faces; smaller pieces join the chart of a neighbouring part."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """uvs (F, 3, 2) float32 in [0, 1] of the corners of the faces; chart (F,) int32."""

    uvs: np.ndarray
    chart: np.ndarray

    @property
    def covered(self) -> float:
        """Share of the square that the faces cover."""
        a, b, c = (self.uvs[:, k] for k in range(3))
        return float(np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum(dtype=np.float64) / 2)


def make_atlas(mesh: MeshData, margin: float = 1 / 256) -> Atlas:
    """The atlas of a scan.

    margin  least distance between charts, and to the border, as a share of the side

    Faces keep the orientation of the photo's projection; the halves of a quad stay together.
    """
    if not len(mesh.faces):
        return Atlas(np.zeros((0, 3, 2), np.float32), np.zeros(0, np.int32))
    part = face_labels(mesh)
    chart = _join_small(mesh.faces, _connected(mesh.faces, part))
    first_face = np.unique(chart, return_index=True)[1]
    fine = np.isin(part[first_face], part_labels(*FINE_PARTS))
    # Projection times depth over focal length is metres, up to one common factor.
    depth = np.bincount(chart, mesh.vertices[mesh.faces[:, 0], 2]) / np.bincount(chart)
    scale = depth * np.where(fine, FINE_DENSITY, 1.0)
    node, vertex, of_node = _split(mesh.faces, chart)
    points = mesh.uvs[vertex].astype(np.float64) * [1.0, _aspect(mesh)]
    placed = pack_charts(points, of_node, scale, margin).astype(np.float32)
    return Atlas(placed[node], chart.astype(np.int32))


def pack_charts(points: np.ndarray, chart: np.ndarray, scale: np.ndarray, margin: float = 1 / 256) -> np.ndarray:
    """Charts side by side in the unit square, each turned so that its box is smallest.

    points  (N, 2)
    chart   (N,) int64, the chart of each, numbered from 0 without gaps
    scale   (C,) texels per unit of each chart against those of the others
    margin  least distance between charts, and to the border, as a share of the side

    Returns (N, 2) float64.
    """
    angle, low, size = _smallest_boxes(points, chart, scale)
    corner, side = _pack(size, margin)
    turned = _rotate(points, angle[chart]) * scale[chart][:, None]
    return (turned + (corner - low)[chart]) / side


def atlas_sampler(mesh: MeshData, uvs: np.ndarray, size: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function that resamples images in the photo's projection to the atlas.

    uvs  (F, 3, 2) of the atlas

    It takes an image (H, W) or (H, W, C), uint8, uint16 or float32, of any size, and returns (size, size) or (size, size, C) of
    that type. Texels between the charts repeat the nearest texel of a chart. Without any face on a texel the result is 0.
    """
    import cv2

    corners = pixel_from_uv(uvs.astype(np.float64), size, size).astype(np.float32)
    triangle, weights = rasterise(corners, size, size)
    covered = triangle >= 0
    uv = np.zeros((size, size, 2), np.float32)
    uv[covered] = np.einsum("nk,nkc->nc", weights[covered], mesh.uvs[mesh.faces[triangle[covered]]])
    nearest = nearest_index(covered)

    def sample(image: np.ndarray) -> np.ndarray:
        if not covered.any():
            return np.zeros((size, size, *image.shape[2:]), image.dtype)
        pixel = pixel_from_uv(uv, image.shape[1], image.shape[0])
        sampled = cv2.remap(image, pixel[..., 0], pixel[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return sampled.reshape(size * size, *image.shape[2:])[nearest]

    return sample


def unwelded(mesh: MeshData, uvs: np.ndarray) -> MeshData:
    """The mesh with `uvs` (F, 3, 2) as its texture coordinates: vertices that have several there are doubled.

    A vertex in which a chart only meets itself stays one, whereas MikkTSpace gives each side a tangent of its own: a degree or
    two at single corners.
    """
    corner, uv = mesh.faces.ravel(), np.ascontiguousarray(uvs, np.float32).reshape(-1, 2)
    node, home = corner.astype(np.int64), np.zeros((len(mesh.vertices), 2), np.float32)
    home[corner] = uv
    away = np.flatnonzero((home[corner] != uv).any(axis=1))
    # The vertex and the bits of both coordinates.
    key = np.column_stack([corner[away], uv[away].view(np.int32)])
    extra, inverse = np.unique(key, axis=0, return_inverse=True)
    node[away] = len(home) + inverse.ravel()
    vertex = np.concatenate([np.arange(len(home)), extra[:, 0]])
    return MeshData(
        mesh.vertices[vertex],
        node.reshape(-1, 3).astype(np.int32),
        np.concatenate([home, np.ascontiguousarray(extra[:, 1:]).view(np.float32)]),
        mesh.normals[vertex],
        mesh.labels[vertex],
    )


def _aspect(mesh: MeshData) -> float:
    """Height over width of the photo, from how positions and texture coordinates grow: square pixels."""
    some = slice(None, None, max(1, len(mesh.vertices) // 10_000))
    xy = mesh.vertices[some, :2].astype(np.float64) / mesh.vertices[some, 2:]
    u, v = mesh.uvs[some].astype(np.float64).T
    return float(np.ptp(xy[:, 1]) / max(np.ptp(v), 1e-12) / max(np.ptp(xy[:, 0]) / max(np.ptp(u), 1e-12), 1e-12)) or 1.0


def _split(faces: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices split between groups of faces, group (F,): the node of every corner (F, 3), and of each node its vertex and group.

    The first nodes are the vertices that have a face, each in one of its groups; then come those that stand in another group too.
    """
    corner, of_corner = faces.ravel(), np.repeat(group, 3)
    home = np.full(int(faces.max()) + 1, -1, np.int64)
    home[corner] = of_corner
    used = np.flatnonzero(home >= 0)
    number = np.zeros(len(home), np.int64)
    number[used] = np.arange(len(used))
    node = number[corner]
    away = np.flatnonzero(home[corner] != of_corner)
    groups = int(group.max()) + 1
    extra, inverse = np.unique(corner[away].astype(np.int64) * groups + of_corner[away], return_inverse=True)
    node[away] = len(used) + inverse
    vertex, other = np.divmod(extra, groups)
    return node.reshape(faces.shape), np.concatenate([used, vertex]), np.concatenate([home[used], other])


def _connected(faces: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(F,) number from 0 of the connected piece of one part that each face belongs to."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    node, vertex, _ = _split(faces, part)
    ends = node[:, [0, 0]].ravel(), node[:, [1, 2]].ravel()
    graph = coo_matrix((np.ones(len(ends[0]), np.int8), ends), shape=(len(vertex), len(vertex)))
    return connected_components(graph, directed=False)[1][node[:, 0]].astype(np.int64)


def _join_small(faces: np.ndarray, chart: np.ndarray) -> np.ndarray:
    """Charts of few faces become part of the largest chart that they share a vertex with. The result is numbered from 0."""
    size = np.bincount(chart)
    small = size[chart] < SMALLEST_CHART
    # The largest chart at every vertex of a small one: later writes win, so write from small to large.
    near = np.zeros(int(faces.max()) + 1, bool)
    near[faces[small]] = True
    around = np.flatnonzero(near[faces].any(axis=1))
    around = around[np.argsort(size[chart[around]], kind="stable")]
    at_vertex = np.zeros(len(near), np.int64)
    for corner in range(3):
        at_vertex[faces[around, corner]] = chart[around]
    for corner in range(3):
        bigger = size[at_vertex[faces[around, corner]]] < size[chart[around]]
        at_vertex[faces[around[bigger], corner]] = chart[around[bigger]]
    neighbour = at_vertex[faces[small]]
    best = np.take_along_axis(neighbour, size[neighbour].argmax(axis=1)[:, None], axis=1)[:, 0]
    target = np.arange(len(size))
    by_size = np.argsort(size[best], kind="stable")
    target[chart[small][by_size]] = best[by_size]
    joined = np.where((size < SMALLEST_CHART) & (size[target] > size), target, np.arange(len(size)))[chart]
    kept = np.flatnonzero(np.bincount(joined))
    number = np.zeros(len(size), np.int64)
    number[kept] = np.arange(len(kept))
    return number[joined]


def _smallest_boxes(points: np.ndarray, chart: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The turn (C,) that makes the box of every chart's points smallest and upright; the box's lower corner and size (C, 2).

    points (N, 2), chart (N,) the chart of each, scale (C,).
    """
    # Few charts: 16 bits sort by counting, ten times as fast.
    order = np.argsort(chart.astype(np.uint16) if len(scale) < 1 << 16 else chart, kind="stable")
    points, chart = points[order], chart[order]
    turns = np.arange(TURNS) * (np.pi / 2 / TURNS)
    some = np.unique(np.concatenate([np.arange(0, len(points), max(1, len(points) // BOX_SAMPLES)), _starts(chart)]))
    across, upwards = np.stack([np.cos(turns), -np.sin(turns)]), np.stack([np.sin(turns), np.cos(turns)])  # (2, TURNS)
    starts = _starts(chart[some])
    area = _extents(points[some] @ across, starts) * _extents(points[some] @ upwards, starts)  # (C, TURNS)
    angle = turns[area.argmin(axis=1)]
    box = _box(points, _starts(chart), angle[chart])
    wide = (box[:, 1] - box[:, 0])[:, 0] > (box[:, 1] - box[:, 0])[:, 1]
    # A quarter turn more: x, y -> -y, x.
    quarter = np.stack([np.stack([-box[:, 1, 1], box[:, 0, 0]], axis=1), np.stack([-box[:, 0, 1], box[:, 1, 0]], axis=1)], axis=1)
    box = np.where(wide[:, None, None], quarter, box) * scale[:, None, None]
    return angle + np.where(wide, np.pi / 2, 0), box[:, 0], box[:, 1] - box[:, 0]


def _starts(chart: np.ndarray) -> np.ndarray:
    """Where each chart begins in a sorted (N,)."""
    return np.flatnonzero(np.diff(chart, prepend=-1))


def _box(points: np.ndarray, starts: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(C, 2, 2): lower and upper corner of each chart's points (N, 2), in the order of the charts, after turns (N,)."""
    turned = _rotate(points, angle)
    return np.stack([extreme.reduceat(turned, starts, axis=0) for extreme in (np.minimum, np.maximum)], axis=1)


def _extents(places: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(C, n) how far each chart reaches along n axes, on which its points are at places (N, n)."""
    return np.maximum.reduceat(places, starts, axis=0) - np.minimum.reduceat(places, starts, axis=0)


def _rotate(points: np.ndarray, angle: np.ndarray) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * points[..., 0] - s * points[..., 1], s * points[..., 0] + c * points[..., 1]], axis=-1)


def _pack(size: np.ndarray, margin: float) -> tuple[np.ndarray, float]:
    """Lower corners (C, 2) of boxes (C, 2) on shelves, highest first, in the smallest square found, and its side."""
    order = np.argsort(-size[:, 1], kind="stable")
    low, high = float(np.sqrt(np.prod(size, axis=1).sum())), float(size.sum() + size.max())
    for _ in range(24):
        side = (low + high) / 2
        fits = _shelves(size, order, side, margin * side) is not None
        low, high = (low, side) if fits else (side, high)
    corners = _shelves(size, order, high, margin * high)
    while corners is None:  # margins of very many charts
        high *= 1.5
        corners = _shelves(size, order, high, margin * high)
    return corners, high


def _shelves(size: np.ndarray, order: np.ndarray, side: float, gap: float) -> np.ndarray | None:
    """First-fit shelves by decreasing height, a loop over charts, of which a person has dozens;
    None if the square of this side is too small."""
    corners = np.zeros_like(size)
    shelves: list[list[float]] = []  # used width, y
    top = gap
    for box in order:
        width, height = size[box]
        shelf = next((s for s in shelves if s[0] + width + gap <= side), None)
        if shelf is None:
            if top + height + gap > side or width + 2 * gap > side:
                return None
            shelf = [gap, top]
            shelves.append(shelf)
            top += height + gap
        corners[box] = shelf
        shelf[0] += width + gap
    return corners
