"""JSON of keypoints as programs write it: people without points, old keys, byte order marks, shares of the photo, numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import keypoint_index
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.formats.keypoint_files import read_keypoints
from sapiens2_avatar.core.formats.other_programs import foreign_pose, read_foreign
from sapiens2_avatar.core.motion.take import make_take

ORDER = ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
         "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
         "right_ankle")  # fmt: skip
BODY18 = ("nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
          "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye", "right_ear",
          "left_ear")  # fmt: skip
WIDTH, HEIGHT = 810, 1440


@pytest.fixture(scope="module")
def person(studio) -> dict[str, np.ndarray]:
    """Name -> x, y, score of a person who walks; the neck as OpenPose has it."""
    points = Predictions.load(studio("body_walk")).keypoints
    assert points is not None
    out = {name: points[0, keypoint_index(name)].astype(float) for name in ORDER}
    return out | {"neck": (out["left_shoulder"] + out["right_shoulder"]) / 2}


def save(tmp_path: Path, content: object, name: str = "k.json", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(content), encoding)
    return path


def coco(person: dict[str, np.ndarray], shift: float = 0.0) -> list[float]:
    return np.array([person[n] + [shift, 0, 0] for n in ORDER]).ravel().tolist()


def openpose(person: dict[str, np.ndarray], names: tuple[str, ...] = BODY18, key: str = "pose_keypoints_2d") -> dict:
    return {"person_id": [-1], key: np.array([person[n] for n in names]).ravel().tolist(), "hand_left_keypoints_2d": []}


EMPTY = {"person_id": [-1], "pose_keypoints_2d": [], "hand_left_keypoints_2d": [], "face_keypoints_2d": []}


def test_the_neck_of_openpose_is_no_joint(tmp_path: Path, person) -> None:
    """It is the middle of the shoulders: taken for the base of the neck it makes the person smaller by a quarter."""
    size = (WIDTH, HEIGHT)
    mine, _ = foreign_pose(save(tmp_path, [{"image_id": 1, "keypoints": coco(person)}], "coco.json"), size=size)
    theirs, _ = foreign_pose(save(tmp_path, {"people": [openpose(person)]}, "openpose.json"), size=size)
    assert theirs.stature == pytest.approx(mine.stature, abs=0.02)
    (frame,) = read_keypoints(save(tmp_path, {"people": [openpose(person)]}))
    assert frame[0, keypoint_index("neck"), 2] == 0


@pytest.mark.parametrize("content", [
    lambda p: {"people": [EMPTY, openpose(p)]}, lambda p: {"people": [None, openpose(p)]},
    lambda p: {"people": [{**EMPTY, "pose_keypoints_2d": [0.0] * 54}, openpose(p)]},
    lambda p: {"people": [{**EMPTY, "pose_keypoints_2d": None}, openpose(p)]},
    lambda p: {"version": 1.0, "people": [openpose(p, key="pose_keypoints")]},
    lambda p: [{"people": [openpose(p)], "canvas_width": WIDTH, "canvas_height": HEIGHT}],
    lambda p: {"0.jpg": {"version": 0.1, "bodies": [{"joints": openpose(p)["pose_keypoints_2d"]}]}},
    lambda p: {"0.jpg": {"people": [openpose(p)]}}, lambda p: [{"frame_id": 0, "instances": [mmpose(p)]}],
    lambda p: {"frames": [{"people": [openpose(p)]}]}, lambda p: {"predictions": [[mmpose(p)]]}, lambda p: [[mmpose(p)]],
    lambda p: [{"name": "person", "keypoints": dict(zip(("x", "y", "visible"), columns(p), strict=True))}],
])  # fmt: skip
def test_variants_that_programs_write(tmp_path: Path, person, content) -> None:
    (frame,) = read_keypoints(save(tmp_path, content(person)))
    assert len(frame) == 1
    for name in ORDER:
        assert np.allclose(frame[0, keypoint_index(name)], person[name], atol=1e-3), name


def columns(person: dict[str, np.ndarray]) -> list[list[float]]:
    return np.array([person[n] for n in ORDER]).T.tolist()


def mmpose(person: dict[str, np.ndarray]) -> dict:
    points = np.array([person[n] for n in ORDER])
    return {"keypoints": points[:, :2].tolist(), "keypoint_scores": points[:, 2].tolist()}


PAIRS = {
    "OpenPose 18": lambda p: {"people": [{"pose_keypoints_2d": pairs(p, BODY18)}]},
    "COCO as OpenPose": lambda p: {"people": [{"pose_keypoints_2d": pairs(p, ORDER)}]},
    "points": lambda p: {"people": [{"pose_keypoints_2d": np.reshape(pairs(p, BODY18), (-1, 2)).tolist()}]},
    "points with scores": lambda p: {"people": [{"pose_keypoints_2d": np.reshape(coco(p), (-1, 3)).tolist()}]},
    "COCO": lambda p: [{"image_id": 1, "keypoints": pairs(p, ORDER)}],
}


def pairs(person: dict[str, np.ndarray], names: tuple[str, ...]) -> list[float]:
    return np.array([person[n][:2] if n != "left_ear" else [0.0, 0.0] for n in names]).ravel().tolist()


@pytest.mark.parametrize("kind", PAIRS)
def test_points_without_scores_are_told_from_triples(tmp_path: Path, person, kind: str) -> None:
    """36 numbers are 18 pairs, and not 12 triples; what lies in the corner was not seen."""
    (frame,) = read_keypoints(save(tmp_path, PAIRS[kind](person)))
    for name in ORDER:
        if name != "left_ear":
            assert np.allclose(frame[0, keypoint_index(name), :2], person[name][:2], atol=1e-3), name
    score = person["left_ear"][2] if kind == "points with scores" else 0.0
    assert frame[0, keypoint_index("left_ear"), 2] == pytest.approx(score)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_byte_order_are_read_over(tmp_path: Path, person, encoding: str) -> None:
    (frame,) = read_keypoints(save(tmp_path, {"people": [openpose(person)]}, encoding=encoding))
    assert len(frame) == 1


def shares(person: dict[str, np.ndarray], low: float = 0.0) -> dict[str, np.ndarray]:
    scale = np.array([WIDTH / (1 - low), HEIGHT / (1 - low), 1.0])
    return {name: point / scale + [low, low, 0] for name, point in person.items()}


@pytest.mark.parametrize("low", [0.0, -1.0])
def test_shares_of_the_photo_become_pixels(tmp_path: Path, person, low: float) -> None:
    canvas = {"people": [openpose(shares(person, low))], "canvas_width": WIDTH, "canvas_height": HEIGHT}
    (frame,) = read_keypoints(save(tmp_path, [canvas]))
    assert np.allclose(frame[0, keypoint_index("left_knee")], person["left_knee"], atol=0.01)
    unknown = save(tmp_path, {"people": [openpose(shares(person, low))]}, "unknown.json")
    with pytest.raises(SapiensError, match=r"unknown\.json gives points as shares of the photo.*--size"):
        read_foreign(unknown)
    (found,), notes = read_foreign(unknown, (WIDTH, HEIGHT))
    assert np.allclose(found.keypoints[0, keypoint_index("left_knee")], person["left_knee"], atol=0.01) and not notes


def test_mediapipe_landmarks(tmp_path: Path, person) -> None:
    share = shares(person)
    names = {0: "nose", 11: "left_shoulder", 12: "right_shoulder", 23: "left_hip", 26: "right_knee", 27: "left_ankle"}
    points = [dict(zip("xyv", share[names.get(n, "nose")], strict=True)) for n in range(33)]
    marks = [{"x": p["x"], "y": p["y"], "z": 0.0, "visibility": p["v"]} for p in points]
    for content in ([{"frame": 0, "pose_landmarks": marks}], {"landmarks": marks}, {"poseLandmarks": [marks]}, marks):
        (found,), _ = read_foreign(save(tmp_path, content), (WIDTH, HEIGHT))
        for name in names.values():
            assert np.allclose(found.keypoints[0, keypoint_index(name), :2], person[name][:2], atol=0.01), name


def test_halpe_points(tmp_path: Path) -> None:
    points = np.column_stack([np.arange(136) + 100.0, np.arange(136) + 300.0, np.full(136, 0.9)])
    for count in (26, 136):
        (frame,) = read_keypoints(save(tmp_path, [{"image_id": "0.jpg", "keypoints": points[:count].ravel().tolist()}]))
        assert np.allclose(frame[0, keypoint_index("left_small_toe")], points[22], atol=1e-4)
        assert frame[0, keypoint_index("neck"), 2] == 0
    assert np.allclose(frame[0, keypoint_index("right_pinky_finger4")], points[135], atol=1e-4)


@pytest.mark.parametrize("name", [lambda n: f"{n}.jpg", lambda n: n, lambda n: f"shot_{n:04d}.png", str])
def test_frames_of_a_file_are_in_the_order_of_their_numbers_with_their_gaps(tmp_path: Path, person, name) -> None:
    present = [*range(6), *range(16, 24)]
    entries = [{"image_id": name(n), "keypoints": coco(person, 10.0 * n)} for n in present]
    frames = read_keypoints(save(tmp_path, entries[::-1]))
    assert [len(f) for f in frames] == [int(n in present) for n in range(24)]
    for n in present:
        assert frames[n][0, keypoint_index("nose"), 0] == pytest.approx(person["nose"][0] + 10.0 * n, abs=1e-3)
    found, notes = read_foreign(save(tmp_path, entries), (WIDTH * 2, HEIGHT))
    assert any("10 frames are missing in k.json (6 to 15)" in note for note in notes)
    assert [len(f.keypoints) for f in found] == [int(n in present) for n in range(24)]


def test_frames_that_are_missing_are_bridged_by_the_take(tmp_path: Path, person) -> None:
    entries = [{"image_id": n, "keypoints": coco(person)} for n in (0, 1, 3)]
    found, _ = read_foreign(save(tmp_path, entries), (WIDTH, HEIGHT))
    assert make_take(found, 25.0).found.tolist() == [True, True, False, True]


def test_pictures_without_annotations_are_frames(tmp_path: Path, person) -> None:
    images = [{"id": 70 - n, "file_name": f"f_{n}.png", "width": WIDTH, "height": HEIGHT} for n in range(4)]
    annotations = [{"image_id": 70 - n, "keypoints": coco(person, 5.0 * n)} for n in (3, 1)]
    frames = read_keypoints(save(tmp_path, {"images": images, "annotations": annotations}))
    assert [len(f) for f in frames] == [0, 1, 0, 1]
    assert frames[3][0, 0, 0] == pytest.approx(person["nose"][0] + 15, abs=1e-3)


def test_a_video_of_mmpose_with_frames_left_out(tmp_path: Path, person) -> None:
    for content in ([{"frame_id": n, "instances": [mmpose(person)]} for n in (4, 1, 2)],):
        for wrapped in (content, {"instance_info": content}):
            assert [len(f) for f in read_keypoints(save(tmp_path, wrapped))] == [1, 1, 0, 1]


def test_people_of_one_frame_in_several_entries_are_together(tmp_path: Path, person) -> None:
    entries = [{"frame_id": n, "instances": [mmpose(person)]} for n in (0, 0, 1)]
    assert [len(f) for f in read_keypoints(save(tmp_path, entries))] == [2, 1]


def test_a_folder_with_a_file_for_each_frame_keeps_its_gaps(tmp_path: Path, person) -> None:
    for n in (0, 1, 2, 5, 6):
        save(tmp_path, {"people": [openpose(person)]}, f"walk_{n:012d}_keypoints.json")
    frames, notes = read_foreign(tmp_path, (WIDTH, HEIGHT))
    assert [len(f.keypoints) for f in frames] == [1, 1, 1, 0, 0, 1, 1]
    assert any("2 frames are missing" in note and "3 to 4" in note for note in notes)


def test_who_is_not_there_is_said_in_good_english(tmp_path: Path, person) -> None:
    with pytest.raises(SapiensError, match=r"k\.json shows 1 person, person 1 is not one of them"):
        foreign_pose(save(tmp_path, {"people": [openpose(person)]}), 1, (WIDTH, HEIGHT))


@pytest.mark.parametrize("content", [
    [{"people": 4}], [{"people": []}, 7], {"a.jpg": {"people": "x"}}, {"landmarks": 3}, [{"pose_landmarks": [3]}],
    {"landmarks": [{"x": "a", "y": 1}] * 33}, {"landmarks": [{"x": 0.5, "y": 0.5}] * 12}, {"people": [3]},
    {"frames": [{"instances": 3}]}, [[3]], [{"keypoints": {"x": [1.0] * 17, "y": [1.0]}}], {"instance_info": [{"keypoints": 5}]},
    {"people": [{"pose_keypoints_2d": [1.0] * 60}]},
])  # fmt: skip
def test_damaged_variants_end_in_one_sentence(tmp_path: Path, content) -> None:
    with pytest.raises(SapiensError, match=r"k\.json"):
        read_keypoints(save(tmp_path, content))


def test_people_whose_points_have_an_unknown_name_are_not_nobody(tmp_path: Path) -> None:
    with pytest.raises(SapiensError, match=r"no points under a name that is known.*pose_keypoints_2d"):
        read_keypoints(save(tmp_path, {"people": [{"id": 1, "skeleton": {"nose": [1, 2]}}]}))
