"""What predict needs at its peak, with a network of the released size."""

import json

import pytest
import torch
from safetensors.torch import save_file

from sapiens2_avatar.infer import Sapiens2, released_config

SCRIPT = """
import json, sys
import numpy as np
from sapiens2_avatar.infer.predict import predict

image = np.random.default_rng(0).integers(0, 255, (1024, 768, 3), np.uint8)
predictions = predict(image, model=sys.argv[1], device="cpu")
print(json.dumps({"shape": predictions.pointmap.shape, "tasks": list(json.loads(predictions.metadata["models"]))}))
"""


@pytest.mark.slow
def test_pointmap_04b_stays_under_5_gb(run_and_measure, tmp_path):
    """Random weights of the true shapes, a photo of the network's own size."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in Sapiens2(released_config("0.4b", "pointmap")).state_dict().items()}
    noise = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)) * 0.02
    weights = {name: noise.repeat(shape.numel() // len(noise) + 1)[: shape.numel()].view(shape) for name, shape in shapes.items()}
    path = tmp_path / "pointmap.safetensors"
    save_file(weights, path)
    del weights
    assert path.stat().st_size > 2.1e9
    printed, peak = run_and_measure(SCRIPT, path)
    path.unlink()
    assert json.loads(printed) == {"shape": [1024, 768, 3], "tasks": ["pointmap"]}
    assert peak < 5e9
