"""Linear systems on the pixel grid with five points per row, in linear time: multigrid inside conjugate gradients.

Levels are 2 x 2 aggregates, so the coarse systems have the same shape as the fine one and cuts need no special care: a cut is
a link of weight zero.
"""

from __future__ import annotations

import numpy as np

DAMPING = 0.7
"""Of the Jacobi sweeps."""

COARSEST = 300
"""Pixels of the grid that is solved exactly."""


class _Level:
    """One grid of the hierarchy, with its matrix and its damped Jacobi sweep as five diagonals over the flat grid."""

    def __init__(self, right: np.ndarray, down: np.ndarray, prior: np.ndarray):
        from scipy.sparse import dia_array

        height, width = self.shape = prior.shape
        diagonal = prior.copy()
        diagonal[:, 1:] += right
        diagonal[:, :-1] += right
        diagonal[1:] += down
        diagonal[:-1] += down
        self.inverse = np.divide(1, diagonal, out=np.zeros_like(diagonal), where=diagonal > 1e-12).ravel()
        # scipy keeps entry (i, j) of the diagonal with offset j - i in column j.
        bands = np.zeros((5, height, width), np.float32)
        bands[0] = diagonal
        bands[1, :, 1:] = bands[2, :, :-1] = -right
        bands[3, 1:] = bands[4, :-1] = -down
        bands, offsets = bands.reshape(5, -1), (0, 1, -1, width, -width)
        if width == 1:  # the neighbour below is the next pixel, and there is none to the right
            bands, offsets = bands[[0, 3, 4]], (0, 1, -1)
        count = height * width
        self.matrix = dia_array((bands, offsets), shape=(count, count))
        sweep = bands * np.float32(-DAMPING)
        for band, offset in zip(sweep, offsets, strict=True):
            if offset >= 0:
                band[offset:] *= self.inverse[: count - offset]
            else:
                band[:offset] *= self.inverse[-offset:]
        sweep[0] += 1
        self.sweep = dia_array((sweep, offsets), shape=(count, count))


def _sum_blocks(a: np.ndarray) -> np.ndarray:
    """Sums over 2 x 2 blocks; odd sizes are padded with zeros."""
    rows = np.add.reduceat(a, np.arange(0, a.shape[0], 2), axis=0) if a.shape[0] % 2 else a[::2] + a[1::2]
    return np.add.reduceat(rows, np.arange(0, a.shape[1], 2), axis=1) if a.shape[1] % 2 else rows[:, ::2] + rows[:, 1::2]


def _coarsen(right: np.ndarray, down: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Galerkin system of 2 x 2 aggregates: links that leave a block add up, links inside it vanish."""
    leaving = right[:, 1::2]
    leaving_down = down[1::2]
    rows = np.arange(0, leaving.shape[0], 2)
    columns = np.arange(0, leaving_down.shape[1], 2)
    return np.add.reduceat(leaving, rows, axis=0), np.add.reduceat(leaving_down, columns, axis=1), _sum_blocks(prior)


def _exact_inverse(level: _Level) -> np.ndarray:
    """(n, n) float32 pseudo-inverse of a grid of a few hundred pixels, some of which may be empty."""
    return np.linalg.pinv(level.matrix.toarray().astype(np.float64), rcond=1e-10, hermitian=True).astype(np.float32)


def _cycle(levels: list[_Level], coarsest: np.ndarray, depth: int, b: np.ndarray) -> np.ndarray:
    """Approximate A^-1 b, flat: one Jacobi sweep, coarse correction (twice below the first level: a W-cycle), two sweeps."""
    if depth + 1 == len(levels):
        return coarsest @ b
    level = levels[depth]
    damped = level.inverse * b
    damped *= np.float32(DAMPING)
    coarse_b = _sum_blocks((b - level.matrix @ damped).reshape(level.shape)).ravel()
    coarse = _cycle(levels, coarsest, depth + 1, coarse_b)
    if depth >= 1 and depth + 2 < len(levels):
        coarse += _cycle(levels, coarsest, depth + 1, coarse_b - levels[depth + 1].matrix @ coarse)
    # Piecewise constant corrections are too small (Braess 1995, "Towards algebraic multigrid ..."): stretch them.
    coarse *= np.float32(1.6)
    height, width = level.shape
    x = np.repeat(np.repeat(coarse.reshape(levels[depth + 1].shape), 2, axis=1)[:, :width], 2, axis=0)[:height].ravel()
    x += damped
    for _ in range(2):
        x = level.sweep @ x
        x += damped
    return x


def solve(
    right: np.ndarray, down: np.ndarray, prior: np.ndarray, b: np.ndarray, tolerance: float = 1e-3, iterations: int = 30
) -> np.ndarray:
    """x of (L + diag(prior)) x = b, L being the weighted graph Laplacian of the grid.

    right (H, W-1), down (H-1, W), prior (H, W), b (H, W): float32, weights >= 0. Flexible conjugate gradients (Polak-Ribiere
    beta, as the preconditioner is not symmetric) with one multigrid cycle each, until |residual| < tolerance * |b|.
    Returns (H, W) float32; 0 where a pixel has neither links nor prior. A patch without any prior keeps its mean.
    """
    right, down, prior = (np.ascontiguousarray(a, np.float32) for a in (right, down, prior))
    system = (right, down, prior)
    levels = [_Level(*system)]
    while levels[-1].inverse.size > COARSEST:
        system = _coarsen(*system)
        levels.append(_Level(*system))
    coarsest, finest = _exact_inverse(levels[-1]), levels[0]
    residual = np.where(finest.inverse > 0, b.ravel(), 0).astype(np.float32)
    x = np.zeros_like(residual)
    goal = tolerance * np.linalg.norm(residual)
    if goal == 0:
        return x.reshape(b.shape)
    rho, step, previous = 1.0, None, None
    for _ in range(iterations):
        z = _cycle(levels, coarsest, 0, residual)
        rz = float(np.vdot(z, residual))
        if step is None:
            step = z
        else:
            step *= np.float32((rz - float(np.vdot(z, previous))) / rho)
            step += z
        a_step = finest.matrix @ step
        curvature = float(np.vdot(step, a_step))
        if not curvature > 0:
            break
        alpha = np.float32(rz / curvature)
        x += alpha * step
        previous = residual
        residual = residual - alpha * a_step
        rho = rz
        if np.linalg.norm(residual) < goal:
            break
    return np.where(finest.inverse > 0, x, 0).reshape(b.shape)
