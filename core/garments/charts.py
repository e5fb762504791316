"""Texture coordinates of a closed surface: charts of faces that look the same way, each flat on its plane, side by side."""

from __future__ import annotations

import numpy as np

from ..common.rotations import unit
from ..texture.rasterise import lowest_and_highest
from ..texture.uv_atlas import pack_charts

DIRECTIONS = np.array([[s if k == axis else 0.0 for k in range(3)] for axis in range(3) for s in (1.0, -1.0)])
SPREAD = 12  # rounds in which faces take the directions of those around them
SMALLEST = 24  # faces of a chart of its own
LINING = 0.35  # texels per metre of the lining over those of the outside
TEST_SIZE = 512  # texels of the square in which overlaps are looked for
SPLITS = 3


def chart_uvs(vertices: np.ndarray, quads: np.ndarray, inside: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """(F, 4, 2) float32 in the unit square, without overlap.

    vertices  (V, 3) metres
    quads     (F, 4)
    inside    (F,) bool lining, which gets fewer texels
    axes      (3, 3) rotation whose columns are left, back and up of the person
    """
    local = vertices.astype(np.float64) @ axes
    corners = local[quads]
    normals = unit(np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]))
    graph = _edge_graph(quads)
    towards = _directions(normals, graph, inside)
    chart = _connected(graph, towards + 6 * inside)
    chart, towards = _join_small(graph, chart, towards, inside)
    for _ in range(SPLITS):
        flat = _flat(corners, towards)
        hidden = _overlapped(flat, chart)
        if not hidden.any():
            break
        chart = _connected(graph, 2 * chart + hidden)
    flat = _flat(corners, towards)
    scale = np.ones(chart.max() + 1)
    scale[chart[inside]] = LINING
    placed = pack_charts(flat.reshape(-1, 2), np.repeat(chart, 4), scale)
    return placed.reshape(-1, 4, 2).astype(np.float32)


def _edge_graph(quads: np.ndarray):
    """(F, F) sparse: faces with an edge in common."""
    from scipy.sparse import coo_matrix

    ends = np.sort(np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)]), axis=1)
    face = np.tile(np.arange(len(quads)), 4)
    order = np.lexsort((ends[:, 1], ends[:, 0]))
    same = (ends[order[1:]] == ends[order[:-1]]).all(axis=1)
    a, b = face[order[1:][same]], face[order[:-1][same]]
    both = np.concatenate([a, b]), np.concatenate([b, a])
    return coo_matrix((np.ones(len(both[0])), both), shape=(len(quads), len(quads))).tocsr()


def _directions(normals: np.ndarray, graph, inside: np.ndarray) -> np.ndarray:
    """(F,) row of DIRECTIONS that each face looks along, most of them as those around it."""
    agree = normals @ DIRECTIONS.T
    for side in (inside, ~inside):
        keep = np.flatnonzero(side)
        part, score = graph[keep][:, keep], agree[keep]
        degree = np.maximum(np.asarray(part.sum(axis=1)), 1)
        for _ in range(SPREAD):
            score = 0.5 * score + 0.5 * (part @ score) / degree
        # What looks away from a plane must not fold on it.
        agree[keep] = np.where(agree[keep] > 0.15, score, -2 + agree[keep])
    return agree.argmax(axis=1)


def _connected(graph, key: np.ndarray) -> np.ndarray:
    """(F,) number of the connected piece of equal keys."""
    from scipy.sparse.csgraph import connected_components

    rows, columns = graph.nonzero()
    same = key[rows] == key[columns]
    kept = graph.__class__((np.ones(same.sum()), (rows[same], columns[same])), shape=graph.shape)
    return connected_components(kept, directed=False)[1].astype(np.int64)


def _join_small(graph, chart: np.ndarray, towards: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Small charts take the direction of the largest chart beside them, and become part of it."""
    rows, columns = graph.nonzero()
    for _ in range(3):
        size = np.bincount(chart)
        small = size[chart] < SMALLEST
        beside = small[rows] & (size[chart[columns]] > size[chart[rows]]) & (inside[rows] == inside[columns])
        if not beside.any():
            break
        order = np.argsort(size[chart[columns[beside]]], kind="stable")
        best = np.full(len(size), -1)
        best[chart[rows[beside]][order]] = columns[beside][order]
        moved = best[chart] >= 0
        towards = np.where(moved, towards[best[chart]], towards)
        chart = _connected(graph, towards + 6 * inside)
    return chart, towards


def _flat(corners: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """(F, 4, 2) corners on the plane of each face's direction, seen from outside."""
    axis = towards // 2
    sign = np.where(towards % 2 == 0, 1.0, -1.0)[:, None]
    first = np.take_along_axis(corners, np.broadcast_to(((axis + 1) % 3)[:, None, None], (len(axis), 4, 1)), axis=2)[..., 0]
    second = np.take_along_axis(corners, np.broadcast_to(((axis + 2) % 3)[:, None, None], (len(axis), 4, 1)), axis=2)[..., 0]
    return np.stack([first * sign, second], axis=-1)


def _overlapped(flat: np.ndarray, chart: np.ndarray) -> np.ndarray:
    """(F,) bool: faces that another of their chart hides, wholly or in part."""
    placed = _side_by_side(flat, chart)
    middle = placed.mean(axis=1, keepdims=True)
    shrunk = ((placed - middle) * 0.9 + middle) * TEST_SIZE
    halves = np.stack([shrunk[:, [0, 1, 2]], shrunk[:, [0, 2, 3]]], axis=1).reshape(-1, 3, 2).astype(np.float32)
    first, last = lowest_and_highest(halves, TEST_SIZE, TEST_SIZE)
    clash = (last >= 0) & (last // 2 != first // 2)
    hidden = np.zeros(len(flat), bool)
    hidden[first[clash] // 2] = True
    return hidden


def _side_by_side(flat: np.ndarray, chart: np.ndarray) -> np.ndarray:
    """(F, 4, 2) charts in rows in the unit square, as they are turned: quicker than packed, and good enough to find overlaps."""
    count = int(chart.max()) + 1
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, chart, flat.min(axis=1))
    np.maximum.at(high, chart, flat.max(axis=1))
    size = (high - low) * (1 + 1 / 64)
    width = max(1.2 * float(np.sqrt(np.prod(size, axis=1).sum())), float(size[:, 0].max()))
    corner, x, y, tall = np.zeros((count, 2)), 0.0, 0.0, 0.0
    for k in np.argsort(-size[:, 1], kind="stable"):  # some dozens
        if x + size[k, 0] > width:
            x, y, tall = 0.0, y + tall, 0.0
        corner[k] = x, y
        x, tall = x + size[k, 0], max(tall, size[k, 1])
    return (flat + (corner - low)[chart][:, None]) / max(width, y + tall)
