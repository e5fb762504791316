"""A whole person, standing: the sample photo."""

import numpy as np
import pytest

from sapiens2_avatar.core.capture.photo import read_photo
from sapiens2_avatar.core.common.landmarks import DATA, keypoint_index
from sapiens2_avatar.core.landmarks.body import INDEX, MIRRORED
from sapiens2_avatar.core.landmarks.keypoints import keypoints_of
from sapiens2_avatar.core.landmarks.people import find_people


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return read_photo(DATA / "sample_photo.jpg").image


@pytest.fixture(scope="module")
def person(photo):
    (found,) = find_people(photo)
    return found


def test_every_joint_is_seen(person):
    assert person.body.points[:, 3].min() > 0.6
    assert person.body.score > 0.99


def test_joints_lie_on_the_person(person, photo):
    mask = person.mask.in_photo(*photo.shape[:2])
    names = [f"{side}_{joint}" for side in ("left", "right") for joint in ("shoulder", "elbow", "hip", "knee", "ankle", "wrist")]
    column, row = np.round(person.body.points[[INDEX[name] for name in names], :2]).astype(int).T
    assert mask[row, column].min() > 0.8


def test_both_hands_are_seen_at_the_ends_of_their_arms(person):
    for side, hand in zip(("left", "right"), person.hands, strict=True):
        assert hand is not None and hand.score > 0.9
        assert (hand.left > 0.5) == (side == "left")
        elbow, wrist = (person.body.points[INDEX[f"{side}_{joint}"], :2] for joint in ("elbow", "wrist"))
        assert np.linalg.norm(hand.points[0, :2] - wrist) < 0.05 * person.body.size
        tips = hand.points[[4, 8, 12, 16, 20], :2]
        assert (np.linalg.norm(tips - elbow, axis=1) > np.linalg.norm(hand.points[0, :2] - elbow)).all()
        assert 0.07 < np.linalg.norm(hand.world[12] - hand.world[0]) < 0.22  # metres from wrist to tip, fingers half curled


def test_metric_points_stand_upright(person):
    world = person.body.world
    ankles = world[[INDEX["left_ankle"], INDEX["right_ankle"]], 1].mean()
    assert 1.3 < ankles - world[INDEX["nose"], 1] < 1.7
    np.testing.assert_allclose(world[[INDEX["left_hip"], INDEX["right_hip"]]].mean(0), 0, atol=0.03)


def test_a_mirror_image_shows_the_mirrored_person(person, photo):
    (mirrored,) = find_people(np.ascontiguousarray(photo[:, ::-1]))
    points, world = mirrored.body.points[MIRRORED], mirrored.body.world[MIRRORED]
    points[:, 0] = photo.shape[1] - 1 - points[:, 0]
    assert np.linalg.norm(points[:, :2] - person.body.points[:, :2], axis=1).max() < 0.03 * person.body.size
    np.testing.assert_allclose(world * (-1, 1, 1), person.body.world, atol=0.03)


def test_fingers_and_feet_of_the_keypoints(person):
    keypoints = keypoints_of(person)
    at = lambda name: keypoints[keypoint_index(name)]  # noqa: E731
    for side in ("left", "right"):
        assert at(f"{side}_forefinger4")[2] > 0.9
        assert at(f"{side}_big_toe")[1] > at(f"{side}_ankle")[1]
        assert at(f"{side}_heel")[1] > at(f"{side}_ankle")[1]
        np.testing.assert_allclose(at(f"{side}_olecranon")[:2], at(f"{side}_elbow")[:2], atol=0.06 * person.body.size)


def test_a_small_figure_in_a_large_picture(photo, person):
    import cv2

    picture = np.full((900, 1200, 3), 150, np.uint8)
    height, width = 220, round(220 * photo.shape[1] / photo.shape[0])
    picture[300 : 300 + height, 800 : 800 + width] = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA)
    (small,) = find_people(picture)
    wanted = (person.body.points[:, :2] + 0.5) * height / photo.shape[0] - 0.5 + [800, 300]
    assert np.linalg.norm(small.body.points[:, :2] - wanted, axis=1).max() < 0.08 * height


@pytest.mark.parametrize(("view", "has_face"), [("side", None), ("back", False), ("close", True)])
def test_the_other_photos_of_the_demo_show_one_person(view, has_face):
    (found,) = find_people(read_photo(DATA / f"sample_{view}.jpg").image)
    assert has_face is None or (found.face is not None) == has_face
