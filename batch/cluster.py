"""The stages of a batch as tasks of a Ray cluster. Inputs and results lie on a path that every node sees under the same name.

One network actor per node holds the weights; what comes after it are plain tasks of one core each. Ray starts a lost actor again on
a node that lives and repeats its calls; stages write whole files and skip what is done, so a repeated call is harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import cycle

from ..core.errors import SapiensError
from .engine import Outcome, finish_all, predict_all
from .plan import PREDICT, Plan
from .stages import Job, fail

RETRIES = 3


def run_ray(jobs: Iterable[Job], plan: Plan, address: str | None = None, group: int = 8) -> Iterator[Outcome]:
    """Do all jobs on the cluster at `address` (None: the one that Ray finds, RAY_ADDRESS) and yield each as it ends.

    Raises SapiensError when Ray is not installed or there is no cluster.
    """
    ray = _connect(address)
    jobs = [_absolute(job) for job in jobs]
    predicting = [job for job in jobs if PREDICT in job.todo]
    finish_task = ray.remote(finish_all).options(num_cpus=1, max_retries=RETRIES)
    running = {finish_task.remote([job], plan): [job] for job in jobs if PREDICT not in job.todo}
    network_calls = set()
    if predicting:
        actors = cycle(_network_actors(ray, plan, -(-len(predicting) // group)))
        for i in range(0, len(predicting), group):
            call = next(actors).predict.remote(predicting[i : i + group], plan)
            running[call] = predicting[i : i + group]
            network_calls.add(call)
    while running:
        done, _ = ray.wait(list(running), num_returns=1)
        for call in done:
            part = running.pop(call)
            for job, error in _outcomes(ray, call, part, PREDICT if call in network_calls else None):
                if error is None and call in network_calls and set(job.todo) - {PREDICT}:
                    running[finish_task.remote([job], plan)] = [job]
                else:
                    yield job, error


class Network:
    """The network on one node: the weights of a one-file model stay loaded between calls."""

    def predict(self, jobs: list[Job], plan: Plan) -> list[Outcome]:
        left = [_left(job) for job in jobs]
        return [(job, None) for job in left if PREDICT not in job.todo] + predict_all(left, plan)


def _connect(address: str | None):
    try:
        import ray
    except ImportError as error:
        raise SapiensError("The Ray engine needs Ray, which is not installed.", "Install sapiens2-avatar[ray].") from error
    if not ray.is_initialized():
        try:
            ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise SapiensError(f"No Ray cluster was found at {address or 'auto'}.", "Start one with: ray start --head") from error
    return ray


def _network_actors(ray, plan: Plan, most: int) -> list:
    """One actor per living node, spread over the cluster; with a GPU each where the cluster has GPUs."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = 0 if plan.network.device == "cpu" else sum(int(node.get("GPU", 0)) for node in nodes)
    count = max(1, min(most, gpus or sum(1 for node in nodes if node.get("CPU", 0) >= 1)))
    options = {
        "num_cpus": 1,
        "num_gpus": 1 if gpus else 0,
        "max_restarts": -1,
        "max_task_retries": RETRIES,
        "scheduling_strategy": "SPREAD",
    }
    return [ray.remote(Network).options(**options).remote() for _ in range(count)]


def _outcomes(ray, call, jobs: list[Job], stage: str | None) -> list[Outcome]:
    try:
        return ray.get(call)
    except ray.exceptions.RayError as problem:
        text = str(problem).strip().splitlines()[-1] if str(problem).strip() else type(problem).__name__
        error = SapiensError(
            f"The cluster could not do this input: {text}",
            "Look at the Ray dashboard, then start the batch again with --retry-failed.",
        )
        for job in jobs:
            fail(job, stage or next((s for s in job.todo if s != PREDICT), PREDICT), error)
        return [(job, error) for job in jobs]


def _absolute(job: Job) -> Job:
    """Nodes have working folders of their own."""
    return replace(job, item=replace(job.item, path=job.item.path.absolute()), folder=job.folder.absolute())


def _left(job: Job) -> Job:
    """The job without what an earlier, interrupted call has finished."""
    record = job.record()
    return replace(job, todo={stage: key for stage, key in job.todo.items() if not record.is_done(stage, key, job.folder)})
