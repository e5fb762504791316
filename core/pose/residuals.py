"""Residuals: what a photo says about the joints, in the form that `core.pose.solver` minimises.

There is one problem for the body and one for each hand. All arrays have a leading axis B: the frames of a video, or 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from ..common.landmarks import FINGERS, JOINT_NAMES, SIDES, finger_joints, joint_index
from ..common.rotations import cross, dot, perpendicular, unit
from .anatomy import SKIN_JOINTS, joint_frames, skin_distances, template_joints
from .anthropometry import segments, small_radii
from .monocular import lean_forms, lean_pairs
from .solver import Evidence, Lengths, LinearForms

LIMB_JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "big_toe", "small_toe", "heel")
KNUCKLES = ("forefinger_third_joint", "middle_finger_third_joint", "pinky_finger_third_joint")
BODY = np.array([joint_index(n) for n in ("pelvis", "neck", *(f"{s}_{j}" for s in SIDES for j in (*LIMB_JOINTS, *KNUCKLES)))])
HANDS = np.array([[joint_index(f"{s}_wrist"), *(joint_index(n) for f in FINGERS for n in finger_joints(s, f))] for s in SIDES])
LIMB_SKIN = np.array([joint_index(n) for n in SKIN_JOINTS])
LENGTH_ERROR = 0.02  # relative: how exactly two joints keep their distance
BEHIND_ERROR = 0.02  # metres: how far a covered joint may be in front of its cover
UNSEEN_ERROR = 0.15  # metres: how far a joint without any evidence may leave its first guess


@dataclass(frozen=True, eq=False)
class Observation:
    """The 68 joints of B poses as the photo shows them; of a single pose without the leading axis.

    ray     (B, 68, 3) depth-1 rays, NaN = no keypoint
    score   (B, 68) 0..1
    trust   (B, 68) 0..1 how likely the depth is that of the joint's own skin; 0 = no depth
    depth   (B, 68) metres (z) of the skin, NaN = none
    front   (B, 68) metres (z) of what covers the joint, NaN = nothing
    sigma   (B,) standard deviation of a keypoint in units of ray (pixels / focal length)
    lean        (B, 10, 3) directions of the lines `core.pose.monocular.LEANS` by the normal map
    lean_trust  (B, 10) 0..1, 0 = unknown
    """

    ray: np.ndarray
    score: np.ndarray
    trust: np.ndarray
    depth: np.ndarray
    front: np.ndarray
    sigma: np.ndarray
    lean: np.ndarray
    lean_trust: np.ndarray

    @classmethod
    def stacked(cls, poses: Sequence[Observation]) -> Observation:
        """Single poses as one batch."""
        return cls(*(np.stack([getattr(pose, field.name) for pose in poses]) for field in fields(cls)))

    @classmethod
    def joined(cls, batches: Sequence[Observation]) -> Observation:
        """The poses of several batches, one after another."""
        return cls(*(np.concatenate([getattr(batch, field.name) for batch in batches]) for field in fields(cls)))

    def pose(self, index: int) -> Observation:
        """A single pose of the batch."""
        return Observation(*(getattr(self, field.name)[index] for field in fields(self)))

    def joints(self, index: np.ndarray) -> Observation:
        """Of all poses the (N,) joints alone. What is known of lines stays whole."""
        chosen = {name: getattr(self, name)[:, index] for name in ("ray", "score", "trust", "depth", "front")}
        return replace(self, **chosen)


LEAN_ERROR = 0.12  # share of a bone: how exactly the normals tell its direction where no depth does
DISTANCE_ERROR = 0.3  # metres: how exactly the size in the photo tells the distance of a person without any depth


def skin_to_joint(frames: np.ndarray, ray: np.ndarray, stature: np.ndarray) -> np.ndarray:
    """(B, 68) metres from the skin to each joint along its (B, 68, 3) ray; frames (B, 68, 3, 3) from `joint_frames`."""
    out = np.broadcast_to(small_radii(), ray.shape[:-1]).copy()
    out[..., LIMB_SKIN] = skin_distances(frames[..., LIMB_SKIN, :, :], -np.nan_to_num(ray[..., LIMB_SKIN, :], nan=1.0))
    return out * stature[..., None]


def _lengths(index: np.ndarray, log_stature: np.ndarray, stature_error: float) -> Lengths:
    """The segments between the joints of a problem: (N,) which they are; log_stature (B,) with its standard deviation."""
    known = segments()
    local = np.full(len(JOINT_NAMES), -1)
    local[index] = np.arange(len(index))
    keep = (local[known.pairs] >= 0).all(axis=1)
    _, first, group = np.unique(known.groups[keep], return_index=True, return_inverse=True)
    return Lengths(
        pairs=local[known.pairs[keep]],
        groups=group,
        length_weight=np.full(keep.sum(), 1 / LENGTH_ERROR),
        log_share=np.log(known.shares[keep][first]),
        share_weight=1 / known.deviations[keep][first],
        log_stature=log_stature,
        stature_weight=np.full(len(log_stature), 1 / stature_error),
    )


def _evidence(
    start: np.ndarray,
    seen: Observation,
    push: np.ndarray,
    depth_error: np.ndarray | float,
    lengths: Lengths,
    forms: LinearForms,
) -> Evidence:
    """Residuals that body and hands have in common.

    start        (B, N, 3) metres
    seen, push   of the same joints; push (B, N) metres from the skin to the joint
    depth_error  metres, (B, N) or one
    """
    has_ray = np.isfinite(seen.ray[..., 0]) & (seen.score > 0)
    slant = 1 / np.linalg.norm(np.nan_to_num(seen.ray, nan=1.0), axis=-1)
    depth_weight = np.where(np.isfinite(seen.depth), np.sqrt(seen.trust) / depth_error, 0.0)
    anchor = np.where(has_ray, np.where(depth_weight > 0, 0.0, 0.2), 1.0) / UNSEEN_ERROR
    return Evidence(
        start=start,
        ray=np.nan_to_num(seen.ray[..., :2]),
        ray_weight=np.where(has_ray, np.clip(seen.score, 0.3, 1.0) / seen.sigma[:, None], 0.0),
        depth=np.nan_to_num(seen.depth + push * slant),
        depth_weight=depth_weight,
        behind=np.nan_to_num(seen.front + 0.5 * push * slant),
        behind_weight=np.where(np.isfinite(seen.front) & has_ray, 1 / BEHIND_ERROR, 0.0),
        anchor_weight=anchor,
        lengths=lengths,
        forms=forms,
    )


@dataclass(frozen=True, eq=False)
class _Form:
    """One linear form: k joints, their (B, 3) coefficients, standard deviation and target in metres, (B,) or one."""

    joints: list[int]
    coefficients: list[np.ndarray]
    sigma: float | np.ndarray
    one_sided: bool = False
    target: float | np.ndarray = 0.0


def _linear_forms(forms: Sequence[_Form], batch: int, index: np.ndarray) -> LinearForms:
    """The forms as arrays over the (N,) joints `index` of `batch` problems."""
    local = {joint: n for n, joint in enumerate(index.tolist())}
    all_coefficients = np.zeros((batch, len(forms), len(local), 3))
    weights, targets = np.zeros((batch, len(forms))), np.zeros((batch, len(forms)))
    for t, form in enumerate(forms):
        for joint, coefficient in zip(form.joints, form.coefficients, strict=True):
            all_coefficients[:, t, local[joint]] = coefficient
        weights[:, t], targets[:, t] = 1.0 / np.asarray(form.sigma), form.target
    return LinearForms(all_coefficients, targets, weights, np.array([form.one_sided for form in forms], bool))


def body_evidence(positions: np.ndarray, seen: Observation, stature: np.ndarray, depth_error: float, scale: float) -> Evidence:
    """The trunk, arms and legs of (B, 68, 3) joints; (B,) stature in metres; depth_error metres; scale of the limb radii.

    Besides the common residuals: the pelvis is the middle of the hip joints, knees do not bend backwards, and elbows rather bend
    to the front. The knuckles take part because they show the wrist where a sleeve or a bad keypoint does not.
    """
    frames = joint_frames(positions)
    push = scale * skin_to_joint(frames, seen.ray, stature)
    depth_errors = np.hypot(depth_error, 0.15 * push)[:, BODY]
    forms: list[_Form] = []
    for axis in np.eye(3):
        hips = [joint_index(n) for n in ("pelvis", "left_hip", "right_hip")]
        forms.append(_Form(hips, [axis[None], -0.5 * axis[None], -0.5 * axis[None]], 0.002))
    for side in SIDES:
        hip, knee, ankle = (joint_index(f"{side}_{n}") for n in ("hip", "knee", "ankle"))
        front = -frames[:, knee, :, 1]
        # The knee lies in front of the line from hip to ankle.
        forms.append(_Form([knee, hip, ankle], [front, -0.5 * front, -0.5 * front], 0.01, one_sided=True))
        shoulder, elbow, wrist = (joint_index(f"{side}_{n}") for n in ("shoulder", "elbow", "wrist"))
        front = -frames[:, shoulder, :, 1]
        forms.append(_Form([wrist, elbow, shoulder], [front, -2 * front, front], 0.08, one_sided=True))
    for row, (a, b) in enumerate(lean_pairs().tolist()):
        first, second = lean_forms(seen.lean[:, row])
        length = np.maximum(np.linalg.norm(positions[:, a] - positions[:, b], axis=1), 0.02)
        unmeasured = 1 - np.sqrt(seen.trust[:, a] * seen.trust[:, b])
        weight = unmeasured * seen.lean_trust[:, row]
        error = LEAN_ERROR * length / np.maximum(weight, 1e-9)
        forms += [_Form([b, a], [direction, -direction], error) for direction in (first, second)]
    no_depth = ~(seen.trust > 0).any(axis=1)
    toward = np.broadcast_to([0.0, 0.0, 1.0], (len(positions), 3))
    neck = joint_index("neck")
    forms.append(_Form([neck], [toward], np.where(no_depth, DISTANCE_ERROR, 1e9), target=positions[:, neck, 2]))
    return _evidence(
        positions[:, BODY],
        seen.joints(BODY),
        push[:, BODY],
        depth_errors,
        _lengths(BODY, np.log(stature), 0.1),
        _linear_forms(forms, len(positions), BODY),
    )


def hand_evidence(positions: np.ndarray, seen: Observation, stature: np.ndarray, depth_error: float, scale: float) -> Evidence:
    """Both hands of (B, 68, 3) joints as 2 B problems: all left hands, then all right ones. The wrist is held where it is.

    Besides the common residuals: fingers bend in their own plane, evenly, to the palm, and much like their
    neighbours.
    """
    left, right = HANDS
    start = np.concatenate([positions[:, left], positions[:, right]])
    both, size = Observation.joined([seen.joints(left), seen.joints(right)]), np.concatenate([stature, stature])
    both = replace(both, sigma=HAND_KEYPOINT * both.sigma)
    push = scale * small_radii()[left] * size[:, None]
    # The palm faces to the other side of the plane of its knuckles on the other hand.
    handed = np.repeat([1.0, -1.0], len(positions))
    forms = _linear_forms(_finger_forms(start, size, handed), len(start), left)
    evidence = _evidence(start, both, push, depth_error, _lengths(left, np.log(size), 0.03), forms)
    evidence.anchor_weight[:, 0] = 1 / WRIST_ERROR
    return evidence


HAND_KEYPOINT = 0.7  # a knuckle is seen more exactly than a shoulder: its keypoint's deviation, share of that of the body's
WRIST_ERROR = 0.01  # metres: how firmly the body's solution holds the wrist of the hand's
SPREAD_ERROR = 0.2  # share of a phalanx: how far the first one leaves the plane of its finger
PLANE_ERROR = 0.1  # the same for the other two, which only bend
BACK_ERROR = 0.1  # share of a phalanx: how far it bends backwards
CURL_ERROR = 0.25  # how unevenly a finger bends: second difference of the unit directions of its phalanges
FELLOW_ERROR = 0.3  # difference of the unit directions of the same phalanx of neighbouring fingers


def _finger_forms(start: np.ndarray, stature: np.ndarray, handed: np.ndarray) -> list[_Form]:
    """How fingers bend, for hands at (B, 21, 3), ordered as HANDS; handed (B,) is 1 for a left hand and -1 for a right one."""
    forms: list[_Form] = []
    local = {joint: n for n, joint in enumerate(HANDS[0].tolist())}
    chains = [[joint_index(n) for n in finger_joints("left", finger)] for finger in FINGERS]

    def at(joint: int) -> np.ndarray:
        return start[:, local[joint]]

    wrist, index_base, pinky_base = start[:, 0], at(chains[1][0]), at(chains[4][0])
    knuckles = unit(index_base - pinky_base)
    palm = unit(cross(pinky_base - wrist, index_base - wrist)) * handed[:, None]
    template = template_joints()
    for number, chain in enumerate(chains):
        lengths = stature[:, None] * np.linalg.norm(np.diff(template[chain], axis=0), axis=1)  # (B, 3) metres
        inverse = 1 / lengths
        for axis in np.eye(3):  # unit directions of three phalanges: second difference 0
            first, second, third = (inverse[:, k, None] * axis for k in range(3))
            forms.append(_Form(chain, [-first, first + 2 * second, -2 * second - third, third], CURL_ERROR))
        if number == 0:
            continue
        base = unit(at(chain[1]) - at(chain[0]))
        hinge = unit(perpendicular(knuckles, base))
        inward = cross(hinge, base)
        inward = inward * np.where(dot(inward, palm) < 0, -1.0, 1.0)[:, None]
        straight = unit(perpendicular(knuckles, unit(at(chain[0]) - wrist)))
        for k in range(3):
            axis, error = (straight, SPREAD_ERROR) if k == 0 else (hinge, PLANE_ERROR)
            forms.append(_Form([chain[k + 1], chain[k]], [axis, -axis], error * lengths[:, k]))
            if k > 0:
                ratio = (lengths[:, k] / lengths[:, k - 1])[:, None]
                coefficients = [inward, -inward - ratio * inward, ratio * inward]
                bones = [chain[k + 1], chain[k], chain[k - 1]]
                forms.append(_Form(bones, coefficients, BACK_ERROR * lengths[:, k], one_sided=True))
            if number > 1:
                other = chains[number - 1]
                fellow = 1 / (stature * np.linalg.norm(template[other[k + 1]] - template[other[k]]))[:, None]
                own = inverse[:, k, None]
                for axis in np.eye(3):
                    coefficients = [own * axis, -own * axis, -fellow * axis, fellow * axis]
                    forms.append(_Form([chain[k + 1], chain[k], other[k + 1], other[k]], coefficients, FELLOW_ERROR))
    return forms
