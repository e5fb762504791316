"""A small trained network: it loads, it fits the contract of the network, and tells people it has never seen from a wall."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file

from sapiens2_avatar.core.common.landmarks import DATA
from sapiens2_avatar.infer import load_model
from sapiens2_avatar.infer.predict import predict

MODEL = DATA / "preview.safetensors"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model():
    return load_model(MODEL)


def test_the_file_is_small_and_says_what_it_is():
    assert MODEL.stat().st_size < 12e6
    with safe_open(MODEL, framework="pt") as file:
        notes = file.metadata()
    assert notes["geometry"] == "letterbox"
    assert notes["license"] == "GPL-3.0-or-later"


def test_one_backbone_feeds_five_heads(model):
    assert model.tasks == ("pose", "seg", "normal", "pointmap", "albedo")
    height, width = model.input_size
    with torch.inference_mode():
        out = model(torch.zeros(1, 3, height, width))
    assert out["heatmaps"].shape == (1, 308, height // 4, width // 4)
    assert out["logits"].shape == (1, 29, height, width)
    assert out["scale"].shape == (1, 1)
    for name in ("normals", "pointmap", "albedo"):
        assert out[name].shape == (1, 3, height, width), name
    assert all(torch.isfinite(value).all() for value in out.values())


def test_weights_are_finite_and_trained(model):
    for name, value in model.state_dict().items():
        assert torch.isfinite(value).all(), name
    # Layer scales start at one common value; only training tells them apart.
    assert model.state_dict()["backbone.blocks.0.attn.gamma.weight"].std() > 0.003


@pytest.fixture(scope="module")
def seen(studio):
    truth = load_file(studio("body_apose"))
    return truth, predict(truth["image"], MODEL, device="cpu")


def test_a_person_is_told_from_the_wall(seen):
    """A loose bound: it tells a trained network from noise, not a good one from a better one."""
    truth, predictions = seen
    person, found = truth["seg"] > 0, predictions.seg > 0
    assert (person & found).sum() / (person | found).sum() > 0.4


def test_the_person_is_metres_away_and_faces_the_camera(seen):
    truth, predictions = seen
    both = (truth["seg"] > 0) & (predictions.seg > 0)
    depth = np.median(predictions.pointmap[both][:, 2])
    assert 0.25 < depth / np.median(truth["pointmap"][both][:, 2]) < 4
    assert predictions.normal[both][:, 2].mean() > 0.3


def test_the_body_joints_lie_near_the_body(seen):
    truth, predictions = seen
    visible = np.flatnonzero(truth["keypoints"][:15, 2] >= 1)
    far = np.linalg.norm(predictions.keypoints[0, visible, :2] - truth["keypoints"][visible, :2], axis=1)
    assert np.median(far) < 0.25 * truth["image"].shape[0]


def test_the_scan_stays_at_its_distance_where_the_normals_lead():
    """A small network's normals disagree with its depth: the shape may follow them, the person may not walk away."""
    from sapiens2_avatar.core.avatar import AvatarSettings, make_scan
    from sapiens2_avatar.core.surface.scan import ScanSettings

    predictions = predict(ROOT / "data" / "sample_photo.jpg", MODEL, device="cpu")
    seen_at = np.median(predictions.pointmap[..., 2][predictions.seg > 0])
    scan = make_scan(predictions, settings=AvatarSettings(scan=ScanSettings(detail=1.0)))
    assert np.median(scan.mesh.vertices[:, 2]) == pytest.approx(seen_at, rel=0.02)


@pytest.fixture
def tools(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    yield
    for name in [n for n in sys.modules if n == "tools" or n.startswith("tools.preview")]:
        sys.modules.pop(name)


def test_mirroring_a_sample_twice_changes_nothing(tools):
    if importlib.util.find_spec("embreex") is None:
        pytest.skip("the package embreex is not installed: training samples cannot be ray-cast")
    from tools.preview.dataset import mirror
    from tools.preview.render import SAMPLE

    rng = np.random.default_rng(0)
    samples = np.zeros(2, SAMPLE)
    samples["image"] = rng.integers(0, 256, samples["image"].shape)
    samples["seg"] = rng.integers(0, 29, samples["seg"].shape)
    samples["normal"] = rng.integers(-127, 128, samples["normal"].shape)
    samples["keypoints"] = rng.uniform(0, 190, samples["keypoints"].shape).astype(np.float32).round()
    samples["intrinsics"][:, 0, 2] = 90
    once = mirror(samples)
    assert (once["seg"] != samples["seg"]).any()
    twice = mirror(once)
    for name in SAMPLE.names:
        np.testing.assert_array_equal(twice[name], samples[name], err_msg=name)


def test_canonical_points_follow_from_depth_and_intrinsics(tools):
    if importlib.util.find_spec("embreex") is None:
        pytest.skip("the package embreex is not installed: training samples cannot be ray-cast")
    from tools.preview.dataset import to_batch
    from tools.preview.render import SAMPLE, WIDTH

    sample = np.zeros(1, SAMPLE)
    sample["intrinsics"][0] = [[400, 0, 95.5], [0, 400, 127.5], [0, 0, 1]]
    sample["depth"][0, 40, 10] = 2.0
    batch = to_batch(sample)
    x, y, z = (batch["pointmap"][0, :, 40, 10] / batch["scale"]).tolist()
    assert batch["scale"].item() == pytest.approx(WIDTH / 400)
    assert (x, y, z) == pytest.approx(((10 - 95.5) / 400 * 2, (40 - 127.5) / 400 * 2, 2.0), rel=1e-5)
