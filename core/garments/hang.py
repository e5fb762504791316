"""Skirts: what hangs round both legs is no part of the suit. Rings go down from the hips to the hem, each round both legs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..common.rotations import dot
from .cut import loops_of
from .labels import View, parts_of
from .suit import LEG, TRUNK, Layer, Suit, dense_weights, strongest

ABOVE_CROTCH = 0.075  # metres from the crotch up to where the rings begin
ROW = 0.016  # metres between rings
BETWEEN_LEGS = 0.45  # of the gap between the legs: more cloth than that is a skirt
FEWEST_PIXELS = 12
WHOLE = 0.99  # of a garment's pixels, down to its hem; the rest may be specks
EASE = 0.006  # metres between legs and rings
NEIGHBOURS, EVEN = 12, 0.045  # points of the legs that carry a ring's point; metres round the ring over which that is evened out
NEAR = 0.05  # metres from a ring to the suit
NARROWING = 0.97  # of a ring's radius, that of the next one down is at least


def hip_height(whole: Layer, base: Suit) -> float:
    """Height at rest, a little over the crotch."""
    middle = (np.abs(whole.rest[:, 0]) < 0.008) & np.isin(base.region, (TRUNK, LEG, LEG + 1))
    return float(whole.rest[middle, 2].min()) + ABOVE_CROTCH


def hangs(whole: Layer, base: Suit, views: Sequence[View], kind: str) -> bool:
    """Whether the photos show cloth of this kind between the thighs, where the legs leave a gap."""
    seen = cloth = 0
    for view in views:
        points = view.wearer.place(whole.rest, whole.bones, whole.weights)
        legs = (whole.rest[:, 2] < hip_height(whole, base) - ABOVE_CROTCH - 0.03) & np.isin(base.region, (LEG, LEG + 1))
        between, own = _gap(view, points[legs & (base.region == LEG)], points[legs & (base.region == LEG + 1)], kind)
        seen += between
        cloth += own
    return seen >= FEWEST_PIXELS and cloth > BETWEEN_LEGS * seen


def _gap(view: View, left: np.ndarray, right: np.ndarray, kind: str) -> tuple[int, int]:
    """How many pixels lie between two legs in the rows where the garment is, and how many of those show it."""
    with np.errstate(invalid="ignore", divide="ignore"):
        one, other = view.sighting.camera.project(left), view.sighting.camera.project(right)
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return 0, 0
    if one[:, 0].mean() > other[:, 0].mean():
        one, other = other, one
    height, width = view.seg.shape
    row = np.arange(height)
    own = np.isin(view.seg, parts_of(kind))
    near, far = np.full(height, -np.inf), np.full(height, np.inf)
    for points, edge, extreme in ((one, near, np.maximum), (other, far, np.minimum)):
        at = np.clip(np.round(points[:, 1]).astype(np.int64), 0, height - 1)
        for shift in range(-6, 7):  # rows between the vertices
            extreme.at(edge, np.clip(at + shift, 0, height - 1), points[:, 0])
    counted = np.isfinite(near) & np.isfinite(far) & (far - near > 4)
    # Only rows in which the garment is on a leg: below its hem there is no cloth to be seen, whatever a speck there is taken for.
    shares = np.cumsum(own.sum(axis=1))
    lowest = row[shares <= WHOLE * shares[-1]].max(initial=-1)
    counted &= row < lowest - 2
    column = np.arange(width)
    inside = counted[:, None] & (column > near[:, None] + 1) & (column < far[:, None] - 1)
    return int(inside.sum()), int((inside & own).sum())


def hem_height(whole: Layer, base: Suit, count: np.ndarray, kind: str) -> float:
    """Height at rest of the hem on the legs: where it parts what the photos show as this kind from all else best."""
    legs = np.isin(base.region, (LEG, LEG + 1)) & (count.sum(axis=1) > 0)
    height = whole.rest[legs, 2]
    own = count[legs][:, parts_of(kind)].sum(axis=1) > 0
    order = np.argsort(-height, kind="stable")
    gain = np.cumsum(np.where(own[order], 1, -1))
    return float(height[order][gain.argmax()]) if len(gain) and gain.max() > 0 else hip_height(whole, base)


def _carried(rings: np.ndarray, whole: Layer, base: Suit) -> np.ndarray:
    """(rows, columns, bones) weights of (rows, columns, 3) points at rest: those of the hips and legs beside them, so that cloth
    over a leg goes where the leg goes, and evenly from one leg to the other."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.spatial import cKDTree

    near = np.flatnonzero(np.isin(base.region, (TRUNK, LEG, LEG + 1)))
    distance, nearest = cKDTree(whole.rest[near]).query(rings.reshape(-1, 3), k=NEIGHBOURS, workers=1)
    share = 1 / (distance + 0.02) ** 2
    share /= share.sum(axis=1, keepdims=True)
    dense = dense_weights(whole.bones, whole.weights)[near]
    mixed = (share[..., None] * dense[nearest]).sum(axis=1).reshape(*rings.shape[:2], -1)
    width = np.linalg.norm(np.diff(rings, axis=1), axis=2).mean()
    mixed = gaussian_filter1d(mixed, EVEN / width, axis=1, mode="wrap")
    return mixed / mixed.sum(axis=2, keepdims=True)


def clearance(layer: Layer, rings: np.ndarray, worn: Layer, base: Suit) -> np.ndarray:
    """(rows, columns) metres along the normals of the rings' vertices at rest out to what they hang over, the nearest of it."""
    from scipy.spatial import cKDTree

    over = worn.rest[np.isin(base.region, (TRUNK, LEG, LEG + 1))]
    at = rings.ravel()
    _, nearest = cKDTree(over).query(layer.rest[at], workers=1)
    return dot(over[nearest] - layer.rest[at], layer.normals[at]).reshape(rings.shape)


def reached(rest: np.ndarray, rings: np.ndarray, whole: Layer, base: Suit) -> np.ndarray:
    """(n,) metres off the suit that a skirt reaches near the suit's vertices, -inf where it hangs far from them.

    rest  (m, 3) the skirt with its offset
    """
    from scipy.spatial import cKDTree

    at = rest[rings.ravel()]
    distance, nearest = cKDTree(at).query(whole.rest, distance_upper_bound=NEAR, workers=1)
    near = np.isfinite(distance) & np.isin(base.region, (TRUNK, LEG, LEG + 1))
    out = np.full(len(whole.rest), -np.inf)
    out[near] = dot(at[nearest[near]] - whole.rest[near], whole.normals[near])
    return out


def with_skirt(top: Layer, whole: Layer, base: Suit, start: float, hem: float) -> tuple[Layer, np.ndarray | None]:
    """A layer that ends at the height `start`, with rings down to the height `hem`, and (rows, columns) vertices of the rings,
    that of the hips first; None where there is nothing to hang them on."""
    from scipy.sparse import coo_matrix, csr_matrix, vstack
    from scipy.spatial import ConvexHull

    loops = [loop for loop in loops_of(top.quads) if abs(top.rest[loop, 2].mean() - start) < 0.05]
    if not loops or start - hem < 2 * ROW:
        return top, None
    loop = max(loops, key=len)
    n, columns = len(top.rest), len(loop)
    rows = max(2, round((start - hem) / ROW))
    legs = whole.rest[(base.region != 1) & (base.region != 2)]
    centre = top.rest[loop, :2].mean(axis=0)
    arm = top.rest[loop, :2] - centre
    radius = np.linalg.norm(arm, axis=1)
    way = arm / radius[:, None]
    points, row_of = [], np.concatenate([[0], np.arange(1, rows + 1)])
    for share in row_of[1:] / rows:  # some dozens of rings
        height = start + (hem - start) * share
        slab = legs[np.abs(legs[:, 2] - height) < 0.03, :2]
        if len(slab) > 3:
            sides = ConvexHull(slab).equations
            speed = way @ sides[:, :2].T
            reach = -(sides[:, 2] + sides[:, :2] @ centre)[None]
            hull = np.where(speed > 1e-6, reach / np.maximum(speed, 1e-6), np.inf).min(axis=1) + EASE
            radius = np.maximum(hull, radius * NARROWING)
        level = top.rest[loop, 2] + (hem - top.rest[loop, 2]) * share
        points.append(np.column_stack([centre + way * radius[:, None], level]))
    rings = np.concatenate([loop[None], n + np.arange(rows * columns).reshape(rows, columns)])
    # The border runs with the mesh on its left: the ring below closes to its right.
    a, b = rings[:-1], rings[1:]
    quads = np.stack([np.roll(a, -1, axis=1), a, b, np.roll(b, -1, axis=1)], axis=-1).reshape(-1, 4)
    rest = np.concatenate([top.rest, *points])
    hips = dense_weights(top.bones, top.weights)
    hanging = _carried(rest[n:].reshape(rows, columns, 3), whole, base)
    blend = np.clip(row_of[1:] / 6, 0, 1)[:, None, None]
    hanging = (blend * hanging + (1 - blend) * hips[loop][None]).reshape(rows * columns, -1)
    bones, weights = strongest(np.concatenate([hips, hanging]))
    none = csr_matrix((rows * columns, top.source.shape[1]))
    joined = Layer(rest, np.concatenate([top.quads, quads]), bones, weights, vstack([top.source, none]).tocsr())
    # Where body and rings meet the mesh is evened out.
    edges = np.concatenate([quads[:, [0, 1]], quads[:, [1, 2]]])
    near = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(len(rest), len(rest))).tocsr()
    near = near + near.T
    degree = np.asarray(near.sum(axis=1)).ravel()
    soft = np.zeros(len(rest), bool)
    soft[rings[1:-1].ravel()] = True
    for _ in range(4):
        rest = np.where(soft[:, None], 0.5 * rest + 0.5 * (near @ rest) / np.maximum(degree, 1)[:, None], rest)
    return Layer(rest, joined.quads, bones, weights, joined.source), rings
