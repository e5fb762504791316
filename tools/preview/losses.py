"""Targets and losses of the five tasks. All tensors are B x ...; the dense ones count only inside the person."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name torch's own documentation uses

from .network import HEATMAP_SIGMA

WEIGHTS = {"pose": 1.0, "seg": 1.0, "normal": 1.0, "pointmap": 4.0, "scale": 0.5, "albedo": 2.0}
# Small classes count for more, none for more than six background pixels.
SEG_WEIGHTS = torch.full((29,), 2.0)
SEG_WEIGHTS[0] = 1.0
SEG_WEIGHTS[torch.tensor([5, 6, 9, 10, 14, 15, 18, 19])] = 3.0
SEG_WEIGHTS[24:] = 4.0
# Body and foot joints steer the rig; 238 of the 308 points share one face.
POINT_WEIGHTS = torch.full((308,), 1.0)
POINT_WEIGHTS[:21], POINT_WEIGHTS[[41, 62]], POINT_WEIGHTS[21:63], POINT_WEIGHTS[63:70] = 5.0, 5.0, 2.0, 3.0
POINT_WEIGHTS[[41, 62]] = 5.0


def heatmap_targets(keypoints: torch.Tensor, height: int, width: int, input_size: tuple[int, int]) -> torch.Tensor:
    """(B, 308, h, w) Gaussians of peak 1 for points that are seen, 0.6 for hidden ones, nothing for the others.

    keypoints (B, 308, 3) in input pixels; the first and last pixel centres of input and heatmap coincide (UDP).
    """
    x = keypoints[..., 0] * (width - 1) / (input_size[1] - 1)
    y = keypoints[..., 1] * (height - 1) / (input_size[0] - 1)
    peak = torch.where(keypoints[..., 2] >= 1, 1.0, torch.where(keypoints[..., 2] > 0, 0.6, 0.0))
    gx = torch.exp(-((torch.arange(width, device=x.device) - x[..., None]) ** 2) / (2 * HEATMAP_SIGMA**2))
    gy = torch.exp(-((torch.arange(height, device=y.device) - y[..., None]) ** 2) / (2 * HEATMAP_SIGMA**2))
    return peak[..., None, None] * gy[..., :, None] * gx[..., None, :]


def pose_loss(heatmaps: torch.Tensor, keypoints: torch.Tensor, known: torch.Tensor, input_size: tuple[int, int]) -> torch.Tensor:
    """Squared error, more near the points; known (B,) = 1 where all people's keypoints are given."""
    target = heatmap_targets(keypoints, *heatmaps.shape[2:], input_size)
    error = ((heatmaps - target) ** 2 * (1 + 6 * target)).mean((2, 3))
    weight = POINT_WEIGHTS.to(error.device) * known[:, None]
    return 100 * (error * weight).sum() / weight.sum().clamp(min=1)


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of (B, C, H, W) over the pixels of a (B, 1, H, W) mask."""
    return (values * mask).sum() / (mask.sum() * values.shape[1]).clamp(min=1)


def normal_loss(prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """1 - cosine, plus half the absolute error of the unit vectors."""
    unit = F.normalize(prediction, dim=1, eps=1e-6)
    cosine = (unit * target).sum(1, keepdim=True)
    return masked_mean(1 - cosine, mask) + 0.5 * masked_mean((unit - target).abs(), mask)


def pointmap_loss(prediction: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Absolute error, and error of the differences between pixels near and far, relative to the person's canonical depth.

    The differences carry the shape: without those over a distance a body breaks into plateaus. Depth counts most, x and y
    follow from it and the camera.
    """
    depth = (target[:, 2:] * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp(min=1)
    error = (prediction - target) / depth.clamp(min=0.05)[:, None, None, None]
    error = error * torch.tensor([0.3, 0.3, 1.0], device=error.device)[:, None, None]
    total = masked_mean(error.abs(), mask)
    for axis in (2, 3):
        for stride in (1, 4, 16):
            n = error.shape[axis] - stride
            both = mask.narrow(axis, 0, n) * mask.narrow(axis, stride, n)
            step = _change(target[:, 2:], axis, stride).abs() / depth.clamp(min=0.05)[:, None, None, None]
            smooth = both * (step < 0.03 * stride**0.5)
            total = total + 3 / stride**0.5 * masked_mean(_change(error, axis, stride).abs().clamp(max=0.1 * stride**0.5), smooth)
    return total


def _change(values: torch.Tensor, axis: int, stride: int) -> torch.Tensor:
    """Difference between pixels `stride` apart."""
    n = values.shape[axis] - stride
    return values.narrow(axis, stride, n) - values.narrow(axis, 0, n)


def all_losses(out: dict[str, torch.Tensor], batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Unweighted loss per task for the raw outputs of the network."""
    mask = batch["mask"]
    size = mask.shape[2:]
    return {
        "pose": pose_loss(out["heatmaps"], batch["keypoints"], batch["pose"], size),
        "seg": F.cross_entropy(out["logits"], batch["seg"], SEG_WEIGHTS.to(mask.device)),
        "normal": normal_loss(out["normals"], batch["normal"], mask),
        "pointmap": pointmap_loss(out["pointmap"], batch["pointmap"], mask),
        "scale": ((out["scale"].reshape(-1) - batch["scale"]).abs() / batch["scale"]).mean(),
        "albedo": masked_mean((out["albedo"] - batch["albedo"]).abs(), mask),
    }
