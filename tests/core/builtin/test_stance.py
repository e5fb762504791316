"""Depths of joints from what a network says, the lengths of limbs, and the ground: people built from the mean person's joints."""

import numpy as np
import pytest

from sapiens2_avatar.core.builtin.stance import JOINTS, LEAN, stance
from sapiens2_avatar.core.common.landmarks import joint_index
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.pose.anatomy import template_joints
from sapiens2_avatar.core.pose.anthropometry import DEFAULT_STATURE

FACING = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Body axes (x to the left, y to the back, z up) to the camera space of somebody who faces the camera."""
LEVEL = rotation_from_vector(np.array([np.radians(3), 0, 0]))
"""From there to the camera space of a camera that looks down by three degrees."""
UNKNOWN = np.full(4, np.nan)
AT = {name: i for i, name in enumerate(JOINTS)}


def _standing() -> np.ndarray:
    """(16, 3) metres from the middle of the hips, seen by a camera that looks down a little, as most do."""
    joints = template_joints()[[joint_index(name) for name in JOINTS]] * DEFAULT_STATURE @ FACING.T
    return joints - (joints[AT["left_hip"]] + joints[AT["right_hip"]]) / 2


def _turned(joints: np.ndarray, side: str, degrees: float) -> np.ndarray:
    """A straight leg swung about its hip, towards the camera; the foot stays level."""
    out, hip = joints.copy(), joints[AT[f"{side}_hip"]]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    swing = np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    for name in ("knee", "ankle"):
        out[AT[f"{side}_{name}"]] = hip + swing @ (joints[AT[f"{side}_{name}"]] - hip)
    moved = out[AT[f"{side}_ankle"]] - joints[AT[f"{side}_ankle"]]
    for name in ("heel", "big_toe"):
        out[AT[f"{side}_{name}"]] += moved
    return out


def _found(joints: np.ndarray, said: np.ndarray, score: float | np.ndarray = 0.9, wider: np.ndarray = UNKNOWN) -> np.ndarray:
    """(16,) metres of depth from the hips of joints (16, 3) of which the network says (16,) depths.

    wider  (4,) of `limb_widths.nearer_sides`
    """
    centre = np.array([0, 0.1, 3.5])
    places = joints + centre
    world = np.column_stack([joints[:, :2], said])
    depths = stance(world, places / places[:, 2:], np.full(len(JOINTS), score), centre, wider).depths
    return depths - depths[[AT["left_hip"], AT["right_hip"]]].mean()


def test_a_stride_that_the_network_makes_too_short_is_told_by_the_ground():
    joints = _turned(_turned(_standing(), "right", 17), "left", -17) @ LEVEL.T
    found = _found(joints, joints[:, 2] * np.where([name.endswith(("knee", "ankle", "heel", "toe")) for name in JOINTS], 0.4, 1))
    left, right = AT["left_ankle"], AT["right_ankle"]
    true = joints[left, 2] - joints[right, 2]
    assert true > 0.4
    assert found[left] - found[right] == pytest.approx(true, rel=0.2)


def test_the_wider_leg_is_the_nearer_one():
    """Of long legs, whose lengths deny a stride, and without heels and toes in the photo: nothing is known of the ground.

    The network says that everything is equally far.
    """
    joints = _turned(_turned(_standing(), "right", 20), "left", -20) @ LEVEL.T
    joints[AT["left_knee"] :] *= 1.16
    scores = np.where([name.endswith(("heel", "toe")) for name in JOINTS], 0.0, 0.9)
    shins = [joints[[AT[f"{side}_knee"], AT[f"{side}_ankle"]], 2].mean() + 3.5 for side in ("left", "right")]
    wider = np.array([np.nan, np.nan, np.nan, np.log(shins[1] / shins[0])])
    strides = [
        found[AT["left_ankle"]] - found[AT["right_ankle"]]
        for found in (_found(joints, np.zeros(len(JOINTS)), scores, ratio) for ratio in (UNKNOWN, wider))
    ]
    true = joints[AT["left_ankle"], 2] - joints[AT["right_ankle"], 2]
    assert strides[1] == pytest.approx(true, rel=0.2)
    assert strides[0] < 0.75 * true


def test_straight_legs_are_not_bent_and_feet_do_not_hang():
    joints = _standing() @ LEVEL.T
    said = joints[:, 2].copy()
    for side in ("left", "right"):
        said[AT[f"{side}_ankle"]] += 0.12
        said[AT[f"{side}_heel"]] += 0.12
        said[AT[f"{side}_big_toe"]] += 0.25
    assert np.abs(_found(joints, said) - joints[:, 2])[AT["left_hip"] :].max() < 0.05


def test_a_bent_knee_stays_bent():
    joints = _standing() @ LEVEL.T
    hip, ankle = joints[AT["left_hip"]], joints[AT["left_ankle"]].copy()
    joints[AT["left_knee"]] = hip + np.array([0, 0.18, -0.36])
    moved = joints[AT["left_knee"]] + np.array([0, 0.38, 0.12]) - ankle
    for name in ("ankle", "heel", "big_toe"):
        joints[AT[f"left_{name}"]] += moved
    found = _found(joints, joints[:, 2])
    assert found[AT["left_knee"]] == pytest.approx(joints[AT["left_knee"], 2], abs=0.08)


def test_the_mirror_image_stands_alike():
    joints = _turned(_standing(), "right", 15) @ LEVEL.T
    said = 0.6 * joints[:, 2]
    other = np.arange(len(JOINTS)) ^ 1
    mirrored = joints[other] * (-1, 1, 1)
    np.testing.assert_allclose(_found(mirrored, said[other])[other], _found(joints, said), atol=1e-3)


def test_somebody_who_lies_is_not_stood_up():
    lying = _standing()[:, [1, 0, 2]] * (-1, 1, 1)
    np.testing.assert_allclose(_found(lying, lying[:, 2]), lying[:, 2], atol=0.06)


def test_nothing_follows_from_joints_that_are_not_seen():
    joints = _standing()
    said = joints[:, 2] + LEAN * joints[:, 1] + np.linspace(-0.2, 0.2, len(JOINTS))
    upright = said - LEAN * joints[:, 1]
    hips = [AT["left_hip"], AT["right_hip"]]
    np.testing.assert_allclose(_found(joints, said, score=0.1), upright - upright[hips].mean(), atol=0.02)
