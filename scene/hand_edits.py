"""Whether an artist has edited by hand what a build wrote: the data carry a hash of what was written."""

from __future__ import annotations

import hashlib

import bpy
import numpy as np

DIGEST = "sapiens2_digest"
"""Custom property of a mesh or armature: hash of its geometry as a build wrote it."""
OF_BLENDER = {"position", "custom_normal", "sharp_face", "sharp_edge", "material_index"}
"""Layers of a mesh that come and go by themselves, or that are hashed apart."""


def stamp(data: bpy.types.ID | None) -> None:
    """Note that this is what a build wrote. Nothing for data that are neither a mesh nor an armature."""
    if isinstance(data, (bpy.types.Mesh, bpy.types.Armature)):
        data[DIGEST] = digest(data)


def is_edited(data: bpy.types.ID | None) -> bool:
    """Whether a mesh or an armature is not what a build wrote: vertices, faces, uv maps, layers of its own; bones at rest.

    Vertex groups and shape keys do not count, they are carried over (`scene.carry`). What has no hash, as in files of
    older versions, may have been edited.
    """
    return isinstance(data, (bpy.types.Mesh, bpy.types.Armature)) and data.get(DIGEST) != digest(data)


def digest(data: bpy.types.Mesh | bpy.types.Armature) -> str:
    """Hexadecimal hash of the geometry."""
    found = hashlib.blake2b(digest_size=16)
    if isinstance(data, bpy.types.Armature):
        for bone in data.bones:
            parent = bone.parent.name if bone.parent is not None else ""
            found.update(f"{bone.name}\0{parent}\0{np.round(np.array(bone.matrix_local), 5) + 0.0}{bone.length:.5f}".encode())
        return found.hexdigest()
    keys = data.shape_keys
    points = np.empty(3 * len(data.vertices), np.float32)
    (keys.reference_key.data if keys is not None else data.vertices).foreach_get("co", points)
    found.update(points.tobytes())
    corners = np.empty(len(data.loops), np.int32)
    data.loops.foreach_get("vertex_index", corners)
    starts = np.empty(len(data.polygons), np.int32)
    data.polygons.foreach_get("loop_start", starts)
    found.update(corners.tobytes() + starts.tobytes())
    uvs = np.empty(2 * len(data.loops), np.float32)
    for layer in data.uv_layers:
        layer.uv.foreach_get("vector", uvs)
        found.update(layer.name.encode() + uvs.tobytes())
    for layer in data.attributes:
        if not layer.name.startswith((".", "sapiens")) and layer.name not in OF_BLENDER and not layer.is_internal:
            found.update(f"{layer.name}\0{layer.domain}\0{layer.data_type}\0".encode())
    return found.hexdigest()
