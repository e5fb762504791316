"""Which of the chosen files make one scene."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sapiens2_avatar.core.formats.import_groups import group_files, stored_name


@pytest.fixture
def tree(tmp_path):
    """photos/{a,b.c}.jpg and what the scripts write for them: a folder per task, next to each other."""
    layout = {
        "photos": ["a.jpg", "b.c.jpg", "stranger.png"],
        "out/seg": ["a_seg.npy", "b_seg.npy", "a.jpg"],
        "out/normal": ["a.npy", "b.npy"],
        "out/pointmap": ["a.ply", "a_depth.npy", "ab.ply"],
        "out/pose": [],
    }
    for folder, names in layout.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / folder / name).touch()
    frames = [{"image_name": name, "instances": []} for name in ("a.jpg", "b.c.jpg", "not here.jpg")]
    (tmp_path / "out/pose/pose_predictions.json").write_text(json.dumps({"frames": frames}))
    (tmp_path / "out/pose/unrelated.json").write_text("{")
    return tmp_path


A = {"a_seg.npy", "a.npy", "a.ply", "a_depth.npy", "pose_predictions.json"}


def names(group):
    return {path.name for path in group.files}


@pytest.mark.parametrize("chosen", ["seg/a_seg.npy", "normal/a.npy", "pointmap/a.ply", "pointmap/a_depth.npy"])
def test_one_file_brings_what_belongs_to_its_photo(tree, chosen):
    groups, problems = group_files([tree / "out" / chosen])
    assert not problems and [(g.name, g.photo) for g in groups] == [("a", tree / "out/seg/a.jpg")]
    assert names(groups[0]) == A


def test_alone_it_stays_alone(tree):
    groups, _ = group_files([tree / "out/seg/a_seg.npy"], beside=False)
    assert names(groups[0]) == {"a_seg.npy"}


def test_several_files_of_a_photo_make_one_scene(tree):
    groups, problems = group_files([tree / "out/seg/a_seg.npy", tree / "out/normal/a.npy", tree / "photos/a.jpg"], beside=False)
    assert len(groups) == 1 and names(groups[0]) == {"a_seg.npy", "a.npy"} and groups[0].photo == tree / "photos/a.jpg"
    assert not problems


def test_keypoints_make_a_scene_of_each_photo_that_is_there(tree):
    groups, problems = group_files([tree / "out/pose/pose_predictions.json", tree / "photos/b.c.jpg"])
    assert {g.name for g in groups} == {"a", "b"} and not problems
    assert next(names(g) for g in groups if g.name == "b") == {"b_seg.npy", "b.npy", "pose_predictions.json"}


def test_a_photo_that_is_named_counts_for_all(tree):
    photo = tree / "photos/stranger.png"
    groups, _ = group_files([tree / "out/seg/a_seg.npy"], photo)
    assert [g.photo for g in groups] == [photo]


def test_ours_are_scenes_of_their_own(tree):
    paths = [tree / "y.safetensors", tree / "x.safetensors"]
    groups, problems = group_files([*paths, paths[0], tree / "photos/a.jpg"])
    assert [(g.name, g.files, g.photo) for g in groups] == [("x", (paths[1],), None), ("y", (paths[0],), None)] and not problems


@pytest.mark.parametrize(
    ("file", "sentence", "hint"),
    [
        ("out/normal/lonely.npy", "The photo of lonely.npy was not found.", "lonely.jpg"),
        ("out/normal/lonely_seg.npy", "The photo of lonely_seg.npy was not found.", "lonely.jpg"),
        ("out/pose/unrelated.json", "unrelated.json is not a keypoint file", "copied whole"),
        ("notes.txt", "notes.txt is no file that can be imported.", ".npy"),
        ("photos/a.jpg", "a.jpg is a photo", "Reference"),
        ("gone.json", "gone.json is not a keypoint file", "copied whole"),
    ],
)
def test_what_belongs_nowhere_is_one_sentence(tree, file, sentence, hint):
    groups, problems = group_files([tree / file])
    assert not groups and len(problems) == 1
    assert problems[0].message.startswith(sentence) and hint in problems[0].hint


def test_a_bad_file_leaves_the_good_ones(tree):
    groups, problems = group_files([tree / "out/normal/lonely.npy", tree / "out/seg/a_seg.npy"])
    assert [g.name for g in groups] == ["a"] and len(problems) == 1


def test_stored_name_changes_with_the_files(tree):
    def name() -> str:
        return stored_name(group_files([tree / "out/seg/a_seg.npy"])[0][0])

    before = name()
    assert before == name() and before.startswith("a-")
    (tree / "out/normal/a.npy").write_text("new")
    assert name() != before


def test_missing_folder_is_no_trouble():
    groups, problems = group_files([Path("/no/such/folder/x_seg.npy")])
    assert not groups and "was not found" in problems[0].message
