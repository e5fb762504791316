"""From raw network outputs to the maps of a photo. Formulas: Sapiens2's published post-processing; DARK and UDP for keypoints."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from .preprocess import Letterbox, PoseWindow, upsample, upsample_inside, upsampled_strips

BLUR_KERNEL = 11
BLUR_SIGMA = 2.0


def decode_seg(logits: torch.Tensor, height: int, width: int, together: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Logits (1, 29, h, w) -> labels (height, width) uint8 and foreground probability (height, width) uint8, 255 = certain.

    The logits are upsampled, not the labels: borders between parts are smooth in the photo. The label is the likeliest class;
    with `together` it is the likeliest part wherever all parts together are likelier than the background, though each alone may
    not be: an unsure network has fewer holes so.
    """
    labels, foreground = np.empty((height, width), np.uint8), np.empty((height, width), np.uint8)
    for start, strip in upsampled_strips(logits, height, width):
        rows = slice(start, start + strip.shape[1])
        # One class at a time: argmax and logsumexp over the first axis are several times slower on the CPU.
        best, label = strip[1].clone(), torch.ones_like(strip[1], dtype=torch.uint8)
        for index in range(2, len(strip)):
            better = strip[index] > best
            label.masked_fill_(better, index)
            torch.maximum(best, strip[index], out=best)
        parts = torch.zeros_like(best)
        for logit in strip[1:]:
            parts += (logit - best).exp_()
        likelihood = torch.sigmoid(best + parts.log_() - strip[0])
        label.masked_fill_(likelihood <= 0.5 if together else strip[0] >= best, 0)
        labels[rows] = label.numpy()
        foreground[rows] = (likelihood * 255 + 0.5).to(torch.uint8).numpy()
    return labels, foreground


def _to_photo(maps: torch.Tensor, frame: Letterbox, inside: torch.Tensor | None) -> torch.Tensor:
    """(1, C, h, w) on the network grid -> (C, H, W). `inside` (1, 1, h', w') bool: the cells between the bars that count."""
    maps = frame.crop(maps)
    if inside is None:
        return upsample(maps, frame.height, frame.width)[0]
    return upsample_inside(maps, inside & maps.isfinite().all(1, keepdim=True), frame.height, frame.width)[0]


def decode_normal(raw: torch.Tensor, frame: Letterbox, inside: torch.Tensor | None = None) -> torch.Tensor:
    """Raw normals (1, 3, h, w) -> (3, H, W) float32 in the axes of the normal head; unit on the network grid only."""
    unit = raw.float() / raw.float().norm(dim=1, keepdim=True).clamp_min(1e-8)
    return _to_photo(unit, frame, inside)


def decode_pointmap(
    raw: torch.Tensor, focal_scale: torch.Tensor | float, frame: Letterbox, inside: torch.Tensor | None = None
) -> torch.Tensor:
    """Canonical points (1, 3, h, w) and focal_scale = 768 / fx -> metric points (3, H, W) float32, camera space."""
    return _to_photo(raw.float() / float(focal_scale), frame, inside)


def decode_albedo(raw: torch.Tensor, frame: Letterbox, inside: torch.Tensor | None = None) -> torch.Tensor:
    """Raw albedo (1, 3, h, w) -> (3, H, W) float32 sRGB in [0, 1]."""
    return _to_photo(raw.float().clamp(0, 1), frame, inside)


def decode_matting(foreground: torch.Tensor, alpha: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pre-multiplied foreground (1, 3, h, w) and alpha (1, 1, h, w) -> (3, height, width) and (height, width), in [0, 1]."""
    maps = upsample(torch.cat([foreground, alpha], 1), height, width)[0].clamp(0, 1)
    return maps[:3], maps[3]


def mirrored_heatmaps(heatmaps: torch.Tensor, swap: np.ndarray) -> torch.Tensor:
    """Heatmaps (N, K, h, w) of the mirrored crop -> those of the crop: mirrored back, left and right exchanged."""
    return heatmaps.flip(-1)[:, torch.as_tensor(swap)]


def decode_heatmaps(heatmaps: torch.Tensor, window: PoseWindow) -> np.ndarray:
    """Heatmaps (K, h, w) -> keypoints (K, 3) float32: x, y in photo pixels, and the score (the heatmap's maximum).

    Sub-pixel position: one Newton step on the logarithm of the blurred heatmap (DARK, Zhang et al. 2020; UDP, Huang et al.
    2020). A heatmap that is nowhere positive gives heatmap position (-1, -1), just outside the window.
    """
    heatmaps = heatmaps.float()
    _, height, width = heatmaps.shape
    score, index = heatmaps.flatten(1).max(1)
    # max() does not promise which of equal maxima it returns: take the first.
    index = (heatmaps.flatten(1) == score[:, None]).int().argmax(1)
    peaks = torch.stack([index % width, index // width], 1).double().numpy()
    step = _newton_step(heatmaps, score, index)
    seen = score.numpy() > 0
    location = np.where(seen[:, None], peaks - step, -1.0)
    points = window.points(location / np.array([width - 1, height - 1]))
    return np.concatenate([points, score.numpy()[:, None]], 1).astype(np.float32)


def _newton_step(heatmaps: torch.Tensor, score: torch.Tensor, index: torch.Tensor) -> np.ndarray:
    """(K, 2) float64: inverse Hessian times gradient of log(blurred heatmap) at the peaks, heatmap pixels."""
    count, height, width = heatmaps.shape
    offsets = torch.arange(BLUR_KERNEL) - BLUR_KERNEL // 2
    kernel = torch.exp(-(offsets.double() ** 2) / (2 * BLUR_SIGMA**2))
    kernel = (kernel / kernel.sum()).float()
    pad = BLUR_KERNEL // 2
    blurred = functional.conv2d(heatmaps[:, None], kernel.view(1, 1, 1, -1), padding=(0, pad))
    blurred = functional.conv2d(blurred, kernel.view(1, 1, -1, 1), padding=(pad, 0))[:, 0]
    top = blurred.flatten(1).amax(1)
    factor = torch.where(top > 0, score / top.clamp_min(torch.finfo(torch.float32).tiny), torch.ones_like(top))
    y, x = index // width, index % width
    rows = (y[:, None] + torch.tensor([-1, 0, 1])).clamp(0, height - 1)
    columns = (x[:, None] + torch.tensor([-1, 0, 1])).clamp(0, width - 1)
    around = blurred[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]] * factor[:, None, None]
    f = np.log(np.clip(around.double().numpy(), 1e-3, 50))  # (K, y, x)
    gradient = np.stack([f[:, 1, 2] - f[:, 1, 0], f[:, 2, 1] - f[:, 0, 1]], 1) / 2
    tiny = float(np.finfo(np.float32).eps)
    dxx = f[:, 1, 2] - 2 * f[:, 1, 1] + f[:, 1, 0] + tiny
    dyy = f[:, 2, 1] - 2 * f[:, 1, 1] + f[:, 0, 1] + tiny
    dxy = (f[:, 2, 2] - f[:, 1, 2] - f[:, 2, 1] + 2 * f[:, 1, 1] - f[:, 1, 0] - f[:, 0, 1] + f[:, 0, 0]) / 2
    determinant = dxx * dyy - dxy**2
    determinant = np.where(np.abs(determinant) < 1e-12, np.inf, determinant)  # a flat peak stays where it is
    return (
        np.stack([dyy * gradient[:, 0] - dxy * gradient[:, 1], dxx * gradient[:, 1] - dxy * gradient[:, 0]], 1)
        / determinant[:, None]
    )
