"""What leaves the cache, in which order, and what never does."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens2_avatar.core.formats.prediction_cache import LOG_DAYS, mark_used, prune, stored_predictions, sweep_logs


def store(folder: Path, number: int, size: int, used: float) -> Path:
    path = folder / f"photo ü-{number:016x}.safetensors"
    path.write_bytes(bytes(size))
    os.utime(path, (used, used))
    return path


def test_the_one_used_longest_ago_goes_first_and_what_is_in_use_stays(tmp_path):
    paths = [store(tmp_path, i, 100, used=1000 + i) for i in range(5)]
    mark_used(paths[1])
    assert prune(tmp_path, 300, keep={paths[0]}) == [paths[2], paths[3]]
    assert prune(tmp_path, 300, keep=set()) == []
    assert prune(tmp_path, 0, keep={paths[0], paths[4]}) == [paths[1]]
    assert [stored.path for stored in stored_predictions(tmp_path)] == [paths[0], paths[4]]


def test_other_files_in_the_folder_are_not_ours(tmp_path):
    others = [
        "sapiens2_0.4b_pose.safetensors",
        "photo.safetensors",
        "notes.txt",
        "x-0123.safetensors",
        "x-0123456789abcdeg.safetensors",
    ]
    for name in others:
        (tmp_path / name).write_bytes(bytes(100))
    (tmp_path / "folder-0123456789abcdef.safetensors").mkdir()
    store(tmp_path, 0, 10, 0)
    assert len(prune(tmp_path, 0, keep=set())) == 1
    assert {path.name for path in tmp_path.iterdir()} == {*others, "folder-0123456789abcdef.safetensors"}


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 9), st.booleans()), max_size=8), st.integers(0, 200))
def test_no_more_is_deleted_than_needed(tmp_path_factory, files, limit):
    folder = tmp_path_factory.mktemp("cache")
    paths = [store(folder, i, size, 1000 + used) for i, (size, used, _) in enumerate(files)]
    keep = {path for path, (_, _, kept) in zip(paths, files, strict=True) if kept}
    before = {stored.path: stored for stored in stored_predictions(folder)}
    deleted = prune(folder, limit, keep)
    left = stored_predictions(folder)
    total = sum(stored.size for stored in left)
    assert keep <= {stored.path for stored in left}
    assert total <= limit or {stored.path for stored in left} <= keep
    if deleted:
        last = before[deleted[-1]]
        assert total + last.size > limit
        assert all(stored.used >= last.used for stored in left if stored.path not in keep)


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert stored_predictions(tmp_path / "none") == [] and prune(tmp_path / "none", 0, set()) == []


def test_old_logs_are_swept_and_new_ones_stay(tmp_path):
    old, new, other = (tmp_path / name for name in ("worker-1.log", "worker-2.log", "notes.txt"))
    for path in (old, new, other):
        path.touch()
    now = new.stat().st_mtime
    os.utime(old, (now - LOG_DAYS * 86400 - 10,) * 2)
    os.utime(other, (0, 0))
    sweep_logs(tmp_path, now)
    assert {path.name for path in tmp_path.iterdir()} == {"worker-2.log", "notes.txt"}
