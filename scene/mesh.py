"""MeshData into a Blender mesh object: buffers only, no loop over vertices or faces."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.data import MeshData, RigData, SkinWeights
from ..core.frames import transform_points, transform_vectors
from ..core.skeleton import part_names

LABEL_ATTRIBUTE = "sapiens_label"
WEIGHT_STEPS = 1023
"""Skin weights are written in steps of 1/1023: vertices of one bone and one step share one call, three times as fast as exact
weights through bmesh, and 0.0005 of a 60 degree bend is invisible."""


def write_mesh(data: MeshData, name: str, world_from_camera: np.ndarray, collection: bpy.types.Collection) -> bpy.types.Object:
    """A new object in `collection` with the surface, its uv map, custom normals, body parts and the attribute `sapiens_label`.

    Vertices are written in world space, the object's own transform is the identity. `world_from_camera` is (4, 4) rigid.
    """
    mesh = bpy.data.meshes.new(name)
    _write_surface(mesh, data, world_from_camera)
    normals = transform_vectors(world_from_camera, np.ascontiguousarray(data.normals, np.float32))
    write_normals(mesh, normals)
    mesh.attributes.new(LABEL_ATTRIBUTE, "INT", "POINT").data.foreach_set("value", data.labels.astype(np.int32))
    obj = bpy.data.objects.new(name, mesh)
    collection.objects.link(obj)
    write_part_groups(obj, data.labels)
    return obj


def _write_surface(mesh: bpy.types.Mesh, data: MeshData, world_from_camera: np.ndarray) -> None:
    """Positions, triangles, edges and the uv map."""
    points = transform_points(world_from_camera, np.ascontiguousarray(data.vertices, np.float32))
    corners = np.ascontiguousarray(data.faces, np.int32).ravel()
    mesh.vertices.add(len(points))
    mesh.loops.add(len(corners))
    mesh.polygons.add(len(data.faces))
    mesh.attributes["position"].data.foreach_set("vector", points.ravel())
    mesh.attributes[".corner_vert"].data.foreach_set("value", corners)
    mesh.polygons.foreach_set("loop_start", np.arange(0, len(corners), 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    uvs = np.ascontiguousarray(data.uvs, np.float32)[corners]
    mesh.attributes.new("UVMap", "FLOAT2", "CORNER").data.foreach_set("vector", uvs.ravel())
    mesh.uv_layers.active_index = 0
    mesh.shade_smooth()


def write_normals(mesh: bpy.types.Mesh, normals: np.ndarray) -> None:
    """Custom normals (V, 3) float32, unit, in the object's space. Before Blender 4.5 they are quantised to 16 bits."""
    if bpy.app.version >= (4, 5, 0):
        mesh.attributes.new("custom_normal", "FLOAT_VECTOR", "POINT").data.foreach_set(
            "vector", np.ascontiguousarray(normals).ravel()
        )
    else:
        mesh.normals_split_custom_set_from_vertices(normals)


def write_part_groups(obj: bpy.types.Object, labels: np.ndarray) -> None:
    """One vertex group per body part that occurs in `labels` (V,), weight 1, named as in data/seg29.json."""
    order = np.argsort(labels, kind="stable")
    present, starts = np.unique(labels[order], return_index=True)
    for label, indices in zip(present.tolist(), np.split(order, starts[1:]), strict=True):
        if label:  # 0 is the background
            obj.vertex_groups.new(name=part_names()[label]).add(indices.tolist(), 1.0, "REPLACE")


def write_skin_weights(obj: bpy.types.Object, weights: SkinWeights, rig: RigData) -> None:
    """One vertex group per bone that moves a vertex. Each vertex's weights sum to 1 after rounding to `WEIGHT_STEPS`."""
    steps = np.rint(weights.weights * WEIGHT_STEPS).astype(np.int64)
    rows = np.arange(len(steps))
    steps[rows, weights.weights.argmax(1)] += WEIGHT_STEPS - steps.sum(1)

    vertex, slot = np.nonzero(steps)
    key = weights.bones[vertex, slot].astype(np.int64) * (WEIGHT_STEPS + 1) + steps[vertex, slot]
    order = np.argsort(key, kind="stable")
    keys, starts = np.unique(key[order], return_index=True)
    bones, step = np.divmod(keys, WEIGHT_STEPS + 1)
    add = {bone: obj.vertex_groups.new(name=rig.names[bone]).add for bone in np.unique(bones).tolist()}
    indices = vertex[order].tolist()
    ends = [*starts[1:].tolist(), len(indices)]
    for bone, value, start, end in zip(bones.tolist(), step.tolist(), starts.tolist(), ends, strict=True):
        add[bone](indices[start:end], value / WEIGHT_STEPS, "REPLACE")
