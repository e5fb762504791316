"""From maps to textures: base colour, opacity, surface detail, in the photo's own projection and at its resolution."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..common.arrays import MeshData, Textures
from ..common.colour import byte_image, linear_from_srgb, srgb_bytes_from_linear
from ..common.errors import SapiensError
from ..common.memo import Memo, digest
from ..common.predictions import Predictions
from ..surface.materials import roughness_of_label
from .delight import delight
from .detail_transfer import add_detail
from .foreground import foreground
from .inpaint import fill_texture, nearest_index
from .settings import TextureSettings
from .tangent_maps import displacement, tangent_normal_map
from .uv_atlas import atlas_sampler, unwelded

if TYPE_CHECKING:
    from ..surface.scan import Surface

CLEAR_HIGHLIGHT = 0.15
"""White light beyond the surroundings, as a share of a white surface, that counts as a full highlight."""
STRONGEST_HINT = 0.4
"""Share of the roughness that a full highlight takes away."""
FAR = 16
"""Texels beyond the gutter that still take their colour from the person; farther out only mip maps look."""


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
    box = _box(mask, gutter + FAR)

    def base_colour() -> tuple[np.ndarray, str, np.ndarray | None]:
        return _base_colour(predictions, surface, settings, box, gutter)

    if memo is None:
        colour, source, highlight = base_colour()
    else:
        maps = predictions.image, predictions.albedo, predictions.alpha, predictions.pointmap
        key = digest(*maps, mask, surface.labels, surface.normal, f"{surface.camera}{settings}")
        colour, source, highlight = memo.get(("base colour", key), base_colour)
    roughness = None
    if highlight is not None:
        labels = _labels(surface, box)
        roughness = _framed(roughness_map(labels, highlight), mask.shape, box)
    alpha = mask * np.uint8(255)
    if predictions.alpha is not None:
        alpha = np.where(mask, predictions.alpha, np.uint8(0))
    return Textures(
        base_colour_srgb=_framed(colour, mask.shape, box),
        colour_source=source,
        mask=alpha,
        normal_tangent=tangent_normal_map(surface.mesh, surface.normal, mask) if settings.normal_map else None,
        roughness=roughness,
        displacement=_displacement(surface) if settings.displacement else None,
    )


Box = tuple[slice, slice]


def _base_colour(
    predictions: Predictions, surface: Surface, settings: TextureSettings, box: Box, gutter: int
) -> tuple[np.ndarray, str, np.ndarray | None]:
    """In the box: the base colour (h, w, 3) uint8 sRGB, where it comes from,
    and the highlights (h, w) float32 if they were found."""
    labels = _labels(surface, box)
    source = colour_source(predictions, settings.colour)
    image = np.ascontiguousarray(predictions.image[box])
    if source == "albedo" and predictions.albedo is not None:
        sharp = add_detail(np.ascontiguousarray(predictions.albedo[box]), image, surface.mask[box])
        return byte_image(foreground(sharp, None, labels, gutter)), source, None
    photo, alpha = linear_from_srgb(image), None if predictions.alpha is None else predictions.alpha[box]
    if source == "delighted":
        camera = surface.camera
        top, left = box[0].start, box[1].start
        seen = replace(camera, width=labels.shape[1], height=labels.shape[0], cx=camera.cx - left, cy=camera.cy - top)
        clean = foreground(photo, alpha, labels)
        # The depth as predicted: its shadows are as good as those of the refined one, and light does not change with a slider.
        depth = surface.depth[box] if predictions.pointmap is None else predictions.pointmap[box][..., 2].astype(np.float32)
        found = delight(clean, labels, surface.normal[box], depth, seen, settings.delight)
        if found is not None:
            filled = fill_texture(found.albedo_linear, _trust(labels > 0), labels, gutter)
            return srgb_bytes_from_linear(filled), source, found.highlight
    return srgb_bytes_from_linear(foreground(photo, alpha, labels, gutter)), "photo", None


def _box(mask: np.ndarray, margin: int) -> Box:
    """The rows and columns of the mask, and a margin around them: what textures are made of."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    low, high = np.array([rows[0], columns[0]]) - margin, np.array([rows[-1], columns[-1]]) + margin + 1
    low, high = np.maximum(low, 0).tolist(), np.minimum(high, mask.shape).tolist()
    return slice(low[0], high[0]), slice(low[1], high[1])


def _labels(surface: Surface, box: Box) -> np.ndarray:
    """(h, w) uint8: body parts in the box, 0 = not the person."""
    return np.where(surface.mask[box], np.maximum(surface.labels[box], 1), 0).astype(np.uint8)


def _framed(image: np.ndarray, shape: tuple[int, ...], box: Box) -> np.ndarray:
    """What was made in the box as an image of the whole (H, W) photo; beyond the box it goes on as at its border."""
    import cv2

    rows, columns = box
    margins = rows.start, shape[0] - rows.stop, columns.start, shape[1] - columns.stop
    return cv2.copyMakeBorder(image, *margins, cv2.BORDER_REPLICATE) if any(margins) else image


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


def colour_source(predictions: Predictions, wanted: str = "auto") -> str:
    """Which map the base colour comes from: "albedo", "delighted" or "photo"; SapiensError if the wanted one has no maps."""
    if wanted == "albedo" and predictions.albedo is None:
        raise SapiensError("These predictions have no albedo map.", "Choose another base colour, or predict albedo.")
    if wanted == "delighted" and predictions.normal is None:
        raise SapiensError("These predictions have no normal map to delight the photo with.", "Choose another base colour.")
    if wanted != "auto":
        return wanted
    if predictions.albedo is not None:
        return "albedo"
    return "photo" if predictions.normal is None else "delighted"


def roughness_map(labels: np.ndarray, highlight: np.ndarray) -> np.ndarray:
    """(H, W) uint8, 255 = fully rough: the roughness of each part's material, less where a highlight was seen.

    labels (H, W) uint8, continued around the person so that borders do not shine; highlight (H, W) float32 as from
    `core.texture.delight`. It is a hint: one photo shows gloss only where it happens to mirror a light.
    """
    import cv2

    part = labels.ravel()[nearest_index(labels > 0)] if (labels > 0).any() else labels
    base = cv2.GaussianBlur(roughness_of_label()[part], (0, 0), 1.0)
    seen = np.clip(cv2.GaussianBlur(highlight, (0, 0), 2.0) / CLEAR_HIGHLIGHT, 0, 1)
    return byte_image(255 * base * (1 - STRONGEST_HINT * seen * seen * (3 - 2 * seen)))


def _trust(mask: np.ndarray) -> np.ndarray:
    """(H, W) float32: how far the quotient of photo and light is to be believed: at the border normals are a guess."""
    import cv2

    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    return np.clip((inside - 0.5) / 2, 0.2, 1) * mask
