"""What an artist has added to a mesh, carried over to the mesh that takes its place: vertex groups and shape keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import bpy
import numpy as np

from .alone import alone
from .groups import write_groups
from .mesh import UV_PHOTO
from .typed import mesh_of

VALUES = "sapiens2_key_values"
"""Custom property of a mesh: shape key -> the value that a build gave it."""
_INDEX, _WEIGHT = "sapiens_nearest", "sapiens_weight {:d}"


def carry_additions(old: bpy.types.Object, new: bpy.types.Object, ours: set[str], *, by_photo: bool) -> None:
    """Give the mesh object `new` the vertex groups and shape keys of `old` that it lacks, and those it has the artist's values.

    ours      names of groups that a build writes, in `old` or in `new`
    by_photo  the first uv map of both is the photo: a place in the photo finds the same place of the surface, whatever its
              resolution, size and pose. Else the same place in space does. Meshes of the same faces go vertex by vertex.
    """
    groups = [group.name for group in old.vertex_groups if group.name not in ours and group.name not in new.vertex_groups]
    keys = old.data.shape_keys
    if not groups and keys is None:
        return
    source = _sources(mesh_of(old), mesh_of(new), by_photo)
    if groups:
        weights = group_weights(mesh_of(old), groups)
        carried = weights[:, source]
        rows = ((name, np.flatnonzero(row).astype(np.int64), row[row > 0]) for name, row in zip(groups, carried, strict=True))
        write_beside_keys(new, lambda target: write_groups(target, rows))
    if keys is not None:
        carry_keys(keys, new, source, old.data.get(VALUES, {}))


def write_beside_keys(obj: bpy.types.Object, write: Callable[[bpy.types.Object], None]) -> None:
    """Let `write` change the vertex groups of a mesh object. Blender fills whole groups of meshes without shape keys only, so one
    with keys gets a mesh that was filled without them, and the keys, their drivers and animation again."""
    old = mesh_of(obj)
    if old.shape_keys is None:
        write(obj)
        return
    name, fresh = old.name, old.copy()
    holder = bpy.data.objects.new(".sapiens2", fresh)
    try:
        holder.shape_key_clear()
        write(holder)
        carry_keys(old.shape_keys, holder, np.arange(len(old.vertices)), {})
    finally:
        bpy.data.objects.remove(holder)
    old.user_remap(fresh)
    bpy.data.meshes.remove(old)
    fresh.name = name


def carry_keys(old: bpy.types.Key, new: bpy.types.Object, source: np.ndarray, built: Mapping[str, float]) -> None:
    """Shape keys as offsets from the basis, their settings, drivers and animation. built: values that are not the artist's."""
    basis = key_points(old.reference_key)
    if new.data.shape_keys is None:
        new.shape_key_add(name=old.reference_key.name, from_mix=False)
    keys = mesh_of(new).shape_keys
    assert keys is not None  # made just now
    rest = key_points(keys.reference_key)
    for key in old.key_blocks:
        if key == old.reference_key:
            continue
        made = keys.key_blocks.get(key.name)
        if made is None:
            made = new.shape_key_add(name=key.name, from_mix=False)
            points = rest + (key_points(key) - basis)[source]
            made.data.foreach_set("co", np.ascontiguousarray(points, np.float32).ravel())
        made.slider_min, made.slider_max = key.slider_min, key.slider_max
        made.mute, made.vertex_group, made.interpolation = key.mute, key.vertex_group, key.interpolation
        if abs(key.value - built.get(key.name, np.inf)) > 1e-4:  # else it is the photo's, which the new build knows better
            made.value = key.value
    for key in old.key_blocks:
        base = keys.key_blocks.get(key.relative_key.name)
        if base is not None and keys.key_blocks.get(key.name) is not None:
            keys.key_blocks[key.name].relative_key = base
    keys.use_relative, keys.eval_time = old.use_relative, old.eval_time
    carry_animation(old, keys)


def carry_animation(old: bpy.types.Key, new: bpy.types.Key) -> None:
    """The action and the drivers of shape keys for keys of the same names."""
    data = old.animation_data
    if data is None:
        return
    made = new.animation_data or new.animation_data_create()
    made.action = data.action
    if data.action is not None and hasattr(data, "action_slot"):
        made.action_slot = data.action_slot
    for driver in data.drivers:
        if made.drivers.find(driver.data_path, index=driver.array_index) is None:
            made.drivers.from_existing(src_driver=driver)


def key_points(key: bpy.types.ShapeKey) -> np.ndarray:
    """(V, 3) float32."""
    points = np.empty(3 * len(key.data), np.float32)
    key.data.foreach_get("co", points)
    return points.reshape(-1, 3)


def _sources(old: bpy.types.Mesh, new: bpy.types.Mesh, by_photo: bool) -> np.ndarray:
    """(V,) int: for every vertex of `new` the one of `old` that it takes after."""
    if len(old.vertices) == len(new.vertices) and np.array_equal(_corners(old), _corners(new)):
        return np.arange(len(new.vertices))
    places = [_photo_places(mesh) if by_photo else _points(mesh) for mesh in (old, new)]
    return _nearest(*places)


def _corners(mesh: bpy.types.Mesh) -> np.ndarray:
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    return corners


def _points(mesh: bpy.types.Mesh) -> np.ndarray:
    """(V, 3) float32: the mesh without the values of its shape keys."""
    if mesh.shape_keys is not None:
        return key_points(mesh.shape_keys.reference_key)
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def _photo_places(mesh: bpy.types.Mesh) -> np.ndarray:
    """(V, 3) float32: each vertex in the photo, z = 0. Without the photo's uv map: in space."""
    layer = mesh.uv_layers.get(UV_PHOTO)
    if layer is None:
        return _points(mesh)
    uvs = np.empty(2 * len(mesh.loops), np.float32)
    layer.uv.foreach_get("vector", uvs)
    places = np.zeros((len(mesh.vertices), 3), np.float32)
    places[_corners(mesh), :2] = uvs.reshape(-1, 2)
    return places


def _nearest(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """(N,) int32: the index of the nearest of the points (M, 3) `old` for each of (N, 3) `new`."""
    target, query = (bpy.data.meshes.new(".sapiens2") for _ in range(2))
    holder = bpy.data.objects.new(".sapiens2", target)
    try:
        for mesh, points in ((target, old), (query, new)):
            mesh.vertices.add(len(points))
            mesh.vertices.foreach_set("co", np.ascontiguousarray(points, np.float32).ravel())

        def nodes(tree: bpy.types.NodeTree) -> None:
            info, nearest = tree.nodes.new("GeometryNodeObjectInfo"), tree.nodes.new("GeometryNodeSampleNearest")
            info.inputs["Object"].default_value = holder
            tree.links.new(info.outputs["Geometry"], nearest.inputs["Geometry"])
            _store(tree, _INDEX, "INT", nearest.outputs["Index"])

        with _evaluated(query, nodes) as made:
            out = np.empty(len(new), np.int32)
            made.attributes[_INDEX].data.foreach_get("value", out)
            return out
    finally:
        bpy.data.objects.remove(holder)
        bpy.data.batch_remove([target, query])


def group_weights(mesh: bpy.types.Mesh, names: list[str]) -> np.ndarray:
    """(G, V) float32: the weights of these vertex groups, 0 for vertices that are in none."""

    def nodes(tree: bpy.types.NodeTree) -> None:
        for number, name in enumerate(names):
            read = tree.nodes.new("GeometryNodeInputNamedAttribute")
            read.data_type = "FLOAT"
            read.inputs["Name"].default_value = name
            _store(tree, _WEIGHT.format(number), "FLOAT", read.outputs["Attribute"])

    with _evaluated(mesh, nodes) as made:
        out = np.empty((len(names), len(mesh.vertices)), np.float32)
        for number, row in enumerate(out):
            made.attributes[_WEIGHT.format(number)].data.foreach_get("value", row)
        return out


def _store(tree: bpy.types.NodeTree, name: str, data_type: str, value: bpy.types.NodeSocket) -> None:
    """Another layer of every vertex, at the end of the chain of nodes."""
    node = tree.nodes.new("GeometryNodeStoreNamedAttribute")
    node.data_type, node.domain = data_type, "POINT"
    node.inputs["Name"].default_value = name
    tree.links.new(value, next(s for s in node.inputs if s.name == "Value" and s.enabled))
    output = next(node for node in tree.nodes if node.type == "GROUP_OUTPUT")
    links = output.inputs[0].links
    assert links is not None  # the tree begins with one
    before = links[0].from_socket
    assert before is not None
    tree.links.new(before, node.inputs["Geometry"])
    tree.links.new(node.outputs["Geometry"], output.inputs[0])


@contextmanager
def _evaluated(mesh: bpy.types.Mesh, nodes: Callable[[bpy.types.NodeTree], None]) -> Iterator[bpy.types.Mesh]:
    """The mesh after geometry nodes that `nodes` adds between input and output; it lives inside only."""
    tree = bpy.data.node_groups.new(".sapiens2", "GeometryNodeTree")
    obj = bpy.data.objects.new(".sapiens2", mesh)
    try:
        for direction in ("INPUT", "OUTPUT"):
            tree.interface.new_socket("Geometry", in_out=direction, socket_type="NodeSocketGeometry")
        source, target = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
        tree.links.new(source.outputs[0], target.inputs[0])
        nodes(tree)
        obj.modifiers.new("Carry", "NODES").node_group = tree
        with alone(obj) as layer:
            layer.update()
            graph = layer.depsgraph
            assert graph is not None  # updated just now
            yield mesh_of(obj.evaluated_get(graph))
    finally:
        bpy.data.objects.remove(obj)
        bpy.data.node_groups.remove(tree)
