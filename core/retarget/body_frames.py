"""Anatomical frames: one orientation per body part, defined the same way for a person's joints and for any rig at rest.

A frame is a rotation whose columns are
    hips, spine, chest, head   x to the person's left, y up, z forward
    arms and legs              y along the limb, z the way the front of the knee or the crook of the elbow faces
    hands                      y to the middle knuckle, z from the little finger to the index finger
    clavicles, fingers         y along the bone, turned from their parent's frame by the smallest rotation
    feet                       y along the sole to the toes, z up from it: a foot flat on the ground is flat on every rig
Because the definition is shared, ``pose_frame @ rest_frame.T`` turns a rig's bone from rest to the pose: directions become equal
whatever the rest pose is, and the hinges of elbows and knees coincide.

Every function takes any number of frames F as the first axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from ..common.landmarks import SIDES, finger_joints, joint_index
from ..common.rotations import dot, perpendicular, shortest_arc, two_axis_frame, unit
from ..common.spaces import BODY_DOWN
from ..pose.anatomy import smoothstep, template_joints
from .bone_map import FINGER_JOINTS, PHALANGES

STRAIGHT, BENT = np.radians(10.0), np.radians(30.0)  # a limb's plane means nothing below, everything above
THUMB_AT_REST = np.array([0.3, 0.6, 0.74])  # left hand: towards the palm, along the hand, to the index side

Frames = dict[str, np.ndarray]


def anatomical_frames(points: Mapping[str, np.ndarray], head: np.ndarray | None = None) -> Frames:
    """Frames of all body parts whose joints are given.

    points  joint name -> (F, 3), one space and unit. Names of `core.common.landmarks.JOINT_NAMES`, and `left_toe`, `right_toe`:
            the ball of the foot. left_hip, right_hip and neck are needed, everything else may be absent
    head    (F, 3, 3) frame of the head if something better than the trunk is known
    Returns role -> (F, 3, 3): hips, chest, head, and the limbs of `core.retarget.recognise`.
    """
    hips_middle = (points["left_hip"] + points["right_hip"]) / 2
    up = points["neck"] - hips_middle
    out: Frames = {"hips": two_axis_frame(points["left_hip"] - points["right_hip"], up, "xy")}
    across = points["left_shoulder"] - points["right_shoulder"] if {"left_shoulder", "right_shoulder"} <= points.keys() else None
    out["chest"] = out["hips"] if across is None else two_axis_frame(across, up, "xy")
    out["head"] = out["chest"] if head is None else head
    for side in SIDES:
        sign = 1.0 if side == "left" else -1.0
        _arm(out, points, side, sign)
        _leg(out, points, side, sign)
        if f"{side}Hand" in out:
            _fingers(out, points, side, sign)
    return out


def carried(parent: np.ndarray, axis: np.ndarray, axes: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """(F, 3, 3) frame whose y is `direction`, turned from its parent by the smallest rotation.

    parent     (F, 3, 3)
    axis       (3,) where the bone points in the parent's frame when nothing is turned
    axes       (3, 3) the bone's frame in the parent's frame at that moment; its y column is `axis`
    direction  (F, 3)
    """
    return shortest_arc(parent @ unit(axis), direction) @ parent @ axes


def _limb(straight: np.ndarray, upper: np.ndarray, lower: np.ndarray | None, bend: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Frames of the two bones of a limb. The plane of the limb gives the hinge once it is bent, `straight` gives it before.

    straight  (F, 3, 3) frame of the upper bone were the limb straight
    upper     (F, 3) directions; lower may be absent
    bend      +1 where the lower bone bends towards z (elbow), -1 where it bends away (knee)
    """
    front = straight[..., 2]
    if lower is not None:
        t, s = unit(upper), unit(lower)
        plane = bend * perpendicular(s, t)
        angle = np.arctan2(np.linalg.norm(np.cross(t, s), axis=-1), dot(t, s))
        w = smoothstep(STRAIGHT, BENT, angle)[..., None]
        front = w * unit(plane) + (1 - w) * front
    first = two_axis_frame(upper, front, "yz")
    return first, None if lower is None else two_axis_frame(lower, first[..., 0], "yx")


def _arm(out: Frames, points: Mapping[str, np.ndarray], side: str, sign: float) -> None:
    # The arm of a T-pose: y along it, z forward.
    axis = np.array([sign, 0.0, 0.0])
    axes = np.stack([np.array([0.0, -sign, 0.0]), axis, np.array([0.0, 0.0, 1.0])], axis=1)
    shoulder, elbow, wrist = (points.get(f"{side}_{name}") for name in ("shoulder", "elbow", "wrist"))
    clavicle = points.get(f"{side}_clavicle")
    if shoulder is not None and clavicle is not None:
        out[f"{side}Shoulder"] = carried(out["chest"], axis, axes, shoulder - clavicle)
    if shoulder is None or elbow is None:
        return
    straight = carried(out["chest"], axis, axes, elbow - shoulder)
    upper, lower = _limb(straight, elbow - shoulder, None if wrist is None else wrist - elbow, 1.0)
    out[f"{side}UpperArm"] = upper
    if lower is None:
        return
    out[f"{side}LowerArm"] = lower
    knuckles = {finger: points.get(f"{side}_{joint}_third_joint") for finger, joint in FINGER_JOINTS.items()}
    middle = knuckles["Middle"] if knuckles["Middle"] is not None else points.get(f"{side}_hand_end")
    if middle is None:
        return
    if knuckles["Index"] is not None and knuckles["Little"] is not None:
        out[f"{side}Hand"] = two_axis_frame(middle - wrist, knuckles["Index"] - knuckles["Little"], "yz")
    else:
        out[f"{side}Hand"] = carried(lower, np.array([0.0, 1.0, 0.0]), np.eye(3), middle - wrist)


def _leg(out: Frames, points: Mapping[str, np.ndarray], side: str, sign: float) -> None:
    hip, knee, ankle, toe = (points.get(f"{side}_{name}") for name in ("hip", "knee", "ankle", "toe"))
    if hip is None or knee is None:
        return
    # The leg of a standing person: y down it, z forward.
    axis = BODY_DOWN
    axes = np.stack([np.array([-1.0, 0.0, 0.0]), axis, np.array([0.0, 0.0, 1.0])], axis=1)
    straight = carried(out["hips"], axis, axes, knee - hip)
    if toe is not None and ankle is not None:
        # The thigh turns out with the foot; a foot stretched along the shank says nothing.
        forward = perpendicular(unit(toe - ankle), unit(knee - hip))
        trust = np.clip(2 * np.linalg.norm(forward, axis=-1, keepdims=True) - 0.6, 0.0, 1.0)
        trust = trust * (dot(forward, straight[..., 2])[..., None] > 0.0)
        straight = two_axis_frame(knee - hip, trust * unit(forward) + (1 - trust) * straight[..., 2], "yz")
    upper, lower = _limb(straight, knee - hip, None if ankle is None else ankle - knee, -1.0)
    out[f"{side}UpperLeg"] = upper
    if lower is None:
        return
    out[f"{side}LowerLeg"] = lower
    foot = _foot(points, side, sign)
    if foot is not None:
        out[f"{side}Foot"] = foot


def _foot(points: Mapping[str, np.ndarray], side: str, sign: float) -> np.ndarray | None:
    """(F, 3, 3) y along the sole to the toes, z up from it. Of a rig at rest the sole is level: it stands on the ground."""
    big, small, heel = (points.get(f"{side}_{name}") for name in ("big_toe", "small_toe", "heel"))
    if big is not None and small is not None and heel is not None:
        return _sole(big, small, heel, sign) @ _level_sole(side)
    ankle, toe, up = points.get(f"{side}_ankle"), points.get(f"{side}_toe"), points.get("up")
    if ankle is None or toe is None or up is None:
        return None
    level = perpendicular(toe - ankle, up)
    steep = np.linalg.norm(level, axis=-1, keepdims=True) < 0.3 * np.linalg.norm(toe - ankle, axis=-1, keepdims=True)
    return two_axis_frame(np.where(steep, toe - ankle, level), up, "yz")


def _sole(big: np.ndarray, small: np.ndarray, heel: np.ndarray, sign: float) -> np.ndarray:
    return two_axis_frame((big + small) / 2 - heel, sign * np.cross(big - heel, small - heel), "yz")


@cache
def _level_sole(side: str) -> np.ndarray:
    """(3, 3) what the plane of the toes' and heel's joints lacks to the ground: heels lie higher in the foot than toes."""
    joints = template_joints()
    big, small, heel, ankle = (joints[joint_index(f"{side}_{name}")] for name in ("big_toe", "small_toe", "heel", "ankle"))
    up = np.array([0.0, 0.0, 1.0])
    level = two_axis_frame(perpendicular((big + small) / 2 - ankle, up), up, "yz")
    return _sole(big, small, heel, 1.0 if side == "left" else -1.0).T @ level


def _fingers(out: Frames, points: Mapping[str, np.ndarray], side: str, sign: float) -> None:
    for finger, keypoint_finger in FINGER_JOINTS.items():
        chain = [points.get(joint) for joint in finger_joints(side, keypoint_finger)]
        frame = out[f"{side}Hand"]
        axis, axes = np.array([0.0, 1.0, 0.0]), np.eye(3)
        if finger == "Thumb":
            axis = unit(THUMB_AT_REST * np.array([sign, 1.0, 1.0]))
            axes = two_axis_frame(axis, np.array([0.0, 0.0, 1.0]), "yz")
        for n, phalanx in enumerate(PHALANGES[finger]):
            head, tail = chain[n], next((p for p in chain[n + 1 :] if p is not None), None)
            if head is None or tail is None:
                continue
            frame = carried(frame, axis, axes, tail - head)
            out[f"{side}{finger}{phalanx}"] = frame
            axis, axes = np.array([0.0, 1.0, 0.0]), np.eye(3)
