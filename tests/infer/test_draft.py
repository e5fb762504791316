"""A draft looks at half the resolution, means the same metres, and is never taken for anything else."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sapiens2_avatar.core.capture.provenance import is_draft  # noqa: E402
from sapiens2_avatar.core.common.predictions import Predictions  # noqa: E402
from sapiens2_avatar.infer import Sapiens2  # noqa: E402
from sapiens2_avatar.infer.draft import draft_size  # noqa: E402
from sapiens2_avatar.infer.model.config import BackboneConfig, HeadConfig, Sapiens2Config  # noqa: E402
from sapiens2_avatar.infer.predict import predict, predict_many  # noqa: E402
from sapiens2_avatar.infer.session import Session  # noqa: E402
from support.small_network import small_network  # noqa: E402

HEIGHT, WIDTH, FOCAL = 256, 192, 300.0
"""Of the small network and, with no bars, of the photo; focal length in pixels."""
BOX = [[20, 20, 170, 230]]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_network(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)


@pytest.fixture
def inputs(monkeypatch):
    """Sizes of the inputs of all passes."""
    sizes, forward = [], Sapiens2.forward

    def watched(self, image, tasks=None):
        sizes.append(tuple(image.shape[2:]))
        return forward(self, image, tasks)

    monkeypatch.setattr(Sapiens2, "forward", watched)
    return sizes


@pytest.mark.parametrize(
    ("size", "token_side", "half"),
    [((1024, 768), 16, (512, 384)), ((4096, 3072), 64, (2048, 1536)), ((272, 208), 16, (128, 96)), ((16, 16), 16, (16, 16))],
)
def test_half_the_size_in_whole_tokens(size, token_side, half):
    found = draft_size(size, token_side)
    assert found == half and not any(side % token_side for side in found)


def test_every_pass_of_a_draft_is_at_half_the_resolution(model, photo, inputs):
    full = predict(photo, model=model, device="cpu", boxes=BOX)
    assert set(inputs) == {(HEIGHT, WIDTH)} and not is_draft(full)
    inputs.clear()
    draft = predict(photo, model=model, device="cpu", boxes=BOX, draft=True)
    assert set(inputs) == {(HEIGHT // 2, WIDTH // 2)} and is_draft(draft)
    for name in ("seg", "normal", "pointmap", "albedo", "alpha", "keypoints", "boxes", "intrinsics"):
        assert getattr(draft, name).shape == getattr(full, name).shape, name


def test_the_session_of_many_photos_says_that_they_are_drafts(model, photo):
    alone = predict(photo, model=model, device="cpu", draft=True, tasks=("pose", "seg"))
    (together,) = predict_many([photo], Session("cpu", draft=True), model=model, tasks=("pose", "seg"))
    assert is_draft(together) and together.metadata == alone.metadata
    np.testing.assert_array_equal(together.keypoints, alone.keypoints)


@pytest.fixture
def plane(monkeypatch):
    """In the place of the network: one that sees a tilted plane, at each resolution the same, with its canonical points."""

    def forward(self, image, tasks=None):
        rows, columns = image.shape[2:]
        y, x = ((torch.arange(n, dtype=torch.float32) + 0.5) / n for n in (rows, columns))
        x, y = (x[None, :] - 0.5) * WIDTH / FOCAL, (y[:, None] - 0.5) * HEIGHT / FOCAL
        z = 2 / (1 - 0.3 * x - 0.2 * y)
        points = torch.stack([x * z, y * z, z])[None] * 768 / FOCAL
        logits = torch.full((1, 29, rows, columns), -10.0)
        logits[:, 3] = 10
        return {"pointmap": points, "scale": torch.tensor([[768 / FOCAL]]), "logits": logits}

    monkeypatch.setattr(Sapiens2, "forward", forward)


@pytest.mark.parametrize("boxes", [BOX, [[90, 100, 130, 150]]], ids=["whole", "window"])
def test_metres_and_lens_of_a_draft_are_those_of_the_network(model, photo, plane, boxes):
    """Canonical points are meant for the trained input: counted in the draft's pixels, the plane would be half as far away."""
    full, draft = (
        predict(photo, model=model, device="cpu", tasks=("seg", "pointmap"), boxes=boxes, draft=d) for d in (False, True)
    )
    np.testing.assert_allclose(draft.intrinsics, full.intrinsics, rtol=1e-5)
    if boxes is BOX:
        np.testing.assert_allclose(draft.intrinsics[0, 0], FOCAL, rtol=1e-5)
    both = (full.pointmap[..., 2] > 0) & (draft.pointmap[..., 2] > 0)
    both[[0, -1]] = both[:, [0, -1]] = False
    assert both.sum() > 500
    error = np.linalg.norm(draft.pointmap - full.pointmap, axis=-1)[both]
    assert error.max() < 0.03 and np.median(error) < 0.002


@torch.inference_mode()
def test_the_scale_branch_reads_a_draft_in_the_cells_of_the_training():
    """Its linear layers have as many inputs as the trained cells, and know where each is."""
    torch.manual_seed(0)
    head = HeadConfig("pointmap", (8,), (), scale_convs=(8, 8, 8), scale_hidden=(8,))
    backbone = BackboneConfig(width=32, depth=1, heads=2, ffn_width=64)
    network = Sapiens2(Sapiens2Config(backbone, (head,), (256, 192))).head("pointmap")
    features = torch.randn(1, 32, 8, 6)
    resampled = torch.nn.functional.interpolate(features, (16, 12), mode="bilinear", align_corners=False)
    assert torch.equal(network.scale(features), network.scale(resampled))


def test_what_a_draft_was_is_in_its_file(model, photo, tmp_path):
    made = predict(photo, model=model, device="cpu", tasks=("pose",), boxes=BOX, draft=True)
    assert is_draft(Predictions.load(made.save(tmp_path / "a.safetensors")))
