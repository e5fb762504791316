"""Real output of the built-in networks, on a real photo and on pictures of nobody."""

from dataclasses import replace

import numpy as np
import pytest
from skimage import data

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.landmarks.body import INDEX
from sapiens2_avatar.core.landmarks.mask import Mask
from sapiens2_avatar.core.landmarks.people import _distinct, find_people

LEFT_PUPIL, RIGHT_PUPIL = np.array([246.0, 103.0]), np.array([202.5, 100.5])  # measured by eye on the photo


def by_name(person, name: str) -> np.ndarray:
    return person.body.points[INDEX[name]]


def test_the_face_is_where_it_is(collins):
    np.testing.assert_allclose(collins.irises[0, 0], LEFT_PUPIL, atol=3)
    np.testing.assert_allclose(collins.irises[1, 0], RIGHT_PUPIL, atol=3)
    radii = np.linalg.norm(collins.irises[:, 1:] - collins.irises[:, :1], axis=-1)
    assert ((radii > 2.5) & (radii < 6)).all()
    assert collins.face.score > 0.95
    low, high = collins.face.points[:, :2].min(0), collins.face.points[:, :2].max(0)
    assert (low > [165, 45]).all() and (high < [285, 185]).all()


def test_left_is_her_own_left(collins):
    for name in ("eye", "ear", "shoulder"):
        assert by_name(collins, f"left_{name}")[0] > by_name(collins, f"right_{name}")[0] + 25


def test_what_the_photo_does_not_show_scores_low(collins):
    seen = min(by_name(collins, name)[3] for name in ("nose", "left_shoulder", "right_shoulder"))
    cut = max(by_name(collins, name)[3] for name in ("left_ankle", "right_ankle", "left_foot_index", "right_knee"))
    assert seen > 0.9 and cut < 0.3


def test_the_mask_holds_her_and_neither_the_flag_nor_the_shuttle(astronaut, collins):
    mask = collins.mask.in_photo(*astronaut.shape[:2])
    assert mask[60:180, 195:255].mean() > 0.95  # face
    assert mask[300:430, 60:240].mean() > 0.95  # suit
    assert mask[0:150, 0:60].mean() < 0.02  # flag
    assert mask[0:170, 400:512].mean() < 0.02  # shuttle
    assert mask[0:100, 310:390].mean() < 0.02  # wall
    x1, y1, x2, y2 = collins.box
    assert 0 <= x1 < 40 and 5 < y1 < 35 and 330 < x2 <= 511 and y2 > 490


def test_metric_points_have_the_size_of_a_person(collins):
    shoulders = np.linalg.norm(collins.body.world[INDEX["left_shoulder"]] - collins.body.world[INDEX["right_shoulder"]])
    assert 0.25 < shoulders < 0.45
    assert collins.body.world[INDEX["left_shoulder"], 1] < -0.3  # above the hips


def test_the_same_photo_gives_the_same_bytes(astronaut, collins):
    (again,) = find_people(astronaut.copy())
    assert again.body.points.tobytes() == collins.body.points.tobytes()
    assert again.face.points.tobytes() == collins.face.points.tobytes()
    assert again.mask.opacity.tobytes() == collins.mask.opacity.tobytes()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_shows_the_same_person(astronaut, collins, turns):
    people = find_people(np.ascontiguousarray(np.rot90(astronaut, turns)))
    assert len(people) == 1
    back = people[0].irises[:, 0]
    for _ in range(turns):  # of a square photo of 512 pixels: a turn back, clockwise
        back = np.stack([511 - back[:, 1], back[:, 0]], axis=1)
    np.testing.assert_allclose(back, collins.irises[:, 0], atol=4)


def test_two_people_side_by_side(astronaut, collins):
    people = find_people(np.concatenate([astronaut[:, :400], astronaut[:, 400::-1]], axis=1))
    assert len(people) == 2
    first, second = (person.face.points[1, 0] for person in people)
    assert first == pytest.approx(collins.face.points[1, 0], abs=4)
    assert second == pytest.approx(800 - collins.face.points[1, 0], abs=5)


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket", "horse"])
def test_nobody_where_nobody_is(name):
    """A cup, a cat, a rocket, and a silhouette of a horse, which is black and white."""
    picture = getattr(data, name)()
    picture = picture * np.uint8(255) if picture.dtype == bool else picture
    assert find_people(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)) == []


def test_nobody_in_noise_and_in_a_plain_picture():
    assert find_people(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)) == []
    assert find_people(np.full((200, 300, 3), 90, np.uint8)) == []
    assert find_people(np.zeros((1, 1, 3), np.uint8)) == []
    assert find_people(np.zeros((1, 700, 3), np.uint8)) == []


def test_a_raised_hand_is_nobody_and_a_child_is_somebody(collins):
    """Who is in her mask without a face of their own is a part of her, or she is found twice."""
    top, left = (int(value) for value in collins.box[[1, 0]] + 100)
    patch = Mask(np.ones((40, 30), np.float32), left + 60, top + 60)
    assert patch.share_in(collins.mask) > 0.9
    hand = replace(collins, mask=patch, face=None, body=replace(collins.body, next=collins.body.next.scaled(0.1)))
    child, aside = replace(hand, face=collins.face), replace(hand, mask=replace(patch, left=left + 2000))
    again = replace(hand, body=replace(collins.body, next=collins.body.next.scaled(1.1)))
    assert _distinct([hand, collins, child, again, aside]) == [collins, child, aside]
    # From behind nobody has a face: the larger one is who the other is a part of.
    turned = replace(collins, face=None)
    assert _distinct([hand, turned]) == [turned]


def test_a_box_always_gives_a_person(astronaut, collins):
    inside, nowhere = find_people(astronaut, np.array([[5.0, 10, 360, 511], [400, 20, 500, 180]]))
    np.testing.assert_allclose(inside.irises[:, 0], collins.irises[:, 0], atol=3)
    assert inside.box.tolist() == [5, 10, 360, 511]
    assert nowhere.box.tolist() == [400, 20, 500, 180]
    shown = nowhere.mask.in_photo(*astronaut.shape[:2])
    assert shown[:, :380].max() == 0  # it does not reach for her
    assert np.isfinite(nowhere.body.points).all()


def test_a_box_on_a_picture_of_one_colour_gives_an_unsure_person():
    (person,) = find_people(np.full((200, 300, 3), 90, np.uint8), np.array([[50.0, 20, 150, 190]]))
    assert person.body.score < 0.5
    assert person.face is None


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        None,
    ],
    ids=["empty", "grey", "alpha", "float", "none"],
)
def test_what_is_no_colour_image_is_refused(image):
    with pytest.raises(SapiensError, match="colour images of 8 bits") as caught:
        find_people(image)
    assert "(H, W, 3) uint8" in caught.value.hint


@pytest.mark.parametrize("box", [[10, 10, 10, 200], [np.nan, 0, 10, 10], [600, 600, 700, 700]])
def test_a_box_without_area_is_refused(astronaut, box):
    with pytest.raises(SapiensError, match="no area inside the photo"):
        find_people(astronaut, np.array([box], float))
