"""A person's pose onto any armature of the scene, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np

from ..core.capture.ground import place
from ..core.common.arrays import Pose
from ..core.common.errors import SapiensError
from ..core.common.quaternions import continuous, euler_from_rotation, rotation_from_euler, unwrapped
from ..core.common.rotations import quaternion_from_rotation, rotation_from_quaternion, vector_from_rotation
from ..core.common.spaces import transform_points
from ..core.retarget.armature import RestRig
from ..core.retarget.body_motion import BodyMotion, motion_from_joints
from ..core.retarget.bone_map import BoneMap
from ..core.retarget.settings import RetargetSettings
from ..core.retarget.solve import RigMotion, mover_of, retarget_motion
from .bone_table import resolve
from .keys import Channels, write_pose
from .nla import overwrites, put_animation_aside
from .rig_state import check_controllable, find_armature, find_followed, is_held, leave_rest_position, read_rest, set_switches
from .rigify_snap import snap_rigify


@dataclass(frozen=True)
class Retargeted:
    """What was done to an armature.

    armature  the object
    family    title of the rig family that was recognised
    bones     names that were posed
    unseen    roles that the photo does not show: their bones rest
    notes     sentences for the artist
    """

    armature: bpy.types.Object
    family: str
    bones: tuple[str, ...]
    unseen: tuple[str, ...]
    notes: tuple[str, ...]


def retarget(
    pose: Pose | Sequence[Pose],
    armature: bpy.types.Object | str | None = None,
    *,
    bones: BoneMap | str | Path | None = None,
    settings: RetargetSettings | None = None,
    world_from_camera: np.ndarray | None = None,
    mute_constraints: bool = False,
    snap_ik: bool = True,
    put_aside: bool = False,
) -> Retargeted:
    """Pose an armature like the person. Only mapped bones change; scale never does; unseen bones go to rest.

    pose               joint centres in camera space (`core.pose.lift.lift_pose`); of several only the first is used: give a whole
                       motion to `scene.action.write_take`
    armature           object, its name, or None for the selected one
    bones              which bone plays which role: a map, or the file of a bone table, checked against the armature;
                       None = recognised by names, then by structure
    settings           None = the hips keep to the place of the rig and move up and down
    world_from_camera  (4, 4) where the camera stands; None = found from the pose (feet on the ground)
    mute_constraints   mute constraints that hold the mapped bones instead of refusing
    snap_ik            bring the IK controls of a Rigify rig to the FK pose, so that the artist can go on in either
    put_aside          unlink the action and mute the NLA tracks that would overwrite the pose; else a note says that they will

    SapiensError with the reason if the armature cannot be posed.
    """
    poses = [pose] if isinstance(pose, Pose) else list(pose)
    if not poses:
        raise SapiensError("There is no person to take a pose from.", "Choose a photo in which a person was found.")
    first = poses[0]
    if world_from_camera is None:
        world_from_camera = camera_of(first)
    points = transform_points(world_from_camera, first.positions.astype(np.float64))
    surface = transform_points(world_from_camera, first.surface.astype(np.float64))
    motion = motion_from_joints(points[None], first.seen[None], surface[None])
    done = pose_armature(
        find_armature(armature),
        motion,
        bones=bones,
        settings=settings,
        mute_constraints=mute_constraints,
        snap_ik=snap_ik,
        put_aside=put_aside,
    )
    notes = () if len(poses) == 1 else ("Several poses were given: the first was used.",)
    return replace(done, notes=(*notes, *done.notes))


def pose_armature(
    obj: bpy.types.Object,
    motion: BodyMotion,
    *,
    bones: BoneMap | str | Path | None = None,
    settings: RetargetSettings | None = None,
    mute_constraints: bool = False,
    snap_ik: bool = True,
    put_aside: bool = False,
) -> Retargeted:
    """The first frame of a motion as the present pose of an armature. Arguments and errors are those of `retarget`."""
    bone_map, solved, notes = solve(obj, motion, bones, settings, mute_constraints)
    if put_aside:
        notes += put_animation_aside(obj, solved.bones)
    for channels in channels_of(obj, solved):
        write_pose(obj, channels)
    obj.update_tag()
    if snap_ik:
        snap(obj)
    if overwrites(obj, solved.bones):
        notes += (f"'{obj.name}' is animated: insert keys, or the pose is lost when the frame changes.",)
    return Retargeted(
        obj, bone_map.title, solved.bones, solved.unseen, (*motion.notes, f"{obj.name}: {bone_map.summary}.", *notes)
    )


def camera_of(pose: Pose) -> np.ndarray:
    """(4, 4) world_from_camera that stands this person on the ground."""
    return place(pose, pose.positions).world_from_camera


def solve(
    obj: bpy.types.Object,
    motion: BodyMotion,
    bones: BoneMap | str | Path | None,
    settings: RetargetSettings | None,
    mute_constraints: bool,
) -> tuple[BoneMap, RigMotion, tuple[str, ...]]:
    """Bone map, rotations and notes: everything but the writing. Sets the switches of control rigs."""
    rest = read_rest(obj)
    bone_map = resolve(bones, rest)
    shown = leave_rest_position(obj)
    locked = {b.name for b in obj.pose.bones if all(b.lock_rotation)}
    # Second bones of a role that the rig itself turns after the first are left to it.
    led = {
        n for role, names in bone_map.bones.items() if role not in ("hips", "spine", "neck") for n in names[1:] if is_held(obj, n)
    }
    # A bone that may not turn is as good as unmapped: its children make up for it.
    kept = {
        role: tuple(n for n in names if n not in led and (n not in locked or (role == "hips" and n == names[0])))
        for role, names in bone_map.bones.items()
    }
    stuck = sorted(n for names in bone_map.bones.values() for n in names if n in locked)
    # Twist bones that the rig itself turns are left to it.
    twist = {role: tuple(n for n in names if n not in locked and not is_held(obj, n)) for role, names in bone_map.twist.items()}
    bone_map = replace(
        bone_map,
        bones={role: names for role, names in kept.items() if names},
        twist={role: names for role, names in twist.items() if names},
    )
    mapped = tuple(name for role, names in bone_map.bones.items() if role != "root" for name in names)
    mapped += tuple(name for names in bone_map.twist.values() for name in names)
    moves = settings is None or settings.hips != "none"
    mover = mover_of(rest, bone_map)
    held = (*mapped, mover) if moves and mover not in mapped else mapped
    notes = (*bone_map.notes, *shown, *check_controllable(obj, held, mute_constraints))
    set_switches(obj, bone_map.switches)
    follows = find_followed(obj, rest, tuple(sorted(mapped, key=rest.index)))
    solved = retarget_motion(motion, rest, bone_map, settings, follows, present_basis(obj, rest, mapped))
    if led:
        notes += (f"Left to what turns them in the rig: {', '.join(sorted(led))}.",)
    if moves and any(obj.pose.bones[mover].lock_location):
        notes += (f"Location of '{mover}' is locked and was kept: unlock it for the hips to go where the person's do.",)
    if stuck:
        notes += (f"Rotation is locked and was kept: {', '.join(stuck)}.",)
    if solved.unseen:
        notes += (f"Not seen, left at rest: {', '.join(solved.unseen)}.",)
    return bone_map, solved, notes


def present_basis(obj: bpy.types.Object, rest: RestRig, mapped: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Basis rotations of the unmapped bones above mapped ones, where the artist has posed them."""
    chosen = set(mapped)
    above = {rest.names[i] for name in mapped for i in rest.ancestors(rest.index(name))} - chosen
    out = {}
    for name in above:
        basis = np.array(obj.pose.bones[name].matrix_basis.to_quaternion(), np.float64)
        if abs(abs(basis[0]) - 1.0) > 1e-7:
            out[name] = rotation_from_quaternion(basis)
    return out


def channels_of(obj: bpy.types.Object, solved: RigMotion) -> list[Channels]:
    """Every channel to write, in each bone's own rotation mode.

    A locked component keeps the value it has; the other components are those of the rotation as if nothing were locked.
    """
    out = []
    for n, bone in enumerate(solved.bones):
        pose_bone = obj.pose.bones[bone]
        out += _rotation_channels(pose_bone, solved.rotations[:, n])
    if solved.location is not None:
        mover = obj.pose.bones[solved.mover]
        free = tuple(i for i in range(3) if not mover.lock_location[i])
        if free:
            out.append(Channels(solved.mover, "location", solved.location, free))
    return out


def _rotation_channels(pose_bone: bpy.types.PoseBone, quaternions: np.ndarray) -> list[Channels]:
    mode, locks = pose_bone.rotation_mode, list(pose_bone.lock_rotation)
    if all(locks):
        return []
    if mode == "QUATERNION":
        if any(locks) and not pose_bone.lock_rotations_4d:
            # Blender's own tools read locks of a quaternion bone as locks of its XYZ Euler angles.
            kept = np.array(pose_bone.rotation_quaternion.to_euler("XYZ"), np.float64)
            angles = unwrapped(euler_from_rotation(rotation_from_quaternion(quaternions), "XYZ"), "XYZ")
            angles[:, locks] = kept[locks]
            quaternions = continuous(quaternion_from_rotation(rotation_from_euler(angles, "XYZ")))
        free = (
            range(4)
            if not pose_bone.lock_rotations_4d
            else [i for i, lock in enumerate([pose_bone.lock_rotation_w, *locks]) if not lock]
        )
        return [Channels(pose_bone.name, "rotation_quaternion", quaternions, tuple(free))]
    if mode == "AXIS_ANGLE":
        vectors = vector_from_rotation(rotation_from_quaternion(quaternions))
        angle = np.linalg.norm(vectors, axis=1, keepdims=True)
        axis = np.where(angle > 1e-9, vectors / np.maximum(angle, 1e-9), np.array([0.0, 1.0, 0.0]))
        free = [0, *(i + 1 for i in range(3) if not locks[i])]
        return [Channels(pose_bone.name, "rotation_axis_angle", np.concatenate([angle, axis], axis=1), tuple(free))]
    angles = unwrapped(euler_from_rotation(rotation_from_quaternion(quaternions), mode), mode)
    return [Channels(pose_bone.name, "rotation_euler", angles, tuple(i for i in range(3) if not locks[i]))]


def snap(obj: bpy.types.Object) -> None:
    """Bring the IK controls of a generated Rigify rig to its FK pose; other rigs stay as they are."""
    if isinstance(obj.data, bpy.types.Armature) and "rig_id" in obj.data:
        snap_rigify(obj)
