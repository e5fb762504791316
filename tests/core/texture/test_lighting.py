"""The light of a photo from what its surface shows."""

import numpy as np
import pytest
from scipy.optimize import nnls

from sapiens2_avatar.core.texture.lighting import fit_radiance


@pytest.mark.parametrize("directions", [3, 40, 120])
def test_radiance_is_the_non_negative_least_squares(directions):
    rng = np.random.default_rng(directions)
    transfer = rng.random((600, directions)) ** 3
    observed, weight = rng.random(600) * transfer.sum(axis=1), rng.random(600)
    found = fit_radiance(transfer, observed, weight, smoothness=1e-2)
    rows = transfer * weight[:, None]
    ridge = np.sqrt(1e-2 * np.trace(rows.T @ rows) / directions) * np.eye(directions)
    wanted = nnls(np.vstack([rows, ridge]), np.concatenate([observed * weight, np.zeros(directions)]))[0]
    assert (found >= 0).all() and (found == 0).any() == (wanted == 0).any()
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-8)


def test_no_light_is_no_radiance():
    assert (fit_radiance(np.ones((5, 4)), np.zeros(5), np.ones(5)) == 0).all()
