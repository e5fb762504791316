"""What the operators that wait for the worker share: modal in a window, blocking in background and from scripts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import bpy
from bpy.types import Context, Event, Operator

from .. import jobs
from ..core.common.errors import SapiensError
from ..worker.client import WorkerJob
from ..worker.job import JobOfKind, State

BUSY = "Another job is running: wait for its end, or cancel it"


class Idle:
    """Mix in before `bpy.types.Operator`: an operator that has to wait until the running job has ended."""

    @classmethod
    def poll(cls: type[Operator], _context: Context) -> bool:
        if jobs.current() is not None:
            cls.poll_message_set(BUSY)
            return False
        return True


class Queues:
    """Mix in before `bpy.types.Operator`: an operator whose job waits its turn behind that of the worker,
    but not behind an installation."""

    @classmethod
    def poll(cls: type[Operator], _context: Context) -> bool:
        running = jobs.current()
        if running is not None and running.exclusive:
            cls.poll_message_set(BUSY)
            return False
        return True


def submit(operator: Operator, job: JobOfKind, start: Callable[[JobOfKind], JobOfKind] = jobs.submit) -> set[str]:
    """Start a job that writes nothing into the scene: in a window the timer looks after it, background waits.

    start  `jobs.submit` for the worker, `jobs.start` for a thread
    """
    try:
        start(job)
        if bpy.app.background:
            jobs.wait(job)
        if job.state is State.FAILED:
            raise job.error
    except SapiensError as error:
        return fail(operator, error)
    return {"FINISHED"}


def fail(operator: Operator, error: SapiensError, level: str = "ERROR") -> set[str]:
    """Say what went wrong in Blender's own place, and keep it in the panel.
    An "ERROR" raises in scripts, and pops up in a window."""
    jobs.status.error = error
    operator.report({level}, str(error))
    return {"CANCELLED"}


class JobOperator:
    """Mix in before `bpy.types.Operator`, and define `make_job` and `finish`."""

    _job: WorkerJob | None = None
    _timer = None
    _scratch: Path | None = None

    def make_job(self, context: Context, scratch: Path) -> WorkerJob:
        """The job for the worker; its files go into `scratch`, which is deleted at the end. May raise SapiensError."""
        raise NotImplementedError

    def finish(self, context: Context, job: WorkerJob) -> None:
        """Write the result into the scene. May raise SapiensError."""
        raise NotImplementedError

    def execute(self: Operator, context: Context) -> set[str]:
        """Blocking: background, a script, the redo panel."""
        try:
            self._start(context)
            jobs.wait(self._job)
            return self._end(context)
        except SapiensError as error:
            return fail(self, error)
        finally:
            self._clean(context)

    def invoke(self: Operator, context: Context, _event: Event | None) -> set[str]:
        """In a window: start the job and come back when it has ended."""
        if bpy.app.background:
            return self.execute(context)
        try:
            self._start(context)
        except SapiensError as error:
            self._clean(context)
            return fail(self, error)
        self._timer = context.window_manager.event_timer_add(jobs.TICK_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: Event) -> set[str]:
        if event.type == "TIMER":
            jobs.pump()
            if self._job.ended:
                try:
                    return self._end(context)
                except SapiensError as error:
                    return fail(self, error, "WARNING")  # no popup over what the artist does by now
                finally:
                    self._clean(context)
                    jobs.settle()
        return {"PASS_THROUGH"}

    def cancel(self, context: Context) -> None:
        """Blender ends us: another file was opened, the window was closed."""
        self._job.cancel()
        self._clean(context)

    def _start(self, context: Context) -> None:
        if jobs.interpreter() is None:
            raise jobs.no_python()
        self._scratch = jobs.scratch()
        self._job = jobs.submit(self.make_job(context, self._scratch))

    def _end(self: Operator, context: Context) -> set[str]:
        job = self._job
        if job.state is State.CANCELLED:
            self.report({"INFO"}, f"{job.title}: cancelled")
            return {"CANCELLED"}
        if job.state is State.FAILED:
            raise job.error
        self.finish(context, job)
        return {"FINISHED"}

    def _clean(self, context: Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None
