"""Passes of the dense heads over regions of a photo: heads of one file that see the same input share one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from .checkpoints import Checkpoint
from .preprocess import letterbox, stretch
from .region_maps import HeadOutput
from .session import Session
from .tasks import TASKS
from .windows import Region


class DensePasses:
    """What the dense heads say about regions of one photo.

    image        (H, W, 3) uint8
    checkpoints  task -> checkpoint of every dense task that will be asked for
    """

    def __init__(self, image: np.ndarray, checkpoints: dict[str, Checkpoint], session: Session):
        self.image, self.checkpoints, self.session = image, checkpoints, session
        self._waiting: dict[tuple[str, Region], HeadOutput] = {}

    def sharing(self, task: str) -> tuple[str, ...]:
        """The tasks that come out of the pass of `task`."""
        checkpoint = self.checkpoints[task]
        return tuple(
            other
            for other, theirs in self.checkpoints.items()
            if theirs.path == checkpoint.path and checkpoint.geometry(other) == checkpoint.geometry(task)
        )

    def planned(self, regions: list[Region]) -> list[tuple[str, ...]]:
        """The passes that all tasks need on these regions, each as its tasks, but for those whose outputs are waiting."""
        groups = dict.fromkeys(self.sharing(task) for task in self.checkpoints)
        return [group for group in groups for region in regions if not any((task, region) in self._waiting for task in group)]

    def output(self, task: str, region: Region) -> HeadOutput:
        """Output of the head of `task` for a region. Each is given out once, and forgotten."""
        if (task, region) not in self._waiting:
            checkpoint, tasks = self.checkpoints[task], self.sharing(task)
            image, size = region.of(self.image), self.session.input_size(checkpoint)
            if checkpoint.geometry(task) == "letterbox":
                tensor, frame = letterbox(image, *size)
            else:
                tensor, frame = stretch(image, *size), None
            outputs = self.session.run(checkpoint, tensor, tasks)
            for other in tasks:
                raw = {name: outputs[name] for name in TASKS[other].needs if name in outputs}
                self._waiting[other, region] = HeadOutput(raw, region, image, frame, self.checkpoints[other].guided)
        return self._waiting.pop((task, region))

    def outputs(self, task: str, regions: Iterable[Region]) -> Iterator[HeadOutput]:
        """Output of the head of `task` for each region, made when it is asked for."""
        for region in regions:
            yield self.output(task, region)
