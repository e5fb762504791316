"""Keys into actions, muted tracks, or the present pose: of pose bones, and of shape keys beside them.

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


@dataclass(frozen=True, eq=False)
class Curves:
    """Where the F-curves of one owner go in an action: into a slot of its own since Blender 4.4, before it into the action."""

    action: bpy.types.Action
    slot: bpy.types.ActionSlot | None

    @classmethod
    def new(cls, action: bpy.types.Action, owner: bpy.types.ID) -> Curves:
        """For an owner that the action has no curves of yet."""
        if not has_slots():
            return cls(action, None)
        return cls(action, action.slots.new(id_type="OBJECT" if isinstance(owner, bpy.types.Object) else "KEY", name=owner.name))

    def write(self, path: str, index: int, group: str, points: np.ndarray, kinds: np.ndarray | None) -> None:
        """A new curve. points: (F, 2) float32 frames and values; kinds: (F,) int32 of the keys, None = all plain."""
        if self.slot is None:
            curve = self.action.fcurves.new(path, index=index, action_group=group)
        else:
            layer = self.action.layers[0] if self.action.layers else self.action.layers.new("Layer")
            strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
            bag = strip.channelbag(self.slot, ensure=True)
            curve = bag.fcurves.new(path, index=index)
            curve.group = bag.groups.get(group) or bag.groups.new(group)
        curve.keyframe_points.add(len(points))
        curve.keyframe_points.foreach_set("co", points.ravel())
        curve.keyframe_points.foreach_set("interpolation", np.full(len(points), LINEAR, np.int32))
        if kinds is not None:
            curve.keyframe_points.foreach_set("type", kinds)
        curve.update()


def has_slots() -> bool:
    """Whether one action can move several owners: since Blender 4.4."""
    return "slots" in bpy.types.Action.bl_rna.properties


def kinds_of_keys(bridged: np.ndarray | None) -> np.ndarray | None:
    """(F,) int32 Blender's numbers: breakdown keys where (F,) bool `bridged`; None = all are plain."""
    if bridged is None or not bridged.any():
        return None
    known = bpy.types.Keyframe.bl_rna.properties["type"].enum_items
    return np.where(bridged, known[BRIDGED].value, known["KEYFRAME"].value).astype(np.int32)


def write_action(
    obj: bpy.types.Object,
    name: str,
    channels: list[Channels],
    frames: np.ndarray,
    bridged: np.ndarray | None = None,
    into: bpy.types.Action | None = None,
) -> tuple[bpy.types.Action, int]:
    """A new action with one F-curve per free channel, linear between keys. Returns it and the number of keys.

    frames   (F,) scene frames of the keys
    bridged  (F,) bool: keys of frames in which the person was not found, which become breakdown keys; None = there are none
    into     an action that gets the curves instead, in a slot of their own, where Blender has slots
    """
    action = into if into is not None and has_slots() else bpy.data.actions.new(name)
    curves, kinds = Curves.new(action, obj), kinds_of_keys(bridged)
    points = np.empty((len(frames), 2), np.float32)
    points[:, 0] = frames
    for channel in channels:
        for index in channel.free:
            points[:, 1] = channel.values[:, index]
            curves.write(channel.data_path, index, channel.bone, points, kinds)
    return action, sum(len(c.free) for c in channels) * len(frames)


def posed_bones(action: bpy.types.Action) -> set[str]:
    """Names of the bones that an action of `write_action` has keys for."""
    return {curve.group.name for curve in curves_of(action) if curve.group is not None}


def curves_of(action: bpy.types.Action) -> bpy.types.bpy_prop_collection:
    """The F-curves of the armature that an action of `write_action` was made for."""
    return action.layers[0].strips[0].channelbags[0].fcurves if has_slots() else action.fcurves


def assign(owner: bpy.types.Object | bpy.types.Key, action: bpy.types.Action) -> None:
    """Make the action the owner's own, with the last of its slots for this kind of owner where actions have slots."""
    data = owner.animation_data or owner.animation_data_create()
    data.action = action
    slot = slot_for(owner, action)
    if slot is not None:
        data.action_slot = slot


def slot_for(owner: bpy.types.Object | bpy.types.Key, action: bpy.types.Action) -> bpy.types.ActionSlot | None:
    """The last slot of an action for this kind of owner: the one of its name, if there is one."""
    kind = "OBJECT" if isinstance(owner, bpy.types.Object) else "KEY"
    slots = [slot for slot in action.slots if slot.target_id_type == kind] if has_slots() else []
    return next((slot for slot in reversed(slots) if slot.name_display == owner.name), slots[-1] if slots else None)


def add_muted_track(
    owner: bpy.types.Object | bpy.types.Key, name: str, action: bpy.types.Action, start: int
) -> bpy.types.NlaTrack:
    """A new NLA track of the owner with this action from frame `start` on; the whole track is muted."""
    data = owner.animation_data or owner.animation_data_create()
    track = data.nla_tracks.new()
    track.name = name
    strip = track.strips.new(action.name, start, action)
    slot = slot_for(owner, action)
    if slot is not None:
        strip.action_slot = slot
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
