"""Retargeting in Blender: what Blender evaluates is what the arrays say, on every version; what cannot be posed is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="no bpy in this Python")
mathutils = pytest.importorskip("mathutils", reason="no mathutils in this Python")

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("mixamo", "ue5_manny_quinn_metahuman_body", "vrm1", "smplx", "mpfb_default", "mhr", "soma", "daz_genesis8")


@pytest.fixture(scope="session")
def kinematics(factory):
    from measures.round_trip import forward_kinematics

    return forward_kinematics


@pytest.fixture
def armature(factory, character):
    """Function: a family's rig as an armature object, and the rig as arrays."""

    def make(family: str = "mixamo", rest_pose: str = "A", **options):
        return character(family, rest_pose, **options), factory.make_rig(family, rest_pose, **options)

    return make


def joints(factory, seed: int = 0, frames: int = 1) -> np.ndarray:
    """(F, 68, 3) world: the mean person, every limb turned at random and then steadily on."""
    from sapiens2_avatar.core.common.landmarks import JOINT_NAMES
    from sapiens2_avatar.core.common.rotations import rotation_from_vector

    rng = np.random.default_rng(seed)
    out = np.repeat(np.array([[factory.person("A")[n] for n in JOINT_NAMES]]), frames, axis=0)
    at = {n: i for i, n in enumerate(JOINT_NAMES)}
    for side in ("left", "right"):
        arm = [at[n] for n in JOINT_NAMES if n.startswith(side) and ("thumb" in n or "finger" in n or n.endswith("wrist"))]
        leg = [at[f"{side}_{n}"] for n in ("ankle", "heel", "big_toe", "small_toe")]
        for pivot, moved in (
            ("shoulder", [at[f"{side}_elbow"], *arm]),
            ("elbow", arm),
            ("hip", [at[f"{side}_knee"], *leg]),
            ("knee", leg),
        ):
            vector = rng.normal(size=3) * 0.4 + np.linspace(0, 1, frames)[:, None] * rng.normal(size=3) * 0.6
            centre = out[:, at[f"{side}_{pivot}"], None]
            out[:, moved] = centre + (out[:, moved] - centre) @ np.swapaxes(rotation_from_vector(vector), -1, -2)
    return out


@pytest.fixture
def pose(factory, part):
    """A pose in the space of a level camera; world_from_camera is `LEVEL`."""
    data, frames = part("core.common.arrays"), part("core.common.spaces")
    from sapiens2_avatar.core.common.landmarks import JOINT_NAMES

    positions = joints(factory)[0] @ frames.LEVEL_WORLD_FROM_CAMERA
    return data.Pose(JOINT_NAMES, positions.astype(np.float32), np.ones(68, np.float32), np.ones(68, bool),
                     np.full((308, 3), np.nan, np.float32), 1.7)  # fmt: skip


@pytest.fixture
def level(part) -> np.ndarray:
    out = np.eye(4)
    out[:3, :3] = part("core.common.spaces").LEVEL_WORLD_FROM_CAMERA
    return out


def evaluated(obj) -> dict[str, np.ndarray]:
    bpy.context.view_layer.update()
    return {b.name: np.array(b.matrix, np.float64) for b in obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones}


def expected(factory, kinematics, rest, pose, level) -> dict[str, np.ndarray]:
    """The pose of every bone from the arrays alone, in double precision: the same numbers for every version of Blender."""
    from sapiens2_avatar.core.retarget.body_motion import motion_from_joints
    from sapiens2_avatar.core.retarget.recognise import recognise
    from sapiens2_avatar.core.retarget.solve import retarget_motion

    world = pose.positions.astype(np.float64) @ level[:3, :3].T
    solved = retarget_motion(motion_from_joints(world[None]), rest, recognise(rest))
    rotations, heads = kinematics(rest, solved)
    return {name: np.column_stack([rotations[0, n], heads[0, n]]) for n, name in enumerate(rest.names)}


def as_checkout(rest):
    """The same rest pose as the checkout's own class: the extension under test may be another copy of the package."""
    from sapiens2_avatar.core.retarget.armature import RestRig

    return RestRig(**{name: getattr(rest, name) for name in RestRig.__dataclass_fields__})


@pytest.mark.parametrize("family", FAMILIES)
def test_blender_evaluates_what_the_arrays_say(family, factory, kinematics, armature, part, pose, level) -> None:
    for rest_pose, rolls in (("A", True), ("T", False), ("odd", True)):
        obj, rest = armature(family, rest_pose, odd_rolls=rolls)
        done = part("scene.retarget").retarget(pose, obj, world_from_camera=level)
        got, own = evaluated(obj), part("scene.rig_state").read_rest(obj)
        wanted, ideal = (expected(factory, kinematics, r, pose, level) for r in (as_checkout(own), rest))
        for name in rest.names:
            # Blender keeps the rolls of bones that point down to some 1e-5 only, and chains add that up; where joints are does
            # not hang on them.
            assert np.abs(got[name][:3, :3] - wanted[name][:, :3]).max() < 1e-4, (rest_pose, name)
            assert np.abs(got[name][:3, 3] - ideal[name][:, 3]).max() < 2e-5, (rest_pose, name)
        assert set(done.bones) <= set(rest.names) and not done.unseen


def test_only_mapped_bones_change_and_nothing_is_stretched(armature, part, pose, level) -> None:
    obj, _ = armature("vrm1")
    other, _ = armature("smplx")
    other.select_set(True)
    bpy.context.view_layer.objects.active = other
    before = {b.name: b.matrix_basis.copy() for b in obj.pose.bones}
    done = part("scene.retarget").retarget(pose, obj, world_from_camera=level)
    for bone in obj.pose.bones:
        assert tuple(bone.scale) == (1, 1, 1)
        if bone.name not in done.bones:
            assert bone.matrix_basis == before[bone.name]
    moved = [b.name for b in obj.pose.bones if tuple(b.location) != (0, 0, 0)]
    assert moved == ["hips"]
    assert bpy.context.view_layer.objects.active == other and other.select_get() and not obj.select_get()
    assert [s.name for s in bpy.data.scenes] == [bpy.context.scene.name]


def hang_on(obj, bone: str, part) -> None:
    """Give a bone a parent that it is connected to."""
    with part("scene.armature").edit_bones(obj) as bones:
        root, held = bones.new("root"), bones[bone]
        root.head, root.tail = held.head + mathutils.Vector((0.1, 0.2, -0.5)), held.head
        held.parent, held.use_connect = root, True


def hip_joints(obj) -> np.ndarray:
    posed = evaluated(obj)
    return np.array([(posed["mixamorig:LeftUpLeg"] + posed["mixamorig:RightUpLeg"])[:3, 3] / 2])


@pytest.mark.parametrize("turned", [False, True])
def test_hips_that_are_connected_travel_with_their_parent(turned, armature, part, pose, level) -> None:
    """Blender ignores the location of a connected bone: the bone that it hangs on carries it."""
    free, _ = armature("mixamo")
    held, _ = armature("mixamo")
    hang_on(held, "mixamorig:Hips", part)
    if turned:
        held.pose.bones["root"].rotation_quaternion = mathutils.Euler((0.2, 0.3, 0.4)).to_quaternion()
    moved = level.copy()
    moved[:3, 3] = 1.0, 2.0, 0.3
    settings = part("core.retarget.settings").RetargetSettings(origin="person")
    for obj in (free, held):
        part("scene.retarget").retarget(pose, obj, world_from_camera=moved, settings=settings)
    assert np.allclose(hip_joints(held), hip_joints(free), atol=1e-4)
    assert np.linalg.norm(hip_joints(held)[0, :2]) > 1 and tuple(held.pose.bones["mixamorig:Hips"].location) == (0, 0, 0)


def test_hips_that_may_not_move_are_said(armature, part, pose, level) -> None:
    obj, _ = armature("mixamo")
    obj.pose.bones["mixamorig:Hips"].lock_location = (True, True, True)
    done = part("scene.retarget").retarget(pose, obj, world_from_camera=level)
    assert any("Location of 'mixamorig:Hips' is locked and was kept" in note for note in done.notes)
    settings = part("core.retarget.settings").RetargetSettings(hips="none")
    done = part("scene.retarget").retarget(pose, obj, world_from_camera=level, settings=settings)
    assert not any("Location of" in note for note in done.notes)
    hang_on(obj, "mixamorig:Hips", part)
    obj.pose.bones["root"].constraints.new("LIMIT_LOCATION")
    with pytest.raises(part("core.common.errors").SapiensError, match="Constraints hold 'root'"):
        part("scene.retarget").retarget(pose, obj, world_from_camera=level)


@pytest.mark.parametrize("mode", ["XYZ", "ZYX", "YXZ", "AXIS_ANGLE"])
def test_every_rotation_mode_gives_the_same_pose(mode, armature, part, pose, level) -> None:
    obj, _ = armature("mixamo", odd_rolls=True)
    part("scene.retarget").retarget(pose, obj, world_from_camera=level)
    wanted = evaluated(obj)
    for bone in obj.pose.bones:
        bone.rotation_mode = mode
        bone.rotation_euler, bone.rotation_axis_angle = (0, 0, 0), (0, 0, 1, 0)
    part("scene.retarget").retarget(pose, obj, world_from_camera=level)
    got = evaluated(obj)
    assert max(np.abs(got[n] - wanted[n]).max() for n in wanted) < 1e-5
    assert all(b.rotation_mode == mode for b in obj.pose.bones)


def test_locked_channels_keep_their_values(armature, part, pose, level) -> None:
    obj, _ = armature("mixamo")
    bones = obj.pose.bones
    bones["mixamorig:LeftArm"].lock_rotation = (True, True, True)
    bones["mixamorig:RightArm"].rotation_mode = "XYZ"
    bones["mixamorig:RightArm"].rotation_euler = (0.1, 0.2, 0.3)
    bones["mixamorig:RightArm"].lock_rotation = (False, True, False)
    for side, four in (("Left", False), ("Right", True)):
        bones[f"mixamorig:{side}UpLeg"].lock_rotation = (False, True, False)
        bones[f"mixamorig:{side}UpLeg"].lock_rotations_4d = four
    bones["mixamorig:Hips"].lock_location = (True, False, True)
    done = part("scene.retarget").retarget(pose, obj, world_from_camera=level)
    assert "Rotation is locked and was kept: mixamorig:LeftArm." in done.notes
    assert (
        bones["mixamorig:RightUpLeg"].rotation_quaternion.y == 0
        and abs(bones["mixamorig:RightUpLeg"].rotation_quaternion.w) < 0.9999
    )
    assert tuple(bones["mixamorig:LeftArm"].rotation_quaternion) == (1, 0, 0, 0)
    assert bones["mixamorig:RightArm"].rotation_euler.y == pytest.approx(0.2)
    assert bones["mixamorig:RightArm"].rotation_euler.x != pytest.approx(0.1)
    assert bones["mixamorig:LeftUpLeg"].rotation_quaternion.to_euler("XYZ").y == pytest.approx(0, abs=1e-6)
    assert bones["mixamorig:Hips"].location.x == 0 and bones["mixamorig:Hips"].location.z == 0


def add_driver(obj) -> None:
    obj.driver_add('pose.bones["mixamorig:LeftArm"].rotation_quaternion', 1).driver.expression = "0.3"


def add_constraint(obj) -> None:
    obj.pose.bones["mixamorig:LeftForeArm"].constraints.new("LIMIT_ROTATION")


def enter_edit_mode(obj) -> None:
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")


def remove_bones(obj, part) -> None:
    with part("scene.armature").edit_bones(obj) as bones:
        for bone in list(bones):
            bones.remove(bone)


@pytest.mark.parametrize(("change", "says"), [
    (lambda o: setattr(o, "scale", (1, 1, 2)), "scaled unevenly"), (lambda o: setattr(o, "scale", (-1, 1, 1)), "mirrored"),
    (add_driver, "Drivers turn 'mixamorig:LeftArm'"), (add_constraint, "Constraints hold 'mixamorig:LeftForeArm'"),
    (enter_edit_mode, "Edit Mode"),
])  # fmt: skip
def test_what_cannot_be_posed_is_refused_with_the_reason(change, says, armature, part, pose, level) -> None:
    obj, _ = armature("mixamo")
    change(obj)
    bpy.context.view_layer.update()
    with pytest.raises(part("core.common.errors").SapiensError, match=says):
        part("scene.retarget").retarget(pose, obj, world_from_camera=level)
    if obj.mode == "EDIT":
        bpy.ops.object.mode_set(mode="OBJECT")


def test_constraints_are_muted_when_asked(armature, part, pose, level, factory, kinematics) -> None:
    obj, rest = armature("mixamo")
    add_constraint(obj)
    done = part("scene.retarget").retarget(pose, obj, world_from_camera=level, mute_constraints=True)
    assert any("LeftForeArm" in note for note in done.notes)
    wanted = expected(factory, kinematics, rest, pose, level)
    assert np.abs(evaluated(obj)["mixamorig:LeftHand"][:3] - wanted["mixamorig:LeftHand"]).max() < 1e-5


def test_twist_bones_follow_unless_the_rig_turns_them(armature, part, pose, level, factory) -> None:
    """Unreal's twist bones share the turn of the hand; one with a constraint of the rig's own is left to it."""
    for held in (False, True):
        obj, _ = armature("ue5_manny_quinn_metahuman_body", "T")
        with part("scene.armature").edit_bones(obj) as bones:
            for side in "lr":
                lower, hand = bones[f"lowerarm_{side}"], bones[f"hand_{side}"]
                twist = bones.new(f"lowerarm_twist_01_{side}")
                twist.head = lower.head.lerp(hand.head, 0.5)
                twist.tail = twist.head + (lower.tail - lower.head) * 0.3
                twist.roll, twist.parent = lower.roll, lower
        if held:
            obj.pose.bones["lowerarm_twist_01_l"].constraints.new("COPY_ROTATION")
        done = part("scene.retarget").retarget(pose, obj, world_from_camera=level)
        assert ("lowerarm_twist_01_l" in done.bones) is not held and "lowerarm_twist_01_r" in done.bones
        assert abs(obj.pose.bones["lowerarm_twist_01_r"].rotation_quaternion.w) < 0.99999
        bpy.data.objects.remove(obj)


def test_second_bones_of_a_role_are_left_to_what_turns_them(armature, part, pose, level) -> None:
    """The D bones of MikuMikuDance carry the skin of the legs: they turn with the legs, unless a constraint does it."""
    for held in (False, True):
        obj, _ = armature("mmd", "A")
        with part("scene.armature").edit_bones(obj) as bones:
            leg, copy = bones["左足"], bones.new("左足D")
            copy.head, copy.tail, copy.roll, copy.parent = leg.head, leg.tail, leg.roll, leg.parent
        if held:
            constraint = obj.pose.bones["左足D"].constraints.new("COPY_ROTATION")
            constraint.target, constraint.subtarget = obj, "左足"
        done = part("scene.retarget").retarget(pose, obj, world_from_camera=level)
        assert done.family == "MikuMikuDance" and ("左足D" in done.bones) is not held
        assert any("Left to what turns them in the rig: 左足D" in note for note in done.notes) is held
        assert np.abs(evaluated(obj)["左足D"] - evaluated(obj)["左足"]).max() < 1e-4
        bpy.data.objects.remove(obj)


def test_targets_that_are_no_one_armature(armature, part, pose, level) -> None:
    retarget, error = part("scene.retarget").retarget, part("core.common.errors").SapiensError
    with pytest.raises(error, match="No armature is selected"):
        retarget(pose, world_from_camera=level)
    with pytest.raises(error, match="no object named ''"):
        retarget(pose, "", world_from_camera=level)
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    with pytest.raises(error, match="'Cube' is not an armature"):
        retarget(pose, cube, world_from_camera=level)
    one, two = armature("mixamo")[0], armature("smplx")[0]
    one.select_set(True), two.select_set(True)
    with pytest.raises(error, match="2 armatures are selected"):
        retarget(pose, world_from_camera=level)
    two.select_set(False)
    assert retarget(pose, world_from_camera=level).armature == one
    remove_bones(two, part)
    with pytest.raises(error, match="no bones"):
        retarget(pose, two, world_from_camera=level)
    with pytest.raises(error, match="no person"):
        retarget([], one, world_from_camera=level)


def test_a_linked_armature_is_refused_and_its_override_posed(armature, part, pose, level, tmp_path) -> None:
    obj, _ = armature("mixamo")
    path = str(tmp_path / "library.blend")
    bpy.data.libraries.write(path, {obj})
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(path, link=True) as (_, into):
        into.objects = ["mixamo"]
    linked = into.objects[0]
    bpy.context.scene.collection.objects.link(linked)
    with pytest.raises(part("core.common.errors").SapiensError, match="is linked from"):
        part("scene.retarget").retarget(pose, linked, world_from_camera=level)
    override = linked.override_create(remap_local_usages=True)
    done = part("scene.retarget").retarget(pose, override, world_from_camera=level)
    assert done.armature == override
    assert abs(override.pose.bones["mixamorig:LeftArm"].rotation_quaternion.w) < 0.9999


def test_a_deleted_bone_is_reported_and_the_rest_is_posed(armature, part, pose, level) -> None:
    obj, _ = armature("mixamo")
    with part("scene.armature").edit_bones(obj) as bones:
        bones.remove(bones["mixamorig:LeftForeArm"])
    done = part("scene.retarget").retarget(pose, obj, world_from_camera=level)
    assert any("leftLowerArm" in note for note in done.notes)
    assert "mixamorig:RightForeArm" in done.bones


def curves(action) -> list:
    if hasattr(action, "layers"):
        return [c for layer in action.layers for strip in layer.strips for bag in strip.channelbags for c in bag.fcurves]
    return list(action.fcurves)


@pytest.mark.parametrize("rate", [30, 24])
def test_a_motion_becomes_an_action(rate, armature, part, factory, kinematics) -> None:
    obj, rest = armature("ue4_mannequin", "T", odd_rolls=True)
    old = bpy.data.actions.new("mine")
    obj.animation_data_create().action = old
    bpy.context.scene.render.fps = rate
    motion = part("core.retarget.body_motion").motion_from_joints(joints(factory, frames=31), fps=30.0)
    written = part("scene.action").write_take(motion, obj, name="clip", start_frame=5)
    assert obj.animation_data.action == written.action and old.name in bpy.data.actions and old.use_fake_user
    found = curves(written.action)
    assert {c.data_path.rsplit(".", 1)[1] for c in found} == {"rotation_quaternion", "location"}
    assert written.keys == sum(len(c.keyframe_points) for c in found) == 31 * len(found)
    assert {k.interpolation for k in found[0].keyframe_points} == {"LINEAR"}
    bone_map = part("core.retarget.recognise").recognise(rest)
    keyed = {c.data_path.split('"')[1] for c in found}
    assert keyed <= {name for names in bone_map.bones.values() for name in names} and "root" not in keyed
    rotations, heads = kinematics(rest, part("core.retarget.solve").retarget_motion(motion, rest, bone_map))
    for n in (0, 10, 30):
        frame = 5 + n * rate / 30
        bpy.context.scene.frame_set(int(frame), subframe=frame - int(frame))
        got = evaluated(obj)
        for name in ("hand_l", "foot_r", "head", "index_03_l"):
            b = rest.index(name)
            assert np.abs(got[name][:3] - np.column_stack([rotations[n, b], heads[n, b]])).max() < 1e-5


def test_the_raw_take_lies_on_a_muted_track(armature, part, factory) -> None:
    pytest.importorskip("scipy", reason="takes are made with scipy")
    data, frames = part("core.common.arrays"), part("core.common.spaces")
    from sapiens2_avatar.core.common.landmarks import JOINT_NAMES

    poses = [data.Pose(JOINT_NAMES, p.astype(np.float32), np.ones(68, np.float32), np.ones(68, bool),
                       np.full((308, 3), np.nan, np.float32), 1.7)
             for p in (joints(factory, frames=12) - [0, -5, 1]) @ frames.LEVEL_WORLD_FROM_CAMERA]  # fmt: skip
    poses[4] = poses[5] = None
    take = part("core.motion.take").make_take(poses, 30.0)
    obj, _ = armature("mixamo")
    written = part("scene.action").write_take(take, obj)
    for action in (written.action, written.raw_action):  # frames in which nobody was found are marked
        for curve in curves(action):
            assert [n for n, k in enumerate(curve.keyframe_points) if k.type == "BREAKDOWN"] == [4, 5]
    tracks = obj.animation_data.nla_tracks
    assert [t.name for t in tracks] == ["Raw take"] and tracks[0].mute
    assert tracks[0].strips[0].action == written.raw_action != written.action
    assert len(curves(written.raw_action)) == len(curves(written.action))


@pytest.mark.slow
def test_a_generated_rigify_rig_follows_in_fk_and_ik(factory, tmp_path) -> None:
    np.save(tmp_path / "joints.npy", np.concatenate([joints(factory, seed) for seed in range(3)]))
    command = [sys.executable, str(Path(__file__).with_name("rigify_script.py")), str(tmp_path / "joints.npy")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert "RESULT " in run.stdout, run.stderr[-2000:]
    result = json.loads(run.stdout.split("RESULT ")[1])
    assert result["family"] == "Rigify generated rig" and result["bones"] >= 20
    assert result["fk"] < 0.01
    assert result["ik"] < 0.1
    assert all(bend > 20 for bend in result["straight"])  # to the side to which elbows bend
