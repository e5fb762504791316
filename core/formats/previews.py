"""The maps as pictures for people: what the panels show small and the image editor large, and the boxes around who is in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common.atomic_files import atomic_write
from ..common.landmarks import part_colours

if TYPE_CHECKING:
    from ..common.predictions import Predictions

MAPS = ("photo", "normal", "depth", "parts", "albedo", "pose")
SIZE = 256
"""Pixels of the longer side of a preview."""


def picture(predictions: Predictions, name: str) -> np.ndarray | None:
    """(H, W, 3) uint8 sRGB picture of one of `MAPS`, None when the predictions do not hold it.

    normal  (n + 1) / 2 in the axes of the normal head
    depth   near is light, far is dark, from the 1st to the 99th percentile of the person
    parts   the colours of data/seg29.json over the photo
    pose    the keypoints that were seen, over a darkened photo
    """
    if name == "photo":
        return predictions.image
    if name == "normal" and predictions.normal is not None:
        shown = np.clip((predictions.normal.astype(np.float32) + 1) * 127.5, 0, 255)
        return np.where(np.abs(predictions.normal).sum(-1, keepdims=True) > 0, shown, 0).astype(np.uint8)
    if name == "depth" and predictions.pointmap is not None:
        return _depth(predictions)
    if name == "parts" and predictions.seg is not None:
        mixed = predictions.image * 0.35 + part_colours()[np.minimum(predictions.seg, 28)] * 0.65
        return np.where(predictions.seg[..., None] > 0, mixed, predictions.image * 0.35).astype(np.uint8)
    if name == "albedo" and predictions.albedo is not None:
        return predictions.albedo
    if name == "pose" and predictions.keypoints is not None:
        return _pose(predictions)
    return None


def _depth(predictions: Predictions) -> np.ndarray:
    """(H, W, 3) uint8: grey, the nearer the lighter; black where there is nobody."""
    assert predictions.pointmap is not None
    z = predictions.pointmap[..., 2].astype(np.float32)
    valid = np.isfinite(z) & (z > 0)
    if predictions.seg is not None:
        valid &= predictions.seg > 0
    if not valid.any():
        return np.zeros((*z.shape, 3), np.uint8)
    near, far = np.percentile(z[valid], (1, 99))
    light = np.clip((far - z) / max(far - near, 1e-6), 0, 1) * 215 + 40
    return np.repeat(np.where(valid, light, 0).astype(np.uint8)[..., None], 3, axis=-1)


def _pose(predictions: Predictions) -> np.ndarray:
    """(H, W, 3) uint8: a square of three (body) or one pixel in 256 for each keypoint with a score over 0.3."""
    assert predictions.keypoints is not None
    shown = (predictions.image * 0.45).astype(np.uint8)
    height, width = shown.shape[:2]
    radius = max(1, max(height, width) // 256)
    for keypoints in predictions.keypoints:
        for members, reach, colour in ((slice(70, 308), radius // 2, (90, 200, 255)), (slice(0, 70), radius, (255, 190, 60))):
            seen = keypoints[members]
            seen = seen[(seen[:, 2] > 0.3) & np.isfinite(seen).all(1)]
            x, y = np.rint(seen[:, 0]).astype(int), np.rint(seen[:, 1]).astype(int)
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    inside = (x + dx >= 0) & (x + dx < width) & (y + dy >= 0) & (y + dy < height)
                    shown[y[inside] + dy, x[inside] + dx] = colour
    return shown


def paint_boxes(picture: np.ndarray, boxes: np.ndarray, used: np.ndarray) -> np.ndarray:
    """A picture with frames around people.

    picture  (H, W, C) float, the first row on top
    boxes    (N, 4) x1, y1, x2, y2 as fractions of width and height
    used     (N,) bool: white-blue for those that will be made, dark for the others

    Returns a new array.
    """
    painted = picture.copy()
    height, width = picture.shape[:2]
    line = max(1, round(max(height, width) / 90))
    for (x1, y1, x2, y2), use in sorted(zip(boxes, used, strict=True), key=lambda pair: bool(pair[1])):
        colour = (0.28, 0.62, 1.0) if use else (0.12, 0.12, 0.12)
        left, right = np.clip((round(x1 * width), round(x2 * width)), 0, width).astype(int)
        top, bottom = np.clip((round(y1 * height), round(y2 * height)), 0, height).astype(int)
        inside = painted[top:bottom, left:right, :3]
        for edge in (inside[:line], inside[-line:], inside[:, :line], inside[:, -line:]):
            edge[...] = colour
    return painted


def write_previews(predictions: Predictions, folder: Path) -> dict[str, Path]:
    """A PNG of at most `SIZE` pixels for each map that there is. Needs Pillow."""
    from PIL import Image

    made = {}
    for name in MAPS:
        full = picture(predictions, name)
        if full is None:
            continue
        small = Image.fromarray(full)
        small.thumbnail((SIZE, SIZE))
        made[name] = folder / f"{name}.png"
        with atomic_write(made[name]) as file:
            small.save(file, "PNG")
    return made
