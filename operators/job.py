"""What the operators that wait for the worker share: modal in a window, blocking in background and from scripts."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import bpy
from bpy.types import Context, Event, Operator, UILayout

from .. import jobs
from ..avatar_queries import active_avatar, is_linked
from ..core.common.errors import SapiensError
from ..properties import inputs
from ..worker.client import WorkerJob
from ..worker.job import JobOfKind, State
from .artist import occupation

BUSY = "Another job is running: wait for its end, or cancel it"
HELD = "A result is done and waits for you: see the status bar, and the panel that it was asked in"


if TYPE_CHECKING:

    class Mixin(Operator):
        """What the classes below are mixed into."""

        layout: UILayout  # the stubs say None as well, which no operator sees that is drawn
else:
    Mixin = object


class Idle(Mixin):
    """Mix in before `bpy.types.Operator`: an operator that has to wait until the running job has ended."""

    @classmethod
    def poll(cls, _context: Context) -> bool:
        if jobs.current() is not None or jobs.status.held:
            cls.poll_message_set(BUSY if jobs.current() is not None else HELD)
            return False
        return True


class Queues(Mixin):
    """Mix in before `bpy.types.Operator`: an operator whose job waits its turn behind that of the worker,
    but not behind an installation."""

    @classmethod
    def poll(cls, _context: Context) -> bool:
        running = jobs.current()
        if running is not None and running.exclusive:
            cls.poll_message_set(BUSY)
            return False
        return True


class ForAvatar(Mixin):
    """Mix in before `bpy.types.Operator`: an operator on the avatar that the artist means.

    modes    in which it can be used; none: in all
    changes  whether it changes the avatar, which one that is linked from another file does not let it
    """

    modes: tuple[str, ...] = ()
    changes = True

    @classmethod
    def poll(cls, context: Context) -> bool:
        if cls.modes and context.mode not in cls.modes:
            cls.poll_message_set("Switch to Object Mode first")
            return False
        avatar = active_avatar(context)
        if avatar is None:
            cls.poll_message_set("There is no avatar in the scene")
            return False
        if cls.changes and is_linked(avatar):
            cls.poll_message_set("The avatar is linked from another file: work there, or make it local")
            return False
        return True


def submit(operator: Operator, job: JobOfKind, start: Callable[[JobOfKind], JobOfKind] = jobs.submit) -> set[str]:
    """Start a job that writes nothing into the scene: in a window the timer looks after it, background waits.

    start  `jobs.submit` for the worker, `jobs.start` for a thread
    """
    try:
        job.asked_by = type(operator).bl_idname
        start(job)
        _note_inputs(bpy.context)
        if bpy.app.background:
            jobs.wait(job)
        if job.state is State.FAILED:
            raise job.failure
    except SapiensError as error:
        return fail(operator, error)
    return {"FINISHED"}


def fail(operator: Operator, error: SapiensError, level: Literal["ERROR", "WARNING"] = "ERROR") -> set[str]:
    """Say what went wrong in Blender's own place, and keep it in the panel.
    An "ERROR" raises in scripts, and pops up in a window."""
    asked_by = operator._asked_by() if isinstance(operator, JobOperator) else type(operator).bl_idname
    jobs.status.error, jobs.status.failed = error, asked_by
    _note_inputs(bpy.context)
    jobs.settle()
    operator.report({level}, str(error))
    return {"CANCELLED"}


def at_once(execute: Callable[[Any, Context], set[str]]) -> Callable[[Any, Context], set[str]]:
    """Decorate `execute` of an operator that does its work at once: a SapiensError that it raises is said (`fail`), and what it
    said of an earlier try goes when it succeeds."""

    @wraps(execute)
    def attempt(self: Operator, context: Context) -> set[str]:
        try:
            outcome = execute(self, context)
        except SapiensError as error:
            return fail(self, error)
        if outcome == {"FINISHED"}:
            succeed(self)
        return outcome

    return attempt


def succeed(operator: Operator) -> None:
    """What an operator said of an earlier try is mended."""
    if jobs.status.failed == type(operator).bl_idname:
        jobs.mended()


def _note_inputs(context: Context) -> None:
    """What is said from now on is about what is chosen now."""
    jobs.status.inputs = inputs(context.scene.sapiens2)


def _say_stopped(title: str, operator: str, scene: int) -> None:
    """A job has ended with the first of several windows. Called by a timer, when another file would be open that ended it."""
    if any(known.session_uid == scene for known in bpy.data.scenes):
        jobs.status.error = SapiensError(f"{title} was stopped: Blender's first window was closed.", "Start it again.")
        jobs.status.failed = operator
        jobs.settle()


class JobOperator(Mixin):
    """Mix in before `bpy.types.Operator`, and define `make_job` and `finish`.

    In a window the result is written into the scene that it was asked for, when the artist is not in the middle of something
    (`operators.artist`); until then it is held. The operator waits in Blender's first window: one that was opened later, for a
    render or a photo or to have two, may be closed meanwhile.
    """

    _job: WorkerJob | None = None
    _scene = 0
    _window = 0
    """Address of the window that the job was started in."""
    _timer = None
    _scratch: Path | None = None

    def make_job(self, context: Context, scratch: Path) -> WorkerJob:
        """The job for the worker; its files go into `scratch`, which is deleted at the end. May raise SapiensError."""
        raise NotImplementedError

    def finish(self, context: Context, job: WorkerJob) -> None:
        """Write the result into the scene `context.scene`, whole or not at all. May raise SapiensError."""
        raise NotImplementedError

    def execute(self, context: Context) -> set[str]:
        """Blocking: background, a script, the redo panel."""
        try:
            job = self._start(context)
            jobs.wait(job)
            return self._end(context, job)
        except SapiensError as error:
            return fail(self, error)
        finally:
            self._clean(context)

    def invoke(self, context: Context, _event: Event | None) -> set[str]:
        """In a window: start the job and come back when it has ended."""
        if bpy.app.background:
            return self.execute(context)
        try:
            self._start(context)
        except SapiensError as error:
            self._clean(context)
            return fail(self, error)
        manager = context.window_manager
        self._window = context.window.as_pointer()
        lasting = manager.windows[0]
        with nullcontext() if lasting == context.window else context.temp_override(window=lasting):
            self._timer = manager.event_timer_add(jobs.TICK_SECONDS, window=lasting)
            manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Context, event: Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        jobs.pump()
        job = self._job
        if job is None or not job.ended:
            return {"PASS_THROUGH"}
        if job.state is State.DONE:
            waits_for = occupation(context, modal=not jobs.status.write_now)
            if waits_for:
                jobs.hold(job, waits_for)
                return {"PASS_THROUGH"}
        try:
            with self._asked_scene(context, job):
                return self._end(context, job)
        except SapiensError as error:
            return fail(self, error, "WARNING")  # no popup over what the artist does by now
        finally:
            self._clean(context)
            jobs.settle()

    def cancel(self, context: Context) -> None:
        """Blender ends us: another file was opened, its first window was closed, a question before the start was answered with
        no."""
        if self._job is not None:
            self._job.cancel()
            if not bpy.app.background:
                bpy.app.timers.register(partial(_say_stopped, self._job.title, self._asked_by(), self._scene))
        self._clean(context)

    def _start(self, context: Context) -> WorkerJob:
        if jobs.interpreter() is None:
            raise jobs.no_python()
        self._scratch = jobs.scratch()
        self._scene = context.scene.session_uid
        job = self.make_job(context, self._scratch)
        job.asked_by = self._asked_by()
        self._job = jobs.submit(job)
        _note_inputs(context)
        return job

    def _asked_by(self) -> str:
        """The operator whose panel shows the job, as its `bl_idname`."""
        return type(self).bl_idname

    def _end(self, context: Context, job: WorkerJob) -> set[str]:
        if job.state is State.CANCELLED:
            self.report({"INFO"}, f"{job.title}: cancelled")
            return {"CANCELLED"}
        if job.state is State.FAILED:
            raise job.failure
        try:
            self.finish(context, job)
        except SapiensError:
            raise
        except Exception as error:  # a mistake of ours: one sentence for the artist, the rest for the report
            jobs.status.detail = traceback.format_exc()
            raise SapiensError(
                f"The result of {job.title} could not be written: {type(error).__name__}.",
                "The scene is as it was. Press Copy Report and send it to us.",
            ) from error
        _note_inputs(context)
        return {"FINISHED"}

    @contextmanager
    def _asked_scene(self, context: Context, job: WorkerJob) -> Iterator[None]:
        """Inside, `context.scene` is the scene that the job was started in, and `context.window` the window, or another one that
        shows this scene, if there is one. Raises SapiensError when the scene is gone."""
        scene = next((scene for scene in bpy.data.scenes if scene.session_uid == self._scene), None)
        if scene is None:
            raise SapiensError(f"The scene that {job.title} was made for is gone.", "Make it again in another scene.")
        showing = [window for window in context.window_manager.windows if window.scene == scene]
        window = next((window for window in showing if window.as_pointer() == self._window), next(iter(showing), None))
        if window is None:
            with context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
                yield
        elif window == context.window:
            yield
        else:
            with context.temp_override(window=window):
                yield

    def _clean(self, context: Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        if self._job is not None:
            jobs.let_go(self._job)
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None
