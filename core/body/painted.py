"""Body and garments with textures all round, from the photos that a person was fitted in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..capture.provenance import is_drawn
from ..common.arrays import RigData, SkinWeights
from ..common.avatars import BodyData, GarmentData, SurfaceTextures
from ..common.colour import SKIN_TONE
from ..common.landmarks import part_labels, part_names
from ..common.looks import BODY_LOOKS
from ..common.memo import Once, anew
from ..texture.all_round import paint
from ..texture.eyes import paint_eyes
from ..texture.hem_bands import Hems
from ..texture.project import PaintedSurface
from ..texture.settings import TextureSettings
from ..texture.strands import whorl_of
from ..texture.symmetry import twins
from ..texture.views import View, iris_tone, view_of
from .character import EYE_PARTS, eye_directions
from .fit import Sighting
from .fitted import BodyFit
from .other_photos import in_other_photo, rest_rig_of, rested
from .reshape import body_vertices
from .template import template

SKIN_REACH = 0.2
"""Metres over which the colours of seen skin run out into its mean tone."""
CLOTH_REACH = 0.06
"""Metres over which the colours of seen cloth run out into its pattern."""
TWINS = 0.02
"""Metres from the mirror image of a vertex within which another one counts as its twin."""
LIMBS = (
    {"spine", "spine.001", "spine.002", "spine.003", "shoulder"},
    {"upper_arm", "forearm"},
    {"thigh", "shin"},
    {"foot", "toe"},
)
"""Bones of trunk, arms, legs and feet."""
PAIRED = ("shoes", "socks")
"""Garments of two sides that are alike."""
NOT_SKIN = ("Background", "Apparel", "Eyeglass", "Hair", "Upper_Clothing", "Lower_Clothing",
            *(f"{side}_{part}" for side in ("Left", "Right") for part in ("Shoe", "Sock")))  # fmt: skip
LEAST_SHOWN = 0.01
"""Share of the person's pixels from which a part without a garment is painted on the body."""
NEVER_PAINTED = ("Background", "Eyeglass", "Upper_Teeth", "Lower_Teeth", "Tongue")
"""Parts that never colour the skin."""


def paint_avatar(
    body: BodyData,
    garments: Sequence[GarmentData],
    photos: Sequence[tuple[Sighting, BodyFit]],
    size: int = 2048,
    settings: TextureSettings | None = None,
    once: Once = anew,
) -> tuple[BodyData, tuple[GarmentData, ...]]:
    """Both with textures of size x size texels, by their own uvs, and the body with the colour of its irises.

    body, garments  as they stand in the first photo, in its camera's space (`rest.in_photo`)
    photos          of one person; there is at least one
    once            for what does not depend on the settings

    What no photo shows is a guess: the mirror image, the garment's pattern, the tone of the skin. Parts for which there is no
    garment are painted on the body.
    """
    views = [_view(sighting, settings) for sighting, _ in photos]
    surfaces = once("surfaces", lambda: _surfaces(body, garments, photos, views))
    skin, *others = paint(surfaces, views, size, once)
    painted = tuple(replace(garment, textures=made) for garment, made in zip(garments, others, strict=True))
    tones = {**body.tones, **_eyes(photos, views)}
    return replace(body, textures=_with_eyes(skin, body, tones), tones=tones), painted


def _surfaces(
    body: BodyData, garments: Sequence[GarmentData], photos: Sequence[tuple[Sighting, BodyFit]], views: Sequence[View]
) -> list[PaintedSurface]:
    """The skin, and each of the garments."""
    rig = rest_rig_of(photos[0][1])
    return [_skin(body, garments, photos, views, rig), *(_garment(garment, photos, rig) for garment in garments)]


def _view(sighting: Sighting, settings: TextureSettings | None) -> View:
    seen = view_of(sighting.predictions, sighting.camera, sighting.mask, settings)
    return replace(seen, drawn=is_drawn(sighting.predictions))


def _skin(
    body: BodyData,
    garments: Sequence[GarmentData],
    photos: Sequence[tuple[Sighting, BodyFit]],
    views: Sequence[View],
    rig: RigData,
) -> PaintedSurface:
    """The body's skin; the other parts of the body hide what is behind them."""
    rest = rested(body.vertices, body.weights, rig)
    skin = body.part == body.part_names.index("skin")
    # No pixel shows trousers that are only supposed, and stray ones of their class are not the body's either.
    labels = [garment.labels if len(garment.labels) else part_labels("Lower_Clothing") for garment in garments]
    worn = np.unique(np.concatenate(labels)) if labels else np.zeros(0, np.uint8)
    shown = np.setdiff1d(np.arange(len(part_names())), [*part_labels(*NEVER_PAINTED), *worn])
    naked = np.setdiff1d(np.arange(len(part_names())), part_labels(*NOT_SKIN, *NEVER_PAINTED))
    seen = np.sum([np.bincount(view.labels.ravel(), minlength=len(part_names())) for view in views], axis=0)
    shown = np.union1d(shown[seen[shown] > LEAST_SHOWN * seen[1:].sum()], naked)
    # Clothes of which there is no garment go on round the body.
    bare = not np.setdiff1d(shown, naked).size
    along, share = (None, None) if bare else _axes(rest, body.weights, rig)
    return PaintedSurface(
        quads=body.quads[skin],
        uvs=body.uvs[skin],
        posed=(_with_face(body, body.vertices, photos[0][1]), *(_body_in(body, rest, fit) for _, fit in photos[1:])),
        labels=shown.astype(np.uint8),
        tone=np.array(SKIN_TONE, np.uint8),
        rest=rest,
        mirror=_twins_of_body(),
        along=along,
        share=share,
        hiding=body.quads[~skin],
        limbs=_limbs(body.weights, rig) if bare else None,
        reach=SKIN_REACH if bare else CLOTH_REACH,
    )


def _garment(garment: GarmentData, photos: Sequence[tuple[Sighting, BodyFit]], rig: RigData) -> PaintedSurface:
    rest = rested(garment.vertices, garment.weights, rig)
    along, share = _axes(rest, garment.weights, rig)
    return PaintedSurface(
        quads=garment.quads,
        uvs=garment.uvs,
        posed=(garment.vertices, *(in_other_photo(rest, garment.weights, fit) for _, fit in photos[1:])),
        labels=garment.labels,
        tone=garment.tone,
        rest=rest,
        mirror=twins(rest, TWINS) if garment.kind in PAIRED else None,
        along=along,
        share=share,
        reach=CLOTH_REACH,
        whorl=whorl_of(rest) if garment.kind == "hair" else None,
        hems=None if garment.kind == "hair" else Hems.of(rest, garment.quads, garment.inside),
    )


def _body_in(body: BodyData, rest: np.ndarray, fit: BodyFit) -> np.ndarray:
    """(V, 3) float32: the body in the photo of another fit, with the face that it has there."""
    return _with_face(body, in_other_photo(rest, body.weights, fit), fit)


def _with_face(body: BodyData, points: np.ndarray, fit: BodyFit) -> np.ndarray:
    """(V, 3) float32 points moved by the expression in a photo. Shape keys are those of the first photo, which turns them as the
    head is turned there; of another photo they are turned as the head is in it."""
    amount = np.zeros(len(body.key_names))
    amount[: len(fit.face)] = fit.face
    offset = body.key_offsets * amount[body.key_entries[:, 0], None]
    moved = np.stack([np.bincount(body.key_entries[:, 1], offset[:, axis], minlength=len(points)) for axis in range(3)], axis=1)
    if points is not body.vertices:
        moved = moved @ _turn(body.vertices, points, body).T
    return (points + moved).astype(np.float32)


def _turn(source: np.ndarray, target: np.ndarray, body: BodyData) -> np.ndarray:
    """(3, 3) rotation of the vertices that shape keys move, from one pose to another."""
    used = np.unique(body.key_entries[:, 1])
    a, b = source[used].astype(np.float64), target[used].astype(np.float64)
    u, _, vt = np.linalg.svd((b - b.mean(axis=0)).T @ (a - a.mean(axis=0)))
    return u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt


def _twins_of_body() -> np.ndarray:
    """(V,) int32: of each vertex of a `BodyData` the one on the other side."""
    t = template()
    used = body_vertices()
    row = np.full(len(t.base), -1)
    row[used] = np.arange(len(used))
    return row[t.mirror[used]].astype(np.int32)


def _axes(rest: np.ndarray, weights: SkinWeights, rig: RigData) -> tuple[np.ndarray, np.ndarray]:
    """(V, 2) metres along height and arm, and how far each counts: sleeves go along the arm, everything else with height."""
    arm = np.array([name.startswith(("upper_arm", "forearm", "hand", "palm", "thumb", "f_")) for name in rig.names])
    amount = weights.share_of(arm)
    along = [rest[:, 2]]
    side = np.where(rest[:, 0] > 0, "L", "R")
    reach = np.zeros(len(rest))
    for s in "LR":
        head, tail = (rig.heads[rig.names.index(f"{bone}.{s}")].astype(np.float64) for bone in ("upper_arm", "hand"))
        reach = np.where(side == s, (rest - head) @ (tail - head) / max(float(np.linalg.norm(tail - head)), 1e-6), reach)
    along.append(reach)
    return np.stack(along, axis=1).astype(np.float32), np.stack([1 - amount, amount], axis=1).clip(0, 1).astype(np.float32)


def _limbs(weights: SkinWeights, rig: RigData) -> np.ndarray:
    """(V, 4) float32: how far each vertex of the body is trunk, arm, leg, foot. Head and hands are bare on most photos."""
    groups = [np.array([name.removesuffix(".L").removesuffix(".R") in bones for name in rig.names]) for bones in LIMBS]
    return np.stack([weights.share_of(own) for own in groups], axis=1).astype(np.float32)


def _with_eyes(textures: SurfaceTextures, body: BodyData, tones: Mapping[str, np.ndarray]) -> SurfaceTextures:
    """Textures of the skin in which the eyeballs are painted too."""
    eyes = np.isin(body.part, [body.part_names.index(part) for part in ("eyes", *EYE_PARTS)])
    directions = eye_directions()[body_vertices()]
    colours = [np.asarray(tones.get(part, BODY_LOOKS[part].colour), np.uint8) for part in ("eyes", *EYE_PARTS)]
    painted = paint_eyes(textures.base_colour_srgb, body.quads[eyes], body.uvs[eyes], directions, *colours)
    return replace(textures, base_colour_srgb=painted)


def _eyes(photos: Sequence[tuple[Sighting, BodyFit]], views: Sequence[View]) -> dict[str, np.ndarray]:
    """The colour of the irises, from the first photo that shows it; empty where none does."""
    for (sighting, _), view in zip(photos, views, strict=True):
        points = sighting.predictions.keypoints
        if points is not None and sighting.person < len(points):
            tone = iris_tone(view, points[sighting.person])
            if tone is not None:
                return {"irises": tone}
    return {}
