"""From maps to textures: base colour, opacity, surface detail, in the photo's own projection and at its resolution."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..common.arrays import MeshData, Textures
from ..common.errors import SapiensError
from ..common.memo import Memo, digest
from ..common.predictions import Predictions
from .base_colour import FAR, base_colour, framed, labels_in, person_box
from .inpaint import nearest_index
from .roughness import roughness_map
from .settings import TextureSettings
from .tangent_maps import displacement, tangent_normal_map
from .uv_atlas import atlas_sampler, unwelded

if TYPE_CHECKING:
    from ..surface.scan import Surface


def make_textures(
    predictions: Predictions, surface: Surface, settings: TextureSettings | None = None, memo: Memo | None = None
) -> Textures:
    """Textures of one scanned person.

    predictions  the maps of the photo
    surface      that person's surface from `core.surface.scan.make_mesh`: mask, labels, depth, normal and mesh
    memo         the base colour is taken from here where nothing that it depends on has changed

    Returns `Textures` of the size of the photo; nothing in them comes from outside of the person.
    """
    settings = settings or TextureSettings()
    mask = surface.mask
    gutter = settings.gutter or max(4, max(mask.shape) // 256)
    box = person_box(mask, gutter + FAR)

    def made() -> tuple[np.ndarray, str, np.ndarray | None]:
        return base_colour(predictions, surface, settings, box, gutter)

    if memo is None:
        colour, source, highlight = made()
    else:
        maps = predictions.image, predictions.albedo, predictions.alpha, predictions.pointmap
        key = digest(*maps, mask, surface.labels, surface.normal, f"{surface.camera}{settings}")
        colour, source, highlight = memo.get(("base colour", key), made)
    roughness = None
    if highlight is not None:
        labels = labels_in(surface, box)
        roughness = framed(roughness_map(labels, highlight), mask.shape, box)
    alpha = mask * np.uint8(255)
    if predictions.alpha is not None:
        alpha = np.where(mask, predictions.alpha, np.uint8(0))
    return Textures(
        base_colour_srgb=framed(colour, mask.shape, box),
        colour_source=source,
        mask=alpha,
        normal_tangent=tangent_normal_map(surface.mesh, surface.normal, mask) if settings.normal_map else None,
        roughness=roughness,
        displacement=_displacement(surface) if settings.displacement else None,
    )


def _displacement(surface: Surface) -> np.ndarray:
    """(H, W) float32 metres; off the mesh those of the nearest texel on it, so that no filter mixes in a step at the border."""
    metres = displacement(surface)
    near = nearest_index(surface.mask)
    return metres.ravel()[near] if surface.mask.any() else metres


def bake_textures(textures: Textures, normal: np.ndarray, mesh: MeshData, settings: TextureSettings) -> Textures:
    """Textures in the photo's projection resampled to the atlas of `mesh`, squares of `settings.bake` texels.

    normal  (H, W, 3) float32 camera space, 0 = unknown: what the normal map is made of anew,
            since its frame turns with the charts
    """
    if mesh.atlas is None:
        raise SapiensError("The mesh has no atlas to bake into.", "Make one with core.texture.uv_atlas.make_atlas.")
    sample = atlas_sampler(mesh, mesh.atlas, settings.bake)

    def baked(image: np.ndarray | None) -> np.ndarray | None:
        return None if image is None else sample(image)

    detail = None
    if settings.normal_map:
        wanted = sample(normal)
        length = np.linalg.norm(wanted, axis=-1, keepdims=True)
        wanted /= np.maximum(length, 1e-6)
        detail = tangent_normal_map(unwelded(mesh, mesh.atlas), wanted, length[..., 0] > 0.5)
    return replace(
        textures,
        base_colour_srgb=sample(textures.base_colour_srgb),
        mask=sample(textures.mask),
        roughness=baked(textures.roughness),
        displacement=baked(textures.displacement),
        normal_tangent=detail,
        layout="atlas",
    )
