"""The predictions file: what goes in comes out, and whatever else lies there ends in one sentence."""

import errno
import json
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save, save_file

from sapiens2_avatar.core.common import atomic_files
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.predictions import Predictions, load_predictions, save_predictions

H, W = 12, 8
KEYS = ("image", "pointmap", "normal", "albedo", "seg", "alpha", "keypoints", "boxes", "intrinsics")


def arrays():
    rng = np.random.default_rng(0)
    return {
        "image": rng.integers(0, 255, (H, W, 3), np.uint8),
        "pointmap": rng.random((H, W, 3), np.float32) + 1,
        "normal": rng.random((H, W, 3)).astype(np.float16),
        "albedo": rng.integers(0, 255, (H, W, 3), np.uint8),
        "seg": rng.integers(0, 29, (H, W), np.uint8),
        "alpha": rng.integers(0, 255, (H, W), np.uint8),
        "keypoints": rng.random((2, 308, 3), np.float32),
        "boxes": np.array([[0, 0, 4, 11], [4, 0, 7, 11]], np.float32),
        "intrinsics": np.array([[900, 0, 3.5], [0, 900, 5.5], [0, 0, 1]], np.float32),
    }


@pytest.fixture
def predictions():
    return Predictions(
        **arrays(), metadata={"source": "größe 写真.jpg", "sha256": "ab", "models": json.dumps({"seg": "preview"})}
    )


def test_round_trip(predictions, tmp_path):
    path = predictions.save(tmp_path / "größe.safetensors")
    again = Predictions.load(str(path))
    for key in KEYS:
        saved, loaded = getattr(predictions, key), getattr(again, key)
        assert saved.dtype == loaded.dtype, key
        assert (saved == loaded).all(), key
    assert again.metadata == {"format": "sapiens2-predictions", "version": "1", **predictions.metadata}


def test_other_programs_read_it(predictions, tmp_path):
    """safetensors itself, which checks offsets and alignment."""
    loaded = load_file(predictions.save(tmp_path / "p.safetensors"))
    assert sorted(loaded) == sorted(KEYS)
    assert all((loaded[key] == getattr(predictions, key)).all() for key in KEYS)
    with (tmp_path / "p.safetensors").open("rb") as file:
        assert struct.unpack("<Q", file.read(8))[0] % 8 == 0


def test_same_predictions_same_bytes(predictions, tmp_path):
    """The order in which metadata and keys were made does not matter."""
    a = predictions.save(tmp_path / "a.safetensors").read_bytes()
    turned = Predictions(**dict(reversed(arrays().items())), metadata=dict(reversed(predictions.metadata.items())))
    assert turned.save(tmp_path / "b.safetensors").read_bytes() == a


@given(
    st.integers(2, 40),
    st.integers(2, 40),
    st.sets(st.sampled_from(KEYS[1:])),
    st.dictionaries(st.text(max_size=9), st.text(max_size=9)),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_size_any_keys(tmp_path, height, width, keys, metadata):
    full = arrays()
    maps = {k: np.resize(full[k], (height, width, *full[k].shape[2:])) for k in KEYS[:6]} | {k: full[k] for k in KEYS[6:]}
    chosen = {k: v for k, v in maps.items() if k in keys or k == "image"}
    strings = {k: v for k, v in metadata.items() if k not in ("format", "version")}
    again = load_predictions(save_predictions(Predictions(**chosen, metadata=strings), tmp_path / "p.safetensors"))
    for key in KEYS:
        if key in chosen:
            assert (getattr(again, key) == chosen[key]).all()
        else:
            assert getattr(again, key) is None
    assert again.metadata.items() >= strings.items()


def test_normals_are_stored_as_half_floats(tmp_path):
    changed = arrays()
    changed["normal"] = changed["normal"].astype(np.float32)
    changed["pointmap"] = changed["pointmap"].astype(np.float16)
    loaded = load_file(save_predictions(Predictions(**changed), tmp_path / "p.safetensors"))
    assert loaded["normal"].dtype == np.float16
    assert loaded["pointmap"].dtype == np.float16


def test_files_made_by_hand(tmp_path):
    """No metadata, one person's keypoints, double precision, labels as integers, keys of others."""
    changed = arrays()
    changed |= {"keypoints": changed["keypoints"][0], "seg": changed["seg"].astype(np.int64), "mine": np.zeros(3),
                "pointmap": changed["pointmap"].astype(np.float64)}  # fmt: skip
    del changed["boxes"]
    save_file(changed, tmp_path / "p.safetensors")
    loaded = load_predictions(tmp_path / "p.safetensors")
    assert loaded.keypoints.shape == (1, 308, 3)
    assert loaded.seg.dtype == np.uint8
    assert loaded.pointmap.dtype == np.float32


def test_studio_samples(studio):
    for name in ("body_apose", "face_a.degraded"):
        loaded = load_predictions(studio(name))
        assert loaded.keypoints.shape == (1, 308, 3)
        assert loaded.pointmap.shape == loaded.image.shape


# ------------------------------------------------------------------------------------------------ bad files


def refused(path, sentence):
    with pytest.raises(SapiensError, match=sentence) as caught:
        load_predictions(path)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def changed(key, value):
    return lambda content: content.__setitem__(key, value)


BAD_CONTENT = {
    "no image": (lambda c: c.pop("image"), "has no image"),
    "another size": (changed("seg", np.zeros((H, W + 1), np.uint8)), "seg has shape"),
    "transposed": (changed("pointmap", np.ones((3, H, W), np.float32)), "pointmap has shape"),
    "a fourth channel": (changed("image", np.zeros((H, W, 4), np.uint8)), "image has shape"),
    "image of floats": (changed("image", np.zeros((H, W, 3), np.float32)), "image has the type float32"),
    "wide image": (changed("image", np.full((H, W, 3), 9, np.uint16)), "image has the type uint16"),
    "pointmap of integers": (changed("pointmap", np.ones((H, W, 3), np.int32)), "pointmap has the type int32"),
    "17 keypoints": (changed("keypoints", np.ones((17, 3), np.float32)), "keypoints has shape"),
    "people do not match": (changed("boxes", np.ones((5, 4), np.float32)), "boxes has shape"),
    "label 29": (changed("seg", np.full((H, W), 29, np.uint8)), "label 29"),
    "negative label": (changed("seg", np.full((H, W), -1, np.int32)), "seg has the type int32"),
    "pointmap nan": (changed("pointmap", np.full((H, W, 3), np.nan, np.float32)), "pointmap has no finite value"),
    "pointmap behind": (changed("pointmap", np.full((H, W, 3), -1, np.float32)), "no point in front of the camera"),
    "normal nan": (changed("normal", np.full((H, W, 3), np.nan, np.float16)), "normal has no finite value"),
    "keypoints nan": (changed("keypoints", np.full((2, 308, 3), np.nan, np.float32)), "keypoints has no finite value"),
    "no camera": (changed("intrinsics", np.zeros((3, 3), np.float32)), "no camera matrix"),
    "camera nan": (changed("intrinsics", np.full((3, 3), np.nan, np.float32)), "no camera matrix"),
    "no pixels": (lambda c: (c.clear(), c.update(image=np.zeros((0, 0, 3), np.uint8))), "no pixels"),
    "weights": (lambda c: (c.clear(), c.update({"backbone.cls_token": np.zeros((1, 1, 8), np.float32)})), "has no image"),
}


@pytest.mark.parametrize("case", BAD_CONTENT)
def test_wrong_content(case, tmp_path):
    change, sentence = BAD_CONTENT[case]
    content = arrays()
    change(content)
    save_file(content, tmp_path / "bad.safetensors")
    refused(tmp_path / "bad.safetensors", sentence)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"format": "sapiens2-avatars"}, "is a sapiens2-avatars file"),
        ({"format": "pt"}, "is a pt file"),
        ({"version": "2"}, "newer version"),
    ],
)
def test_files_of_others(tmp_path, metadata, sentence):
    save_file(arrays(), tmp_path / "bad.safetensors", metadata)
    refused(tmp_path / "bad.safetensors", sentence)


def test_not_safetensors(tmp_path):
    path = tmp_path / "bad.safetensors"
    whole = save(arrays())
    for content in (
        b"",
        b"abc",
        b"hello, this is text and not a predictions file",
        pickle.dumps(arrays()),
        whole[: len(whole) // 2],
        whole[:20],
        whole[:-1],
        whole + b"more",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 90_000_000) + b"{}",
        struct.pack("<Q", 2) + b"[]",
    ):
        path.write_bytes(content)
        refused(path, "bad.safetensors is cut off, damaged or no file of predictions")
    refused(tmp_path / "none.safetensors", "does not exist")
    refused(tmp_path, "is a folder")


def header_file(path, image):
    text = json.dumps({"image": image}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(64))


@pytest.mark.parametrize(
    "image",
    [
        {"dtype": "U8", "shape": [10**9, 10**9, 3], "data_offsets": [0, 64]},
        {"dtype": "U8", "shape": [2**63, 2, 3], "data_offsets": [0, 64]},
        {"dtype": "U8", "shape": [-4, -4, 4], "data_offsets": [0, 64]},
        {"dtype": "U8", "shape": [4, 4, 4], "data_offsets": [64, 0]},
        {"dtype": "U8", "shape": [4, 4, 4], "data_offsets": [0, 10**15]},
        {"dtype": "Q9", "shape": [4, 4, 4], "data_offsets": [0, 64]},
        {"dtype": "BF16", "shape": [2, 4, 4], "data_offsets": [0, 64]},
        {"dtype": "F8_E4M3", "shape": [4, 4, 4], "data_offsets": [0, 64]},
    ],
)
def test_headers_that_lie(tmp_path, image):
    header_file(tmp_path / "bad.safetensors", image)
    refused(tmp_path / "bad.safetensors", "bad.safetensors")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8), st.integers(0, 2))
def test_damage_gives_predictions_or_a_sentence(tmp_path, changes, where):
    """Bytes changed in the length, in the header or anywhere: never another exception."""
    data = bytearray(save(arrays()))
    span = (8, 8 + struct.unpack("<Q", data[:8])[0], len(data))[where]
    for place, value in changes:
        data[int(place * span)] = value
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(data)
    try:
        load_predictions(path)
    except SapiensError as error:
        assert error.hint


# ------------------------------------------------------------------------------------------------ writing


def failing(number):
    def fail(*arguments):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "The disk is full"), (errno.EDQUOT, "The disk is full"), (errno.EIO, "could not be written")],
)
def test_a_full_disk_leaves_what_was_there(predictions, tmp_path, monkeypatch, number, sentence):
    path = predictions.save(tmp_path / "p.safetensors")
    before = path.read_bytes()
    monkeypatch.setattr(atomic_files.os, "fsync", failing(number))
    with pytest.raises(SapiensError, match=sentence):
        predictions.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["p.safetensors"]


def test_a_really_full_disk(predictions):
    """/dev/full accepts nothing; it stands in for the temporary file."""
    if not os.path.exists("/dev/full"):  # noqa: PTH110
        pytest.skip("no /dev/full on this system")
    with pytest.raises(SapiensError, match="The disk is full"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic_files.Path, "open", lambda path, mode: open("/dev/full", "wb"))  # noqa: PTH123, SIM115
        patch.setattr(atomic_files.Path, "unlink", lambda path, missing_ok: None)
        predictions.save("p.safetensors")


def test_no_permission_to_write(predictions, tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_files.Path, "open", failing(errno.EACCES))
    with pytest.raises(SapiensError, match="No permission to write"):
        predictions.save(tmp_path / "p.safetensors")


def test_no_such_folder(predictions, tmp_path):
    with pytest.raises(SapiensError, match="does not exist"):
        predictions.save(tmp_path / "nowhere" / "p.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(SapiensError):
        predictions.save(tmp_path / "folder.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["folder.safetensors"]


def test_a_killed_writer_leaves_no_half_file(predictions, tmp_path):
    """The name appears only when all is written."""
    path = tmp_path / "p.safetensors"
    with pytest.raises(KeyboardInterrupt), atomic_files.atomic_write(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(SapiensError, match="in the way"), atomic_files.atomic_write(pipe) as file:
        file.write(b"x")
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]
