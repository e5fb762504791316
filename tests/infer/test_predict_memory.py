"""What predict needs at its peak, with a network of the released size."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from sapiens2_avatar.infer import Sapiens2, released_config

SCRIPT = """
import json, resource, sys
import numpy as np
from sapiens2_avatar.infer.predict import predict

image = np.random.default_rng(0).integers(0, 255, (1024, 768, 3), np.uint8)
predictions = predict(image, model=sys.argv[1], device="cpu")
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
print(json.dumps({"peak": peak, "shape": predictions.pointmap.shape, "tasks": list(json.loads(predictions.metadata["models"]))}))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the peak is read with getrusage")
def test_pointmap_04b_stays_under_5_gb(tmp_path):
    """Random weights of the true shapes, a photo of the network's own size."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in Sapiens2(released_config("0.4b", "pointmap")).state_dict().items()}
    noise = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)) * 0.02
    weights = {name: noise.repeat(shape.numel() // len(noise) + 1)[: shape.numel()].view(shape) for name, shape in shapes.items()}
    path = tmp_path / "pointmap.safetensors"
    save_file(weights, path)
    del weights
    assert path.stat().st_size > 2.1e9
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], capture_output=True, text=True, check=True)
    path.unlink()
    measured = json.loads(done.stdout)
    assert measured["shape"] == [1024, 768, 3]
    assert measured["tasks"] == ["pointmap"]
    assert measured["peak"] < 5e9
