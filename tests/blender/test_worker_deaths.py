"""The real jobs, killed at named points: one sentence, nothing half-written, and the next job works."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from support import held_worker

resource = pytest.importorskip("resource", reason="limits of processes are set in a Unix way")

SECONDS = 300.0
"""No wait is longer: not what is expected of any computer, but the end of a test that hangs."""

# How and where a run dies, and whether its predictions are in their place by then.
RUN = [
    ("SIGKILL", "run/starting", False),
    ("SIGKILL", "predict/maps", False),
    ("SIGKILL", "predict/writing", False),
    ("SIGKILL", "build/camera", True),
    ("SIGKILL", "build/done", True),
    ("SIGSEGV", "predict/maps", False),
    ("SIGSEGV", "build/texture", True),
    ("memory", "predict/maps", False),
    ("memory", "predict/writing", True),  # to rename a file takes none: it is the build that meets the limit
    ("memory", "build/texture", True),
    ("memory", "build/done", True),
]
BUILD = [("SIGKILL", "build/starting"), ("SIGSEGV", "build/rig"), ("memory", "build/scan")]

SENTENCES = {
    "SIGKILL": r"The system stopped the worker, most likely because memory ran out\.",
    "SIGSEGV": r"The worker stopped unexpectedly \(signal 11\)\.",
    # What asks for memory says so when there is none, or stops the process: a library may not look whether it was given any.
    "memory": r"There is not enough memory for this\.|made\.safetensors does not fit into memory\.|"
    r"The worker stopped unexpectedly \((signal (6|7|11)|exit status \d+)\)\.",
}


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


@pytest.fixture
def points(worker, part, tmp_path, monkeypatch) -> held_worker.Points:
    """Where the workers of this test stop."""
    folder = tmp_path / "points"
    folder.mkdir()
    jobs = part("jobs")
    for name, value in held_worker.Points.environment(folder, Path(jobs.__file__).parent).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(jobs, "WORKER", Path(held_worker.__file__))
    return held_worker.Points(folder)


@pytest.fixture
def out(tmp_path) -> Path:
    """The folder that jobs write to, and nobody else."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def die(worker, part, points, out, monkeypatch, how) -> Callable:
    """Function: a request, a point -> the job, whose worker has died at that point."""
    before = children()
    if how == "memory":
        # Freed arrays go back to the system at once, so that a limit meets the next array, not what an earlier one left.
        monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(1 << 16))

    def run(request: object, point: str):
        points.hold(point)
        job = worker.submit(part("worker.client").WorkerJob("Anna", request))
        held_worker.wait_until(lambda: worker.pump() or points.reached or job.ended, SECONDS)
        assert points.reached and not job.ended, (job.state, job.error, job.detail)
        # What the artist reads is where it stands; writing is no stage of its own, but the last thing of the network's part.
        stage = point.rpartition("/")[2].replace("writing", "done")
        held_worker.wait_until(lambda: worker.pump() or job.stage == stage, SECONDS)
        end(worker.worker().pid, how)
        points.release()
        worker.wait(job, SECONDS)
        assert job.state is part("worker.job").State.FAILED
        assert re.fullmatch(SENTENCES[how], job.error.message) and job.error.hint.endswith("."), (job.error, job.detail)
        assert worker.status.error is job.error and worker.current() is None
        assert how != "SIGSEGV" or "Segmentation fault" in worker.worker().log.read_text("utf-8", "replace")
        if how == "memory":
            worker.restart()  # a limit stays with the process
        assert children() <= before | {worker.worker().pid}
        return job

    return run


def quick(part, large: bool = False):
    """Settings of a build that does not take long; large: with a texture that does not fit into what was freed before it."""
    return part("core.avatar").AvatarSettings(
        make="scan",
        scan=part("core.surface.scan").ScanSettings(resolution="half"),
        texture=part("core.texture.settings").TextureSettings(bake=4096 if large else 0),
    )


def visible(folder: Path) -> set[str]:
    """What a reader of the folder takes for files: a hidden one is one that was being written."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc"),
    pytest.mark.one_blender,
]


@pytest.mark.parametrize(("how", "point", "written"), RUN)
def test_a_run_killed_at(how, point, written, die, worker, part, out):
    """Before its predictions are written there is no file, afterwards a whole one;
    either way the artist runs again and has it."""
    asked, job_class, state = part("worker.requests"), part("worker.client").WorkerJob, part("worker.job").State
    made, avatars = out / "made.safetensors", out / "avatars.safetensors"
    build = asked.BuildRequest(predictions=made, name="Anna", output=avatars, settings=quick(part, how == "memory" and written))
    photo = Path(part("jobs").__file__).parent / "data" / "sample_photo.jpg"
    look = asked.PredictRequest(photo=photo, output=made, network=asked.NetworkSettings(flip_test=False))
    run = asked.RunRequest(predict=look, build=replace(build, photo=photo))
    die(run, point)
    assert visible(out) == ({made.name} if written else set())
    # Only a process that was stopped dead while it wrote leaves what it had written, under a name that nobody reads.
    assert (how, point) == ("SIGKILL", "predict/writing") or visible(out) == {path.name for path in out.iterdir()}
    before = made.read_bytes() if written else b""
    # What Run does next: a build from what is stored, else the network again (`make_job` of the operator).
    again = worker.wait(worker.submit(job_class("Anna", build if written else run)), SECONDS)
    assert again.state is state.DONE, (again.error, again.detail)
    assert visible(out) == {made.name, avatars.name} and made.read_bytes().startswith(before)
    assert part("core.formats.avatar_file").load_avatars(avatars)[0].rig is not None
    assert worker.status.error is None


@pytest.mark.parametrize(("how", "point"), BUILD)
def test_a_build_killed_at(how, point, die, worker, part, studio, out):
    """Nothing is written, what it reads stays as it is, and the same build works afterwards."""
    job_class, state, seen = part("worker.client").WorkerJob, part("worker.job").State, studio("body_apose")
    before = seen.read_bytes()
    build = part("worker.requests").BuildRequest(
        predictions=seen, name="Anna", output=out / "avatars.safetensors", settings=quick(part)
    )
    die(build, point)
    assert not list(out.iterdir()) and seen.read_bytes() == before
    again = worker.wait(worker.submit(job_class("Anna", build)), SECONDS)
    assert again.state is state.DONE, (again.error, again.detail)
    assert part("core.formats.avatar_file").load_avatars(again.result["avatars"])[0].rig is not None
