"""The preview network: the Sapiens2 architecture at a size that a CPU trains in an hour."""

from __future__ import annotations

import torch

from sapiens2_avatar.infer.model.config import BackboneConfig, HeadConfig, Sapiens2Config
from sapiens2_avatar.infer.model.sapiens import Sapiens2

from .render import HEIGHT, WIDTH

MEAN, STD = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
HEATMAP_SIGMA = 2.0


def preview_config() -> Sapiens2Config:
    """256 x 192 input, 16 x 12 tokens of width 160, five heads; about 3 M parameters."""
    shuffle = (64, 32, 16, 8)
    return Sapiens2Config(
        BackboneConfig(width=160, depth=6, heads=5, ffn_width=400, layer_scale=0.5),
        (
            HeadConfig("pose", (96, 64), (96,)),
            HeadConfig("seg", (64, 32, 16, 8), ()),
            HeadConfig("normal", shuffle, ()),
            HeadConfig("pointmap", shuffle, (), scale_convs=(96, 64, 32), scale_hidden=(64, 32)),
            HeadConfig("albedo", shuffle, ()),
        ),
        (HEIGHT, WIDTH),
    )


def new_network(seed: int = 0) -> Sapiens2:
    """The network with random weights."""
    torch.manual_seed(seed)
    return Sapiens2(preview_config())


def normalise(images: torch.Tensor) -> torch.Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 as every Sapiens2 task expects it."""
    return ((images.float() - MEAN.to(images.device)) / STD.to(images.device)).permute(0, 3, 1, 2).contiguous()
