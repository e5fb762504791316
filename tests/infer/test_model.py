"""The network: against plain arithmetic, against the published sizes,
and against stored outputs of the reference where they are."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from support import plain_network

torch = pytest.importorskip("torch", reason="the network needs torch")
pytest.importorskip("timm", reason="the network needs timm")

from sapiens2_avatar.core.common.errors import SapiensError  # noqa: E402
from sapiens2_avatar.infer import BackboneConfig, HeadConfig, Sapiens2, Sapiens2Config, load_model, released_config  # noqa: E402
from sapiens2_avatar.infer.model import backbone as backbone_module  # noqa: E402
from sapiens2_avatar.infer.model import heads as heads_module  # noqa: E402
from sapiens2_avatar.weights.catalogue import CHECKPOINTS, identify  # noqa: E402
from sapiens2_avatar.weights.header import CheckpointHeader  # noqa: E402

PARITY_TASKS = ("pose", "seg", "normal", "pointmap", "albedo", "matting")

# Counted from the published shapes: (parameters, tensors of the file). Tensors of the file include the stored periods.
RELEASED = {
    ("0.1b", "pretrain"): (113_993_472, None),
    ("0.4b", "pretrain"): (395_450_368, None),
    ("0.8b", "pretrain"): (814_283_520, None),
    ("1b", "pretrain"): (1_455_474_176, None),
    ("5b", "pretrain"): (5_066_902_976, None),
    ("0.4b", "pose"): (425.7e6, 424),
    ("0.4b", "seg"): (406.6e6, 424),
    ("0.4b", "normal"): (453.4e6, 432),
    ("0.4b", "pointmap"): (528.7e6, 444),
    ("0.4b", "albedo"): (453.4e6, None),
    ("0.8b", "pose"): (848.7e6, None),
    ("0.8b", "seg"): (827.5e6, None),
    ("0.8b", "normal"): (884.6e6, None),
    ("0.8b", "pointmap"): (967.4e6, None),
    ("0.8b", "albedo"): (884.6e6, None),
    ("1b", "pose"): (1519.8e6, None),
    ("1b", "seg"): (1470.8e6, None),
    ("1b", "normal"): (1539.3e6, None),
    ("1b", "pointmap"): (1629.6e6, None),
    ("1b", "matting"): (1539.3e6, None),
    ("1b", "albedo"): (1539.3e6, None),
    ("5b", "pose"): (5120e6, None),
    ("5b", "seg"): (5090e6, None),
    ("5b", "normal"): (5316e6, None),
    ("5b", "pointmap"): (5348e6, None),
    ("5b", "albedo"): (5316e6, None),
    ("1b-4k", "pretrain"): (1607e6, None),
}

TINY = BackboneConfig(width=32, depth=3, heads=4, ffn_width=48, kv_heads=(4, 2, 1), registers=3, layer_scale=0.5)
TINY_HEADS = (
    HeadConfig("pose", (24, 16), (12, 8)),
    HeadConfig("seg", (16, 12, 8, 8), (8,)),
    HeadConfig("normal", (16, 12, 8, 40), (8, 8, 4)),
    HeadConfig("pointmap", (16, 40), (8, 4), scale_convs=(16, 8), scale_hidden=(12, 6)),
    HeadConfig("albedo", (16, 12, 8, 40), (8, 4)),
    HeadConfig("matting", (16, 40), (8,)),
)


def randomised(model):
    """Every parameter random, the ones that start at 0 or 1 too, so that each one matters to the output."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise / math.sqrt(parameter[0].numel()) if parameter.ndim > 1 else 1 + 0.3 * noise)
    return model.eval()


@pytest.fixture(scope="module")
def tiny():
    return randomised(Sapiens2(Sapiens2Config(TINY, TINY_HEADS, (96, 64))))


@pytest.fixture(scope="module")
def image():
    return torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(1))


# --- against the reference -------------------------------------------------------------------------------------------


def test_backbone_is_its_formulas_block_by_block(tiny, image):
    seen = []
    hooks = [block.register_forward_hook(lambda _m, _i, output: seen.append(output.numpy())) for block in tiny.backbone.blocks]
    with torch.inference_mode():
        tokens, features = tiny.backbone(image)
    for hook in hooks:
        hook.remove()
    plain = plain_network.backbone(image.double().numpy(), plain_network.parameters(tiny.backbone), 4, (4, 2, 1), 16)
    for ours, theirs in zip([*seen, tokens.numpy()], plain, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=5e-5, rtol=1e-4)
    np.testing.assert_allclose(features.numpy(), plain_network.feature_map(plain[-1], (6, 4)), atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("task", PARITY_TASKS)
def test_task_is_its_formulas(tiny, image, task):
    """The heads on the same features; the backbone's own error has its own test."""
    with torch.inference_mode():
        _, features = tiny.backbone(image)
        ours = tiny(image, tasks=(task,))
    plain = plain_network.head(features.double().numpy(), plain_network.parameters(tiny.head(task)), task)
    assert set(ours) == set(plain)
    for name, values in plain.items():
        np.testing.assert_allclose(ours[name].numpy(), values, atol=1e-4, rtol=1e-4, err_msg=name)


@pytest.mark.reference
@pytest.mark.parametrize("task", PARITY_TASKS)
def test_task_agrees_with_the_reference(shared, task):
    folder = shared / "fixtures" / "parity" / task
    stored = np.load(folder / "io.npz")
    model = load_model(folder / "weights_original.safetensors")
    assert model.tasks == (task,)
    with torch.inference_mode():
        outputs = model(torch.from_numpy(stored["input"]))
    compared = [name for name in json.loads((folder / "fixture.json").read_text())["outputs"] if name in outputs]
    assert set(compared) == set(outputs)
    for name in compared:
        np.testing.assert_allclose(outputs[name].numpy(), stored[name], atol=2e-4, rtol=1e-3, err_msg=name)


@pytest.mark.reference
def test_backbone_agrees_with_the_reference_block_by_block(shared):
    folder = shared / "fixtures" / "parity" / "backbone"
    stored = np.load(folder / "io.npz")
    model = load_model(folder / "weights_original.safetensors")
    assert model.tasks == ()
    seen = []
    for block in model.backbone.blocks:
        block.register_forward_hook(lambda _module, _inputs, output: seen.append(output.numpy()))
    with torch.inference_mode():
        tokens, features = model.backbone(torch.from_numpy(stored["input"]))
        np.testing.assert_array_equal(model(torch.from_numpy(stored["input"]))["features"].numpy(), features.numpy())
    for name, got in {"tokens": tokens, "features": features, "cls": tokens[:, 0]}.items():
        np.testing.assert_allclose(got.numpy(), stored[name], atol=2e-4, rtol=1e-3, err_msg=name)
    for ours, theirs in zip(seen, stored["block_outputs"][1:], strict=False):
        np.testing.assert_allclose(ours, theirs, atol=2e-4, rtol=1e-3)
    height, width = (side // 16 for side in stored["input"].shape[2:])
    rotary = model.backbone._rotary((height, width), 9, torch.device("cpu"))[9:].numpy()
    np.testing.assert_allclose(rotary, np.concatenate([stored["rope_sin"], stored["rope_cos"]], axis=1), atol=1e-5)


# --- against the published sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "task"), RELEASED, ids=map("-".join, RELEASED))
def test_released_network_has_the_published_size(size, task):
    parameters, tensors = RELEASED[size, task]
    with torch.device("meta"):
        model = Sapiens2(released_config(size, task))
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert all(parameter.is_meta for parameter in model.parameters())
    if isinstance(parameters, int):
        assert counted == parameters
    else:
        assert counted == pytest.approx(parameters, rel=3.2e-4)
    assert tensors in (None, len(model.state_dict()) + 1)


@pytest.mark.parametrize("key", CHECKPOINTS, ids=map("-".join, CHECKPOINTS))
def test_table_of_checkpoints_has_the_parameters_of_the_network(key):
    with torch.device("meta"):
        model = Sapiens2(released_config(*key))
    checkpoint = CHECKPOINTS[key]
    assert sum(parameter.numel() for parameter in model.parameters()) == checkpoint.parameters
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    shapes["backbone.rope_embed.periods"] = (model.config.backbone.head_width // 4,)
    if key[1] == "pretrain":
        shapes = {name.removeprefix("backbone."): shape for name, shape in shapes.items()}
    header = CheckpointHeader(Path("any name.safetensors"), shapes, dict.fromkeys(shapes, "F32"), {})
    assert identify(header) is checkpoint
    assert [other for other in CHECKPOINTS.values() if other.describes(header)] == [checkpoint]
    shapes.popitem()
    shapes.popitem()
    assert identify(header) is None


def test_grouped_attention_follows_the_depth_rule():
    for size, grouped in {
        "0.1b": range(0),
        "0.4b": range(8, 16),
        "0.8b": range(8, 24),
        "1b": range(8, 32),
        "5b": range(8, 48),
    }.items():
        config = released_config(size).backbone
        assert [i for i, kv in enumerate(config.kv_heads) if kv < config.heads] == list(grouped)
        assert set(config.kv_heads) <= {config.heads, config.heads // 2}


@pytest.mark.parametrize(
    ("name", "shape"),
    {
        "backbone.blocks.8.attn.wk.weight": (512, 1024),
        "backbone.blocks.16.attn.wk.weight": (1024, 1024),
        "backbone.blocks.0.ffn.w12.weight": (8192, 1024),
        "backbone.blocks.0.attn.gamma.weight": (1024,),
        "decode_head.input_conv.0.weight": (1024, 1024, 3, 3),
        "decode_head.upsample_blocks.0.0.weight": (6144, 1024, 3, 3),
        "decode_head.upsample_blocks.3.0.bias": (1024,),
        "decode_head.conv_layers.6.weight": (16, 32, 3, 3),
        "decode_head.conv_pointmap.weight": (3, 16, 1, 1),
        "decode_head.scale_conv_layers.0.weight": (1536, 1024, 1, 1),
        "decode_head.scale_final_layer.1.weight": (512, 6144),
        "decode_head.scale_final_layer.5.weight": (1, 128),
    }.items(),
)
def test_pointmap_parameter_has_the_published_shape(name, shape):
    with torch.device("meta"):
        assert tuple(Sapiens2(released_config("0.4b", "pointmap")).state_dict()[name].shape) == shape


def test_unknown_size_is_refused():
    with pytest.raises(SapiensError, match="2b"):
        released_config("2b")


# --- against plain arithmetic ----------------------------------------------------------------------------------------


def plain_attention(attention, x, angles):
    """The same attention head by head in float64, from the formulas: no fused kernel, no shared code."""
    weights = {name: value.double() for name, value in attention.state_dict().items()}
    dh, heads = attention.head_width, attention.heads
    rms = lambda y, w: y / torch.sqrt((y * y).mean(-1, keepdim=True) + 1e-6) * w  # noqa: E731
    prefix = x.shape[1] - len(angles)

    def rotate(y):  # (B, N, dh)
        first, second = y[:, prefix:, : dh // 2], y[:, prefix:, dh // 2 :]
        cos, sin = angles.cos(), angles.sin()  # (h w, dh / 2)
        return torch.cat([y[:, :prefix], torch.cat([first * cos - second * sin, second * cos + first * sin], -1)], 1)

    outputs = []
    for head in range(heads):
        shared_head = head * attention.kv_heads // heads
        rows, kv_rows = slice(head * dh, head * dh + dh), slice(shared_head * dh, shared_head * dh + dh)
        q = rotate(rms(x @ weights["wq.weight"][rows].T + weights["wq.bias"][rows], weights["q_norm.weight"]))
        k = rotate(rms(x @ weights["wk.weight"][kv_rows].T + weights["wk.bias"][kv_rows], weights["k_norm.weight"]))
        v = x @ weights["wv.weight"][kv_rows].T + weights["wv.bias"][kv_rows]
        outputs.append((q @ k.transpose(1, 2) / math.sqrt(dh)).softmax(-1) @ v)
    y = torch.cat(outputs, -1) @ weights["proj.weight"].T + weights["proj.bias"]
    return y * weights["gamma.weight"]


@pytest.mark.parametrize("block", range(3))
def test_attention_is_its_formula(tiny, block):
    attention, (rows, columns), prefix = tiny.backbone.blocks[block].attn, (3, 5), 4
    x = torch.randn(2, prefix + rows * columns, 32, generator=torch.Generator().manual_seed(2))
    periods = 100.0 ** (4 * torch.arange(2, dtype=torch.float64) / 8)
    row, column = torch.meshgrid(
        2 * (torch.arange(rows) + 0.5) / rows - 1, 2 * (torch.arange(columns) + 0.5) / columns - 1, indexing="ij"
    )
    angles = 2 * math.pi * torch.cat([row.reshape(-1, 1) / periods, column.reshape(-1, 1) / periods], 1)  # (h w, dh / 2)
    with torch.inference_mode():
        ours = attention(x, tiny.backbone._rotary((rows, columns), prefix, x.device))
        torch.testing.assert_close(ours.double(), plain_attention(attention, x.double(), angles), atol=2e-5, rtol=1e-4)


def test_inference_shortcuts_change_nothing(tiny, image):
    """In-place norms and the stage by groups of channels give what the plain layers give."""
    with torch.inference_mode():
        _, features = tiny.backbone(image)
        for task in ("normal", "pointmap", "matting", "albedo"):
            head = tiny.head(task)
            fast = head(features)
            norm = torch.nn.functional.instance_norm
            x = features
            for layer in [*head.input_conv, *(y for stage in head.upsample_blocks for y in stage), *head.conv_layers]:
                if isinstance(layer, heads_module.InstanceNorm):
                    x = norm(x, eps=1e-5)
                elif isinstance(layer, heads_module.ChannelNorm):
                    x = x / (x.square().mean(1, keepdim=True) + 1e-6).sqrt() * layer.norm.weight[:, None, None]
                elif isinstance(layer, heads_module.SiLU):
                    x = x * x.sigmoid()
                else:
                    x = layer(x)
            plain = head.get_submodule(f"conv_{task}")(x)
            torch.testing.assert_close(fast, plain, atol=1e-4, rtol=1e-4)


def test_inference_equals_training_arithmetic(tiny, image):
    with torch.inference_mode():
        inference = tiny(image)
    for name, value in tiny(image).items():
        torch.testing.assert_close(inference[name], value.detach(), atol=1e-4, rtol=1e-4)


def test_images_of_a_batch_do_not_see_each_other(tiny, image):
    with torch.inference_mode():
        both, alone = tiny(image), tiny(image[1:])
    for name, value in alone.items():
        torch.testing.assert_close(both[name][1:], value, atol=1e-5, rtol=1e-4)


def test_one_pass_feeds_all_heads_or_the_chosen_ones(tiny, image):
    calls = []
    hook = tiny.backbone.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        all_outputs = tiny(image)
        some = tiny(image, tasks=("seg", "pointmap"))
    hook.remove()
    assert len(calls) == 2
    assert set(all_outputs) == {"heatmaps", "logits", "normals", "pointmap", "scale", "albedo", "foreground", "alpha"}
    assert set(some) == {"logits", "pointmap", "scale"}
    torch.testing.assert_close(some["logits"], all_outputs["logits"])
    assert all_outputs["heatmaps"].shape == (2, 308, 24, 16)
    assert all_outputs["normals"].shape == (2, 3, 96, 64)
    assert all_outputs["scale"].shape == (2, 1)
    assert all_outputs["alpha"].shape == (2, 1, 24, 16)
    with pytest.raises(SapiensError, match="no depth head"):
        tiny(image, tasks=("depth",))


def test_every_parameter_learns(image):
    torch.manual_seed(0)
    model = Sapiens2(Sapiens2Config(TINY, TINY_HEADS, (96, 64)))
    loss = sum((value - 0.3).square().mean() for value in model(image).values())
    loss.backward()
    still = [name for name, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    # Instance norm takes away what a bias in front of it adds.
    assert all(name.endswith(".bias") for name in still), still
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)
    optimiser.step()
    after = sum((value - 0.3).square().mean() for value in model(image).values())
    assert after < loss


# --- the 4K tokenizer ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenized():
    config = BackboneConfig(width=32, depth=1, heads=4, ffn_width=32, patch=4, registers=2, tokenizer_depth=2)
    return randomised(backbone_module.Backbone(config))


def test_4k_token_sees_its_window_only(tokenized):
    """A change in one 4 x 4 window of patches changes that window's token and no other; in the window all patches count."""
    image = torch.randn(1, 3, 48, 32, generator=torch.Generator().manual_seed(3))  # 12 x 8 patches, 3 x 2 windows
    with torch.inference_mode():
        before = tokenized.tokenizer(tokenized.patch_embed(image))
        assert before.shape == (1, 32, 3, 2)
        for row, column in ((16, 0), (31, 15), (20, 12)):
            image_2 = image.clone()
            image_2[:, :, row, column] += 3
            changed = (tokenized.tokenizer(tokenized.patch_embed(image_2)) - before).abs().amax(1)[0] > 1e-6
            assert changed.nonzero().tolist() == [[row // 16, column // 16]]


def test_4k_tokenizer_knows_the_place_in_the_window(tokenized):
    patches = torch.randn(1, 32, 4, 4, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        assert (tokenized.tokenizer(patches) - tokenized.tokenizer(patches.flip(3))).abs().max() > 1e-3


def test_4k_tokenizer_by_parts_is_the_whole(tokenized, monkeypatch):
    image = torch.randn(2, 3, 48, 32, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        _, whole = tokenized(image)
        monkeypatch.setattr(backbone_module, "TOKENIZER_WINDOWS_AT_ONCE", 5)
        _, parts = tokenized(image)
    torch.testing.assert_close(whole, parts, atol=1e-6, rtol=1e-5)


def test_4k_tokenizer_looks_at_bars_once(tokenized, monkeypatch):
    """Bars beside a photo, and what lies beyond its border, are one window; a photo of one more colour is another."""
    image = torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(5))  # 4 x 3 windows each
    black, grey = torch.tensor([-2.1, -2.0, -1.8])[:, None, None], torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    image[:, :, :16] = image[:, :, 48:] = black  # 6 windows of the 12 of each image
    image[1, :, 16:32, :32] = grey  # 2 more, alike
    looked_at = []
    summarise = type(tokenized.tokenizer)._summarise
    monkeypatch.setattr(type(tokenized.tokenizer), "_summarise", lambda s, x: looked_at.append(len(x)) or summarise(s, x))
    with torch.inference_mode():
        found = tokenized(image)[1]
        assert sum(looked_at) == 24 - 12 - 2 + 1 + 1
        monkeypatch.setattr(backbone_module, "same_windows", lambda image, side: None)
        whole = tokenized(image)[1]
    assert sum(looked_at) == 12 + 24
    torch.testing.assert_close(found, whole, atol=1e-6, rtol=1e-5)


# --- sizes that cannot be ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 3, 90, 64), (1, 3, 96, 8), (1, 1, 96, 64), (3, 96, 64), (1, 3, 0, 64)])
def test_input_that_does_not_fit_is_named(tiny, shape):
    with pytest.raises(SapiensError, match="multiples of 16"):
        tiny(torch.zeros(shape))


def test_pointmap_at_another_size_is_refused(tiny):
    with pytest.raises(SapiensError, match="scale branch"):
        tiny(torch.zeros(1, 3, 160, 160), tasks=("pointmap",))
    with torch.inference_mode():
        assert tiny(torch.zeros(1, 3, 160, 160), tasks=("normal",))["normals"].shape == (1, 3, 160, 160)


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 33},
        {"heads": 3},
        {"kv_heads": (4, 3, 4)},
        {"kv_heads": (4,)},
        {"depth": 0, "kv_heads": ()},
        {"width": 24, "heads": 4},
    ],
)
def test_backbone_that_cannot_be_is_refused(wrong):
    with pytest.raises(SapiensError):
        BackboneConfig(**{"width": 32, "depth": 3, "heads": 4, "ffn_width": 48, "kv_heads": (4, 2, 1), **wrong})


def test_two_heads_of_one_task_are_refused():
    with pytest.raises(SapiensError, match="one head per task"):
        Sapiens2Config(TINY, (TINY_HEADS[0], TINY_HEADS[0]))
