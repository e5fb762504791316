"""The table of checkpoints and the files on this machine: found, imported, verified. No torch, no network."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.infer.settings import MODELS
from sapiens2_avatar.weights import catalogue, licence, store
from sapiens2_avatar.weights.catalogue import CHECKPOINTS, find_checkpoint, fingerprint, identify, list_models
from sapiens2_avatar.weights.header import read_header
from sapiens2_avatar.weights.store import import_model, read_provenance, verify_model

WIDTH = 8


def tensors(task, seed=0):
    """A file that the patched table takes for a released one: two parameters of the backbone and a last layer."""
    values = np.random.default_rng(seed).standard_normal((64, WIDTH)).astype(np.float32)
    prefix = "" if task == "pretrain" else "backbone."
    last = "ln1.weight" if task == "pretrain" else f"decode_head.conv_{task}.weight"
    return {
        f"{prefix}cls_token": np.zeros((1, 1, WIDTH), np.float32),
        f"{prefix}rope_embed.periods": np.ones(4, np.float32),
        last: values,
    }


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A person without weights, and a table whose 0.4b checkpoints are tiny."""
    monkeypatch.setenv("SAPIENS2_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("SAPIENS2_MODELS", raising=False)
    monkeypatch.setitem(catalogue.SIZES, "0.4b", WIDTH)
    for (model, task), checkpoint in list(CHECKPOINTS.items()):
        if model == "0.4b":
            monkeypatch.setitem(CHECKPOINTS, (model, task), replace(checkpoint, parameters=WIDTH + 64 * WIDTH))
    return tmp_path


@pytest.fixture
def accepted(machine):
    licence.accept()


def put(path, task="pose", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors(task, seed), path)
    return path


# --- the table --------------------------------------------------------------------------------------------------------


def test_table_has_what_was_released():
    published = {key for key, checkpoint in CHECKPOINTS.items() if checkpoint.repository}
    dense = {(size, task) for size in ("0.4b", "0.8b", "1b", "5b") for task in ("pose", "seg", "normal", "pointmap")}
    assert published == dense | {("1b", "matting")} | {(size, "pretrain") for size in catalogue.SIZES}
    normal = CHECKPOINTS["0.8b", "normal"]
    assert normal.repository == "facebook/sapiens2-normal-0.8b"
    assert normal.files == ("sapiens2_0.8b_normal.safetensors", "model.safetensors")
    assert normal.size == pytest.approx(3.538e9, rel=1e-3)
    assert "Meta" in normal.licence.name


def test_the_models_to_choose_from_are_those_that_see_something():
    seeing = {
        model for (model, task), checkpoint in catalogue.CHECKPOINTS.items() if task != "pretrain" and checkpoint.repository
    }
    assert {choice.value for choice in MODELS} == {catalogue.PREVIEW} | seeing
    assert set(catalogue.POSE_TASKS) < set(catalogue.TASKS)


def test_nothing_is_installed_at_first():
    rows = [row for row in list_models() if row.model != "preview"]
    assert {row.path for row in rows} == {None}
    assert [(row.model, row.task) for row in rows if row.model == "1b"] == [
        ("1b", "pose"),
        ("1b", "seg"),
        ("1b", "normal"),
        ("1b", "pointmap"),
        ("1b", "matting"),
    ]
    assert "albedo" not in {row.task for row in rows}


@pytest.mark.parametrize("model", ["2b", "", "../0.4b", "Preview"])
def test_unknown_model_is_named(model):
    with pytest.raises(SapiensError, match=r"no model named"):
        find_checkpoint(model, "pose")


def test_unknown_task_is_not_found():
    assert find_checkpoint("0.4b", "depth") is None
    assert find_checkpoint("0.4b", "matting") is None


# --- places -----------------------------------------------------------------------------------------------------------


def hub_file(tmp_path, commit="a" * 40, name="model.safetensors", task="pose"):
    return tmp_path / "hub" / f"models--facebook--sapiens2-{task}-0.4b" / "snapshots" / commit / name


def test_every_place_is_found_and_our_own_comes_first(machine):
    cached = put(hub_file(machine))
    assert find_checkpoint("0.4b", "pose") == cached
    nested = put(machine / "home/models/sapiens2_host/pose/sapiens2_0.4b_pose.safetensors")
    assert find_checkpoint("0.4b", "pose") == nested
    own = put(machine / "home/models/sapiens2_0.4b_pose.safetensors")
    assert find_checkpoint("0.4b", "pose") == own
    assert find_checkpoint("0.4b", "seg") is None
    assert find_checkpoint("0.8b", "pose") is None


def test_chosen_folder_is_searched_instead_of_ours(machine, monkeypatch):
    put(machine / "home/models/sapiens2_0.4b_pose.safetensors")
    monkeypatch.setenv("SAPIENS2_MODELS", str(machine / "server"))
    assert find_checkpoint("0.4b", "pose") is None
    chosen = put(machine / "server" / "pose" / "sapiens2_0.4b_pose.safetensors")
    assert find_checkpoint("0.4b", "pose") == chosen


def test_hub_cache_gives_the_snapshot_of_main(machine):
    put(hub_file(machine, "b" * 40), seed=1)
    wanted = put(hub_file(machine, "a" * 40, "sapiens2_0.4b_pose.safetensors"))
    refs = machine / "hub/models--facebook--sapiens2-pose-0.4b/refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    assert find_checkpoint("0.4b", "pose") == wanted


def test_broken_link_is_not_a_file(machine):
    path = hub_file(machine)
    path.parent.mkdir(parents=True)
    path.symlink_to(machine / "blob that is gone")
    assert find_checkpoint("0.4b", "pose") is None


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HF_HUB_CACHE": "/x/hub"}, "/x/hub"),
        ({"HF_HOME": "/x/hf"}, "/x/hf/hub"),
        ({"XDG_CACHE_HOME": "/x/cache"}, "/x/cache/huggingface/hub"),
    ],
)
def test_hub_cache_follows_its_variables(monkeypatch, variables, expected):
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert catalogue.hub_cache().as_posix() == expected


# --- the licence ------------------------------------------------------------------------------------------------------


def test_licence_is_asked_for_once(machine):
    source = put(machine / "usb/model.safetensors")
    with pytest.raises(SapiensError, match=r"impersonation") as caught:
        import_model(source)
    assert "--accept-license" in caught.value.hint
    assert licence.SAPIENS2_LICENCE.url in caught.value.message
    assert find_checkpoint("0.4b", "pose") is None
    assert not licence.is_accepted()
    import_model(source, accept_licence=True)
    assert licence.is_accepted()
    import_model(put(machine / "usb/seg.safetensors", "seg"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"accepted": null}', '{"accepted": {}}'])
def test_damaged_record_is_no_acceptance(machine, content):
    licence.accept()
    (machine / "home" / "licences.json").write_text(content)
    assert not licence.is_accepted()


def test_acceptance_that_cannot_be_written_is_an_error(machine):
    (machine / "home").write_text("a file in the way")
    with pytest.raises(SapiensError, match="cannot be made"):
        licence.accept()


# --- import -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("name", ["model.safetensors", "sapiens2_0.4b_pose.safetensors", "Poids échangés 1.safetensors"])
def test_file_of_any_name_is_recognised(machine, accepted, name, link):
    source = put(machine / "usb" / name)
    seen = []
    (row,) = import_model(source, link=link, progress=lambda *report: seen.append(report))
    assert (row.model, row.task) == ("0.4b", "pose")
    assert row.path == machine / "home/models/sapiens2_0.4b_pose.safetensors" == find_checkpoint("0.4b", "pose")
    assert row.path.read_bytes() == source.read_bytes()
    assert row.path.samefile(source) == link
    assert seen[-1] == ("0.4b pose", 1.0)
    assert read_provenance(row.path).source == str(source)
    assert [check.ok for check in verify_model()] == [True]
    assert sorted(p.name for p in row.path.parent.iterdir()) == [row.path.name, f"{row.path.name}.json"]


def test_folder_with_subfolders_is_taken_whole(machine, accepted):
    put(machine / "usb/pose/sapiens2_0.4b_pose.safetensors")
    put(machine / "usb/sapiens2-seg-0.4b/model.safetensors", "seg")
    put(machine / "usb/backbone/sapiens2_0.4b_pretrain.safetensors", "pretrain")
    put(machine / "usb/mine/albedo.safetensors", "albedo")
    (machine / "usb/notes.txt").write_text("not weights")
    (machine / "usb/broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    rows = import_model(machine / "usb")
    assert {row.task for row in rows} == {"pose", "seg", "pretrain", "albedo"}
    assert {row.task for row in list_models() if row.path and row.model == "0.4b"} == {"pose", "seg", "albedo"}
    assert "pretrain" in {row.task for row in list_models(pretrained=True) if row.path}


def test_importing_again_replaces(machine, accepted):
    import_model(put(machine / "usb/model.safetensors"))
    newer = put(machine / "usb/model.safetensors", seed=9)
    (row,) = import_model(newer)
    assert row.path.read_bytes() == newer.read_bytes()
    assert verify_model("0.4b")[0].ok
    assert import_model(row.path) == [row]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nothing", "There is nothing at"),
        (lambda folder: folder, "No Sapiens2 weights were found"),
        (lambda folder: _text(folder / "a.safetensors"), "cut off, damaged or no file of weights"),
        (lambda folder: _pickle(folder / "b.safetensors"), "pickled PyTorch file"),
        (lambda folder: _foreign(folder / "c.safetensors"), "no file of released Sapiens2 weights"),
    ],
)
def test_what_cannot_be_imported_is_said(machine, accepted, make, message):
    (machine / "usb").mkdir()
    with pytest.raises(SapiensError, match=message) as caught:
        import_model(make(machine / "usb"))
    assert caught.value.hint
    assert not (machine / "home/models").exists()


def _text(path):
    path.write_text("weights")
    return path


def _pickle(path):
    path.write_bytes(b"\x80\x04\x95")
    return path


def _foreign(path):
    save_file({"model.embed_tokens.weight": np.zeros((4, WIDTH), np.float32)}, path)
    return path


def test_folder_of_damaged_files_says_why(machine, accepted):
    put(machine / "usb/model.safetensors")
    content = (machine / "usb/model.safetensors").read_bytes()
    (machine / "usb/model.safetensors").write_bytes(content[:-5])
    with pytest.raises(SapiensError, match="cut off, damaged or no file of weights"):
        import_model(machine / "usb")


def test_full_disk_is_noticed_before_copying(machine, accepted, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 100))
    with pytest.raises(SapiensError, match="GB free"):
        import_model(put(machine / "usb/model.safetensors"))
    assert list((machine / "home/models").iterdir()) == []


def test_interrupted_copy_leaves_nothing(machine, accepted, monkeypatch):
    monkeypatch.setattr(store, "CHUNK", 256)

    def stop(_label, done):
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_model(put(machine / "usb/model.safetensors"), progress=stop)
    assert list((machine / "home/models").iterdir()) == []


# --- verify -----------------------------------------------------------------------------------------------------------


def test_one_flipped_bit_is_found(machine, accepted):
    (row,) = import_model(put(machine / "usb/model.safetensors"))
    content = bytearray(row.path.read_bytes())
    content[-3] ^= 1
    row.path.write_bytes(content)
    (check,) = verify_model("0.4b")
    assert not check.ok
    assert "has changed" in check.problem


def test_truncated_file_is_found(machine, accepted):
    (row,) = import_model(put(machine / "usb/model.safetensors"))
    row.path.write_bytes(row.path.read_bytes()[:-1])
    (check,) = verify_model()
    assert not check.ok
    assert "cut off, damaged or no file of weights" in check.problem


def test_wrong_network_under_a_right_name_is_found(machine):
    put(machine / "home/models/sapiens2_0.4b_pose.safetensors", task="seg")
    (check,) = verify_model()
    assert not check.ok
    assert "is not the pose file of 0.4b" in check.problem


def test_file_without_record_is_checked_without_a_hash(machine):
    put(machine / "home/models/sapiens2_0.4b_pose.safetensors")
    (check,) = verify_model()
    assert check.ok
    assert not check.recorded
    assert len(check.sha256) == 64


def test_hub_cache_names_the_hash(machine):
    """A snapshot is a link to a blob that is named by its SHA-256."""
    path = hub_file(machine)
    blob = put(machine / "hub/models--facebook--sapiens2-pose-0.4b/blobs/new")
    digest = store.hash_file(blob)
    blob = blob.rename(blob.with_name(digest))
    path.parent.mkdir(parents=True)
    path.symlink_to(blob)
    (check,) = verify_model()
    assert check.ok
    assert check.recorded
    blob.write_bytes(blob.read_bytes().replace(b"\0", b"\1", 1))
    assert not verify_model()[0].ok


def test_nothing_to_verify_is_said():
    assert verify_model() == []
    with pytest.raises(SapiensError, match=r"Nothing of 0.4b is installed"):
        verify_model("0.4b")
    with pytest.raises(SapiensError, match="no model named"):
        verify_model("nonsense")


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"sha256": "x"})])
def test_damaged_record_counts_as_none(machine, accepted, content):
    (row,) = import_model(put(machine / "usb/model.safetensors"))
    row.path.with_name(f"{row.path.name}.json").write_text(content)
    assert read_provenance(row.path) is None
    assert verify_model()[0].ok


# --- identity ---------------------------------------------------------------------------------------------------------


def test_file_is_identified_by_its_content(machine):
    for task in ("pose", "seg", "pretrain", "albedo"):
        assert identify(read_header(put(machine / "x.safetensors", task))) is CHECKPOINTS["0.4b", task]
    more = tensors("pose") | {"backbone.extra": np.zeros(3, np.float32)}
    save_file(more, machine / "x.safetensors")
    assert identify(read_header(machine / "x.safetensors")) is None


def test_fingerprint_follows_the_weights_and_not_their_place(machine):
    assert fingerprint("0.4b") == ""
    assert fingerprint(machine / "missing.safetensors") == ""
    path = put(machine / "home/models/sapiens2_0.4b_pose.safetensors")
    first = fingerprint("0.4b")
    assert len(first) == 64
    moved = put(machine / "home/models/deeper/sapiens2_0.4b_pose.safetensors")
    path.unlink()
    assert find_checkpoint("0.4b", "pose") == moved
    assert fingerprint("0.4b") == first
    assert fingerprint(moved) == first
    put(moved, seed=1)
    assert fingerprint("0.4b") != first
    put(machine / "home/models/sapiens2_0.4b_seg.safetensors", "seg")
    assert fingerprint("0.4b") not in (first, fingerprint(moved))
