"""What is left of processes that were killed while they wrote."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from sapiens2_avatar.core.common.atomic_files import PART, PART_HOURS, atomic_write, sweep_parts
from sapiens2_avatar.core.common.file_lock import file_lock

LONG_AGO = time.time() - PART_HOURS * 3600 - 60


def write_for_ever(path: Path, started) -> None:
    with atomic_write(path) as file:
        file.write(b"half of it")
        file.flush()
        started.set()
        time.sleep(600)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_the_part_of_a_killed_writer_goes_when_it_is_old(tmp_path) -> None:
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    writer = context.Process(target=write_for_ever, args=(tmp_path / "photo ü-0123456789abcdef.safetensors", started))
    writer.start()
    assert started.wait(60)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    (part,) = tmp_path.iterdir()
    assert PART.fullmatch(part.name)
    sweep_parts(tmp_path)
    assert part.exists(), "it could be the file of somebody who writes now"
    os.utime(part, (LONG_AGO, LONG_AGO))
    sweep_parts(tmp_path)
    assert not part.exists()


def old(path: Path) -> Path:
    path.write_bytes(b"x")
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def test_only_what_we_name_so_goes(tmp_path) -> None:
    others = [
        old(tmp_path / name)
        for name in ("photo.part", ".photo.part", ".photo.0123.part", "photo.safetensors", f".photo.{'g' * 32}.part", "a.lock")
    ]
    (tmp_path / f".folder.{'0' * 32}.part").mkdir()
    gone = old(tmp_path / f".photo.safetensors.{'0' * 32}.part")
    sweep_parts(tmp_path)
    assert not gone.exists() and all(path.exists() for path in others)
    assert (tmp_path / f".folder.{'0' * 32}.part").is_dir()
    sweep_parts(tmp_path / "missing")


def test_one_sweeps_at_a_time(tmp_path) -> None:
    part = old(tmp_path / f".photo.safetensors.{'a' * 32}.part")
    with file_lock(tmp_path / ".sweep.lock"):
        sweep_parts(tmp_path)
        assert part.exists()
    sweep_parts(tmp_path)
    assert not part.exists()
