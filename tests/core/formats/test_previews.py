"""Pictures of the maps, and frames painted around people."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.formats.previews import MAPS, SIZE, paint_boxes, picture, write_previews


@pytest.fixture
def predictions() -> Predictions:
    """A person in the left half of a photo, whose upper half is nearer."""
    image = np.full((40, 60, 3), 200, np.uint8)
    seg = np.zeros((40, 60), np.uint8)
    seg[:, :30] = 1
    points = np.ones((40, 60, 3), np.float32)
    points[20:, :, 2] = 3.0
    normal = np.zeros((40, 60, 3), np.float16)
    normal[:, :30, 2] = 1.0
    keypoints = np.zeros((1, 308, 3), np.float32)
    keypoints[0, 0] = 45, 10, 0.9
    return Predictions(image, pointmap=points, normal=normal, seg=seg, keypoints=keypoints)


def test_each_map_shows_what_it_says(predictions):
    assert picture(predictions, "photo") is predictions.image
    depth = picture(predictions, "depth")
    assert depth[5, 5].min() > depth[35, 5].max() > 0 and not depth[:, 30:].any()
    normal = picture(predictions, "normal")
    assert normal[5, 5].tolist() == [127, 127, 255] and not normal[:, 30:].any()
    parts = picture(predictions, "parts")
    assert (parts[:, 30:] == int(200 * 0.35)).all() and (parts[:, :30] != parts[0, 40]).any(axis=-1).all()
    pose = picture(predictions, "pose")
    dark = int(200 * 0.45)
    assert (pose[10, 45] != dark).any() and (pose[30:] == dark).all()


def test_a_map_that_is_missing_has_no_picture(predictions):
    assert picture(predictions, "albedo") is None
    assert [name for name in MAPS if picture(Predictions(predictions.image), name) is not None] == ["photo"]


def test_previews_are_small_files_of_the_maps_that_there_are(predictions, tmp_path):
    large = Predictions(np.zeros((300, 600, 3), np.uint8))
    assert sorted(write_previews(predictions, tmp_path)) == ["depth", "normal", "parts", "photo", "pose"]
    with Image.open(write_previews(large, tmp_path)["photo"]) as image:
        assert image.size == (SIZE, SIZE // 2)


def test_painted_boxes_frame_their_people_and_leave_the_rest():
    picture = np.ones((100, 80, 4), np.float32)
    boxes = np.array([[0.25, 0.1, 0.75, 0.9], [-0.5, 0.0, 0.1, 2.0]])
    painted = paint_boxes(picture, boxes, np.array([True, False]))
    assert (picture == 1).all() and (painted[..., 3] == 1).all()
    assert painted[10, 40, 2] == 1 and painted[10, 40, 0] < 0.5  # upper edge of the person who is made
    assert painted[50, 7, 0] < 0.2  # right edge of the one who is not
    assert (painted[20:80, 30:50] == 1).all()
