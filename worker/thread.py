"""Work in a thread of this process, for what waits for other programs and for the disk:
installing the runtime, running a batch."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from ..core.common.errors import Cancelled, SapiensError
from ..core.common.progress import Progress
from .job import Job, State


@dataclass(eq=False)
class ThreadJob(Job):
    """Work that needs no worker process: `run(progress, stopped)` in a thread. It may raise SapiensError or Cancelled."""

    exclusive: ClassVar[bool] = True

    run: Callable[[Progress, Callable[[], bool]], object]
    _outcome: tuple[State, SapiensError | None] | None = field(default=None, init=False)

    def start(self) -> None:
        self.state, self.started = State.RUNNING, time.monotonic()
        threading.Thread(target=self._work, name=self.title, daemon=True).start()

    def cancel(self) -> None:
        """Ask it to stop; it does so when it next looks."""
        self.cancel_at = time.monotonic()

    def pump(self) -> None:
        """Take in the outcome, in the caller's thread."""
        if self._outcome is not None and not self.ended:
            state, self.error = self._outcome
            self.end(state)

    def _work(self) -> None:
        def progress(stage: str, fraction: float) -> None:
            self.stage, self.fraction = stage, fraction

        try:
            self.run(progress, lambda: self.cancel_at is not None)
            self._outcome = State.DONE, None
        except Cancelled:
            self._outcome = State.CANCELLED, None
        except SapiensError as error:
            self._outcome = State.FAILED, error
        except Exception as error:  # noqa: BLE001 (the end of a thread: nobody above could catch it)
            self.detail = traceback.format_exc()
            hint = "Copy the report from the preferences and file a bug."
            self._outcome = State.FAILED, SapiensError(f"Something unexpected went wrong: {error}.", hint)
