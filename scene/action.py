"""A take onto an armature: one action for the smoothed motion, the raw one on a muted track of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from pathlib import Path

import bpy
import numpy as np

from ..core.motion.take import Take
from ..core.retarget.body_motion import BodyMotion
from ..core.retarget.bone_map import BoneMap
from ..core.retarget.settings import RetargetSettings
from .face import face_keys, is_free, show_face, write_face
from .keys import Channels, add_muted_track, assign, write_action, write_pose
from .nla import let_action_show
from .retarget import channels_of, snap, solve
from .rig_state import find_armature

RAW_TRACK = "Raw take"


@dataclass(frozen=True)
class WrittenTake:
    """What was written: the action, how many keys it has, who is unseen, and sentences for the artist."""

    armature: bpy.types.Object
    action: bpy.types.Action
    raw_action: bpy.types.Action | None
    keys: int
    unseen: tuple[str, ...]
    notes: tuple[str, ...]


def write_take(
    take: Take | BodyMotion,
    armature: bpy.types.Object | str | None = None,
    *,
    name: str = "Take",
    start_frame: float = 1.0,
    scene_fps: float | None = None,
    bones: BoneMap | str | Path | None = None,
    settings: RetargetSettings | None = None,
    mute_constraints: bool = False,
    keep_raw: bool = True,
    own_face: bool = False,
) -> WrittenTake:
    """A whole take onto an armature as a new action; the action that the armature had stays in the file.

    take         from `core.motion.take.make_take`, or the motion of another rig (`core.retarget.body_motion.motion_from_rig`)
    start_frame  of the first key
    scene_fps    frames per second of the scene: keys keep the take's time; None = that of the current scene
    bones        a bone map, or the file of a bone table; None = recognised
    settings     None = the hips travel from where the rig stands
    keep_raw     also write the unfiltered take, to a muted NLA track beside it (takes only)
    own_face     the armature was built from the take's fullest frame, with the face that is there

    Frames of a take in which the person was not found have breakdown keys. ARKit's shape keys of what follows the armature move
    too, in the same action where Blender has slots, and then open the mouth in place of the bone of the jaw.

    SapiensError with the reason if the armature cannot be posed.
    """
    obj = find_armature(armature)
    faces = face_keys(obj)
    gain = (settings or RetargetSettings()).face_gain
    seen_face = isinstance(take, Take) and take.expression is not None and len(faces) > 0 and gain > 0
    motion = _of_bones(take, seen_face)
    bone_map, solved, notes = solve(obj, motion, bones, settings, mute_constraints)
    notes += let_action_show(obj, solved.bones)
    frames = key_frames(len(motion), motion.fps, start_frame, scene_fps)
    channels = channels_of(obj, solved)
    data = obj.animation_data or obj.animation_data_create()
    if data.action is not None:
        data.action.use_fake_user = True  # the artist's own action outlives being replaced
    bridged = ~take.found if isinstance(take, Take) else None
    action, keys = write_action(obj, name, channels, frames, bridged)
    own = take.fullest if own_face and isinstance(take, Take) else None
    # What the artist has animated on a face stays where the take shows none.
    faces = [owner for owner in faces if seen_face or is_free(owner, data.action)]
    if faces:
        face_action, more = write_face(action, faces, take.expression if seen_face else None, frames, bridged, own, gain)
        keys += more
        show_face(face_action, faces)
    raw_action = None
    if keep_raw and isinstance(take, Take):
        _, raw, _ = solve(obj, _of_bones(take, seen_face, raw=True), bone_map, settings, mute_constraints)
        raw_action, _ = write_action(obj, f"{name} raw", channels_of(obj, raw), frames, bridged)
        add_muted_track(obj, RAW_TRACK, raw_action, round(start_frame))
        if seen_face:
            raw_face, _ = write_face(raw_action, faces, take.raw_expression, frames, bridged, own, gain)
            show_face(raw_face, faces, RAW_TRACK, round(start_frame))
    _on_whole_frames(action)
    assign(obj, action)
    _first_frame(obj, channels)
    return WrittenTake(obj, action, raw_action, keys, solved.unseen, (*take.notes, f"{obj.name}: {bone_map.summary}.", *notes))


def _of_bones(take: Take | BodyMotion, face_in_keys: bool, raw: bool = False) -> BodyMotion:
    """What the bones do. Where shape keys have the face, the jaw rests: the mouth would open twice."""
    motion = take.motion(raw) if isinstance(take, Take) else take
    return replace(motion, jaw=np.zeros_like(motion.jaw)) if face_in_keys and motion.jaw is not None else motion


def set_frame_rate(fps: float) -> None:
    """Make the scene run at the rate of a clip, so that each of its frames is one of the scene's."""
    render = bpy.context.scene.render
    render.fps = max(1, round(fps))
    render.fps_base = render.fps / fps


def whole_frames(action: bpy.types.Action) -> tuple[int, int]:
    """First and last of the scene's frames that hold an action; a thousandth of a frame is an error of rounding."""
    start, end = action.frame_range
    first = floor(start + 1e-3)
    return first, max(first, ceil(end - 1e-3))


def _on_whole_frames(action: bpy.types.Action) -> None:
    """Let an action whose last key lies between frames last to the frame after it: glTF's exporter would cut it off."""
    whole = whole_frames(action)
    if whole != (action.frame_range.x, action.frame_range.y):
        action.use_frame_range = True
        action.frame_start, action.frame_end = whole


def key_frames(count: int, fps: float, start_frame: float, scene_fps: float | None) -> np.ndarray:
    """(count,) scene frames of the keys: the take keeps its speed whatever the scene's rate is."""
    if scene_fps is None:
        render = bpy.context.scene.render
        scene_fps = float(render.fps / render.fps_base)
    return start_frame + np.arange(count) * (scene_fps / fps)


def _first_frame(obj: bpy.types.Object, channels: list[Channels]) -> None:
    """The pose of the first key now, since no frame change has shown it yet; and IK controls where they meet it."""
    for channel in channels:
        write_pose(obj, channel)
    snap(obj)
    obj.update_tag()
