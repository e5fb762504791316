"""What every piece of work has that the artist waits for, whether the worker process or a thread does it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, TypeVar

from ..core.common.errors import SapiensError

JobOfKind = TypeVar("JobOfKind", bound="Job")
"""A job, or a class of jobs."""


GROWTH = 1.5
"""Times that the time left may grow at once."""
LEAST_SECONDS = 4.0
"""What an estimate that has run out counts as when the next one is made."""


class State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Job:
    """One piece of work, as the panel shows it, whoever does it.

    title       what the artist reads while it runs
    asked_by    the operator that asked for it, as its `bl_idname`: its panel shows how far it is
    on_end      called once, from `pump`, when the job has ended in any way
    stage, fraction   progress, as who does the work reports it
    started     `time.monotonic` of the start
    error       of a job that failed
    detail      for the report of what nobody expects: a traceback, or how the process ended
    cancel_at   `time.monotonic`, set when the job was asked to stop: when the patience with it ends
    """

    exclusive: ClassVar[bool] = False
    """Whether nothing may be queued behind it."""

    title: str
    on_end: Callable[[Any], None] | None = field(default=None, kw_only=True)
    asked_by: str = field(default="", kw_only=True)
    state: State = field(default=State.WAITING, init=False)
    stage: str = field(default="", init=False)
    fraction: float = field(default=0.0, init=False)
    started: float = field(default=0.0, init=False)
    error: SapiensError | None = field(default=None, init=False)
    detail: str = field(default="", init=False)
    cancel_at: float | None = field(default=None, init=False)
    _estimated_at: float = field(default=-1.0, init=False)
    _end: float | None = field(default=None, init=False)

    @property
    def ended(self) -> bool:
        return self.state in (State.DONE, State.FAILED, State.CANCELLED)

    @property
    def failure(self) -> SapiensError:
        """Why a job that failed has failed."""
        return self.error or SapiensError(f"{self.title} failed.")

    def cancel(self) -> None:
        """Ask it to stop."""
        raise NotImplementedError

    def end(self, state: State) -> None:
        """Tell that it has ended, once."""
        self.state = state
        if self.on_end is not None:
            self.on_end(self)

    def seconds_left(self) -> float | None:
        """Estimate from the pace so far; None while there is too little to tell, and once the estimate has run out.

        A new fraction moves the estimated end; between two the clock runs down. A stage that takes longer than those before it
        lets the time grow by half at most with each fraction, so that no pause becomes hours.
        """
        now = time.monotonic()
        elapsed = now - self.started
        if self.state is not State.RUNNING or self.fraction < 0.1 or elapsed < 2.0:
            return None
        if self.fraction != self._estimated_at:
            left = elapsed * (1 - self.fraction) / self.fraction
            if self._end is not None:
                left = min(left, GROWTH * max(self._end - now, LEAST_SECONDS))
            self._estimated_at, self._end = self.fraction, now + left
        left = (self._end or now) - now
        return left if left > 0 else None


def wait(
    job: JobOfKind, pump: Callable[[], None], timeout: float | None = None, on_progress: Callable[[JobOfKind], None] | None = None
) -> JobOfKind:
    """Call `pump` until the job has ended: for programs without a window. Raises TimeoutError.

    on_progress  called with the job whenever it says something new
    """
    until = None if timeout is None else time.monotonic() + timeout
    last = None
    while not job.ended:
        pump()
        if on_progress is not None and (job.stage, job.fraction) != last:
            last = (job.stage, job.fraction)
            on_progress(job)
        if until is not None and time.monotonic() > until:
            raise TimeoutError(f"{job.title} took longer than {timeout:g} seconds.")
        time.sleep(0.02)
    return job
