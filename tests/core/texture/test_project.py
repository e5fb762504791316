"""What of a photo is taken for a surface's own colour."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from sapiens2_avatar.core.texture.project import _shone_through

SCALE = 1000.0
"""Pixels a metre."""


def test_the_background_between_loose_strands_is_none_of_the_hair():
    """A disc of dark hair before a pale wall, which shines through along a part of its outline; a grey streak farther in."""
    y, x = np.mgrid[:160, :160]
    away = np.hypot(x - 80, y - 80)
    hair = away < 60
    colour = np.full((160, 160, 3), 210, np.uint8)
    colour[hair] = (60, 45, 35)
    colour[hair] += np.random.default_rng(0).integers(0, 12, (hair.sum(), 1), dtype=np.uint8)
    loose = hair & (away > 52) & (x > 80)
    streak = hair & (np.abs(x - 80) < 3) & (away < 40)
    colour[loose], colour[streak] = (150, 140, 130), (150, 140, 130)
    found = _shone_through(colour, distance_transform_edt(hair), SCALE)
    np.testing.assert_array_equal(found, loose)
    assert not _shone_through(colour, np.zeros((160, 160)), SCALE).any()  # nothing is seen of it
    thin = hair & (away > 52)
    assert not _shone_through(colour, distance_transform_edt(thin), SCALE).any()  # nothing tells what it looks like
