"""A person's body into a mesh object: quads, one uv map, a material for each loose part, bone weights and shape keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import bpy
import numpy as np

from ..core.common.arrays import RigData
from ..core.common.avatars import BodyData
from ..core.common.colour import SKIN_TONE
from ..core.common.looks import BODY_LOOKS, JOINED, PAINTED
from ..core.common.spaces import transform_points, transform_vectors
from .armature import bind
from .carry import VALUES
from .correctives import write_correctives
from .groups import write_group, write_shares, write_skin_weights
from .hand_edits import stamp
from .look import base_colour_of, write_look, write_shared_look
from .masks import BUST, COVERED, hide_covered, show_bust
from .material import SLOTS
from .mesh import UV_PHOTO, write_polygons
from .typed import mesh_of


def write_body(
    body: BodyData,
    rig: RigData | None,
    name: str,
    world_from_camera: np.ndarray,
    collection: bpy.types.Collection,
    armature: bpy.types.Object | None = None,
    skin_tone: tuple[int, int, int] = SKIN_TONE,
    encoded: Mapping[str, np.ndarray] | None = None,
) -> bpy.types.Object:
    """A new object in `collection`: the body in the rest pose of `rig`, in world space, with the identity as its transform.

    armature   the object of the rig, which the body follows; None = it stands still
    skin_tone  (3,) sRGB
    encoded    image files of the skin that were made already, by the names in `SurfaceTextures`
    """
    mesh = bpy.data.meshes.new(name)
    points = transform_points(world_from_camera, np.ascontiguousarray(body.vertices, np.float32))
    write_polygons(mesh, points, body.quads, {UV_PHOTO: body.uvs})
    obj = bpy.data.objects.new(name, mesh)
    collection.objects.link(obj)
    _write_materials(obj, body, name, skin_tone, encoded or {})
    # Groups are filled before there are shape keys: Blender converts attributes of meshes without them alone.
    if rig is not None:
        write_skin_weights(obj, body.weights, rig)
    if body.covered is not None:
        hidden = np.flatnonzero(body.covered)
        write_group(obj, COVERED, hidden, np.ones(len(hidden), np.float32))
    if body.bust is not None:
        write_shares(obj, BUST, body.bust)
    write_shape_keys(obj, body, points, world_from_camera)
    if rig is not None:
        write_correctives(obj, body.vertices, body.weights, rig, world_from_camera)
    if armature is not None:
        bind(obj, armature)
    if body.covered is not None:
        hide_covered(obj)
    if body.bust is not None:
        show_bust(obj)
    stamp(mesh)
    return obj


def write_shape_keys(obj: bpy.types.Object, body: BodyData, points: np.ndarray, world_from_camera: np.ndarray) -> None:
    """The basis, (V, 3) float32 points in the object's space, and every key at its value in the photo. Keys that the object has
    already are changed."""
    if obj.data.shape_keys is None:
        obj.shape_key_add(name="Basis", from_mix=False)
    keys = obj.data.shape_keys
    keys.key_blocks[0].data.foreach_set("co", points.ravel())
    offsets = transform_vectors(world_from_camera, np.ascontiguousarray(body.key_offsets, np.float32))
    starts = np.searchsorted(body.key_entries[:, 0], np.arange(len(body.key_names) + 1))
    for number, name in enumerate(body.key_names):
        moved = slice(starts[number], starts[number + 1])
        key = keys.key_blocks.get(name)
        if key is None:
            key = obj.shape_key_add(name=name, from_mix=False)
            key.value = float(body.key_values[number])  # 5.0 makes keys with the value 1
        placed = points.copy()
        placed[body.key_entries[moved, 1]] += offsets[moved]
        key.data.foreach_set("co", placed.ravel())
    obj.active_shape_key_index = 0
    mesh_of(obj)[VALUES] = {name: float(value) for name, value in zip(body.key_names, body.key_values, strict=True)}


def _write_materials(
    obj: bpy.types.Object, body: BodyData, name: str, skin_tone: tuple[int, int, int], encoded: Mapping[str, np.ndarray]
) -> None:
    """A slot for each part, in their order, and the slot of every face."""
    painted = None
    for part in body.part_names:
        colour = skin_tone if part == "skin" else tuple(body.tones.get(part, BODY_LOOKS[part].colour))
        look = replace(BODY_LOOKS[part], colour=colour)
        title, textures = f"{name} {part.capitalize()}", body.textures if part in ("skin", JOINED) else None
        if part in PAINTED and painted is not None:
            material = write_shared_look(title, part, look, painted)
        else:
            material = write_look(title, part, look, textures, encoded)
            painted = painted if textures is None else base_colour_of(material)
        obj.data.materials.append(material)
    mesh_of(obj)[SLOTS] = "\n".join(body.part_names)
    slots = obj.data.attributes.get("material_index") or obj.data.attributes.new("material_index", "INT", "FACE")
    slots.data.foreach_set("value", body.part.astype(np.int32))
