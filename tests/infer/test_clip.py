"""Clips to poses: every frame counts once, in groups; stored predictions are used; what fails is noted, not fatal."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sapiens2_avatar.core.common.errors import Cancelled, SapiensError
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.infer import clip as clips
from sapiens2_avatar.infer.clip import clip_poses

OPTIONS = {"model": "preview", "flip_test": False, "device": "cpu", "tasks": ("pose", "seg", "normal", "pointmap")}
GREY = np.full((288, 384, 3), 128, np.uint8)


@pytest.fixture
def pictures(studio, tmp_path, monkeypatch) -> Path:
    """Ten frames of the walk, one torn, one without anybody; in the place of the network, the predictions that belong to them."""
    folder = tmp_path / "pictures ü"
    folder.mkdir()
    made = [Predictions.load(studio(f"walk/frame_{n:02d}")) for n in range(8)]
    made += [replace(frame, image=frame.image ^ (np.indices(frame.image.shape).sum(0) == 0)) for frame in made[:2]]
    for n in range(10):  # no two pictures are the same
        Image.fromarray(made[n].image).save(folder / f"f{n}.png")
    (folder / "f3.png").write_bytes(b"torn")
    Image.fromarray(GREY).save(folder / "f6.png")

    def predict_many(images, session, **options):
        assert len(images) <= clips.GROUP and set(options) == {"model", "tasks", "flip_test"}
        for image in images:
            found = [m for m in made if np.array_equal(m.image, image)]
            yield found[0] if found else SapiensError("No person was found in it.")

    monkeypatch.setattr("sapiens2_avatar.infer.predict.predict_many", predict_many)
    return folder


def test_a_folder_of_pictures(pictures, tmp_path, monkeypatch) -> None:
    stages: list[tuple[str, float]] = []
    best, keep = tmp_path / "best.safetensors", tmp_path / "kept"
    keep.mkdir()
    found = clip_poses(pictures, keep=keep, best=best, progress=lambda *stage: stages.append(stage), **OPTIONS)
    assert [len(frame) for frame in found.frames] == [1, 1, 1, 0, 1, 1, 0, 1, 1, 1] and found.fps == 25
    assert any("f3.png" in note for note in found.notes) and "Frame 7: No person was found in it." in found.notes
    shares = [share for stage, share in stages if stage.startswith("frame")]
    assert (
        shares == sorted(shares) and shares[-1] >= 0.8 and {stage for stage, _ in stages} >= {"frame 2 of 10", "frame 10 of 10"}
    )
    assert Predictions.load(best).keypoints is not None
    assert len(list(keep.iterdir())) == 8

    def unused(images, *_, **__):
        assert [np.array_equal(image, GREY) for image in images] == [True]  # the only picture of which nothing is kept
        return iter([SapiensError("No person was found in it.")])

    monkeypatch.setattr("sapiens2_avatar.infer.predict.predict_many", unused)
    again = clip_poses(pictures, keep=keep, **OPTIONS)
    for one, two in zip(found.frames, again.frames, strict=True):
        assert len(one) == len(two) and all(np.array_equal(a.positions, b.positions) for a, b in zip(one, two, strict=True))


def test_groups_do_not_change_the_poses(studio, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "stored"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.safetensors").write_bytes(studio(f"walk/frame_0{n}").read_bytes())
    whole = clip_poses(folder, fps=8)
    monkeypatch.setattr(clips, "GROUP", 1)
    single = clip_poses(folder, fps=8)
    for one, two in zip(whole.frames, single.frames, strict=True):
        assert np.abs(one[0].positions - two[0].positions).max() < 2e-3
    assert [len(f) for f in clip_poses(folder, fps=8, start=0.1, end=0.3).frames] == [1, 1]


def test_nobody_and_cancelling(pictures, tmp_path) -> None:
    for path in pictures.iterdir():
        if path.name != "f6.png":
            path.unlink()
    with pytest.raises(SapiensError, match=r"No person was found in pictures ü\. Frame 1: No person"):
        clip_poses(pictures, **OPTIONS)

    def stop(stage: str, _share: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        clip_poses(pictures, progress=stop, **OPTIONS)
    with pytest.raises(SapiensError, match="no frames in"):
        clip_poses(tmp_path / "pictures ü" / "..", **OPTIONS)


@pytest.fixture
def counted(monkeypatch) -> list[np.ndarray]:
    """In the place of the network: predictions that hold the picture alone; the pictures that it was given."""
    asked: list[np.ndarray] = []

    def predict_many(images, session, **options):
        asked.extend(images)
        yield from (Predictions(image) for image in images)

    monkeypatch.setattr("sapiens2_avatar.infer.predict.predict_many", predict_many)
    return asked


def looked_at(source: Path, keep: Path, **options) -> list[np.ndarray | None]:
    """The picture that each frame's predictions are about."""
    clip = clips.open_clip(source, options.pop("fps", None), options.pop("start", 0.0), options.pop("end", float("inf")))
    found = clips._predicted(clip, source, keep, [], lambda *_: None, OPTIONS | options)
    return [None if made is None else made.image for _, made in sorted(found, key=lambda frame: frame[0])]


def folder_of(path: Path, shades) -> Path:
    path.mkdir(parents=True)
    for n, shade in enumerate(shades):
        Image.fromarray(np.full((40, 48, 3), shade, np.uint8)).save(path / f"{n}.png")
    return path


def shades(images) -> list[int]:
    return [int(image[0, 0, 0]) for image in images]


def test_kept_frames_are_those_of_the_picture(counted, tmp_path) -> None:
    """Two clips of one name, another range, another rate: each frame has the predictions of its own picture."""
    keep = tmp_path / "kept"
    keep.mkdir()
    one, other = folder_of(tmp_path / "a" / "walk", [10, 20, 30]), folder_of(tmp_path / "b" / "walk", [90, 20, 80])
    assert shades(looked_at(one, keep)) == [10, 20, 30]
    assert shades(looked_at(other, keep)) == [90, 20, 80]
    assert shades(looked_at(one, keep, fps=10.0, start=0.15)) == [30]
    assert shades(looked_at(one, keep, fps=10.0, start=0.05, end=0.15)) == [20]
    assert shades(counted) == [10, 20, 30, 90, 80], "nothing twice"
    assert len(list(keep.iterdir())) == 5


@pytest.mark.parametrize(
    "change", [{"flip_test": True}, {"tasks": ("pose",)}, {"precision": "float32"}, {"model": "other"}, {"draft": True}]
)
def test_kept_frames_are_those_of_the_options(counted, tmp_path, monkeypatch, change) -> None:
    monkeypatch.setattr("sapiens2_avatar.infer.kept_frames.fingerprint", str)
    keep, source = tmp_path / "kept", folder_of(tmp_path / "walk", [10, 20])
    keep.mkdir()
    looked_at(source, keep)
    looked_at(source, keep, **change)
    assert shades(counted) == [10, 20, 10, 20]
    looked_at(source, keep, **change)
    assert len(counted) == 4 and len(list(keep.iterdir())) == 4


def test_other_weights_of_the_same_name_are_another_model(counted, tmp_path, monkeypatch) -> None:
    keep, source = tmp_path / "kept", folder_of(tmp_path / "walk", [10])
    keep.mkdir()
    for weights in ("first", "second", "first"):
        monkeypatch.setattr("sapiens2_avatar.infer.kept_frames.fingerprint", lambda model, weights=weights: weights)
        looked_at(source, keep)
    assert len(counted) == 2


def test_a_kept_frame_that_is_cut_is_made_again(counted, tmp_path) -> None:
    keep, source = tmp_path / "kept", folder_of(tmp_path / "walk", [10])
    keep.mkdir()
    looked_at(source, keep)
    (file,) = keep.iterdir()
    file.write_bytes(file.read_bytes()[:50])
    (keep / "notes.txt").write_text("the artist's")
    assert shades(looked_at(source, keep)) == [10] and len(counted) == 2
    assert Predictions.load(file).image[0, 0, 0] == 10 and len(list(keep.iterdir())) == 2


def test_what_a_killed_worker_left_in_the_folder_goes(counted, tmp_path) -> None:
    keep, source = tmp_path / "kept", folder_of(tmp_path / "walk", [10])
    keep.mkdir()
    part = keep / f".walk-000000.safetensors.{'0' * 32}.part"
    part.write_bytes(b"half")
    os.utime(part, (0, 0))
    looked_at(source, keep)
    assert not part.exists()
