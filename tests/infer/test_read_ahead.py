"""The next network is read while one runs: with the same results, within its share of the memory, and never in the way."""

import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sapiens2_avatar.core.common.errors import Cancelled, SapiensError  # noqa: E402
from sapiens2_avatar.infer import model_cache, read_ahead  # noqa: E402
from sapiens2_avatar.infer import network_predict as predicts  # noqa: E402
from sapiens2_avatar.infer.checkpoints import Checkpoint, find_checkpoints  # noqa: E402
from sapiens2_avatar.infer.model.loading import load_model  # noqa: E402
from sapiens2_avatar.infer.model_cache import AHEAD, ModelCache  # noqa: E402
from sapiens2_avatar.infer.predict import predict  # noqa: E402
from support.small_network import small_network  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Three checkpoints in files of their own."""
    folder = tmp_path_factory.mktemp("weights")
    first = small_network(folder / "a.safetensors")
    for name in "bc":
        shutil.copyfile(first, folder / f"{name}.safetensors")
    return [Checkpoint.read(folder / f"{name}.safetensors", name) for name in "abc"]


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that are read, each with whether that was in another thread."""
    found = []

    def load(path, *arguments):
        found.append((path.stem, threading.current_thread() is not threading.main_thread()))
        return load_model(path, *arguments)

    monkeypatch.setattr(model_cache, "load_model", load)
    return found


def cache(files, free=2**40, **options):
    made = ModelCache(CPU, "bfloat16", **options)
    made.order, made.free_memory = tuple(files), lambda: free
    return made


def test_the_next_is_read_while_one_runs(files, reads):
    models = cache(files)
    for checkpoint in files:
        assert models.get(checkpoint) is models.get(checkpoint)
    assert reads == [("a", False), ("b", True), ("c", True)] and len(models) == 1
    models.clear()


@pytest.mark.parametrize(("room", "ahead"), [(1.01, True), (0.99, False)])
def test_no_more_is_read_ahead_than_its_share_of_the_free_memory(files, reads, room, ahead):
    models = cache(files)
    needed = models._bytes(files[1])
    models.free_memory = lambda: room * needed / AHEAD
    models.get(files[0])
    models.get(files[1])
    assert reads[1] == ("b", ahead)
    models.clear()


def test_photos_look_the_same_with_and_without(files, monkeypatch):
    """Two files, pose and the rest, as the released ones are one for each task."""
    photo = np.random.default_rng(0).integers(0, 255, (128, 96, 3), np.uint8)
    whole = find_checkpoints(files[0].path, None)
    split = {task: replace(c, path=files[1].path) if task == "pose" else c for task, c in whole.items()}
    monkeypatch.setattr(predicts, "find_checkpoints", lambda model, tasks: split)
    made = []
    for share in (AHEAD, 0.0):
        monkeypatch.setattr(model_cache, "AHEAD", share)
        made.append(predict(photo, model=files[0].path, device="cpu", boxes=[[10, 10, 80, 120]]))
    for name in ("seg", "normal", "pointmap", "albedo", "keypoints"):
        np.testing.assert_array_equal(getattr(made[0], name), getattr(made[1], name), name)


def test_a_damaged_next_file_is_named_when_its_turn_comes(files, tmp_path):
    broken = tmp_path / "broken.safetensors"
    shutil.copyfile(files[0].path, broken)
    models = cache([files[0], replace(files[1], path=broken)])
    models._bytes(replace(files[1], path=broken))
    with broken.open("r+b") as file:
        file.truncate(broken.stat().st_size - 1000)
    models._bytes = lambda checkpoint: 1
    models.get(files[0])
    with pytest.raises(SapiensError, match=r"broken\.safetensors"):
        models.get(models.order[1])


@pytest.fixture
def halted(monkeypatch):
    """A network that is read in a thread waits for `go`, then goes on."""
    started, go = threading.Event(), threading.Event()

    def load(path, device, dtype, stream, cancel=None):
        if cancel is None:
            return load_model(path, device, dtype, stream)
        started.set()
        go.wait(20)
        return load_model(path, device, dtype, stream, cancel)

    monkeypatch.setattr(model_cache, "load_model", load)
    return started, go


def test_what_nobody_wants_any_more_is_not_read_to_its_end(files, halted):
    started, go = halted
    models = cache(files)
    models.get(files[0])
    assert started.wait(20)
    coming = models._ahead._coming
    threading.Timer(0.05, go.set).start()
    models.clear()
    assert isinstance(coming.exception(), Cancelled) and models._ahead.take(files[1].path) is None


def test_when_memory_runs_out_nothing_is_read_ahead_any_more(files, reads):
    models = cache(files)
    models.get(files[0])
    assert models.make_room(), "the second network was in the way"
    assert not models.make_room()
    models.get(files[0])
    assert models._ahead.take(files[1].path) is None


def test_a_network_that_found_no_memory_is_read_in_its_turn(files):
    ahead = read_ahead.ReadAhead()

    def fails(stopped):
        raise MemoryError

    ahead.begin(files[0].path, fails)
    assert ahead.take(files[0].path) is None
    ahead.begin(files[0].path, lambda stopped: "network")
    assert ahead.take(files[1].path) is None and ahead.take(files[0].path) == "network"
    assert not ahead.forget()
