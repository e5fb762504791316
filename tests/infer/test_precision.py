"""Matrix products in 16 bits: which parts of a network have them, when they are chosen, and how far they move the maps."""

import pytest

torch = pytest.importorskip("torch", reason="the network needs torch")
pytest.importorskip("timm", reason="the network needs timm")

from sapiens2_avatar.infer import (  # noqa: E402
    BackboneConfig,
    HeadConfig,
    Sapiens2,
    Sapiens2Config,
    load_model,
    placement,
    released_config,
    save_model,
)
from sapiens2_avatar.infer.model.layers import Conv2d, ConvTranspose2d, InstanceNorm, Linear, in_low_precision  # noqa: E402
from sapiens2_avatar.infer.placement import choose_dtype  # noqa: E402

CPU = torch.device("cpu")


TASKS_HERE = ("pose", "seg", "normal", "pointmap", "albedo", "matting")


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    """Raw outputs of a small network with all heads and random weights, in both precisions."""
    torch.manual_seed(0)
    heads = (
        *(HeadConfig(task, (16, 12), (12, 8)) for task in TASKS_HERE if task != "pointmap"),
        HeadConfig("pointmap", (16, 12), (12, 8), scale_convs=(8, 8), scale_hidden=(8,)),
    )
    backbone = BackboneConfig(width=32, depth=3, heads=4, ffn_width=64, kv_heads=(4, 2, 4), layer_scale=0.5)
    file = save_model(Sapiens2(Sapiens2Config(backbone, heads, (96, 64))), tmp_path_factory.mktemp("weights") / "all.safetensors")
    image = torch.randn(4, 3, 96, 64)  # several, since one scale in 16 bits may be that in 32 by chance
    with torch.inference_mode():
        return load_model(file)(image), load_model(file, dtype=torch.bfloat16)(image)


def test_outputs_are_float32_and_close(looks):
    full, low = looks
    assert set(full) == set(low) >= {"heatmaps", "logits", "normals", "pointmap", "scale", "albedo", "foreground", "alpha"}
    for name, value in low.items():
        assert value.dtype == torch.float32, name
        assert not torch.equal(value, full[name]), f"{name} was computed in float32"
        assert (value - full[name]).square().mean().sqrt() < 0.05 * full[name].square().mean().sqrt(), name


@pytest.mark.parametrize("task", TASKS_HERE)
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
