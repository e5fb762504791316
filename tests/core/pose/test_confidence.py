"""The artist is told when the network was unsure of a person, and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sapiens2_avatar.core.avatar import AvatarSettings, make_avatars
from sapiens2_avatar.core.common.landmarks import keypoint_index
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.formats.avatar_file import load_avatars, save_avatars
from sapiens2_avatar.core.formats.pose_file import load_pose, save_pose
from sapiens2_avatar.core.pose.lift import lift_pose
from sapiens2_avatar.core.surface.scan import ScanSettings
from support.people import cut_below

LEG = ("left_hip", "left_knee", "left_ankle")


@pytest.fixture(scope="session")
def person(studio):
    return lambda name: Predictions.load(studio(name))


def scored(predictions: Predictions, score: float, *names: str) -> Predictions:
    """The same predictions with this score for the named keypoints, or for all without names."""
    keypoints = predictions.keypoints.copy()
    keypoints[:, [keypoint_index(name) for name in names] if names else slice(None), 2] = score
    return replace(predictions, keypoints=keypoints)


@pytest.mark.parametrize("suffix", ["", ".degraded"])
def test_sure_predictions_and_cut_off_people_say_nothing(person, suffix):
    for name in ("body_apose", "body_crossed", "body_walk", "body_sit", "face_a", "face_b"):
        assert not lift_pose(person(name + suffix)).doubt, name
    whole = person(f"body_apose{suffix}")
    assert not lift_pose(cut_below(whole, round(0.55 * whole.height))).doubt


def test_many_doubted_joints_are_one_sentence(person):
    walk = person("body_walk")
    assert not lift_pose(scored(walk, 0.3, *LEG[:2])).doubt  # as a hidden limb is
    assert "unsure of 3 of 12 body joints" in lift_pose(scored(walk, 0.3, *LEG)).doubt
    assert "unsure of 12 of 12 body joints" in lift_pose(scored(walk, 0.21)).doubt


def test_the_sentence_goes_with_the_pose_and_with_the_rig(person, tmp_path):
    doubted = scored(person("body_walk"), 0.3, *LEG)
    pose = lift_pose(doubted)
    assert load_pose(save_pose(pose, tmp_path / "pose.safetensors")).doubt == pose.doubt
    settings = AvatarSettings(make="scan", scan=ScanSettings(resolution=1000))
    avatars = load_avatars(save_avatars(make_avatars(doubted, "walk", settings), tmp_path / "avatars.safetensors"))
    assert avatars[0].rig.doubt == pose.doubt and pose.doubt in avatars[0].notes
    without = make_avatars(doubted, "walk", replace(settings, with_rig=False))
    assert pose.doubt not in without[0].notes  # there is no rig to check
