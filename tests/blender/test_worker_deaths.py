"""The real jobs, killed in each of their stages: one sentence, nothing left behind, and the next job works."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="limits of processes are set in a Unix way")

SECONDS = 5.0
"""No job may hang longer after its worker is gone."""


def children() -> set[int]:
    """Processes that this one has started and that are not ended."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid() and state != "Z":
            found.add(int(entry.name))
    return found


def end(pid: int, how: str) -> None:
    """Kill the worker, or take away its memory: its next allocation fails."""
    if how == "memory":
        resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, 1 << 20))
    else:
        os.kill(pid, getattr(signal, how))


@pytest.fixture(scope="module")
def seen(studio) -> Path:
    return studio("body_apose")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGSEGV", "memory"])
def test_killed_in_each_stage(worker, part, seen, tmp_path, monkeypatch, how):
    job_class, state = part("worker.client").Job, part("worker.client").State
    build = {"predictions": str(seen), "name": "Anna", "output": str(tmp_path / "avatars.safetensors")}
    run = {**build, "predictions": str(tmp_path / "made.safetensors"), "photo": str(Path(part("jobs").__file__).parent / "data" / "sample_photo.jpg"), "model": "preview"}  # fmt: skip
    if how == "memory":
        # Freed arrays go back to the system at once, so that a limit meets the next array, not what an earlier one left.
        monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(1 << 16))
        worker.restart()
    before, stages = children(), set()
    # The shares are those of the whole job: the start, in a build its scan, texture and rig, in a run the network.
    for kind, arguments, shares in (("build", build, (0.0, 0.1, 0.5, 0.8)), ("run", run, (0.0, 0.3, 0.6))):
        for share in shares:
            for _ in range(5):
                job = worker.submit(job_class(kind, "Anna", arguments))
                until = time.monotonic() + 120
                while not job.ended and not (job.accepted and job.fraction >= share):
                    assert time.monotonic() < until, (kind, share)
                    worker.pump()
                    time.sleep(0.005)
                stages.add(job.stage)
                start = time.monotonic()
                if not job.ended:
                    end(worker.worker().pid, how)
                    worker.wait(job, 60)
                if job.state is not state.DONE:
                    break
                for made in tmp_path.glob("*"):  # it was done before it was hit: another try
                    made.unlink()
                worker.restart()
            limit = 3 * SECONDS if how == "memory" else SECONDS  # without memory the worker still has to notice
            assert job.state is state.FAILED and time.monotonic() - start < limit, (kind, share, job.state)
            assert job.error.message.endswith(".") and job.error.hint, job.error
            assert worker.status.error is job.error
            assert how != "SIGSEGV" or "Segmentation fault" in worker.worker().log.read_text("utf-8", "replace")
            assert not list(tmp_path.glob("*")), (kind, share)  # no half-written file
            if how == "memory":
                worker.restart()  # a limit stays with the process
            assert children() <= before | {worker.worker().pid}
    assert len(stages) >= 4, stages
    assert worker.wait(worker.submit(job_class("build", "Anna", build)), 120).state is state.DONE
