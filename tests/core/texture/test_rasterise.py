"""Triangles on texels, and which of them is on top."""

import numpy as np

from sapiens2_avatar.core.texture import rasterise as drawing
from sapiens2_avatar.core.texture.rasterise import lowest_and_highest, rasterise


def test_the_first_and_the_last_triangle_of_a_texel_are_those_that_stay_when_all_are_drawn_forth_and_back(monkeypatch):
    rng = np.random.default_rng(0)
    corners = (rng.uniform(-5, 70, (300, 1, 2)) + rng.uniform(-9, 9, (300, 3, 2))).astype(np.float32)
    corners[7], corners[8, 1] = np.nan, corners[8, 0]  # unknown, and without area
    monkeypatch.setattr(drawing, "CANDIDATES", 2000)  # so that they are drawn in many parts
    first, last = lowest_and_highest(corners, 64, 48)
    forth, _ = rasterise(corners, 64, 48)
    back, _ = rasterise(corners[::-1], 64, 48)
    assert (last == forth).all() and (first == np.where(back >= 0, len(corners) - 1 - back, -1)).all()
    assert (first[last >= 0] < last[last >= 0]).any() and (first <= last).all()
    assert not np.isin([7, 8], np.stack([first, last])).any()
