"""Parts of a build made again: new textures or a new rig on a scan that stays the artist's object."""

from __future__ import annotations

from functools import partial

import bpy
import numpy as np

from ..core.common.arrays import SkinWeights
from ..core.common.avatars import Avatar
from ..core.common.spaces import transform_points, transform_vectors
from ..core.surface.materials import Material, material_named
from .armature import bind, follow, is_bound, write_armature
from .build import clear_objects
from .carry import write_beside_keys
from .groups import write_skin_weights
from .hand_edits import is_edited, stamp
from .keep_materials import images_of, take_places
from .marks import made_in, mark, objects_of
from .material import KIND, write_images, write_material
from .mesh import UV_ATLAS, write_normals
from .replace import check_free, keep_edited, name_left, named_as, release, replace_build
from .restore import whole_or_nothing
from .separate import scans, vertices_of
from .standing import move_along
from .typed import mesh_of

MOST = 0.5
"""Share of the vertices that have not moved from which the rest is what the artist has edited, not another rest pose."""


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


def update_textures(collection: bpy.types.Collection, avatars: list[Avatar]) -> list[str]:
    """New images in the materials of the scans, or new materials where they have other maps; the photo behind the camera stays,
    and so do materials of the artist's own and those that a copy of the scan shows. Nothing changes when anything is raised."""
    found = scans(collection)
    check_free([obj for objects in found.values() for obj in objects])
    photo = next((bg.image for obj in collection.objects if obj.type == "CAMERA" for bg in obj.data.background_images), None)
    left: set[bpy.types.ID] = set()
    with whole_or_nothing() as changes:
        names = []
        for avatar in avatars:
            meshes = [mesh_of(obj) for obj in found[avatar.name]]
            old = {material for mesh in meshes for material in mesh.materials if material is not None and KIND in material}
            images, made, shown = write_images(avatar, photo), {}, images_of(old)
            for kind in sorted({material[KIND] for material in old}):
                made[kind] = write_material(_kind(kind), avatar.name, images)
            new = images_of(set(made.values()))
            taken = take_places(meshes, old, made, changes)
            left |= old | set(made.values()) | shown | new
            names += named_as(shown, new) + named_as(old, taken)
        changes.at_the_end(lambda: name_left(names, left))
    return []


def _kind(name: str) -> Material:
    """The kind of surface that a material of a build says it shows."""
    kind = material_named(name)
    assert kind is not None
    return kind


def update_rig(collection: bpy.types.Collection, avatars: list[Avatar]) -> list[str]:
    """New bones and skin weights for the scans, or none where the avatars have none, in the rigs that the artist has; scans go to
    the rest of their rig. Nothing changes when anything is raised. Returns sentences about what was kept aside."""
    found = scans(collection)
    check_free([obj for objects in found.values() for obj in objects])
    with whole_or_nothing() as changes:
        staged = bpy.data.collections.new(collection.name)
        for avatar in avatars:
            if avatar.rig is not None:
                rig = write_armature(avatar.rig, avatar.world_from_camera, f"{avatar.name} Rig", staged)
                mark(rig, "rig", avatar.name)
        move_along(staged.objects, collection)
        bones = {name: _bones(objects) for name, objects in found.items()}
        notes = replace_build(collection, staged, changes, roles=("rig",))
        changes.at_the_end(lambda: notes.extend(_reweight(collection, avatars, found, bones)))
    return notes


def _reweight(
    collection: bpy.types.Collection, avatars: list[Avatar], found: dict[str, list[bpy.types.Object]], bones: dict[str, set[str]]
) -> list[str]:
    """The scans to the rest of the rigs that are there now, with their weights. bones: what had groups before, by person."""
    rigs = {key[1]: obj for key, obj in made_in(collection).items() if key[0] == "rig"}
    notes = []
    for avatar in avatars:
        rig = rigs.get(avatar.name)
        if rig is not None and avatar.rig is None:
            release(rig)
            clear_objects([rig])
        for obj in found[avatar.name]:
            own = vertices_of(obj)
            notes += _move(obj, avatar, own, collection)
            write_beside_keys(obj, partial(_weigh, avatar=avatar, own=own, before=bones[avatar.name]))
            if rig is None or avatar.rig is None:
                continue
            if not is_bound(obj, rig):
                bind(obj, rig) if obj.parent is None else follow(obj, rig)
            write_normals(mesh_of(obj), _normals(avatar, own), deforms=True)
    return notes


def _weigh(obj: bpy.types.Object, avatar: Avatar, own: np.ndarray, before: set[str]) -> None:
    """The vertex groups of the bones anew; before: the bones that had some. own: the avatar's vertices that the object has.

    Those of a rig that was deleted are there still, and nobody knows them but the new one.
    """
    bones = before | set(avatar.rig.names if avatar.rig is not None else ())
    for name in bones & set(obj.vertex_groups.keys()):
        obj.vertex_groups.remove(obj.vertex_groups[name])
    if avatar.rig is not None and avatar.weights is not None:
        write_skin_weights(obj, SkinWeights(avatar.weights.bones[own], avatar.weights.weights[own]), avatar.rig)


def _bones(objects: list[bpy.types.Object]) -> set[str]:
    """Names of the bones that scans follow."""
    rigs = [m.object for obj in objects for m in obj.modifiers if m.type == "ARMATURE" and m.object is not None]
    return {name for rig in rigs for name in rig.data.bones.keys()}  # noqa: SIM118 (bones are iterated as values)


def _normals(avatar: Avatar, own: np.ndarray) -> np.ndarray:
    """(V, 3) float32, in the world, of the avatar's vertices with indices (V,) `own`."""
    return transform_vectors(avatar.world_from_camera, np.ascontiguousarray(avatar.mesh.normals[own], np.float32))


def _move(scan: bpy.types.Object, avatar: Avatar, own: np.ndarray, collection: bpy.types.Collection) -> list[str]:
    """Bring the scan's vertices, those of the avatar with indices (V,) `own`, to where the avatar has them: another rest pose of
    the rig is another shape of the mesh. Shape keys move along. Vertices that are there already stay, edited by hand or not; what
    was edited is kept aside where it has to move. Returns sentences about that."""
    assert avatar.mesh is not None  # it fits
    points = transform_points(avatar.world_from_camera, np.ascontiguousarray(avatar.mesh.vertices[own], np.float32))
    mesh = scan.data
    assert isinstance(mesh, bpy.types.Mesh)
    keys = mesh.shape_keys
    before = np.empty_like(points)
    (keys.reference_key.data if keys is not None else mesh.vertices).foreach_get("co", before.ravel())
    notes = []
    if is_edited(mesh):
        if np.isclose(before, points, atol=1e-5).all(axis=1).mean() > MOST:
            return notes
        notes.append(keep_edited(scan, collection))
        scan.data = mesh = mesh.copy()
        keys = mesh.shape_keys
    for block in keys.key_blocks if keys is not None else ():
        shape = np.empty_like(points)
        block.data.foreach_get("co", shape.ravel())
        block.data.foreach_set("co", (shape + points - before).ravel())
    mesh.attributes["position"].data.foreach_set("vector", points.ravel())
    mesh.update()
    write_normals(mesh, _normals(avatar, own))
    stamp(mesh)
    return notes
