"""The near side of the worker process: starts it, talks to it, outlives it; in Blender, `jobs` puts a timer around it.

A `Worker` owns one process and a queue of jobs. Only `pump` changes anything that a caller can see, so everything happens in the
thread that calls it.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ..core.common.errors import Cancelled, SapiensError
from ..core.common.processes import clean_environment
from .protocol import ENDS, decode, encode

WINDOWS_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
GRACE_SECONDS = 1.0
"""How long a cancelled job may take to stop by itself before the process is killed."""


class State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Job:
    """One piece of work for the worker.

    kind        name of the job in the worker
    title       what the artist reads while it runs
    arguments   for the worker, plain JSON
    on_end      called once, from `pump`, when the job has ended in any way
    stage, fraction   progress as the worker reports it
    result      of a job that is done
    error       of a job that failed
    """

    kind: str
    title: str
    arguments: dict
    on_end: Callable[[Job], None] | None = None
    number: int = 0
    state: State = State.WAITING
    stage: str = ""
    fraction: float = 0.0
    started: float = 0.0
    result: dict = field(default_factory=dict)
    error: SapiensError | None = None
    detail: str = ""
    cancel_at: float | None = None
    accepted: bool = False

    @property
    def ended(self) -> bool:
        return self.state in (State.DONE, State.FAILED, State.CANCELLED)

    def seconds_left(self) -> float | None:
        """Estimate from the pace so far; None while there is too little to tell."""
        elapsed = time.monotonic() - self.started
        if self.state is not State.RUNNING or self.fraction < 0.1 or elapsed < 2.0:
            return None
        return elapsed * (1 - self.fraction) / self.fraction


@dataclass(eq=False)
class Task(Job):
    """Work that needs no worker process: `run(progress, stopped)` in a thread. It may raise SapiensError or Cancelled."""

    run: Callable[[Callable[[str, float], None], Callable[[], bool]], object] | None = None
    _outcome: tuple[State, SapiensError | None] | None = None

    def start(self) -> None:
        self.state, self.started = State.RUNNING, time.monotonic()
        threading.Thread(target=self._work, name=self.title, daemon=True).start()

    def cancel(self) -> None:
        self.cancel_at = time.monotonic()

    def pump(self) -> None:
        """Take in the outcome, in the caller's thread."""
        if self._outcome is not None and not self.ended:
            self.state, self.error = self._outcome
            if self.on_end is not None:
                self.on_end(self)

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


class Worker:
    """One worker process, started when the first job comes, and its queue.

    command   the argument list that starts it
    log       file that gets what the process and its libraries print; replaced at each start
    """

    def __init__(self, command: list[str], log: Path):
        self.command, self.log = command, log
        self.current: Job | None = None
        self.waiting: deque[Job] = deque()
        self._process: subprocess.Popen | None = None
        self._messages: queue.SimpleQueue[dict] = queue.SimpleQueue()
        self._numbers = 0
        self._ready = False

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def busy(self) -> bool:
        return self.current is not None or bool(self.waiting)

    def submit(self, job: Job) -> Job:
        """Put a job at the end of the queue; it starts with the next `pump`."""
        self._numbers += 1
        job.number = self._numbers
        self.waiting.append(job)
        return job

    def cancel(self, job: Job) -> None:
        """Ask a job to stop; `pump` kills the process if it has not stopped after `GRACE_SECONDS`."""
        if job in self.waiting:
            self.waiting.remove(job)
            self._end(job, State.CANCELLED)
        elif job is self.current and job.cancel_at is None:
            job.cancel_at = time.monotonic() + GRACE_SECONDS
            self._send("cancel", id=job.number)

    def pump(self) -> None:
        """Take in what has happened and start what can start. Never waits."""
        while True:
            try:
                self._receive(self._messages.get_nowait())
            except queue.Empty:
                break
        job = self.current
        if job is not None and job.cancel_at is not None and time.monotonic() > job.cancel_at:
            self.kill()
            self.current = None
            self._end(job, State.CANCELLED)
        if self.current is None and self.waiting:
            self._start(self.waiting.popleft())

    def wait(self, job: Job, timeout: float | None = None, on_progress: Callable[[Job], None] | None = None) -> Job:
        """Pump until the job has ended: for programs without a window. Raises TimeoutError."""
        until = None if timeout is None else time.monotonic() + timeout
        last = None
        while not job.ended:
            self.pump()
            if on_progress is not None and (job.stage, job.fraction) != last:
                last = (job.stage, job.fraction)
                on_progress(job)
            if until is not None and time.monotonic() > until:
                raise TimeoutError(f"{job.title} took longer than {timeout:g} seconds.")
            time.sleep(0.02)
        return job

    def kill(self) -> None:
        """End the process now and forget what it still had to say. The queue stays."""
        process, self._process = self._process, None
        self._messages = queue.SimpleQueue()
        if process is not None:
            process.kill()
            process.wait()
            _close_input(process)

    def shut_down(self) -> None:
        """Cancel everything and end the process."""
        for job in [*self.waiting]:
            self.cancel(job)
        job, self.current = self.current, None
        self.kill()
        if job is not None:
            self._end(job, State.CANCELLED)

    def _start(self, job: Job) -> None:
        self.current = job
        job.state, job.started = State.RUNNING, time.monotonic()
        try:
            if self.pid is None:
                job.stage = "starting"
                self._launch()
            self._send("run", id=job.number, job=job.kind, arguments=job.arguments)
        except OSError as error:
            self.current = None
            job.error = SapiensError(
                f"The worker could not be started: {error}.", "Repair the runtime, then run again.", "runtime"
            )
            self._end(job, State.FAILED)

    def _launch(self) -> None:
        self.kill()
        self._ready = False
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=clean_environment(),
                cwd=self.log.parent,
                creationflags=WINDOWS_FLAGS,
            )
        threading.Thread(target=_read, args=(self._process, self._messages), name="sapiens2 worker", daemon=True).start()

    def _send(self, kind: str, **values: object) -> None:
        """Say something to the process; a process that is gone will be noticed through its closed output."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(encode(kind, **values))
                self._process.stdin.flush()

    def _receive(self, message: dict) -> None:
        job, kind = self.current, message["kind"]
        if kind == "ready":
            self._ready = True
        elif kind == "exit":
            self._exited()
        if job is None or message.get("id") != job.number:
            return
        job.accepted = True
        if kind == "progress":
            job.stage, job.fraction = message["stage"], max(job.fraction, message["fraction"])
        elif kind in ENDS:
            self.current = None
            if job.cancel_at is not None:  # it ended while it was asked to stop: who has cancelled wants nothing of it
                self._end(job, State.CANCELLED)
            elif kind == "done":
                job.result, job.fraction = message["result"], 1.0
                self._end(job, State.DONE)
            elif kind == "error":
                job.error = SapiensError(message["message"], message["hint"], message["remedy"])
                job.detail = message["detail"]
                self._end(job, State.FAILED)
            else:
                self._end(job, State.CANCELLED)

    def _exited(self) -> None:
        """The process has closed its output: it is gone, or about to be."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            status = process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        _close_input(process)
        job, self.current = self.current, None
        if job is None:
            return
        if job.cancel_at is not None:
            self._end(job, State.CANCELLED)
        elif status == 0 and not job.accepted:  # it left for idleness just when the job was sent
            self.waiting.appendleft(job)
        else:
            job.error = _death(status, self.log, self._ready)
            self._end(job, State.FAILED)

    def _end(self, job: Job, state: State) -> None:
        job.state = state
        if job.on_end is not None:
            job.on_end(job)


def _read(process: subprocess.Popen, messages: queue.SimpleQueue) -> None:
    """Thread: every line of the process, then one "exit". A line that is no message ends the process: it cannot be trusted."""
    with process.stdout as lines:
        for line in lines:
            try:
                messages.put(decode(line))
            except SapiensError:
                process.kill()
                break
    messages.put({"kind": "exit"})


def _close_input(process: subprocess.Popen) -> None:
    """Close our end of a dead process's input; what is left in its buffer has no reader."""
    with contextlib.suppress(OSError):
        process.stdin.close()


def _death(status: int, log: Path, ready: bool) -> SapiensError:
    """Why a process that should be alive is not. `ready`: it had started well."""
    if status in (-9, 137):
        return SapiensError(
            "The system stopped the worker, most likely because memory ran out.",
            "Choose a smaller model or the CPU, or close other programs, then run again.",
        )
    if status > 0 and not ready:
        lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
        return SapiensError(
            f"The worker does not start: {lines[-1].rstrip('.')[:160] if lines else f'exit status {status}'}.",
            "Repair the runtime, then run again.",
            "runtime",
        )
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    return SapiensError(
        f"The worker stopped unexpectedly ({how}).",
        f"Close other programs or choose a smaller model, then run again; {log.name} says where it was.",
    )
