"""The pose of the photo on a rig whose rest is an A-pose or a T-pose: an action of one key, on a muted NLA track of its own."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from ..core.common.arrays import RigData
from ..core.common.rotations import quaternion_from_rotation
from .keys import Channels, add_muted_track, posed_bones, write_action

TRACK = "Photo Pose"
"""Shown with `show_photo_pose`, or its action assigned, the scan lies on its pixels again.

At rest the whole track is muted, not its strip: a muted strip on a live track still sets the bones back to their rest at every
change of frame, and the artist could not pose them.
"""


def write_photo_pose(obj: bpy.types.Object, rig: RigData, world_from_camera: np.ndarray) -> bpy.types.Action | None:
    """The action, or None where the rest of the rig is the pose in the photo already. The rig itself stays at rest."""
    if rig.photo_from_rest is None:
        return None
    action, _ = write_action(obj, f"{obj.name} {TRACK}", photo_channels(obj, rig, world_from_camera), np.array([1.0]))
    add_muted_track(obj, TRACK, action, 1)
    return action


def photo_pose_track(obj: bpy.types.Object) -> bpy.types.NlaTrack | None:
    """The track that `write_photo_pose` gave to this armature; None where its rest is the pose of the photo, or it is gone."""
    tracks = obj.animation_data.nla_tracks if obj.animation_data is not None else ()
    return next((track for track in tracks if track.name == TRACK and track.strips), None)


def photo_pose_shown(obj: bpy.types.Object) -> bool:
    """Whether the armature lies as in the photo now, as far as no action of its own goes over it."""
    track = photo_pose_track(obj)
    return track is not None and not track.mute


def show_photo_pose(obj: bpy.types.Object, shown: bool) -> None:
    """Let the armature lie as in the photo, in every frame, or go back to its rest. Without a track for it, nothing happens."""
    track = photo_pose_track(obj)
    if track is None or track.mute != shown:
        return
    track.mute = not shown
    for strip in track.strips:
        # Since 4.4 Blender orders a track's evaluation before the bones' only if it was live when the order was made; muting does
        # not make it anew, so that the scan could be deformed by bones of the moment before. A change of the strip's action does.
        strip.action = strip.action
    if not shown:  # bones keep the last values of an animation that is gone
        action = track.strips[0].action
        assert action is not None  # a strip of this track was made for one
        for name in posed_bones(action) & set(obj.pose.bones.keys()):
            obj.pose.bones[name].matrix_basis = Matrix.Identity(4)


def photo_pose_actions(objects: list[bpy.types.Object]) -> set[bpy.types.Action]:
    """The actions that `write_photo_pose` gave to these objects."""
    tracks = [t for obj in objects if obj.animation_data for t in obj.animation_data.nla_tracks if t.name == TRACK]
    return {strip.action for track in tracks for strip in track.strips if strip.action is not None}


def adopt_photo_pose(kept: bpy.types.Object, obj: bpy.types.Object) -> None:
    """The pose of the photo of a new rig for the rig in whose place it was built, shown there if the one before was."""
    old, new = photo_pose_track(kept), photo_pose_track(obj)
    shown = photo_pose_shown(kept if old is not None else obj)
    if old is not None:
        if shown and new is None:
            show_photo_pose(kept, False)  # bones would keep the values of a pose that is gone
        actions = photo_pose_actions([kept])
        kept.animation_data.nla_tracks.remove(old)
        bpy.data.batch_remove([action for action in actions if action.users == 0])
    if new is None:
        data = kept.animation_data
        if old is not None and data.action is None and not data.nla_tracks and not data.drivers:
            kept.animation_data_clear()
        return
    action = new.strips[0].action
    assert action is not None  # a strip of this track was made for one
    obj.animation_data.nla_tracks.remove(new)
    add_muted_track(kept, TRACK, action, 1)
    show_photo_pose(kept, shown)


def photo_channels(obj: bpy.types.Object, rig: RigData, world_from_camera: np.ndarray) -> list[Channels]:
    """One frame: rotations of all bones that turn, and the place of the root.

    With rest matrices B of a bone and P of its parent, and their poses p and q, the bone's own transform is (P^-1 B)^-1 (q^-1 p).
    """
    assert rig.photo_from_rest is not None
    rest = np.array([np.array(obj.data.bones[name].matrix_local) for name in rig.names])
    pose = world_from_camera @ rig.photo_from_rest @ np.linalg.inv(world_from_camera) @ rest
    parents = rig.parents[:, None, None]
    own = np.where(parents < 0, rest, np.linalg.inv(rest[rig.parents]) @ rest)
    posed = np.where(parents < 0, pose, np.linalg.inv(pose[rig.parents]) @ pose)
    basis = np.linalg.inv(own) @ posed
    turns = quaternion_from_rotation(basis[:, :3, :3])
    channels = []
    for i, name in enumerate(rig.names):
        channels.append(Channels(name, "rotation_quaternion", turns[i : i + 1], (0, 1, 2, 3)))
        if rig.parents[i] < 0:
            channels.append(Channels(name, "location", basis[i : i + 1, :3, 3], (0, 1, 2)))
    return channels
