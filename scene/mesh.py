"""MeshData into a Blender mesh object: buffers only, no loop over vertices or faces."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import cast

import bpy
import numpy as np

from ..core.common.arrays import MeshData, PartData
from ..core.common.landmarks import part_names
from ..core.common.spaces import transform_points, transform_vectors
from ..core.surface.body_parts import make_parts
from .groups import write_part_groups
from .hand_edits import stamp

LABEL_ATTRIBUTE = "sapiens_label"
FACE_SETS = ".sculpt_face_set"
UV_PHOTO, UV_ATLAS = "UVMap", "Atlas"


def write_mesh(
    data: MeshData,
    name: str,
    world_from_camera: np.ndarray,
    collection: bpy.types.Collection,
    parts: PartData | None = None,
) -> bpy.types.Object:
    """A new object in `collection` with the surface, its uv maps, custom normals, body parts and the attribute `sapiens_label`.

    Vertices are written in world space, the object's own transform is the identity. `world_from_camera` is (4, 4) rigid.
    `parts` are found here where they were not found before. The photo's projection is the first uv map and the one that renders;
    the second one is the atlas, where there is one. Every part is a soft vertex group and a face set.
    """
    parts = parts or make_parts(data)
    mesh = bpy.data.meshes.new(name)
    _write_surface(mesh, data, world_from_camera)
    normals = transform_vectors(world_from_camera, np.ascontiguousarray(data.normals, np.float32))
    write_normals(mesh, normals)
    mesh.attributes.new(LABEL_ATTRIBUTE, "INT", "POINT").data.foreach_set("value", data.labels.astype(np.int32))
    face_sets = data.of_polygons(parts.face_label).astype(np.int32)
    face_sets[face_sets == 0] = len(part_names())  # 0 means none
    mesh.attributes.new(FACE_SETS, "INT", "FACE").data.foreach_set("value", face_sets)
    obj = bpy.data.objects.new(name, mesh)
    write_part_groups(obj, parts)
    stamp(mesh)
    collection.objects.link(obj)
    return obj


def _write_surface(mesh: bpy.types.Mesh, data: MeshData, world_from_camera: np.ndarray) -> None:
    """Positions, triangles or quads, edges and the uv maps."""
    points = transform_points(world_from_camera, np.ascontiguousarray(data.vertices, np.float32))
    polygons = np.ascontiguousarray(data.polygons, np.int32)
    uvs = {UV_PHOTO: np.ascontiguousarray(data.uvs, np.float32)[polygons]}
    if data.atlas is not None:
        uvs[UV_ATLAS] = data.of_polygon_corners(data.atlas)
    write_polygons(mesh, points, polygons, uvs)


def write_polygons(mesh: bpy.types.Mesh, points: np.ndarray, polygons: np.ndarray, uvs: Mapping[str, np.ndarray]) -> None:
    """Fill an empty mesh, smooth: points (V, 3) float32, polygons (F, n) int32, uv maps (F, n, 2) by name, the first renders."""
    corners = np.ascontiguousarray(polygons, np.int32).ravel()
    mesh.vertices.add(len(points))
    mesh.loops.add(len(corners))
    mesh.polygons.add(len(polygons))
    mesh.attributes["position"].data.foreach_set("vector", points.ravel())
    mesh.attributes[".corner_vert"].data.foreach_set("value", corners)
    mesh.polygons.foreach_set("loop_start", np.arange(0, len(corners), polygons.shape[1], dtype=np.int32))
    mesh.update(calc_edges=True)
    for name, values in uvs.items():
        _write_uvs(mesh, name, values)
    mesh.uv_layers.active_index = 0
    mesh.uv_layers[0].active_render = True
    mesh.shade_smooth()


def _write_uvs(mesh: bpy.types.Mesh, name: str, uvs: np.ndarray) -> None:
    """A uv map of that name from the values at all corners, (..., 2)."""
    values = np.ascontiguousarray(uvs, np.float32).ravel()
    mesh.attributes.new(name, "FLOAT2", "CORNER").data.foreach_set("vector", values)


def write_normals(mesh: bpy.types.Mesh, normals: np.ndarray, deforms: bool = False) -> None:
    """Custom normals (V, 3) float32, unit, in the object's space.

    Exact where nothing deforms the mesh and Blender can keep them so (4.5 and later). Such normals would stay as they are while
    an Armature modifier turns the surface under them, so those of a mesh that `deforms` are kept in the surface's own frame, in
    16 bits (0.3 degrees).
    """
    old = mesh.attributes.get("custom_normal")
    if old is not None:
        mesh.attributes.remove(old)
    if deforms or bpy.app.version < (4, 5, 0):
        # Blender reads tuples five times as fast as an array here; half a million of them would wake the garbage collector often.
        collects = gc.isenabled()
        gc.disable()
        try:
            rows = cast("list[list[float]]", list(zip(*normals.T.tolist(), strict=True)))  # any sequence of three will do
            mesh.normals_split_custom_set_from_vertices(rows)
        finally:
            if collects:
                gc.enable()
        return
    mesh.attributes.new("custom_normal", "FLOAT_VECTOR", "POINT").data.foreach_set(
        "vector", np.ascontiguousarray(normals).ravel()
    )
