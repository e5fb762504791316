"""Poses and takes on disk: what is read is what was written, other files are refused."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Pose
from sapiens2_avatar.core.common.containers import Format, read_container, write_container
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES
from sapiens2_avatar.core.formats.clip_files import POSES, ClipPoses, load_clip_poses, load_take, save_clip_poses, save_take
from sapiens2_avatar.core.motion.take import Take


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a == b


def pose(seed: int) -> Pose:
    rng = np.random.default_rng(seed)
    surface = rng.normal(size=(308, 3)).astype(np.float32)
    surface[::3] = np.nan
    return Pose(
        JOINT_NAMES,
        rng.normal(size=(68, 3)).astype(np.float32),
        rng.random(68).astype(np.float32),
        rng.random(68) > 0.5,
        surface,
        1.7,
    )


@pytest.mark.parametrize("counts", [[1, 0, 2, 1], [0, 0], []])
def test_poses_come_back(tmp_path: Path, counts: list[int]) -> None:
    clip = ClipPoses([[pose(10 * n + k) for k in range(count)] for n, count in enumerate(counts)], 23.976, ("A note ü.",))
    again = load_clip_poses(save_clip_poses(clip, tmp_path / "poses"))
    assert again.fps == clip.fps and again.notes == clip.notes and [len(f) for f in again.frames] == counts
    for one, two in zip(clip.frames, again.frames, strict=True):
        for a, b in zip(one, two, strict=True):
            assert all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(Pose))


def take(frames: int = 5) -> Take:
    rng = np.random.default_rng(0)
    joints, turns = rng.normal(size=(2, frames, 68, 3)), rng.normal(size=(2, frames, 3, 3))
    return Take(joints[0], turns[0], joints[1], turns[1], rng.random((frames, 68)) > 0.5, np.ones(frames, bool),
                rng.random((frames, 4)) > 0.5,
                29.97, np.eye(4), ("One.", "Two."), False, fullest=3, person=1, people=2)  # fmt: skip


def test_takes_come_back_with_all_they_hold(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    face = {f.name: (rng.normal(size=5), rng.normal(size=(5, 2, 2))) for f in fields(Take) if f.name in ("face", "raw_face")}
    for made in (take(), replace(take(), **face)):
        again = load_take(save_take(made, tmp_path / "take"))
        assert all(same(getattr(made, f.name), getattr(again, f.name)) for f in fields(Take))


def test_other_files_are_refused(tmp_path: Path) -> None:
    save_take(take(), tmp_path / "take")
    with pytest.raises(SapiensError, match="take is a sapiens2-take file, not the poses of a clip"):
        load_clip_poses(tmp_path / "take")
    (tmp_path / "cut").write_bytes((tmp_path / "take").read_bytes()[:200])
    for name, sentence in (("cut", "cut is cut off, damaged or no file of "), ("none", "none does not exist")):
        with pytest.raises(SapiensError, match=sentence) as caught:
            load_take(tmp_path / name)
        assert caught.value.hint


def changed(path: Path, kind: Format, change) -> Path:
    """The same file with other content: `change` edits its arrays and strings."""
    whole = read_container(path, kind)
    change(whole.arrays, whole.strings)
    return write_container(path, kind, whole.arrays, whole.strings)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda arrays, _: arrays.pop("stature"), "not whole: it lacks stature"),
        (lambda _, strings: strings.pop("fps"), "not whole: it lacks fps"),
        (lambda _, strings: strings.update(notes="[1, "), "does not fit together"),
        (lambda _, strings: strings.update(count="1"), "does not fit together"),
        (lambda arrays, _: arrays.update(seen=arrays["confidence"]), "does not fit together: Pose.seen"),
    ],
)
def test_poses_that_do_not_fit_together_are_the_fault_of_the_file(tmp_path: Path, change, sentence: str) -> None:
    path = save_clip_poses(ClipPoses([[pose(0)], [pose(1)]], 25.0), tmp_path / "poses")
    with pytest.raises(SapiensError, match=f"poses.*{sentence}") as caught:
        load_clip_poses(changed(path, POSES, change))
    assert caught.value.hint == POSES.again
