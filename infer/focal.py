"""The focal length of the photo as the pointmap network sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..core.capture.camera import ASSUMED_FOCAL, CANONICAL_FOCAL, PLAUSIBLE, fit_rays, focal_in_pixels
from ..core.common.predictions import Predictions
from .preprocess import Letterbox
from .windows import Region


@dataclass(frozen=True)
class Focal:
    """A focal length in photo pixels and where it comes from: "scale head", "pointmap", "exif" or "assumed"."""

    pixels: float
    source: str


def region_focal(outputs: dict[str, torch.Tensor], frame: Letterbox, inside: torch.Tensor | None) -> Focal:
    """From the scale head, f = 768 / scale in network pixels; without a plausible one from the points; else assumed."""
    side = max(frame.height, frame.width)
    low, high = (limit * side for limit in PLAUSIBLE)
    if "scale" in outputs:
        scale = float(outputs["scale"])
        pixels = CANONICAL_FOCAL / scale / frame.scale if scale > 0 else math.nan
        if low <= pixels <= high:
            return Focal(pixels, "scale head")
    pixels = focal_from_points(frame.crop(outputs["pointmap"])[0], inside) / frame.scale
    return Focal(pixels, "pointmap") if low <= pixels <= high else Focal(ASSUMED_FOCAL * side, "assumed")


def focal_from_points(points: torch.Tensor, inside: torch.Tensor | None) -> float:
    """Focal length, cells, of the camera that sees points (3, h, w) at their cells; nan where they do not tell."""
    height, width = points.shape[1:]
    grid = np.broadcast_to(np.uint8(0), (height, width, 3))
    mask = None if inside is None else inside[0, 0].numpy().astype(np.uint8)
    fitted = fit_rays(Predictions(grid, pointmap=points.float().permute(1, 2, 0).numpy(), seg=mask))
    return fitted.fx if fitted else math.nan


def choose_focal(estimates: dict[Region, Focal], people: list[int], height: int, width: int, focal_35mm: float | None) -> Focal:
    """The one focal length of the photo: seen as a whole if it was; else of the lens (EXIF); else the median of the windows.

    estimates  region -> focal length; people  how many are seen through each region
    """
    whole = estimates.get(Region.whole(height, width))
    if whole is not None:
        return whole
    if focal_35mm:
        return Focal(focal_in_pixels(focal_35mm, width, height), "exif")
    ranked = sorted(zip(estimates.values(), people, strict=True), key=lambda pair: pair[0].pixels)
    half, seen = sum(people) / 2, 0
    for focal, count in ranked:
        seen += count
        if seen >= half:
            return focal
    return Focal(ASSUMED_FOCAL * max(height, width), "assumed")
