"""Parts of a build made again: new textures or a new rig on a scan that stays the artist's object."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.common.arrays import Avatar, SkinWeights
from ..core.common.spaces import transform_points, transform_vectors
from ..core.surface.materials import Material, material_named
from .armature import bind, write_armature
from .build import PERSON, ROLE, clear_objects, objects_of
from .groups import write_skin_weights
from .material import KIND, write_images, write_material
from .mesh import UV_ATLAS, write_normals
from .separate import scans, vertices_of


def fits(collection: bpy.types.Collection, avatars: list[Avatar]) -> bool:
    """Whether the scans in the collection, or the pieces of each together, are the meshes of these avatars, so that a part can be
    made again on them. Never where there is a body or will be one: body and rig are one thing."""
    found = scans(collection)
    if objects_of([collection], "body"):
        return False
    return all(
        avatar.body is None
        and avatar.mesh is not None
        and avatar.textures is not None
        and avatar.name in found
        and sum(len(obj.data.polygons) for obj in found[avatar.name]) == len(avatar.mesh.polygons)
        and all(vertices_of(obj).max(initial=-1) < len(avatar.mesh.vertices) for obj in found[avatar.name])
        and (avatar.textures.layout != "atlas" or all(UV_ATLAS in obj.data.uv_layers for obj in found[avatar.name]))
        and len(np.unique(np.concatenate([vertices_of(obj) for obj in found[avatar.name]]))) == len(avatar.mesh.vertices)
        for avatar in avatars
    )


def update_textures(collection: bpy.types.Collection, avatars: list[Avatar]) -> None:
    """New materials and images on the scans; the photo behind the camera stays, and so do materials of the artist's own."""
    found = scans(collection)
    photo = next((bg.image for obj in collection.objects if obj.type == "CAMERA" for bg in obj.data.background_images), None)
    for avatar in avatars:
        slots = [slot for obj in found[avatar.name] for slot in obj.material_slots if slot.material and KIND in slot.material]
        old = {slot.material for slot in slots if slot.material is not None}
        images = {node.image for m in old for node in m.node_tree.nodes if node.type == "TEX_IMAGE" and node.image is not None}
        kinds = [slot.material[KIND] for slot in slots if slot.material is not None]
        for slot in slots:
            slot.material = None
        bpy.data.batch_remove([material for material in old if material.users == 0])
        bpy.data.batch_remove([image for image in images if image.users == 0])
        new = write_images(avatar, photo)
        made = {kind: write_material(_kind(kind), avatar.name, new) for kind in dict.fromkeys(kinds)}
        for slot, kind in zip(slots, kinds, strict=True):
            slot.material = made[kind]


def _kind(name: str) -> Material:
    """The kind of surface that a material of a build says it shows."""
    kind = material_named(name)
    assert kind is not None
    return kind


def update_rig(collection: bpy.types.Collection, avatars: list[Avatar]) -> None:
    """New armatures and skin weights for the scans, or none where the avatars have none; scans go to the rest of their rig."""
    found = scans(collection)
    for avatar in avatars:
        for old in {obj.parent for obj in found[avatar.name] if obj.parent is not None and obj.parent.get(ROLE) == "rig"}:
            _release(found[avatar.name], old)
        rig = None
        if avatar.rig is not None:
            rig = write_armature(avatar.rig, avatar.world_from_camera, f"{avatar.name} Rig", collection)
            rig[ROLE], rig[PERSON] = "rig", avatar.name
        for obj in found[avatar.name]:
            own = vertices_of(obj)
            _move(obj, avatar, own)
            if rig is None or avatar.rig is None:
                continue
            if avatar.weights is not None:
                write_skin_weights(obj, SkinWeights(avatar.weights.bones[own], avatar.weights.weights[own]), avatar.rig)
            bind(obj, rig)


def _release(scans: list[bpy.types.Object], rig: bpy.types.Object) -> None:
    """Take a rig away from scans: its modifiers, its vertex groups, itself."""
    bones = set(rig.data.bones.keys())
    for obj in (obj for obj in scans if obj.parent == rig):
        for modifier in [m for m in obj.modifiers if m.type == "ARMATURE" and m.object == rig]:
            obj.modifiers.remove(modifier)
        for name in bones & set(obj.vertex_groups.keys()):
            obj.vertex_groups.remove(obj.vertex_groups[name])
        obj.parent = None
    clear_objects([rig])


def _move(scan: bpy.types.Object, avatar: Avatar, own: np.ndarray) -> None:
    """Bring the scan's vertices, those of the avatar with indices (V,) `own`, to where the avatar has them: another rest pose of
    the rig is another shape of the mesh."""
    assert avatar.mesh is not None  # it fits
    points = transform_points(avatar.world_from_camera, np.ascontiguousarray(avatar.mesh.vertices[own], np.float32))
    mesh = scan.data
    assert isinstance(mesh, bpy.types.Mesh)
    mesh.attributes["position"].data.foreach_set("vector", points.ravel())
    mesh.update()
    normals = np.ascontiguousarray(avatar.mesh.normals[own], np.float32)
    write_normals(mesh, transform_vectors(avatar.world_from_camera, normals))
