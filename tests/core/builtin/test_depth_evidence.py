"""What the networks know of depth, where a face is all that is seen, and where a whole body is."""

import numpy as np
import pytest

from sapiens2_avatar.core.builtin.depth_evidence import joint_depths
from sapiens2_avatar.core.builtin.stance import JOINTS
from sapiens2_avatar.core.common.arrays import Camera, Pose
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index, keypoint_index
from sapiens2_avatar.core.landmarks.body import INDEX, Body
from sapiens2_avatar.core.landmarks.regions import Region
from sapiens2_avatar.core.pose.anatomy import template_head, template_joints
from sapiens2_avatar.core.pose.anthropometry import DEFAULT_STATURE

CAMERA = Camera(600, 800, 1200.0, 1200.0, 299.5, 399.5, "assumed")
NO_MASK = np.zeros((800, 600), bool)
FACING = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Body axes (x to the left, y to the back, z up) to the camera space of somebody who faces the camera."""


def _keypoints(distance: float) -> np.ndarray:
    """(308, 3) of a head of mean size whose joint is `distance` metres in front of the camera; all else is unseen."""
    places = template_head() * DEFAULT_STATURE @ FACING.T + (0, 0, distance)
    known = np.isfinite(places).all(axis=1)
    out = np.zeros((308, 3))
    out[known, :2] = CAMERA.project(places[known])
    out[known, 2] = 0.9
    return out


def _nobody() -> Body:
    count, region = len(INDEX), Region(np.zeros(2), 1.0, 0.0)
    return Body(
        np.zeros((count, 4)), np.zeros(count), np.zeros((count, 3)), 0.0, region, region, np.zeros((256, 256), np.float32)
    )


@pytest.mark.parametrize("distance", [0.6, 1.5])
def test_a_face_alone_tells_how_far_it_is(distance):
    keypoints = _keypoints(distance)
    found = joint_depths(_nobody(), keypoints, NO_MASK, CAMERA).surface
    assert found is not None
    for name in ("nose", "tip_of_nose"):
        k = keypoint_index(name)
        x, y = np.round(keypoints[k, :2]).astype(int)
        assert found[y, x, 2] == pytest.approx(distance + (template_head()[k] * DEFAULT_STATURE @ FACING.T)[2], abs=0.01)


def test_a_shoulder_behind_the_other_one_keeps_its_own_depth():
    """In profile both shoulders are in nearly the same place of the photo."""
    profile = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])  # body axes to camera space: the left side is nearer
    joints = template_joints() * DEFAULT_STATURE @ profile.T
    left, right = joint_index("left_shoulder"), joint_index("right_shoulder")
    places = joints + np.array([0, 0.12 - joints[left, 1], 4.0])
    body, keypoints = _nobody(), np.zeros((308, 3))
    for name in JOINTS:
        body.world[INDEX[name.replace("big_toe", "foot_index")]] = joints[joint_index(name)]
        keypoints[keypoint_index(name)] = [*CAMERA.project(places[joint_index(name)][None])[0], 0.9]
    found = joint_depths(body, keypoints, NO_MASK, CAMERA).surface
    assert found is not None
    near, far = (np.round(keypoints[keypoint_index(f"{side}_shoulder"), :2]).astype(int) for side in ("left", "right"))
    assert 3 <= np.linalg.norm(near - far) < 8
    apart = found[far[1], far[0], 2] - found[near[1], near[0], 2]
    assert apart == pytest.approx(joints[right, 2] - joints[left, 2], abs=0.02)


def test_nothing_is_known_of_somebody_without_joints_and_face():
    found = joint_depths(_nobody(), np.zeros((308, 3)), NO_MASK, CAMERA)
    assert found.surface is None
    assert found.joints is None


def test_an_arm_that_nobody_sees_is_where_the_network_guesses_it():
    """The lift alone stretches it away from the trunk."""
    joints = template_joints() * DEFAULT_STATURE @ FACING.T + (0, 0.1, 4.0)
    body, keypoints = _nobody(), np.zeros((308, 3))
    for name in JOINTS:
        body.world[INDEX[name.replace("big_toe", "foot_index")]] = joints[joint_index(name)] - (0, 0.1, 4.0)
        keypoints[keypoint_index(name)] = [*CAMERA.project(joints[joint_index(name)][None])[0], 0.9]
    for name in ("left_elbow", "left_wrist"):
        keypoints[keypoint_index(name), 2] = 0.1
        body.inside[INDEX[name]] = 0.9
    depths = joint_depths(body, keypoints, NO_MASK, CAMERA)
    assert depths.joints is not None
    assert np.abs(depths.joints[:, 2] - joints[[joint_index(name) for name in JOINTS], 2]).max() < 0.06
    lifted = Pose(
        JOINT_NAMES,
        np.zeros((68, 3), np.float32),
        np.ones(68, np.float32),
        np.ones(68, bool),
        np.full((308, 3), np.nan, np.float32),
        DEFAULT_STATURE,
    )
    placed = depths.placed(lifted)
    wrist, knuckle = joint_index("left_wrist"), joint_index("left_forefinger_third_joint")
    np.testing.assert_allclose(placed.positions[wrist], depths.joints[JOINTS.index("left_wrist")], atol=1e-5)
    np.testing.assert_allclose(placed.positions[knuckle], placed.positions[wrist], atol=1e-5)  # as far from it as before
    body.inside[:] = 0.0  # beyond the border of the photo: as the lift has it, from the shoulder
    placed = joint_depths(body, keypoints, NO_MASK, CAMERA).placed(lifted)
    np.testing.assert_allclose(placed.positions[wrist], placed.positions[joint_index("left_shoulder")], atol=1e-5)
    assert joint_depths(_nobody(), np.zeros((308, 3)), NO_MASK, CAMERA).placed(lifted) is lifted


def test_a_head_is_on_an_upright_trunk_where_the_photo_shows_no_hips():
    """The network turns people to the camera, half figures most; what it says of a head to its own trunk is right."""
    joints = template_joints() * DEFAULT_STATURE @ FACING.T + (0, 0, 4.0)
    head = template_head() * DEFAULT_STATURE @ FACING.T + joints[joint_index("head")]
    lean = np.radians(15)
    to_camera = np.array([[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]])
    hips = joints[[joint_index("left_hip"), joint_index("right_hip")]].mean(axis=0)
    body, keypoints = _nobody(), np.zeros((308, 3))
    known = np.isfinite(head).all(axis=1)
    keypoints[known, :2], keypoints[known, 2] = CAMERA.project(head[known]), 0.9
    for name in JOINTS:
        keypoints[keypoint_index(name)] = [*CAMERA.project(joints[joint_index(name)][None])[0], 0.9]
    body.inside[:] = 0.9
    for name in JOINTS[JOINTS.index("left_hip") :]:
        body.inside[INDEX[name.replace("big_toe", "foot_index")]] = keypoints[keypoint_index(name), 2] = 0.0
    for name in (*JOINTS, "nose", "left_ear", "right_ear"):
        place = joints[joint_index(name)] if name in JOINTS else head[keypoint_index(name)]
        body.world[INDEX[name.replace("big_toe", "foot_index")]] = to_camera @ (place - hips)
    found = joint_depths(body, keypoints, NO_MASK, CAMERA)
    assert found.surface is not None
    assert found.joints is not None
    k = keypoint_index("center_of_glabella")
    x, y = np.round(keypoints[k, :2]).astype(int)
    shoulders = [joint_index("left_shoulder"), joint_index("right_shoulder")]
    before_shoulders = found.surface[y, x, 2] - found.joints[:2, 2].mean()
    assert before_shoulders == pytest.approx(head[k, 2] - joints[shoulders, 2].mean(), abs=0.015)
