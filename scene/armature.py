"""RigData into an armature with the names, rolls and types that Rigify generates from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Vector

from ..core.common.arrays import RigData
from ..core.common.spaces import transform_points, transform_vectors
from .alone import alone, operators_see
from .mesh import write_normals
from .photo_pose import write_photo_pose
from .rigify import write_rigify

UNSEEN = "sapiens2_unseen"
DOUBT = "sapiens2_doubt"


@contextmanager
def edit_bones(obj: bpy.types.Object) -> Iterator[bpy.types.ArmatureEditBones]:
    """The edit bones of an armature object, without touching the artist's scene, selection or mode.

    Blender gives edit bones only to the active object of a view layer in edit mode. A scene of our own with this one object
    lends us that; the artist may even be in the edit mode of another object meanwhile.
    """
    with alone(obj) as layer:
        layer.objects.active = obj
        with operators_see(obj, layer):
            bpy.ops.object.mode_set(mode="EDIT")
        yield obj.data.edit_bones
        with operators_see(obj, layer):
            bpy.ops.object.mode_set(mode="OBJECT")


def write_armature(rig: RigData, world_from_camera: np.ndarray, name: str, collection: bpy.types.Collection) -> bpy.types.Object:
    """A new armature object in `collection`; its rest pose is the rig, in world space, with the identity as its transform.

    Pose bones that the photo does not show carry the custom property `sapiens2_unseen`. A rig at rest in an A-pose or T-pose
    keeps the pose of the photo as an action (`scene.photo_pose`). Where the network was unsure of the joints, the
    object's custom property `sapiens2_doubt` is a sentence about it.
    """
    heads = transform_points(world_from_camera, rig.heads).tolist()
    tails = transform_points(world_from_camera, rig.tails).tolist()
    z_axes = transform_vectors(world_from_camera, rig.z_axes).tolist()
    data = bpy.data.armatures.new(name)
    data.display_type = "OCTAHEDRAL"
    obj = bpy.data.objects.new(name, data)
    obj.show_in_front = True
    collection.objects.link(obj)
    with edit_bones(obj) as bones:
        made = []
        for index, bone_name in enumerate(rig.names):
            bone = bones.new(bone_name)
            bone.head, bone.tail = heads[index], tails[index]
            bone.align_roll(Vector(z_axes[index]))
            if rig.parents[index] >= 0:
                bone.parent = made[rig.parents[index]]
                bone.use_connect = bool(rig.connected[index])
            made.append(bone)
    for bone_name, unseen in zip(rig.names, rig.unseen.tolist(), strict=True):
        if unseen:
            obj.pose.bones[bone_name][UNSEEN] = True
    if rig.doubt:
        obj[DOUBT] = rig.doubt
    write_rigify(obj)
    write_photo_pose(obj, rig, world_from_camera)
    return obj


def bind(scan: bpy.types.Object, rig: bpy.types.Object) -> None:
    """Let the scan follow the rig: parented to it, deformed by an Armature modifier through the groups named after bones.

    Its normals follow too: see `scene.mesh.write_normals`.
    """
    scan.parent = rig
    scan.matrix_parent_inverse = rig.matrix_world.inverted()
    modifier = scan.modifiers.new("Rig", "ARMATURE")
    modifier.object = rig
    modifier.use_vertex_groups = True
    modifier.use_bone_envelopes = False
    mesh = scan.data
    assert isinstance(mesh, bpy.types.Mesh)
    exact = mesh.attributes.get("custom_normal")
    if exact is not None and exact.data_type == "FLOAT_VECTOR":
        normals = np.empty(len(exact.data) * 3, np.float32)
        exact.data.foreach_get("vector", normals)
        write_normals(mesh, normals.reshape(-1, 3), deforms=True)
