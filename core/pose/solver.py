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

ROBUST = 3.0
"""Geman-McClure: the influence of a residual is 1 at 0 and 1/4 at so many standard deviations."""


@dataclass(frozen=True, eq=False)
class Lengths:
    """How long the S segments between the joints of B problems are; segments of one length make up a group, G in all.

    pairs           (S, 2) int64: the joints of each segment
    groups          (S,) int64: the group of each segment
    length_weight   (S,) per unit of relative error: how exactly a segment has its group's length
    log_share       (G,) natural logarithm of length / stature
    share_weight    (G,) per unit of log length: how exactly a group has its share of the stature
    log_stature     (B,) natural logarithm of the first guess in metres
    stature_weight  (B,) per unit of log length: how firmly it is held
    """

    pairs: np.ndarray
    groups: np.ndarray
    length_weight: np.ndarray
    log_share: np.ndarray
    share_weight: np.ndarray
    log_stature: np.ndarray
    stature_weight: np.ndarray


@dataclass(frozen=True, eq=False)
class LinearForms:
    """T linear forms over the N joints of B problems: sum of coefficients * position = target.

    coefficients  (B, T, N, 3)
    target        (B, T) metres
    weight        (B, T) per metre
    one_sided     (T,) bool: penalise only values below the target
    """

    coefficients: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    one_sided: np.ndarray


@dataclass(frozen=True, eq=False)
class Evidence:
    """B problems over N joints; weights are 1 / standard deviation in the unit of the residual, 0 = no residual.

    start          (B, N, 3) metres: first guess
    ray            (B, N, 2) x/z and y/z of the keypoint
    ray_weight     (B, N)
    depth          (B, N) metres
    depth_weight   (B, N)
    behind         (B, N) metres: the least z
    behind_weight  (B, N)
    anchor_weight  (B, N) per metre
    """

    start: np.ndarray
    ray: np.ndarray
    ray_weight: np.ndarray
    depth: np.ndarray
    depth_weight: np.ndarray
    behind: np.ndarray
    behind_weight: np.ndarray
    anchor_weight: np.ndarray
    lengths: Lengths
    forms: LinearForms


@dataclass(frozen=True, eq=False)
class Solution:
    """positions (B, N, 3) metres, stature (B,) metres, lengths (B, G) metres, deviation (B, N) metres.

    deviation is the standard deviation of each joint along its least certain direction (inverse of the normal matrix).
    """

    positions: np.ndarray
    stature: np.ndarray
    lengths: np.ndarray
    deviation: np.ndarray


@dataclass(frozen=True, eq=False)
class _Fixed:
    """What does not change between the steps, with P unknowns.

    The residuals that are linear in the unknowns u and always count have the cost u' normal u - 2 u' right + constant.

    normal     (B, P, P), right (B, P), constant (B,)
    one_sided  rows (B, T, 3 N) and targets (B, T) of the forms that count below their target
    blocks     (N, 3, 1) and (N, 1, 3): where the block of each joint lies in a normal matrix
    columns    (S, 7): the unknowns of each segment's length residual: its two joints, then its group's length
    """

    normal: np.ndarray
    right: np.ndarray
    constant: np.ndarray
    one_sided: tuple[np.ndarray, np.ndarray]
    blocks: tuple[np.ndarray, np.ndarray]
    columns: np.ndarray


def _fixed(e: Evidence) -> _Fixed:
    B, N, _ = e.start.shape
    lengths = e.lengths
    G = len(lengths.log_share)
    P, g = 3 * N + G + 1, np.arange(G)
    build, build_target = np.zeros((B, G + 1, P)), np.zeros((B, G + 1))
    build[:, g, 3 * N + g], build[:, g, 3 * N + G] = lengths.share_weight, -lengths.share_weight
    build_target[:, :G] = lengths.log_share * lengths.share_weight
    build[:, G, 3 * N + G], build_target[:, G] = lengths.stature_weight, lengths.log_stature * lengths.stature_weight
    forms = e.forms.coefficients.reshape(B, -1, 3 * N) * e.forms.weight[..., None]
    wanted = e.forms.target * e.forms.weight
    both = ~e.forms.one_sided
    rows = np.concatenate([build, np.concatenate([forms[:, both], np.zeros((B, int(both.sum()), G + 1))], axis=2)], axis=1)
    target = np.concatenate([build_target, wanted[:, both]], axis=1)
    one_sided = forms[:, e.forms.one_sided], wanted[:, e.forms.one_sided]
    normal, right = np.swapaxes(rows, 1, 2) @ rows, (target[:, None] @ rows)[:, 0]
    index, square = np.arange(3 * N), np.repeat(e.anchor_weight, 3, axis=1) ** 2
    anchored = square * e.start.reshape(B, -1)
    normal[:, index, index] += square
    right[:, : 3 * N] += anchored
    constant = (target**2).sum(axis=1) + (anchored * e.start.reshape(B, -1)).sum(axis=1)
    own = index.reshape(N, 3)
    columns = np.concatenate([own[lengths.pairs[:, 0]], own[lengths.pairs[:, 1]], 3 * N + lengths.groups[:, None]], axis=1)
    return _Fixed(normal, right, constant, one_sided, (own[:, :, None], own[:, None, :]), columns)


def _system(e: Evidence, fixed: _Fixed, unknowns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal matrix (B, P, P), right side (B, P) and cost (B,) at (B, P) unknowns: positions, log lengths, log stature."""
    B, N, _ = e.start.shape
    x = unknowns[:, : 3 * N].reshape(B, N, 3)
    H = fixed.normal.copy()
    gradient = (fixed.normal @ unknowns[..., None])[..., 0] - fixed.right
    cost = (unknowns * (gradient - fixed.right)).sum(axis=1) + fixed.constant

    # What concerns one joint alone: its ray, its depth and its cover. J (B, N, 4, 3) are their slopes.
    z = np.maximum(x[..., 2:], 0.05)
    J, r = np.zeros((B, N, 4, 3)), np.empty((B, N, 4))
    slope = e.ray_weight[..., None] / z
    r[..., :2] = x[..., :2] * slope - e.ray * e.ray_weight[..., None]
    r[..., 2] = (x[..., 2] - e.depth) * e.depth_weight
    J[..., 0, 0] = J[..., 1, 1] = slope[..., 0]
    J[..., :2, 2] = -slope * x[..., :2] / z
    J[..., 2, 2] = e.depth_weight
    J[..., 3, 2] = short = np.where(x[..., 2] < e.behind, e.behind_weight, 0.0)
    r[..., 3] = (x[..., 2] - e.behind) * short
    relative = np.square(r)
    relative[..., 3] = 0  # a joint in front of its cover is wrong, however far
    relative = 1 / (1 + relative / ROBUST**2)
    cost += (np.square(r) * relative).sum(axis=(1, 2))
    influence = np.square(relative)
    weighted = (J * influence[..., None]).swapaxes(2, 3)
    H[:, fixed.blocks[0], fixed.blocks[1]] += weighted @ J
    gradient[:, : 3 * N] += (weighted @ r[..., None]).reshape(B, 3 * N)

    # Lengths of segments, and forms that count on one side only.
    forms, wanted = fixed.one_sided
    pairs = e.lengths.pairs
    S, T = len(pairs), forms.shape[1]
    J, rest = np.zeros((B, S + T, unknowns.shape[1])), np.empty((B, S + T))
    difference = x[:, pairs[:, 0]] - x[:, pairs[:, 1]]
    distance = np.maximum(np.sqrt(np.einsum("bsk,bsk->bs", difference, difference)), 1e-6)
    length = np.exp(unknowns[:, 3 * N + e.lengths.groups])
    weight = e.lengths.length_weight / length
    toward = difference * (weight / distance)[..., None]
    J[:, np.arange(S)[:, None], fixed.columns] = np.concatenate([toward, -toward, (-distance * weight)[..., None]], axis=2)
    rest[:, :S] = (distance - length) * weight
    value = (forms @ unknowns[:, : 3 * N, None])[..., 0] - wanted
    counts = value < 0
    J[:, S:, : 3 * N] = forms * counts[..., None]
    rest[:, S:] = value * counts
    cost += np.square(rest).sum(axis=1)
    gradient += (rest[:, None] @ J)[:, 0]
    H += np.swapaxes(J, 1, 2) @ J
    return H, -gradient, cost


ANNEALING = (8.0, 3.0, 1.0)
"""Depths are first taken at this many times their standard deviation, so that lengths and rays show which depth is wrong."""


def solve(evidence: Evidence, iterations: int = 3, annealing: tuple[float, ...] = ANNEALING) -> Solution:
    """The most likely positions after `iterations` steps at each level of annealing.

    Damping is adapted per problem; a step that does not lower the cost is not taken.
    """
    B, N, _ = evidence.start.shape
    log_stature = evidence.lengths.log_stature[:, None]
    logs = np.concatenate([evidence.lengths.log_share + log_stature, log_stature], axis=1)
    unknowns = np.concatenate([evidence.start.reshape(B, 3 * N), logs], axis=1)
    fixed, eye = _fixed(evidence), np.arange(unknowns.shape[1])
    H: np.ndarray | None = None
    for factor in annealing:
        e = replace(evidence, depth_weight=evidence.depth_weight / factor)
        damping = np.full(B, 1e-3)
        H, rhs, cost = _system(e, fixed, unknowns)
        for _ in range(iterations):
            damped = H.copy()
            damped[:, eye, eye] += damping[:, None] * np.maximum(H[:, eye, eye], 1e-6)
            step = np.linalg.solve(damped, rhs[..., None])[..., 0]
            # A joint moves at most 0.3 m and a length at most 30 % per step: the model is linear only nearby.
            step *= np.minimum(1.0, 0.3 / np.maximum(np.abs(step).max(axis=1), 1e-9))[:, None]
            H_new, rhs_new, cost_new = _system(e, fixed, unknowns + step)
            better = cost_new <= cost
            gain = (cost - cost_new) / np.maximum(cost, 1e-9)
            unknowns = np.where(better[:, None], unknowns + step, unknowns)
            H, rhs = np.where(better[:, None, None], H_new, H), np.where(better[:, None], rhs_new, rhs)
            cost = np.where(better, cost_new, cost)
            damping = np.where(better, damping * 0.3, damping * 8)
            if np.all(better & (gain < 1e-4)):
                break
    assert H is not None  # `annealing` names at least one level
    H[:, eye, eye] += 1e-6
    blocks = np.linalg.inv(H)[:, fixed.blocks[0], fixed.blocks[1]]
    deviation = np.sqrt(np.maximum(np.linalg.eigvalsh(blocks)[..., -1], 0))
    lengths = np.exp(unknowns[:, 3 * N :])
    return Solution(unknowns[:, : 3 * N].reshape(B, N, 3), lengths[:, -1], lengths[:, :-1], deviation)
