"""Poses from keypoints alone: limb directions from the lean of normals, left stays left from every side."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, SIDES, joint_index, joint_swap, keypoint_index
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import angle_between, unit
from sapiens2_avatar.core.pose.anatomy import chest_frame
from sapiens2_avatar.core.pose.initial_guess import on_ray
from sapiens2_avatar.core.pose.lift import lift_pose
from sapiens2_avatar.core.pose.monocular import LEANS, lean_forms
from support.people import mirrored, photograph, standing

LIMBS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
CAMERA = Camera(800, 1000, 1400.0, 1400.0, 399.5, 499.5)


@pytest.mark.parametrize("yaw", [0, 35, -60, 180, 150])
def test_bones_have_their_length_and_project_onto_their_keypoints(yaw):
    joints, points = standing(yaw, distance=3.4)
    pose = lift_pose(photograph(points, CAMERA))
    off = np.linalg.norm(CAMERA.project(pose.positions.astype(float)) - CAMERA.project(joints), axis=1)
    shown = [i for i, n in enumerate(JOINT_NAMES) if n.endswith(("shoulder", "elbow", "hip", "knee", "ankle")) and pose.seen[i]]
    assert np.median(off[shown]) < 2.0
    for a, b in (("left_hip", "left_knee"), ("right_shoulder", "right_elbow")):
        length = np.linalg.norm(pose[a] - pose[b]) / pose.stature
        wanted = np.linalg.norm(joints[joint_index(a)] - joints[joint_index(b)]) / 1.72
        assert abs(length / wanted - 1) < 0.15


def test_a_person_seen_from_behind_keeps_left_and_right():
    for yaw in (0, 180):
        _, points = standing(yaw, distance=3.4)
        pose = lift_pose(photograph(points, CAMERA))
        to_left = chest_frame(pose.positions.astype(float))[:, 0]
        assert np.sign(to_left[0]) == (1 if yaw == 0 else -1)


def test_mirrored_keypoints_give_the_mirrored_pose():
    _, points = standing(30, distance=3.4)
    p = photograph(points, CAMERA)
    pose, other = lift_pose(p), lift_pose(mirrored(p))
    assert np.abs(other.positions - pose.positions[joint_swap()] * [-1, 1, 1])[other.seen].max() < 2e-3


def test_limbs_lean_as_the_normals_say(every_studio):
    errors = []
    for name in ("body_apose", "body_crossed", "body_walk", "body_sit"):
        p = Predictions.load(every_studio(name))
        noise = np.random.default_rng(0).normal(0, 3, p.keypoints[..., :2].shape).astype(np.float32)
        keypoints = np.concatenate([p.keypoints[..., :2] + noise, p.keypoints[..., 2:]], axis=-1)
        pose = lift_pose(Predictions(image=p.image, keypoints=keypoints, normal=p.normal, seg=p.seg, intrinsics=p.intrinsics))
        truth = every_studio.joints(name)
        for a, b, _ in LEANS[:-2]:
            if pose.is_seen(a) and pose.is_seen(b):
                errors.append(np.degrees(angle_between(pose[b].astype(float) - pose[a], truth[b] - truth[a])))
    assert len(errors) > 20
    assert np.median(errors) < {"samples": 4.5, "studio": 8}[every_studio.folder.name]


def test_keypoints_alone_pose_every_limb(every_studio):
    """Without depth or normals every limb has two solutions: none is left at rest, few are the wrong one, and that is said."""
    errors = []
    for name in ("body_apose", "body_crossed", "body_walk", "body_sit"):
        p = Predictions.load(every_studio(name))
        pose = lift_pose(Predictions(image=p.image, keypoints=p.keypoints))
        assert "guess" in pose.doubt
        truth = every_studio.joints(name)
        for side, (a, b) in itertools.product(SIDES, LIMBS):
            a, b = f"{side}_{a}", f"{side}_{b}"
            if p.keypoints[0, keypoint_index(b), 2] > 0.5:
                assert pose.is_seen(b)
            errors.append(np.degrees(angle_between(pose[b].astype(float) - pose[a], truth[b] - truth[a])))
    assert np.median(errors) < {"samples": 5, "studio": 12}[every_studio.folder.name] and np.mean(np.array(errors) > 40) < 0.1


def test_on_ray_keeps_the_length_and_prefers_the_guess():
    parent, ray = np.array([0.0, 0, 3]), np.array([0.05, 0.02, 1.0])
    for guess in (np.array([0.1, 0, 2.7]), np.array([0.1, 0, 3.3])):
        point = on_ray(parent, 0.3, ray, guess, np.nan)
        assert np.isclose(np.linalg.norm(point - parent), 0.3)
        assert np.sign(point[2] - 3) == np.sign(guess[2] - 3)
        assert angle_between(point, ray) < 1e-6
    behind = on_ray(parent, 0.3, ray, np.array([0.1, 0, 2.9]), 3.1)
    assert behind[2] > 3.1  # what covers it is in front
    far = on_ray(parent, 0.1, np.array([0.5, 0, 1.0]), parent, np.nan)
    assert np.isclose(np.linalg.norm(far - parent), 0.1)


def test_lean_forms_span_the_plane_across_a_bone():
    bones = unit(np.random.default_rng(0).normal(size=(30, 3)))
    first, second = lean_forms(bones)
    frame = np.stack([bones, first, second], axis=-1)
    assert np.allclose(np.swapaxes(frame, 1, 2) @ frame, np.eye(3), atol=1e-9)
