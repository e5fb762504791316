"""Which of two limbs is nearer, by how wide they look: bars in a mask."""

import numpy as np
import pytest

from sapiens2_avatar.core.builtin.limb_widths import LIMBS, nearer_sides
from sapiens2_avatar.core.common.landmarks import keypoint_index

SHIN = LIMBS.index(("knee", "ankle"))


def _legs(widths: tuple[int, int], middles: tuple[int, int] = (60, 130)) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints and mask of two upright shins, left and right, of these widths in pixels."""
    keypoints, mask = np.zeros((308, 3)), np.zeros((300, 200), bool)
    for side, middle, width in zip(("left", "right"), middles, widths, strict=True):
        keypoints[keypoint_index(f"{side}_knee")] = middle, 100, 0.9
        keypoints[keypoint_index(f"{side}_ankle")] = middle + 2, 250, 0.9
        mask[80:270, middle - width // 2 : middle + width // 2] = True
    return keypoints, mask


def test_the_ratio_of_widths_is_told():
    found = nearer_sides(*_legs((40, 30)), least_score=0.3)
    assert found[SHIN] == pytest.approx(np.log(40 / 30), abs=0.03)
    assert np.isnan(np.delete(found, SHIN)).all()  # the other limbs are not seen


def test_legs_that_touch_or_are_guessed_tell_nothing():
    assert np.isnan(nearer_sides(*_legs((40, 30), (80, 112)), least_score=0.3)).all()
    keypoints, mask = _legs((40, 30))
    assert np.isnan(nearer_sides(keypoints, mask, least_score=0.95)).all()
    keypoints[keypoint_index("left_ankle"), :2] = keypoints[keypoint_index("left_knee"), :2]  # points at the camera
    assert np.isnan(nearer_sides(keypoints, mask, least_score=0.3)).all()


def test_legs_that_leave_the_photo_have_no_border_there():
    keypoints, mask = _legs((40, 30), (10, 130))
    assert np.isnan(nearer_sides(keypoints, mask, least_score=0.3)[SHIN])
