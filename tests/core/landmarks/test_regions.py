"""Squares of a photo, and places in them."""

import numpy as np
import pytest

from sapiens2_avatar.core.landmarks.regions import Picture, Region


@pytest.mark.parametrize("angle", [0.0, 0.7, np.pi / 2, np.pi, -2.0])
def test_there_and_back(angle):
    region = Region(np.array([40.0, 25.0]), 30.0, angle)
    places = np.random.default_rng(0).uniform(-0.5, 1.5, (50, 2))
    np.testing.assert_allclose(region.from_photo(region.to_photo(places)), places, atol=1e-12)
    np.testing.assert_allclose(region.to_photo(np.array([0.5, 0.5])), [40, 25])


def test_a_head_below_the_feet_turns_the_square_round():
    region = Region.upright(np.array([10.0, 10.0]), np.array([10.0, 30.0]), np.zeros(2), 1)
    np.testing.assert_allclose(np.abs(region.angle), np.pi)
    np.testing.assert_allclose(Region.upright(np.zeros(2), np.array([0.0, -5.0]), np.zeros(2), 1).angle, 0)
    # A head to the right: what is right in the photo is up in the square.
    right = Region.upright(np.zeros(2), np.array([5.0, 0.0]), np.zeros(2), 2)
    np.testing.assert_allclose(right.from_photo(np.array([1.0, 0.0])), [0.5, 0], atol=1e-12)


@pytest.mark.parametrize(("side", "angle"), [(64.0, 0.0), (200.0, 0.0), (200.0, 0.6), (640.0, -1.2), (640.0, np.pi)])
def test_what_is_cut_lies_where_the_region_says(side, angle):
    """A photo whose colours are its coordinates, cut at sizes below and above its own."""
    y, x = np.mgrid[0:1000, 0:1000]
    picture = Picture(np.stack([x / 4, y / 4, np.full_like(x, 200)], axis=-1).astype(np.uint8))
    region = Region(np.array([480.0, 510.0]), side, angle)
    cut = picture.cut(region, 64).astype(float)
    places = (np.stack(np.meshgrid(np.arange(64), np.arange(64)), axis=-1) + 0.5) / 64
    np.testing.assert_allclose(cut[..., :2], region.to_photo(places) / 4, atol=1.2)
    assert (cut[..., 2] == 200).all()


def test_outside_the_photo_it_is_black():
    cut = Picture(np.full((50, 50, 3), 255, np.uint8)).cut(Region(np.array([0.0, 24.5]), 50.0), 50)
    assert cut[:, :24].max() == 0 and cut[:, 27:].min() == 255


def test_fine_stripes_become_grey_when_they_get_too_small():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    cut = Picture(stripes).cut(Region(np.array([255.5, 255.5]), 512.0), 64)
    assert np.abs(cut.astype(int) - 127).max() <= 2


def test_around_points():
    points = np.array([[10.0, 20.0], [30.0, 20.0], [20.0, 25.0]])
    region = Region(np.zeros(2), 1, 0.0).around(points, 1.5)
    np.testing.assert_allclose(region.centre, [20, 22.5])
    assert region.side == pytest.approx(30)
