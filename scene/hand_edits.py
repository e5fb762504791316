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
        bones = data.bones.values()
        for bone in bones:
            found.update(f"{bone.name}\0{bone.parent.name if bone.parent is not None else ''}\0".encode())
        rest = [(*np.array(bone.matrix_local).ravel(), bone.length) for bone in bones]
        found.update((np.round(np.array(rest), 5) + 0.0).tobytes())  # no minus zero
        return found.hexdigest()
    keys = data.shape_keys
    if keys is not None:
        points = np.empty(3 * len(data.vertices), np.float32)
        keys.reference_key.data.foreach_get("co", points)
    else:
        points = _column(data, "position", "vector", len(data.vertices))
    found.update(points.tobytes())
    found.update(_column(data, ".corner_vert", "value", len(data.loops)).tobytes())
    starts = np.empty(len(data.polygons), np.int32)
    data.polygons.foreach_get("loop_start", starts)
    found.update(starts.tobytes())
    uvs = np.empty(2 * len(data.loops), np.float32)
    for layer in data.uv_layers:
        layer.uv.foreach_get("vector", uvs)
        found.update(layer.name.encode() + uvs.tobytes())
    for layer in data.attributes:
        if not layer.name.startswith((".", "sapiens")) and layer.name not in OF_BLENDER and not layer.is_internal:
            found.update(f"{layer.name}\0{layer.domain}\0{layer.data_type}\0".encode())
    return found.hexdigest()


def _column(mesh: bpy.types.Mesh, attribute: str, kind: str, count: int) -> np.ndarray:
    """Points (3 V,) float32 or corners (L,) int32 of a mesh: of its attribute as one block of memory, in a hundredth of the time
    that asking element by element takes. A mesh without elements may lack the attribute."""
    own = mesh.attributes.get(attribute)
    values = np.empty(count * (3 if kind == "vector" else 1), np.float32 if kind == "vector" else np.int32)
    if own is not None:
        own.data.foreach_get(kind, values)
    return values
