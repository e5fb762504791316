"""Several photos made one."""

from __future__ import annotations

import numpy as np

from sapiens2_avatar.core.texture.blend import blend_shares


def test_the_photo_in_which_a_surface_stands_wins_where_it_sees_as_well():
    belief = np.array([[1, 1, 0.0, 1], [1, 1, 1, 1]], np.float32)
    quality = np.array([[400, 300, 400, 400], [400, 400, 400, 1600]], np.float32)
    low, high, known = blend_shares(belief, quality)
    assert (high[0, :2] > 0.9).all() and (low[0, :2] > low[1, :2]).all(), "as good, or a little worse"
    assert high[1, 2] == 1, "where it does not look, the other one"
    assert high[1, 3] > 0.95, "a close-up has the detail"
    np.testing.assert_allclose(low.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(known, 1, atol=1e-6)
