"""Weights on their way from the file: converted as they are read, and block by block for a network larger than the memory."""

import pytest

torch = pytest.importorskip("torch", reason="the network needs torch")
pytest.importorskip("timm", reason="the network needs timm")

from safetensors.torch import load_file, save_file  # noqa: E402

from sapiens2_avatar.core.common.errors import SapiensError  # noqa: E402
from sapiens2_avatar.infer import BackboneConfig, HeadConfig, Sapiens2, Sapiens2Config, load_model, save_model  # noqa: E402
from sapiens2_avatar.infer.checkpoints import Checkpoint  # noqa: E402
from sapiens2_avatar.infer.model import reading  # noqa: E402
from sapiens2_avatar.infer.model.layers import in_low_precision  # noqa: E402
from sapiens2_avatar.infer.model_cache import ModelCache  # noqa: E402

IMAGE = torch.linspace(-2, 2, 3 * 96 * 64).reshape(1, 3, 96, 64)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    torch.manual_seed(0)
    backbone = BackboneConfig(width=32, depth=3, heads=4, ffn_width=48, kv_heads=(4, 2, 4), registers=2, layer_scale=0.5)
    network = Sapiens2(Sapiens2Config(backbone, (HeadConfig("normal", (8, 8), (8, 4)),), (96, 64)))
    return save_model(network, tmp_path_factory.mktemp("weights") / "normal.safetensors")


def run(model):
    with torch.inference_mode():
        return model(IMAGE)["normals"]


@pytest.mark.parametrize("stored", [torch.float32, torch.float16])
@pytest.mark.parametrize("wanted", [torch.bfloat16, torch.float16, torch.float32])
def test_conversion_on_the_way_is_conversion(file, tmp_path, monkeypatch, stored, wanted):
    monkeypatch.setattr(reading, "VALUES_AT_ONCE", 250)  # larger tensors come in several parts, the last one smaller
    path = tmp_path / "other.safetensors"
    save_file({name: value.to(stored) for name, value in load_file(file).items() if "periods" not in name}, path)
    state = load_model(path, dtype=wanted).state_dict()
    for name, value in load_file(path).items():
        expected = value.to(wanted if in_low_precision(name) else torch.float32)
        assert state[name].dtype == expected.dtype, name
        assert torch.equal(state[name], expected), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_streamed_blocks_give_the_same_bits(file, dtype):
    whole, streamed = load_model(file, dtype=dtype), load_model(file, dtype=dtype, stream=True)
    expected = run(whole)
    for _ in range(2):
        assert torch.equal(run(streamed), expected)


def test_at_most_one_block_is_in_the_network(file):
    model = load_model(file, stream=True)
    held = []
    for block in model.backbone.blocks:
        block.ffn.register_forward_hook(
            lambda *_: held.append([not p.is_meta for b in model.backbone.blocks for p in b.parameters()])
        )
    run(model)
    count = len(list(model.backbone.blocks[0].parameters()))
    assert [sum(each) for each in held] == [count] * 3
    assert all(p.is_meta and not p.requires_grad for p in model.backbone.blocks.parameters())


def test_a_stopped_pass_does_not_disturb_the_next(file):
    model = load_model(file, stream=True)

    def stop(*_):
        raise KeyboardInterrupt

    handle = model.backbone.blocks[1].ffn.register_forward_pre_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        run(model)
    handle.remove()
    assert torch.equal(run(model), run(load_model(file)))


def test_a_file_that_is_cut_off_meanwhile_is_named(file, tmp_path):
    path = tmp_path / "cut.safetensors"
    path.write_bytes(file.read_bytes())
    model = load_model(path, stream=True)
    path.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(SapiensError, match=r"cut\.safetensors cannot be read"):
        run(model)


@pytest.mark.parametrize(("free", "streamed"), [(2**40, False), (1000, True)])
def test_what_does_not_fit_is_streamed(file, monkeypatch, free, streamed):
    models = ModelCache(torch.device("cpu"), "auto", keep=True)
    monkeypatch.setattr(models, "free_memory", lambda: free)
    model = models.get(Checkpoint.read(file, "tiny"))
    assert all(p.is_meta for p in model.backbone.blocks.parameters()) == streamed
    assert not any(p.is_meta for p in model.decode_head.parameters())


@pytest.mark.parametrize("keep", [False, True])
def test_what_runs_for_one_photo_is_streamed_on_the_processor(file, keep):
    model = ModelCache(torch.device("cpu"), "float32", keep).get(Checkpoint.read(file, "tiny"))
    assert all(p.is_meta for p in model.backbone.blocks.parameters()) != keep
    assert torch.equal(run(model), run(load_model(file)))
