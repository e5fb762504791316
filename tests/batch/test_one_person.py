"""A folder of photos of one person is one input of a batch, and one avatar."""

import json
from importlib.util import find_spec

import pytest

from sapiens2_avatar.batch.items import Item, find_inputs, make_items
from sapiens2_avatar.batch.one_person import left_out, other_photos, predict_person
from sapiens2_avatar.batch.plan import PREDICT, Plan
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.predictions import Predictions


@pytest.fixture
def people(studio, tmp_path):
    """A folder with anna (two photos and one that is broken, one of them deeper) and a loose photo of somebody else."""
    folder = tmp_path / "people"
    (folder / "anna" / "close").mkdir(parents=True)
    for name, sample in (
        ("anna/2.safetensors", "frame_00"),
        ("anna/close/10.safetensors", "frame_04"),
        ("x.safetensors", "frame_07"),
    ):
        (folder / name).write_bytes(studio(f"walk/{sample}").read_bytes())
    (folder / "anna" / "1.jpg").write_bytes(b"broken")
    return folder


def test_a_folder_is_one_input_with_its_photos_in_natural_order(people):
    items = make_items(find_inputs(str(people), one_person=True), one_person=True)
    assert [(item.name, [p.name for p in item.photos], item.clip) for item in items] == [
        ("anna", ["1.jpg", "2.safetensors", "10.safetensors"], False),
        ("x", [], False),
    ]
    before = items[0].sha256
    (people / "anna" / "3.jpg").write_bytes(b"another")
    assert make_items([people / "anna"], one_person=True)[0].sha256 != before, "one photo more is another input"
    assert Plan().stages(items[0])[PREDICT] != Plan().stages(Item(people, "anna", before, clip=True))[PREDICT]


def test_what_cannot_be_used_is_named_and_the_first_good_photo_leads(people, tmp_path):
    (item, _) = make_items(find_inputs(str(people), one_person=True), one_person=True)
    broken = SapiensError("It is no image.", "Choose another.")
    files = predict_person(item, tmp_path, lambda photos: iter([broken] * len(photos)))
    assert [path.name for path in files] == ["anna.safetensors", "anna.10.safetensors"]
    first = Predictions.load(files[0])
    assert left_out(first) == ("1.jpg was left out: It is no image.",) and "focal_35mm" not in first.metadata
    assert list(other_photos(item, tmp_path, [path.name for path in files])) == ["10"]
    with pytest.raises(SapiensError, match="No photo in people can be used: It is no image"):
        predict_person(Item(people, "b", photos=item.photos[:1]), tmp_path, lambda photos: iter([broken]))


def test_two_photos_of_one_name_keep_a_file_each(people, studio, tmp_path):
    (people / "anna" / "close" / "2.safetensors").write_bytes(studio("walk/frame_01").read_bytes())
    (people / "anna" / "far").mkdir()
    (people / "anna" / "far" / "2.safetensors").write_bytes(studio("walk/frame_02").read_bytes())
    (people / "anna" / "1.jpg").unlink()
    (item, _) = make_items(find_inputs(str(people), one_person=True), one_person=True)
    files = predict_person(item, tmp_path, lambda photos: iter(()))
    assert len({path.name for path in files}) == 4 and all(path.is_file() for path in files)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("bpy") is None, reason="writing .blend files needs Blender as a module")
def test_a_batch_makes_one_avatar_of_each_folder(people, run, tmp_path):
    more = ("--one-person", "--make", "avatar", "--no-garments", "--texture-size", "0", "--no-picture")
    code, _, err = run(people, tmp_path / "out", *more)
    assert code == 0, err
    rows = {row["name"]: row for row in map(json.loads, (tmp_path / "out" / "report.jsonl").read_text("utf-8").splitlines())}
    assert rows["anna"]["files"] == ["anna.10.safetensors", "anna.blend", "anna.safetensors"] and rows["x"]["status"] == "done"
    assert any("1.jpg was left out" in note for note in rows["anna"]["notes"])
    stamp = (tmp_path / "out" / "anna" / "anna.blend").stat().st_mtime_ns
    assert run(people, tmp_path / "out", *more)[0] == 0
    assert (tmp_path / "out" / "anna" / "anna.blend").stat().st_mtime_ns == stamp
    code, _, err = run(people, tmp_path / "out", "--one-person", "--make", "scan")
    assert code == 2 and "--one-person" in err
