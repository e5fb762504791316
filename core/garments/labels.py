"""Which garment covers what: pixels vote for the suit's vertices that they show, and the votes spread round limbs and trunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..body.evaluate import vertex_normals
from ..body.evidence import may_lie_under
from ..body.fit import Sighting
from ..common.arrays import Camera
from ..common.landmarks import part_labels, part_names
from ..common.rotations import dot, unit
from ..surface.sparse_solver import factored
from ..texture.rasterise import rasterise
from .suit import ARM, FOOT, LEG, TRUNK, Layer, Suit, Wearer

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CLASSES: dict[str, tuple[str, ...]] = {
    "socks": ("Left_Sock", "Right_Sock"),
    "shoes": ("Left_Shoe", "Right_Shoe"),
    "lower": ("Lower_Clothing",),
    "upper": ("Upper_Clothing",),
    "dress": ("Apparel",),
}
"""Kind of garment -> parts of 29 classes, from the innermost to the outermost."""
PLAN: dict[str, tuple[str, ...]] = {
    "socks": ("Foot",),
    "shoes": ("Foot",),
    "lower": ("Torso", "Upper_Leg", "Lower_Leg"),
    "upper": ("Torso", "Upper_Arm", "Lower_Arm"),
    "dress": ("Torso", "Upper_Arm", "Lower_Arm", "Upper_Leg"),
}
"""Parts of the body over which a garment goes on where no photo shows anything."""
FACING = -0.12  # cosine between normal and ray, below which a vertex is seen
IN_FRONT, BEHIND = 0.13, 0.05  # metres that the seen surface may lie before and behind the suit
SAME_PLACE = 0.11  # metres on the resting suit between a vertex and what its pixel shows
ROUND, ALONG, TO_MIRROR, OFF_PLAN, UP_THE_NECK = 2.0, 0.12, 0.04, 0.15, 0.03  # conductances; a vote has 1
TO_LEVEL, LEVEL_REACH = 0.5, 0.12  # conductance to a level hem where none is seen; metres from it
STRAIGHT = 0.03  # metres along a limb from where a garment ends out of sight
WAIST = 0.12  # metres above the hips to which trousers reach that nobody has seen
LEAST = 0.3  # likelihood of a garment that is none
FEWEST_PIXELS = 4e-4  # of the person's: a class with less is noise
FEWEST_VERTICES = 12


def parts_of(kind: str) -> np.ndarray:
    """(n,) parts of 29 classes that show a kind of garment."""
    return part_labels(*CLASSES[kind])


@dataclass(frozen=True, eq=False)
class View:
    """One photo of the person, as the clothes need it.

    seg      (H, W) uint8, 0 outside the person
    points   (H, W, 3) camera space, NaN where unknown; None = no pointmap
    normals  (H, W, 3) camera space, unit; None = no pointmap
    shown    (H, W) int32 vertex of the suit that the pixel shows, of the nearest one that shows any
    facing   (n,) cosine between the normal of each vertex of the suit and the ray to it: negative = turned to the camera
    """

    sighting: Sighting
    wearer: Wearer
    seg: np.ndarray
    points: np.ndarray | None
    normals: np.ndarray | None
    shown: np.ndarray
    facing: np.ndarray


def facing(layer: Layer, wearer: Wearer) -> np.ndarray:
    """(n,) cosine between the normal of each vertex of a layer, as it stands in the photo, and the ray to it."""
    points = wearer.place(layer.rest, layer.bones, layer.weights)
    return dot(vertex_normals(points, layer.quads), unit(points))


def drawn(layer: Layer, wearer: Wearer, camera: Camera) -> np.ndarray:
    """(H, W) int32: the vertex of a layer that each pixel shows, nearest faces on top; beside it what the nearest pixel does."""
    import cv2

    points = wearer.place(layer.rest, layer.bones, layer.weights)
    corners = layer.quads[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)
    places = points[corners]
    front = np.cross(places[:, 1] - places[:, 0], places[:, 2] - places[:, 0])
    shown = np.flatnonzero((places[..., 2] > 0.05).all(axis=1) & (dot(front, places.mean(axis=1)) < 0))
    shown = shown[np.argsort(-places[shown][..., 2].mean(axis=1), kind="stable")]
    face, weights = rasterise(camera.project(places[shown]).astype(np.float32), camera.height, camera.width)
    inside = face >= 0
    if not inside.any():
        return np.zeros(inside.shape, np.int32)
    own = corners[shown[face[inside]]]
    _, nearest = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    vertex = np.zeros(int(nearest.max()) + 1, np.int32)
    vertex[nearest[inside]] = own[np.arange(len(own)), weights[inside].argmax(axis=1)]
    return vertex[nearest]


def pixels_at(view: View, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row and column of the pixels of (..., 3) points, and whether they are in the frame."""
    camera = view.sighting.camera
    with np.errstate(invalid="ignore", divide="ignore"):
        pixel = camera.project(points)
    height, width = view.seg.shape
    good = (points[..., 2] > 0.05) & np.isfinite(pixel).all(axis=-1)
    x, y = np.moveaxis(np.round(np.where(good[..., None], np.clip(pixel, -1e6, 1e6), -1)).astype(np.int64), -1, 0)
    good &= (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return np.clip(y, 0, height - 1), np.clip(x, 0, width - 1), good


def votes(layer: Layer, suit: Suit, views: Sequence[View]) -> tuple[np.ndarray, np.ndarray]:
    """(n, 29) how many photos show each vertex as each part, and (n,) whether any frame holds the vertex."""
    out = np.zeros((len(layer.rest), len(part_names())))
    framed = np.zeros(len(layer.rest), bool)
    under = may_lie_under()
    under[np.ix_(part_labels("Upper_Clothing"), part_labels("Left_Lower_Leg", "Right_Lower_Leg"))] = True  # long coats
    for view in views:
        points = view.wearer.place(layer.rest, layer.bones, layer.weights)
        row, column, inside = pixels_at(view, points)
        framed |= inside
        label = view.seg[row, column]
        seen = inside & (view.facing < FACING) & (label > 0) & under[label, suit.labels]
        if view.points is not None:
            with np.errstate(invalid="ignore"):
                gap = points[:, 2] - view.points[row, column, 2]
                seen &= ~((gap <= -BEHIND) | (gap >= IN_FRONT))  # where the depth is not known, the part has to do
        seen &= np.linalg.norm(layer.rest[view.shown[row, column]] - layer.rest, axis=1) < SAME_PLACE
        at = np.flatnonzero(seen)
        out[at, label[at]] += 1
    return out, framed


def present_kinds(views: Sequence[View], count: np.ndarray) -> list[str]:
    """Kinds of garments that the photos show, noise left out."""
    person = sum(int((view.seg > 0).sum()) for view in views)
    out = []
    for kind in CLASSES:
        pixels = sum(int(np.isin(view.seg, parts_of(kind)).sum()) for view in views)
        if pixels > FEWEST_PIXELS * person and (count[:, parts_of(kind)].sum(axis=1) > 0).sum() >= FEWEST_VERTICES:
            out.append(kind)
    return out


def supposed_trousers(layer: Layer, suit: Suit, count: np.ndarray, kinds: Sequence[str], start: float) -> np.ndarray:
    """(n,) bool: vertices of legs, and of hips below the height `start` at rest, over which somebody in a jacket or a shirt is
    supposed to wear trousers: no photo shows their legs, bare or covered."""
    nowhere = np.zeros(len(layer.rest), bool)
    if "upper" not in kinds or {"lower", "dress"} & set(kinds):
        return nowhere
    thighs, shins = (part_labels(f"Left_{part}", f"Right_{part}") for part in ("Upper_Leg", "Lower_Leg"))
    seen = count.sum(axis=1) > 0
    bare = count[np.isin(suit.labels, thighs)][:, [*thighs, *shins]].sum(axis=1) > 0
    if np.count_nonzero(bare) + np.count_nonzero(seen & np.isin(suit.labels, shins)) >= FEWEST_VERTICES:
        return nowhere
    below = np.isin(suit.region, (TRUNK, LEG, LEG + 1)) & (layer.rest[:, 2] < start)
    return below & ~seen & ~np.isin(suit.labels, part_labels("Left_Foot", "Right_Foot"))


def laplacian(edges: np.ndarray, conductance: np.ndarray, count: int) -> csr_matrix:
    """(count, count) csr: weighted graph Laplacian."""
    from scipy.sparse import coo_matrix, diags

    half = coo_matrix((conductance, (edges[:, 0], edges[:, 1])), shape=(count, count))
    both = (half + half.T).tocsr()
    return (diags(np.asarray(both.sum(axis=1)).ravel()) - both).tocsr()


def conductances(rest: np.ndarray, suit: Suit, round_it: float, along: float) -> np.ndarray:
    """(E,) of the suit's edges: round_it across the axis of a limb, along it along."""
    a, b = suit.edges.T
    slope = np.abs(dot(unit(rest[b] - rest[a]), unit(suit.axis[a] + suit.axis[b] + 1e-12)))
    no_axis = ~(np.abs(suit.axis[a]).any(axis=1) & np.abs(suit.axis[b]).any(axis=1))
    value = round_it + (along - round_it) * np.clip(slope, 0, 1) ** 2
    return np.where(no_axis, (round_it + along) / 2, value)


def fields(
    layer: Layer,
    suit: Suit,
    count: np.ndarray,
    framed: np.ndarray,
    kinds: Sequence[str],
    hems: Mapping[str, float],
    waist: float = np.inf,
) -> dict[str, np.ndarray]:
    """Kind -> (n,) by how much it is likelier than all else, -1..1; positive where the garment is.

    hems   kind -> height at rest of its hem on the legs: where no photo shows it the hem is level, while it may rise to a
           cut-away front, or fall to one corner of it
    waist  height at rest above which trousers do not go on out of sight
    """
    from scipy.sparse import diags

    n = len(layer.rest)
    groups = np.stack([count[:, parts_of(kind)].sum(axis=1) for kind in kinds], axis=1)
    hair = count[:, part_labels("Hair")].sum(axis=1)
    bare = np.maximum(count.sum(axis=1) - groups.sum(axis=1) - hair, 0)
    votes_of = np.column_stack([groups, bare])
    total = votes_of.sum(axis=1)
    share = votes_of / np.maximum(total, 1)[:, None]
    plain = np.array([name.partition("_")[2] if name.startswith(("Left_", "Right_")) else name for name in part_names()])
    planned = np.stack([np.isin(plain[suit.labels], PLAN[kind]) for kind in kinds], axis=1)
    if "lower" in kinds:
        planned[:, kinds.index("lower")] &= layer.rest[:, 2] < waist
    edges = conductances(layer.rest, suit, ROUND, ALONG)
    smooth = laplacian(suit.edges, edges, n)
    pair = np.stack([np.arange(n), suit.mirror], axis=1)[suit.mirror > np.arange(n)]
    smooth = smooth + laplacian(pair, np.full(len(pair), TO_MIRROR), n)
    known = np.minimum(total, 1.0)
    for kind, height in hems.items():
        above = layer.rest[:, 2] - height
        near = (total == 0) & np.isin(suit.region, (TRUNK, LEG, LEG + 1)) & (np.abs(above) < LEVEL_REACH)
        known[near] = TO_LEVEL
        share[near & (above > 0), kinds.index(kind)] = 1
        share[near & (above <= 0), kinds.index("lower") if "lower" in kinds else -1] = 1
    system = smooth + diags(known + 1e-6)
    # What lies round the neck in front does so behind; what ends below it does not climb it out of sight.
    neck = UP_THE_NECK * (np.isin(suit.labels, part_labels("Face_Neck")) & (total == 0))
    likely = np.empty((n, len(kinds) + 1))
    shared = factored(system)
    likely[:, -1] = shared.solve(known * share[:, -1])
    for k in range(len(kinds)):
        absent = np.where(planned[:, k] | framed, neck, OFF_PLAN)
        # Out of sight a garment ends where its plan does, not before: trousers that leave the photo at the thigh reach the ankle.
        a, b = suit.edges.T
        leaves = (planned[a, k] != planned[b, k]) & ~framed[a] & ~framed[b]
        cut_off = laplacian(suit.edges[leaves], edges[leaves], n)
        own = factored(system - cut_off + diags(absent)) if absent.any() else shared
        likely[:, k] = own.solve(known * share[:, k])
    out = {}
    for k, kind in enumerate(kinds):
        others = np.delete(likely, k, axis=1).max(axis=1)
        field = likely[:, k] - np.maximum(others, LEAST)
        out[kind] = _with_level_ends(field, layer, suit, planned[:, k], ~framed)
    return out


def _with_level_ends(field: np.ndarray, layer: Layer, suit: Suit, planned: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """The field of a garment, with its hem straight round trunk, arm or leg where its plan ends out of sight: parts of the body
    border each other in stairs.

    planned  (n,) bool: of the parts over which it goes on;  unseen  (n,) bool
    """
    out = field.copy()
    a, b = suit.edges.T
    ends = (planned[a] != planned[b]) & unseen[a] & unseen[b]
    inner, outer = np.where(planned[a], a, b)[ends], np.where(planned[a], b, a)[ends]
    for limb, beyond in ((TRUNK, TRUNK), (ARM, ARM), (ARM + 1, ARM + 1), (LEG, FOOT), (LEG + 1, FOOT + 1)):
        own = (suit.region[inner] == limb) & (np.abs(suit.axis[inner]).any(axis=1)) & (field[inner] > 0) & (field[outer] <= 0)
        if np.count_nonzero(own) < FEWEST_VERTICES:
            continue
        border = (layer.rest[inner[own]] + layer.rest[outer[own]]) / 2
        middle, axis = border.mean(axis=0), suit.axis[inner[own]].sum(axis=0)
        across = np.linalg.svd(border - middle, full_matrices=False)[2][2]  # of the plane nearest to the border
        before = (middle - layer.rest) @ across * np.sign(across @ axis)
        near = unseen & (np.abs(before) < STRAIGHT) & np.isin(suit.region, (limb, beyond))
        out[near] = field[inner[own]].mean() * before[near] / STRAIGHT
    return out
