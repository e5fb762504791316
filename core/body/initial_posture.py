"""A first posture from joints, in closed form: the trunk as a rigid body, then each bone along its limb."""

from __future__ import annotations

import numpy as np

from ..common.landmarks import FINGERS, SIDES, finger_joints, joint_index
from ..common.rotations import fit_rigid, swing
from .evaluate import Posture, parents
from .skeleton import BONES
from .skeleton import FINGERS as FINGER_BONES

TRUNK = ("left_hip", "right_hip", "left_shoulder", "right_shoulder", "neck", "pelvis", "spine", "chest")
HEAD_POINTS = 8  # keypoints of the head that must be known before they turn it


def initial_posture(
    rest_joints: np.ndarray, joints: np.ndarray, rest_keypoints: np.ndarray, keypoints: np.ndarray, rest_heads: np.ndarray
) -> Posture:
    """The posture whose bones point along (68, 3) `joints` in camera space, for (68, 3) joints at rest.

    rest_keypoints, keypoints  (308, 3) on the skin, NaN = none: turn the head
    rest_heads                 (B, 3)
    """
    names = list(BONES)
    turns = np.tile(np.eye(3), (len(names), 1, 1))
    trunk = [joint_index(name) for name in TRUNK]
    root = fit_rigid(rest_joints[trunk], joints[trunk], np.ones(len(trunk)))[0]
    turns[:] = root
    head = fit_rigid_head(rest_keypoints, keypoints, rest_joints, joints)

    def set_turn(bone: str, turn: np.ndarray) -> None:
        turns[names.index(bone)] = turn

    def along(turn: np.ndarray, start: str, end: str) -> np.ndarray:
        """The turn, swung so that the two joints lie as they do in the photo."""
        before = turn @ (rest_joints[joint_index(end)] - rest_joints[joint_index(start)])
        after = joints[joint_index(end)] - joints[joint_index(start)]
        return swing(turn.T, before, after).T

    if head is not None:
        for bone in ("spine.006", "jaw", "eye.L", "eye.R"):
            set_turn(bone, head)
    for side in SIDES:
        letter = side[0].upper()
        upper = along(root, f"{side}_shoulder", f"{side}_elbow")
        fore = along(upper, f"{side}_elbow", f"{side}_wrist")
        knuckles = [joint_index(f"{side}_{f}_third_joint") for f in FINGERS[1:]] + [joint_index(f"{side}_wrist")]
        hand = fit_rigid(rest_joints[knuckles], joints[knuckles], np.ones(len(knuckles)))[0]
        set_turn(f"upper_arm.{letter}", upper)
        set_turn(f"forearm.{letter}", fore)
        for bone in ("hand", "palm.01", "palm.02", "palm.03", "palm.04"):
            set_turn(f"{bone}.{letter}", hand)
        for ours, finger in zip(FINGER_BONES, FINGERS, strict=True):
            chain, turn = finger_joints(side, finger), hand
            for k in range(3):
                turn = along(turn, chain[k], chain[k + 1])
                set_turn(f"{ours}.0{k + 1}.{letter}", turn)
        thigh = along(root, f"{side}_hip", f"{side}_knee")
        shin = along(thigh, f"{side}_knee", f"{side}_ankle")
        sole = [joint_index(f"{side}_{n}") for n in ("ankle", "heel", "big_toe", "small_toe")]
        foot = fit_rigid(rest_joints[sole], joints[sole], np.ones(len(sole)))[0]
        for bone, turn in (("thigh", thigh), ("shin", shin), ("foot", foot), ("toe", foot)):
            set_turn(f"{bone}.{letter}", turn)
    parent = parents()
    local = np.array([turn if parent[k] < 0 else turns[parent[k]].T @ turn for k, turn in enumerate(turns)])
    middle = joints[trunk].mean(axis=0) - root @ (rest_joints[trunk].mean(axis=0) - rest_heads[0])
    return Posture(local, middle - rest_heads[0])


def fit_rigid_head(
    rest_keypoints: np.ndarray, keypoints: np.ndarray, rest_joints: np.ndarray, joints: np.ndarray
) -> np.ndarray | None:
    """(3, 3) turn of the head, None where too little of it is known."""
    known = np.isfinite(rest_keypoints).all(axis=1) & np.isfinite(keypoints).all(axis=1)
    known[:70] = False  # points of the body, hands and feet
    if known.sum() < HEAD_POINTS:
        return None
    base = joint_index("head")
    source = np.concatenate([rest_keypoints[known], rest_joints[base : base + 1]])
    target = np.concatenate([keypoints[known], joints[base : base + 1]])
    return fit_rigid(source, target, np.ones(len(source)))[0]
