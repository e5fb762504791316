"""The networks' points as the 308 keypoints."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.landmarks import SIDES, keypoint_index, keypoint_names, keypoint_swap
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.landmarks.body import INDEX
from sapiens2_avatar.core.landmarks.keypoints import keypoints_of
from sapiens2_avatar.core.landmarks.people import find_people

RIM = ("center", "midpoint_4", "midpoint_5", "midpoint_1", "midpoint_2")
LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324, 96, 89, 179, 86, 15, 316, 403, 319, 325)
LOWER_LIDS = (7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382)


@pytest.fixture(scope="module")
def keypoints(collins) -> np.ndarray:
    return keypoints_of(collins)


def at(keypoints: np.ndarray, name: str) -> np.ndarray:
    return keypoints[keypoint_index(name)]


def test_all_of_them_are_there(keypoints):
    assert keypoints.shape == (308, 3) and keypoints.dtype == np.float32
    assert np.isfinite(keypoints).all() and (keypoints[:, 2] >= 0).all() and (keypoints[:, 2] <= 1).all()


def test_the_face_lies_on_the_face(keypoints):
    # Measured by eye on the photo.
    for name, place in {
        "l_center_of_pupil": (246, 103), "r_center_of_pupil": (202, 100), "nose": (224, 128), "tip_of_chin": (221, 177),
        "upper_midpoint_1_of_r_eyebrow": (200, 88), "upper_midpoint_1_of_l_eyebrow": (249, 91),
        "r_inner_end_of_upper_lash_line": (211, 103), "r_outer_end_of_upper_lash_line": (192, 100),
    }.items():  # fmt: skip
        np.testing.assert_allclose(at(keypoints, name)[:2], place, atol=6, err_msg=name)
        assert at(keypoints, name)[2] > 0.9
    assert at(keypoints, "center_of_lower_outer_lip")[1] == pytest.approx(156, abs=4)


def test_a_smile_that_shows_teeth_is_an_open_mouth(keypoints):
    """She shows the upper row: 7 pixels between the rims of the lips, measured by eye, and no point of one rim on the other."""
    upper, lower = (np.array([at(keypoints, f"{part}_of_{lip}_inner_lip")[:2] for part in RIM]) for lip in ("upper", "lower"))
    assert upper[0] == pytest.approx([222, 142], abs=2) and lower[0] == pytest.approx([222, 150], abs=2)
    assert (lower[:, 1] - upper[:, 1]).min() > 2


def test_lips_and_lids_move_alone(collins, keypoints):
    face = collins.face
    for moved, still in ((LOWER_LIP, "upper_inner_lip"), (LOWER_LIDS, "upper_lash_line")):
        points = face.points.copy()
        points[list(moved), 1] += 9
        changed = keypoints_of(replace(collins, face=replace(face, points=points)))
        rows = [k for k, name in enumerate(keypoint_names()) if name.endswith(still)]
        assert len(rows) >= 7 and np.abs(changed[rows] - keypoints[rows]).max() < 0.01
        assert np.abs(changed - keypoints).max() > 8


def test_a_clock_face_around_each_iris(keypoints):
    for letter in "lr":
        middle = at(keypoints, f"{letter}_center_of_iris")[:2]
        right, top, left, bottom = (at(keypoints, f"{letter}_border_of_iris_{hour}")[:2] - middle for hour in (3, 12, 9, 6))
        assert right[0] > 2 and left[0] < -2 and top[1] < -2 and bottom[1] > 2
        pupil = at(keypoints, f"{letter}_border_of_pupil_3")[:2] - middle
        assert 0 < pupil[0] < right[0]


def test_what_is_derived_is_less_sure_than_what_is_seen(keypoints):
    for side in ("left", "right"):
        assert at(keypoints, f"{side}_acromion")[2] <= 0.5 * at(keypoints, f"{side}_shoulder")[2] + 1e-6
        assert at(keypoints, f"{side}_small_toe")[2] < 0.2  # outside the photo
    assert 0.2 < at(keypoints, "neck")[2] <= 0.5
    assert at(keypoints, "neck")[1] < at(keypoints, "left_shoulder")[1]


def test_the_mirror_image_has_the_mirrored_keypoints(astronaut, keypoints):
    (person,) = find_people(np.ascontiguousarray(astronaut[:, ::-1]))
    mirrored = keypoints_of(person)[keypoint_swap()]
    mirrored[:, 0] = 511 - mirrored[:, 0]
    face = np.arange(308) >= 70
    both = face & (keypoints[:, 2] > 0.5) & (mirrored[:, 2] > 0.5)
    assert both.sum() > 200
    assert np.abs(mirrored[both, :2] - keypoints[both, :2]).max() < 6
    assert np.median(np.linalg.norm(mirrored[both, :2] - keypoints[both, :2], axis=1)) < 2


def test_a_head_without_a_face_gives_doubtful_points_on_the_head(collins, keypoints):
    """Turned away or in profile: the body's network knows eleven points of the head."""
    guessed = keypoints_of(replace(collins, face=None, irises=None))
    face = np.arange(308) >= 70
    assert guessed[face, 2].max() < 0.4
    apart = np.linalg.norm(guessed[face, :2] - keypoints[face, :2], axis=1)
    assert np.median(apart) < 20  # of a head 170 pixels tall


def test_an_unsure_person_has_unsure_keypoints(collins):
    unsure = replace(collins, body=replace(collins.body, score=0.1))
    assert keypoints_of(unsure)[:, 2].max() < 0.1001


def test_hands_go_to_their_own_side(collins):
    """A hand that was seen gives all of its points, in the order of the names."""
    hand = np.column_stack([np.arange(21.0), np.arange(21.0) * 2, np.zeros(21)])
    seen = type("Hand", (), {"points": hand, "score": 0.9})()
    keypoints = keypoints_of(replace(collins, hands=(None, seen)))
    names = [name for name in keypoint_names() if name.startswith("right_") and ("finger" in name or "thumb" in name)]
    assert len(names) == 20
    score = 0.9 * collins.body.score
    assert all(at(keypoints, name)[2] == pytest.approx(score, abs=1e-5) for name in names)
    assert at(keypoints, "right_thumb4").tolist()[:2] == [4, 8]
    assert at(keypoints, "right_forefinger_third_joint").tolist()[:2] == [5, 10]
    assert at(keypoints, "right_pinky_finger4").tolist()[:2] == [20, 40]
    assert at(keypoints, "left_thumb4")[2] < 0.3


def test_the_small_toe_is_on_the_outside(collins):
    """Seen from the front, standing: the left foot's outside is to the right in the photo."""
    points = collins.body.points.copy()
    for side, x in (("left", 300.0), ("right", 200.0)):
        points[INDEX[f"{side}_ankle"]] = [x, 400, 0, 1]
        points[INDEX[f"{side}_heel"]] = [x, 420, 5, 1]
        points[INDEX[f"{side}_foot_index"]] = [x, 430, -60, 1]
    keypoints = keypoints_of(replace(collins, body=replace(collins.body, points=points)))
    assert at(keypoints, "left_small_toe")[0] > 305
    assert at(keypoints, "right_small_toe")[0] < 195


@pytest.mark.parametrize("part", ["shoulder", "ankle", "ear"])
def test_shoulders_ankles_and_ears_are_where_bodies_have_them(part, studio):
    """The network marks the tops of shoulders and ankles, and ears above their middle, by a twentieth of the trunk."""
    both = [keypoint_index(f"{side}_{part}") for side in SIDES]
    trunk = [keypoint_index(f"{side}_{end}") for end in ("shoulder", "hip") for side in SIDES]
    below = []
    for name in ("body_apose", "body_crossed", "body_walk"):
        truth = studio.truth(name)
        camera = Camera.from_matrix(truth["intrinsics"], *truth["size_wh"].tolist())
        true = camera.project(truth["keypoints_xyz"].astype(float))
        (person,) = find_people(Predictions.load(studio(name)).image)
        down = true[trunk[2:]].mean(axis=0) - true[trunk[:2]].mean(axis=0)
        below.append((keypoints_of(person)[both, :2] - true[both]) @ down / (down @ down))
    assert abs(np.median(below)) < 0.025
