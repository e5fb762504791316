"""How cloth spans hollows: only outwards, over the cleft and under the seat."""

import numpy as np

from sapiens2_avatar.core.body.evaluate import Shape, rest_points, vertex_normals
from sapiens2_avatar.core.common.rotations import dot
from sapiens2_avatar.core.garments.drape import hanging, spanned
from sapiens2_avatar.core.garments.suit import ARM, coarse_suit


def points():
    return rest_points(Shape()).astype(np.float64)[coarse_suit().used]


def test_clefts_are_filled_outwards_alone():
    before = points()
    after = spanned(before)
    shift = after - before
    moved = np.linalg.norm(shift, axis=1) > 1e-4
    assert 20 < moved.sum() < 0.5 * len(before)
    assert np.median(dot(shift, vertex_normals(before, coarse_suit().quads))[moved]) > 0
    assert not moved[~coarse_suit().free].any()
    seat = (np.abs(before[:, 0]) < 0.004) & (before[:, 2] < before[:, 2].max() - 0.45) & (before[:, 1] > np.median(before[:, 1]))
    assert shift[seat, 1].max() > 0.005  # backwards


def test_loose_cloth_hangs_under_the_seat():
    off = hanging(spanned(points()))
    s, rest = coarse_suit(), points()
    assert off.min() == 0
    assert not off[(s.region == ARM) | (s.region == ARM + 1)].any()
    back = vertex_normals(rest, s.quads)[:, 1] > 0.7
    crotch = rest[(np.abs(rest[:, 0]) < 0.01) & s.free, 2].min()
    thigh = back & (np.abs(rest[:, 2] - (crotch - 0.12)) < 0.04)
    seat = back & (np.abs(rest[:, 2] - (crotch + 0.08)) < 0.03)
    assert np.median(off[thigh]) > 2 * np.median(off[seat]) + 0.004
