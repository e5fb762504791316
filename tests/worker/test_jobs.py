"""What the jobs do between the network and the stages, which are stand-ins here."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Pose
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES
from sapiens2_avatar.core.formats.clip_files import ClipPoses, load_clip_poses
from sapiens2_avatar.worker import jobs
from sapiens2_avatar.worker.requests import AnimateRequest, BuildRequest, PredictRequest, RunRequest


@pytest.mark.parametrize("seconds", [1.0, 600.0])
def test_the_time_left_is_right_for_a_fast_and_a_slow_network(monkeypatch, seconds):
    clock, seen = SimpleNamespace(now=100.0), []
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def work(length, progress):
        begin = clock.now
        for tenth in range(11):
            clock.now = begin + length * tenth / 10
            progress("working", tenth / 10)

    monkeypatch.setattr(jobs, "predict", lambda _request, progress: work(seconds, progress))
    monkeypatch.setattr(jobs, "build", lambda _request, later: work(jobs.BUILD_SECONDS, later) or {"notes": []})
    request = RunRequest(
        predict=PredictRequest(photo=Path("photo"), output=Path("predictions")),
        build=BuildRequest(predictions=Path("predictions"), name="Anna", output=Path("output")),
    )
    jobs.run(request, lambda _stage, share: seen.append((clock.now - 100.0, share)))
    total = seconds + jobs.BUILD_SECONDS
    assert seen[-1] == (pytest.approx(total), pytest.approx(1.0))
    for passed, share in seen:
        assert share == pytest.approx(passed / total)


@pytest.fixture
def looked_at(monkeypatch) -> list[str]:
    """The clips that the network has looked at; each has the same two frames of a person who stands."""
    clips = []
    rng = np.random.default_rng(0)
    count = len(JOINT_NAMES)
    points, skin = ((rng.normal(0, 0.3, (n, 3)) + np.array([0, 0, 3])).astype(np.float32) for n in (count, 308))
    pose = Pose(tuple(JOINT_NAMES), points, np.ones(count, np.float32), np.ones(count, bool), skin, 1.7)

    def look(clip, **_options):
        clips.append(clip.name)
        return ClipPoses([[pose], [pose]], 25.0, ("A note.",))

    clip_module = SimpleNamespace(clip_poses=look)
    monkeypatch.setitem(sys.modules, "sapiens2_avatar.infer.clip", clip_module)
    return clips


@pytest.mark.parametrize("damage", ["cut", "empty", "foreign"])
def test_kept_poses_that_cannot_be_read_are_made_again(looked_at, tmp_path, damage):
    kept = tmp_path / "kept"
    request = AnimateRequest(clip=Path("walk ü.mp4"), output=tmp_path / "take", poses=kept)

    def animate() -> dict:
        return jobs.animate(request, lambda _stage, _share: None)

    assert animate()["notes"][0] == "A note." and len(looked_at) == 1
    assert animate()["notes"][0] == "A note." and len(looked_at) == 1  # kept
    whole = kept.read_bytes()
    kept.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "foreign": b"\x00" * 500}[damage])
    again = animate()
    assert again["notes"][0] == "The kept poses of walk ü.mp4 could not be read: the clip was looked at again."
    assert again["frames"] == 2 and len(looked_at) == 2
    assert len(load_clip_poses(kept).frames) == 2 and "again" not in str(animate()["notes"]) and len(looked_at) == 2
