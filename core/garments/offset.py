"""How far a layer stands off the suit: to the scan where it was seen, carried round and across where not.

The unknown is one distance per vertex along its normal at rest, so cloth cannot fold through itself, and what several photos in
other poses say adds up. Each round weighs what the photos show anew and solves a sparse linear system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..body.evaluate import vertex_normals
from ..common.rotations import dot, unit
from ..surface.sparse_solver import factored
from .labels import SAME_PLACE, View, laplacian, pixels_at
from .suit import Layer, coarse_suit, edges_of

ROUNDS = ((0.12, 30.0), (0.07, 8.0), (0.04, 3.0), (0.03, 1.5))
"""Metres beyond which a seen point is not this layer's, and how stiff it is."""
OTHERS = 6  # every so many vertices of the suit are enough to find what is in the way
SPREAD = 0.006  # metres; residuals beyond count less
TO_USUAL, ALIKE, TO_OTHER_SIDE = 0.004, 0.02, 0.05
LOOSENESS = 0.5  # of clothes, where little is seen of them
FEW = 60.0  # vertices that are seen; fewer say little about the garment
HOLLOW = 0.02  # metres, a usual depth of hollows
MOST_EASE = 0.015  # metres
LEANS = 0.006  # metres that a fitted body lies nearer to the cloth that is seen than to that behind
OUTLINE = 0.6  # weight of an outline's point; one of the surface has 1
LEAST_COSINE = 0.35  # between the seen normal and the way that a vertex can move
FRONT, OFF_SUIT = 0.5, 0.025  # cosine of what faces the camera; metres off the suit, farther than which it is another surface
REACH_OUT, REACH_IN, STEPS = 0.16, 0.03, 64  # metres along which the outline is looked for


@dataclass(frozen=True, eq=False)
class Wanted:
    """What photos say of each vertex: (n,) distance, metres, and (n,) weight, 0 = nothing."""

    distance: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Bounds:
    """(n,) metres along the normal.

    usual  of a close garment
    hang   more than that, of a loose one: where it spans hollows of the body
    least, most
    """

    usual: np.ndarray
    hang: np.ndarray
    least: np.ndarray
    most: np.ndarray

    def likely(self, ease: float, looseness: float) -> np.ndarray:
        """(n,) metres where nothing is seen; ease is added to the usual, looseness 0..1 is the share of `hang`."""
        return np.clip(self.usual + ease + looseness * self.hang, self.least, self.most)


def offset(
    layer: Layer, whole: Layer, views: Sequence[View], parts: np.ndarray, bounds: Bounds, firmness: float = 1.0
) -> np.ndarray:
    """(n,) metres along the normals of the resting layer.

    parts     of 29 classes that show the layer
    firmness  above 1 for what has no folds
    """
    from scipy.sparse import diags

    edges, _, _ = edges_of(layer.quads)
    n = len(layer.rest)
    length = np.linalg.norm(layer.rest[edges[:, 0]] - layer.rest[edges[:, 1]], axis=1)
    near = np.median(length) / np.maximum(length, 1e-4)
    flat = laplacian(edges, np.clip(near, 0.2, 5.0), n)
    bent = (flat.T @ flat).tocsr()
    normals = layer.normals
    likely = bounds.likely(0.0, LOOSENESS)
    height = likely
    for reach, stiffness in ROUNDS:
        wanted = gathered(layer, whole, normals, height, views, parts, reach)
        # Where nothing was seen, what is off the likely is carried on: a membrane there, a stiff plate where data pull.
        carried = np.where(wanted.weight > 0, 0.0, 1.0)
        membrane = laplacian(edges, ALIKE + 0.5 * carried[edges].mean(axis=1), n)
        system = diags(wanted.weight + TO_USUAL) + stiffness * firmness * 0.02 * bent + membrane
        off = factored(system).solve(wanted.weight * (wanted.distance - likely))
        height = np.clip(likely + off, bounds.least, bounds.most)
        likely = bounds.likely(*_fall(wanted, bounds))
    return height


def _fall(wanted: Wanted, bounds: Bounds) -> tuple[float, float]:
    """Ease (metres) and looseness (0..1) of the garment by what is seen of it, near the usual ones where little is."""
    weight = np.minimum(wanted.weight, 1.0)
    design = np.stack([np.ones(len(weight)), bounds.hang], axis=1)
    normal = (design * weight[:, None]).T @ design + np.diag([FEW, FEW * HOLLOW**2])
    right = design.T @ (weight * (wanted.distance - bounds.usual)) + [0.0, FEW * HOLLOW**2 * LOOSENESS]
    ease, looseness = np.linalg.solve(normal, right)
    return float(np.clip(ease + LEANS, -MOST_EASE, MOST_EASE)), float(np.clip(looseness, 0, 1))


def room(whole: Layer) -> np.ndarray:
    """(n,) metres that each of the suit's vertices can go along its normal at rest before it meets what comes towards it from
    another limb: the radius of the largest ball that touches the vertex from outside and holds no point of the suit."""
    coarse = coarse_suit()
    points, normals = (a[: len(coarse.used)].astype(np.float32) for a in (whole.rest, whole.normals))  # these come first
    others = whole.rest[::OTHERS].astype(np.float32)
    ahead = normals @ others.T - (normals * points).sum(axis=1)[:, None]
    square = (points**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] - 2 * points @ others.T
    with np.errstate(divide="ignore", invalid="ignore"):
        radius = np.where((ahead > 0.2 * np.sqrt(np.maximum(square, 0))) & (square > 1e-4), square / (2 * ahead), np.inf)
    return coarse.refine @ np.minimum(radius.min(axis=1), 1.0)


def gathered(
    layer: Layer, whole: Layer, normals: np.ndarray, height: np.ndarray, views: Sequence[View], parts: np.ndarray, reach: float
) -> Wanted:
    """What all photos say, by the present distances."""
    total, weight = np.zeros(len(height)), np.zeros(len(height))
    for view in views:
        for wanted in (
            _of_surface(layer, whole, normals, height, view, parts, reach),
            _of_outline(layer, whole, normals, height, view, parts),
        ):
            if wanted is not None:
                total += wanted.weight * wanted.distance
                weight += wanted.weight
    return Wanted(total / np.maximum(weight, 1e-12), weight)


def _posed(layer: Layer, normals: np.ndarray, height: np.ndarray, view: View) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) places in the photo, (n, 3) which way and how fast they move with the distance."""
    ways = np.einsum("nij,nj->ni", view.wearer.turns(layer.bones, layer.weights), normals)
    return view.wearer.place(layer.rest + normals * height[:, None], layer.bones, layer.weights), ways


def _same_place(layer: Layer) -> np.ndarray:
    """(n,) metres at rest between a vertex and what its pixel shows of the suit; a skirt is far from both legs."""
    return np.where(layer.source.getnnz(axis=1) > 0, SAME_PLACE, 4 * SAME_PLACE)


def _of_surface(
    layer: Layer, whole: Layer, normals: np.ndarray, height: np.ndarray, view: View, parts: np.ndarray, reach: float
) -> Wanted | None:
    """From the pointmap: where the vertex's way meets the plane of the point at its pixel."""
    if view.points is None or view.normals is None:
        return None
    points, ways = _posed(layer, normals, height, view)
    outwards = vertex_normals(points, layer.quads)
    row, column, good = pixels_at(view, points)
    target, plane = view.points[row, column], view.normals[row, column]
    good &= np.isin(view.seg[row, column], parts) & (dot(outwards, unit(points)) < -0.1)
    good &= np.linalg.norm(whole.rest[view.shown[row, column]] - layer.rest, axis=1) < _same_place(layer)
    with np.errstate(invalid="ignore"):
        good &= np.isfinite(target).all(axis=1) & np.isfinite(plane).all(axis=1)
        gap = target - points
        good &= np.linalg.norm(gap, axis=1) < reach
        cosine = dot(plane, ways)
        good &= (cosine > LEAST_COSINE) & (dot(plane, outwards) > 0.3)
        step = dot(plane, gap) / np.where(good, cosine, 1.0)
    step = np.where(good, np.clip(step, -reach, reach), 0.0)
    facing = np.clip(-dot(outwards, unit(points)), 0, 1)
    weight = good * np.clip(cosine, 0, 1) ** 2 * (0.2 + facing) / (1 + (step / SPREAD / 3) ** 2)
    return Wanted(height + step, np.nan_to_num(weight))


def _of_outline(
    layer: Layer, whole: Layer, normals: np.ndarray, height: np.ndarray, view: View, parts: np.ndarray
) -> Wanted | None:
    """Vertices on the outline go to where the garment ends before the background."""
    points, ways = _posed(layer, normals, height, view)
    outwards = vertex_normals(points, layer.quads)
    edge_on = np.abs(dot(outwards, unit(points))) < 0.3
    at = np.flatnonzero(edge_on & (points[:, 2] > 0.1))
    if not len(at):
        return None
    offsets = np.linspace(-REACH_IN, REACH_OUT, STEPS)
    row, column, good = pixels_at(view, points[at, None] + ways[at, None] * offsets[:, None])
    seg = np.where(good, view.seg[row, column], 255)
    own = np.isin(seg, parts)
    shown = view.shown[row, column]
    own &= np.linalg.norm(whole.rest[shown] - layer.rest[at, None], axis=2) < _same_place(layer)[at, None]
    # Beyond an outline before the background the nearest of the suit is edge-on, too. A way from the chest over the front of a
    # sleeve has begun at an outline before the person, and would end at the sleeve's.
    own &= (view.facing[shown] > -FRONT) | (height[at, None] + offsets < OFF_SUIT)
    # From the last step that is still near the present place: the first change from the garment to the background.
    leaves = own[:, :-1] & (seg[:, 1:] == 0)
    found = leaves.any(axis=1)
    first = leaves.argmax(axis=1)
    clear = np.cumsum((seg > 0) & ~own & (seg < 255), axis=1)[np.arange(len(at)), first] == 0
    found &= clear
    out, weight = height.copy(), np.zeros(len(height))
    out[at] = height[at] + (offsets[first] + offsets[first + 1]) / 2
    weight[at] = OUTLINE * found
    return Wanted(out, weight)
