"""Processes of this machine: one for the network, some for what comes after it,
so that a crash costs one input and not the batch.

Each process is an executor of its own, because a dead worker breaks a whole `ProcessPoolExecutor`. The network works on the next
group while the others finish the last one. Workers end with the process that started them, however it ends.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing.process import BaseProcess
from pathlib import Path

from ..core.common.errors import SapiensError
from ..core.common.processes import leave, silence_stdout
from .blender import BlenderDied
from .plan import PREDICT, Plan
from .stages import InputJob, fail, finish, predict_group

Outcome = tuple[InputJob, SapiensError | None]
DIED = SapiensError(
    "The worker process died twice on this input.", "It may need more memory than there is: try a smaller model or fewer workers."
)
THREADS: tuple[str, ...] = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
SECONDS_TO_END = 5.0
"""How long a process that was killed may take until it is gone."""
TEMPORARY = ("TMPDIR", "TEMP", "TMP")
"""Variables that say where temporary files are."""
log = logging.getLogger(__name__)


class CallProcess:
    """One process that takes one call at a time and is replaced when it dies.

    threads  that its numeric libraries may use; None = as many as there are cores. With one, what it makes does not depend on how
             many cores there are, and several workers do not get in each other's way.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._executor: ProcessPoolExecutor | None = None
        self._variables: dict[str, str] = dict.fromkeys(THREADS, str(threads)) if threads else {}

    def submit(self, function: Callable, *arguments: object) -> Future:
        if self._executor is not None:
            return self._executor.submit(function, *arguments)
        self._executor = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_start_worker)
        variables = self._variables | dict.fromkeys(TEMPORARY, _temporary_folder().name)
        former = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)  # the libraries read them when they are loaded, so before any code of ours runs
        try:
            return self._executor.submit(function, *arguments)
        finally:
            for name, value in former.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})

    def replace(self) -> None:
        """Forget a dead process; the next call starts another."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


def end_workers() -> None:
    """End all worker processes at once; their results are in. Blender's module can hang in an orderly exit.
    Their temporary files go with them."""
    children = multiprocessing.active_children()
    for child in children:
        child.kill()
    for child in children:
        child.join(SECONDS_TO_END)
    if _temporary_folder.cache_info().currsize:
        _temporary_folder().cleanup()
        _temporary_folder.cache_clear()


@lru_cache(maxsize=1)
def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """Where all worker processes of this one have their temporary files: who is killed, as they are, cannot remove them."""
    return tempfile.TemporaryDirectory(prefix="sapiens2-batch-", ignore_cleanup_errors=True)


@dataclass
class _Call:
    """A call that is running or waits: a group for the network, or one job for the rest."""

    jobs: list[InputJob]
    tries: int = 0


@dataclass
class _Lane:
    """Workers of one kind and the queue before them."""

    function: Callable
    workers: list[CallProcess]
    queue: deque[_Call] = field(default_factory=deque)
    running: dict[Future, tuple[_Call, CallProcess]] = field(default_factory=dict)

    def start(self, plan: Plan) -> None:
        busy = {id(worker) for _, worker in self.running.values()}
        for worker in (w for w in self.workers if id(w) not in busy):
            if not self.queue:
                return
            pending = self.queue.popleft()
            self.running[worker.submit(self.function, pending.jobs, plan)] = (pending, worker)


def run_local(jobs: Iterable[InputJob], plan: Plan, workers: int = 1, group: int = 8) -> Iterator[Outcome]:
    """Do all jobs and yield each with None or the reason of its failure, as they end.

    workers  processes for the stages after the network
    group    photos that share one loading of each checkpoint
    """
    jobs = list(jobs)
    network = _Lane(predict_all, [CallProcess()])
    rest = _Lane(finish_all, [CallProcess(threads=1) for _ in range(max(1, workers))])
    predicting = [job for job in jobs if PREDICT in job.todo]
    network.queue.extend(_Call(predicting[i : i + group]) for i in range(0, len(predicting), group))
    rest.queue.extend(_Call([job]) for job in jobs if PREDICT not in job.todo)
    try:
        while network.queue or network.running or rest.queue or rest.running:
            network.start(plan)
            rest.start(plan)
            done, _ = wait([*network.running, *rest.running], return_when=FIRST_COMPLETED)
            for future in done:
                lane = network if future in network.running else rest
                pending, worker = lane.running.pop(future)
                for job, error in _result(future, pending, worker, lane):
                    if error is None and lane is network and set(job.todo) - {PREDICT}:
                        rest.queue.append(_Call([job]))
                    else:
                        yield job, error
    finally:
        end_workers()


def predict_all(jobs: list[InputJob], plan: Plan) -> list[Outcome]:
    """`predict_group` as one call of a worker process, for those of the jobs that still need it."""
    outcomes = {job.item.name: error for job, error in predict_group([job.left() for job in jobs], plan)}
    return [(job, outcomes.get(job.item.name)) for job in jobs]


def finish_all(jobs: list[InputJob], plan: Plan) -> list[Outcome]:
    """`finish` as one call of a worker process.

    If the Blender of this process dies, the process does so too: then the rule for a worker that died holds for both.
    """
    try:
        return [(job, finish(job.left(), plan)) for job in jobs]
    except BlenderDied:
        leave(1)


def call(
    worker: CallProcess, function: Callable[[list[InputJob], Plan], list[Outcome]], jobs: list[InputJob], plan: Plan
) -> list[Outcome]:
    """Call `predict_all` or `finish_all` in the worker and wait. If it dies, each job has one more try of its own."""
    future = worker.submit(function, jobs, plan)
    wait([future])
    if not isinstance(future.exception(), BrokenProcessPool):
        return _outcomes(future, jobs, function)
    worker.replace()
    outcomes = []
    for job in jobs:
        future = worker.submit(function, [job], plan)
        wait([future])
        if isinstance(future.exception(), BrokenProcessPool):
            worker.replace()
        outcomes += _outcomes(future, [job], function)
    return outcomes


def give_up(jobs: list[InputJob], function: Callable, error: SapiensError) -> list[Outcome]:
    """Write the reason into the reports of jobs that a call could not do."""
    for job in jobs:
        later = next((stage for stage in job.todo if stage != PREDICT), PREDICT)
        fail(job, PREDICT if function is predict_all else later, error)
    return [(job, error) for job in jobs]


def _result(future: Future, pending: _Call, worker: CallProcess, lane: _Lane) -> list[Outcome]:
    """What a call gave. A process that died gives its inputs one more try, each on its own; then a reason."""
    if isinstance(future.exception(), BrokenProcessPool):
        worker.replace()
        if pending.tries == 0:
            lane.queue.extendleft(_Call([job], tries=1) for job in reversed(pending.jobs))
            return []
    return _outcomes(future, pending.jobs, lane.function)


def _outcomes(future: Future, jobs: list[InputJob], function: Callable) -> list[Outcome]:
    problem = future.exception()
    if problem is None:
        return future.result()
    if isinstance(problem, BrokenProcessPool):
        return give_up(jobs, function, DIED)
    if isinstance(problem, SapiensError):  # what concerns all of them: no weights, no such device
        return give_up(jobs, function, problem)
    log.error("%s", ", ".join(job.item.name for job in jobs), exc_info=problem)
    error = SapiensError(f"An unexpected error: {type(problem).__name__}: {problem}.", "Please report it with the log.")
    return give_up(jobs, function, error)


def _start_worker() -> None:
    """In the new process: leave signals to the parent, print nothing where results go, and leave with the parent."""
    import signal

    # A parent that has Blender in it hands down Blender's script folders, where `bpy` is only the half written in Python.
    sys.path[:] = [folder for folder in sys.path if not (Path(folder) / "bpy" / "__init__.py").exists()]
    silence_stdout()

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: BaseProcess) -> None:
    """End this process when its parent does, however that ends."""
    parent.join()
    leave(1)
