"""Host side of the worker protocol: starts the worker process, talks to it, outlives it. In Blender, `jobs` puts a timer on it.

A `WorkerProcess` owns one process and a queue of jobs. Only `pump` changes anything that a caller can see, so everything happens
in the thread that calls it.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..core.common.errors import SapiensError
from ..core.common.processes import clean_environment
from .job import Job, State, wait
from .protocol import ENDS, decode, encode
from .requests import Request, to_json

WINDOWS_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
GRACE_SECONDS = 1.0
"""How long a cancelled job may take to stop by itself before the process is killed."""
KILLED = (-9, 137)
"""What a process ends with that the system stops for memory."""


@dataclass(eq=False)
class WorkerJob(Job):
    """A request to the worker process.

    number    of the job in this process's life
    result    of a job that is done, as its function in `worker.jobs` says
    accepted  the process has said something about it
    process   who does it, once it is submitted
    """

    request: Request
    number: int = field(default=0, init=False)
    result: dict = field(default_factory=dict, init=False)
    accepted: bool = field(default=False, init=False)
    process: WorkerProcess | None = field(default=None, init=False, repr=False)

    def cancel(self) -> None:
        """Ask it to stop, or take it out of the queue."""
        if self.process is not None:
            self.process.cancel(self)


class WorkerProcess:
    """One worker process, started when the first job comes, and its queue.

    command   the argument list that starts it
    log       file that gets what the process and its libraries print; replaced at each start
    """

    def __init__(self, command: list[str], log: Path):
        self.command, self.log = command, log
        self.current: WorkerJob | None = None
        self.waiting: deque[WorkerJob] = deque()
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

    def submit(self, job: WorkerJob) -> WorkerJob:
        """Put a job at the end of the queue; it starts with the next `pump`."""
        self._numbers += 1
        job.number, job.process = self._numbers, self
        self.waiting.append(job)
        return job

    def cancel(self, job: WorkerJob) -> None:
        """Ask a job to stop; `pump` kills the process if it has not stopped after `GRACE_SECONDS`."""
        if job in self.waiting:
            self.waiting.remove(job)
            job.end(State.CANCELLED)
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
            job.end(State.CANCELLED)
        if self.current is None and self.waiting:
            self._start(self.waiting.popleft())

    def wait(
        self, job: WorkerJob, timeout: float | None = None, on_progress: Callable[[WorkerJob], None] | None = None
    ) -> WorkerJob:
        """Pump until the job has ended: for programs without a window. Raises TimeoutError."""
        return wait(job, self.pump, timeout, on_progress)

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
            job.end(State.CANCELLED)

    def _start(self, job: WorkerJob) -> None:
        self.current = job
        job.state, job.started = State.RUNNING, time.monotonic()
        try:
            if self.pid is None:
                job.stage = "starting"
                self._launch()
            self._send("run", id=job.number, job=job.request.job, arguments=to_json(job.request))
        except OSError as error:
            self.current = None
            job.error = SapiensError(
                f"The worker could not be started: {error}.", "Repair the runtime, then run again.", "runtime"
            )
            job.end(State.FAILED)

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
            self._exited(message["reason"])
        if job is None or message.get("id") != job.number:
            return
        job.accepted = True
        if kind == "progress":
            job.stage, job.fraction = message["stage"], max(job.fraction, message["fraction"])
        elif kind in ENDS:
            self.current = None
            if job.cancel_at is not None:  # it ended while it was asked to stop: who has cancelled wants nothing of it
                job.end(State.CANCELLED)
            elif kind == "done":
                job.result, job.fraction = message["result"], 1.0
                job.end(State.DONE)
            elif kind == "error":
                job.error = SapiensError(message["message"], message["hint"], message["remedy"])
                job.detail = message["detail"]
                job.end(State.FAILED)
            else:
                job.end(State.CANCELLED)

    def _exited(self, reason: SapiensError | None) -> None:
        """The process has closed its output: it is gone, or about to be.
        reason: why we have ended it, None = it ended by itself."""
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
            job.end(State.CANCELLED)
        elif status == 0 and not job.accepted:  # it left for idleness just when the job was sent
            self.waiting.appendleft(job)
        else:
            job.error = reason or _death(status, self.log, self._ready)
            if status not in KILLED and not job.error.remedy:
                job.detail = f"The worker's process ended with status {status}."
            job.end(State.FAILED)


def _read(process: subprocess.Popen, messages: queue.SimpleQueue) -> None:
    """Thread: every line of the process, then one "exit". A line that is no message ends the process: it cannot be trusted."""
    reason = None
    assert process.stdout is not None  # it was started with a pipe
    with process.stdout as lines:
        for line in lines:
            try:
                messages.put(decode(line))
            except SapiensError as error:
                process.kill()
                reason = error
                break
    messages.put({"kind": "exit", "reason": reason})


def _close_input(process: subprocess.Popen) -> None:
    """Close our end of a dead process's input; what is left in its buffer has no reader."""
    with contextlib.suppress(OSError):
        assert process.stdin is not None  # it was started with a pipe
        process.stdin.close()


def _death(status: int, log: Path, ready: bool) -> SapiensError:
    """Why a process that should be alive is not. `ready`: it had started well."""
    if status in KILLED:
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
