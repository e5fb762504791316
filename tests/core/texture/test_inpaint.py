"""Filling: what is known stays, what is not comes from the same part only, and nothing that is not a number gets anywhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens2_avatar.core.texture.inpaint import fill_texture, nearest_index, push_pull


def test_push_pull_keeps_the_known_and_stays_within_their_range():
    rng = np.random.default_rng(0)
    image = rng.uniform(10, 20, (37, 53, 3)).astype(np.float32)
    known = rng.random((37, 53)) < 0.05
    filled = push_pull(np.where(known[..., None], image, 1e6), known.astype(np.float32))
    assert np.allclose(filled[known], image[known], rtol=1e-5)
    assert filled.min() >= image[known].min() - 1e-3 and filled.max() <= image[known].max() + 1e-3


def test_push_pull_continues_a_ramp():
    ramp = np.repeat(np.arange(64, dtype=np.float32)[None, :, None], 64, axis=0)
    hole = np.zeros((64, 64), bool)
    hole[24:40, 24:40] = True
    filled = push_pull(ramp, (~hole).astype(np.float32))
    assert np.abs(filled - ramp)[hole].max() < 4  # a quarter of the width of the hole


def test_push_pull_of_nothing_is_zero():
    assert not push_pull(np.full((5, 7, 3), np.nan, np.float32), np.ones((5, 7), np.float32)).any()


def test_nearest_index_finds_the_nearest():
    known = np.zeros((30, 40), bool)
    known[[3, 20, 29], [5, 33, 0]] = True
    points = np.argwhere(known)
    rows, columns = np.indices(known.shape)
    true = np.hypot(rows[..., None] - points[:, 0], columns[..., None] - points[:, 1]).min(axis=-1)
    y, x = np.divmod(nearest_index(known), known.shape[1])
    assert known[y, x].all()
    assert (np.hypot(rows - y, columns - x) <= true * 1.03 + 1e-6).all()
    assert (nearest_index(np.zeros((2, 2), bool)) == -1).all()


def test_no_part_bleeds_into_another():
    labels = np.zeros((60, 80), np.uint8)
    labels[10:50, 10:40], labels[10:50, 40:70] = 3, 23
    colour = np.zeros((60, 80, 3), np.float32)
    colour[labels == 3], colour[labels == 23] = (200, 100, 50), (0, 50, 250)
    believed = (labels > 0) & (np.abs(np.arange(80) - 39.5) > 6)  # nothing is known along the border of the two
    filled = fill_texture(colour + 7 * ~believed[..., None], believed, labels, gutter=5)
    assert np.allclose(filled[labels == 3], (200, 100, 50), atol=1e-2)
    assert np.allclose(filled[labels == 23], (0, 50, 250), atol=1e-2)
    assert np.allclose(filled[30, 6:10], (200, 100, 50), atol=1e-2)
    assert np.allclose(filled[30, 70:74], (0, 50, 250), atol=1e-2)
    # Beyond the gutter it is some mixture of the person, never the black around it.
    assert filled.sum(axis=-1).min() > 250


def test_a_part_that_nobody_knows_takes_its_neighbours():
    labels = np.full((20, 20), 3, np.uint8)
    labels[8:12, 8:12] = 24
    filled = fill_texture(np.full((20, 20, 3), 90, np.float32), labels == 3, labels, gutter=2)
    assert np.allclose(filled, 90, atol=1e-2)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 33), st.integers(1, 33), st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(0, 9))
def test_any_input_gives_finite_texels(height, width, seed, share, gutter):
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 100, (height, width, 3)).astype(np.float32)
    image[rng.random((height, width)) < 0.2] = rng.choice([np.nan, np.inf, -np.inf])
    labels = rng.integers(0, 29, (height, width)).astype(np.uint8)
    filled = fill_texture(image, rng.random((height, width)) < share, labels, gutter)
    assert filled.shape == image.shape and filled.dtype == np.float32
    assert np.isfinite(filled).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2)])
def test_thin_images(shape):
    filled = fill_texture(np.full((*shape, 3), 5, np.float32), np.ones(shape, bool), np.ones(shape, np.uint8), 3)
    assert np.allclose(filled, 5)
