"""A `Sapiens2` with all heads, small enough to be made anew for every test run."""

from pathlib import Path

import torch

from sapiens2_avatar.infer import Sapiens2, save_model
from sapiens2_avatar.infer.model.config import BackboneConfig, HeadConfig, Sapiens2Config

CONFIG = Sapiens2Config(
    BackboneConfig(width=32, depth=2, heads=2, ffn_width=64),
    (
        HeadConfig("pose", (16, 16), (16,)),
        HeadConfig("seg", (16, 16, 16, 16), (16,)),
        HeadConfig("normal", upsample=(8, 8, 8, 8), refine=(8,)),
        HeadConfig("albedo", upsample=(8, 8, 8, 8), refine=(8,)),
        HeadConfig("pointmap", upsample=(8, 8, 8, 8), refine=(8,), scale_convs=(8, 8, 8), scale_hidden=(8,)),
    ),
    (256, 192),
)


def small_network(path: Path) -> Path:
    """Write one file with random weights, the same every time: one backbone for all heads, letterboxed 256 x 192."""
    torch.manual_seed(0)
    return save_model(Sapiens2(CONFIG), path, metadata={"geometry": "letterbox"})
