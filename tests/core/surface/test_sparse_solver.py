"""Factors of the systems of smoothing."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="needs scipy")

from sapiens2_avatar.core.surface.sparse_solver import factored


def test_what_is_solved_gives_the_right_side_again_in_one_column_and_in_several():
    from scipy import sparse
    from scipy.sparse.linalg import splu

    rng, n = np.random.default_rng(0), 40 * 30
    number = np.arange(n).reshape(40, 30)
    beside = [np.stack(ends, axis=-1).reshape(-1, 2) for ends in ((number[:-1], number[1:]), (number[:, :-1], number[:, 1:]))]
    pairs = np.concatenate(beside)
    row = np.repeat(np.arange(len(pairs)), 2)
    slope = sparse.coo_matrix((np.tile([1.0, -1.0], len(pairs)), (row, pairs.ravel())))
    system = slope.T @ slope + sparse.diags(np.where(rng.random(n) < 0.1, 1.0, 1e-6))
    right = rng.standard_normal((n, 3))
    factors = factored(system)
    assert np.abs(system @ factors.solve(right) - right).max() < 1e-8
    assert np.abs(system @ factors.solve(right[:, 0]) - right[:, 0]).max() < 1e-8
    assert factors.L.nnz < splu(system.tocsc()).L.nnz, "it goes by the symmetry"
