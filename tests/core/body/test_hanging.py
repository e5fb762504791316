"""Limbs that no photo shows stand, hang and are at ease; those that one shows stay as they were found."""

import numpy as np
import pytest

from sapiens2_avatar.core.body.evaluate import Posture, Shape, frames, pose_points, rest_points
from sapiens2_avatar.core.body.evidence import Evidence
from sapiens2_avatar.core.body.hanging import hang_unseen
from sapiens2_avatar.core.body.skeleton import BONES
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.arrays import Camera, Pose
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index
from sapiens2_avatar.core.common.rotations import angle_between, rotation_from_vector

TO_CAMERA = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
CAMERA = Camera(300, 400, 480.0, 480.0, 149.5, 199.5)
DOWN = np.array([0.0, 1.0, 0.0])
LIMBS = ("upper_arm", "forearm", "hand", "f_", "thumb", "thigh", "shin", "foot", "toe")


def anyhow(root: np.ndarray, seed: int = 3) -> Posture:
    """A posture whose limbs point anywhere, before the camera."""
    rng = np.random.default_rng(seed)
    turns = Posture.rest().turns.copy()
    for row, name in enumerate(BONES):
        if name.startswith(LIMBS):
            turns[row] = rotation_from_vector(rng.normal(0, 0.4, 3))
    turns[0] = root
    hips = template().heads.of(rest_points(Shape()).astype(float))[0]
    return Posture(turns, np.array([0.0, 0.0, 3.0]) - hips)


def evidence(posture: Posture, mask: np.ndarray | None = None) -> Evidence:
    places = joints(posture).astype(np.float32)
    sure = np.ones(len(places), np.float32)
    pose = Pose(JOINT_NAMES, places, sure, sure > 0, np.full((308, 3), np.nan, np.float32), 1.7)
    return Evidence(CAMERA, pose, None, mask)


def joints(posture: Posture) -> np.ndarray:
    return template().joints.of(pose_points(rest_points(Shape()), posture))


def seen_but(*names: str) -> np.ndarray:
    return np.array([not any(name in joint for name in names) for joint in JOINT_NAMES])


def along(posture: Posture, start: str, end: str) -> np.ndarray:
    places = joints(posture)
    return places[joint_index(end)] - places[joint_index(start)]


@pytest.mark.parametrize("lean", [(0, 0, 0), (0.5, 0, 0), (-0.3, 0.2, 0)])
def test_legs_that_no_photo_shows_stand_whatever_the_trunk_does(lean):
    before = anyhow(TO_CAMERA @ rotation_from_vector(np.array(lean)))
    after = hang_unseen(Shape(), before, seen_but("knee", "ankle", "toe", "heel"), evidence(before))
    for side in ("left", "right"):
        for start, end in (("hip", "knee"), ("knee", "ankle")):
            assert np.degrees(angle_between(along(after, f"{side}_{start}", f"{side}_{end}"), DOWN)) < 12
        foot = along(after, f"{side}_heel", f"{side}_big_toe")
        assert abs(foot @ DOWN) < 0.35 * np.linalg.norm(foot)
    changed = [name for row, name in enumerate(BONES) if not np.allclose(before.turns[row], after.turns[row])]
    assert changed and all(name.startswith(("thigh", "shin", "foot", "toe")) for name in changed)


def test_below_a_knee_that_is_seen_a_shin_hangs_unless_the_knee_would_bend_forwards():
    sits = anyhow(TO_CAMERA)
    row, shin = list(BONES).index("thigh.L"), list(BONES).index("shin.L")
    unseen = seen_but("left_ankle", "left_big", "left_small", "left_heel")
    sits.turns[row] = rotation_from_vector(np.array([-1.4, 0, 0]))  # forwards
    after = hang_unseen(Shape(), sits, unseen, evidence(sits))
    assert np.allclose(after.turns[row], sits.turns[row])
    assert np.degrees(angle_between(along(after, "left_knee", "left_ankle"), DOWN)) < 12
    sits.turns[row] = rotation_from_vector(np.array([0.6, 0, 0]))  # backwards
    after = hang_unseen(Shape(), sits, unseen, evidence(sits))
    assert np.allclose(after.turns[shin], np.eye(3))


def test_an_arm_that_no_photo_shows_hangs_beside_the_hips_with_fingers_that_curl():
    before = anyhow(TO_CAMERA)
    after = hang_unseen(Shape(), before, seen_but("left_elbow", "left_wrist", "left_thumb", "left_fore"), evidence(before))
    assert np.degrees(angle_between(along(after, "left_shoulder", "left_elbow"), DOWN)) < 30
    hips, wrist = joints(after)[joint_index("left_hip")], joints(after)[joint_index("left_wrist")]
    assert wrist[0] > hips[0] + 0.05 and abs(wrist[1] - hips[1]) < 0.2  # as far down as the hips, and clear of them
    turns = frames(template().heads.of(rest_points(Shape()).astype(float)), after).turns
    finger = [turns[list(BONES).index(f"f_middle.0{k}.L")] for k in (1, 3)]
    assert 0.3 < np.arccos((np.trace(finger[0].T @ finger[1]) - 1) / 2) < 0.8
    assert np.allclose(after.turns[list(BONES).index("hand.R")], before.turns[list(BONES).index("hand.R")])


def test_an_arm_stays_behind_the_back_where_the_photo_shows_that_none_hangs_beside_it():
    """The mask holds the trunk alone; the guess has the forearm behind it."""
    behind = Posture(Posture.rest().turns.copy(), anyhow(TO_CAMERA).translation)
    behind.turns[0] = TO_CAMERA
    names, unseen = list(BONES), seen_but("left_wrist", "left_thumb", "left_fore", "left_middle", "left_ring", "left_pinky")
    left = Posture(behind.turns.copy(), behind.translation)
    for bone, turn in (("upper_arm.L", (0, 0.6, 0.6)), ("forearm.L", (0, -1.2, 1.6))):
        left.turns[names.index(bone)] = rotation_from_vector(np.array(turn))
    pixels = CAMERA.project(joints(left))
    arm = [joint_index(name) for name in ("left_elbow", "left_wrist", "left_middle_finger4")]
    low, high = pixels[arm].min(axis=0) - 3, pixels[arm].max(axis=0) + 3
    mask = np.zeros((CAMERA.height, CAMERA.width), bool)
    mask[max(int(low[1]), 0) : int(high[1]) + 1, max(int(low[0]), 0) : int(high[0]) + 1] = True
    kept = hang_unseen(Shape(), left, unseen, evidence(left, mask))
    assert np.allclose(kept.turns[names.index("forearm.L")], left.turns[names.index("forearm.L")])
    assert np.allclose(kept.turns[names.index("hand.L")], np.eye(3))
    everywhere = hang_unseen(Shape(), left, unseen, evidence(left, np.ones_like(mask)))
    assert not np.allclose(everywhere.turns[names.index("forearm.L")], left.turns[names.index("forearm.L")])


def test_who_lies_has_limbs_that_go_on_as_they_are_at_rest():
    lies = anyhow(TO_CAMERA @ rotation_from_vector(np.array([0, np.pi / 2, 0])))
    after = hang_unseen(Shape(), lies, seen_but("knee", "ankle", "toe", "heel", "elbow", "wrist"), evidence(lies))
    for row, name in enumerate(BONES):
        if name.startswith(("upper_arm", "forearm", "thigh", "shin", "foot")):
            assert np.allclose(after.turns[row], np.eye(3))


def test_what_is_seen_stays():
    before = anyhow(TO_CAMERA)
    after = hang_unseen(Shape(), before, np.ones(len(JOINT_NAMES), bool), evidence(before))
    assert np.array_equal(before.turns, after.turns)
