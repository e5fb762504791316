"""Keypoints of maps that came without, against those that a person truly has."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.common.landmarks import joint_keypoints
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.landmarks.of_maps import with_keypoints


@pytest.fixture(scope="module")
def walker(studio) -> Predictions:
    return Predictions.load(studio("body_walk"))


def bare(predictions: Predictions, **changes) -> Predictions:
    """The predictions without keypoints and boxes."""
    return replace(predictions, **{"keypoints": None, "boxes": None, **changes})


def far(found: np.ndarray, true: np.ndarray) -> float:
    """Median distance of the joints that a photo shows, in heights of the person. Left and right are told apart."""
    at = joint_keypoints()
    at = at[at >= 0]
    at = at[true[at, 2] > 0.5]
    return float(np.median(np.linalg.norm(found[at, :2] - true[at, :2], axis=1)) / np.ptp(true[at, 1]))


def grey(walker: Predictions) -> np.ndarray:
    return np.full_like(walker.image, 128)


def test_they_are_found_in_the_photo(walker):
    (found,) = with_keypoints(bare(walker)).keypoints
    assert found.shape == (308, 3) and far(found, walker.keypoints[0]) < 0.015


def test_a_photo_that_shows_nothing_is_made_up_by_the_normals(walker):
    (found,) = with_keypoints(bare(walker, image=grey(walker), albedo=None)).keypoints
    assert far(found, walker.keypoints[0]) < 0.02


def test_those_that_are_there_stay(walker):
    assert with_keypoints(walker) is walker


def test_nobody_gets_none(walker):
    empty = Predictions(image=grey(walker), pointmap=walker.pointmap, seg=walker.seg)
    assert with_keypoints(empty) is empty


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_people_are_in_the_order_of_their_boxes(walker, order):
    """Without boxes, and without a map that shows anybody, from left to right."""
    true = walker.keypoints[0]
    low, high = true[true[:, 2] > 0.3, :2].min(0), true[true[:, 2] > 0.3, :2].max(0)
    box = np.array([*low, *high], np.float32)
    beside = np.array([walker.width, 0, walker.width, 0], np.float32)
    both = Predictions(np.concatenate([walker.image] * 2, axis=1), boxes=np.stack([box, box + beside])[list(order)])
    found = with_keypoints(both).keypoints
    for keypoints, place in zip(found, order, strict=True):
        assert far(keypoints - np.float32([place * walker.width, 0, 0]), true) < 0.02
    if order == (0, 1):
        assert len(with_keypoints(replace(both, boxes=None)).keypoints) == 2
