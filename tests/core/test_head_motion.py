"""Head, jaw and eyes: right on a head that is moved on purpose, ordered as the truth on people whose mouth opening is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sapiens2_avatar.core.bone_frames import fit_head, template_head
from sapiens2_avatar.core.data import Predictions
from sapiens2_avatar.core.head_motion import HeadMotion, calm_frame, head_motion
from sapiens2_avatar.core.pose import lift_pose
from sapiens2_avatar.core.rotations import rotation_from_vector
from sapiens2_avatar.core.skeleton import keypoint_index, keypoint_swap


def heads(turns: np.ndarray, scale: float = 1.72) -> np.ndarray:
    return scale * template_head() @ np.swapaxes(turns, 1, 2) + [0.1, -0.2, 2.5]


def some_turns(count: int = 20) -> np.ndarray:
    return rotation_from_vector(np.random.default_rng(0).normal(size=(count, 3)))


def test_the_head_is_found_with_noise_and_a_third_of_outliers():
    turns, rng = some_turns(), np.random.default_rng(1)
    points = heads(turns) + rng.normal(0, 0.003, (20, 308, 3))
    bad = rng.random((20, 308)) < 0.3
    points[bad] += [0, 0, 0.08]
    frame, scale, _, support = fit_head(points, np.ones((20, 308)))
    error = np.degrees(np.arccos(np.clip((np.trace(frame @ np.swapaxes(turns, 1, 2), axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert error.max() < 3 and np.abs(scale / 1.72 - 1).max() < 0.05 and (support > 12).all()


def test_jaw_and_gaze_do_not_depend_on_where_the_head_is():
    turns = some_turns()
    points = heads(turns)
    lower = keypoint_index("center_of_lower_inner_lip")
    points[:, lower] -= 0.01 * turns[:, :, 2]  # 10 mm down in the frame of the head
    neutral = head_motion(heads(turns[:1]), np.ones((1, 308)))
    motion = head_motion(points, np.ones((20, 308)), neutral)
    assert np.ptp(motion.jaw) < 0.05 and 2 < motion.jaw[0] < 8
    assert np.abs(motion.gaze).max() < 0.1
    assert np.allclose(head_motion(points, np.ones((20, 308)), neutral, gain=2.0).jaw, 2 * motion.jaw, atol=0.01)


def test_eyes_turn_to_where_the_iris_goes():
    turns = some_turns()
    points = heads(turns)
    for s in "lr":
        points[:, keypoint_index(f"{s}_center_of_iris")] += 0.004 * turns[:, :, 0] + 0.002 * turns[:, :, 2]
    motion = head_motion(points, np.ones((20, 308)), head_motion(heads(turns[:1]), np.ones((1, 308))))
    assert (motion.gaze[..., 0] > 12).all() and (motion.gaze[..., 1] > 5).all()


def test_a_mirrored_face_looks_to_the_other_side():
    points = heads(some_turns())
    points[:, keypoint_index("l_center_of_iris"), 0] += 0.004
    motion = head_motion(points, np.ones((20, 308)))
    other = head_motion(points[:, keypoint_swap()] * [-1, 1, 1], np.ones((20, 308)))
    assert np.allclose(other.jaw, motion.jaw, atol=1e-3)
    assert np.allclose(other.gaze[:, ::-1] * [-1, 1], motion.gaze, atol=0.05)


def test_no_face_is_no_motion():
    motion = head_motion(np.full((3, 308, 3), np.nan), np.ones((3, 308)))
    assert (motion.support == 0).all() and (motion.jaw == 0).all() and (motion.gaze == 0).all()
    assert (calm_frame(motion).jaw == 0).all()


def test_the_calm_frame_is_the_common_face():
    count = 40
    jaw = np.full(count, 2.0)
    jaw[:8] = 15
    motion = HeadMotion(np.broadcast_to(np.eye(3), (count, 3, 3)), np.full(count, 50.0), jaw, np.ones((count, 2, 2)))
    assert calm_frame(motion).jaw[0] == pytest.approx(2.0)


def test_mouths_open_in_the_order_of_the_truth(studio, shared):
    opened, measured = [], []
    for name in ("body_apose", "body_crossed", "body_sit", "face_a", "face_b"):
        info = json.loads(str(np.load(shared / "studio" / f"{name}.gt.npz")["info"]))
        opened.append(info["subject"]["face"].get("jawOpen", 0.0))
        pose = lift_pose(Predictions.load(studio(name)))
        measured.append(float(head_motion(pose.surface[None].astype(float), np.ones((1, 308))).jaw[0]))
    order = np.argsort(opened)
    assert np.corrcoef(opened, measured)[0, 1] > 0.8
    assert measured[order[-1]] == max(measured)
