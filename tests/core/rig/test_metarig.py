"""The armature: Rigify's metarig, through the joints, rolled to the hinges, left is left, and back to an A-pose or T-pose."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera, MeshData, Pose, SkinWeights
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import DATA, JOINT_NAMES, joint_index, joint_swap
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import angle_between, perpendicular, rotation_from_vector, unit
from sapiens2_avatar.core.pose.lift import lift_pose
from sapiens2_avatar.core.rig.metarig import RigSettings, make_rig
from sapiens2_avatar.core.rig.rest_pose import deform, pose_rig, rest_rotations, standing_rig, unpose
from sapiens2_avatar.core.rig.rigify_types import RIGIFY_BONES, RIGIFY_COLLECTIONS, collection_of
from support.people import photograph, standing

CAMERA = Camera(800, 1000, 1400.0, 1400.0, 399.5, 499.5)


def template_pose(yaw: float = 20.0) -> Pose:
    joints, points = standing(yaw)
    whole = np.ones(68, np.float32)
    return Pose(JOINT_NAMES, joints.astype(np.float32), whole, whole > 0, points.astype(np.float32), 1.72)


@pytest.fixture(scope="module")
def rig():
    return make_rig(template_pose())


def test_names_parents_and_connections_are_those_of_the_metarig(rig):
    metarig = json.loads((DATA / "bone_tables.json").read_text("utf-8"))["rigs"]["rigify_human_metarig"]["bones"]
    for name, parent in zip(rig.names, rig.parents, strict=True):
        assert name in metarig
        assert metarig[name]["parent"] == (rig.names[parent] if parent >= 0 else None)
    assert set(rig.names) == set(metarig)


def test_parents_come_first_and_connected_heads_sit_on_tails(rig):
    for i, parent in enumerate(rig.parents):
        assert parent < i
        if rig.connected[i]:
            assert np.allclose(rig.heads[i], rig.tails[parent])
    assert np.linalg.norm(rig.tails - rig.heads, axis=1).min() > 1e-3
    assert np.allclose(np.linalg.norm(rig.z_axes, axis=1), 1, atol=1e-5)


def test_bones_go_through_the_joints(rig):
    pose = template_pose()
    at = lambda bone, end: getattr(rig, end)[rig.names.index(bone)]  # noqa: E731
    assert np.allclose(at("spine", "heads"), pose["pelvis"]) and np.allclose(at("spine.004", "heads"), pose["neck"])
    assert np.allclose(at("spine.006", "heads"), pose["head"]) and np.allclose(at("spine.006", "tails"), pose["head_top"])
    for side, s in (("left", "L"), ("right", "R")):
        for bone, joint in (
            ("upper_arm", "shoulder"),
            ("forearm", "elbow"),
            ("hand", "wrist"),
            ("thigh", "hip"),
            ("shin", "knee"),
            ("foot", "ankle"),
        ):
            assert np.allclose(at(f"{bone}.{s}", "heads"), pose[f"{side}_{joint}"])
        for bone, finger in (("thumb", "thumb"), ("f_index", "forefinger"), ("f_pinky", "pinky_finger")):
            assert np.allclose(at(f"{bone}.01.{s}", "heads"), pose[f"{side}_{finger}_third_joint"])
            assert np.allclose(at(f"{bone}.03.{s}", "tails"), pose[f"{side}_{finger}4"])


def test_local_z_points_to_the_side_the_joint_bends_to(rig):
    frames = rig.axes()
    for s in "LR":
        for inner, outer in (("upper_arm", "forearm"), ("thigh", "shin")):
            i, o = rig.names.index(f"{inner}.{s}"), rig.names.index(f"{outer}.{s}")
            bend = perpendicular((rig.tails[o] - rig.heads[o]).astype(float), frames[i, :, 1])
            if np.linalg.norm(bend) > 0.02:
                assert angle_between(bend, frames[i, :, 2]) < np.radians(35)
        for k in (1, 2):
            i, o = rig.names.index(f"f_middle.0{k}.{s}"), rig.names.index(f"f_middle.0{k + 1}.{s}")
            curl = perpendicular(unit((rig.tails[o] - rig.heads[o]).astype(float)), frames[i, :, 1])
            assert curl @ frames[i, :, 2] > 0


def test_rolls_agree_with_rigifys_own_metarig():
    rows = json.loads((DATA / "bone_tables.json").read_text("utf-8"))["rigs"]["rigify_human_metarig"]["bones"]
    rig = standing_rig(30.0)
    # z of the metarig's bones, from head, tail and roll as Blender computes them, for the bones whose roll carries meaning
    wanted = {"thigh.L": (0, 1, 0), "shin.L": (0, 1, 0), "spine": (0, -1, 0), "spine.006": (0, -1, 0),
              "upper_arm.L": (0.19, -0.98, -0.1),
              "forearm.L": (-0.12, -0.99, 0.08), "hand.L": (-0.08, -1, 0.06), "toe.L": (0, 0, 1),
              "shoulder.L": (0, 0, 1)}  # fmt: skip
    frames = rig.axes()
    for name, z in wanted.items():
        assert name in rows
        assert np.degrees(angle_between(frames[rig.names.index(name), :, 2], np.array(z, float))) < 30, name


def test_mirrored_pose_gives_the_mirrored_rig():
    pose = template_pose()
    flip = np.array([-1, 1, 1], np.float32)
    other = replace(pose, positions=pose.positions[joint_swap()] * flip, surface=np.full((308, 3), np.nan, np.float32))
    rig, mirrored = make_rig(replace(pose, surface=np.full((308, 3), np.nan, np.float32))), make_rig(other)
    for i, name in enumerate(rig.names):
        twin = name.replace(".L", ".*").replace(".R", ".L").replace(".*", ".R")
        j = mirrored.names.index(twin)
        for field in ("heads", "z_axes"):
            assert np.allclose(getattr(mirrored, field)[j], getattr(rig, field)[i] * flip, atol=1e-5), (name, field)
        if not name.startswith("heel"):
            assert np.allclose(mirrored.tails[j], rig.tails[i] * flip, atol=1e-5)


def test_unseen_joints_make_unseen_bones():
    joints, points = standing(0, distance=2.2)
    pose = lift_pose(photograph(points, Camera(800, 500, 900.0, 900.0, 399.5, 349.5)))
    rig = make_rig(pose)
    unseen = {n for n, u in zip(rig.names, rig.unseen, strict=True) if u}
    assert {"foot.L", "toe.R", "shin.L"} <= unseen
    assert "spine.006" not in unseen or not pose.is_seen("head")
    assert len(joints) == 68


def test_settings_leave_bones_out():
    pose = template_pose()
    small = make_rig(pose, RigSettings(fingers=False, breasts=False))
    assert not any(n.startswith(("f_", "thumb", "palm", "breast")) for n in small.names)
    assert small.names[0] == "spine" and (small.parents < np.arange(len(small.names))).all()


def test_a_collapsed_pose_still_makes_bones_with_a_length():
    pose = template_pose()
    rig = make_rig(replace(pose, positions=np.zeros_like(pose.positions) + np.float32(1)))
    assert np.isfinite(rig.heads).all() and np.isfinite(rig.z_axes).all()
    assert np.linalg.norm(rig.tails - rig.heads, axis=1).min() > 1e-3


def test_rigify_table_names_bones_and_collections_that_exist(rig):
    collections = {name for name, _, _ in RIGIFY_COLLECTIONS}
    for name, row in RIGIFY_BONES.items():
        assert name in rig.names or name == "face"
        assert set(row.collections.values()) <= collections
    assert {collection_of(n) for n in rig.names} <= collections


def test_unposing_gives_arms_at_their_angle_and_can_be_undone(rig):
    for rest, below in (("A", 45.0), ("T", 0.0)):
        posed, maps = pose_rig(rig, rest_rotations(rig, rest))
        for s in "LR":
            i = posed.names.index(f"upper_arm.{s}")
            arm = unit((posed.tails[i] - posed.heads[i]).astype(float))
            assert np.degrees(np.arcsin(arm[1])) == pytest.approx(below, abs=4)  # camera y is down
            thigh = unit((posed.tails - posed.heads)[posed.names.index(f"thigh.{s}")].astype(float))
            assert thigh[1] > 0.97
        lengths = lambda r: np.linalg.norm(r.tails - r.heads, axis=1)  # noqa: E731
        assert np.allclose(lengths(posed), lengths(rig), atol=1e-5)
        back, _ = pose_rig(posed, np.swapaxes(rest_rotations(rig, rest), 1, 2))
        assert np.allclose(back.tails, rig.tails, atol=1e-5) and np.allclose(back.z_axes, rig.z_axes, atol=1e-5)
        assert np.allclose(maps[:, 3], [0, 0, 0, 1])


def test_deforming_a_mesh_bound_to_one_bone_moves_it_rigidly(rig):
    rng = np.random.default_rng(0)
    count, bone = 50, rig.names.index("forearm.L")
    vertices = rng.normal(size=(count, 3)).astype(np.float32)
    mesh = MeshData(
        vertices,
        np.zeros((0, 3), np.int32),
        np.zeros((count, 2), np.float32),
        unit(vertices).astype(np.float32),
        np.zeros(count, np.uint8),
    )
    weights = SkinWeights(np.full((count, 1), bone, np.int32), np.ones((count, 1), np.float32))
    turns = np.broadcast_to(rotation_from_vector(np.array([0.2, 0.5, -0.3])), (len(rig.names), 3, 3))
    _, maps = pose_rig(rig, turns)
    moved = deform(mesh, weights, maps)
    assert np.allclose(moved.vertices, vertices @ maps[bone, :3, :3].T + maps[bone, :3, 3], atol=1e-5)
    assert np.allclose(np.linalg.norm(moved.normals, axis=1), 1, atol=1e-5)
    same, posed = unpose(mesh, standing_rig(45.0), SkinWeights(weights.bones * 0, weights.weights), "A")
    assert posed.photo_from_rest.shape == (len(posed.names), 4, 4) and np.isfinite(same.vertices).all()


def test_an_unknown_rest_pose_is_refused(rig):
    with pytest.raises(SapiensError, match="rest pose"):
        rest_rotations(rig, "Y")


def test_rig_of_a_sitting_person_has_bent_knees(studio):
    rig = make_rig(lift_pose(Predictions.load(studio("body_sit"))))
    direction = lambda n: unit((rig.tails - rig.heads)[rig.names.index(n)].astype(float))  # noqa: E731
    for s in "LR":
        assert 50 < np.degrees(angle_between(direction(f"thigh.{s}"), direction(f"shin.{s}"))) < 130
        frame = rig.axes()[rig.names.index(f"thigh.{s}")]
        assert direction(f"shin.{s}") @ frame[:, 2] > 0.6  # the knee bends to +z
    assert joint_index("left_knee") >= 0
