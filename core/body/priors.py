"""What is likely before anything is seen: people, and how joints turn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.rotations import two_axis_frame, vector_from_rotation
from .character import rest_rig
from .evaluate import Shape, average_phenotype, rest_points
from .phenotype import PHENOTYPES
from .skeleton import BONES
from .state import TURNING, State, columns, unknowns
from .template import template

PHENOTYPE_SPREAD = {
    "gender": 0.35, "age": 0.12, "muscle": 0.15, "weight": 0.2, "height": 0.18, "proportions": 0.2, "cupsize": 0.15,
    "firmness": 0.15, "african": 0.3, "asian": 0.3, "caucasian": 0.3,
}  # fmt: skip
"""One standard deviation of each number round an average adult."""
BODY_SPREAD, HEAD_SPREAD, FACE_SPREAD = 0.6, 0.8, 0.35

# Standard deviations in radians of a bone's turn in its parent: about the axis that it bends about (x of the bone that it hangs
# on), about the parent's length (twist, y), and about the third axis.
TURN_SPREAD: dict[str, tuple[float, float, float]] = {
    "spine.001": (0.22, 0.05, 0.15), "spine.002": (0.22, 0.05, 0.15), "spine.003": (0.22, 0.05, 0.15),
    "spine.004": (0.125, 0.3, 0.2), "spine.005": (0.1, 0.3, 0.15), "spine.006": (0.25, 0.35, 0.2),
    "jaw": (1e-3, 1e-3, 1e-3), "eye": (1e-3, 1e-3, 1e-3), "shoulder": (0.2, 0.15, 0.2), "upper_arm": (0.9, 0.9, 0.9),
    "forearm": (1.2, 0.8, 0.07), "hand": (0.5, 0.25, 0.3), "palm": (1e-3, 1e-3, 1e-3),
    "thigh": (0.9, 0.5, 0.5), "shin": (1.2, 0.15, 0.06), "foot": (0.4, 0.2, 0.25), "toe": (0.25, 0.05, 0.05),
    "finger1": (0.7, 0.08, 0.18), "finger2": (0.8, 0.05, 0.05), "finger3": (0.6, 0.05, 0.05),
    "thumb1": (0.4, 0.3, 0.4), "thumb2": (0.5, 0.08, 0.12), "thumb3": (0.6, 0.05, 0.06),
}  # fmt: skip
OVEREXTENDED = 0.06  # radians beyond straight that an elbow, a knee or a finger may bend backwards before it is held


@dataclass(frozen=True, eq=False)
class JointAxes:
    """In which frame and how far bones turn.

    frames   (B, 3, 3) columns: axis of bending, length, third axis; rest axes
    spread   (B, 3) radians along them
    hinges   (n,) rows of bones that bend one way only: about the first axis, positive
    bent     (n,) radians that they are bent at rest: minus this about the first axis, they are straight
    """

    frames: np.ndarray
    spread: np.ndarray
    hinges: np.ndarray
    bent: np.ndarray


@cache
def joint_axes() -> JointAxes:
    """Of the average body."""
    rig = rest_rig(rest_points(Shape()))
    axes = two_axis_frame((rig.tails - rig.heads).astype(float), rig.z_axes.astype(float), "yz")
    at = {name: axes[k] for k, name in enumerate(rig.names)}
    out_frames, spread, hinges, bent = [], [], [], []
    for row, (bone, parent) in enumerate(BONES.items()):
        stem, _, rest = bone.partition(".")
        limb = parent if stem in ("forearm", "shin") and parent is not None else bone
        out_frames.append(at[limb])
        if stem in ("thumb", "f_index", "f_middle", "f_ring", "f_pinky"):
            key = f"{'thumb' if stem == 'thumb' else 'finger'}{rest[1]}"
        else:
            key = bone if bone in TURN_SPREAD else stem
        spread.append(TURN_SPREAD.get(key, (np.inf,) * 3))
        if stem in ("forearm", "shin") or key in ("finger2", "finger3"):
            assert parent is not None
            hinges.append(row)
            axis, above, below = at[limb][:, 0], at[parent][:, 1], at[bone][:, 1]
            bent.append(np.arctan2(axis @ np.cross(above, below), above @ below))
    return JointAxes(np.array(out_frames), np.array(spread), np.array(hinges), np.array(bent))


def _inverse_left_jacobian(vectors: np.ndarray) -> np.ndarray:
    """(B, 3, 3) d log(exp(e) exp(w)) / de at e = 0 (Sola 2018, eq. 146)."""
    angle = np.linalg.norm(vectors, axis=1)
    zero = np.zeros(len(vectors))
    x, y, z = vectors.T
    k = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = 1 / angle**2 - (1 + np.cos(angle)) / (2 * angle * np.sin(angle))
    factor = np.where(angle < 1e-3, 1 / 12, np.nan_to_num(factor, nan=1 / 12, posinf=1 / 12, neginf=1 / 12))
    return np.eye(3) - k / 2 + factor[:, None, None] * (k @ k)


def prior_rows(state: State, tightness: float = 1.0, sloped: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
    """(n,) residuals in standard deviations and (n, unknowns) float32 derivatives of everything that is likely; the latter None
    where they are not asked for (`sloped`).

    tightness  factor on the likeliness of shapes
    """
    sizes, usual = _likely_sizes()
    shape = tightness * (np.concatenate([state.face, state.shape.numbers()]) - usual) / sizes
    axes = joint_axes()
    frames, spread = axes.frames[TURNING[1:]], axes.spread[TURNING[1:]]  # the first turns the whole body
    vectors = vector_from_rotation(state.posture.turns)
    turn = np.einsum("bji,bj->bi", frames, vectors[TURNING[1:]]) / spread
    # Bent backwards from straight, which is not how they rest: a steep wall.
    hinge = axes.hinges
    back = np.minimum((axes.frames[hinge, :, 0] * vectors[hinge]).sum(axis=1) + axes.bent + OVEREXTENDED, 0) / 0.05
    residual = np.concatenate([shape, turn.ravel(), back])
    if not sloped:
        return residual, None
    at = columns()
    out = np.zeros((len(residual), unknowns()), np.float32)
    out[np.arange(len(shape)), np.arange(at["face"].start, unknowns())] = tightness / sizes
    jacobian = np.einsum("bji,bjk->bik", frames, _inverse_left_jacobian(vectors[TURNING[1:]])) / spread[..., None]
    moving = np.arange(len(turn))
    by_turn = out[len(shape) : len(shape) + turn.size].reshape(len(turn), 3, -1)
    for k in range(3):
        by_turn[moving, :, at["turns"].start + 3 * (moving + 1) + k] = jacobian[:, :, k]
    row = np.searchsorted(TURNING[1:], hinge)
    out[len(shape) + turn.size :] = by_turn[row, 0] * (spread[row, 0] / 0.05 * (back < 0))[:, None].astype(np.float32)
    return residual, out


@cache
def _likely_sizes() -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations of face, phenotype, body and head, and what they are usually."""
    spread = np.array([PHENOTYPE_SPREAD[name] for name in PHENOTYPES])
    usual = Shape(average_phenotype()).numbers()
    face, body, head = len(template().unit_names), template().counts[1], template().counts[2]
    sizes = [np.full(face, FACE_SPREAD), spread, np.full(body, BODY_SPREAD), np.full(head, HEAD_SPREAD)]
    return np.concatenate(sizes), np.concatenate([np.zeros(face), usual])
