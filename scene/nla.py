"""What stands between an action and the screen: tweak mode, solo tracks, influence, blending and other tracks of an armature."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import bpy

from ..core.common.errors import SapiensError
from ..core.common.wording import listed
from .face import put_face_aside

OBJECT_CHANNELS = ("location", "rotation", "scale", "delta_")
"""How the data paths of an object's own place begin."""


def let_action_show(obj: bpy.types.Object, bones: Collection[str]) -> tuple[str, ...]:
    """Let the active action of an armature decide alone about these bones, in every frame; a sentence on what was changed.

    The artist's tracks stay in the file, muted where they key the bones, what is above them, or the object itself. Raises
    SapiensError where a library keeps them from being changed.
    """
    data = obj.animation_data
    if data is None:
        return ()
    with _editable(f"The NLA of '{obj.name}' would hide the motion"):
        done = _leave_tweak_and_solo(data)
        if (data.action_influence, data.action_blend_type) != (1.0, "REPLACE"):
            data.action_influence, data.action_blend_type = 1.0, "REPLACE"
            done.append("the action replaces what is below it, with full influence")
        data.action_extrapolation = "HOLD"
        done += _mute(obj, bones)
    return (f"For the motion to show in '{obj.name}', {listed(done)}.",) if done else ()


def put_animation_aside(obj: bpy.types.Object, bones: Collection[str]) -> tuple[str, ...]:
    """Take off the action and mute the tracks that would overwrite the pose of these bones; a sentence on what was changed.

    The action stays in the file, with a fake user. Raises SapiensError as `let_action_show` does.
    """
    data = obj.animation_data
    if data is None:
        return ()
    with _editable(f"The animation of '{obj.name}' would overwrite the pose"):
        done = _leave_tweak_and_solo(data)
        if data.action is not None:
            data.action.use_fake_user = True
            done.append(f"the action '{data.action.name}' was unlinked, and is kept in the file")
            put_face_aside(obj, data.action)
            keyed, data.action = _paths(data.action), None
            _back_to_rest(obj, bones, keyed)
        done += _mute(obj, bones)
    return (f"For the pose to show in '{obj.name}', {listed(done)}.",) if done else ()


def overwrites(obj: bpy.types.Object, bones: Collection[str]) -> bool:
    """Whether an action or a track of the armature would overwrite the pose of these bones at the next change of the frame."""
    data = obj.animation_data
    return data is not None and (data.action is not None or bool(_tracks_on(obj, bones)))


@contextmanager
def _editable(danger: str) -> Iterator[None]:
    """What comes from a library cannot be changed, which Blender says with an AttributeError: a SapiensError with the danger."""
    try:
        yield
    except AttributeError as error:
        raise SapiensError(
            f"{danger}, and comes from a library.", "Change it in the library's file, or make the armature local."
        ) from error


def _leave_tweak_and_solo(data: bpy.types.AnimData) -> list[str]:
    """What was done, for a sentence."""
    done = []
    if data.use_tweak_mode:
        data.use_tweak_mode = False
        done.append("tweak mode was left")
    if any(track.is_solo for track in data.nla_tracks):
        for track in data.nla_tracks:
            track.is_solo = False
        done.append("no track is solo any more")
    return done


def _mute(obj: bpy.types.Object, bones: Collection[str]) -> list[str]:
    """Mute the tracks that key the bones; what was done, for a sentence."""
    tracks = _tracks_on(obj, bones)
    for track in tracks:
        track.mute = True
        _back_to_rest(obj, bones, {path for strip in _strips(track.strips) for path in _paths(strip.action)})
    if not tracks:
        return []
    names = ", ".join(f"'{track.name}'" for track in tracks)
    return [f"the NLA track {names} was muted" if len(tracks) == 1 else f"the NLA tracks {names} were muted"]


def _back_to_rest(obj: bpy.types.Object, bones: Collection[str], keyed: set[str]) -> None:
    """Bones keep the last values of an animation that is gone: undo the keyed places and sizes of those below the first."""
    for name in bones:
        bone = obj.pose.bones[name]
        start = f'pose.bones["{bpy.utils.escape_identifier(name)}"].'
        if not any(parent.name in bones for parent in bone.parent_recursive):
            continue
        if start + "location" in keyed:
            bone.location = (0.0, 0.0, 0.0)
        if start + "scale" in keyed:
            bone.scale = (1.0, 1.0, 1.0)


def _tracks_on(obj: bpy.types.Object, bones: Collection[str]) -> list[bpy.types.NlaTrack]:
    """The live tracks that key the bones, what is above them, or the place of the object."""
    data = obj.animation_data
    if data is None or not data.use_nla:
        return []
    known = [obj.pose.bones[name] for name in bones]
    names = {bone.name for bone in known} | {parent.name for bone in known for parent in bone.parent_recursive}
    starts = (*OBJECT_CHANNELS, *(f'pose.bones["{bpy.utils.escape_identifier(name)}"].' for name in names))
    alone = [track for track in data.nla_tracks if track.is_solo]
    live = alone or [track for track in data.nla_tracks if not track.mute]
    return [t for t in live if any(path.startswith(starts) for strip in _strips(t.strips) for path in _paths(strip.action))]


def _strips(strips: Iterable[bpy.types.NlaStrip]) -> Iterator[bpy.types.NlaStrip]:
    """The strips that are not muted, those of meta strips among them."""
    for strip in strips:
        if not strip.mute:
            yield strip
            yield from _strips(strip.strips)


def _paths(action: bpy.types.Action | None) -> set[str]:
    """Data paths of the curves of an action."""
    if action is None:
        return set()
    if hasattr(action, "layers"):
        parts = [part for layer in action.layers for part in layer.strips if part.type == "KEYFRAME"]
        return {curve.data_path for part in parts for bag in part.channelbags for curve in bag.fcurves}
    return {curve.data_path for curve in action.fcurves}
