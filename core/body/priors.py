"""What is likely before anything is seen: people, and how joints turn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.rotations import two_axis_frame, vector_from_rotation
from .character import rest_rig
from .evaluate import Shape, average_phenotype, parents, rest_points
from .phenotype import PHENOTYPES
from .skeleton import BONES
from .state import State, columns, unknowns

PHENOTYPE_SPREAD = {
    "gender": 0.35, "age": 0.12, "muscle": 0.15, "weight": 0.2, "height": 0.18, "proportions": 0.2, "cupsize": 0.15,
    "firmness": 0.15, "african": 0.3, "asian": 0.3, "caucasian": 0.3,
}  # fmt: skip
"""One standard deviation of each number round an average adult."""
BODY_SPREAD, HEAD_SPREAD, FACE_SPREAD = 0.6, 0.8, 0.35

# Standard deviations in radians of a bone's turn in its parent: about the axis that it bends about (x of the bone that it hangs
# on), about the parent's length (twist, y), and about the third axis.
TURN_SPREAD: dict[str, tuple[float, float, float]] = {
    "spine.001": (0.22, 0.15, 0.15), "spine.002": (0.22, 0.15, 0.15), "spine.003": (0.22, 0.15, 0.15),
    "spine.004": (0.25, 0.3, 0.2), "spine.005": (0.2, 0.3, 0.15), "spine.006": (0.25, 0.35, 0.2),
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


def prior_rows(state: State, tightness: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(n,) residuals in standard deviations and (n, unknowns) derivatives of everything that is likely.

    tightness  factor on the likeliness of shapes
    """
    at = columns()
    spread = np.array([PHENOTYPE_SPREAD[name] for name in PHENOTYPES])
    shape = tightness * np.concatenate(
        [
            (state.shape.phenotype - average_phenotype()) / spread,
            state.shape.body / BODY_SPREAD,
            state.shape.head / HEAD_SPREAD,
            state.face / FACE_SPREAD,
        ]
    )
    sizes = [np.ones(state.shape.body.size) / BODY_SPREAD, np.ones(state.shape.head.size) / HEAD_SPREAD]
    slopes = tightness * np.concatenate([1 / spread, *sizes, np.ones(state.face.size) / FACE_SPREAD])
    by_shape = np.zeros((len(shape), unknowns()))
    by_shape[np.arange(len(shape)), np.arange(at["phenotype"].start, unknowns())] = slopes
    axes = joint_axes()
    vectors = vector_from_rotation(state.posture.turns)
    local = np.einsum("bji,bj->bi", axes.frames, vectors)
    turn = local / axes.spread
    jacobian = np.einsum("bji,bjk->bik", axes.frames, _inverse_left_jacobian(vectors)) / axes.spread[..., None]
    by_turn = np.zeros((*turn.shape, unknowns()))
    bones = np.arange(len(BONES))
    for k in range(3):
        by_turn[bones, :, at["turns"].start + 3 * bones + k] = jacobian[:, :, k]
    used = (np.arange(len(BONES)) > 0) & (parents() >= 0)
    # Bent backwards from straight, which is not how they rest: a steep wall.
    hinge = axes.hinges
    back = np.minimum(local[hinge, 0] + axes.bent + OVEREXTENDED, 0) / 0.05
    by_back = by_turn[hinge, 0] * axes.spread[hinge, 0][:, None] / 0.05 * (back < 0)[:, None]
    residual = np.concatenate([shape, turn[used].ravel(), back])
    return residual, np.concatenate([by_shape, by_turn[used].reshape(-1, unknowns()), by_back])
