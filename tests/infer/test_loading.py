"""safetensors file <-> network: what is written is read back, sizes come from the shapes, wrong files are refused by name."""

import json
import math
import mmap
import pickle
import subprocess
import sys
import zipfile

import pytest

torch = pytest.importorskip("torch", reason="the network needs torch")
pytest.importorskip("timm", reason="the network needs timm")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from sapiens2_avatar.core.common.errors import SapiensError  # noqa: E402
from sapiens2_avatar.infer import BackboneConfig, HeadConfig, Sapiens2, Sapiens2Config, load_model, released_config, save_model  # noqa: E402
from sapiens2_avatar.weights.header import read_header  # noqa: E402

BACKBONE = BackboneConfig(width=32, depth=3, heads=4, ffn_width=48, kv_heads=(4, 2, 4), registers=2)
NORMAL = HeadConfig("normal", (8, 8), (8, 4))
SEG = HeadConfig("seg", (8, 8), (8,))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Sapiens2(Sapiens2Config(BACKBONE, (NORMAL,), (96, 64))).eval()


@pytest.fixture
def file(network, tmp_path):
    return save_model(network, tmp_path / "normal.safetensors")


def outputs(model):
    with torch.inference_mode():
        return model(torch.linspace(-2, 2, 3 * 96 * 64).reshape(1, 3, 96, 64))


# --- there and back --------------------------------------------------------------------------------------------------


def test_written_network_reads_back(network, file):
    loaded = load_model(file)
    assert loaded.input_size == (96, 64)
    assert loaded.tasks == ("normal",)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    torch.testing.assert_close(outputs(loaded)["normals"], outputs(network)["normals"], atol=1e-6, rtol=1e-5)


def test_file_has_the_original_names(file):
    names = set(read_header(file).shapes)
    assert {"backbone.rope_embed.periods", "backbone.blocks.1.attn.wk.weight", "decode_head.upsample_blocks.1.0.bias"} <= names
    assert read_header(file).dtypes["backbone.rope_embed.periods"] == "BF16"
    assert read_header(file).metadata["input_height"] == "96"


def test_several_heads_share_one_file(tmp_path):
    heads = (SEG, NORMAL, HeadConfig("pointmap", (8,), (4,), scale_convs=(8,), scale_hidden=(4,)))
    network = Sapiens2(Sapiens2Config(BACKBONE, heads, (96, 64))).eval()
    path = save_model(network, tmp_path / "many.safetensors")
    assert "decode_heads.seg.conv_seg.weight" in read_header(path).shapes
    loaded = load_model(path)
    assert loaded.tasks == ("seg", "normal", "pointmap")
    for name, value in outputs(network).items():
        torch.testing.assert_close(outputs(loaded)[name], value, atol=1e-5, rtol=1e-4)


def test_bare_backbone_has_no_prefix_and_is_read_with_or_without(tmp_path):
    network = Sapiens2(Sapiens2Config(BACKBONE, (), (96, 64))).eval()
    path = save_model(network, tmp_path / "pretrain.safetensors")
    assert "cls_token" in read_header(path).shapes
    prefixed = tmp_path / "prefixed.safetensors"
    save_file({f"backbone.{name}": value for name, value in load_file(path).items()}, prefixed)
    for source in (path, prefixed):
        loaded = load_model(source)
        assert loaded.tasks == ()
        torch.testing.assert_close(outputs(loaded)["features"], outputs(network)["features"], atol=1e-6, rtol=1e-5)


def test_4k_backbone_reads_back(tmp_path):
    config = BackboneConfig(width=32, depth=1, heads=4, ffn_width=32, tokenizer_depth=2)
    network = Sapiens2(Sapiens2Config(config, (), (128, 64)))
    loaded = load_model(save_model(network, tmp_path / "4k.safetensors"))
    assert loaded.config.backbone.tokenizer_depth == 2
    assert loaded.input_size == (128, 64)
    assert loaded(torch.zeros(1, 3, 128, 64))["features"].shape == (1, 32, 2, 1)


def test_file_without_metadata_has_the_published_size(file, tmp_path):
    save_file(load_file(file), tmp_path / "plain.safetensors")
    assert load_model(tmp_path / "plain.safetensors").input_size == (1024, 768)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_file_becomes_float32(network, tmp_path, dtype):
    loaded = load_model(save_model(network, tmp_path / "half.safetensors", dtype=dtype))
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert outputs(loaded)["normals"].isfinite().all()


def test_network_in_bfloat16_is_close(network, file):
    half = load_model(file, dtype=torch.bfloat16)
    with torch.inference_mode():
        got = half(torch.linspace(-2, 2, 3 * 96 * 64).reshape(1, 3, 96, 64).bfloat16())["normals"].float()
    wanted = outputs(network)["normals"]
    assert (got - wanted).abs().mean() < 0.05 * wanted.std()


def test_weights_are_mapped_not_copied(file):
    """All tensors lie in one mapping of the file: loading makes no second copy."""
    loaded = load_model(file)
    storages = {parameter.untyped_storage().data_ptr() for parameter in loaded.parameters()}
    sizes = [parameter.data_ptr() for parameter in loaded.parameters()]
    assert max(sizes) - min(sizes) < file.stat().st_size
    assert len(storages) == 1 or max(storages) - min(storages) < file.stat().st_size


def test_pages_that_were_forgotten_come_back(file):
    loaded = load_model(file)
    first, again = outputs(loaded), outputs(loaded)
    assert all(torch.equal(again[name], value) for name, value in first.items())


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="the system keeps all pages")
def test_weights_that_were_changed_are_not_forgotten(file, network):
    """They are in memory alone: what the file says would come back."""
    loaded = load_model(file)
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.mul_(2)
    outputs(loaded)
    wanted = network.state_dict()
    assert all(torch.equal(value, 2 * wanted[name]) for name, value in loaded.state_dict().items())


def test_loading_imports_no_compiler(file):
    """Random numbers on the meta device do: six seconds, and 150 MB."""
    code = (
        "import sys; from sapiens2_avatar.infer import load_model; load_model(sys.argv[1]); "
        "print(*sorted({'torch._dynamo', 'sympy', 'timm', 'torchvision'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


MEASURE = """
import sys
import psutil
from sapiens2_avatar.infer.model.loading import load_model
process = psutil.Process()
before = process.memory_info().rss
model = load_model(sys.argv[1])
after = process.memory_info().rss
assert sum(float(parameter.sum()) for parameter in model.parameters()) == 0  # reads every weight
print(after - before, process.memory_info().rss - before)
"""


@pytest.mark.slow
def test_loading_takes_no_more_memory_than_the_file(tmp_path):
    """A 2.1 GB file with the names and shapes of the released 0.4b pointmap network.

    Its weights are a hole in the file: zeros.
    """
    pytest.importorskip("psutil", reason="memory is measured with psutil")
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in Sapiens2(released_config("0.4b", "pointmap")).state_dict().items()}
    header, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    path = tmp_path / "sapiens2_0.4b_pointmap.safetensors"
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
    loaded, used = map(int, done.stdout.split())
    assert loaded < 0.1 * end
    assert used < 1.15 * path.stat().st_size


def test_rotary_periods_are_not_those_stored(file, tmp_path):
    """bfloat16 periods are off by up to 0.4 %; the network computes its own in float32."""
    loaded = load_model(file)
    stored = load_file(file)["backbone.rope_embed.periods"]
    assert loaded.backbone.rope_embed.periods.dtype == torch.float32
    torch.testing.assert_close(loaded.backbone.rope_embed.periods, stored.float(), rtol=2**-8, atol=0)
    torch.testing.assert_close(loaded.backbone.rope_embed.periods, 100 ** (torch.arange(2) * 4 / 8))


def test_unwritable_target_leaves_nothing(network, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(SapiensError, match="could not be written"):
        save_model(network, blocked / "model.safetensors")
    (tmp_path / "taken.safetensors").mkdir()
    with pytest.raises(SapiensError, match="could not be written"):
        save_model(network, tmp_path / "taken.safetensors")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken.safetensors"]


channels = st.integers(1, 6)
plans = st.lists(channels, min_size=1, max_size=4).map(tuple)


@st.composite
def configs(draw):
    heads = draw(st.sampled_from([1, 2, 4, 6]))
    head_width = 4 * draw(st.integers(1, 3))
    kv = [k for k in range(1, heads + 1) if heads % k == 0]
    depth = draw(st.integers(1, 3))
    tasks = draw(st.lists(st.sampled_from(["pose", "seg", "normal", "pointmap", "albedo", "matting"]), unique=True, max_size=4))
    order = ["pose", "seg", "normal", "pointmap", "albedo", "matting"]
    scale = {"scale_convs": draw(plans), "scale_hidden": draw(plans)} if draw(st.booleans()) else {}
    return Sapiens2Config(
        BackboneConfig(
            width=heads * head_width,
            depth=depth,
            heads=heads,
            ffn_width=draw(channels),
            kv_heads=tuple(draw(st.sampled_from(kv)) for _ in range(depth)),
            patch=draw(st.sampled_from([8, 16])),
            registers=draw(st.integers(0, 3)),
            tokenizer_depth=draw(st.sampled_from([0, 0, 1])),
        ),
        tuple(
            HeadConfig(task, draw(plans), draw(plans), **(scale if task == "pointmap" else {}))
            for task in sorted(tasks, key=order.index)
        ),
        (64 * draw(st.integers(1, 4)), 64 * draw(st.integers(1, 4))),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(config=configs())
def test_every_size_is_read_from_the_shapes(config, tmp_path):
    network = Sapiens2(config)
    loaded = load_model(save_model(network, tmp_path / "any.safetensors"))
    assert loaded.tasks == network.tasks
    assert loaded.input_size == network.input_size
    assert loaded.config.backbone.kv_heads == config.backbone.kv_heads
    state = loaded.state_dict()
    assert list(state) == list(network.state_dict())
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


# --- wrong files -----------------------------------------------------------------------------------------------------


def changed(file, change):
    """The file with its tensors changed by a function."""
    tensors = load_file(file)
    change(tensors)
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    save_file(tensors, file, metadata=metadata)
    return file


def put(name, *shape):
    return lambda tensors: tensors.__setitem__(name, torch.zeros(shape))


def drop(name):
    return lambda tensors: tensors.pop(name)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (drop("backbone.ln1.weight"), "1 missing: backbone.ln1.weight"),
        (drop("backbone.blocks.2.attn.gamma.weight"), "missing: backbone.blocks.2.attn.gamma.weight"),
        (drop("decode_head.conv_layers.0.bias"), "missing: decode_head.conv_layers.0.bias"),
        (drop("backbone.cls_token"), "cls_token"),
        (drop("backbone.blocks.1.attn.wk.weight"), "blocks.1.attn.wk.weight"),
        (drop("decode_head.conv_normal.weight"), "no last layer of a known task"),
        (put("backbone.mask_token", 1, 32), "unexpected: backbone.mask_token"),
        (put("ema.step", 1), "unexpected: ema.step"),
        (put("decode_head.conv_layers.1.norm.weight", 8), "unexpected: decode_head.conv_layers.1.norm.weight"),
        (put("decode_head.conv_layers.0.bias", 9), r"misshaped: decode_head.conv_layers.0.bias \(9,\) instead of \(8,\)"),
        (put("backbone.blocks.0.attn.q_norm.weight", 2), "does not split"),
        (put("backbone.blocks.0.attn.q_norm.weight", 64), "positive sizes"),
        (put("backbone.blocks.7.ln1.weight", 32), "blocks.3.attn.wk.weight"),
        (put("backbone.cls_token"), "index out of range"),
        (put("backbone.rope_embed.periods", 3), "rotary"),
        (put("backbone.rope_embed.periods", 2), "rotary"),
        (put("decode_heads.depth.conv_depth.weight", 1), "unknown tasks: depth"),
        (
            lambda tensors: [tensors.pop(name) for name in list(tensors) if "upsample_blocks" in name],
            "at least one upsampling stage",
        ),
    ],
)
def test_wrong_parameter_is_named(file, change, named):
    with pytest.raises(SapiensError, match=named) as caught:
        load_model(changed(file, change))
    assert "normal.safetensors" in caught.value.message
    assert caught.value.hint


def test_long_list_of_problems_is_cut(file):
    def strip(tensors):
        for name in [name for name in tensors if ".ffn." in name and "blocks.0" not in name]:
            del tensors[name]

    with pytest.raises(SapiensError, match=r"8 missing: .*, …") as caught:
        load_model(changed(file, strip))
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(("height", "width"), [("100", "64"), ("96", ""), ("x", "64"), ("-96", "64"), ("0", "0")])
def test_metadata_that_cannot_be_is_refused(file, height, width):
    save_file(load_file(file), file, metadata={"input_height": height, "input_width": width})
    with pytest.raises(SapiensError):
        load_model(file)


def test_half_of_the_size_in_the_metadata_is_refused(file):
    save_file(load_file(file), file, metadata={"input_height": "96"})
    with pytest.raises(SapiensError, match="input_width"):
        load_model(file)


@pytest.mark.parametrize("keep", [0, 4, 8, 200, 0.5, 0.999])
def test_cut_off_file_is_refused(file, keep):
    content = file.read_bytes()
    file.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(SapiensError, match="cut off, damaged or no file of weights"):
        load_model(file)


def test_foreign_safetensors_is_refused(tmp_path):
    path = tmp_path / "llm.safetensors"
    save_file({"model.embed_tokens.weight": torch.zeros(4, 4)}, path)
    with pytest.raises(SapiensError, match=r"not a Sapiens2 network.*model.embed_tokens.weight"):
        load_model(path)
    save_file({}, path)
    with pytest.raises(SapiensError, match="not a Sapiens2 network"):
        load_model(path)


@pytest.mark.parametrize(
    "content", [b"once upon a time", b"\xff" * 64, json.dumps({"a": 1}).encode(), b"\x89PNG\r\n\x1a\n" + bytes(99)]
)
def test_file_of_another_kind_is_refused(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(SapiensError, match="cut off, damaged or no file of weights"):
        load_model(path)


class Bomb:
    """A pickle that would be noticed if anything opened it."""

    def __reduce__(self):
        return (open, ("sapiens2-pickle-was-opened", "w"))


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickle_is_never_opened(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "sapiens2_0.4b_pose.safetensors"
    path.write_bytes(pickle.dumps(Bomb(), protocol))
    with pytest.raises(SapiensError, match="pickled PyTorch file"):
        load_model(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb(), protocol))
    with pytest.raises(SapiensError, match="pickled PyTorch file"):
        load_model(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_path_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(SapiensError, match="no weights file"):
        load_model(tmp_path / "nothing.safetensors")
    with pytest.raises(SapiensError, match="cannot be read"):
        load_model(tmp_path)


def test_names_with_spaces_and_accents_work(network, tmp_path):
    path = save_model(network, tmp_path / "modèle 人 ½" / "réseau.safetensors")
    assert load_model(path).tasks == ("normal",)
