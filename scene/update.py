"""Parts of a build made again: new textures or a new rig on a scan that stays the artist's object."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.data import Avatar
from ..core.frames import transform_points, transform_vectors
from .armature import bind, write_armature
from .build import PERSON, ROLE, clear_objects
from .groups import write_skin_weights
from .material import write_images, write_materials
from .mesh import write_normals


def scans(collection: bpy.types.Collection) -> dict[str, bpy.types.Object]:
    """Name of the person -> their scan."""
    return {obj[PERSON]: obj for obj in collection.objects if obj.get(ROLE) == "scan" and PERSON in obj}


def fits(collection: bpy.types.Collection, avatars: list[Avatar]) -> bool:
    """Whether the scans in the collection are the meshes of these avatars, so that a part can be made again on them."""
    found = scans(collection)
    return all(
        avatar.name in found
        and len(found[avatar.name].data.vertices) == len(avatar.mesh.vertices)
        and len(found[avatar.name].data.polygons) == len(avatar.mesh.faces)
        for avatar in avatars
    )


def update_textures(collection: bpy.types.Collection, avatars: list[Avatar]) -> None:
    """New materials and images on the scans; the photo behind the camera stays."""
    found = scans(collection)
    photo = next((bg.image for obj in collection.objects if obj.type == "CAMERA" for bg in obj.data.background_images), None)
    for avatar in avatars:
        scan = found[avatar.name]
        old = [slot.material for slot in scan.material_slots if slot.material is not None]
        images = {node.image for m in old for node in m.node_tree.nodes if node.type == "TEX_IMAGE" and node.image is not None}
        scan.data.materials.clear()
        bpy.data.batch_remove([material for material in old if material.users == 0])
        bpy.data.batch_remove([image for image in images if image.users == 0])
        write_materials(scan, avatar, write_images(avatar, photo))


def update_rig(collection: bpy.types.Collection, avatars: list[Avatar]) -> None:
    """New armatures and skin weights for the scans, or none where the avatars have none; the scans go to the rest pose of their rig."""
    found = scans(collection)
    for avatar in avatars:
        scan = found[avatar.name]
        old = scan.parent
        for modifier in [m for m in scan.modifiers if m.type == "ARMATURE" and m.object == old]:
            scan.modifiers.remove(modifier)
        if old is not None and old.get(ROLE) == "rig":
            for name in set(old.data.bones.keys()) & set(scan.vertex_groups.keys()):
                scan.vertex_groups.remove(scan.vertex_groups[name])
            scan.parent = None
            clear_objects([old])
        _move(scan, avatar)
        if avatar.rig is None:
            continue
        rig = write_armature(avatar.rig, avatar.world_from_camera, f"{avatar.name} Rig", collection)
        rig[ROLE], rig[PERSON] = "rig", avatar.name
        if avatar.weights is not None:
            write_skin_weights(scan, avatar.weights, avatar.rig)
        bind(scan, rig)


def _move(scan: bpy.types.Object, avatar: Avatar) -> None:
    """Bring the scan's vertices to where the avatar has them: another rest pose of the rig is another shape of the mesh."""
    points = transform_points(avatar.world_from_camera, np.ascontiguousarray(avatar.mesh.vertices, np.float32))
    scan.data.attributes["position"].data.foreach_set("vector", points.ravel())
    scan.data.update()
    write_normals(scan.data, transform_vectors(avatar.world_from_camera, np.ascontiguousarray(avatar.mesh.normals, np.float32)))
