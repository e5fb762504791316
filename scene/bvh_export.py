"""The motion of an armature as BVH: y up, centimetres, the hips as the root that travels.

Blender's own exporter writes z up, and loses the travel of hips that hang under another bone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

from ..core.common.rotations import unit
from ..core.formats.bvh import BvhClip, write_bvh
from ..core.retarget.armature import RestRig
from ..core.retarget.bone_map import BoneMap
from .rig_state import parents_first, read_rest
from .units import metres_per_unit


def export_bvh(path: str | Path, armature: bpy.types.Object, bone_map: BoneMap, first: int, last: int) -> Path:
    """Write what an armature does from frame `first` to `last` of the scene. SapiensError if the file cannot be written.

    The joints are the hips and the bones below them; of a control rig, which hang together otherwise, the bones that deform.
    """
    rest = read_rest(armature)
    rest = replace(rest, world=np.diag([metres_per_unit()] * 3 + [1.0]) @ rest.world)
    skeleton = _skeleton(rest, _joints(armature, rest, bone_map))
    scene = bpy.context.scene
    before = scene.frame_current, scene.frame_subframe
    poses = np.empty((last - first + 1, len(skeleton.names), 4, 4))
    try:
        for n in range(len(poses)):
            scene.frame_set(first + n)
            bones = armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
            poses[n] = [bones[name].matrix for name in skeleton.names]
    finally:
        scene.frame_set(before[0], subframe=before[1])
    world = rest.world @ poses
    rotations = unit(np.swapaxes(world[..., :3, :3], -1, -2)).swapaxes(-1, -2)  # columns of length 1
    fps = scene.render.fps / scene.render.fps_base
    return write_bvh(BvhClip(skeleton, rotations, world[:, 0, :3, 3], fps), path)


def _joints(armature: bpy.types.Object, rest: RestRig, bone_map: BoneMap) -> list[int]:
    """Indices into the rest pose, the root first, parents before children."""
    hips = rest.index(bone_map.bones["hips"][0])
    if not bone_map.controls:
        return [n for n in range(len(rest.names)) if n == hips or hips in rest.ancestors(n)]
    deforming = [n for n, name in enumerate(rest.names) if armature.data.bones[name].use_deform]
    middle = rest.heads[hips]
    root = min(
        deforming, key=lambda n: (len(set(rest.ancestors(n)) & set(deforming)), float(np.linalg.norm(rest.heads[n] - middle)))
    )
    return [root, *(n for n in deforming if n != root)]


def _skeleton(rest: RestRig, joints: list[int]) -> RestRig:
    """The rest pose of some bones in the world; each hangs on its nearest ancestor among them, else on the first."""
    place = {joint: n for n, joint in enumerate(joints)}
    parents = np.array([-1, *(next((place[a] for a in rest.ancestors(j) if a in place), 0) for j in joints[1:])], np.int32)
    order, parents = parents_first(parents)
    chosen = np.array(joints)[order]
    matrices = rest.world @ rest.matrices[chosen]
    scale = float(np.linalg.norm(rest.world[:3, 0]))
    matrices[:, :3, :3] /= scale
    flags = np.ones(len(joints), bool)
    return RestRig(
        name=rest.name,
        names=tuple(rest.names[j] for j in chosen),
        parents=parents,
        matrices=matrices,
        lengths=rest.lengths[chosen] * scale,
        inherit_rotation=flags,
        local_location=flags,
        connected=~flags,
        world=np.eye(4),
    )
