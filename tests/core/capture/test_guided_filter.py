"""The guided filter: what is a linear function of the photo's colour comes back as one, at the photo's resolution."""

import numpy as np
import pytest

from sapiens2_avatar.core.capture.guided_filter import ColourWindows, GuidedFilter, inverse, symmetric


@pytest.mark.parametrize("weighted", [False, True])
def test_a_linear_function_of_the_colour_comes_back_sharp(weighted):
    rng = np.random.default_rng(0)
    blocks = rng.integers(20, 236, (12, 16, 3)).astype(np.uint8)
    photo = np.repeat(np.repeat(blocks, 24, axis=0), 24, axis=1)  # edges between cells of the grid, 8 pixels each
    linear = (photo / 255) @ [0.5, -0.2, 0.3] + 0.1
    coarse = linear.reshape(36, 8, 48, 8).mean((1, 3))
    weight = rng.random(coarse.shape) + 0.1 if weighted else None
    found = GuidedFilter(photo, coarse.shape, 3, weight, edge=1e-7).upsample(coarse)
    assert found.shape == photo.shape[:2] and found.dtype == np.float32
    assert np.abs(found - linear).max() < 2e-3


def test_cells_without_weight_have_no_say():
    rng = np.random.default_rng(1)
    photo = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    values, weight = np.full((32, 32), 0.25), np.ones((32, 32))
    values[:, 20:], weight[:, 20:] = 9.0, 0
    assert np.abs(GuidedFilter(photo, (32, 32), 4, weight).upsample(values)[:, :38] - 0.25).max() < 1e-3


def test_the_covariance_of_a_window_is_that_of_its_colours():
    cells = np.random.default_rng(2).random((9, 9, 3)).astype(np.float32)
    windows = ColourWindows(cells, 2)
    inside = cells[2:7, 2:7].reshape(-1, 3)
    wanted = np.cov(inside.T, bias=True) + 0.01 * np.eye(3)
    np.testing.assert_allclose(symmetric(windows.covariance(), 0.01)[4, 4], wanted, atol=1e-5)
    np.testing.assert_allclose(windows.mean[4, 4], inside.mean(0), atol=1e-6)


def test_inverse_by_cofactors():
    rng = np.random.default_rng(1)
    matrices = symmetric(np.abs(rng.normal(size=(5, 4, 6))) * np.array([3, 1, 1, 3, 1, 3]), 4.0)
    np.testing.assert_allclose(inverse(matrices) @ matrices, np.broadcast_to(np.eye(3), matrices.shape), atol=1e-9)
