"""Inputs of a batch: found, hashed and named so that nothing is done twice and nothing overwrites another."""

import numpy as np
import pytest

from sapiens2_avatar.batch.items import MAX_NAME_BYTES, chunk, find_inputs, make_items, safe_name
from sapiens2_avatar.batch.plan import Plan
from sapiens2_avatar.batch.stages import InputJob, predict_group
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.predictions import Predictions


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, content in (
        ("b.png", b"b"),
        ("a.jpg", b"a"),
        ("a.png", b"a2"),
        ("deep/a.jpg", b"a3"),
        ("notes.txt", b"x"),
        (".hidden.jpg", b"h"),
    ):
        (tmp_path / "in" / name).write_bytes(content)
    return tmp_path / "in"


def test_a_folder_gives_its_photos_in_order_and_odd_entries_too(folder):
    (folder / "dir.jpg").mkdir()
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    found = [p.relative_to(folder).as_posix() for p in find_inputs(str(folder))]
    assert found == ["a.jpg", "a.png", "b.png", "deep/a.jpg", "dir.jpg", "loop.jpg"]
    errors = {item.path.name: item.error for item in make_items(find_inputs(str(folder))) if item.error}
    assert set(errors) == {"dir.jpg", "loop.jpg"} and "folder" in errors["dir.jpg"] and "could not be read" in errors["loop.jpg"]


def test_a_list_and_a_pattern_give_what_they_name(folder):
    listing = folder.parent / "list.txt"
    listing.write_text("# first\nin/b.png\n\nin/missing.jpg\n", "utf-8")
    assert [p.name for p in find_inputs(str(listing))] == ["b.png", "missing.jpg"]
    assert [p.name for p in find_inputs(str(folder / "*.jpg"))] == ["a.jpg"]
    with pytest.raises(SapiensError, match="No photo was found"):
        find_inputs(str(folder / "*.webp"))


def test_names_are_unique_and_follow_the_content_when_files_are_renamed(folder):
    first = make_items(find_inputs(str(folder)))
    assert [item.name for item in first] == ["a", "a-2", "b", "a-3"]
    (folder / "a.png").rename(folder / "z.png")
    again = make_items(find_inputs(str(folder)), known={item.sha256: item.name for item in first})
    assert {item.sha256: item.name for item in again} == {item.sha256: item.name for item in first}


def test_shares_cover_everything_once_and_keep_copies_together(folder):
    (folder / "copy.jpg").write_bytes(b"b")
    items = make_items(find_inputs(str(folder)))
    shares = [chunk(items, i, 3) for i in (1, 2, 3)]
    assert sorted(item.name for share in shares for item in share) == sorted(item.name for item in items)
    assert sum({"b", "copy"} <= {item.name for item in share} for share in shares) == 1


@pytest.mark.parametrize("text", ["é" * 200, "名" * 200, "a/b\\c:d*", "...", "\udcff\udcfe", "x" * 300])
def test_any_name_becomes_a_file_name(text, tmp_path):
    name = safe_name(text)
    assert len(name.encode("utf-8")) <= MAX_NAME_BYTES
    (tmp_path / f".{name}.safetensors.0123456789abcdef0123456789abcdef.part").write_bytes(b"x")


def test_long_names_that_differ_at_the_end_stay_different():
    assert safe_name("é" * 200 + "1") != safe_name("é" * 200 + "2")


def test_videos_are_inputs_and_folders_of_frames_where_they_are_named(tmp_path):
    for name in ("shots/a/plate/f.0001.png", "shots/a/plate/f.0002.png", "shots/b/plate/f.0001.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "shots" / "take.MOV").write_bytes(b"video")
    assert [p.name for p in find_inputs(str(tmp_path / "shots"))] == ["f.0001.png", "f.0002.png", "f.0001.png", "take.MOV"]
    plates = make_items(find_inputs(str(tmp_path / "shots" / "*" / "plate")), "{parent}")
    assert [(item.name, item.clip, item.error) for item in plates] == [("a", True, ""), ("b", True, "")]
    (tmp_path / "list.txt").write_text("shots/a/plate\nshots/take.MOV\nshots/a\n", "utf-8")
    clip, video, empty = make_items(find_inputs(str(tmp_path / "list.txt")))
    assert clip.clip and video.clip and clip.sha256 == plates[0].sha256
    assert not empty.clip and "is a folder" in empty.error
    (tmp_path / "shots" / "a" / "plate" / "f.0002.png").write_bytes(b"another")
    assert make_items([tmp_path / "shots" / "a" / "plate"])[0].sha256 != clip.sha256


def test_demo_outputs_are_predictions_and_those_of_one_photo_are_one_input(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for folder, name, values in (("seg", "one_seg", np.ones((64, 48), np.int64)), ("depth", "one_depth", np.full((64, 48), 2.0))):
        (tmp_path / "out" / folder).mkdir(parents=True)
        np.save(tmp_path / "out" / folder / f"{name}.npy", values)
    image.new("RGB", (48, 64), (90, 80, 70)).save(tmp_path / "out" / "one.png")
    np.save(tmp_path / "out" / "seg" / "lost_seg.npy", np.ones((64, 48), np.int64))
    assert [p.name for p in find_inputs(str(tmp_path))] == ["one.png"], "of a folder the photos are taken"
    depth, lost, seg = make_items(find_inputs(str(tmp_path / "out" / "*" / "*.npy")))
    assert (depth.path.name, seg.path.name) == ("one_depth.npy", "one_seg.npy") and depth.sha256 == seg.sha256 != ""
    assert "photo of lost_seg.npy was not found" in lost.error
    job = InputJob(depth, tmp_path / "results", Plan().stages(depth))
    assert [error for _, error in predict_group([job], Plan())] == [None]
    made = Predictions.load(tmp_path / "results" / "one_depth.safetensors")
    assert made.seg.all() and np.allclose(made.pointmap[..., 2], 2.0)
    np.save(tmp_path / "out" / "depth" / "one_depth.npy", np.full((64, 48), 3.0))
    assert make_items([seg.path])[0].sha256 != seg.sha256, "what lies beside it is part of the input"
    listing = tmp_path / "list.txt"
    listing.write_text("out/seg/one_seg.npy\nout/seg/none.npy\n")
    assert [bool(item.error) for item in make_items(find_inputs(str(listing)))] == [False, True]
