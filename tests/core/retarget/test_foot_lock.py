"""Feet that stand on the person stand on a rig of other proportions; what does not stand is not touched."""

from __future__ import annotations

import numpy as np
import pytest

from measures.rig_factory import make_rig, with_legs
from measures.round_trip import forward_kinematics
from sapiens2_avatar.core.common.landmarks import SIDES, joint_swap
from sapiens2_avatar.core.common.rotations import angle_between
from sapiens2_avatar.core.motion.take import MotionSettings, make_take
from sapiens2_avatar.core.retarget.bone_map import BoneMap
from sapiens2_avatar.core.retarget.ground_contacts import spans
from sapiens2_avatar.core.retarget.recognise import recognise
from sapiens2_avatar.core.retarget.solve import RetargetSettings, retarget_motion
from support.walks import FPS, as_poses, walker

pytest.importorskip("scipy", reason="motion is filtered with scipy")
PROPORTIONS = [("mixamo", 1.25, 0.8), ("mixamo", 0.7, 1.2), ("ue4_mannequin", 0.5, 0.5), ("smplx", 1.6, 1.6), ("vrm1", 1.0, 1.0)]


@pytest.fixture(scope="module")
def take():
    return make_take(as_poses(walker(90, noise=0.004)), FPS)


def slides(heads: np.ndarray, rest, bone_map: BoneMap, contacts: np.ndarray) -> float:
    """Millimetres per 1.7 m of rig: the farthest that ankle or ball are from the middle of a stand of the whole foot."""
    worst = 0.0
    for n, side in enumerate(SIDES):
        for role in ("Foot", "Toes"):
            at = heads[:, rest.index(bone_map.first(side + role))]
            for start, stop in spans(contacts[:, 2 * n] & contacts[:, 2 * n + 1]):
                worst = max(worst, float(np.linalg.norm(at[start:stop] - np.median(at[start:stop], axis=0), axis=1).max()))
    return 1000 * worst


@pytest.mark.parametrize(("family", "thigh", "shank"), PROPORTIONS)
@pytest.mark.parametrize("rest_pose", ["A", "odd"])
def test_feet_stand_on_rigs_of_other_proportions(take, family: str, thigh: float, shank: float, rest_pose: str) -> None:
    plain = make_rig(family, rest_pose, odd_rolls=True)
    rest = with_legs(plain, recognise(plain), thigh, shank)
    bone_map = recognise(rest)
    free, held = (retarget_motion(take.motion(), rest, bone_map, RetargetSettings(lock_feet=lock)) for lock in (False, True))
    (_, sliding), (_, standing) = (forward_kinematics(rest, solved) for solved in (free, held))
    assert slides(standing, rest, bone_map, take.contacts) < 0.01
    if abs(thigh - shank) > 0.1:
        assert slides(sliding, rest, bone_map, take.contacts) > 15
    # Feet that stand lie on the ground: both ankles stand at the same height.
    heights = [
        standing[take.contacts[:, 2 * n] & take.contacts[:, 2 * n + 1]][:, rest.index(bone_map.first(f"{s}Foot")), 2]
        for n, s in enumerate(SIDES)
    ]
    assert np.ptp(np.concatenate(heights)) < 1e-6
    # Nothing is stretched, nothing jumps, and the arms are what they were.
    for side in SIDES:
        hip, knee, foot = (rest.index(bone_map.first(side + r)) for r in ("UpperLeg", "LowerLeg", "Foot"))
        for a, b in ((hip, knee), (knee, foot)):
            lengths = np.linalg.norm(standing[:, b] - standing[:, a], axis=1)
            assert np.abs(lengths - np.linalg.norm(rest.heads[b] - rest.heads[a])).max() < 1e-6
        knees = [h[:, knee] - h[:, rest.index(bone_map.first("hips"))] for h in (sliding, standing)]
        step = [np.linalg.norm(np.diff(k, axis=0), axis=1).max() for k in knees]
        assert step[1] < 1.6 * step[0] + 0.01
        hand, arm = (rest.index(bone_map.first(side + r)) for r in ("Hand", "UpperArm"))
        apart = [h[:, hand] - h[:, arm] for h in (sliding, standing)]
        assert np.degrees(angle_between(*apart)).max() < 1e-4


def test_knees_bend_forwards_still(take) -> None:
    plain = make_rig("mixamo", "T")
    rest = with_legs(plain, recognise(plain), 1.25, 0.8)
    bone_map = recognise(rest)
    _, heads = forward_kinematics(rest, retarget_motion(take.motion(), rest, bone_map))
    for side in SIDES:
        hip, knee, foot = (heads[:, rest.index(bone_map.first(side + r))] for r in ("UpperLeg", "LowerLeg", "Foot"))
        share = np.linalg.norm(knee - hip, axis=1) / (np.linalg.norm(knee - hip, axis=1) + np.linalg.norm(foot - knee, axis=1))
        ahead = knee - (hip + (foot - hip) * share[:, None])
        assert (ahead[:, 1] < 0.005).all()  # the walker faces -y


def test_the_mirrored_take_stands_mirrored(take) -> None:
    mirrored = make_take(as_poses((walker(90, noise=0.004) * [-1, 1, 1])[:, joint_swap()]), FPS)
    plain, other = make_rig("mixamo", "A"), make_rig("mixamo", "A", mirrored=True)
    heads = []
    for rest, motion in (
        (with_legs(plain, recognise(plain), 1.2, 0.9), take),
        (with_legs(other, recognise(other), 1.2, 0.9), mirrored),
    ):
        _, at = forward_kinematics(rest, retarget_motion(motion.motion(), rest, recognise(rest)))
        heads.append({n: at[:, rest.index(f"mixamorig:{n}")] for n in ("LeftFoot", "RightFoot", "LeftLeg", "RightLeg")})
    for name, at in heads[0].items():
        twin = name.replace("Left", "?").replace("Right", "Left").replace("?", "Right")
        assert np.abs(at * [-1, 1, 1] - heads[1][twin]).max() < 1e-3


def test_only_what_stands_and_travels_is_held(take) -> None:
    rest = make_rig("mixamo", "A")
    bone_map = recognise(rest)
    still = retarget_motion(take.motion(), rest, bone_map, RetargetSettings(hips="none"))
    free = retarget_motion(take.motion(), rest, bone_map, RetargetSettings(hips="none", lock_feet=False))
    assert still.location is None and np.abs(still.rotations - free.rotations).max() == 0
    sliding = make_take(as_poses(walker(40)), FPS, MotionSettings(lock_feet=False))
    assert sliding.contacts.any() and sliding.motion().contacts is None
    lame = BoneMap("custom", "", {r: b for r, b in bone_map.bones.items() if r != "leftFoot"})
    solved = retarget_motion(take.motion(), rest, lame)
    assert np.isfinite(solved.rotations).all() and np.isfinite(solved.location).all()
