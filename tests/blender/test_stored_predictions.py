"""Predictions and the .blend: kept beside it, moved with it, gone, and found again; photos relative to a file without a place."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
import numpy as np
import pytest


@pytest.fixture
def stored(studio, tmp_path) -> Path:
    """A predictions file as the extension's own store would have it."""
    (tmp_path / "store").mkdir()
    return Path(shutil.copy(studio("body_sit"), tmp_path / "store" / "photo-0123456789abcdef.safetensors"))


@pytest.fixture
def avatar(worker, part, stored, tmp_path) -> bpy.types.Collection:
    """An avatar of it, in a saved file in a folder of its own."""
    settings = bpy.context.scene.sapiens2
    settings.scan.resolution, settings.make = "HALF", "scan"
    assert bpy.ops.sapiens2.import_predictions(filepath=str(stored)) == {"FINISHED"}
    (tmp_path / "work").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "work" / "anna.blend"))
    return settings.avatar


def source(part, collection: bpy.types.Collection) -> str:
    return collection[part("scene.marks").SOURCE]


def test_predictions_beside_the_file_move_with_it(avatar, part, stored, tmp_path) -> None:
    assert source(part, avatar) == str(stored)
    assert bpy.ops.sapiens2.keep_predictions() == {"FINISHED"}
    assert source(part, avatar) == f"//{stored.name}" and (tmp_path / "work" / stored.name).read_bytes() == stored.read_bytes()
    assert not bpy.ops.sapiens2.keep_predictions.poll()
    bpy.ops.wm.save_mainfile()
    stored.unlink()
    (tmp_path / "work").rename(tmp_path / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved" / "anna.blend"), load_ui=False)
    found = part("avatar_queries").active_avatar(bpy.context)
    assert part("avatar_queries").active_predictions(bpy.context) == str(tmp_path / "moved" / stored.name)
    assert bpy.ops.sapiens2.build_scan() == {"FINISHED"}
    assert source(part, found) == f"//{stored.name}", "building again keeps the name that moves along"
    in_use = part("operators.stored").predictions_in_use()
    assert tmp_path / "moved" / stored.name in in_use


def test_another_file_of_that_name_is_not_overwritten(avatar, stored, tmp_path) -> None:
    (tmp_path / "work" / stored.name).write_bytes(b"mine")
    with pytest.raises(RuntimeError, match=r"Another file in .* is called"):
        bpy.ops.sapiens2.keep_predictions()
    assert (tmp_path / "work" / stored.name).read_bytes() == b"mine"


def test_an_unsaved_file_has_no_beside(worker, stored) -> None:
    bpy.context.scene.sapiens2.make = "scan"
    assert bpy.ops.sapiens2.import_predictions(filepath=str(stored)) == {"FINISHED"}
    assert not bpy.ops.sapiens2.keep_predictions.poll()


def test_predictions_that_are_gone_are_found_again(avatar, worker, part, studio, stored, tmp_path) -> None:
    """The message says what to do; only predictions of the same photo are taken."""
    elsewhere = tmp_path / "elsewhere.safetensors"
    stored.rename(elsewhere)
    with pytest.raises(RuntimeError, match=r"is not in .*store any more") as caught:
        bpy.ops.sapiens2.build_scan()
    assert "Find Predictions" in str(caught.value) + worker.status.error.hint
    with pytest.raises(RuntimeError, match="was made from another photo"):
        bpy.ops.sapiens2.find_predictions(filepath=str(studio("body_walk")))
    assert source(part, avatar) == str(stored)
    assert bpy.ops.sapiens2.find_predictions(filepath=str(elsewhere)) == {"FINISHED"}
    assert worker.status.error is None and bpy.ops.sapiens2.build_scan() == {"FINISHED"}
    assert source(part, avatar) == str(elsewhere)


def test_the_avatar_that_is_meant_is_known_by_either_name(avatar, part, stored) -> None:
    bpy.ops.sapiens2.keep_predictions()
    find = part("scene.build").find_collection
    beside = bpy.path.abspath(source(part, avatar))
    assert find(bpy.context.scene, beside) == avatar and find(bpy.context.scene, str(stored)) is None
    assert bpy.ops.sapiens2.build_scan(predictions=beside) == {"FINISHED"}
    assert len([c for c in bpy.data.collections if part("scene.marks").SOURCE in c]) == 1


def test_a_photo_relative_to_a_file_that_is_not_saved(worker, part, tmp_path) -> None:
    settings = bpy.context.scene.sapiens2
    settings.photo = "//anna.png"
    for operator in (bpy.ops.sapiens2.run, bpy.ops.sapiens2.people_find):
        with pytest.raises(RuntimeError, match=r"Where anna\.png is counts from the folder of this file"):
            operator()
    assert "Save the file" in worker.status.error.hint
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    settings.photo = "//anna.png"
    with pytest.raises(RuntimeError, match=r"anna\.png is not in .* any more"):
        bpy.ops.sapiens2.people_find()
    (tmp_path / "anna.png").write_bytes(part("scene.image").png_bytes(np.zeros((64, 64, 3), np.uint8)))
    assert part("operators.photo").chosen_photo(settings) == tmp_path / "anna.png"
