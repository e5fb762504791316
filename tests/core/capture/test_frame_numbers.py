"""One timeline for numbered frames: natural order, gaps bridged and said, nothing vanishes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sapiens2_avatar.core.capture.frame_numbers import natural_order, timeline


@pytest.mark.parametrize(("names", "slots", "note"), [
    ([f"frame_{n:03d}.png" for n in (0, 1, 2, 6, 7)], [0, 1, 2, 6, 7], r"3 frames .*3 to 5"),
    ([f"{n}.jpg" for n in range(24)], list(range(24)), None), (list(range(0, 40, 10)), [0, 1, 2, 3], None),
    ([3, 4, 6], [0, 1, 3], "1 frame is missing in clip .5."), (["a_v2_0001", "a_v2_0003", "a_v2_0004"], [0, 2, 3], "1 frame"),
    (["20240101_120305.jpg", "20240102_090000.jpg"], [0, 1], None), (["anna.png", "bob.png"], [0, 1], None),
    ([139, 285, 632, 724, 776, 785, 99999], list(range(7)), "jump from 785 to 99999"), (["only_0007.png"], [0], None),
    ([1, 100, 200], [0, 1, 2], "follow each other"), (["1.png", "01.png", "2.png"], [0, 1, 2], None), (["²", "3"], [0, 1], None),
    ([f"{n:030d}" for n in (1, 3)], [0, 1], None), ([10**30, 10**30 + 5], [0, 1], None),
])  # fmt: skip
def test_where_frames_lie_in_time(names: list, slots: list[int], note: str | None) -> None:
    shuffled = [names[n] for n in np.random.default_rng(1).permutation(len(names))]
    found = timeline(shuffled, "clip")
    assert found.slots.tolist() == slots
    assert sorted(names, key=lambda n: natural_order(str(n))) == [shuffled[n] for n in found.order]
    assert len(found.notes) == (note is not None)
    assert note is None or re.search(note, found.notes[0])
