"""From maps to textures: base colour, opacity, surface detail, in the photo's own projection and at its resolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .colour import byte_image, linear_from_srgb, srgb_from_linear
from .data import Predictions, Textures
from .detail import add_detail
from .errors import SapiensError
from .matte import foreground

if TYPE_CHECKING:
    from .scan import Surface


@dataclass(frozen=True)
class TextureSettings:
    """How textures are made.

    colour   "auto" = the best there is; "albedo", "delighted" or "photo" = that one
    gutter   texels of the nearest part's colour around the person; 0 = by size of the texture
    """

    colour: str = "auto"
    gutter: int = 0

    def __post_init__(self):
        if self.colour not in ("auto", "albedo", "delighted", "photo"):
            raise SapiensError(f"Unknown base colour {self.colour!r}.", "Choose auto, albedo, delighted or photo.")
        if self.gutter < 0:
            raise SapiensError(f"The gutter must be 0 or more texels, not {self.gutter}.", "Use 0 to choose by size.")


def make_textures(predictions: Predictions, surface: Surface, settings: TextureSettings | None = None) -> Textures:
    """Textures of one scanned person.

    predictions  the maps of the photo
    surface      that person's surface from `core.scan.make_mesh`: mask, labels, depth, normal and mesh

    Returns `Textures` of the size of the photo; nothing in them comes from outside of the person.
    """
    settings = settings or TextureSettings()
    mask = surface.mask
    labels = np.where(mask, np.maximum(surface.labels, 1), 0).astype(np.uint8)
    source = colour_source(predictions, settings.colour)
    gutter = settings.gutter or max(4, max(mask.shape) // 256)
    if source == "albedo":
        sharp = add_detail(predictions.albedo, predictions.image, mask)
        colour = foreground(sharp, None, labels, gutter)
    else:
        colour = srgb_from_linear(foreground(linear_from_srgb(predictions.image), predictions.alpha, labels, gutter))
    alpha = mask * np.uint8(255)
    if predictions.alpha is not None:
        alpha = np.where(mask, predictions.alpha, 0).astype(np.uint8)
    return Textures(byte_image(colour), source, alpha)


def colour_source(predictions: Predictions, wanted: str = "auto") -> str:
    """Which map the base colour comes from: "albedo", "delighted" or "photo"; SapiensError if the wanted one has no maps."""
    if wanted in ("auto", "albedo") and predictions.albedo is not None:
        return "albedo"
    if wanted == "albedo":
        raise SapiensError("These predictions have no albedo map.", "Choose another base colour, or predict albedo.")
    return "photo"
