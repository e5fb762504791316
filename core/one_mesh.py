"""Body, clothes and hair of an avatar as one mesh with one material and one set of textures, as games want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .common.arrays import SkinWeights
from .common.avatars import BodyData, GarmentData, SurfaceTextures
from .common.looks import BODY_LOOKS, CLOTH, GARMENT_ROUGHNESS, JOINED, PAINTED
from .texture.joined_atlas import Source, joined_atlas

FACE = 2.5
"""Texels per metre of the face against those of the rest."""
REACH = 1.5
"""How far the face goes from its middle, against the way from the eyes to the teeth."""
LEAST_FACE = 100
"""Faces of the mesh that hang together, at least, to be a part of the face."""
ONE_COLOUR = 0.3
"""Texels per metre of what has one colour all over."""
LINING = 0.35
"""Texels per metre of what is seen only where one looks in."""
PLAIN = 512
"""Texels of the side where all surfaces are of one colour."""


def one_mesh(body: BodyData, garments: Sequence[GarmentData], size: int) -> BodyData:
    """A body with its garments joined to it: one part, one material, no overlap of uvs, the same rig and shape keys.

    body, garments  in the same pose
    size            texels of the side of the textures; 0 = there are none yet, so that a small one holds the colours

    Skin that clothes cover is left out. It is no longer the template's mesh, so its shape cannot be changed.
    """
    hidden = np.zeros(len(body.vertices), bool) if body.covered is None else body.covered
    shown = ~hidden[body.quads].any(axis=1)
    sources = _sources(body, shown, garments)
    uvs, textures = joined_atlas(sources, size or PLAIN)
    order = np.concatenate([np.flatnonzero(shown & (body.part == part)) for part in range(len(body.part_names))])
    starts = np.cumsum([len(body.vertices), *(len(garment.vertices) for garment in garments)])
    quads = np.concatenate([body.quads[order], *(g.quads + start for g, start in zip(garments, starts, strict=False))])
    used = np.unique(quads)
    row = np.full(int(starts[-1]), -1, np.int64)
    row[used] = np.arange(len(used))
    kept = row[body.key_entries[:, 1]] >= 0
    entries = np.stack([body.key_entries[kept, 0], row[body.key_entries[kept, 1]]], axis=1)
    return replace(
        body,
        vertices=np.concatenate([body.vertices, *(g.vertices for g in garments)])[used],
        quads=row[quads].astype(np.int32),
        part=np.zeros(len(quads), np.uint8),
        part_names=(JOINED,),
        uvs=uvs,
        weights=_weights([body.weights, *(g.weights for g in garments)], used),
        key_entries=entries.astype(np.int32),
        key_offsets=body.key_offsets[kept],
        covered=None,
        bust=_bust(body, garments, used),
        shape=None,
        textures=textures,
        tones={},
    )


def _sources(body: BodyData, shown: np.ndarray, garments: Sequence[GarmentData]) -> list[Source]:
    """The parts of the body, the shown faces of each, and the garments."""
    face = _face(body)
    out = []
    for number, name in enumerate(body.part_names):
        mine = shown & (body.part == number)
        quads, look = body.quads[mine], BODY_LOOKS[name]
        textures = _textures_of(body, name)
        density = np.where(face[mine], FACE, 1.0) if textures is not None else np.full(len(quads), ONE_COLOUR)
        out.append(
            Source(
                quads,
                body.uvs[mine],
                body.vertices,
                density.astype(np.float32),
                face[mine].astype(np.int32),
                textures,
                np.asarray(body.tones.get(name, look.colour), np.uint8),
                look.roughness,
            )
        )
    for garment in garments:
        density = np.where(garment.inside, LINING, 1.0).astype(np.float32)
        roughness = GARMENT_ROUGHNESS.get(garment.kind, CLOTH)
        group = np.zeros(len(density), np.int32)
        out.append(
            Source(garment.quads, garment.uvs, garment.vertices, density, group, garment.textures, garment.tone, roughness)
        )
    return out


def _textures_of(body: BodyData, part: str) -> SurfaceTextures | None:
    """Those of the skin, and their base colour alone for what is painted with it; None = one colour."""
    if part not in PAINTED or body.textures is None:
        return None
    return body.textures if part == "skin" else SurfaceTextures(body.textures.base_colour_srgb, body.textures.seen)


def _face(body: BodyData) -> np.ndarray:
    """(F,) bool: the skin round eyes and mouth, without holes and crumbs; the inside of the mouth is none of it."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    skin = body.part == body.part_names.index("skin")
    ends = [body.vertices[body.quads[body.part == body.part_names.index(name)]].reshape(-1, 3) for name in ("eyes", "teeth")]
    eyes, teeth = (points.mean(axis=0) for points in ends)
    middle = (eyes + teeth) / 2
    corner = body.vertices[body.quads]
    out_of = np.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
    away = corner.mean(axis=1) - middle
    near = np.linalg.norm(away, axis=1) < REACH * np.linalg.norm(eyes - teeth)
    out = skin & near & ((out_of * away).sum(axis=1) > 0)
    for side in (True, False):
        mine = np.flatnonzero(skin & (out == side))
        links = body.quads[mine][:, [0, 0, 0]].ravel(), body.quads[mine][:, 1:].ravel()
        graph = coo_array((np.ones(len(links[0]), np.int8), links), shape=(len(body.vertices), len(body.vertices)))
        piece = connected_components(graph, directed=False)[1][body.quads[mine, 0]]
        out[mine[np.bincount(piece)[piece] < LEAST_FACE]] = not side
    return out


def _bust(body: BodyData, garments: Sequence[GarmentData], used: np.ndarray) -> np.ndarray | None:
    """Of the vertices `used` of all surfaces in turn; what garments do not say of themselves belongs to the bust."""
    if body.bust is None:
        return None
    ones = [np.ones(len(g.vertices), np.float32) if g.bust is None else g.bust for g in garments]
    return np.concatenate([body.bust, *ones])[used]


def _weights(all_weights: Sequence[SkinWeights], used: np.ndarray) -> SkinWeights:
    """Of the vertices `used` of all surfaces in turn; those with fewer bones than others get empty columns."""
    most = max(weights.bones.shape[1] for weights in all_weights)

    def wide(values: np.ndarray) -> np.ndarray:
        return np.pad(values, ((0, 0), (0, most - values.shape[1])))

    return SkinWeights(
        np.concatenate([wide(weights.bones) for weights in all_weights])[used],
        np.concatenate([wide(weights.weights) for weights in all_weights])[used],
    )
