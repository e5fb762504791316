"""Cut a garment out of the suit: where a field is positive, with smooth hems in place of the stairs of whole quads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .suit import Layer, dense_weights, edges_of, strongest

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FEWEST_FACES = 40
"""Smaller pieces are noise, and smaller holes too."""
HEM_STEPS = 6


def pieces(quads: np.ndarray) -> np.ndarray:
    """(F,) number of the piece that each quad belongs to; quads that share an edge are in one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    _, _, which = edges_of(quads)
    f = len(quads)
    touch = coo_matrix((np.ones(f * 4), (np.repeat(np.arange(f), 4), which.ravel())), shape=(f, which.max(initial=0) + 1)).tocsr()
    return connected_components(touch @ touch.T, directed=False)[1]


def without_specks(quads: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(F,) bool: chosen quads, small pieces taken off and small holes filled."""
    out = chosen.copy()
    for state in (False, True):
        at = np.flatnonzero(out == state)
        if len(at):
            piece = pieces(quads[at])
            out[at[np.bincount(piece)[piece] < FEWEST_FACES]] = not state
    return out


def loops_of(quads: np.ndarray) -> list[np.ndarray]:
    """The closed borders of a mesh, each (m,) vertices in the direction of the quads' corners, longest first."""
    corners, after = quads.ravel(), np.roll(quads, -1, axis=1).ravel()
    _, uses, which = edges_of(quads)
    border = uses[which.ravel()] == 1
    follow = dict(zip(corners[border].tolist(), after[border].tolist(), strict=True))
    out = []
    while follow:
        start = min(follow)
        loop, at = [], start
        while at in follow:
            loop.append(at)
            at = follow.pop(at)
        out.append(np.array(loop))
    return sorted(out, key=lambda loop: (-len(loop), loop[0]))


def untangled(quads: np.ndarray) -> np.ndarray:
    """(F,) bool: quads without those that touch the rest of a border at one vertex only."""
    keep = np.ones(len(quads), bool)
    for _ in range(20):
        kept = quads[keep]
        if not len(kept):
            break
        corners = kept.ravel()
        _, uses, which = edges_of(kept)
        border = uses[which.ravel()] == 1
        leaving = np.bincount(corners[border], minlength=int(quads.max()) + 1)
        bad = (leaving > 1)[kept].any(axis=1)
        # A quad with three free edges is a tooth of the stairs.
        bad |= (uses[which] == 1).sum(axis=1) >= 3
        if not bad.any():
            break
        keep[np.flatnonzero(keep)[bad]] = False
    return keep


def cut(layer: Layer, field: np.ndarray) -> Layer | None:
    """The part of a layer where `field` (n,) is positive, its border moved to where the field is zero; None = nothing is left."""
    from scipy.sparse import coo_matrix, diags, identity

    chosen = field[layer.quads].mean(axis=1) > 0
    if not chosen.any():
        return None
    chosen = without_specks(layer.quads, chosen)
    chosen[np.flatnonzero(chosen)[~untangled(layer.quads[chosen])]] = False
    quads = layer.quads[chosen]
    if not len(quads):
        return None
    n = len(layer.rest)
    loops = loops_of(quads)
    border = np.zeros(n, bool)
    for loop in loops:
        border[loop] = True
    edges, _, _ = edges_of(layer.quads)
    both = np.concatenate([edges, edges[:, ::-1]])
    # Each vertex of the border slides along the edge on which the field crosses zero soonest.
    a, b = both[border[both[:, 0]]].T
    crosses = (field[a] > 0) != (field[b] > 0)
    a, b = a[crosses], b[crosses]
    way = np.abs(field[a]) / np.maximum(np.abs(field[a]) + np.abs(field[b]), 1e-9)
    length = way * np.linalg.norm(layer.rest[a] - layer.rest[b], axis=1)
    order = np.lexsort((length, a))
    a, b, way = a[order], b[order], way[order]
    first = np.r_[True, a[1:] != a[:-1]]
    slide = coo_matrix((way[first], (a[first], b[first])), shape=(n, n)).tocsr()
    moved = diags(1 - np.asarray(slide.sum(axis=1)).ravel()) + slide
    ahead, behind = np.concatenate(loops), np.concatenate([np.roll(loop, -1) for loop in loops])
    ring = coo_matrix((np.full(len(ahead), 0.5), (ahead, behind)), shape=(n, n)).tocsr()
    relax = diags(np.where(border, 0.5, 1.0)) + 0.5 * (ring + ring.T)
    for _ in range(HEM_STEPS):
        moved = relax @ moved
    # The first row inside makes room.
    half = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(n, n)).tocsr()
    used = np.unique(quads)
    inside = np.zeros(n, bool)
    inside[used] = True
    near = inside & ~border & (np.asarray(half @ border.astype(float)).ravel() > 0)
    mean = diags(1 / np.maximum(np.asarray(half @ inside.astype(float)).ravel(), 1)) @ half @ diags(inside.astype(float))
    ease = identity(n) - diags(near * 0.5) + diags(near * 0.5) @ mean
    moved = (ease @ moved).tocsr()[used]
    return sub_layer(layer, moved, np.searchsorted(used, quads))


def sub_layer(layer: Layer, moved: csr_matrix, quads: np.ndarray) -> Layer:
    """A layer whose vertices are means (rows of `moved`) of those of another."""
    bones, weights = strongest(moved @ dense_weights(layer.bones, layer.weights))
    return Layer(moved @ layer.rest, quads, bones, weights, (moved @ layer.source).tocsr())
