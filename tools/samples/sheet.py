"""Samples to look at: photo, albedo, normals, depth, parts with keypoints, alpha, side by side."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from sapiens2_avatar.core.common.landmarks import part_colours


def row(maps: dict[str, np.ndarray]) -> np.ndarray:
    """(H, 6 W, 3) uint8 picture of one sample's maps. Keypoints: white = visible, red = hidden."""
    mask = maps["seg"] > 0
    normal = np.where(mask[..., None], (maps["normal"].astype(np.float32) * 0.5 + 0.5) * 255, 0).astype(np.uint8)
    z = maps["pointmap"][..., 2].astype(np.float32)
    near, far = np.percentile(z[mask], (1, 99))
    share = np.clip((far - z) / max(far - near, 1e-6), 0, 1)
    depth = np.where(mask[..., None], cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1], 0)
    parts = part_colours()[maps["seg"]].copy()
    x, y, score = maps["keypoints"].reshape(-1, 3).T
    column, line = np.round(x).astype(int), np.round(y).astype(int)
    for chosen, colour in (((score > 0) & (score <= 0.5), (255, 0, 0)), (score > 0.5, (255, 255, 255))):
        inside = chosen & (column >= 0) & (column < z.shape[1]) & (line >= 0) & (line < z.shape[0])
        parts[line[inside], column[inside]] = colour
    alpha = np.repeat(maps["alpha"][..., None], 3, 2)
    return np.concatenate([maps["image"], maps["albedo"], normal, depth.astype(np.uint8), parts, alpha], 1)


def stacked(rows: list[np.ndarray]) -> Image.Image:
    """Rows below each other, black where one is shorter."""
    width = max(r.shape[1] for r in rows)
    return Image.fromarray(np.concatenate([np.pad(r, ((0, 4), (0, width - r.shape[1]), (0, 0))) for r in rows]))
