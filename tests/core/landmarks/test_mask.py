"""Masks: their place in the photo, their pieces."""

import numpy as np

from sapiens2_avatar.core.landmarks.mask import Mask, _without_islands


def test_a_mask_knows_where_it_is():
    opacity = np.zeros((5, 4), np.float32)
    opacity[1:3, 2] = 1
    mask = Mask(opacity, left=10, top=20)
    assert mask.box().tolist() == [12, 21, 12, 22]
    whole = mask.in_photo(40, 30)
    assert whole.sum() == 2 and (whole[21:23, 12] == 1).all()


def test_an_empty_mask_has_no_box():
    assert Mask(np.zeros((3, 3), np.float32), 0, 0).box() is None


def test_specks_go_and_a_cut_off_forearm_stays():
    opacity = np.zeros((100, 100), np.float32)
    opacity[10:70, 20:60] = 0.9
    opacity[80:95, 30:50] = 0.8  # beyond the edge of a table
    opacity[5:8, 90:95] = 1
    opacity[2, 2] = 0.2  # too faint to be a piece
    cleaned = _without_islands(opacity)
    assert cleaned[5:8, 90:95].max() == 0
    cleaned[5:8, 90:95] = 1
    np.testing.assert_array_equal(cleaned, opacity)
