"""A worker that stops where a test says: the product's own jobs, held at a named point until the test lets them go.

A test of a death, a cancel or a race waits until the worker *is* somewhere, not until it has had time to get there. So it asks
for a point, starts the job, waits for `reached`, and does its harm to a process that stands still.

Points are "JOB/STAGE". A job stops at "JOB/starting" before it has done anything, at each stage that it reports, after the report
has been sent, and at "JOB/writing" with a file written but not yet in its place.
A run goes through those of "predict" and "build":

    run/starting   predict/maps, people, pose, done, writing   build/camera, pose, scan, texture, rig, done

This file is both ends: `Points` for tests, in any Python, and, run as a program in place of worker/start.py, the worker. They
talk through files of one folder, since the worker's pipe belongs to the product. Nothing of this is in the extension.
"""

from __future__ import annotations

import os
import runpy
import time
from collections.abc import Callable
from functools import wraps
from inspect import signature
from pathlib import Path

EXTENSION = "SAPIENS2_TEST_EXTENSION"
"""Folder of the extension whose jobs are run."""
POINTS = "SAPIENS2_TEST_POINTS"
"""Folder in which a test says where to stop, and the worker that it has."""


class Points:
    """The test's end.

    folder   one that exists and is of this test alone
    """

    def __init__(self, folder: Path):
        self._wanted, self._reached = folder / "wanted", folder / "reached"

    @staticmethod
    def environment(folder: Path, extension: Path | None = None) -> dict[str, str]:
        """What a process must be started with to stop at points; with `extension`, a worker whose program is this file."""
        return {POINTS: str(folder)} | ({} if extension is None else {EXTENSION: str(extension)})

    def hold(self, *points: str) -> None:
        """Each time that a worker comes to one of these points it stops there. One that stands at another goes on."""
        self._reached.unlink(missing_ok=True)
        _write(self._wanted, "\n".join(points))

    @property
    def everybody(self) -> list[int]:
        """Numbers of the processes that have come to a point, in their order."""
        return [int(line) for line in _read(self._reached).splitlines(keepends=True) if line.endswith("\n")]

    @property
    def reached(self) -> int:
        """Number of the process that stands at the point, the latest one to come to it; 0 = none."""
        return (self.everybody or [0])[-1]

    def release(self) -> None:
        """Let go of a worker that stands still, and stop no other one."""
        self._wanted.unlink(missing_ok=True)
        self._reached.unlink(missing_ok=True)

    def come_to(self, point: str) -> None:
        """The worker's end: stop if this point is wanted. A worker whose parent is gone ends itself, so none waits for ever."""
        if point in _read(self._wanted).splitlines():
            with self._reached.open("a", encoding="utf-8") as file:
                file.write(f"{os.getpid()}\n")
            while point in _read(self._wanted).splitlines():
                time.sleep(0.005)


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    """Wait for a state. The seconds are a net under a test that hangs, far beyond what the slowest computer takes."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not so after {seconds:g} s")
        time.sleep(0.01)


def _read(path: Path) -> str:
    """What is in a file, nothing where there is none."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""


def _write(path: Path, text: str) -> None:
    """A reader sees all of it or nothing."""
    temporary = path.with_suffix(".new")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)


def before_replace(act: Callable[[Path], None]) -> None:
    """Call `act` with the name that a file is to get, when the whole file is written under another one."""
    replace = os.replace

    def replaced(source: str | Path, target: str | Path, **options: int) -> None:
        act(Path(target))
        replace(source, target, **options)

    os.replace = replaced


def hold_jobs(jobs: object, points: Points) -> None:
    """Put the points into the jobs of the module `worker.jobs`, in its table and where one job calls another."""
    working: list[str] = []
    """Names of the jobs that are at work, the innermost last."""

    def held(name: str, job: Callable[..., dict]) -> Callable[..., dict]:
        @wraps(job)
        def work(*arguments: object, **options: object) -> dict:
            call = signature(job).bind(*arguments, **options)
            progress = call.arguments["progress"]

            def report(stage: str, fraction: float) -> None:
                progress(stage, fraction)
                points.come_to(f"{name}/{stage}")

            call.arguments["progress"] = report
            working.append(name)
            try:
                points.come_to(f"{name}/starting")
                return job(*call.args, **call.kwargs)
            finally:
                working.pop()

        return work

    for kind, job in list(jobs.JOBS.items()):
        jobs.JOBS[kind] = held(kind.job, job)
        setattr(jobs, job.__name__, jobs.JOBS[kind])
    before_replace(lambda _target: points.come_to(f"{working[-1]}/writing" if working else ""))


def main() -> None:
    runpy.run_path(str(Path(os.environ[EXTENSION]) / "load_package.py"))
    from sapiens2_avatar.worker import jobs, server

    hold_jobs(jobs, Points(Path(os.environ[POINTS])))
    server.main()


if __name__ == "__main__":
    main()
