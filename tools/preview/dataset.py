"""Batches from the shards that `generate` writes, with mirroring and changes of colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sapiens2_avatar.core.common.landmarks import keypoint_swap, part_swap

from .render import SAMPLE, WIDTH


class Shards:
    """Random access to all samples of a folder; `refresh` picks up new files."""

    def __init__(self, folder: Path, skip: int = 0):
        """skip: that many first shards are held out."""
        self.folder, self.skip, self.files = folder, skip, {}
        self.refresh()

    def refresh(self) -> None:
        for path in sorted(self.folder.glob("*.npy"))[self.skip :]:
            if path not in self.files:
                self.files[path] = np.load(path, mmap_mode="r")

    def __len__(self) -> int:
        return sum(map(len, self.files.values()))

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """(count,) random samples."""
        shards = list(self.files.values())
        out = np.empty(count, SAMPLE)
        for i in range(count):
            shard = shards[rng.integers(len(shards))]
            out[i] = shard[rng.integers(len(shard))]
        return out


def mirror(samples: np.ndarray) -> np.ndarray:
    """Samples of the mirrored photos: left and right change places."""
    out = samples.copy()
    for name in ("image", "albedo", "depth"):
        out[name] = samples[name][:, :, ::-1]
    out["seg"] = part_swap()[samples["seg"][:, :, ::-1]]
    out["normal"] = samples["normal"][:, :, ::-1] * np.array([-1, 1, 1], np.int8)
    out["keypoints"] = samples["keypoints"][:, keypoint_swap()]
    out["keypoints"][..., 0] = WIDTH - 1 - out["keypoints"][..., 0]
    out["intrinsics"][:, 0, 2] = WIDTH - 1 - samples["intrinsics"][:, 0, 2]
    return out


def recolour(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    """(B, H, W, 3) uint8 with other brightness, contrast and white balance; black bars stay black."""
    n = len(images)
    gain = rng.uniform(0.75, 1.25, (n, 1, 1, 1)) * rng.uniform(0.9, 1.1, (n, 1, 1, 3))
    gamma = rng.uniform(0.8, 1.25, (n, 1, 1, 1))
    return np.clip((images / 255.0) ** gamma * gain * 255, 0, 255).astype(np.uint8)


def to_batch(samples: np.ndarray, device: str = "cpu") -> dict[str, torch.Tensor]:
    """Tensors of the network's targets. pointmap is canonical (metres * input width / fx), scale = input width / fx."""
    depth, K = samples["depth"].astype(np.float32), samples["intrinsics"].astype(np.float32)
    height, width = depth.shape[1:]
    scale = width / K[:, 0, 0]
    x = (np.arange(width)[None] - K[:, 0, 2:3]) / K[:, 0, :1]
    y = (np.arange(height)[None] - K[:, 1, 2:3]) / K[:, 1, 1:2]
    z = depth * scale[:, None, None]
    points = np.stack([z * x[:, None, :], z * y[:, :, None], z], 1).astype(np.float32)
    arrays = {
        "image": samples["image"],
        "seg": samples["seg"].astype(np.int64),
        "keypoints": samples["keypoints"].copy(),
        "scale": scale.astype(np.float32),
        "pose": samples["pose"].astype(np.float32),
        "pointmap": points,
        "mask": (depth > 0)[:, None].astype(np.float32),
        "normal": (samples["normal"].astype(np.float32) / 127).transpose(0, 3, 1, 2),
        "albedo": (samples["albedo"].astype(np.float32) / 255).transpose(0, 3, 1, 2),
    }
    return {k: torch.from_numpy(np.ascontiguousarray(v)).to(device) for k, v in arrays.items()}


def half_size(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The batch at half the resolution: the picture averaged, the maps sampled. Canonical points and scale stay the same."""
    out = dict(batch)
    images = batch["image"].permute(0, 3, 1, 2).float()
    out["image"] = torch.nn.functional.avg_pool2d(images, 2).permute(0, 2, 3, 1)
    for name in ("seg", "mask", "pointmap", "normal", "albedo"):
        out[name] = batch[name][..., ::2, ::2].contiguous()
    out["keypoints"] = batch["keypoints"].clone()
    out["keypoints"][..., :2] = batch["keypoints"][..., :2] / 2 - 0.25
    return out
