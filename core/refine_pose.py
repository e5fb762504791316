"""Joint positions that agree best with everything known: rays, depths, lengths, hinges. Levenberg-Marquardt, analytic, batched.

Unknown are the joint positions, one length per group of equal segments and the stature. The residuals are

    ray      the joint projects onto its keypoint                       robust (Geman-McClure)
    depth    its z is that of the skin plus the limb's radius           robust
    behind   a covered joint is not in front of what covers it          one-sided
    length   the distance of two joints is their group's length
    build    log length = log stature + log share, within what varies between people
    plane    a fixed linear form of positions is zero, or not negative  (hinges, limits, rigid parts)
    anchor   a joint without evidence stays near its first guess

With B problems of one size solved side by side, everything is a numpy batch: the frames of a video, or both hands of a photo.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

ROBUST = 3.0  # residuals of this many standard deviations count half


@dataclass(frozen=True, eq=False)
class Evidence:
    """B problems over N joints; weights are 1 / standard deviation in the unit of the residual, 0 = no residual.

    start         (B, N, 3) metres: first guess
    ray           (B, N, 2) x/z and y/z of the keypoint
    ray_weight    (B, N)
    depth         (B, N) metres
    depth_weight  (B, N)
    behind        (B, N) metres: the least z
    behind_weight (B, N)
    anchor_weight (B, N) per metre
    pairs         (S, 2) int64: segments
    groups        (S,) int64: segments of one length share a number
    length_weight (S,) per unit of relative error
    log_share     (G,) natural logarithm of length / stature
    share_weight  (G,) per unit of log length
    log_stature   (B,) first guess; stature_weight (B,) how firmly it is held, per unit of log
    forms         (B, T, N, 3) coefficients of T linear forms, metres; None = none
    form_weight   (B, T) per metre
    form_target   (B, T) metres
    one_sided     (T,) bool: penalise only values below the target
    """

    start: np.ndarray
    ray: np.ndarray
    ray_weight: np.ndarray
    depth: np.ndarray
    depth_weight: np.ndarray
    behind: np.ndarray
    behind_weight: np.ndarray
    anchor_weight: np.ndarray
    pairs: np.ndarray
    groups: np.ndarray
    length_weight: np.ndarray
    log_share: np.ndarray
    share_weight: np.ndarray
    log_stature: np.ndarray
    stature_weight: np.ndarray
    forms: np.ndarray | None = None
    form_weight: np.ndarray | None = None
    form_target: np.ndarray | None = None
    one_sided: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Refined:
    """positions (B, N, 3) metres, stature (B,) metres, lengths (B, G) metres, deviation (B, N) metres.

    deviation is the standard deviation of each joint along its least certain direction (inverse of the normal matrix).
    """

    positions: np.ndarray
    stature: np.ndarray
    lengths: np.ndarray
    deviation: np.ndarray


def _robust(residual: np.ndarray) -> np.ndarray:
    """Geman-McClure influence of (...,) residuals in standard deviations: 1 at 0, 1/4 at ROBUST."""
    return 1.0 / (1.0 + (residual / ROBUST) ** 2) ** 2


def _system(e: Evidence, x: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal matrix (B, P, P), right side (B, P) and cost (B,) at positions x and logs (lengths, then stature)."""
    B, N, _ = x.shape
    G = logs.shape[1] - 1
    P = 3 * N + G + 1
    S, T = len(e.pairs), 0 if e.forms is None else e.forms.shape[1]
    starts = np.cumsum([0, N, N, N, N, 3 * N, S, G, 1, T])
    J, r = np.zeros((B, starts[-1], P)), np.zeros((B, starts[-1]))
    n, s, g = np.arange(N), np.arange(S), np.arange(G)

    z = np.maximum(x[..., 2], 0.05)
    for axis in (0, 1):
        row = starts[axis] + n
        J[:, row, 3 * n + axis] = e.ray_weight / z
        J[:, row, 3 * n + 2] = -e.ray_weight * x[..., axis] / z**2
        r[:, row] = (x[..., axis] / z - e.ray[..., axis]) * e.ray_weight
    J[:, starts[2] + n, 3 * n + 2] = e.depth_weight
    r[:, starts[2] : starts[3]] = (x[..., 2] - e.depth) * e.depth_weight

    cost = (r[:, : starts[3]] ** 2 / (1 + (r[:, : starts[3]] / ROBUST) ** 2)).sum(axis=1)
    influence = np.sqrt(_robust(r[:, : starts[3]]))
    J[:, : starts[3]] *= influence[..., None]
    r[:, : starts[3]] *= influence

    short = np.where(x[..., 2] < e.behind, e.behind_weight, 0.0)
    J[:, starts[3] + n, 3 * n + 2] = short
    r[:, starts[3] : starts[4]] = (x[..., 2] - e.behind) * short
    for axis in range(3):
        J[:, starts[4] + axis * N + n, 3 * n + axis] = e.anchor_weight
        r[:, starts[4] + axis * N + n] = (x[..., axis] - e.start[..., axis]) * e.anchor_weight

    a, b = e.pairs[:, 0], e.pairs[:, 1]
    difference = x[:, a] - x[:, b]
    distance = np.maximum(np.sqrt((difference**2).sum(axis=-1)), 1e-6)
    length = np.exp(logs[:, e.groups])
    weight = e.length_weight / length
    for axis in range(3):
        slope = difference[..., axis] / distance * weight
        J[:, starts[5] + s, 3 * a + axis] = slope
        J[:, starts[5] + s, 3 * b + axis] = -slope
    J[:, starts[5] + s, 3 * N + e.groups] = -distance * weight
    r[:, starts[5] : starts[6]] = (distance - length) * weight

    J[:, starts[6] + g, 3 * N + g] = e.share_weight
    J[:, starts[6] + g, 3 * N + G] = -e.share_weight
    r[:, starts[6] : starts[7]] = (logs[:, :G] - e.log_share - logs[:, G:]) * e.share_weight
    J[:, starts[7], 3 * N + G] = e.stature_weight
    r[:, starts[7]] = (logs[:, G] - e.log_stature) * e.stature_weight

    if e.forms is not None:
        assert e.form_weight is not None and e.form_target is not None and e.one_sided is not None
        value = (e.forms.reshape(B, T, -1) @ x.reshape(B, -1, 1))[..., 0] - e.form_target
        weight = e.form_weight * (~e.one_sided[None, :] | (value < 0))
        J[:, starts[8] :, : 3 * N] = e.forms.reshape(B, T, 3 * N) * weight[..., None]
        r[:, starts[8] :] = value * weight

    cost += (r[:, starts[3] :] ** 2).sum(axis=1)
    Jt = np.swapaxes(J, 1, 2)
    return Jt @ J, -(Jt @ r[..., None])[..., 0], cost


ANNEALING = (8.0, 3.0, 1.0)
"""Depths are first taken at this many times their standard deviation, so that lengths and rays show which depth is wrong."""


def refine(evidence: Evidence, iterations: int = 3, annealing: tuple[float, ...] = ANNEALING) -> Refined:
    """The most likely positions after `iterations` steps at each level of annealing. Damping is adapted per problem; a step that does not lower the cost is not taken."""
    B, N, _ = evidence.start.shape
    G = len(evidence.log_share)
    x = evidence.start.astype(np.float64)
    logs = np.concatenate([evidence.log_share + evidence.log_stature[:, None], evidence.log_stature[:, None]], axis=1)
    for factor in annealing:
        e = replace(evidence, depth_weight=evidence.depth_weight / factor)
        damping = np.full(B, 1e-3)
        H, rhs, cost = _system(e, x, logs)
        eye = np.arange(H.shape[1])
        for _ in range(iterations):
            damped = H.copy()
            damped[:, eye, eye] += damping[:, None] * np.maximum(H[:, eye, eye], 1e-6)
            step = np.linalg.solve(damped, rhs[..., None])[..., 0]
            move = step[:, : 3 * N].reshape(B, N, 3)
            # A joint moves at most 0.3 m and a length at most 30 % per step: the model is linear only nearby.
            limit = np.minimum(1.0, 0.3 / np.maximum(np.abs(move).max(axis=(1, 2)), 1e-9))
            limit = np.minimum(limit, 0.3 / np.maximum(np.abs(step[:, 3 * N :]).max(axis=1), 1e-9))
            x_new = x + move * limit[:, None, None]
            logs_new = logs + step[:, 3 * N :] * limit[:, None]
            H_new, rhs_new, cost_new = _system(e, x_new, logs_new)
            better = cost_new <= cost
            x, logs = np.where(better[:, None, None], x_new, x), np.where(better[:, None], logs_new, logs)
            H, rhs = np.where(better[:, None, None], H_new, H), np.where(better[:, None], rhs_new, rhs)
            gain = (cost - cost_new) / np.maximum(cost, 1e-9)
            cost = np.where(better, cost_new, cost)
            damping = np.where(better, damping * 0.3, damping * 8)
            if np.all(better & (gain < 1e-4)):
                break
    H[:, eye, eye] += 1e-6
    blocks = np.linalg.inv(H)[:, : 3 * N, : 3 * N].reshape(B, N, 3, N, 3)
    own = np.moveaxis(np.diagonal(blocks, axis1=1, axis2=3), -1, 1)
    deviation = np.sqrt(np.maximum(np.linalg.eigvalsh(own)[..., -1], 0))
    return Refined(x, np.exp(logs[:, G]), np.exp(logs[:, :G]), deviation)
