"""The worker process: takes jobs on stdin, answers on stdout (`worker.protocol`), and keeps libraries away from both.

Started as ``python -I -u worker/start.py``. One job at a time; the process leaves when it has been idle for long, when it is told
to, and at once when the program that started it is gone.
"""

from __future__ import annotations

import errno
import faulthandler
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator

from ..core.common.errors import Cancelled, SapiensError
from .protocol import decode, encode
from .requests import UPDATED, Jobs, from_json

NICENESS = 5
"""The worker may take every core; Blender's window still comes first. On Windows, who starts it lowers its priority."""


class Channel:
    """The pipe to the program that started us. Claims stdin and stdout, so that nobody else can read or write them."""

    def __init__(self):
        self._input = os.fdopen(os.dup(0), "rb")
        self._output = os.fdopen(os.dup(1), "wb", buffering=0)
        self._lock = threading.Lock()
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)  # what a library prints, from Python or from C, goes to the log
        sys.stdout = sys.stderr

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._input)

    def send(self, kind: str, **values: object) -> None:
        with self._lock:
            self._output.write(encode(kind, **values))


def serve(jobs: Jobs, idle_seconds: float = 300.0) -> None:
    """Answer requests until told to quit, idle for `idle_seconds`, or orphaned."""
    channel = Channel()
    requests: queue.SimpleQueue[dict] = queue.SimpleQueue()
    cancelled: set[int] = set()

    def listen() -> None:
        for line in channel:
            message = decode(line)
            if message["kind"] == "cancel":
                cancelled.add(message["id"])
            else:
                requests.put(message)
        os._exit(0)  # our parent is gone; whatever the main thread does, nobody waits for it

    threading.Thread(target=listen, name="listen", daemon=True).start()
    channel.send("ready", pid=os.getpid(), python=sys.version.split()[0])
    while True:
        try:
            message = requests.get(timeout=idle_seconds)
        except queue.Empty:
            return
        if message["kind"] == "quit":
            return
        _answer(channel, jobs, message, cancelled)


def _answer(channel: Channel, jobs: Jobs, message: dict, cancelled: set[int]) -> None:
    """Run one job and send exactly one end."""
    number = message["id"]

    def progress(stage: str, fraction: float) -> None:
        if number in cancelled:
            raise Cancelled
        channel.send("progress", id=number, stage=stage, fraction=min(max(float(fraction), 0.0), 1.0))

    try:
        kind = next((kind for kind in jobs if kind.job == message["job"]), None)
        if kind is None:
            raise SapiensError(f"The worker has no job named {message['job']!r}.", UPDATED)
        request = from_json(kind, message["arguments"])
        progress("starting", 0.0)
        channel.send("done", id=number, result=jobs[kind](request, progress))
    except Cancelled:
        channel.send("cancelled", id=number)
    except SapiensError as error:
        channel.send("error", id=number, message=error.message, hint=error.hint, remedy=error.remedy, detail="")
    except Exception as error:  # noqa: BLE001 (the boundary of the process: a bug ends the job, not the worker)
        known = _explain(error)
        sys.stderr.write(traceback.format_exc())
        channel.send(
            "error", id=number, message=known.message, hint=known.hint, remedy=known.remedy, detail=traceback.format_exc()
        )


NO_MEMORY = (
    "bad_alloc",
    "could not create a primitive",
    "not enough memory",
    "annot allocate memory",
    "nsufficient memory",
    "ailed to allocate",
    "failed to map segment",
    "out of memory",
)
"""What torch, oneDNN, OpenCV, SciPy and the loader of libraries say, in errors of many types, when memory is what they lack."""


def _explain(error: Exception) -> SapiensError:
    """One sentence and the next step for an exception that nobody expected."""
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or any(text in str(error) for text in NO_MEMORY):
        return SapiensError("There is not enough memory for this.", "Choose a smaller model or the CPU, or close other programs.")
    if isinstance(error, ImportError):
        return SapiensError(
            f"The runtime is damaged: {error.name or error} cannot be imported.", "Repair it, then run again.", "runtime"
        )
    if isinstance(error, OSError) and str(error.filename or "").startswith(sys.prefix):
        return SapiensError(f"The runtime is damaged: {error.filename} cannot be read.", "Repair it, then run again.", "runtime")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SapiensError("The disk is full.", "Free some space, or delete stored predictions, then run again.", "cache")
    return SapiensError(
        f"Something unexpected went wrong: {name}: {error}.", "Copy the report from the preferences and file a bug."
    )


def main() -> None:
    from .jobs import JOBS

    faulthandler.enable()  # where a library crashed, in the log
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    idle = float(sys.argv[1]) if len(sys.argv) > 1 else 300.0
    serve(JOBS, idle)
