"""Keys of an armature: channels of pose bones into actions, muted tracks, or the present pose.

Keys are written in bulk: whole F-curves at once, never frame by frame. Where they come from is the caller's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Euler, Quaternion, Vector

LINEAR = 1  # Blender's number for linear interpolation in bulk writes
BRIDGED = "BREAKDOWN"  # the kind of the keys where nobody was found: the dope sheet shows them smaller and in another colour


@dataclass(frozen=True, eq=False)
class Channels:
    """What to write on one bone, in its own rotation mode and with its locks kept.

    path    "rotation_quaternion", "rotation_euler", "rotation_axis_angle" or "location"
    values  (F, 4) or (F, 3) float64
    free    indices of the components that may be written; locked ones keep their value
    """

    bone: str
    path: str
    values: np.ndarray
    free: tuple[int, ...]

    @property
    def data_path(self) -> str:
        """Where Blender finds it, from the armature object."""
        return bone_path(self.bone, self.path)


def bone_path(bone: str, path: str) -> str:
    """The path of a property of a pose bone, from the armature object."""
    return f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{path}'


def write_action(
    obj: bpy.types.Object, name: str, channels: list[Channels], frames: np.ndarray, bridged: np.ndarray | None = None
) -> tuple[bpy.types.Action, int]:
    """A new action with one F-curve per free channel, linear between keys. Returns it and the number of keys.

    frames   (F,) scene frames of the keys
    bridged  (F,) bool: keys of frames in which the person was not found, which become breakdown keys; None = there are none
    """
    action = bpy.data.actions.new(name)
    curves, new_curve = _curves(action, obj)
    points = np.empty((len(frames), 2), np.float32)
    points[:, 0] = frames
    linear = np.full(len(frames), LINEAR, np.int32)
    kinds = None
    if bridged is not None and bridged.any():
        known = bpy.types.Keyframe.bl_rna.properties["type"].enum_items
        kinds = np.where(bridged, known[BRIDGED].value, known["KEYFRAME"].value).astype(np.int32)
    for channel in channels:
        for index in channel.free:
            curve = new_curve(curves, channel.data_path, index, channel.bone)
            curve.keyframe_points.add(len(frames))
            points[:, 1] = channel.values[:, index]
            curve.keyframe_points.foreach_set("co", points.ravel())
            curve.keyframe_points.foreach_set("interpolation", linear)
            if kinds is not None:
                curve.keyframe_points.foreach_set("type", kinds)
            curve.update()
    return action, sum(len(c.free) for c in channels) * len(frames)


def _curves(action: bpy.types.Action, obj: bpy.types.Object) -> tuple:
    """Where F-curves of this action for this object go, and how one is made: layers and slots since 4.4, a flat list before."""
    if hasattr(action, "layers"):
        slot = action.slots.new(id_type="OBJECT", name=obj.name)
        bag = action.layers.new("Layer").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)

        def make(curves: bpy.types.bpy_prop_collection, path: str, index: int, group: str) -> bpy.types.FCurve:
            curve = curves.new(path, index=index)
            curve.group = bag.groups.get(group) or bag.groups.new(group)
            return curve

        return bag.fcurves, make
    return action.fcurves, lambda curves, path, index, group: curves.new(path, index=index, action_group=group)


def posed_bones(action: bpy.types.Action) -> set[str]:
    """Names of the bones that an action of `write_action` has keys for."""
    return {curve.group.name for curve in curves_of(action) if curve.group is not None}


def curves_of(action: bpy.types.Action) -> bpy.types.bpy_prop_collection:
    """The F-curves of an action of `write_action`."""
    return action.layers[0].strips[0].channelbags[0].fcurves if hasattr(action, "layers") else action.fcurves


def assign(obj: bpy.types.Object, action: bpy.types.Action) -> None:
    """Make the action the object's own, with its slot where actions have slots."""
    data = obj.animation_data or obj.animation_data_create()
    data.action = action
    if hasattr(action, "slots") and action.slots:
        data.action_slot = action.slots[0]


def add_muted_track(obj: bpy.types.Object, name: str, action: bpy.types.Action, start: int) -> bpy.types.NlaTrack:
    """A new NLA track of the object with this action from frame `start` on; the whole track is muted."""
    data = obj.animation_data or obj.animation_data_create()
    track = data.nla_tracks.new()
    track.name = name
    strip = track.strips.new(action.name, start, action)
    if hasattr(strip, "action_slot") and action.slots:
        strip.action_slot = action.slots[0]
    track.mute = True
    return track


def write_pose(obj: bpy.types.Object, channels: Channels) -> None:
    """The first frame of a channel as the bone's present value."""
    pose_bone = obj.pose.bones[channels.bone]
    values = list(getattr(pose_bone, channels.path))
    for i in channels.free:
        values[i] = float(channels.values[0, i])
    kind = {"rotation_quaternion": Quaternion, "location": Vector}.get(channels.path, tuple)
    if channels.path == "rotation_euler":
        setattr(pose_bone, channels.path, Euler(values, pose_bone.rotation_mode))
    else:
        setattr(pose_bone, channels.path, kind(values))
