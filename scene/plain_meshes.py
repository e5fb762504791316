"""Meshes as exporters can tell them, by shape keys and weights of bones alone: what else shapes them is in their points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy
import numpy as np

from ..core.common.spaces import transform_points
from .alone import alone
from .carry import carry_animation, group_weights, key_points
from .masks import plain_masks, without_masked
from .typed import layer_of, mesh_of

CLOSE = 1e-6
"""Parts of the size of a mesh that its points may lie beside those that are shown, before they are put right."""


@contextmanager
def plain_meshes(objects: Sequence[bpy.types.Object], *, motion: bool = False, most: int | None = None) -> Iterator[None]:
    """For the moment these objects have copies of their meshes that show the same by shape keys and bones alone.

    motion  they move: points hold what modifiers make of the rest; else what is shown now, exactly
    most    so many bones of each vertex, the heaviest, are in the file; None = all

    glTF and USD leave out modifiers, FBX leaves out shape keys where there are some; none knows a pinned shape key, one that is
    muted or goes by a vertex group, and bones that preserve volume. What Mask modifiers hide stays out.
    """
    before = []
    try:
        for obj in objects:
            if not isinstance(obj.data, bpy.types.Mesh) or obj.library is not None or not obj.visible_get():
                continue
            mesh, made = obj.data, _plain(obj, motion, most)
            if made is None:
                continue
            shown = [(m, m.show_render) for m in obj.modifiers if m.show_viewport and m.type != "ARMATURE"]
            before.append((obj, mesh, shown, obj.show_only_shape_key, obj.active_shape_key_index))
            obj.data, obj.show_only_shape_key = made, False
            for modifier, _ in shown:
                modifier.show_viewport = modifier.show_render = False
        yield
    finally:
        for obj, mesh, shown, only, index in before:
            copy, obj.data = mesh_of(obj), mesh
            obj.show_only_shape_key, obj.active_shape_key_index = only, index
            bpy.data.meshes.remove(copy)
            for modifier, rendered in shown:
                modifier.show_viewport, modifier.show_render = True, rendered


def _plain(obj: bpy.types.Object, motion: bool, most: int | None) -> bpy.types.Mesh | None:
    """A new mesh for an object, or None where its own will do."""
    masks = plain_masks(obj)
    others = [m for m in obj.modifiers if m.show_viewport and m.type != "ARMATURE" and m not in masks]
    special, exact = _special_keys(obj), not motion and _bends_otherwise(obj, others)
    if not (masks or others or special or exact):
        return None
    mesh = mesh_of(obj).copy()
    if special:
        _level_keys(obj, mesh)
    if others:
        mesh = _applied(obj, mesh)
    elif masks:
        without_masked(mesh, masks)
    if exact:
        _put_right(obj, mesh, most)
    return mesh


def _armatures(obj: bpy.types.Object) -> list[bpy.types.ArmatureModifier]:
    return [m for m in obj.modifiers if isinstance(m, bpy.types.ArmatureModifier) and m.object is not None]


def _bends_otherwise(obj: bpy.types.Object, others: Sequence[bpy.types.Modifier]) -> bool:
    """Whether more or less than the weighted mean of bones acts on the mesh that one armature bends."""
    bends = _armatures(obj)
    if not bends:
        return False
    first = bends[0]
    assert first.object is not None  # as `_armatures` says
    plain = first.show_viewport and first.use_vertex_groups and not (
        first.use_bone_envelopes or first.use_deform_preserve_volume or first.vertex_group or first.use_multi_modifier
    )  # fmt: skip
    return bool(others) or len(bends) > 1 or not plain or any(bone.bbone_segments > 1 for bone in first.object.data.bones)


def _special_keys(obj: bpy.types.Object) -> bool:
    """Whether shape keys are anything but offsets from one basis, each by its value."""
    keys = mesh_of(obj).shape_keys
    if keys is None:
        return False
    first = keys.reference_key
    blocks = [key for key in keys.key_blocks if key != first]
    return obj.show_only_shape_key or any(key.mute or key.vertex_group or key.relative_key != first for key in blocks)


def _level_keys(obj: bpy.types.Object, mesh: bpy.types.Mesh) -> None:
    """Make the keys of a copy of the object's mesh offsets from the basis that show the same."""
    keys = mesh.shape_keys
    assert keys is not None  # as `_special_keys` says
    basis = key_points(keys.reference_key)
    blocks = [key for key in keys.key_blocks if key != keys.reference_key]
    named = sorted({key.vertex_group for key in blocks if key.vertex_group in obj.vertex_groups})
    shares = dict(zip(named, group_weights(mesh, named), strict=True)) if named else {}
    offsets = [key_points(key) - key_points(key.relative_key) for key in blocks]
    for key, offset in zip(blocks, offsets, strict=True):
        share = shares.get(key.vertex_group)
        points = basis + (offset if share is None else share[:, None] * offset)
        key.data.foreach_set("co", np.ascontiguousarray(points, np.float32).ravel())
        key.relative_key, key.vertex_group = keys.reference_key, ""
    if obj.show_only_shape_key:
        _show_only(keys, obj.active_shape_key_index or 0)
    for key in [key for key in blocks if key.mute]:
        key.mute = False
        if keys.animation_data is None:
            key.value = 0.0
        else:  # it would move again
            obj_of_copy = bpy.data.objects.new(".sapiens2", mesh)
            obj_of_copy.shape_key_remove(key)
            bpy.data.objects.remove(obj_of_copy)


def _show_only(keys: bpy.types.Key, number: int) -> None:
    """Give one key its whole value and the others none, whatever moves them."""
    keys.animation_data_clear()
    for place, key in enumerate(keys.key_blocks):
        shown = place == number and not key.mute
        key.slider_max = max(key.slider_max, float(shown))
        key.value = float(shown)


def _applied(obj: bpy.types.Object, mesh: bpy.types.Mesh) -> bpy.types.Mesh:
    """A mesh with all modifiers of the object but its armatures in its points, and in each shape key. Where they make more or
    fewer vertices of a key than of the basis, there are no keys, and the mesh has the shape that is shown. `mesh` is gone."""
    holder = obj.copy()
    holder.animation_data_clear()
    holder.data = mesh
    for modifier in [m for m in holder.modifiers if m.type == "ARMATURE"]:
        holder.modifiers.remove(modifier)
    try:
        with alone(holder) as layer:
            keys = mesh.shape_keys
            holder.show_only_shape_key, holder.active_shape_key_index = keys is not None, 0
            made = _evaluated(holder, layer)
            if keys is None:
                return made
            points = []
            for number in range(1, len(keys.key_blocks)):
                holder.active_shape_key_index = number
                points.append(_shown(holder, layer))
            if any(len(places) != len(made.vertices) for places in points):
                bpy.data.meshes.remove(made)
                holder.show_only_shape_key = False
                return _evaluated(holder, layer)
            holder.modifiers.clear()
            holder.data = made
            holder.shape_key_add(name=keys.reference_key.name, from_mix=False)
            for key, places in zip(keys.key_blocks[1:], points, strict=True):
                new = holder.shape_key_add(name=key.name, from_mix=False)
                new.slider_min, new.slider_max, new.value = key.slider_min, key.slider_max, key.value
                new.data.foreach_set("co", places.ravel())
            assert made.shape_keys is not None  # made just now
            carry_animation(keys, made.shape_keys)
            return made
    finally:
        bpy.data.objects.remove(holder)
        bpy.data.meshes.remove(mesh)


def _updated(layer: bpy.types.ViewLayer) -> bpy.types.Depsgraph:
    layer.update()
    assert layer.depsgraph is not None  # as of every layer that was brought up to date
    return layer.depsgraph


def _evaluated(obj: bpy.types.Object, layer: bpy.types.ViewLayer) -> bpy.types.Mesh:
    """A new mesh: the object with its modifiers."""
    graph = _updated(layer)
    return bpy.data.meshes.new_from_object(obj.evaluated_get(graph), preserve_all_data_layers=True, depsgraph=graph)


def _shown(obj: bpy.types.Object, layer: bpy.types.ViewLayer) -> np.ndarray:
    """(V, 3) float32, in the object's space: where the vertices lie with modifiers."""
    evaluated = obj.evaluated_get(_updated(layer))
    mesh = evaluated.to_mesh()
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    evaluated.to_mesh_clear()
    return points.reshape(-1, 3)


def _put_right(obj: bpy.types.Object, mesh: bpy.types.Mesh, most: int | None) -> None:
    """Move the points and keys of `mesh` so that weights of bones alone put them where the object shows them now."""
    shown = _shown(obj, layer_of(bpy.context))
    if len(shown) != len(mesh.vertices):
        return
    keys = mesh.shape_keys
    layers = [mesh.vertices] if keys is None else [key.data for key in keys.key_blocks]
    points = np.empty((len(layers), 3 * len(shown)), np.float32)
    for layer, row in zip(layers, points, strict=True):
        layer.foreach_get("co", row)
    values = np.zeros(len(layers)) if keys is None else np.array([key.value for key in keys.key_blocks])
    mixed = points[0] + values[1:] @ (points[1:] - points[0])
    moved = _unbent(obj, mesh, shown, most).ravel() - mixed
    moved[np.abs(moved) <= CLOSE * np.ptp(shown, 0).max()] = 0
    for layer, row in zip(layers, points, strict=True):
        layer.foreach_set("co", (row + moved).astype(np.float32))
    if keys is not None:
        mesh.vertices.foreach_set("co", np.ascontiguousarray(key_points(keys.reference_key)).ravel())


def _unbent(obj: bpy.types.Object, mesh: bpy.types.Mesh, shown: np.ndarray, most: int | None) -> np.ndarray:
    """(V, 3): from where the bones of the object's armature, by the `most` largest weights, bend to the points `shown`."""
    rig = _armatures(obj)[0].object
    assert rig is not None  # as `_armatures` says
    rig = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    bones = [bone for bone in rig.pose.bones if bone.bone.use_deform and bone.name in obj.vertex_groups]
    if not bones:
        return shown
    moves = np.array([np.array(bone.matrix @ bone.bone.matrix_local.inverted()) for bone in bones])
    weights = group_weights(mesh, [bone.name for bone in bones]).astype(float)
    if most is not None and most < len(weights):
        np.put_along_axis(weights, np.argsort(-weights, axis=0, kind="stable")[most:], 0.0, axis=0)
    total = weights.sum(0)
    weights[:, total > 0] /= total[total > 0]
    bends = np.einsum("gv,gij->vij", weights, moves)
    bends[total <= 0] = np.eye(4)
    armature_from_mesh = np.array(rig.matrix_world.inverted() @ obj.matrix_world)
    placed = transform_points(armature_from_mesh, shown.astype(float))
    straight = np.einsum("vij,vj->vi", np.linalg.pinv(bends), np.c_[placed, np.ones(len(placed))])[:, :3]
    return transform_points(np.linalg.inv(armature_from_mesh), straight)
