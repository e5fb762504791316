"""Solving the sparse systems of smoothing over meshes and grids: symmetric and positive definite, with a strong diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scipy.sparse.linalg import SuperLU


def factored(matrix) -> SuperLU:
    """The factors of a (n, n) scipy sparse matrix, whose `solve` takes (n,) or (n, C) right-hand sides.

    SuperLU is made for matrices without symmetry. An order of the unknowns that goes by symmetry, no pivots off the diagonal and
    no columns taken together without need halve what it computes.
    """
    from scipy.sparse.linalg import splu

    symmetric = {"SymmetricMode": True}
    return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, relax=1, options=symmetric)
