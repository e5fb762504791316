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


@dataclass(frozen=True, eq=False)
class _Linear:
    """The residuals that are linear in the unknowns and always count: rows @ unknowns - target. Their normal matrix is made once.

    rows (B, R, P), target (B, R), normal (B, P, P) with the anchors on its diagonal; one_sided: the forms that count below their target
    """

    rows: np.ndarray
    target: np.ndarray
    normal: np.ndarray
    anchor: np.ndarray
    one_sided: tuple[np.ndarray, np.ndarray]


def _linear(e: Evidence) -> _Linear:
    B, N, _ = e.start.shape
    G = len(e.log_share)
    P, g = 3 * N + G + 1, np.arange(G)
    build, build_target = np.zeros((B, G + 1, P)), np.zeros((B, G + 1))
    build[:, g, 3 * N + g], build[:, g, 3 * N + G] = e.share_weight, -e.share_weight
    build_target[:, :G] = e.log_share * e.share_weight
    build[:, G, 3 * N + G], build_target[:, G] = e.stature_weight, e.log_stature * e.stature_weight
    rows, target = [build], [build_target]
    one_sided = np.zeros((B, 0, 3 * N)), np.zeros((B, 0))
    if e.forms is not None:
        assert e.form_weight is not None and e.form_target is not None and e.one_sided is not None
        forms = e.forms.reshape(B, -1, 3 * N) * e.form_weight[..., None]
        wanted = e.form_target * e.form_weight
        both = ~e.one_sided
        rows.append(np.concatenate([forms[:, both], np.zeros((B, int(both.sum()), G + 1))], axis=2))
        target.append(wanted[:, both])
        one_sided = forms[:, e.one_sided], wanted[:, e.one_sided]
    stacked = np.concatenate(rows, axis=1)
    normal = np.swapaxes(stacked, 1, 2) @ stacked
    anchor = np.repeat(e.anchor_weight, 3, axis=1)
    index = np.arange(3 * N)
    normal[:, index, index] += anchor**2
    return _Linear(stacked, np.concatenate(target, axis=1), normal, anchor, one_sided)


def _system(e: Evidence, fixed: _Linear, x: np.ndarray, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal matrix (B, P, P), right side (B, P) and cost (B,) at positions x and logs (lengths, then stature)."""
    B, N, _ = x.shape
    unknowns = np.concatenate([x.reshape(B, 3 * N), logs], axis=1)
    H, gradient = fixed.normal.copy(), np.empty_like(unknowns)

    residual = (fixed.rows @ unknowns[..., None])[..., 0] - fixed.target
    gradient[:] = (residual[:, None] @ fixed.rows)[:, 0]
    away = (unknowns[:, : 3 * N] - e.start.reshape(B, -1)) * fixed.anchor
    gradient[:, : 3 * N] += away * fixed.anchor
    cost = (residual**2).sum(axis=1) + (away**2).sum(axis=1)

    # What concerns one joint alone: its ray, its depth and its cover fill the block of its three coordinates.
    z = np.maximum(x[..., 2], 0.05)
    r = np.empty((B, N, 3))
    r[..., :2] = (x[..., :2] / z[..., None] - e.ray) * e.ray_weight[..., None]
    r[..., 2] = (x[..., 2] - e.depth) * e.depth_weight
    square = r**2
    cost += (square / (1 + square / ROBUST**2)).sum(axis=(1, 2))
    influence = _robust(r)
    slope = e.ray_weight / z
    sideways = -slope[..., None] * x[..., :2] / z[..., None]  # of the two ray residuals along z
    short = np.where(x[..., 2] < e.behind, e.behind_weight, 0.0)
    below = (x[..., 2] - e.behind) * short
    cost += (below**2).sum(axis=1)
    weighted = influence * r
    block = gradient[:, : 3 * N].reshape(B, N, 3)
    block[..., :2] += slope[..., None] * weighted[..., :2]
    block[..., 2] += (sideways * weighted[..., :2]).sum(axis=-1) + e.depth_weight * weighted[..., 2] + short * below
    n = 3 * np.arange(N)
    for axis in (0, 1):
        H[:, n + axis, n + axis] += influence[..., axis] * slope**2
        mixed = influence[..., axis] * slope * sideways[..., axis]
        H[:, n + axis, n + 2] += mixed
        H[:, n + 2, n + axis] += mixed
    along = (influence[..., :2] * sideways**2).sum(axis=-1) + influence[..., 2] * e.depth_weight**2 + short**2
    H[:, n + 2, n + 2] += along

    # Lengths of segments, and forms that count on one side only.
    forms, wanted = fixed.one_sided
    S, T = len(e.pairs), forms.shape[1]
    J, rest = np.zeros((B, S + T, unknowns.shape[1])), np.zeros((B, S + T))
    a, b, s = e.pairs[:, 0], e.pairs[:, 1], np.arange(S)
    difference = x[:, a] - x[:, b]
    distance = np.maximum(np.sqrt(np.einsum("bsk,bsk->bs", difference, difference)), 1e-6)
    length = np.exp(logs[:, e.groups])
    weight = e.length_weight / length
    toward = difference * (weight / distance)[..., None]
    for axis in range(3):
        J[:, s, 3 * a + axis] = toward[..., axis]
        J[:, s, 3 * b + axis] = -toward[..., axis]
    J[:, s, 3 * N + e.groups] = -distance * weight
    rest[:, :S] = (distance - length) * weight
    value = (forms @ unknowns[:, : 3 * N, None])[..., 0] - wanted
    counts = value < 0
    J[:, S:, : 3 * N] = forms * counts[..., None]
    rest[:, S:] = value * counts
    cost += (rest**2).sum(axis=1)
    gradient += (rest[:, None] @ J)[:, 0]
    H += np.swapaxes(J, 1, 2) @ J
    return H, -gradient, cost


ANNEALING = (8.0, 3.0, 1.0)
"""Depths are first taken at this many times their standard deviation, so that lengths and rays show which depth is wrong."""


def refine(evidence: Evidence, iterations: int = 3, annealing: tuple[float, ...] = ANNEALING) -> Refined:
    """The most likely positions after `iterations` steps at each level of annealing. Damping is adapted per problem; a step that does not lower the cost is not taken."""
    B, N, _ = evidence.start.shape
    G = len(evidence.log_share)
    x = evidence.start.astype(np.float64)
    logs = np.concatenate([evidence.log_share + evidence.log_stature[:, None], evidence.log_stature[:, None]], axis=1)
    fixed = _linear(evidence)
    for factor in annealing:
        e = replace(evidence, depth_weight=evidence.depth_weight / factor)
        damping = np.full(B, 1e-3)
        H, rhs, cost = _system(e, fixed, x, logs)
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
            H_new, rhs_new, cost_new = _system(e, fixed, x_new, logs_new)
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
