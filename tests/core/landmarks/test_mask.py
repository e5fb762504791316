"""Masks: their place in the photo, their pieces."""

import numpy as np

from sapiens2_avatar.core.landmarks.mask import Mask, _by_colour, _without_islands


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


def test_how_much_of_a_mask_lies_in_another_one():
    hand = Mask(np.ones((4, 4), np.float32), left=8, top=8)
    body = Mask(np.ones((10, 10), np.float32), left=10, top=0)
    assert hand.share_in(body) == 0.25 and body.share_in(hand) == 0.04
    assert hand.share_in(Mask(np.ones((3, 3), np.float32), 30, 30)) == 0
    assert Mask(np.zeros((3, 3), np.float32), 0, 0).share_in(body) == 0


def test_where_the_network_is_unsure_the_colours_near_by_decide():
    """Somebody in red before a wall that is green on their left and blue on their right; only the middle is sure."""
    colours = np.zeros((60, 90, 3), np.uint8)
    colours[:, :45], colours[:, 45:] = (40, 160, 60), (40, 60, 160)
    colours[:, 30:60] = (200, 40, 50)
    truth = np.zeros((60, 90), bool)
    truth[:, 30:60] = True
    cells = np.full((60, 90), 0.5, np.float32)
    cells[:, 36:54], cells[:, :15], cells[:, 75:] = 1, 0, 0
    assert ((_by_colour(cells, colours) > 0.5) == truth).all()
    # What is sure stays; without either side to compare with, so does all.
    sure = np.where(cells == 0.5, 0, cells)
    np.testing.assert_array_equal(_by_colour(sure, colours), sure)
    alone = np.where(cells == 0, np.float32(0.5), cells)
    np.testing.assert_allclose(_by_colour(alone, colours), alone)
