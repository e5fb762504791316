"""A group of photos gives what each photo gives alone, and loads a checkpoint as rarely as memory allows."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image", reason="needs Pillow")

from sapiens2_avatar.core.common.errors import SapiensError  # noqa: E402
from sapiens2_avatar.infer import model_cache  # noqa: E402
from sapiens2_avatar.infer import network_predict as predicts  # noqa: E402
from sapiens2_avatar.infer.checkpoints import find_checkpoints  # noqa: E402
from sapiens2_avatar.infer.predict import predict, predict_many  # noqa: E402
from sapiens2_avatar.infer.session import Session  # noqa: E402
from support.small_network import small_network  # noqa: E402

DATA = Path(__file__).resolve().parents[2] / "data"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """One file for all tasks, with random weights."""
    return small_network(tmp_path_factory.mktemp("weights") / "small.safetensors")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two small photos of a person with a broken one between them."""
    folder = tmp_path_factory.mktemp("photos")
    image = Image.open(DATA / "sample_photo.jpg").convert("RGB").resize((96, 128))
    image.save(folder / "a.png")
    (folder / "b.png").write_bytes(b"no photo")
    image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "c.png")
    return sorted(folder.iterdir())


@pytest.fixture
def loads(monkeypatch, tmp_path, model):
    """The network as two files, pose and the rest; the names of those that are loaded."""
    found = []
    whole = find_checkpoints(model, None)
    other = tmp_path / "pose.safetensors"
    shutil.copyfile(model, other)

    def split(model, tasks):
        return {task: replace(c, path=other) if task == "pose" else c for task, c in whole.items() if not tasks or task in tasks}

    def load(path, *arguments):
        found.append(path.stem)
        return original(path, *arguments)

    original = model_cache.load_model
    monkeypatch.setattr(model_cache, "load_model", load)
    monkeypatch.setattr(predicts, "find_checkpoints", split)
    return found


def test_a_group_gives_what_each_photo_gives_alone(photos, model):
    session = Session("cpu")
    first, broken, last = predict_many(photos, session, model=model, flip_test=False)
    assert isinstance(broken, SapiensError) and "b.png" in broken.message
    for together, path in ((first, photos[0]), (last, photos[2])):
        alone = predict(path, device="cpu", model=model, flip_test=False)
        for name in ("seg", "normal", "pointmap", "keypoints", "boxes", "intrinsics"):
            np.testing.assert_array_equal(getattr(together, name), getattr(alone, name), name)
        assert together.metadata == alone.metadata


def test_results_come_as_they_are_done(photos, model):
    """The first is there before the network has seen the last, so that it can be written meanwhile."""
    session = Session("cpu")
    runs = []
    original = session.run
    session.run = lambda *arguments: runs.append(1) or original(*arguments)
    results = predict_many([photos[0], photos[2]], session, model=model, flip_test=False)
    next(results)
    before = len(runs)
    next(results)
    assert before < len(runs)


@pytest.mark.parametrize(("keep", "free", "expected"), [
    (False, 2**40, ["small", "pose", "small", "pose"]),  # once per group
    (True, 2**40, ["small", "pose"]),  # once
    (True, 0, ["small", "pose", "small", "pose"]),  # no room for two
])  # fmt: skip
def test_a_checkpoint_is_loaded_once_per_group_or_once_at_all(photos, model, loads, monkeypatch, keep, free, expected):
    session = Session("cpu", keep=keep)
    monkeypatch.setattr(session.models, "free_memory", lambda: free)
    for _ in range(2):
        assert len(list(predict_many([photos[0], photos[2]], session, model=model, flip_test=False))) == 2
    assert loads == expected


def test_when_memory_runs_out_the_others_are_freed_first(photos, model, loads, monkeypatch):
    session = Session("cpu", keep=True)
    list(predict_many(photos[:1], session, model=model, flip_test=False))
    assert len(session.models) == 2
    failed = []

    def once(self, inputs, tasks):
        if not failed:
            failed.append(tasks)
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, inputs, tasks)

    network = type(next(iter(session.models._loaded.values())))
    forward = network.forward
    monkeypatch.setattr(network, "forward", once)
    assert not isinstance(next(predict_many(photos[:1], session, model=model, flip_test=False)), SapiensError)
    assert failed
    assert loads.count("small") == 2, "what was freed is loaded again"
