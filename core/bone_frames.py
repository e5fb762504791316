"""The mean standing person, and the frames of hips, chest and head in a pose.

Body axes: x to the person's left, y to their back, z up (a standing person who faces -y in Blender's world). A frame's columns
are these axes of one body part, so ``frame @ template_offset * stature`` is an offset in the space of the joints.
All functions take leading axes (frames of a video).
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np

from .rotations import angle_between, any_perpendicular, dot, fit_rigid, perpendicular, shortest_arc, two_axis_frame, unit
from .skeleton import DATA, JOINT_NAMES, joint_index, keypoint_index, keypoint_names


@cache
def template_joints() -> np.ndarray:
    """(68, 3) float64: joints of the mean standing person, pelvis at 0, body axes, share of stature."""
    table = json.loads((DATA / "body_template.json").read_text("utf-8"))["joints"]
    return np.array([table[name] for name in JOINT_NAMES])


@cache
def template_head() -> np.ndarray:
    """(308, 3) float64: keypoints on the head, from the joint ``head``, body axes, share of stature; NaN = not on the head."""
    table = json.loads((DATA / "body_template.json").read_text("utf-8"))["head_points"]
    out = np.full((308, 3), np.nan)
    for k, name in enumerate(keypoint_names()):
        if name in table:
            out[k] = table[name]
    return out


_RIGID = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "glabella", "nose_root", "nose_bridge", "inner_end_of",
    "outer_end_of", "nostril", "corner_of_nose", "tip_of_nose", "helix", "tragus", "concha", "ear_lobe", "crus",
)  # fmt: skip


@cache
def rigid_head_weights() -> np.ndarray:
    """(308,) float64: how firmly each keypoint moves with the skull; lips, lids, brows and jaw do not."""
    out = np.zeros(308)
    for k, name in enumerate(keypoint_names()):
        if any(word in name for word in _RIGID) and np.isfinite(template_head()[k]).all():
            out[k] = 1.0 if not any(ear in name for ear in ("helix", "tragus", "concha", "ear_lobe", "crus")) else 0.35
    return out


def _of(positions: np.ndarray, name: str) -> np.ndarray:
    return positions[..., joint_index(name), :]


def hips_frame(positions: np.ndarray) -> np.ndarray:
    """(..., 3, 3) frame of the pelvis from (..., 68, 3) joints: x along the hip joints, z towards the neck."""
    return two_axis_frame(
        _of(positions, "left_hip") - _of(positions, "right_hip"), _of(positions, "neck") - _of(positions, "pelvis"), "xz"
    )


def chest_frame(positions: np.ndarray) -> np.ndarray:
    """(..., 3, 3) frame of the rib cage from (..., 68, 3) joints: x along the shoulders, z from the pelvis to the neck."""
    return two_axis_frame(
        _of(positions, "left_shoulder") - _of(positions, "right_shoulder"),
        _of(positions, "neck") - _of(positions, "pelvis"),
        "xz",
    )


def fit_head(points: np.ndarray, weights: np.ndarray, rounds: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The head that explains the face points: rigid fit of the template, outliers down-weighted (Geman-McClure, 8 mm).

    points   (..., 308, 3) metres on the skin, NaN = none
    weights  (..., 308)    trust in each
    Returns frame (..., 3, 3), scale (...,) = stature that the head's size suggests, origin (..., 3) = the joint ``head``, and
    support (...,) = effective number of points. With support under 4 the frame means nothing.
    """
    template = np.nan_to_num(template_head())
    weights = np.where(np.isfinite(points).all(axis=-1), weights, 0.0) * rigid_head_weights()
    target = np.nan_to_num(points)
    source = np.broadcast_to(template, target.shape)
    w = weights
    for _ in range(rounds):
        frame, scale, origin = fit_rigid(source, target, w)
        scale = np.clip(scale, 0.6, 3.0)
        fitted = scale[..., None, None] * source @ np.swapaxes(frame, -1, -2) + origin[..., None, :]
        error = np.linalg.norm(fitted - target, axis=-1)
        w = weights / (1 + (error / 0.008) ** 2) ** 2
    return frame, scale, origin, w.sum(axis=-1)


def default_up(positions: np.ndarray) -> np.ndarray:
    """(..., 3) unit vector from the pelvis to the neck of (..., 68, 3) joints."""
    return unit(_of(positions, "neck") - _of(positions, "pelvis"))


def smoothstep(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def flexion_sides(positions: np.ndarray, surface: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The side to which each limb bone's outer joint bends: (..., 3) unit, perpendicular to the bone.

    positions  (..., 68, 3) joints
    surface    (..., 308, 3) keypoints on the skin (olecranon and cubital fossa are used), NaN = none

    Keys are Rigify's: upper_arm, forearm, hand (its thumb side), thigh, shin, foot with .L and .R. Where a limb is bent, the
    plane of its two bones tells; where it is straight, the landmarks of elbow, palm and foot; and last the trunk.
    """
    out: dict[str, np.ndarray] = {}
    hips, chest = hips_frame(positions), chest_frame(positions)
    T = template_joints()
    for side, suffix in (("left", "L"), ("right", "R")):
        shoulder, elbow, wrist = (_of(positions, f"{side}_{n}") for n in ("shoulder", "elbow", "wrist"))
        hip, knee, ankle = (_of(positions, f"{side}_{n}") for n in ("hip", "knee", "ankle"))
        upper, fore = unit(elbow - shoulder), unit(wrist - elbow)
        rest = T[joint_index(f"{side}_elbow")] - T[joint_index(f"{side}_shoulder")]
        guess = _carried(chest, rest, upper, np.array([0.0, -1.0, 0.0]))
        if surface is not None:
            front = surface[..., keypoint_index(f"{side}_cubital_fossa"), :] - surface[..., keypoint_index(f"{side}_olecranon"), :]
            front = perpendicular(np.nan_to_num(front), upper)
            guess = unit(guess + 3.0 * smoothstep(0.02, 0.05, np.linalg.norm(front, axis=-1))[..., None] * unit(front))
        out[f"upper_arm.{suffix}"] = _blend(guess, fore, upper, 10.0, 30.0)
        out[f"forearm.{suffix}"] = unit(perpendicular(shortest_arc_apply(upper, fore, out[f"upper_arm.{suffix}"]), fore))
        index_base = _of(positions, f"{side}_forefinger_third_joint")
        pinky_base = _of(positions, f"{side}_pinky_finger_third_joint")
        middle = _of(positions, f"{side}_middle_finger_third_joint")
        out[f"hand.{suffix}"] = _perpendicular_unit(index_base - pinky_base, unit(middle - wrist), out[f"forearm.{suffix}"])

        thigh, shin = unit(knee - hip), unit(ankle - knee)
        toes = (_of(positions, f"{side}_big_toe") + _of(positions, f"{side}_small_toe")) / 2
        forward = toes - _of(positions, f"{side}_heel")
        rest = T[joint_index(f"{side}_knee")] - T[joint_index(f"{side}_hip")]
        trunk = _carried(hips, rest, thigh, np.array([0.0, 1.0, 0.0]))
        feet = unit(perpendicular(-shortest_arc_apply(shin, thigh, perpendicular(forward, shin)), thigh))
        feet = np.where((dot(feet, trunk) > 0.5)[..., None], feet, 0.0)
        out[f"thigh.{suffix}"] = _blend(unit(trunk + feet), shin, thigh, 15.0, 35.0)
        out[f"shin.{suffix}"] = unit(perpendicular(shortest_arc_apply(thigh, shin, out[f"thigh.{suffix}"]), shin))
        foot = unit(toes - ankle)
        out[f"foot.{suffix}"] = _perpendicular_unit(-(knee - ankle), foot, out[f"shin.{suffix}"])
    return out


def _carried(frame: np.ndarray, rest: np.ndarray, bone: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(..., 3) where the body direction `side` points after the (3,) rest bone was swung to the (..., 3) bone."""
    return _perpendicular_unit(shortest_arc_apply(unit(frame @ rest), bone, frame @ side), bone, frame[..., :, 0])


def shortest_arc_apply(source: np.ndarray, target: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(..., 3) vectors turned by the shortest arc that takes (..., 3) source to target."""
    return (shortest_arc(source, target) @ vectors[..., None])[..., 0]


def _perpendicular_unit(vectors: np.ndarray, axis: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """The unit part of vectors perpendicular to a unit axis; that of the fallback where it vanishes, some where both do."""
    first, second = perpendicular(vectors, axis), perpendicular(fallback, axis)
    long = np.linalg.norm(first, axis=-1, keepdims=True) > 1e-6
    also = np.linalg.norm(second, axis=-1, keepdims=True) > 1e-6
    return np.where(long, unit(first), np.where(also, unit(second), any_perpendicular(axis)))


def _blend(guess: np.ndarray, outer: np.ndarray, inner: np.ndarray, low: float, high: float) -> np.ndarray:
    """Flexion side of the inner bone: that of the plane with the outer bone where the joint is bent over `high` degrees."""
    bend = perpendicular(outer, inner)
    weight = smoothstep(low, high, np.degrees(angle_between(inner, outer)))[..., None]
    return _perpendicular_unit((1 - weight) * guess + weight * unit(bend), inner, guess)
