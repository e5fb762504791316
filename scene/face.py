"""The face of a take on the shape keys of what follows a rig: in the action of the rig where Blender has slots, so that a
character is one action; before Blender 4.4 in an action of its own."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np

from ..core.body.expression import BY_BONES, arkit_values
from ..core.body.template import template
from .armature import followers
from .carry import VALUES
from .keys import Curves, add_muted_track, assign, has_slots, kinds_of_keys
from .typed import mesh_of

FACE = "sapiens2_face"
"""Custom property of an action that holds nothing but the face of a take, where actions have no slots."""
MOVED = 0.01
"""What a value must reach to be worth a curve."""


def face_keys(rig: bpy.types.Object) -> list[bpy.types.Key]:
    """The shape keys of what follows a rig that have ARKit's names and can be animated."""
    names, found = set(template().unit_names), []
    for obj in followers(rig):
        keys = mesh_of(obj).shape_keys if obj.type == "MESH" else None
        if keys is not None and keys.library is None and names & set(keys.key_blocks.keys()):
            found.append(keys)
    return list(dict.fromkeys(found))


def write_face(
    action: bpy.types.Action,
    owners: Sequence[bpy.types.Key],
    moves: np.ndarray | None,
    frames: np.ndarray,
    bridged: np.ndarray | None = None,
    own: int | None = None,
    gain: float = 1.0,
) -> tuple[bpy.types.Action, int]:
    """Curves for ARKit's shapes beside those of the rig. Returns the action that holds them and the number of keys.

    moves    (F, 238, 3) of the points of the face (`core.motion.take.Take.expression`); None = no face was seen: the shape keys
             get their slot, in which what the artist keys later lands
    frames   (F,) scene frames;  bridged  (F,) bool as in `scene.keys.write_action`
    own      the frame from whose face the values were made that a build gave to the keys, which go on from there; None = the
             face is somebody else's, and begins from a calm one
    gain     exaggerates
    """
    held = action
    if not has_slots():
        held = bpy.data.actions.new(f"{action.name} Face")
        held[FACE] = True
    curves = Curves.new(held, owners[0])
    if moves is None:
        return held, 0
    values = dict(zip(template().unit_names, np.clip(gain * arkit_values(moves), 0.0, 1.0).T, strict=True))
    if own is not None:
        built = _built(owners)
        gone_on = {name: np.clip(built.get(name, 0.0) + row - row[own], 0.0, 1.0) for name, row in values.items()}
        # What bones move in a take was in a key in the photo: once is enough.
        values = {name: 0 * row if name.startswith(BY_BONES[0]) else gone_on[name] for name, row in values.items()}
    shown = {block.name for keys in owners for block in keys.key_blocks if block.value > MOVED}
    kinds, points, count = kinds_of_keys(bridged), np.empty((len(frames), 2), np.float32), 0
    points[:, 0] = frames
    for name, row in values.items():
        if row.max() > MOVED or name in shown:
            points[:, 1] = row
            curves.write(f'key_blocks["{name}"].value', 0, "Face", points, kinds)
            count += len(frames)
    return held, count


def show_face(action: bpy.types.Action, owners: Sequence[bpy.types.Key], track: str | None = None, start: int = 1) -> None:
    """Let the shape keys follow their slot of an action, or a muted track of this name with it. The action before stays in the
    file."""
    for keys in owners:
        if track is not None:
            add_muted_track(keys, track, action, start)
            continue
        data = keys.animation_data or keys.animation_data_create()
        if data.action is not None and data.action != action:
            data.action.use_fake_user = True
        data.use_tweak_mode = False
        assign(keys, action)
        data.action_influence, data.action_blend_type, data.action_extrapolation = 1.0, "REPLACE", "HOLD"
        for curve in _curves_of(keys):
            name = curve.data_path.split('"')[1]
            if name in keys.key_blocks and len(curve.keyframe_points):
                keys.key_blocks[name].value = curve.keyframe_points[0].co[1]


def is_free(keys: bpy.types.Key, action: bpy.types.Action | None) -> bool:
    """Whether no animation of the artist's moves these shape keys: none, or that of the character whose action this was."""
    data = keys.animation_data
    return data is None or data.action is None or data.action == action or FACE in data.action


def put_face_aside(rig: bpy.types.Object, action: bpy.types.Action) -> None:
    """Take the face of a character's action off its shape keys, which go back to what they were built with."""
    for keys in face_keys(rig):
        data = keys.animation_data
        if data is None or data.action is None or not is_free(keys, action):
            continue
        data.action.use_fake_user = True
        moved = {curve.data_path.split('"')[1] for curve in _curves_of(keys)}
        data.action = None
        built = _built([keys])
        for name in moved & set(keys.key_blocks.keys()):
            keys.key_blocks[name].value = built.get(name, 0.0)


def _built(owners: Sequence[bpy.types.Key]) -> dict[str, float]:
    """The values that a build gave to shape keys."""
    return {name: float(value) for keys in owners for name, value in (keys.user.get(VALUES) or {}).items()}


def _curves_of(keys: bpy.types.Key) -> list[bpy.types.FCurve]:
    """The curves of values that shape keys follow."""
    data = keys.animation_data
    if data is None or data.action is None:
        return []
    if has_slots():
        bags = [s.channelbag(data.action_slot) for layer in data.action.layers for s in layer.strips if data.action_slot]
        found = [curve for bag in bags if bag is not None for curve in bag.fcurves]
    else:
        found = list(data.action.fcurves)
    return [curve for curve in found if curve.data_path.startswith('key_blocks["') and curve.data_path.endswith("].value")]
