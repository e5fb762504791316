"""The pose of the photo on a rig whose rest is an A-pose or a T-pose: an action of one key, on a muted NLA track of its own."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.data import RigData
from ..core.rotations import quaternion_from_rotation
from .action import write_action
from .retarget import Channels

TRACK = "Photo Pose"
"""Unmute this track, or assign its action, and the scan lies on its pixels again."""


def write_photo_pose(obj: bpy.types.Object, rig: RigData, world_from_camera: np.ndarray) -> bpy.types.Action | None:
    """The action, or None where the rest of the rig is the pose in the photo already. The rig itself stays at rest."""
    if rig.photo_from_rest is None:
        return None
    action, _ = write_action(obj, f"{obj.name} {TRACK}", _channels(obj, rig, world_from_camera), np.array([1.0]))
    data = obj.animation_data or obj.animation_data_create()
    track = data.nla_tracks.new()
    track.name = TRACK
    strip = track.strips.new(action.name, 1, action)
    if hasattr(strip, "action_slot") and action.slots:
        strip.action_slot = action.slots[0]
    track.mute = True
    return action


def photo_pose_actions(objects: list[bpy.types.Object]) -> set[bpy.types.Action]:
    """The actions that `write_photo_pose` gave to these objects."""
    tracks = [t for obj in objects if obj.animation_data for t in obj.animation_data.nla_tracks if t.name == TRACK]
    return {strip.action for track in tracks for strip in track.strips if strip.action is not None}


def _channels(obj: bpy.types.Object, rig: RigData, world_from_camera: np.ndarray) -> list[Channels]:
    """One frame: rotations of all bones that turn, and the place of the root.

    With rest matrices B of a bone and P of its parent, and their poses p and q, the bone's own transform is (P^-1 B)^-1 (q^-1 p).
    """
    assert rig.photo_from_rest is not None
    rest = np.array([np.array(obj.data.bones[name].matrix_local) for name in rig.names])
    pose = world_from_camera @ rig.photo_from_rest @ np.linalg.inv(world_from_camera) @ rest
    channels = []
    for i, name in enumerate(rig.names):
        parent = int(rig.parents[i])
        own, posed = rest[i], pose[i]
        if parent >= 0:
            own, posed = np.linalg.inv(rest[parent]) @ own, np.linalg.inv(pose[parent]) @ posed
        basis = np.linalg.inv(own) @ posed
        channels.append(Channels(name, "rotation_quaternion", quaternion_from_rotation(basis[None, :3, :3]), (0, 1, 2, 3)))
        if parent < 0:
            channels.append(Channels(name, "location", basis[None, :3, 3], (0, 1, 2)))
    return channels
