"""The base colour of a person in a photo: the albedo map made sharp, or the photo without its light, or the photo.

It is continued around the person, so that nothing of the background is in what is near them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..common.arrays import Camera
from ..common.colour import byte_image, linear_from_srgb, srgb_bytes_from_linear
from ..common.errors import SapiensError
from ..common.predictions import Predictions
from .delight import delight
from .detail_transfer import add_detail
from .foreground import foreground
from .inpaint import fill_texture
from .settings import TextureSettings

if TYPE_CHECKING:
    from ..surface.scan import Surface

FAR = 16
"""Texels beyond the gutter that still take their colour from the person; farther out only mip maps look."""


@dataclass(frozen=True, eq=False)
class SeenPerson:
    """What the maps say about one person, where no mesh was made of them.

    camera  of the photo
    mask    (H, W) bool, the person's pixels
    labels  (H, W) uint8 body parts, 0 = not the person
    normal  (H, W, 3) float32 camera space, unit, towards the camera; 0 = unknown
    depth   (H, W) float32 metres, 0 = unknown
    """

    camera: Camera
    mask: np.ndarray
    labels: np.ndarray
    normal: np.ndarray
    depth: np.ndarray


Box = tuple[slice, slice]


def base_colour(
    predictions: Predictions, surface: Surface | SeenPerson, settings: TextureSettings, box: Box, gutter: int
) -> tuple[np.ndarray, str, np.ndarray | None]:
    """In the box: the base colour (h, w, 3) uint8 sRGB, where it comes from,
    and the highlights (h, w) float32 if they were found."""
    labels = labels_in(surface, box)
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


def person_box(mask: np.ndarray, margin: int) -> Box:
    """The rows and columns of the mask, and a margin around them: what textures are made of."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    low, high = np.array([rows[0], columns[0]]) - margin, np.array([rows[-1], columns[-1]]) + margin + 1
    low, high = np.maximum(low, 0).tolist(), np.minimum(high, mask.shape).tolist()
    return slice(low[0], high[0]), slice(low[1], high[1])


def labels_in(surface: Surface | SeenPerson, box: Box) -> np.ndarray:
    """(h, w) uint8: body parts in the box, 0 = not the person."""
    return np.where(surface.mask[box], np.maximum(surface.labels[box], 1), 0).astype(np.uint8)


def framed(image: np.ndarray, shape: tuple[int, ...], box: Box) -> np.ndarray:
    """What was made in the box as an image of the whole (H, W) photo; beyond the box it goes on as at its border."""
    import cv2

    rows, columns = box
    margins = rows.start, shape[0] - rows.stop, columns.start, shape[1] - columns.stop
    return cv2.copyMakeBorder(image, *margins, cv2.BORDER_REPLICATE) if any(margins) else image


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


def _trust(mask: np.ndarray) -> np.ndarray:
    """(H, W) float32: how far the quotient of photo and light is to be believed: at the border normals are a guess."""
    import cv2

    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    return np.clip((inside - 0.5) / 2, 0.2, 1) * mask
