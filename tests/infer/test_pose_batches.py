"""People and their mirror images go through the pose network together, as far as memory has room, and give the same as alone."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sapiens2_avatar.infer import Sapiens2  # noqa: E402
from sapiens2_avatar.infer.checkpoints import find_checkpoints  # noqa: E402
from sapiens2_avatar.infer.model.config import released_config  # noqa: E402
from sapiens2_avatar.infer.model_cache import ModelCache  # noqa: E402
from sapiens2_avatar.infer.predict import predict  # noqa: E402
from sapiens2_avatar.infer.session import TOGETHER, Session, working_bytes  # noqa: E402
from support.small_network import CONFIG, small_network  # noqa: E402

BOXES = [[5, 10, 60, 180], [50, 30, 120, 190], [110, 5, 150, 100]]
ONE = working_bytes(CONFIG, CONFIG.input_size) / TOGETHER
"""Memory in which one input has room at a time."""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return small_network(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 255, (200, 160, 3), np.uint8)


@pytest.fixture
def batches(monkeypatch):
    """Sizes of the batches of the passes for keypoints."""
    sizes, forward = [], Sapiens2.forward

    def watched(self, image, tasks=None):
        if tasks == ("pose",):
            sizes.append(len(image))
        return forward(self, image, tasks)

    monkeypatch.setattr(Sapiens2, "forward", watched)
    return sizes


def looked_at(photo, model, monkeypatch, memory, **options):
    monkeypatch.setattr(ModelCache, "total_memory", lambda models: memory)
    return predict(photo, model=model, tasks=("pose",), device="cpu", boxes=BOXES, **options).keypoints


@pytest.mark.parametrize(("room", "flip_test", "expected"), [
    (0, True, [1] * 6), (2.5, True, [2, 2, 2]), (4.5, True, [4, 2]), (100, True, [6]), (2.5, False, [2, 1]), (100, False, [3]),
])  # fmt: skip
def test_memory_says_how_many_go_together(photo, model, monkeypatch, batches, room, flip_test, expected):
    looked_at(photo, model, monkeypatch, room * ONE, flip_test=flip_test)
    assert batches == expected


@pytest.mark.parametrize("flip_test", [True, False])
def test_together_gives_what_one_by_one_gives(photo, model, monkeypatch, flip_test):
    """In float32: a hundredth of a pixel, and 1e-4 of the score. Peaks of random weights may be flat: of 97 in a hundred."""
    one, together = (
        looked_at(photo, model, monkeypatch, memory, precision="float32", flip_test=flip_test) for memory in (0, 100 * ONE)
    )
    assert np.quantile(np.abs(together - one)[..., :2], 0.97) < 0.01
    np.testing.assert_allclose(together[..., 2], one[..., 2], atol=1e-4)


@pytest.mark.parametrize(("precision", "bound"), [("float32", 1e-4), ("bfloat16", 0.05)])
def test_heatmaps_of_a_batch_are_those_of_its_inputs(model, precision, bound):
    """Bounds in standard deviations of the heatmaps: those of the rounding of the precision. Processors add up a batch in another
    order than one input, which makes up to 1.1e-5 in float32; inputs that are mixed up make 1."""
    session, checkpoint = Session("cpu", precision), find_checkpoints(model, ("pose",))["pose"]
    inputs = torch.randn(3, 3, *CONFIG.input_size, generator=torch.Generator().manual_seed(0))
    together = session.run(checkpoint, inputs, ("pose",))["heatmaps"]
    alone = torch.cat([session.run(checkpoint, part, ("pose",))["heatmaps"] for part in inputs.split(1)])
    assert (together - alone).abs().max() < bound * alone.std()


def test_a_batch_that_finds_no_memory_is_run_one_by_one(photo, model, monkeypatch):
    expected = looked_at(photo, model, monkeypatch, 0, precision="float32")
    sizes, forward = [], Sapiens2.forward

    def small_memory(self, image, tasks=None):
        if tasks == ("pose",):
            sizes.append(len(image))
        if len(image) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, image, tasks)

    monkeypatch.setattr(Sapiens2, "forward", small_memory)
    found = looked_at(photo, model, monkeypatch, 100 * ONE, precision="float32")
    assert sizes == [6, 1, 1, 1, 1, 1, 1]
    np.testing.assert_array_equal(found, expected)


def test_bytes_follow_the_size_of_the_network_and_of_the_input():
    """What was measured of pose 0.4B is 0.35 to 0.6 GB for each input."""
    pose = released_config("0.4b", "pose")
    assert 0.35e9 < working_bytes(pose, (1024, 768)) < 0.6e9
    assert working_bytes(pose, (512, 384)) == working_bytes(pose, (1024, 768)) / 4
    assert working_bytes(released_config("1b", "pose"), (1024, 768)) > working_bytes(pose, (1024, 768))
