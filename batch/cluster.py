"""The stages of a batch on a Ray cluster. Inputs and results lie on a path that every node sees under the same name.

One actor per node (per GPU, where the cluster has GPUs) holds the weights and predicts; what comes after it are Ray tasks of one
core each. Ray places both by the resources that they declare and repeats the tasks of a lost node; its groups go to other actors.
Stages write whole files and skip what is done, so a repeated call is harmless.

The work itself happens in a child of the Ray worker, the same worker process that the local engine uses: torch's and Blender's
threads stay out of Ray's process, and a crash costs one input a retry instead of the actor.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import ModuleType
from typing import Any

from ..core.common.errors import SapiensError
from .engine import CallProcess, Outcome, call, finish_all, give_up, predict_all
from .plan import PREDICT, Plan
from .stages import InputJob

RETRIES = 3
"""How often the same work is given to another node because its node was lost."""
PATIENCE_SECONDS = 60.0
"""How long a cluster may have no node that can work before the batch stops."""


def run_ray(jobs: Iterable[InputJob], plan: Plan, address: str | None = None, group: int = 8) -> Iterator[Outcome]:
    """Do all jobs on the cluster at `address` (None: the one that Ray finds, RAY_ADDRESS) and yield each as it ends.

    Raises SapiensError when Ray is not installed, there is no cluster, or no node is left that can work.
    """
    ray = _connect(address)
    if plan.network.device.startswith("cuda"):  # which one is Ray's choice: an actor sees its own alone
        plan = replace(plan, network=replace(plan.network, device="cuda"))
    try:
        yield from _Batch(ray, plan, [_absolute(job) for job in jobs], group).outcomes()
    finally:
        ray.shutdown()


@dataclass
class _Group:
    """Jobs of one call, and how often their node was lost."""

    jobs: list[InputJob]
    lost: int = 0


@dataclass
class _Batch:
    """Calls that run on the cluster, and groups that wait for an actor."""

    ray: ModuleType
    plan: Plan
    jobs: list[InputJob]
    size: int
    groups: deque[_Group] = field(default_factory=deque)
    idle: deque[Any] = field(default_factory=deque)  # actors
    predicting: dict[Any, tuple[_Group, Any]] = field(default_factory=dict)  # call -> group, actor
    finishing: dict[Any, InputJob] = field(default_factory=dict)
    seen_alive: float = field(default_factory=time.monotonic)

    def outcomes(self) -> Iterator[Outcome]:
        self.finish_task = self.ray.remote(finish_on_node).options(num_cpus=1, max_retries=RETRIES)
        first = [job for job in self.jobs if PREDICT in job.todo]
        self.groups.extend(_Group(first[i : i + self.size]) for i in range(0, len(first), self.size))
        self.finish(job for job in self.jobs if PREDICT not in job.todo)
        while self.groups or self.predicting or self.finishing:
            self.hire()
            while self.groups and self.idle:
                actor, group = self.idle.popleft(), self.groups.popleft()
                self.predicting[actor.predict.remote(group.jobs, self.plan)] = group, actor
            while self.idle and not self.groups:
                self.ray.kill(self.idle.pop())  # without work it would keep its cores from the tasks, which could wait for ever
            done, _ = self.ray.wait([*self.predicting, *self.finishing], num_returns=1, timeout=5)
            for reference in done:
                yield from self.predicted(reference) if reference in self.predicting else self.finished(reference)

    def hire(self) -> None:
        """As many actors as the nodes that live have room for, while there are groups for them."""
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
        if nodes:
            self.seen_alive = time.monotonic()
            gpus = 0 if self.plan.network.device == "cpu" else sum(int(node.get("GPU", 0)) for node in nodes)
            # The same for all, so that there is no node that an actor could not be placed on.
            cores = 1 if gpus else max(1, int(min(node["CPU"] for node in nodes)) // 2)
            actor = self.ray.remote(NetworkOnNode).options(
                num_cpus=cores, num_gpus=1 if gpus else 0, scheduling_strategy="SPREAD"
            )
            missing = min(len(self.groups), (gpus or len(nodes)) - len(self.predicting)) - len(self.idle)
            self.idle.extend(actor.remote() for _ in range(missing))
        elif time.monotonic() - self.seen_alive > PATIENCE_SECONDS:
            # Ray itself waits for ever, in case somebody adds a node.
            raise SapiensError(
                "The cluster has no node that can work.",
                "Give it nodes with a core or more, then start the same command again: it goes on from here.",
            )

    def finish(self, jobs: Iterable[InputJob]) -> None:
        self.finishing |= {self.finish_task.remote([job], self.plan): job for job in jobs}

    def predicted(self, reference: Any) -> Iterator[Outcome]:
        """What the network gave: failures, and jobs that are done or go on to their other stages."""
        group, actor = self.predicting.pop(reference)
        try:
            outcomes = self.ray.get(reference)
            self.idle.append(actor)
        except self.ray.exceptions.RayError as problem:
            # The actor is gone with its node, or out of reach: the group goes to another one, and this one is forgotten.
            self.ray.kill(actor)
            if group.lost < RETRIES:
                self.groups.appendleft(_Group(group.jobs, group.lost + 1))
                return
            outcomes = give_up(group.jobs, predict_all, _reason(problem))
        more = [job for job, error in outcomes if error is None and set(job.todo) - {PREDICT}]
        self.finish(more)
        yield from (outcome for outcome in outcomes if not any(outcome[0] is job for job in more))

    def finished(self, reference: Any) -> Iterator[Outcome]:
        job = self.finishing.pop(reference)
        try:
            yield from self.ray.get(reference)
        except self.ray.exceptions.RayError as problem:  # Ray has repeated it already
            yield from give_up([job], finish_all, _reason(problem))


def _reason(problem: Exception) -> SapiensError:
    lines = str(problem).strip().splitlines()
    return SapiensError(
        f"The cluster could not do this input: {lines[-1] if lines else type(problem).__name__}",
        "Look at the Ray dashboard, then start the batch again with --retry-failed.",
    )


class NetworkOnNode:
    """The network on one node: its worker process, and the weights in it, stay between calls."""

    def predict(self, jobs: list[InputJob], plan: Plan) -> list[Outcome]:
        return _in_child(predict_all, jobs, plan)


def finish_on_node(jobs: list[InputJob], plan: Plan) -> list[Outcome]:
    """What comes after the network, as a Ray task."""
    return _in_child(finish_all, jobs, plan)


@lru_cache(maxsize=1)
def _child() -> CallProcess:
    """The child of this Ray worker."""
    return CallProcess()


def _in_child(function: Callable[..., list[Outcome]], jobs: list[InputJob], plan: Plan) -> list[Outcome]:
    if not all(job.folder.parent.is_dir() for job in jobs):
        error = SapiensError(
            f"The node {socket.gethostname()} does not see the folder {jobs[0].folder.parent}.",
            "Inputs and results must lie on a path that all nodes share.",
        )
        return [(job, error) for job in jobs]
    return call(_child(), function, jobs, plan)


def _connect(address: str | None) -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise SapiensError("The Ray engine needs Ray, which is not installed.", "Install sapiens2-avatar[ray].") from error
    if not ray.is_initialized():
        try:
            ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise SapiensError(
                f"No Ray cluster was found{f' at {address}' if address else ''}.", "Start one with: ray start --head"
            ) from error
    return ray


def _absolute(job: InputJob) -> InputJob:
    """Nodes have working folders of their own."""
    return replace(job, item=replace(job.item, path=job.item.path.absolute()), folder=job.folder.absolute())
