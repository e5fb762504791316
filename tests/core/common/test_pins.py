"""Keypoints that somebody has put where they are."""

import numpy as np
import pytest

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import keypoint_index
from sapiens2_avatar.core.common.pins import Pin, is_pinned, pinned
from sapiens2_avatar.core.common.predictions import Predictions


def seen(people: int = 2) -> Predictions:
    rng = np.random.default_rng(2)
    return Predictions(image=np.zeros((4, 4, 3), np.uint8), keypoints=rng.random((people, 308, 3)).astype(np.float32))


def test_a_pin_takes_the_place_of_what_the_network_saw_of_one_keypoint():
    before = seen()
    after = pinned(before, [Pin(person=1, keypoint="left_wrist", x=2.5, y=1.0)])
    row = keypoint_index("left_wrist")
    assert after.keypoints[1, row, :2].tolist() == [2.5, 1.0]
    assert np.argwhere(is_pinned(after.keypoints[..., 2])).tolist() == [[1, row]]
    changed = np.argwhere((after.keypoints != before.keypoints).any(axis=2))
    assert changed.tolist() == [[1, row]]


def test_without_pins_nothing_changes():
    before = seen()
    assert pinned(before, ()) is before and not is_pinned(before.keypoints[..., 2]).any()


@pytest.mark.parametrize(("person", "keypoint"), [(2, "nose"), (-1, "nose"), (0, "third_eye")])
def test_a_pin_of_nobody_is_refused(person, keypoint):
    with pytest.raises(SapiensError, match="Remove the pin"):
        pinned(seen(), [Pin(person=person, keypoint=keypoint, x=0, y=0)])


def test_pins_need_keypoints():
    with pytest.raises(SapiensError, match="none was"):
        pinned(Predictions(image=np.zeros((4, 4, 3), np.uint8)), [Pin(person=0, keypoint="nose", x=0, y=0)])
