"""Poses from keypoints and pointmap: accurate on people with ground truth, the same for every way to hold the camera, honest
about what is hidden, and one clear sentence for keypoints that are no person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index, joint_swap
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.pose.lift import PoseSettings, lift_pose, lift_poses
from support.people import BODY, QUARTER_TURN, cut_below, leaning, mirrored, quarter_turned

SAMPLES = ("body_apose", "body_crossed", "body_walk", "body_sit")


@pytest.fixture(scope="session")
def person(studio):
    return lambda name: Predictions.load(studio(name))


@pytest.fixture(scope="session")
def truth(studio):
    return lambda name: true_joints(studio, name)


def true_joints(studio, name: str) -> np.ndarray:
    """(68, 3) metres, camera space, in the order of JOINT_NAMES."""
    joints = studio.joints(name)
    return np.array([joints[n] for n in JOINT_NAMES])


@pytest.mark.parametrize(("suffix", "limit_mm"), [("", 8.5), (".degraded", 15)])
def test_body_joints_are_accurate(every_studio, suffix, limit_mm):
    errors = []
    for name in SAMPLES:
        pose = lift_pose(Predictions.load(every_studio(name + suffix)))
        error = np.linalg.norm(pose.positions - true_joints(every_studio, name), axis=1)
        errors.append(np.mean([error[i] for i in BODY if pose.seen[i]]))
        assert np.isfinite(pose.positions).all() and ((pose.confidence >= 0) & (pose.confidence <= 1)).all()
    assert 1e3 * np.mean(errors) < limit_mm


@pytest.mark.parametrize("name", ["body_apose", "body_sit", "body_walk.degraded"])
def test_mirrored_photo_gives_the_mirrored_pose(person, name):
    p = person(name)
    pose, other = lift_pose(p), lift_pose(mirrored(p))
    expected = pose.positions[joint_swap()] * [-1, 1, 1]
    assert (other.seen == pose.seen[joint_swap()]).all()
    assert np.abs(other.positions - expected)[other.seen].max() < 1e-3


def test_lying_and_upside_down_people_are_the_same_people(person):
    p = person("body_apose")
    standing = lift_pose(p).positions.astype(float)
    lying = lift_pose(quarter_turned(p))
    assert np.abs(lying.positions - standing @ QUARTER_TURN.T)[lying.seen].max() < 2e-3
    over = lift_pose(quarter_turned(quarter_turned(p)))
    assert np.abs(over.positions - standing * [-1, -1, 1])[over.seen].max() < 2e-3


def test_cut_at_the_waist_leaves_the_upper_body_in_place(person, truth):
    p = person("body_apose")
    waist = int(p.keypoints[0, [9, 10], 1].min()) - 25
    pose = lift_pose(cut_below(p, waist))
    hidden = [n for n in JOINT_NAMES if n.endswith(("hip", "knee", "ankle", "heel", "toe"))]
    assert not any(pose.is_seen(n) for n in (*hidden, "pelvis"))
    shown = [joint_index(n) for n in ("neck", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "head")]
    assert np.linalg.norm(pose.positions - truth("body_apose"), axis=1)[shown].max() < 0.04
    assert np.isfinite(pose.positions).all()
    below = pose["left_ankle"] - pose["neck"]
    assert below @ np.array([0, 1, 0]) > 0.8  # unseen legs hang below


@pytest.mark.parametrize("lean", [-40.0, 25.0])
def test_unseen_legs_of_who_leans_hang_straight_down(person, lean):
    p = person("body_apose")
    waist = int(p.keypoints[0, [9, 10], 1].min()) - 25
    pose = lift_pose(leaning(cut_below(p, waist), lean))
    trunk = pose["neck"] - pose["pelvis"]
    assert np.degrees(np.arctan2(trunk[0], -trunk[1])) == pytest.approx(lean, abs=12)
    for side in ("left", "right"):
        leg = pose[f"{side}_ankle"] - pose[f"{side}_hip"]
        assert abs(np.degrees(np.arctan2(leg[0], leg[1]))) < 10
        assert not pose.is_seen(f"{side}_knee")


def test_a_hidden_arm_is_not_claimed(person):
    p = person("body_apose")
    keypoints = p.keypoints.copy()
    keypoints[0, [7, 62, *range(42, 62), 63, 65], 2] = 0  # left elbow, hand and elbow landmarks
    pose = lift_pose(replace(p, keypoints=keypoints))
    assert not any(pose.is_seen(n) for n in ("left_elbow", "left_wrist", "left_thumb3"))
    assert pose.is_seen("right_elbow") and (pose.confidence[~pose.seen] == 0).all()
    length = np.linalg.norm(pose["left_elbow"] - pose["left_shoulder"])
    assert abs(length - np.linalg.norm(pose["right_elbow"] - pose["right_shoulder"])) < 0.03


def test_an_arm_behind_the_body_is_marked_or_right(person, truth):
    pose, exact = lift_pose(person("body_walk")), truth("body_walk")
    i = joint_index("right_wrist")
    assert not pose.seen[i] or np.linalg.norm(pose.positions[i] - exact[i]) < 0.08


def test_occluded_thumbs_stay_on_their_hands(person):
    pose = lift_pose(person("body_crossed.degraded"))
    for side in ("left", "right"):
        reach = np.linalg.norm(pose[f"{side}_thumb4"] - pose[f"{side}_wrist"])
        assert reach < 0.12 * pose.stature


def test_frames_lifted_together_are_the_same_as_alone(person):
    frames = [person(f"walk/frame_{i:02d}") for i in (0, 3)]
    together = lift_poses(frames, [0, 0])
    for frame, pose in zip(frames, together, strict=True):
        assert np.abs(pose.positions - lift_pose(frame).positions).max() < 1e-4


def test_second_person_of_two(person):
    p = person("body_apose")
    two = replace(p, keypoints=np.concatenate([np.zeros_like(p.keypoints), p.keypoints]))
    assert np.array_equal(lift_pose(two, person=1).positions, lift_pose(p).positions)
    with pytest.raises(SapiensError, match="no person 2"):
        lift_pose(two, person=2)


def test_without_segmentation_the_pose_is_nearly_the_same(person):
    p = person("body_apose")
    difference = np.linalg.norm(lift_pose(replace(p, seg=None)).positions - lift_pose(p).positions, axis=1)
    assert difference[BODY].max() < 0.02


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda k: k * 0, "usable score"),
        (lambda k: k * np.nan, "are NaN"),
        (lambda k: np.stack([k[..., 0] * 0 + 99, k[..., 1] * 0 + 50, k[..., 2]], -1), "at one point"),
        (lambda k: k[:, np.random.default_rng(0).permutation(308)], "order"),
        (lambda k: k[:, ::-1], "order"),
        (lambda k: None, "no keypoints"),
    ],
)
def test_keypoints_that_are_no_person_get_one_clear_sentence(person, change, sentence):
    p = person("body_apose")
    with pytest.raises(SapiensError, match=sentence) as caught:
        lift_pose(replace(p, keypoints=change(p.keypoints)))
    assert caught.value.hint


@pytest.mark.parametrize("count", [17, 133])
def test_other_numbers_of_keypoints_are_refused(person, count):
    p = person("body_apose")
    with pytest.raises(SapiensError, match="keypoints"):
        lift_pose(replace(p, keypoints=p.keypoints[:, :count]))


def test_partly_broken_keypoints_do_not_spread(person, truth):
    p = person("body_apose")
    keypoints = p.keypoints.copy()
    keypoints[0, 62] = np.nan
    keypoints[0, 13] = (1e9, -1e9, 0.9)
    pose = lift_pose(replace(p, keypoints=keypoints))
    assert not pose.is_seen("left_wrist") and not pose.is_seen("left_ankle")
    error = np.linalg.norm(pose.positions - truth("body_apose"), axis=1)
    assert error[[joint_index(n) for n in ("right_wrist", "left_knee", "neck")]].max() < 0.03


def test_a_pointmap_of_garbage_is_survived(person):
    p = person("body_apose")
    for value in (np.nan, -1.0, 1e9):
        pose = lift_pose(replace(p, pointmap=np.full_like(p.pointmap, value)))
        assert np.isfinite(pose.positions).all()


def test_no_refinement_is_a_setting(person):
    pose = lift_pose(person("body_apose"), settings=PoseSettings(iterations=0))
    assert np.isfinite(pose.positions).all()


@pytest.mark.parametrize("factor", [0.8, 0.55])
def test_a_network_that_scores_low_throughout_gives_the_same_pose(person, factor):
    p = person("body_walk")
    keypoints = p.keypoints.copy()
    keypoints[..., 2] *= factor
    usual, low = lift_pose(p), lift_pose(replace(p, keypoints=keypoints))
    both = [i for i in BODY if usual.seen[i] and low.seen[i]]
    assert len(both) > 10
    assert np.linalg.norm(low.positions - usual.positions, axis=1)[both].max() < 0.03
