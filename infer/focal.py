"""The focal length of the photo as the pointmap network sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from .decode import CANONICAL_FOCAL
from .processing import Letterbox
from .regions import Region

ASSUMED = 1.2
"""Of the longer side: between a portrait lens and a phone, when nothing says more."""
PLAUSIBLE = (0.2, 20.0)
"""Focal lengths, of the longer side of the region, outside of which an estimate is no estimate."""


@dataclass(frozen=True)
class Focal:
    """A focal length in photo pixels and where it comes from: "scale head", "pointmap", "exif" or "assumed"."""

    pixels: float
    source: str


def region_focal(outputs: dict[str, torch.Tensor], frame: Letterbox, inside: torch.Tensor | None) -> Focal:
    """From the scale head, f = 768 / scale in network pixels; without a plausible one from the points themselves; else assumed."""
    side = max(frame.height, frame.width)
    low, high = (limit * side for limit in PLAUSIBLE)
    if "scale" in outputs:
        scale = float(outputs["scale"])
        pixels = CANONICAL_FOCAL / scale / frame.scale if scale > 0 else math.nan
        if low <= pixels <= high:
            return Focal(pixels, "scale head")
    pixels = focal_from_points(frame.crop(outputs["pointmap"])[0], inside) / frame.scale
    return Focal(pixels, "pointmap") if low <= pixels <= high else Focal(ASSUMED * side, "assumed")


def focal_from_points(points: torch.Tensor, inside: torch.Tensor | None) -> float:
    """Focal length, cells, of a camera with a centred principal point that sees points (3, h, w) at their cells; nan if there is none.

    u - cx = f X / Z and v - cy = f Y / Z: a regression through the origin, twice more without the worst tenth.
    """
    height, width = points.shape[1:]
    x, y, z = points.double().numpy().reshape(3, -1)
    v, u = np.divmod(np.arange(height * width), width)
    good = np.isfinite(x + y + z) & (z > 1e-6)
    if inside is not None:
        good &= inside.numpy().ravel()
    if good.sum() < 16:
        return math.nan
    ray = np.concatenate([x[good] / z[good], y[good] / z[good]])
    pixel = np.concatenate([u[good] - (width - 1) / 2, v[good] - (height - 1) / 2])
    keep = np.ones(len(ray), bool)
    focal = math.nan
    for _ in range(3):
        power = float(ray[keep] @ ray[keep])
        if power <= 0:
            return math.nan
        focal = float(ray[keep] @ pixel[keep]) / power
        residual = np.abs(pixel - focal * ray)
        keep = residual <= np.quantile(residual, 0.9)
    return focal


def choose_focal(estimates: dict[Region, Focal], people: list[int], height: int, width: int, focal_35mm: float | None) -> Focal:
    """The one focal length of the photo: seen as a whole if it was; else of the lens (EXIF); else the median of the windows.

    estimates  region -> focal length; people  how many are seen through each region
    """
    whole = estimates.get(Region.whole(height, width))
    if whole is not None:
        return whole
    if focal_35mm:
        return Focal(focal_35mm / 36 * max(height, width), "exif")
    ranked = sorted(zip(estimates.values(), people, strict=True), key=lambda pair: pair[0].pixels)
    half, seen = sum(people) / 2, 0
    for focal, count in ranked:
        seen += count
        if seen >= half:
            return focal
    return Focal(ASSUMED * max(height, width), "assumed")
