"""Depth from the pointmap and slope from the normal map, fused: log-depth least squares on the grid, solved by multigrid.

For neighbours a, b on one plane with normal n, z_b / z_a = (n . r_a) / (n . r_b) exactly, r being the rays at depth 1. In
log depth that is one linear equation per pair (Nehab et al. 2005, "Efficiently Combining Positions and Normals for Precise 3D
Geometry", in logarithms, so that perspective needs no linearisation). With a weak pull to the pointmap the system is symmetric positive
definite with five points per row.
"""

from __future__ import annotations

import numpy as np

from .data import Camera

LENGTH = 0.1
"""Metres over which the normal map outweighs the pointmap at refine 0.5: error of the depth over error of the normals."""

DAMPING = 0.7
"""Of the Jacobi sweeps."""

COARSEST = 300
"""Pixels of the grid that is solved exactly."""

GRAZING = 0.08
"""Cosine of the view angle under which a normal says nothing about depth."""


def data_weight(z: np.ndarray, camera: Camera, refine: float) -> np.ndarray:
    """The weight lambda of the pointmap against the normals, (H, W) float32: (error of a slope / error of log z)^2.

    A normal that is off by an angle s moves the next pixel by s z / f, so lambda = (z / (f L))^2 with L = error of z / s, a length.
    z (H, W) float32 metres; refine 0..1 (exclusive 0) scales L by refine / (1 - refine), at most 100.
    """
    length = LENGTH * min(refine / max(1 - refine, 1e-3), 100.0)
    return np.square(z * np.float32(1 / (length * camera.fx)))


def slopes(normal: np.ndarray, rays: np.ndarray, camera: Camera, step: int = 1) -> tuple[np.ndarray, ...]:
    """What the normals say about the log depth between neighbours.

    normal (H, W, 3) float32 camera space, unit; rays (H, W, 3) at depth 1; camera of the rays; step in pixels.
    Returns (right, down, right_weight, down_weight): ln(z_next / z), (H, W-step) and (H-step, W) float32, and the squared cosine
    of the view angle, 0 where the surface is too grazing to tell.
    """
    facing = np.einsum("ijk,ijk->ij", normal, rays)
    length = np.sqrt(np.einsum("ijk,ijk->ij", rays, rays))
    out = []
    for axis, focal in ((1, camera.fx), (0, camera.fy)):
        a, b = _pair(axis, step)
        along = normal[..., 1 - axis]
        # The mean normal of the pair against the ray of a; n . r_b differs by one pixel along the axis. Rays differ by
        # step / focal in one coordinate alone, so both products come from those that are there already.
        at_a = facing[a] + facing[b] - along[b] * np.float32(step / focal)
        at_b = facing[b] + facing[a] + along[a] * np.float32(step / focal)
        cosine = -0.5 * np.maximum(at_a, at_b) / length[a]
        usable = cosine > GRAZING
        ratio = np.where(usable, at_a, 1) / np.where(usable, at_b, 1)
        out.append((np.log(ratio), np.where(usable, cosine * cosine, 0)))
    (right, right_weight), (down, down_weight) = out
    return right, down, right_weight, down_weight


def fuse(
    z: np.ndarray, confidence: np.ndarray, right: np.ndarray, down: np.ndarray, right_weight: np.ndarray, down_weight: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """The depth that has the slopes `right` and `down` and stays near z.

    z                          (H, W) float32, metres; pixels <= 0 are left alone (their pair weights must be 0)
    confidence                 (H, W) float32 0..1 of z
    right, down                ln(z_next / z), (H, W-1) and (H-1, W)
    right_weight, down_weight  of those equations, 0 = no equation
    weight                     (H, W) lambda of `data_weight`
    Returns (H, W) float32.
    """
    # Solve for the correction to z: it is small, so float32 carries it, and z itself keeps all its digits.
    safe = np.where(z > 0, z, 1).astype(np.float32)
    force = np.zeros_like(safe)
    for axis, slope, pair_weight in ((1, right, right_weight), (0, down, down_weight)):
        a, b = _pair(axis)
        pull = pair_weight * (slope - np.log(safe[b] / safe[a]))
        force[b] += pull
        force[a] -= pull
    prior = (weight * confidence * (z > 0)).astype(np.float32)
    return z * np.exp(solve(right_weight, down_weight, prior, force))


def _pair(axis: int, step: int = 1) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Index of all first and all second pixels of the neighbours along an axis (1 = right, 0 = down)."""
    return ((slice(None), slice(None, -step)), (slice(None), slice(step, None))) if axis else (slice(None, -step), slice(step, None))


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
        bands = bands.reshape(5, -1)
        offsets = (0, 1, -1, width, -width)
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
    step = rho = previous = None
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
    return x.reshape(b.shape)
