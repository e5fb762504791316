"""Keypoints of other programs end up where their names belong; whatever is damaged ends in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index, joint_keypoints, keypoint_index
from sapiens2_avatar.core.formats.keypoint_files import as_predictions, frame_files, pose_from_points, read_keypoints, read_sam3d


def save(tmp_path: Path, content, name: str = "k.json") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(content))
    return path


def rows(count: int) -> np.ndarray:
    """Distinct x, y and score for each point."""
    n = np.arange(count, dtype=float)
    return np.column_stack([100 + n, 200 + 2 * n, 0.5 + n / 1000])


def at(people: np.ndarray, name: str) -> np.ndarray:
    return people[0, keypoint_index(name)]


def test_meta_demo(tmp_path: Path) -> None:
    points = rows(308)
    person = {"keypoints": points[:, :2].tolist(), "keypoint_scores": points[:, 2].tolist()}
    (frame,) = read_keypoints(save(tmp_path, {"meta_info": {}, "instance_info": [person, person]}))
    assert frame.shape == (2, 308, 3) and frame.dtype == np.float32
    assert np.allclose(frame[1], points)
    clip = {"instance_info": [{"frame_id": 1, "instances": [person]}, {"frame_id": 2, "instances": []}]}
    frames = read_keypoints(save(tmp_path, clip))
    assert [len(f) for f in frames] == [1, 0]


def test_coco_wholebody(tmp_path: Path) -> None:
    points = rows(133)
    annotation = {"image_id": 5, "keypoints": points[:17].ravel().tolist(), "foot_kpts": points[17:23].ravel().tolist(),
                  "lefthand_kpts": points[91:112].ravel().tolist(),
                  "righthand_kpts": points[112:133].ravel().tolist()}  # fmt: skip
    (one,) = read_keypoints(save(tmp_path, {"annotations": [annotation]}))
    whole = {"keypoints": points[:, :2].tolist(), "keypoint_scores": points[:, 2].tolist()}
    (two,) = read_keypoints(save(tmp_path, {"instance_info": [whole]}))
    for frame in (one, two):
        assert np.allclose(at(frame, "left_shoulder"), points[5])
        assert np.allclose(at(frame, "right_heel"), points[22])
        assert np.allclose(at(frame, "left_thumb_third_joint"), points[92])
        assert np.allclose(at(frame, "left_thumb4"), points[95])
        assert np.allclose(at(frame, "right_pinky_finger4"), points[132])
        assert np.allclose(at(frame, "right_wrist"), points[112])  # the better of the body's and the hand's
        assert at(frame, "neck")[2] == 0


def test_coco_visibility_becomes_a_score(tmp_path: Path) -> None:
    points = rows(17)
    points[:, 2] = [2, 1, 0, *[2] * 14]
    (frame,) = read_keypoints(save(tmp_path, [{"image_id": 1, "keypoints": points.ravel().tolist()}]))
    assert frame[0, :3, 2].tolist() == [1.0, 0.5, 0.0]


@pytest.mark.parametrize(("count", "left_knee"), [(25, 13), (18, 12)])
def test_openpose(tmp_path: Path, count: int, left_knee: int) -> None:
    body, hand = rows(count), rows(21) + np.array([500, 0, 0.1])
    person = {
        "pose_keypoints_2d": body.ravel().tolist(),
        "hand_left_keypoints_2d": hand.ravel().tolist(),
        "hand_right_keypoints_2d": [],
    }
    (frame,) = read_keypoints(save(tmp_path, {"version": 1.3, "people": [person]}))
    assert np.allclose(at(frame, "left_knee"), body[left_knee])
    assert np.allclose(at(frame, "left_forefinger4"), hand[8])
    assert at(frame, "right_forefinger4")[2] == 0


def test_folders_are_read_in_the_order_of_names(tmp_path: Path) -> None:
    for n in (10, 2, 1):
        save(tmp_path, {"people": []}, f"clip_{n}_keypoints.json")
    (tmp_path / ".clip_0_keypoints.json").write_text("")
    (tmp_path / "clip_0.txt").write_text("")
    assert [path.name for path in frame_files(tmp_path)] == [f"clip_{n}_keypoints.json" for n in (1, 2, 10)]
    with pytest.raises(SapiensError, match="no JSON files"):
        frame_files(tmp_path / "none")


def test_keypoints_become_predictions() -> None:
    made = as_predictions(np.zeros((1, 308, 3)), 640, 480, "x.json")
    assert (made.width, made.height) == (640, 480) and made.metadata == {"source": "x.json"}
    with pytest.raises(SapiensError, match="0 x 480"):
        as_predictions(np.zeros((1, 308, 3)), 0, 480)


@pytest.mark.parametrize("content", [
    {}, [], 3, {"instance_info": 4}, {"instance_info": [{"keypoints": [[1, 2]] * 12}]}, {"instance_info": [{}]}, {"people": "x"},
    {"instance_info": [{"keypoints": [[1, 2]] * 17, "keypoint_scores": [1]}]}, {"people": [{"pose_keypoints_2d": [1, 2]}]},
    {"people": [{"pose_keypoints_2d": [1] * 30}]}, {"annotations": [{"keypoints": ["a"] * 51}]}, {"annotations": [7]},
    {"annotations": [{"keypoints": [1.0] * 30}]}, {"instance_info": [{"instances": None}]},
    {"instance_info": [{"keypoints": {"a": 1}}]},
])  # fmt: skip
def test_damaged_keypoints_end_in_one_sentence(tmp_path: Path, content) -> None:
    with pytest.raises(SapiensError, match=r"k\.json"):
        read_keypoints(save(tmp_path, content))


def test_files_that_are_no_json(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text("[" * 200_000)
    for name in ("deep.json", "none.json"):
        with pytest.raises(SapiensError, match=name.replace(".", r"\.")):
            read_keypoints(tmp_path / name)


def test_sam3d_points_become_the_joints_they_are(tmp_path: Path, studio) -> None:
    truth = studio.truth("body_apose")
    points = truth["keypoints_xyz"][:70].astype(float)
    points[np.isnan(points)] = 0.0
    shift = np.array([0.1, 0.2, 3.0])
    result = {"pred_keypoints_3d": (points - shift).tolist(), "pred_cam_t": shift.tolist()}
    (pose,) = read_sam3d(save(tmp_path, result))
    np.savez(tmp_path / "s.npz", pred_keypoints_3d=(points - shift)[None], pred_cam_t=shift[None])
    (other,) = read_sam3d(tmp_path / "s.npz")
    assert np.allclose(pose.positions, other.positions, atol=1e-6)
    names = list(truth["joint_names"])
    index = joint_keypoints()
    for name in JOINT_NAMES:
        j = joint_index(name)
        if 0 <= index[j] < 70 and not name.endswith("_eye"):
            assert np.allclose(pose.positions[j], truth["joints"][names.index(name)], atol=2e-3), name
    for name in ("pelvis", "spine", "chest", "head", "left_eye"):
        assert np.linalg.norm(pose[name] - truth["joints"][names.index(name)]) < 0.08, name


def test_sam3d_files_that_are_damaged(tmp_path: Path) -> None:
    for content in (
        {},
        [],
        {"pred_keypoints_3d": [[1, 2, 3]] * 12},
        {"pred_keypoints_3d": "x"},
        {"pred_keypoints_3d": [[0, 0, 0]] * 70},
    ):
        with pytest.raises(SapiensError, match=r"s\.json"):
            read_sam3d(save(tmp_path, content, "s.json"))
    (tmp_path / "p.npz").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(SapiensError, match=r"p\.npz"):
        read_sam3d(tmp_path / "p.npz")
    np.savez(tmp_path / "o.npz", pred_keypoints_3d=np.array([{"a": 1}], object))
    with pytest.raises(SapiensError, match=r"o\.npz"):
        read_sam3d(tmp_path / "o.npz")


def test_points_of_nobody_are_refused() -> None:
    with pytest.raises(SapiensError, match="hips, shoulders and neck"):
        pose_from_points(np.full((70, 3), np.nan))
