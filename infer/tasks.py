"""What Sapiens2 can be asked for: a row per task. To add one, add a row, and a head to `infer.model`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .region_maps import HeadOutput, Layout, Merged, merge_albedo, merge_matting, merge_normal, merge_pointmap


@dataclass(frozen=True)
class Task:
    """How the output of one head becomes maps of a photo.

    needs     raw outputs of the network that belong to this head; a network may lack some
    geometry  how the photo comes into the network: "letterbox" (aspect kept, bars), "stretch", or "crop" (around a person)
    cost      of the head in the 0.4b networks, in 1e12 multiply-accumulates; only the progress depends on it
    low_precision  whether its network bears matrix products in 16 bits. The pointmap does not: it was trained in 32 bits, and a
              focal scale that is off by 0.2 % moves a person at 2 m by 4 mm. See docs/speed.md
    merge     decodes the head's outputs for the layout's distinct regions, in their order, and puts them together. None for
              parts, which say who is where before there is a layout, and for keypoints, which are no map
    """

    needs: tuple[str, ...]
    geometry: str
    cost: float
    low_precision: bool
    merge: Callable[[Iterable[HeadOutput], Layout], Merged] | None = None


TASKS = {
    "seg": Task(("logits",), "stretch", 0.11, True),
    "normal": Task(("normals",), "letterbox", 0.83, True, merge_normal),
    "pointmap": Task(("pointmap", "scale"), "letterbox", 2.5, False, merge_pointmap),
    "albedo": Task(("albedo",), "letterbox", 0.83, True, merge_albedo),
    "matting": Task(("foreground", "alpha"), "stretch", 0.9, True, merge_matting),
    "pose": Task(("heatmaps",), "crop", 0.25, True),
}
"""In the order in which they run: seg finds the people, whom the others look at more closely."""
BACKBONE_COST = 1.7


def pass_cost(tasks: Sequence[str]) -> float:
    """Cost of one pass of a network through the heads of these tasks, as in `Task`."""
    return BACKBONE_COST + sum(TASKS[task].cost for task in tasks)
