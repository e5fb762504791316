"""Twist bones: every family's are found, the twist grows evenly along the limb, joints stay where they are, rest stays rest."""

from __future__ import annotations

import numpy as np
import pytest

from measures.rig_factory import BUILDABLE, CHAINED, make_rig, person, with_twists
from measures.round_trip import forward_kinematics
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES
from sapiens2_avatar.core.common.rotations import rotation_from_vector, swing_twist, unit
from sapiens2_avatar.core.retarget.body_motion import motion_from_joints
from sapiens2_avatar.core.retarget.families import families
from sapiens2_avatar.core.retarget.recognise import recognise
from sapiens2_avatar.core.retarget.solve import RetargetSettings, retarget_motion

TWISTED = [family for family in BUILDABLE if families()[family].twist]
ENDS = {
    "UpperArm": ("shoulder", "elbow"),
    "LowerArm": ("elbow", "wrist"),
    "UpperLeg": ("hip", "knee"),
    "LowerLeg": ("knee", "ankle"),
}


def turned(role: str, degrees: float) -> np.ndarray:
    """(1, 68, 3) the person in the rigs' T-pose but for one twist: everything below the limb's bone turned about the limb."""
    joints = person("T")
    side, limb = role[:-8], role[-8:]
    start, end = (joints[f"{side}_{n}"] for n in ENDS[limb])
    turn = rotation_from_vector(unit(end - start) * np.radians(degrees))
    arm = limb.endswith("Arm")
    moved = [
        n for n in JOINT_NAMES if n.startswith(side) and (("thumb" in n or "finger" in n) if arm else n.endswith(("heel", "toe")))
    ]
    if limb == "UpperArm":
        moved.append(f"{side}_wrist")
    if limb == "UpperLeg":
        moved.append(f"{side}_ankle")
    for name in moved:
        joints[name] = end + turn @ (joints[name] - end)
    return np.array([[joints[n] for n in JOINT_NAMES]])


@pytest.mark.parametrize("family", TWISTED)
def test_twist_bones_are_recognised_and_do_not_move_the_joints(family: str) -> None:
    rest = with_twists(make_rig(family, "T"), family)
    found = recognise(rest)
    alike = {"anny104": "mpfb_default"}  # the same names, and fewer
    assert found.family in (family, alike.get(family)) and not found.missing
    assert set(found.twist) == set(families()[family].twist)
    bare = make_rig(family, "T")
    motion = motion_from_joints(np.concatenate([turned("leftLowerArm", 70), turned("rightUpperLeg", 30)]))
    settings = RetargetSettings(forearm_twist=0.0)
    heads = []
    for rig in (rest, bare):
        bone_map = recognise(rig)
        _, at = forward_kinematics(rig, retarget_motion(motion, rig, bone_map, settings))
        heads.append(
            {
                role: at[:, rig.index(bone_map.first(role))]
                for role in ("leftHand", "rightFoot", "leftIndexDistal", "leftLowerArm")
            }
        )
    for role in heads[0]:
        assert np.abs(heads[0][role] - heads[1][role]).max() < 1e-6, role


@pytest.mark.parametrize("family", TWISTED)
@pytest.mark.parametrize("role", ["leftLowerArm", "rightLowerArm"])
def test_the_turn_of_a_hand_is_spread_along_the_forearm(family: str, role: str) -> None:
    """From the elbow to the wrist the twist about the forearm grows, never beyond the hand's, in equal links or by place."""
    rest = with_twists(make_rig(family, "T", odd_rolls=True), family)
    bone_map = recognise(rest)
    straight = retarget_motion(motion_from_joints(turned(role, 0.0)), rest, bone_map).turns
    solved = retarget_motion(motion_from_joints(turned(role, 60.0)), rest, bone_map).turns
    start, end = rest.index(bone_map.first(role)), rest.index(bone_map.first(role.replace("LowerArm", "Hand")))
    axis = unit(rest.heads[end] - rest.heads[start])

    def degrees(bone: str) -> float:
        return float(np.degrees(swing_twist(straight[bone].swapaxes(-1, -2) @ solved[bone], axis)[1][0]))

    chain = [*bone_map.bones[role], *bone_map.twist[role], *bone_map.bones[role.replace("LowerArm", "Hand")]]
    angles = np.array([degrees(bone) for bone in chain])
    assert angles[0] == pytest.approx(0.0, abs=1.0) and angles[-1] == pytest.approx(60.0, abs=1.0)
    assert (np.diff(angles) > -0.5).all()
    middle = angles[1:-1]
    wanted = 60.0 * (np.arange(1, len(middle) + 1) / (len(middle) if family in CHAINED else len(middle) + 1))
    assert np.abs(middle - wanted).max() < 1.0


@pytest.mark.parametrize("family", TWISTED)
def test_the_turn_of_a_thigh_grows_from_the_hip_to_the_knee(family: str) -> None:
    role = "leftUpperLeg"
    if role not in families()[family].twist:
        pytest.skip("this family has no twist bones in the thigh")
    rest = with_twists(make_rig(family, "T"), family)
    bone_map = recognise(rest)
    # A bent knee shows which way the thigh is turned.
    joints = turned(role, 0.0)[0]
    at = {n: i for i, n in enumerate(JOINT_NAMES)}
    leg = [at[f"left_{n}"] for n in ("ankle", "heel", "big_toe", "small_toe")]
    knee = joints[at["left_knee"]]
    bent = joints.copy()
    bent[leg] = knee + (joints[leg] - knee) @ rotation_from_vector([np.pi / 2, 0, 0]).T
    axis = unit(knee - joints[at["left_hip"]])
    swung = bent.copy()
    swung[leg] = knee + (bent[leg] - knee) @ rotation_from_vector(axis * np.radians(40.0)).T
    turns = [retarget_motion(motion_from_joints(p[None]), rest, bone_map).turns for p in (bent, swung)]
    along = unit(rest.heads[rest.index(bone_map.first("leftLowerLeg"))] - rest.heads[rest.index(bone_map.first(role))])
    chain = (
        [*bone_map.bones[role], *bone_map.twist[role]] if family in CHAINED else [*bone_map.twist[role], *bone_map.bones[role]]
    )
    angles = [float(np.degrees(swing_twist(turns[0][b].swapaxes(-1, -2) @ turns[1][b], along)[1][0])) for b in chain]
    if family in CHAINED:
        assert angles[0] == pytest.approx(0.0, abs=1.0)
    assert angles[-1] == pytest.approx(40.0, abs=1.0)
    assert (np.diff(angles) > 1.0).all()


@pytest.mark.parametrize("family", TWISTED)
def test_the_rest_pose_has_no_twist(family: str) -> None:
    """A person in the pose of the rig at rest leaves forearms alone, however the hands are held in it."""
    rest = with_twists(make_rig(family, "A", odd_rolls=True), family)
    bone_map = recognise(rest)
    solved = retarget_motion(motion_from_joints(np.array([[person("A")[n] for n in JOINT_NAMES]])), rest, bone_map)
    for role in ("leftLowerArm", "rightLowerArm"):
        for bone in (*bone_map.bones[role], *bone_map.twist[role]):
            angle = np.degrees(2 * np.arccos(np.clip(abs(solved.rotations[0, solved.bones.index(bone), 0]), 0, 1)))
            assert angle < 12.0, bone  # what the elbow's landmarks say of its hinge differs a little from the mean rig's


def test_an_auto_rig_pro_export_has_whole_limbs() -> None:
    """The twist bones begin upper arm and thigh there: a leg is as long with them as without."""
    rest = with_twists(make_rig("auto_rig_pro_export", "A"), "auto_rig_pro_export")
    found = recognise(rest)
    assert found.first("leftUpperLeg") == "thigh_twist.l" and found.twist["leftUpperLeg"] == ("thigh_stretch.l",)
    assert found.first("leftUpperArm") == "arm_twist.l" and found.twist["leftUpperArm"] == ("arm_stretch.l",)
    assert found.first("leftLowerArm") == "forearm_stretch.l" and found.twist["leftLowerArm"] == ("forearm_twist.l",)
