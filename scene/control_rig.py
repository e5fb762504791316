"""Rigify's control rig for a rig of ours, and everything that follows the rig bound to it: generated, posed and taken off again.

The rig stays, hidden, since Rigify generates from it; its custom property `sapiens2_controls` is the control rig.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import addon_utils
import bpy
import numpy as np
from mathutils import Matrix

from ..core.common.errors import SapiensError
from ..core.common.quaternions import continuous, euler_from_rotation, unwrapped
from ..core.common.rotations import quaternion_from_rotation
from ..core.common.wording import listed
from .alone import alone
from .armature import followers
from .correctives import drive_correctives
from .keys import Channels, assign, write_action, write_pose
from .marks import made_in
from .photo_pose import TRACK
from .rig_state import evaluated_alone, read_rest, set_switches
from .rigify_snap import place_bones, snap_rigify
from .typed import layer_of

CONTROLS = "sapiens2_controls"
"""Custom property of a rig: the control rig that was generated from it and that its surfaces follow now."""
RIGIFY = "rigify"
LIMBS = ("upper_arm_parent", "thigh_parent")
SPINE = ("spine", "spine.001", "spine.002", "spine.003")
MOST_STAGES = 64
"""More than bones hang on each other in a person."""
STILL = 0.01
"""Radians or metres that a bone may be off its rest and count as not posed."""


@dataclass(frozen=True)
class ControlRig:
    """What was made: the armature object, and sentences for the artist."""

    armature: bpy.types.Object
    notes: tuple[str, ...]


def is_rigify_enabled() -> bool:
    return addon_utils.check(RIGIFY)[1]


def controls_of(rig: bpy.types.Object) -> bpy.types.Object | None:
    """The control rig that the surfaces of a rig follow; None where they follow the rig itself, or it was deleted."""
    found = rig.get(CONTROLS)
    return found if isinstance(found, bpy.types.Object) and found.name in bpy.data.objects and followers(found) else None


def check_plain(collection: bpy.types.Collection) -> None:
    """Raises SapiensError when a rig of the avatar has a control rig: what would change the rig would tear the two apart."""
    for key, obj in made_in(collection).items():
        if key[0] == "rig":
            check_no_controls(obj)


def check_no_controls(rig: bpy.types.Object) -> None:
    """Raises SapiensError when the surfaces of a rig follow its control rig."""
    if controls_of(rig) is not None:
        raise SapiensError(
            f"'{rig.name}' has a control rig, which would not fit any more.",
            "Take it off first: press Control Rig in the Rig panel, and once more afterwards to make it anew.",
        )


def _bound(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """What follows an armature: by a modifier, or as the child of a bone."""
    return list(dict.fromkeys((*followers(armature), *(obj for obj in armature.children if obj.parent_type == "BONE"))))


def add_controls(context: bpy.types.Context, rig: bpy.types.Object) -> ControlRig:
    """Generate the control rig, let everything that follows `rig` follow it, and give it the pose and the animation of `rig`.

    Raises SapiensError, with the scene as it was, where Rigify is not there or cannot generate.
    """
    layer = layer_of(context)
    if rig.library is not None or rig.override_library is not None:
        raise SapiensError(f"'{rig.name}' is linked from another file.", "Make it local first, or add the control rig there.")
    layer.update()
    if rig.name not in layer.objects:
        raise SapiensError(f"'{rig.name}' is in a collection that this view layer leaves out.", "Show its collection first.")
    if not is_rigify_enabled() and addon_utils.enable(RIGIFY, default_set=True) is None:
        raise SapiensError("The add-on Rigify, which makes control rigs, is not there.", "Install it in Preferences > Add-ons.")
    frames = _frames(rig) or (context.scene.frame_current,)
    moves, notes = _moves(rig, frames)
    made = _generate(context, rig)
    for obj in _bound(rig):
        _let_follow(obj, rig, made)
    rig[CONTROLS] = made
    rig.hide_set(True, view_layer=layer)
    if not moves:
        _switch(made, 0.0)
        return ControlRig(made, ())
    _switch(made, 1.0)
    channels = _channels(context, rig, made, moves)
    if len(frames) > 1:
        own = rig.animation_data.action if rig.animation_data is not None else None
        name = own.name if own is not None else f"{made.name} Motion"
        assign(made, write_action(made, name, channels, np.array(frames, np.float64), into=own)[0])
    for channel in channels:
        write_pose(made, channel)
    snap_rigify(made)
    return ControlRig(made, (*notes, "Arms and legs follow their FK controls; those of IK are in the same place."))


def remove_controls(rig: bpy.types.Object) -> None:
    """Let everything follow the rig itself again. The control rig is deleted with the shapes of its controls."""
    made = rig[CONTROLS]
    for obj in _bound(made):
        _let_follow(obj, made, rig)
    del rig[CONTROLS]
    rig.hide_set(False)
    shapes = {bone.custom_shape for bone in made.pose.bones} - {None}
    script = made.data.get("rig_ui")
    folders = {collection for shape in shapes for collection in shape.users_collection}
    data, action = made.data, made.animation_data.action if made.animation_data is not None else None
    bpy.data.objects.remove(made)
    bpy.data.armatures.remove(data)
    bpy.data.batch_remove([shape for shape in shapes if not _used(shape)])
    bpy.data.batch_remove([folder for folder in folders if not folder.all_objects and not folder.children])
    if isinstance(script, bpy.types.Text):
        bpy.data.texts.remove(script)
    if action is not None and action.users == 0:
        action.use_fake_user = True  # what the artist has animated is not lost


def _used(shape: bpy.types.Object) -> bool:
    """Whether a bone of another rig has this shape."""
    rigs = [obj for obj in bpy.data.objects if obj.type == "ARMATURE"]
    return any(bone.custom_shape == shape for rig in rigs for bone in rig.pose.bones)


@contextmanager
def _at_rest(rig: bpy.types.Object) -> Iterator[None]:
    """Inside, no bone of the rig is posed: Rigify takes the poses of bones for part of their rest."""
    with evaluated_alone(rig):
        before = {bone.name: bone.matrix_basis.copy() for bone in rig.pose.bones}
        for bone in rig.pose.bones:
            bone.matrix_basis = Matrix()
        try:
            yield
        finally:
            for name, matrix in before.items():
                rig.pose.bones[name].matrix_basis = matrix


def _generate(context: bpy.types.Context, rig: bpy.types.Object) -> bpy.types.Object:
    """A new armature object, where and as large as the rig; the artist's selection is as before. Raises SapiensError."""
    layer, before = layer_of(context), set(bpy.data.objects)
    selected, active = list(layer.objects.selected), layer.objects.active
    hidden = rig.hide_get(view_layer=layer)
    data: Any = rig.data
    try:
        for obj in selected:
            obj.select_set(False, view_layer=layer)
        rig.hide_set(False, view_layer=layer)
        rig.select_set(True, view_layer=layer)
        layer.objects.active = rig
        data.rigify_target_rig = None  # another one of the artist's is not generated over
        with _at_rest(rig):
            bpy.ops.pose.rigify_generate()
    except RuntimeError as error:
        bpy.data.batch_remove([obj for obj in bpy.data.objects if obj not in before])
        rig.hide_set(hidden, view_layer=layer)
        reason = str(error).strip().splitlines()[0].removeprefix("Error: ")
        message = f"Rigify could not generate from '{rig.name}': {reason.rstrip(': ')}."
        raise SapiensError(message, "Rebuild the rig, then try again.") from error
    made = next(obj for obj in bpy.data.objects if obj not in before and obj.type == "ARMATURE")
    made.name = made.data.name = f"{rig.name} Controls"
    made.matrix_world = rig.matrix_world
    for collection in rig.users_collection:
        if made.name not in collection.objects:
            collection.objects.link(made)
    for collection in made.users_collection:
        if collection not in rig.users_collection:
            collection.objects.unlink(made)
    if active is not None and active.mode == "OBJECT":
        layer.objects.active = active
    for obj in (*selected, made):
        obj.select_set(obj in selected, view_layer=layer)
    return made


def _switch(made: bpy.types.Object, fk: float) -> None:
    """All limbs to FK (1) or IK (0)."""
    set_switches(made, tuple((f"{limb}.{side}", "IK_FK", fk) for limb in LIMBS for side in "LR"))


def deform_bones(bone: str, bones: Iterable[str]) -> tuple[str, ...]:
    """The bones of a control rig that move what a bone of ours moved: its pieces from head to tail; empty where there are none.

    bones  names of all bones of the control rig
    """
    bones = set(bones)
    if f"DEF-{bone}" not in bones:
        return (f"ORG-{bone}",) if f"ORG-{bone}" in bones else ()
    pieces = [f"DEF-{bone}"]
    # A finger's or the spine's next bone has such a name too: those have an original of their own.
    while (piece := f"DEF-{bone}.{len(pieces):03d}") in bones and f"ORG-{bone}.{len(pieces):03d}" not in bones:
        pieces.append(piece)
    return tuple(pieces)


def _let_follow(obj: bpy.types.Object, old: bpy.types.Object, new: bpy.types.Object) -> None:
    """Let an object follow another armature: modifiers, vertex groups and parent; its place stays."""
    matrix, parent = obj.matrix_world.copy(), obj.parent
    plain, controls = (old, new) if new.data.get("rig_id") else (new, old)
    for bone in list(plain.data.bones.keys()):
        pieces = deform_bones(bone, controls.data.bones.keys())
        for piece in pieces:
            controls.data.bones[piece].use_deform = True
        if pieces and new is controls:
            _split(obj, bone, pieces, controls)
        elif pieces:
            _join(obj, bone, pieces)
    for modifier in obj.modifiers:
        if modifier.type == "ARMATURE" and modifier.object == old:
            modifier.object = new
            drive_correctives(obj, new)
    if parent == old:
        if obj.parent_type == "BONE":
            pieces = deform_bones(obj.parent_bone, controls.data.bones.keys())
            back = re.sub(r"^(DEF|ORG)-", "", obj.parent_bone)
            obj.parent_bone = pieces[0] if new is controls and pieces else back
            if obj.parent_bone not in new.data.bones:
                obj.parent_type = "OBJECT"
        obj.parent = new
        obj.matrix_world = matrix


def _split(obj: bpy.types.Object, bone: str, pieces: tuple[str, ...], controls: bpy.types.Object) -> None:
    """The vertex group of a bone becomes those of its pieces; between the middles of two pieces the weight goes over."""
    group = obj.vertex_groups.get(bone)
    if group is None:
        return
    group.name = pieces[0]
    if len(pieces) == 1:
        return
    vertices, weights = _weights(obj, group)
    bones = controls.data.bones
    head, tail = np.array(bones[pieces[0]].head_local), np.array(bones[pieces[-1]].tail_local)
    to_rig = np.array(controls.matrix_world.inverted() @ obj.matrix_world)
    points = np.empty(3 * len(obj.data.vertices), np.float32)
    obj.data.vertices.foreach_get("co", points)
    points = points.reshape(-1, 3)[vertices] @ to_rig[:3, :3].T + to_rig[:3, 3]
    along = (points - head) @ (tail - head) / max(float((tail - head) @ (tail - head)), 1e-12)
    place = np.clip(along * len(pieces) - 0.5, 0, len(pieces) - 1)
    for number, piece in enumerate(pieces):
        share = weights * np.clip(1 - np.abs(place - number), 0, 1)
        target = obj.vertex_groups.get(piece) or obj.vertex_groups.new(name=piece)
        _write(target, vertices, share)


def _join(obj: bpy.types.Object, bone: str, pieces: tuple[str, ...]) -> None:
    """The way back."""
    first = obj.vertex_groups.get(pieces[0])
    if first is None:
        return
    for piece in pieces[1:]:
        group = obj.vertex_groups.get(piece)
        if group is not None:
            for vertex, weight in zip(*(part.tolist() for part in _weights(obj, group)), strict=True):
                first.add([vertex], weight, "ADD")
            obj.vertex_groups.remove(group)
    first.name = bone


def _weights(obj: bpy.types.Object, group: bpy.types.VertexGroup) -> tuple[np.ndarray, np.ndarray]:
    """(n,) vertices of a group and (n,) weights. Blender gives them out vertex by vertex only."""
    index = group.index
    found = [(v.index, g.weight) for v in obj.data.vertices for g in v.groups if g.group == index]
    return np.array([v for v, _ in found], np.int64), np.array([w for _, w in found], np.float64)


def _write(group: bpy.types.VertexGroup, vertices: np.ndarray, weights: np.ndarray) -> None:
    """Weights of a group; of a mesh with shape keys Blender takes them vertex by vertex only (see `scene.groups`)."""
    gone = weights <= 0
    group.remove(vertices[gone].tolist())
    for vertex, weight in zip(vertices[~gone].tolist(), weights[~gone].tolist(), strict=True):
        group.add([vertex], weight, "REPLACE")


def _frames(rig: bpy.types.Object) -> tuple[int, ...]:
    """Every frame of what animates the rig but for the pose of the photo; empty where nothing does."""
    data = rig.animation_data
    if data is None:
        return ()
    ranges = [(data.action.frame_range[0], data.action.frame_range[1])] if data.action is not None else []
    tracks = data.nla_tracks if data.use_nla else ()
    ranges += [(s.frame_start, s.frame_end) for t in tracks if not t.mute and t.name != TRACK for s in t.strips if not s.mute]
    if not ranges:
        return ()
    return tuple(range(round(min(first for first, _ in ranges)), round(max(last for _, last in ranges)) + 1))


def control_of(bone: str) -> tuple[str, ...]:
    """The controls that turn a bone of ours; none for those that follow others."""
    stem, dot, side = bone.partition(".")
    if stem in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe"):
        return (f"{stem}_fk{dot}{side}",)
    if stem == "spine":
        return {"spine": ("torso", "spine_fk"), "spine.004": ("neck",), "spine.005": (), "spine.006": ("head",)}.get(
            bone, (f"spine_fk{dot}{side}",)
        )
    return (bone,) if stem in ("shoulder", "breast", "thumb") or stem.startswith("f_") else ()


def _moves(rig: bpy.types.Object, frames: tuple[int, ...]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """What the pose adds to the rest of each bone that has controls, (F, 4, 4) in armature space; none where the rig rests.
    And a sentence about the posed bones that have none."""
    rest = read_rest(rig)
    with alone(rig) as layer:
        poses = np.array([_pose(layer, rig, frame, rest.names) for frame in frames])
    parents = np.array(rest.parents)
    inner = parents >= 0
    local = np.linalg.inv(rest.matrices) @ poses
    own = np.linalg.inv(rest.matrices[parents[inner]]) @ rest.matrices[inner]
    local[:, inner] = np.linalg.inv(own) @ np.linalg.inv(poses[:, parents[inner]]) @ poses[:, inner]
    posed = np.abs(local - np.eye(4)).max(axis=(0, 2, 3)) > STILL
    if not posed.any():
        return {}, ()
    lost = [name for name, is_posed in zip(rest.names, posed.tolist(), strict=True) if is_posed and not control_of(name)]
    lost = [name for name in lost if name != "spine.005"]  # Rigify bends the neck in one
    notes = (f"Not carried over to the control rig: {listed(lost[:6])}{' and others' if len(lost) > 6 else ''}.",) if lost else ()
    moves = poses @ np.linalg.inv(rest.matrices)
    return {name: moves[:, number] for number, name in enumerate(rest.names) if control_of(name)}, notes


def _pose(layer: bpy.types.ViewLayer, rig: bpy.types.Object, frame: int, names: tuple[str, ...]) -> list[np.ndarray]:
    """The bones in a frame, armature space."""
    layer.id_data.frame_set(frame)
    graph = layer.depsgraph
    assert graph is not None  # evaluated just now
    bones = rig.evaluated_get(graph).pose.bones
    return [np.array(bones[name].matrix) for name in names]


def _channels(
    context: bpy.types.Context, plain: bpy.types.Object, made: bpy.types.Object, moves: dict[str, np.ndarray]
) -> list[Channels]:
    """The controls in every frame. They are placed parents first, since each hangs on bones that Rigify moves in its own ways."""
    bones, count = made.data.bones, len(next(iter(moves.values())))
    wanted = {control: bone for bone in moves for control in control_of(bone) if control in bones}
    stages: list[list[str]] = [[] for _ in range(MOST_STAGES)]
    for control, bone in wanted.items():
        # Of the spine what the controls hang on counts; beyond it their parents follow other controls by constraints.
        above = [parent.name for parent in bones[control].parent_recursive]
        spine = sum(name in wanted for name in above)
        stages[spine if wanted[control] in SPINE else len(SPINE) + len(plain.data.bones[bone].parent_recursive)].append(control)
    found: dict[str, list[np.ndarray]] = {control: [] for control in wanted}
    manager = context.window_manager
    manager.progress_begin(0, count)
    with evaluated_alone(made) as layer:
        for frame in range(count):
            for stage in filter(None, stages):
                rests = {control: np.array(bones[control].matrix_local) for control in stage}
                place_bones(made, layer, {c: Matrix((moves[wanted[c]][frame] @ rest).tolist()) for c, rest in rests.items()})
            for control, values in found.items():
                values.append(np.array(made.pose.bones[control].matrix_basis))
            manager.progress_update(frame)
    manager.progress_end()
    channels = []
    for control, values in found.items():
        basis = np.array(values)
        pose_bone = made.pose.bones[control]
        turns = continuous(quaternion_from_rotation(basis[:, :3, :3]))
        if pose_bone.rotation_mode == "QUATERNION":
            channels.append(Channels(control, "rotation_quaternion", turns, (0, 1, 2, 3)))
        else:
            angles = unwrapped(euler_from_rotation(basis[:, :3, :3], pose_bone.rotation_mode), pose_bone.rotation_mode)
            channels.append(Channels(control, "rotation_euler", angles, (0, 1, 2)))
        if np.abs(basis[:, :3, 3]).max() > 1e-5:
            channels.append(Channels(control, "location", basis[:, :3, 3], (0, 1, 2)))
    return channels
