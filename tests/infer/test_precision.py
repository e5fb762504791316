"""Matrix products in 16 bits: which parts of a network have them, when they are chosen, and how far they move the maps."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the network needs torch")
pytest.importorskip("timm", reason="the network needs timm")

from PIL import Image  # noqa: E402

from sapiens2_avatar.infer import load_model, placement, released_config  # noqa: E402
from sapiens2_avatar.infer.model.layers import Conv2d, ConvTranspose2d, InstanceNorm, Linear, in_low_precision  # noqa: E402
from sapiens2_avatar.infer.model.sapiens import Sapiens2  # noqa: E402
from sapiens2_avatar.infer.placement import choose_dtype  # noqa: E402
from sapiens2_avatar.infer.postprocess import decode_heatmaps  # noqa: E402
from sapiens2_avatar.infer.preprocess import PoseWindow, letterbox  # noqa: E402
from sapiens2_avatar.infer.tasks import TASKS  # noqa: E402

DATA = Path(__file__).resolve().parents[2] / "data"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def looks():
    """Raw outputs of a small trained network for the sample photo, in both precisions."""
    image, _ = letterbox(np.asarray(Image.open(DATA / "sample_photo.jpg").convert("RGB")), 256, 192)
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        with torch.inference_mode():
            found[dtype] = load_model(DATA / "preview.safetensors", dtype=dtype)(image)
    return found[torch.float32], found[torch.bfloat16]


def test_outputs_are_float32(looks):
    for name, value in looks[1].items():
        assert value.dtype == torch.float32, name
        assert not torch.equal(value, looks[0][name]), f"{name} was computed in float32"


def test_trained_parts_keep_their_labels(looks):
    full, low = (outputs["logits"].argmax(1) for outputs in looks)
    assert (full > 0).float().mean() > 0.1
    assert (full == low).double().mean() > 0.999


def test_trained_normals_keep_their_direction(looks):
    person = looks[0]["logits"].argmax(1) > 0
    full, low = (outputs["normals"].double() for outputs in looks)
    angle = torch.rad2deg(torch.cosine_similarity(full, low).clamp(-1, 1).acos())[person]
    assert angle.mean() < 0.1


def test_trained_keypoints_keep_their_place(looks):
    window = PoseWindow(95.5, 127.5, 191, 255)
    full, low = (decode_heatmaps(outputs["heatmaps"][0], window) for outputs in looks)
    seen = full[:, 2] > 0.3
    assert seen.sum() > 200
    assert np.linalg.norm(full[seen, :2] - low[seen, :2], axis=1).mean() < 0.05


def test_the_pointmap_would_not_stay_within_its_bound(looks):
    """Why it stays in 32 bits."""
    person = looks[0]["logits"].argmax(1) > 0
    full, low = (outputs["pointmap"] / outputs["scale"] for outputs in looks)
    moved = ((low - full).norm(dim=1) / full[:, 2])[person]
    assert moved.mean() * 2000 > 0.3  # mm at 2 m
    assert not TASKS["pointmap"].low_precision


@pytest.mark.parametrize("task", ["pose", "seg", "normal", "pointmap", "albedo", "matting"])
def test_products_alone_are_in_low_precision(task):
    with torch.device("meta"):
        model = Sapiens2(released_config("1b", task))
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    low = {name for name in shapes if in_low_precision(name)}
    assert sum(shapes[name].numel() for name in low) > 0.98 * sum(shape.numel() for shape in shapes.values())
    owners = {name.rpartition(".")[0] for name in low}
    assert all(isinstance(model.get_submodule(owner), (Linear, Conv2d, ConvTranspose2d)) for owner in owners)
    assert f"decode_head.conv_{task}.weight" not in low
    assert not [name for name in low if "norm" in name.split(f"conv_{task}")[0] and task != "normal"]


def test_tokenizer_and_several_heads_have_it_too():
    assert in_low_precision("backbone.tokenizer.blocks.0.ffn.w3.bias")
    assert in_low_precision("decode_heads.normal.upsample_blocks.1.0.weight")
    assert not in_low_precision("decode_heads.albedo.upsample_blocks.1.2.norm.weight")
    assert not in_low_precision("decode_heads.normal.conv_layers.3.weight")


@pytest.mark.parametrize("units", [True, False])
def test_auto_is_what_device_and_tasks_allow(monkeypatch, units):
    monkeypatch.setattr(placement, "has_bfloat16_units", lambda device: units)
    fast = torch.bfloat16 if units else torch.float32
    assert choose_dtype("auto", CPU, ("pose",)) == choose_dtype("auto", CPU, ("seg", "normal")) == fast
    assert choose_dtype("auto", CPU, ("pointmap",)) == choose_dtype("auto", CPU, ("seg", "pointmap")) == torch.float32
    assert choose_dtype("bfloat16", CPU, ("pointmap",)) == torch.bfloat16
    assert choose_dtype("float32", CPU, ("seg",)) == torch.float32


@pytest.mark.parametrize(("units", "expected"), [
    ({"amx_bf16": True}, True),
    ({"amx_bf16": False, "avx512_bf16": True}, True),
    ({"amx_bf16": False, "avx512_bf16": False, "avx512_f": True}, False),
    ({}, False),
])  # fmt: skip
def test_the_processor_is_asked_for_its_units(monkeypatch, units, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: units, raising=False)
    assert placement.has_bfloat16_units(CPU) is expected


def test_old_torch_and_unmeasured_devices_stay_in_32_bits(monkeypatch):
    assert not placement.has_bfloat16_units(torch.device("mps"))
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not placement.has_bfloat16_units(CPU)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_instance_norm_keeps_its_digits_far_from_zero(layout, dtype):
    """A mean that is much larger than the spread: sums of squares would have lost it."""
    x = (30 + torch.randn(2, 6, 40, 24, generator=torch.Generator().manual_seed(0))).to(dtype).contiguous(memory_format=layout)
    wanted = torch.nn.functional.instance_norm(x.double(), eps=1e-5)
    with torch.inference_mode():
        got = InstanceNorm()(x.clone())
    torch.testing.assert_close(got.double(), wanted, atol=2e-5 if dtype == torch.float32 else 2e-2, rtol=0)
