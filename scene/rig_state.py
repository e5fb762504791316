"""What Blender knows of an armature object, as arrays, and the reasons why it cannot be posed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from ..core.common.errors import SapiensError
from ..core.common.rotations import angle_between
from ..core.retarget.armature import RestRig
from .alone import alone

PROBE_ANGLE = 0.35  # radians: large enough that a bone that follows another by half is told from one that follows fully
RIGID = 2e-3  # radians: how exactly a bone that follows another rigidly does so in Blender's float32


def find_armature(target: bpy.types.Object | str | None) -> bpy.types.Object:
    """The armature object itself, or by name; None = the active or only selected armature.

    SapiensError says why there is none.
    """
    if target is None:
        chosen = [o for o in bpy.context.view_layer.objects if o.type == "ARMATURE" and o.select_get()]
        active = bpy.context.view_layer.objects.active
        if active is not None and active.type == "ARMATURE" and (active in chosen or not chosen):
            chosen = [active] if len(chosen) < 2 else chosen
        if not chosen:
            raise SapiensError("No armature is selected.", "Select the armature to pose.")
        if len(chosen) > 1:
            raise SapiensError(
                f"{len(chosen)} armatures are selected: {', '.join(o.name for o in chosen)}.", "Select only the one to pose."
            )
        return chosen[0]
    if isinstance(target, str):
        obj = bpy.data.objects.get(target)
        if obj is None:
            raise SapiensError(f"There is no object named '{target}'.", "Name an armature object of this file.")
        target = obj
    if not isinstance(target, bpy.types.Object) or target.type != "ARMATURE":
        raise SapiensError(f"'{getattr(target, 'name', target)}' is not an armature.", "Choose an armature object.")
    return target


def read_rest(obj: bpy.types.Object) -> RestRig:
    """The rest pose of an armature object. SapiensError if it cannot be posed at all, with the reason."""
    if obj.library is not None:
        raise SapiensError(
            f"'{obj.name}' is linked from {obj.library.name} and cannot be posed.",
            "Make a library override of it (Object > Library Override > Make).",
        )
    if obj.mode == "EDIT" or obj.data.is_editmode:
        raise SapiensError(f"'{obj.name}' is in Edit Mode.", "Leave Edit Mode and try again.")
    bones = obj.data.bones
    count = len(bones)
    if count == 0:
        raise SapiensError(f"'{obj.name}' has no bones.", "Choose an armature with bones.")
    world = np.array(obj.matrix_world, np.float64)
    sizes = np.linalg.norm(world[:3, :3], axis=0)
    if sizes.min() < 1e-9 or sizes.max() / sizes.min() > 1.001 or np.linalg.det(world[:3, :3]) < 0:
        scale = ", ".join(f"{v:.3g}" for v in obj.matrix_world.to_scale())
        raise SapiensError(
            f"'{obj.name}' is scaled unevenly or mirrored ({scale}), which bends every rotation.",
            "Apply its scale (Object > Apply > Scale) and try again.",
        )
    skew = world[:3, :3].T @ world[:3, :3] / sizes.mean() ** 2
    if np.abs(skew - np.eye(3)).max() > 2e-3:
        raise SapiensError(
            f"'{obj.name}' is sheared by the objects that it is parented to.", "Clear the parent and keep the transformation."
        )
    names = [b.name for b in bones]
    index = {name: n for n, name in enumerate(names)}
    parents = np.array([index[b.parent.name] if b.parent else -1 for b in bones], np.int32)
    order, parents = parents_first(parents)
    matrices, lengths = np.empty(count * 16, np.float32), np.empty(count, np.float32)
    bones.foreach_get("matrix_local", matrices)
    bones.foreach_get("length", lengths)
    flags = {name: np.empty(count, bool) for name in ("use_inherit_rotation", "use_local_location", "use_connect")}
    for name, values in flags.items():
        bones.foreach_get(name, values)
    return RestRig(
        name=obj.name,
        names=tuple(names[n] for n in order),
        parents=parents,
        matrices=matrices.reshape(count, 4, 4).transpose(0, 2, 1)[order].astype(np.float64),
        lengths=lengths[order].astype(np.float64),
        inherit_rotation=flags["use_inherit_rotation"][order],
        local_location=flags["use_local_location"][order],
        connected=flags["use_connect"][order],
        world=world,
    )


def parents_first(parents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B,) order in which every bone comes after its parent, and (B,) int32 parents in that order; parents (B,), -1 = none."""
    depth = np.zeros(len(parents), np.int64)
    level = parents.copy()
    while (level >= 0).any():
        depth += level >= 0
        level = np.where(level >= 0, parents[level], -1)
    order = np.argsort(depth, kind="stable")
    place = np.argsort(order)
    sorted_parents = parents[order]
    return order, np.where(sorted_parents >= 0, place[sorted_parents], -1).astype(np.int32)


def leave_rest_position(obj: bpy.types.Object) -> tuple[str, ...]:
    """Let an armature show its pose; a sentence where it did not. Exporters freeze one at rest, and IK controls cannot be met."""
    if obj.data.pose_position != "REST":
        return ()
    if obj.data.library is not None:
        return (f"'{obj.name}' shows its rest position, and its armature is linked: set Pose Position in the library's file.",)
    obj.data.pose_position = "POSE"
    return (f"'{obj.name}' showed its rest position: it shows its pose now.",)


def check_controllable(obj: bpy.types.Object, bones: tuple[str, ...], mute_constraints: bool) -> tuple[str, ...]:
    """Notes on what was muted; SapiensError if drivers or constraints would overrule the pose of these bones."""
    driven = sorted({name for name in bones if _has_driver(obj, name)})
    if driven:
        raise SapiensError(
            f"Drivers turn {_listed(driven)} of '{obj.name}', so that a pose has no effect.",
            "Remove the drivers, or leave these bones empty in the bone table.",
        )
    held = [name for name in bones if any(not c.mute and c.influence > 0 for c in obj.pose.bones[name].constraints)]
    if held and not mute_constraints:
        raise SapiensError(
            f"Constraints hold {_listed(held)} of '{obj.name}', so that a pose has no effect.",
            "Mute the constraints (or choose to have them muted), or map the bones that control the rig.",
        )
    for name in held:
        for constraint in obj.pose.bones[name].constraints:
            constraint.mute = True
    return (f"The constraints of {_listed(held)} were muted.",) if held else ()


def is_held(obj: bpy.types.Object, bone: str) -> bool:
    """Whether a constraint or a driver of the rig turns this bone."""
    return _has_driver(obj, bone) or any(not c.mute and c.influence > 0 for c in obj.pose.bones[bone].constraints)


def _has_driver(obj: bpy.types.Object, bone: str) -> bool:
    if obj.animation_data is None:
        return False
    start = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].'
    return any(d.data_path.startswith((start + "rotation", start + "location")) for d in obj.animation_data.drivers)


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{n}'" for n in names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def set_switches(obj: bpy.types.Object, switches: tuple[tuple[str, str, float], ...]) -> None:
    """Custom properties that make a control rig listen to its FK controls; those that the rig lacks are passed over."""
    for bone, prop, value in switches:
        pose_bone = obj.pose.bones.get(bone)
        if pose_bone is not None and prop in pose_bone:
            pose_bone[prop] = type(pose_bone[prop])(value)
    obj.update_tag()


@contextmanager
def evaluated_alone(obj: bpy.types.Object) -> Iterator[bpy.types.ViewLayer]:
    """A view layer with nothing but this object, so that evaluating a pose does not evaluate the artist's scene.

    The object's action is taken off meanwhile, since it would overwrite the pose.
    """
    data = obj.animation_data
    action = data.action if data else None
    slot = data.action_slot if data and action and hasattr(data, "action_slot") else None
    nla = data.use_nla if data else False
    try:
        if data:
            data.action, data.use_nla = None, False
        with alone(obj) as layer:
            yield layer
    finally:
        if data:
            data.action, data.use_nla = action, nla
            if slot is not None:
                data.action_slot = slot


def pose_matrices(obj: bpy.types.Object, layer: bpy.types.ViewLayer, names: tuple[str, ...]) -> np.ndarray:
    """(n, 4, 4) evaluated pose of the named bones, armature space."""
    layer.update()
    graph = layer.depsgraph
    assert graph is not None  # updated just now
    posed = obj.evaluated_get(graph).pose.bones
    return np.array([posed[name].matrix for name in names], np.float64)


def find_followed(obj: bpy.types.Object, rest: RestRig, bones: tuple[str, ...]) -> dict[str, str | None]:
    """Which of `bones` the parent of each bone rigidly follows, where constraints or drivers stand between them.

    Every bone is turned by a small rotation of its own, Blender evaluates the rig, and the parent's turn is compared with those
    of all bones: the hierarchy of a control rig says nothing about it. A parent that follows none of them (half of each of two
    bones, say) is left to the hierarchy. The pose is put back.
    """
    chosen = set(bones)
    doubtful = []
    for bone in bones:
        for i in rest.ancestors(rest.index(bone)):
            if rest.names[i] in chosen:
                break
            if any(not c.mute and c.influence > 0 for c in obj.pose.bones[rest.names[i]].constraints):
                doubtful.append(bone)
                break
    if not doubtful:
        return {}
    parents = tuple(rest.names[rest.parents[rest.index(bone)]] for bone in doubtful)
    saved = {p.name: p.matrix_basis.copy() for p in obj.pose.bones}
    rng = np.random.default_rng(308)
    turns = []
    with evaluated_alone(obj) as layer:
        try:
            for _ in range(2):
                for bone in bones:
                    axis = rng.normal(size=3)
                    _turn_basis(obj.pose.bones[bone], axis / np.linalg.norm(axis) * PROBE_ANGLE)
                matrices = pose_matrices(obj, layer, (*bones, *parents))[:, :3, :3]
                still = np.array([rest.rotations[rest.index(n)] for n in (*bones, *parents)])
                turns.append(matrices @ np.swapaxes(still, -1, -2))
        finally:
            for name, matrix in saved.items():
                obj.pose.bones[name].matrix_basis = matrix
            layer.update()
    moved, carried = np.array(turns)[:, : len(bones)], np.array(turns)[:, len(bones) :]
    out: dict[str, str | None] = {}
    names = (*bones, None)
    candidates = np.concatenate([moved, np.broadcast_to(np.eye(3), (len(turns), 1, 3, 3))], axis=1)
    for n, bone in enumerate(doubtful):
        apart = _angles(candidates, carried[:, n : n + 1]).max(axis=0)
        apart[bones.index(bone)] = np.inf
        best = int(apart.argmin())
        if apart[best] < RIGID:
            out[bone] = names[best]
    return out


def _angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(...,) a bound on the angle between rotations: of their x and y axes, radians."""
    return np.maximum(angle_between(a[..., 0], b[..., 0]), angle_between(a[..., 1], b[..., 1]))


def _turn_basis(pose_bone: bpy.types.PoseBone, vector: np.ndarray) -> None:
    from mathutils import Matrix, Vector

    angle = float(np.linalg.norm(vector))
    pose_bone.matrix_basis = Matrix.Rotation(angle, 4, Vector(vector / angle))
