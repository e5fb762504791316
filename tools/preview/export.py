"""Write the weights in the names and with the metadata that `sapiens2_avatar.infer.load_model` reads."""

from __future__ import annotations

from pathlib import Path

import torch

from sapiens2_avatar.infer.model.loading import save_model
from sapiens2_avatar.infer.model.sapiens import Sapiens2

CANONICAL_FOCAL = 768.0
NOTES = {
    "name": "preview",
    "geometry": "letterbox",
    "upsampling": "guided",
    "license": "GPL-3.0-or-later",
    "training_data": "synthetic people (Anny, CC0)",
}
# The linear layers whose outputs are proportional to the canonical focal length.
CANONICAL_LAYERS = ("decode_heads.pointmap.conv_pointmap", "decode_heads.pointmap.scale_final_layer.5")


def export(model: Sapiens2, state: dict[str, torch.Tensor], path: Path) -> Path:
    """Write weights `state` of a network like `model` as float16 (the loader casts them), whole or not at all."""
    factor = CANONICAL_FOCAL / model.input_size[1]
    canonical = {k: v * factor if k.rpartition(".")[0] in CANONICAL_LAYERS else v for k, v in state.items()}
    if sum(k.rpartition(".")[0] in CANONICAL_LAYERS for k in state) != 2 * len(CANONICAL_LAYERS):
        raise ValueError("The pointmap head does not have the layers that the canonical focal length scales.")
    current = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(canonical)
    save_model(model, path, torch.float16, NOTES)
    model.load_state_dict(current)
    return path
