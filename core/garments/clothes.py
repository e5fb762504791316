"""Clothes of one person from photos: each kind cut out of the suit, set off to the scan, turned in at its hems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..body.evaluate import rest_points, vertex_normals
from ..body.evidence import gather
from ..body.fit import Sighting
from ..body.fitted import BodyFit
from ..body.skeleton import BONES
from ..body.template import template
from ..common.arrays import RigData, SkinWeights
from ..common.avatars import BodyData, GarmentData
from ..common.landmarks import part_labels
from .charts import chart_uvs
from .cut import cut
from .drape import hung, whole_suit
from .hang import clearance, hangs, hem_height, hip_height, reached, with_skirt
from .hems import lining
from .labels import CLASSES, WAIST, View, drawn, facing, fields, parts_of, present_kinds, supposed_trousers, votes
from .offset import Bounds, offset, room
from .suit import FOOT, LEG, Layer, Suit, Wearer, strongest, suit

USUAL = {"socks": 0.002, "shoes": 0.008, "lower": 0.012, "upper": 0.012, "dress": 0.012}
"""Kind of garment -> metres off the suit where nobody has seen it."""
LEAST, BETWEEN = 0.0035, 0.003
"""Metres: from the skin to a garment, between two garments."""
MOST = {"socks": 0.012, "shoes": 0.035, "lower": 0.12, "upper": 0.12, "dress": 0.15}
"""Kind of garment -> metres off the suit at most."""
STIFF = {"shoes": 5.0}
"""Kind of garment -> how much stiffer than cloth it is."""
LEAST_OF_SKIRT = -0.03  # metres; its rings are drawn wide round both legs
SKIRTS = ("lower", "upper", "dress")  # what may hang round both legs: skirts, coats, dresses
OVER_LEGS = ("upper", "dress")  # what hides where the trousers under it begin
BELOW_HIPS = 0.1  # metres from where a skirt begins down to its hem, at least
UNDER = 0.045  # metres that a garment goes on under the one above it
CLEAR_OF_HEM = 0.03  # metres from a hem within which the skin is not taken as covered
PLAIN_TONE = 128


@dataclass(frozen=True, eq=False)
class _Skin:
    """The skin near the suit: nearest (n,) vertex of it to each of the suit's, height (n,) metres of the suit above it."""

    height: np.ndarray
    nearest_of_skin: np.ndarray


def make_clothes(
    photos: Sequence[tuple[Sighting, BodyFit]], body: BodyData, rig: RigData
) -> tuple[tuple[GarmentData, ...], np.ndarray]:
    """The clothes that some photos of one person show, in the first photo, and (V,) bool: vertices of the body well under them.

    photos  several of one person may differ in pose and camera
    body    in the first photo, and rig
    """
    covered = np.zeros(len(body.vertices), bool)
    views = [view for sighting, fit in photos if (view := _view(sighting, fit)) is not None]
    if not views:
        return (), covered
    whole, base = whole_suit(photos[0][1]), suit()
    hang, free = hung(photos[0][1]), room(whole)
    count, framed = votes(whole, base, views)
    kinds = present_kinds(views, count)
    if not kinds:
        return (), covered
    start = hip_height(whole, base)
    supposed = supposed_trousers(whole, base, count, kinds, start)
    if supposed.any():
        count[supposed, parts_of("lower")] = 1
        kinds = [kind for kind in CLASSES if kind in (*kinds, "lower")]
    hems = {kind: hem_height(whole, base, count, kind) for kind in kinds if kind in SKIRTS}
    level = {kind: height for kind, height in hems.items() if kind in OVER_LEGS and height < start}
    field = fields(whole, base, count, framed, kinds, level, start + WAIST if supposed.any() else np.inf)
    skin = _skin(whole, photos[0][1])
    taken = np.full(len(whole.rest), -np.inf)  # metres off the suit that inner garments reach
    wearer = Wearer.of(photos[0][1])
    out, over = [], []
    for k, kind in enumerate(kinds):
        over.append(field[kind])
        above = [field[other] for other in kinds[k + 1 :]]
        own, rings = _with_overlap(whole, base, field[kind], above), None
        hem = hems.get(kind, start)
        skirt = hem < start - BELOW_HIPS and hangs(whole, base, views, kind)
        if skirt:
            own = np.minimum(own, (whole.rest[:, 2] - start) / 0.1)
            legs = np.isin(base.region, (LEG, LEG + 1))  # which it leaves bare below its hem, behind too
            over[-1] = np.where(legs, np.minimum(field[kind], (whole.rest[:, 2] - hem) / 0.1), field[kind])
        layer = cut(whole, own)
        if layer is None:
            continue
        worn = replace(whole, rest=whole.rest + whole.normals * np.maximum(taken, 0.0)[:, None])
        if skirt:
            layer, rings = with_skirt(layer, worn, base, start, hem)
        tucked = layer.source @ np.max([np.zeros(len(whole.rest)), *above], axis=0) > 0.05
        least = np.maximum(LEAST - layer.source @ skin.height, layer.source @ np.where(np.isfinite(taken), taken, -1.0) + BETWEEN)
        if rings is not None:
            least[rings[1:]] = np.maximum(LEAST_OF_SKIRT, clearance(layer, rings[1:], worn, base) + BETWEEN)
        most = np.where(tucked, np.maximum(least, 0.004), np.minimum(MOST[kind], 0.8 * (layer.source @ free)))
        most[layer.source.getnnz(axis=1) == 0] = MOST[kind]
        bounds = Bounds(np.full(len(least), USUAL[kind]), layer.source @ hang, least, np.maximum(most, least))
        height = offset(layer, whole, views, parts_of(kind), bounds, STIFF.get(kind, 1.0))
        rest = layer.rest + layer.normals * height[:, None]
        if kind == "shoes":
            rest = _flat_soles(rest, layer, base)
        back = layer.source.T.tocsr()
        touched = np.asarray(back.sum(axis=1)).ravel() > 0.3
        taken[touched] = np.maximum(taken, (back @ height) / np.maximum(np.asarray(back.sum(axis=1)).ravel(), 1e-9))[touched]
        if rings is not None:
            taken = np.maximum(taken, reached(rest, rings, whole, base))
        garment = _garment(kind, layer, rest, height + layer.source @ skin.height, rings, wearer, views, rig)
        if kind == "lower" and supposed.any():  # no pixel is of them, whatever a few stray ones say
            garment = replace(garment, labels=np.zeros(0, np.uint8), tone=np.full(3, PLAIN_TONE, np.uint8))
        out.append(garment)
    covered[: len(skin.nearest_of_skin)] = _covered(whole, base, over)[skin.nearest_of_skin]
    bare = np.isin(template().labels[: len(covered)], part_labels("Left_Hand", "Right_Hand"))
    return tuple(out), covered & ~bare


def _view(sighting: Sighting, fit: BodyFit) -> View | None:
    """What a photo shows; None without parts of the body."""
    predictions = sighting.predictions
    if predictions.seg is None:
        return None
    mask = predictions.seg > 0 if sighting.mask is None else sighting.mask & (predictions.seg > 0)
    if not mask.any():
        return None
    evidence = gather(predictions, sighting.person, sighting.camera, sighting.pose, mask)
    wearer, seg = Wearer.of(fit), np.where(mask, predictions.seg, 0).astype(np.uint8)
    whole = whole_suit(fit)
    shown = drawn(whole, wearer, sighting.camera)
    return View(sighting, wearer, seg, evidence.points, evidence.normals, shown, facing(whole, wearer))


def _skin(whole: Layer, fit: BodyFit) -> _Skin:
    """How the skin lies under the suit, at rest."""
    from scipy.spatial import cKDTree

    t = template()
    points = rest_points(fit.shape).astype(np.float64)
    used = t.skin_vertices()
    normals = vertex_normals(points, t.skin_faces())[used]
    _, nearest = cKDTree(points[used]).query(whole.rest)
    height = np.einsum("ij,ij->i", whole.rest - points[used][nearest], normals[nearest])
    _, of_skin = cKDTree(whole.rest).query(points[used])
    return _Skin(np.clip(height, -0.005, 0.04), of_skin)


def _distance(whole: Layer, base: Suit, start: np.ndarray, most: float) -> np.ndarray:
    """(n,) metres along the suit's edges from the nearest start, inf beyond most."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import dijkstra

    if not start.any():
        return np.full(len(whole.rest), np.inf)
    a, b = base.edges.T
    length = np.linalg.norm(whole.rest[a] - whole.rest[b], axis=1)
    graph = coo_matrix((length, (a, b)), shape=(len(whole.rest), len(whole.rest)))
    return dijkstra(graph.tocsr(), directed=False, indices=np.flatnonzero(start), limit=most, min_only=True)


def _with_overlap(whole: Layer, base: Suit, field: np.ndarray, above: list[np.ndarray]) -> np.ndarray:
    """The field of a garment that goes on a little way under those above it."""
    if not above:
        return field
    under = np.max(above, axis=0) > 0
    distance = _distance(whole, base, field > 0, 1.5 * UNDER)
    value = np.clip((UNDER - distance) / UNDER, -1, 1)
    return np.where((field > 0) | ~under, np.where(under | (field > 0), field, np.minimum(field, value)), value)


def _covered(whole: Layer, base: Suit, parts: list[np.ndarray]) -> np.ndarray:
    """(n,) bool: the suit's vertices under clothes, away from where these end."""
    bare = (np.max(parts, axis=0) <= 0) | base.rim
    return _distance(whole, base, bare, 2 * CLEAR_OF_HEM) > CLEAR_OF_HEM


def _flat_soles(rest: np.ndarray, layer: Layer, base: Suit) -> np.ndarray:
    """What looks down under a foot lies on the ground."""
    out = rest.copy()
    nearest = np.asarray(layer.source.argmax(axis=1)).ravel()
    down = layer.normals[:, 2] < -0.5
    for foot in (FOOT, FOOT + 1):
        sole = np.flatnonzero((base.region[nearest] == foot) & down)
        if len(sole):
            out[sole, 2] = np.percentile(rest[sole, 2], 10)
    return out


def _carriers(rig: RigData) -> np.ndarray:
    """(B,) bone of the rig for each of BONES: a rig without fingers or face has their parents."""
    out = []
    for bone in BONES:
        while bone not in rig.names:
            parent = BONES[bone]
            assert parent is not None  # the first bone is in every rig
            bone = parent
        out.append(rig.names.index(bone))
    return np.array(out, np.int32)


def _garment(
    kind: str,
    layer: Layer,
    rest: np.ndarray,
    above_skin: np.ndarray,
    rings: np.ndarray | None,
    wearer: Wearer,
    views: Sequence[View],
    rig: RigData,
) -> GarmentData:
    """A layer with its offset, as what is handed on."""
    hem = lining(layer, rest, np.maximum(above_skin, 0.0), rings)
    points = np.concatenate([rest, hem.vertices])
    quads = np.concatenate([layer.quads, hem.quads]).astype(np.int32)
    inside = np.arange(len(quads)) >= len(layer.quads)
    bones, weights = (np.concatenate([a, a[hem.owner]]) for a in (layer.bones, layer.weights))
    mixed = np.zeros((len(points), len(rig.names)))
    np.add.at(mixed, (np.arange(len(points))[:, None], _carriers(rig)[bones]), weights)
    carried, amount = strongest(mixed)
    return GarmentData(
        kind=kind,
        vertices=wearer.place(points, bones, weights).astype(np.float32),
        quads=quads,
        uvs=chart_uvs(points, quads, inside, np.eye(3)),
        weights=SkinWeights(carried.astype(np.int32), amount.astype(np.float32)),
        labels=parts_of(kind),
        tone=_tone(views, parts_of(kind)),
        inside=inside,
    )


def _tone(views: Sequence[View], parts: np.ndarray) -> np.ndarray:
    """(3,) uint8 median colour of the pixels that show some parts."""
    shown = []
    for view in views:
        predictions = view.sighting.predictions
        image = predictions.image if predictions.albedo is None else predictions.albedo
        if image is not None:
            pixels = image[np.isin(view.seg, parts)]
            shown.append(pixels[:: max(1, len(pixels) // 20_000)])
    colours = np.concatenate(shown) if shown else np.zeros((0, 3))
    return np.full(3, PLAIN_TONE, np.uint8) if not len(colours) else np.median(colours, axis=0).astype(np.uint8)
