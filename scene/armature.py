"""RigData into an armature with the names, rolls and types that Rigify generates from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..core.common.arrays import RigData
from ..core.common.spaces import transform_points, transform_vectors
from .alone import alone, operators_see
from .correctives import drive_correctives
from .hand_edits import is_edited, stamp
from .mesh import write_normals
from .photo_pose import write_photo_pose
from .rigify import adopt_rigify, write_rigify

UNSEEN = "sapiens2_unseen"
DOUBT = "sapiens2_doubt"
SHOWN = (
    "display_type",
    "axes_position",
    "show_axes",
    "show_names",
    "show_bone_colors",
    "show_bone_custom_shapes",
    "pose_position",
)
"""How an armature is drawn and used: the artist's choice."""


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
    stamp(data)
    write_photo_pose(obj, rig, world_from_camera)
    return obj


def read_rest_rig(obj: bpy.types.Object) -> RigData:
    """The rest of an armature object in its own space, parents first."""
    bones = list(obj.data.bones)  # parents come first
    names = tuple(bone.name for bone in bones)
    matrices = np.array([np.array(bone.matrix_local) for bone in bones], np.float32).reshape(-1, 4, 4)
    return RigData(
        names=names,
        parents=np.array([names.index(bone.parent.name) if bone.parent is not None else -1 for bone in bones], np.int32),
        heads=np.array([bone.head_local for bone in bones], np.float32).reshape(-1, 3),
        tails=np.array([bone.tail_local for bone in bones], np.float32).reshape(-1, 3),
        z_axes=matrices[:, :3, 2],
        connected=np.array([bone.use_connect for bone in bones], bool),
        unseen=np.zeros(len(bones), bool),
    )


def write_rest_rig(obj: bpy.types.Object, rig: RigData) -> None:
    """Another rest for the bones that an armature object has, in its own space; they keep everything else. What was not edited
    by hand still is not."""
    data = obj.data
    assert isinstance(data, bpy.types.Armature)
    edited, mirrored = is_edited(data), data.use_mirror_x
    data.use_mirror_x = False  # else Blender moves the bones of the other side with each
    try:
        with edit_bones(obj) as bones:
            rows = zip(rig.names, rig.heads.tolist(), rig.tails.tolist(), rig.z_axes.tolist(), strict=True)
            for name, head, tail, z_axis in rows:
                bone = bones[name]
                bone.head, bone.tail = head, tail
                bone.align_roll(Vector(z_axis))
    finally:
        data.use_mirror_x = mirrored
    if not edited:
        stamp(data)


def bind(scan: bpy.types.Object, rig: bpy.types.Object) -> None:
    """Let the scan follow the rig: parented to it, deformed by an Armature modifier through the groups named after bones.

    A scan that was moved by itself stays where it stands. One that was not, as what is left of a rig that was deleted, goes to
    where the rig is. Its normals follow too: see `scene.mesh.write_normals`.
    """
    scan.parent = rig
    # What was moved just now has its new `matrix_world` when its scene is brought up to date.
    place = rig.matrix_basis if rig.parent is None else rig.matrix_world
    scan.matrix_parent_inverse = Matrix() if scan.matrix_basis == Matrix() else place.inverted()
    follow(scan, rig)


def is_bound(scan: bpy.types.Object, rig: bpy.types.Object) -> bool:
    """Whether an Armature modifier lets the scan follow this rig."""
    return any(modifier.type == "ARMATURE" and modifier.object == rig for modifier in scan.modifiers)


def followers(armature: bpy.types.Object) -> list[bpy.types.Object]:
    """The objects that an Armature modifier lets follow this armature."""
    return [obj for obj in bpy.data.objects if any(m.type == "ARMATURE" and m.object == armature for m in obj.modifiers)]


def follow(scan: bpy.types.Object, rig: bpy.types.Object) -> None:
    """The Armature modifier of `bind`: the one whose rig is gone, else a new one."""
    modifier = next((m for m in scan.modifiers if m.type == "ARMATURE" and m.object is None), None)
    modifier = modifier or scan.modifiers.new("Rig", "ARMATURE")
    modifier.object = rig
    modifier.use_vertex_groups = True
    modifier.use_bone_envelopes = False
    drive_correctives(scan, rig)
    mesh = scan.data
    assert isinstance(mesh, bpy.types.Mesh)
    exact = mesh.attributes.get("custom_normal")
    if exact is not None and exact.data_type == "FLOAT_VECTOR":
        normals = np.empty(len(exact.data) * 3, np.float32)
        exact.data.foreach_get("vector", normals)
        write_normals(mesh, normals.reshape(-1, 3), deforms=True)


def adopt_bone_marks(kept: bpy.types.Object, obj: bpy.types.Object, before: bpy.types.Armature) -> None:
    """What a build says of the bones of the new rig `obj`, for the rig `kept`, which has its armature now.

    Pose, constraints and shapes of the bones of `kept` are the artist's. So is how `before`, the armature that it had, was shown,
    and what Rigify and the artist have noted on it.
    """
    for bone in obj.pose.bones:
        own = kept.pose.bones[bone.name]
        if UNSEEN in bone:
            own[UNSEEN] = True
        elif UNSEEN in own:
            del own[UNSEEN]
    adopt_rigify(kept, obj, before)
    data = kept.data
    assert isinstance(data, bpy.types.Armature)
    for name in SHOWN:
        if hasattr(data, name):
            setattr(data, name, getattr(before, name))
    for collection in before.collections:
        if collection.name in data.collections:
            data.collections[collection.name].is_visible = collection.is_visible
    for key, value in before.items():
        if key not in data:
            data[key] = value
