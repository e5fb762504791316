"""Sampling the pointmap: the right part at the right depth, nothing from behind, nothing from elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.landmarks import (
    joint_index,
    joint_swap,
    keypoint_index,
    keypoint_names,
    keypoint_swap,
    part_labels,
    part_swap,
)
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.pose.anatomy import SKIN_JOINTS, joint_frames, skin_distances, template_joints
from sapiens2_avatar.core.pose.anthropometry import DEFAULT_STATURE, estimate_stature, segments, small_radii
from sapiens2_avatar.core.pose.surface_samples import allowed_parts, check_keypoints, sample_surface

CAMERA = Camera(200, 300, 250.0, 250.0, 99.5, 149.5)


def scene(depth: np.ndarray, seg: np.ndarray, name: str, x: float, y: float, score: float = 0.9):
    """Samples of a photo with one keypoint (and two far ones that set the person's height)."""
    keypoints = np.zeros((308, 3))
    keypoints[keypoint_index(name)] = (x, y, score)
    keypoints[keypoint_index("tip_of_chin")] = (100, 5, 0.9)
    keypoints[keypoint_index("tip_of_nose")] = (100, 295, 0.9)
    pointmap = CAMERA.rays() * depth[..., None].astype(np.float32)
    p = Predictions(image=np.zeros((300, 200, 3), np.uint8), pointmap=pointmap, seg=seg)
    return sample_surface(p, keypoints, CAMERA)


def blank(depth: float = 2.0, part: str = "Right_Lower_Leg") -> tuple[np.ndarray, np.ndarray]:
    return np.full((300, 200), depth), np.full((300, 200), part_labels(part)[0], np.uint8)


def test_depth_is_read_on_the_keypoints_own_ray():
    depth, seg = blank()
    samples = scene(depth, seg, "right_knee", 60.3, 140.8)
    k = keypoint_index("right_knee")
    assert samples.depth[k] == pytest.approx(2.0)
    assert np.allclose(CAMERA.project(samples.points[k]), [60.3, 140.8], atol=1e-4)
    assert samples.visible[k] == 1


def test_pixels_of_another_part_do_not_count():
    depth, seg = blank(part="Right_Hand")
    seg[:, 61:] = part_labels("Right_Lower_Leg")[0]
    depth[:, 61:] = 2.4
    samples = scene(depth, seg, "right_knee", 61, 140)
    k = keypoint_index("right_knee")
    assert samples.depth[k] == pytest.approx(2.4)
    assert samples.front[k] == pytest.approx(2.0)  # the hand covers it
    assert 0.3 < samples.visible[k] < 0.9


def test_the_other_sides_limb_is_another_part():
    depth, seg = blank(part="Left_Lower_Leg")
    assert np.isnan(scene(depth, seg, "right_knee", 60, 140).depth[keypoint_index("right_knee")])


def test_silhouettes_give_no_depth():
    depth, seg = blank()
    depth[:] = 2 + 0.5 * (np.arange(200) % 4)
    assert np.isnan(scene(depth, seg, "right_knee", 60, 140).depth[keypoint_index("right_knee")])


def test_a_finger_is_not_what_lies_behind_it():
    depth, seg = blank(part="Right_Hand")
    depth[:, 63:] = 2.2  # the map shows the thigh where the label still says hand
    samples = scene(depth, seg, "right_forefinger3", 63, 140)
    assert samples.depth[keypoint_index("right_forefinger3")] == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 0.0])
def test_missing_depth_is_nan_not_a_number(bad):
    depth, seg = blank()
    depth[:] = bad
    samples = scene(depth, seg, "right_knee", 60, 140)
    assert np.isnan(samples.depth).all() and np.isnan(samples.front).all()


def test_keypoints_outside_the_photo_have_no_score():
    depth, seg = blank()
    for x, y in ((-1, 50), (200, 50), (50, 300)):
        assert scene(depth, seg, "right_knee", x, y).score[keypoint_index("right_knee")] == 0


def test_allowed_parts_are_the_same_on_both_sides():
    table = allowed_parts()
    assert (table[keypoint_swap()][:, part_swap()] == table).all()
    assert table.any(axis=1).all() and not table[:, 0].any()
    for name in ("left_knee", "right_thumb3"):
        assert table[keypoint_names().index(name)].sum() < 8


def test_low_scores_are_dropped_and_high_ones_clipped():
    keypoints = np.zeros((308, 3), np.float32)
    keypoints[:, 0], keypoints[:, 1] = np.arange(308), 10
    keypoints[:100, 2], keypoints[100:, 2] = 0.1, 1.4
    checked = check_keypoints(keypoints, 0.2)
    assert (checked[:100, 2] == 0).all() and (checked[100:, 2] == 1).all()


def test_stature_comes_back_from_the_lengths():
    for stature in (1.5, 1.72, 2.0):
        assert estimate_stature(template_joints() * stature, np.ones(68)) == pytest.approx(stature, rel=1e-6)
    only_arm = np.zeros(68)
    only_arm[[joint_index(n) for n in ("left_shoulder", "left_elbow", "left_wrist")]] = 1
    assert estimate_stature(template_joints() * 1.6, only_arm) == pytest.approx(1.6, rel=1e-6)
    assert estimate_stature(template_joints(), np.zeros(68)) == DEFAULT_STATURE
    assert estimate_stature(np.full((68, 3), np.nan), np.ones(68)) == DEFAULT_STATURE


def test_segments_mirror_into_segments_of_their_group():
    known = segments()
    rows = zip(known.pairs.tolist(), known.groups.tolist(), known.shares.tolist(), strict=True)
    found = {frozenset(p): (g, s) for p, g, s in rows}
    for p, (g, s) in found.items():
        other = found[frozenset(int(joint_swap()[i]) for i in p)]
        assert other[0] == g and other[1] == pytest.approx(s, abs=1e-6)


def skin_distance(name: str, frame: np.ndarray, view: np.ndarray) -> np.ndarray:
    """(...,) share of stature: that of one joint with a (3, 3) frame, seen in directions (..., 3)."""
    return skin_distances(frame, np.repeat(view[..., None, :], len(SKIN_JOINTS), axis=-2))[..., SKIN_JOINTS.index(name)]


def test_skin_is_where_a_body_has_it():
    joints = template_joints()
    frames = joint_frames(joints)
    at = lambda name, view: float(skin_distance(name, frames[joint_index(name)], np.array(view, float)))  # noqa: E731
    front, back, outer = (0, -1, 0), (0, 1, 0), (1, 0, 0)
    assert 0.055 < at("left_hip", front) < 0.07 and 0.03 < at("left_hip", outer) < 0.04
    assert at("left_hip", (-1, 0, 0)) > 0.1  # through the pelvis
    assert 0.03 < at("neck", front) < 0.05 and 0.028 < at("left_knee", front) < 0.04
    assert at("left_shoulder", back) == pytest.approx(at("right_shoulder", back))
    assert at("right_hip", (-1, 0, 0)) == pytest.approx(at("left_hip", outer))
    assert (small_radii() >= 0).all() and small_radii().max() < 0.02


def test_skin_distance_changes_smoothly():
    frame = np.eye(3)
    angle = np.radians(np.arange(0, 360, 1.0))
    view = np.stack([np.sin(angle), -np.cos(angle), 0.2 * np.ones_like(angle)], axis=-1)
    for name in ("left_hip", "left_shoulder", "left_elbow", "left_ankle"):
        steps = np.abs(np.diff(skin_distance(name, frame, view)))
        assert steps.max() < 0.006
