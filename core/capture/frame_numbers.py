"""One timeline for numbered frames: files of a folder, and ids in a file. 2 comes before 10, and what is left out stays a gap."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..common.wording import counted

LONGEST_JUMP = 1500
"""Missing frames in a row (a minute at 25 per second) that are a gap; more is another numbering."""
SPARSEST, SPARSEST_BY_HAND = 25, 2
"""Frames of the timeline for each that is there, up to which the numbers count as those of one clip; and the same for files whose
numbers have no leading zeros, which people count by hand."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """Where frames lie in time.

    order  (n,) int indices of the given names in their order
    slots  (n,) int place of each of them on the timeline, ascending from 0; a number that no frame has is a gap
    notes  sentences for the artist: which frames are missing
    """

    order: np.ndarray
    slots: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Frames of the timeline, those that are missing included."""
        return int(self.slots[-1]) + 1 if len(self.slots) else 0


def natural_order(name: Path | str) -> list[int | str]:
    """Key to sort names by: frame_2 before frame_10."""
    parts = re.split(r"(\d+)", name.name if isinstance(name, Path) else name)
    return [int(part) if n % 2 else part.casefold() for n, part in enumerate(parts)]


def timeline(names: Sequence[str | int], source: str, files: bool = False) -> Timeline:
    """The order of frames, and the gaps between their numbers.

    names   numbers, or names that differ in one number alone; any others follow each other in natural order
    source  name of the folder or file, for the notes
    files   the names are those of files
    """
    keys = [str(name) for name in names]
    order = np.array(sorted(range(len(keys)), key=lambda n: natural_order(keys[n])), int)
    consecutive = Timeline(order, np.arange(len(order)))
    numbers = _numbers([keys[n] for n in order])
    if numbers is None:
        return consecutive
    steps = np.diff(numbers)
    step = int(np.gcd.reduce(steps))
    slots = (numbers - numbers[0]) // step
    missing = int(slots[-1]) + 1 - len(slots)
    if not missing:
        return consecutive
    widest = int(steps.argmax())
    by_hand = files and not any(re.search(r"(?<!\d)0\d", key) for key in keys)
    longest = (SPARSEST_BY_HAND if by_hand else SPARSEST) * len(slots)
    if steps[widest] // step > LONGEST_JUMP or len(slots) + missing >= longest:
        note = f"The numbers of {source} jump from {numbers[widest]} to {numbers[widest + 1]}: its frames follow each other."
        return Timeline(order, np.arange(len(order)), (note,))
    first = [f"{a + step}" if b - a == 2 * step else f"{a + step} to {b - step}" for a, b in _jumps(numbers, step)]
    listed = ", ".join(first[:4]) + (", ..." if len(first) > 4 else "")
    frames = counted(missing, "frame is", "frames are")
    return Timeline(order, slots, (f"{frames} missing in {source} ({listed}): a gap that is bridged.",))


def _jumps(numbers: np.ndarray, step: int) -> list[tuple[int, int]]:
    return [(a, b) for a, b in pairwise(numbers.tolist()) if b - a > step]


def _numbers(names: Sequence[str]) -> np.ndarray | None:
    """(n,) the number that tells each name from the others, ascending; None where it is not one number that does."""
    parts = [re.split(r"(\d+)", re.sub(r"\.[A-Za-z]\w*$", "", name)) for name in names]
    if len(parts) < 2 or len({len(p) for p in parts}) > 1:
        return None
    columns = list(zip(*parts, strict=True))
    varying = [n for n, column in enumerate(columns) if len({int(v) if n % 2 else v.casefold() for v in column}) > 1]
    if len(varying) != 1 or varying[0] % 2 == 0:
        return None
    values = [int(v) for v in columns[varying[0]]]
    if max(values) >= 2**62:
        return None
    numbers = np.array(values, np.int64)
    return numbers if (np.diff(numbers) > 0).all() else None
