"""Clips to poses: every frame counts once, in groups; stored predictions are used; what fails is noted, not fatal."""

from __future__ import annotations

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
    for n in range(10):
        Image.fromarray(made[n % 8].image).save(folder / f"f{n}.png")
    (folder / "f3.png").write_bytes(b"torn")
    Image.fromarray(GREY).save(folder / "f6.png")

    def predict_many(images, session, **options):
        assert len(images) <= clips.GROUP and set(options) == {"model", "tasks", "flip_test"}
        for image in images:
            session.meter.report("pose")
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
