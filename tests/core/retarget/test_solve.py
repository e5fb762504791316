"""Retargeting: directions are exact on every family, rest pose and roll; left is left; nothing unmapped or unseen is touched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from measures.rig_factory import BUILDABLE, REST_POSES, STATURE, make_rig, person
from measures.round_trip import LIMBS, directions, forward_kinematics
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index, joint_swap
from sapiens2_avatar.core.common.rotations import angle_between, rotation_from_vector
from sapiens2_avatar.core.retarget.armature import RestRig
from sapiens2_avatar.core.retarget.body_motion import motion_from_joints, motion_from_rig
from sapiens2_avatar.core.retarget.bone_map import BoneMap
from sapiens2_avatar.core.retarget.recognise import recognise
from sapiens2_avatar.core.retarget.solve import RetargetSettings, retarget_motion

JOINT_OF = {"UpperArm": "shoulder", "LowerArm": "elbow", "Hand": "wrist", "UpperLeg": "hip", "LowerLeg": "knee", "Foot": "ankle"}


def poses(count: int = 8, seed: int = 0) -> np.ndarray:
    """(F, 68, 3) people in random poses: every limb joint turned at random, the whole turned and moved."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        joints = person("A")
        for side in ("left", "right"):
            arm = [n for n in JOINT_NAMES if n.startswith(side) and ("thumb" in n or "finger" in n)]
            leg = [f"{side}_{n}" for n in ("heel", "big_toe", "small_toe")]
            for pivot, moved in ((f"{side}_shoulder", [f"{side}_elbow", f"{side}_wrist", *arm]),
                                 (f"{side}_elbow", [f"{side}_wrist", *arm]),
                                 (f"{side}_wrist", arm), (f"{side}_hip", [f"{side}_knee", f"{side}_ankle", *leg]),
                                 (f"{side}_knee", [f"{side}_ankle", *leg])):  # fmt: skip
                turn = rotation_from_vector(rng.normal(size=3) * 0.5)
                for name in moved:
                    joints[name] = joints[pivot] + turn @ (joints[name] - joints[pivot])
        whole = rotation_from_vector(rng.normal(size=3))
        out.append([whole @ joints[n] + rng.normal(size=3) for n in JOINT_NAMES])
    return np.array(out)


def limb_errors(positions: np.ndarray, rest: RestRig, bone_map: BoneMap, heads: np.ndarray) -> float:
    got, worst = directions(heads, rest, bone_map), 0.0
    world = rest.world[:3, :3]
    for a, b in LIMBS:
        side = "left" if a.startswith("left") else "right"
        wanted = (
            positions[:, joint_index(f"{side}_{JOINT_OF[b[len(side) :]]}")]
            - positions[:, joint_index(f"{side}_{JOINT_OF[a[len(side) :]]}")]
        )
        worst = max(worst, float(np.degrees(angle_between(got[a] @ world.T, wanted)).max()))
    return worst


@pytest.mark.parametrize("family", BUILDABLE)
def test_directions_are_exact_and_left_is_left(family: str) -> None:
    positions = poses()
    motion = motion_from_joints(positions)
    flipped = (positions * [-1, 1, 1])[:, joint_swap()]
    mirror = motion_from_joints(flipped)
    for rest_pose, honest, rolls in zip(REST_POSES, (True, False, True), (True, False, False), strict=True):
        rest = make_rig(family, rest_pose, seed=2, honest=honest, odd_rolls=rolls)
        bone_map = recognise(rest)
        _, heads = forward_kinematics(rest, retarget_motion(motion, rest, bone_map))
        assert limb_errors(positions, rest, bone_map, heads) < 1e-6
        other = make_rig(family, rest_pose, seed=2, honest=honest, odd_rolls=rolls, mirrored=True)
        _, mirrored = forward_kinematics(other, retarget_motion(mirror, other, bone_map))
        for role in ("head", *(r for pair in LIMBS for r in pair), "leftIndexDistal", "leftThumbDistal", "leftShoulder"):
            if not bone_map.first(role):
                continue
            twin = role.replace("left", "?").replace("right", "left").replace("?", "right")
            here, there = heads[:, rest.index(bone_map.first(role))], mirrored[:, other.index(bone_map.first(twin))]
            assert np.abs(here * [-1, 1, 1] - there).max() < 1e-6, (rest_pose, role)


def test_fingers_point_as_the_persons_do() -> None:
    positions = poses()
    rest = make_rig("mixamo", "T", odd_rolls=True)
    bone_map = recognise(rest)
    _, heads = forward_kinematics(rest, retarget_motion(motion_from_joints(positions), rest, bone_map))
    for side in ("left", "right"):
        for finger, joint in (("Index", "forefinger"), ("Little", "pinky_finger"), ("Thumb", "thumb")):
            roles = ("Metacarpal", "Proximal") if finger == "Thumb" else ("Proximal", "Intermediate")
            a, b = (heads[:, rest.index(bone_map.first(f"{side}{finger}{r}"))] for r in roles)
            wanted = positions[:, joint_index(f"{side}_{joint}2")] - positions[:, joint_index(f"{side}_{joint}_third_joint")]
            assert np.degrees(angle_between(b - a, wanted)).max() < 1e-6


def test_rest_onto_itself_is_rest() -> None:
    for rest_pose in REST_POSES:
        rest = make_rig("ue4_mannequin", rest_pose, odd_rolls=True)
        bone_map = recognise(rest)
        still = np.broadcast_to(rest.rotations, (3, *rest.rotations.shape))
        hips = np.tile(rest.heads[rest.index("pelvis")], (3, 1))
        solved = retarget_motion(motion_from_rig(rest, bone_map, still, hips, 30.0), rest, bone_map)
        assert np.abs(np.abs(solved.rotations[..., 0]) - 1).max() < 1e-9
        assert np.abs(solved.location).max() < 1e-6


def test_hinges_coincide_whatever_the_roll() -> None:
    """A forearm bent by 90 degrees turns the upper arm's bone to the same place from any rest and roll: no skin wrings."""
    joints = person("T")
    moved = [n for n in JOINT_NAMES if n.startswith("left") and ("thumb" in n or "finger" in n or n.endswith("wrist"))]
    for name in moved:
        joints[name] = joints["left_elbow"] + rotation_from_vector([0, 0, -np.pi / 2]) @ (joints[name] - joints["left_elbow"])
    motion = motion_from_joints(np.array([[joints[n] for n in JOINT_NAMES]]))
    turns = []
    for rest_pose, rolls in (("T", False), ("T", True)):
        rest = make_rig("mixamo", rest_pose, odd_rolls=rolls)
        solved = retarget_motion(motion, rest, recognise(rest))
        turns.append(solved.turns["mixamorig:LeftArm"][0])
    assert np.abs(turns[0] - turns[1]).max() < 1e-9
    assert np.degrees(np.linalg.norm(angle_between(turns[0] @ [0, -1, 0], np.array([0, -1, 0])))) < 8  # no roll was added


def test_hips_follow_leg_length_and_feet_reach_the_same_height() -> None:
    positions = np.repeat(np.array([[person("A")[n] for n in JOINT_NAMES]]), 3, axis=0)
    positions[:, :, 0] += np.array([[0.0], [0.5], [1.0]])
    small = make_rig("mixamo")
    small = replace(small, matrices=_scaled(small.matrices, 0.5), lengths=small.lengths * 0.5)
    bone_map = recognise(small)
    solved = retarget_motion(motion_from_joints(positions), small, bone_map)
    _, heads = forward_kinematics(small, solved)
    hips = heads[:, small.index("mixamorig:Hips")]
    assert np.allclose(np.diff(hips[:, 0]), 0.25, atol=0.005)
    ankle = small.index("mixamorig:LeftFoot")
    assert np.abs(heads[:, ankle, 2] - small.heads[ankle, 2]).max() < 0.012 * STATURE
    still = retarget_motion(motion_from_joints(positions), small, bone_map, RetargetSettings(hips="height"))
    _, heads = forward_kinematics(small, still)
    assert np.ptp(heads[:, small.index("mixamorig:Hips"), 0]) < 1e-6
    assert retarget_motion(motion_from_joints(positions), small, bone_map, RetargetSettings(hips="none")).location is None


def _scaled(matrices: np.ndarray, factor: float) -> np.ndarray:
    out = matrices.copy()
    out[:, :3, 3] *= factor
    return out


def test_a_turned_and_scaled_object_changes_nothing_in_the_world() -> None:
    positions = poses(4)
    rest = make_rig("vrm1")
    world = np.eye(4)
    world[:3, :3] = 0.01 * rotation_from_vector([np.pi / 2, 0, 0])
    matrices = rest.matrices.copy()
    matrices[:, :3, :3] = rotation_from_vector([-np.pi / 2, 0, 0]) @ matrices[:, :3, :3]
    matrices[:, :3, 3] = 100 * matrices[:, :3, 3] @ rotation_from_vector([-np.pi / 2, 0, 0]).T
    exported = replace(rest, matrices=matrices, lengths=rest.lengths * 100, world=world)
    heads = []
    for rig in (rest, exported):
        _, local = forward_kinematics(rig, retarget_motion(motion_from_joints(positions), rig, recognise(rig)))
        heads.append(local @ rig.world[:3, :3].T)
    assert np.abs(heads[0] - heads[1]).max() < 1e-6


def test_unseen_limbs_rest_and_are_reported() -> None:
    seen = np.ones((5, 68), bool)
    seen[:, [joint_index("left_wrist"), joint_index("left_elbow")]] = False
    motion = motion_from_joints(poses(5), seen)
    assert {"leftUpperArm", "leftLowerArm", "leftHand"} <= set(motion.unseen)
    rest = make_rig("mixamo", "A", odd_rolls=True)
    solved = retarget_motion(motion, rest, recognise(rest))
    for bone in ("mixamorig:LeftArm", "mixamorig:LeftForeArm", "mixamorig:LeftHand"):
        q = solved.rotations[:, solved.bones.index(bone)]
        assert np.abs(np.abs(q[:, 0]) - 1).max() < 1e-9
    assert "leftUpperArm" in solved.unseen


def test_quaternions_never_change_hemisphere() -> None:
    t = np.linspace(0, 4 * np.pi, 90)
    base = np.array([person("A")[n] for n in JOINT_NAMES])
    positions = np.array([base @ rotation_from_vector([0, 0, a]).T for a in t])  # two whole turns
    rest = make_rig("ue4_mannequin")
    solved = retarget_motion(motion_from_joints(positions), rest, recognise(rest))
    assert (solved.rotations[1:] * solved.rotations[:-1]).sum(-1).min() > 0.99


@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_people_lying_and_upside_down_are_posed(degrees: float) -> None:
    base = np.array([person("A")[n] for n in JOINT_NAMES])
    positions = (base @ rotation_from_vector([np.radians(degrees), 0, 0]).T)[None]
    rest = make_rig("rigify_human_metarig")
    bone_map = recognise(rest)
    solved = retarget_motion(motion_from_joints(positions), rest, bone_map)
    assert np.isfinite(solved.rotations).all() and np.isfinite(solved.location).all()
    _, heads = forward_kinematics(rest, solved)
    assert limb_errors(positions, rest, bone_map, heads) < 1e-6


def test_degenerate_joints_give_rotations_not_numbers_that_are_none() -> None:
    positions = np.zeros((2, 68, 3))
    rest = make_rig("mixamo")
    with np.errstate(all="raise"):
        motion = motion_from_joints(poses(2))
        assert np.isfinite(retarget_motion(motion, rest, recognise(rest)).rotations).all()
    with pytest.raises(SapiensError, match="no person"):
        motion_from_joints(positions)
    with pytest.raises(SapiensError, match="finite"):
        motion_from_joints(np.full((2, 68, 3), np.nan))


def test_bones_between_keep_what_the_artist_gave_them() -> None:
    """An unmapped bone that is turned between two mapped ones is made up for."""
    rest = make_rig("mixamo")
    bone_map = recognise(rest)
    table = {r: b for r, b in bone_map.bones.items() if r != "leftShoulder"}
    turned = {"mixamorig:LeftShoulder": rotation_from_vector([0.3, 0.2, 0.5])}
    positions = poses(3)
    solved = retarget_motion(motion_from_joints(positions), rest, replace(bone_map, bones=table), present=turned)
    full = replace(solved, bones=(*solved.bones, "mixamorig:LeftShoulder"),
                   rotations=np.concatenate([solved.rotations, np.tile(_quaternion(turned), (3, 1, 1))], axis=1))  # fmt: skip
    _, heads = forward_kinematics(rest, full)
    assert limb_errors(positions, rest, bone_map, heads) < 1e-6


def _quaternion(turned: dict[str, np.ndarray]) -> np.ndarray:
    from sapiens2_avatar.core.common.rotations import quaternion_from_rotation

    return quaternion_from_rotation(next(iter(turned.values())))


def test_settings_refuse_what_does_not_exist() -> None:
    for bad in ({"hips": "fly"}, {"origin": "moon"}, {"forearm_twist": 2.0}):
        with pytest.raises(SapiensError):
            RetargetSettings(**bad)
