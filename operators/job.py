"""What the operators that wait for the worker share: modal in a window, blocking in background and from scripts."""

from __future__ import annotations

import shutil
from pathlib import Path

import bpy
from bpy.types import Context, Event, Operator

from .. import jobs
from ..core.errors import SapiensError
from ..core.worker_client import Job, State


class JobOperator:
    """Mix in before `bpy.types.Operator`, and define `make_job` and `finish`."""

    _job: Job | None = None
    _timer = None
    _scratch: Path | None = None

    def make_job(self, context: Context, scratch: Path) -> Job:
        """The job for the worker; its files go into `scratch`, which is deleted at the end. May raise SapiensError."""
        raise NotImplementedError

    def finish(self, context: Context, job: Job) -> None:
        """Write the result into the scene. May raise SapiensError."""
        raise NotImplementedError

    def execute(self: Operator, context: Context) -> set[str]:
        """Blocking: background, a script, the redo panel."""
        try:
            self._start(context)
            jobs.wait(self._job)
            return self._end(context)
        except SapiensError as error:
            return self._fail(error)
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
            return self._fail(error)
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
                    return self._fail(error)
                finally:
                    self._clean(context)
        return {"PASS_THROUGH"}

    def cancel(self, context: Context) -> None:
        """Blender ends us: another file was opened, the window was closed."""
        jobs.cancel(self._job)
        self._clean(context)

    def _start(self, context: Context) -> None:
        if jobs.interpreter() is None:
            raise SapiensError("There is no Python environment for the network yet.", "Install the runtime in the sidebar.")
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

    def _fail(self: Operator, error: SapiensError) -> set[str]:
        jobs.status.error = error
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}

    def _clean(self, context: Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None
