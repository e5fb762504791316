"""Looking several times at bodies that the photo's border cuts."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.capture.photo import read_photo
from sapiens2_avatar.core.common.landmarks import DATA
from sapiens2_avatar.core.landmarks import steady
from sapiens2_avatar.core.landmarks.body import INDEX, Body, body_region
from sapiens2_avatar.core.landmarks.people import find_people
from sapiens2_avatar.core.landmarks.regions import Picture
from sapiens2_avatar.core.landmarks.search import find_large_bodies

WRIST, ELBOW = INDEX["left_wrist"], INDEX["left_elbow"]


@pytest.fixture
def cut() -> Body:
    """Somebody whose mask reaches the right border of a photo of 100 x 100 pixels."""
    points = np.column_stack([np.full(33, 50.0), np.linspace(10, 90, 33), np.zeros(33), np.ones(33)])
    square = body_region(np.array([60.0, 50.0]), np.array([60.0, 10.0]))
    return Body(points, np.ones(33), np.zeros((33, 3)), 1.0, square, square, np.ones((256, 256), np.float32))


def test_points_of_which_every_look_says_something_else_are_not_seen(cut, monkeypatch):
    places = iter([0.0, 40.0, 80.0, 20.0])

    def look(picture, region):
        points = cut.points.copy()
        points[WRIST, 0], points[ELBOW, 0] = next(places), 51
        return replace(cut, points=points)

    monkeypatch.setattr(steady, "look_at_body", look)
    found = steady.steadied(Picture(np.zeros((100, 100, 3), np.uint8)), cut)
    assert found.points[WRIST, 3] < 0.1
    assert found.points[ELBOW, 3] > 0.9
    np.testing.assert_allclose(found.points[ELBOW, :2], [51, cut.points[ELBOW, 1]])
    others = np.delete(np.arange(33), [WRIST, ELBOW])
    np.testing.assert_allclose(found.points[others], cut.points[others])


def test_who_is_whole_is_looked_at_no_more():
    picture = Picture(read_photo(DATA / "sample_photo.jpg").image)
    (body,) = find_large_bodies(picture)
    assert steady.steadied(picture, body) is body


def test_an_arm_that_a_photo_cuts_off_is_not_seen_and_the_other_one_stays():
    photo = read_photo(DATA / "sample_photo.jpg").image
    (whole,) = find_people(photo)
    left, right = (whole.body.points[INDEX[f"{side}_shoulder"], 0] for side in ("left", "right"))
    assert right < left
    (half,) = find_people(np.ascontiguousarray(photo[:, : round(0.7 * left + 0.3 * right)]))
    names = [INDEX[f"right_{name}"] for name in ("shoulder", "elbow", "knee", "ankle")]
    away = np.linalg.norm(half.body.points[names, :2] - whole.body.points[names, :2], axis=1)
    assert (away < 0.05 * whole.body.size).all() and (half.body.points[names, 3] > 0.5).all()
    assert half.body.points[WRIST, 3] < 0.3
