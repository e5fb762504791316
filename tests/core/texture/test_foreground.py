"""The border of the person: colours as they would be without the background."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens2_avatar.core.capture.matte import follow_photo
from sapiens2_avatar.core.texture.foreground import foreground

PERSON, BACKGROUND = np.array([0.6, 0.25, 0.1], np.float32), np.array([0.05, 0.3, 0.8], np.float32)


def disc(size=96, radius=30.0, blur=1.5):
    """Opacity of a disc with a soft border, (size, size) float32."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return cv2.GaussianBlur((np.hypot(x, y) < radius).astype(np.float32), (0, 0), blur)


def composite(alpha, texture=0.0):
    noise = 1 + texture * np.random.default_rng(0).standard_normal((*alpha.shape, 1)).astype(np.float32)
    return alpha[..., None] * PERSON * noise + (1 - alpha[..., None]) * BACKGROUND, PERSON * noise


def test_the_background_is_taken_out_where_the_matte_says_so():
    alpha = disc()
    photo, _ = composite(alpha)
    labels = np.where(alpha > 0.25, 4, 0).astype(np.uint8)
    result = foreground(photo, np.rint(alpha * 255).astype(np.uint8), labels)
    assert np.abs(photo - PERSON)[labels > 0].max() > 0.3
    assert np.abs(result - PERSON)[labels > 0].max() < 0.03


def test_most_of_the_background_is_taken_out_where_no_matte_exists():
    alpha = disc()
    photo, _ = composite(alpha)
    labels = np.where(alpha > 0.5, 23, 0).astype(np.uint8)
    result = foreground(photo, None, labels)
    assert np.abs(result - PERSON)[labels > 0].mean() < 0.5 * np.abs(photo - PERSON)[labels > 0].mean()


def test_a_sharp_border_stays_as_it_is():
    alpha = (disc(blur=0.01) > 0.5).astype(np.float32)
    photo, _ = composite(alpha, texture=0.2)
    labels = np.where(alpha > 0, 23, 0).astype(np.uint8)
    assert np.array_equal(foreground(photo, None, labels)[labels > 0], photo[labels > 0])


def test_a_dark_seam_on_a_sharp_border_is_not_background():
    alpha = (disc(blur=0.01) > 0.5).astype(np.float32)
    photo, _ = composite(alpha)
    photo[alpha == 0] = 0
    seam = (alpha > 0) & (cv2.erode(alpha, np.ones((3, 3))) == 0)
    seam[:, :60] = False  # on a third of the border
    photo[seam] *= 0.3
    labels = np.where(alpha > 0, 23, 0).astype(np.uint8)
    assert np.array_equal(foreground(photo, None, labels)[seam], photo[seam])


def test_a_matte_that_is_off_by_a_pixel_adds_no_contrast():
    alpha = disc(blur=0.5)
    photo, _ = composite((alpha > 0.5).astype(np.float32))
    labels = np.where(alpha > 0.5, 23, 0).astype(np.uint8)
    small = np.rint(255 * np.roll(alpha, 2, axis=1)).astype(np.uint8)
    result = foreground(photo, small, labels)
    assert np.abs(result - PERSON)[labels > 0].max() < 0.05


def test_a_person_who_fills_the_photo_stays_as_they_are():
    photo = np.random.default_rng(1).random((20, 30, 3)).astype(np.float32)
    assert np.array_equal(foreground(photo, None, np.full((20, 30), 3, np.uint8)), photo)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**32 - 1), st.booleans())
def test_any_input_gives_finite_colours(height, width, seed, matte):
    rng = np.random.default_rng(seed)
    labels = (rng.integers(0, 29, (height, width)) * (rng.random((height, width)) < rng.random())).astype(np.uint8)
    alpha = rng.integers(0, 256, (height, width)).astype(np.uint8) if matte else None
    result = foreground(rng.random((height, width, 3)).astype(np.float32), alpha, labels, gutter=2)
    assert result.shape == (height, width, 3) and np.isfinite(result).all() and result.min() >= -1e-4 and result.max() <= 1 + 1e-4


def wavy_disc(size, contrast=120, waves=3.0):
    """A noisy photo of a disc, its opacity, and one whose border waves."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    true = np.clip(size / 3 - radius + 0.5, 0, 1)
    wavy = np.clip(size / 3 + waves * np.sin(angle * size / 16) - radius + 0.5, 0, 1)
    image = 60 + contrast * true[..., None] * [1, 0.7, 0.4] + rng.normal(0, 2, (size, size, 3))
    return np.clip(image, 0, 255).astype(np.uint8), np.rint(255 * true).astype(np.uint8), np.rint(255 * wavy).astype(np.uint8)


def test_a_wavy_matte_follows_the_photo():
    image, true, wavy = wavy_disc(256)
    off = np.count_nonzero((wavy > 127) != (true > 127))
    left = np.count_nonzero((follow_photo(wavy, image) > 127) != (true > 127))
    assert off > 900 and left < 0.15 * off


def test_a_large_matte_is_compared_at_the_networks_resolution():
    image, true, wavy = (np.ascontiguousarray(a.repeat(2, 0).repeat(2, 1)) for a in wavy_disc(1024))
    left = np.count_nonzero((follow_photo(wavy, image) > 127) != (true > 127))
    assert left < 0.15 * np.count_nonzero((wavy > 127) != (true > 127))


def test_a_matte_that_follows_the_photo_stays_as_it_is():
    image, true, _ = wavy_disc(256)
    assert follow_photo(true, image) is true


def test_a_matte_that_the_photo_does_not_show_stays():
    """Thin fingers of the colour of the wall behind them must not be lost."""
    image, _, _ = wavy_disc(256, contrast=0)
    alpha = np.zeros((256, 256), np.uint8)
    alpha[40:200, 100:220] = alpha[60:64, 20:100] = alpha[80:84, 20:100] = 255
    assert np.count_nonzero((follow_photo(alpha, image) > 127) != (alpha > 127)) < 0.02 * np.count_nonzero(alpha)


@pytest.mark.parametrize("shape", [(1, 1), (3, 64), (64, 64)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_mattes_without_a_border_stay(shape, value):
    alpha = np.full(shape, value, np.uint8)
    np.testing.assert_array_equal(follow_photo(alpha, np.zeros((*shape, 3), np.uint8)), alpha)
