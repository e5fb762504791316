"""Where a photo comes from besides a file: an image of the .blend, and the clipboard."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest


@pytest.fixture
def picture(part, tmp_path):
    """Function: a (40, 30) picture of noise with this seed as RGB bytes, and a Blender image of it, not saved anywhere."""

    def make(seed: int, name: str = "Noise", as_float: bool = False) -> tuple[np.ndarray, bpy.types.Image]:
        shown = np.random.default_rng(seed).integers(0, 256, (40, 30, 3), dtype=np.uint8)
        image = bpy.data.images.new(name, 30, 40, float_buffer=as_float)
        values = part("core.common.colour").linear_from_srgb(shown) if as_float else shown.astype(np.float32) / 255
        image.pixels.foreach_set(np.dstack([values, np.ones((40, 30))])[::-1].astype(np.float32).ravel())
        return shown, image

    return make


@pytest.fixture
def clipboard(monkeypatch, picture):
    """A list, the seed of the picture in the clipboard; empty: there is none. Without a window there is no clipboard, so that
    Blender's own operator is replaced: like that one, it needs an image editor, and makes an image."""
    seeds = []

    def paste() -> set[str]:
        assert bpy.context.area.ui_type == "IMAGE_EDITOR"
        if not seeds:
            raise RuntimeError("Operator bpy.ops.image.clipboard_paste.poll() No compatible images are on the clipboard")
        picture(seeds[0], "Clipboard")
        return {"FINISHED"}

    monkeypatch.setattr(bpy.ops, "image", SimpleNamespace(clipboard_paste=paste), raising=False)
    return seeds


@pytest.fixture
def viewport():
    """Within a 3D viewport, as a click in its sidebar."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.ui_type = "VIEW_3D"
    with bpy.context.temp_override(window=window, area=area):
        yield area


def read(path: str) -> np.ndarray:
    """(H, W, 3) uint8, as Blender reads the file."""
    image = bpy.data.images.load(path)
    width, height = image.size
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return np.rint(values.reshape(height, width, -1)[::-1, :, :3] * 255).astype(np.uint8)


def test_an_image_of_the_file_becomes_a_photo(picture):
    for as_float, off in ((False, 0), (True, 1)):
        shown, image = picture(1, as_float=as_float)
        bpy.context.scene.sapiens2.image = image
        assert bpy.ops.sapiens2.photo_from_image() == {"FINISHED"}
        assert np.abs(read(bpy.context.scene.sapiens2.photo).astype(int) - shown).max() <= off


def test_an_image_that_is_a_photo_on_disk_is_taken_from_there(part, picture, tmp_path):
    file_of_image = part("operators.photo").file_of_image
    _, image = picture(1)
    for name, format, same in (("noise.png", "PNG", True), ("noise.exr", "OPEN_EXR", False)):
        path = tmp_path / name
        image.filepath_raw, image.file_format = str(path), format
        image.save()
        loaded = bpy.data.images.load(str(path))
        assert (file_of_image(loaded) == path) is same, name
    loaded = bpy.data.images.load(str(tmp_path / "noise.png"))
    loaded.pixels[0] = 0.5  # painted over, and not saved
    assert file_of_image(loaded) != tmp_path / "noise.png"


def test_pictures_are_pasted_and_each_keeps_its_file(viewport, picture, clipboard):
    settings, before = bpy.context.scene.sapiens2, set(bpy.data.images)
    pasted = []
    for seed in (1, 2):
        clipboard[:] = [seed]
        assert bpy.ops.sapiens2.photo_from_clipboard() == {"FINISHED"}
        pasted.append(settings.photo)
        assert viewport.ui_type == "VIEW_3D" and set(bpy.data.images) == before
    for seed, path in zip((1, 2), pasted, strict=True):
        shown, image = picture(seed)
        bpy.data.images.remove(image)
        assert np.array_equal(read(path), shown)


@pytest.mark.parametrize(
    ("platform", "wayland", "says"), [("linux", "", "X11"), ("linux", "wayland-0", "Copy one"), ("win32", "", "Copy one")]
)
def test_an_empty_clipboard_is_one_sentence(part, viewport, clipboard, monkeypatch, platform, wayland, says):
    monkeypatch.setattr(part("operators.photo").sys, "platform", platform)
    monkeypatch.setenv("WAYLAND_DISPLAY", wayland)
    bpy.context.scene.sapiens2.photo = "/before.jpg"
    with pytest.raises(RuntimeError, match=says):
        bpy.ops.sapiens2.photo_from_clipboard()
    assert bpy.context.scene.sapiens2.photo == "/before.jpg" and viewport.ui_type == "VIEW_3D"


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "The disk is full: .* was not written"), (errno.EACCES, "No permission to write .*png in .*photos")],
)
def test_a_picture_that_cannot_be_stored_says_why(part, viewport, clipboard, monkeypatch, number, says):
    clipboard[:] = [1]
    before = set(bpy.data.images)

    def refuse(_file: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(part("core.common.atomic_files").os, "fsync", refuse)
    with pytest.raises(RuntimeError, match=says):
        bpy.ops.sapiens2.photo_from_clipboard()
    assert set(bpy.data.images) == before and viewport.ui_type == "VIEW_3D"


def test_a_folder_that_cannot_be_made_is_named_and_nothing_lands_in_the_working_directory(
    part, viewport, clipboard, monkeypatch, tmp_path
):
    clipboard[:] = [1]
    missing = tmp_path / "nowhere" / "photos"
    # What Blender's functions say where a folder cannot be made is nothing.
    monkeypatch.setattr(bpy.utils, "extension_path_user", lambda _package, path, create: "" if create else str(missing))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=f"The folder {re.escape(str(missing))} does not exist"):
        bpy.ops.sapiens2.photo_from_clipboard()
    assert list(tmp_path.iterdir()) == []


def test_a_pasted_picture_without_pixels_says_so(viewport, monkeypatch):
    def paste() -> set[str]:
        bpy.data.images.new("Nothing", 1, 1).source = "FILE"  # of a file that is not there: 0 x 0 pixels
        return {"FINISHED"}

    monkeypatch.setattr(bpy.ops, "image", SimpleNamespace(clipboard_paste=paste), raising=False)
    with pytest.raises(RuntimeError, match="has no pixels"):
        bpy.ops.sapiens2.photo_from_clipboard()
    assert "Nothing" not in bpy.data.images


def test_without_a_window_it_is_the_window_that_is_missing(clipboard):
    clipboard[:] = [1]
    with bpy.context.temp_override(window=None, area=None), pytest.raises(RuntimeError, match="in a window only"):
        bpy.ops.sapiens2.photo_from_clipboard()


def test_more_photos_of_a_person_are_listed_once_and_forgotten_with_the_photo(picture, tmp_path):
    """A list that outlived its photo would mix two people."""
    settings = bpy.context.scene.sapiens2
    paths = [tmp_path / name for name in ("front.png", "side.png", "back.png", "notes.txt")]
    for path in paths:
        path.write_bytes(b"\x89PNG\r\n")
    settings.photo = str(paths[0])
    files = [{"name": path.name} for path in (*paths, paths[1])]
    assert bpy.ops.sapiens2.photos_add(filepath=str(paths[1]), files=files) == {"FINISHED"}
    assert [Path(photo.path).name for photo in settings.more_photos] == ["side.png", "back.png"] and settings.more_row == 1
    assert bpy.ops.sapiens2.photos_remove() == {"FINISHED"}
    assert [Path(photo.path).name for photo in settings.more_photos] == ["side.png"] and settings.more_row == 0
    settings.photo = str(paths[2])
    assert not len(settings.more_photos) and not bpy.ops.sapiens2.photos_remove.poll()


@pytest.fixture
def folder(picture, tmp_path):
    """A folder with three photos and a text."""
    for number, name in enumerate(("front.png", "side.png", "back.png")):
        image = picture(number, name)[1]
        image.filepath_raw, image.file_format = str(tmp_path / name), "PNG"
        image.save()
    (tmp_path / "list.txt").write_text("x")
    return tmp_path


def drop(folder, *names, **options):
    files = [{"name": name} for name in names]
    return bpy.ops.sapiens2.photos_drop(filepath=str(folder / names[0]), directory=str(folder), files=files, **options)


def test_photos_that_are_dropped_are_of_one_person(folder):
    settings = bpy.context.scene.sapiens2
    assert drop(folder, "front.png", "list.txt", "side.png", "back.png") == {"FINISHED"}
    assert Path(settings.photo).name == "front.png"
    assert [Path(photo.path).name for photo in settings.more_photos] == ["side.png", "back.png"]
    assert drop(folder, "side.png") == {"FINISHED"}
    assert Path(settings.photo).name == "side.png" and not len(settings.more_photos)
    with pytest.raises(RuntimeError, match=r"list\.txt is not a photo"):
        drop(folder, "list.txt")
    with pytest.raises(RuntimeError, match="None of the files is a photo"):
        drop(folder, "list.txt", "list.txt")
    assert Path(settings.photo).name == "side.png", "the former one stays"


@pytest.mark.parametrize("operator", ["photo_open", "photos_add", "photos_drop", "add_avatar"])
def test_what_is_no_photo_is_refused_and_the_choice_stays(part, worker, folder, operator):
    """A file dialog can be confirmed with anything; an error that is mended is gone."""
    settings, status = bpy.context.scene.sapiens2, part("jobs").status
    settings.photo = str(folder / "front.png")
    (folder / "words.jpg").write_text("no picture")
    refused = {"list.txt": "is not a photo", "words.jpg": "is not a photo", "gone.png": "is not in", "": "No photo was chosen"}
    for name, sentence in refused.items():
        with pytest.raises(RuntimeError, match=sentence):
            getattr(bpy.ops.sapiens2, operator)(filepath=f"{folder}{os.sep}{name}")
        assert sentence in status.error.message and status.error.hint
        assert part("panels.parts").shown_error() is status.error
        assert settings.photo == str(folder / "front.png") and not len(settings.more_photos)
    if operator != "add_avatar":  # which would make it
        assert getattr(bpy.ops.sapiens2, operator)(filepath=str(folder / "side.png")) == {"FINISHED"}
        assert status.error is None and status.failed == ""


def test_photos_that_are_dropped_are_of_several_people(part, folder, monkeypatch):
    made = []
    monkeypatch.setattr(part("operators.photos"), "make_each", lambda _context, paths: made.extend(paths))
    assert drop(folder, "front.png", "side.png", show="SEVERAL") == {"FINISHED"}
    assert [path.name for path in made] == ["front.png", "side.png"] and not len(bpy.context.scene.sapiens2.more_photos)


def test_each_photo_says_what_it_gave(part, folder):
    settings = bpy.context.scene.sapiens2
    drop(folder, "front.png", "side.png", "back.png")
    part("operators.photos").note_what_they_gave(settings, ("Something else.", "back was left out: Nobody is in it."))
    assert [photo.gave for photo in settings.more_photos] == ["Used", "Nobody is in it."]


@pytest.mark.parametrize("operator", ["photo_open", "photos_add", "add_avatar"])
def test_the_dialogs_of_photos_show_photos_alone_as_pictures(operator):
    """Blender reads both from the operator; 3 is its number for thumbnails."""
    known = getattr(bpy.ops.sapiens2, operator).get_rna_type().properties
    assert "*.jpg" in known["filter_glob"].default and "*.blend" not in known["filter_glob"].default
    assert [item.value for item in known["display_type"].enum_items] == [3]


def test_the_photo_is_chosen_in_that_dialog_and_kept_beside_the_file(part, folder, monkeypatch):
    settings = bpy.context.scene.sapiens2
    assert settings.bl_rna.properties["photo"].subtype == "NONE", "whose field has a button of Blender's"
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
    bpy.ops.sapiens2.photo_open(filepath=str(folder / "side.png"))
    assert settings.photo == "//side.png" and part("operators.photo").chosen_photo(settings) == folder / "side.png"
    monkeypatch.setattr(bpy.context.preferences.filepaths, "use_relative_paths", False)
    bpy.ops.sapiens2.photo_open(filepath=str(folder / "side.png"))
    assert settings.photo == str(folder / "side.png")
