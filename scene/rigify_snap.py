"""IK controls of a generated Rigify rig brought to its FK pose: the artist may switch a limb to IK and nothing jumps.

Rigify's own operators need the script that it writes into the file to be allowed to run; this works without it.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from .rig_state import evaluated_alone, pose_matrices

# IK control, FK bone whose pose it takes. In this order: a control may hang under one before it.
_LIMBS = {
    "arm": (("upper_arm_ik", "upper_arm_fk"), ("hand_ik", "hand_fk")),
    "leg": (("thigh_ik", "thigh_fk"), ("foot_ik", "foot_fk"), ("toe_ik", "toe_fk")),
}
_NEUTRAL = ("hand_ik_wrist", "foot_heel_ik", "foot_spin_ik")  # controls that add to the IK control and must add nothing
_POLES = {"upper_arm_ik_target": ("upper_arm_fk", "forearm_fk", "hand_fk"), "thigh_ik_target": ("thigh_fk", "shin_fk", "foot_fk")}


def ik_controls(obj: bpy.types.Object) -> list[tuple[str, str]]:
    """(IK control, FK bone) pairs that this rig has, parents first."""
    bones = obj.pose.bones
    pairs = [(f"{ik}.{side}", f"{fk}.{side}") for limb in _LIMBS.values() for side in "LR" for ik, fk in limb]
    return [(ik, fk) for ik, fk in pairs if ik in bones and fk in bones]


def snap_rigify(obj: bpy.types.Object) -> tuple[str, ...]:
    """Set the IK controls to the FK pose that the rig has now. Returns notes."""
    pairs = ik_controls(obj)
    if not pairs:
        return ()
    for base in _NEUTRAL:
        for side in "LR":
            bone = obj.pose.bones.get(f"{base}.{side}")
            if bone is not None:
                bone.matrix_basis = Matrix()
    with evaluated_alone(obj) as layer:
        for ik, fk in pairs:
            rest = obj.data.bones[fk].matrix_local.inverted() @ obj.data.bones[ik].matrix_local
            posed = Matrix(pose_matrices(obj, layer, (fk,))[0].tolist())
            _place(obj, layer, ik, posed @ rest)
        for base, chain in _POLES.items():
            for side in "LR":
                names = tuple(f"{name}.{side}" for name in chain)
                pole = obj.pose.bones.get(f"{base}.{side}")
                if pole is None or any(n not in obj.pose.bones for n in names):
                    continue
                start, middle, end = pose_matrices(obj, layer, names)[:, :3, 3]
                matrix = obj.data.bones[pole.name].matrix_local.copy()
                matrix.translation = pole_position(start, middle, end).tolist()
                _place(obj, layer, pole.name, matrix)
    return ()


def pole_position(start: np.ndarray, middle: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(3,) where the pole of a two-bone limb belongs: out from the joint, in the limb's plane, half a limb away.

    The foot of the perpendicular is weighted by the bones' lengths, or the pole would swing when they differ.
    """
    a, b = np.linalg.norm(middle - start), np.linalg.norm(end - middle)
    out = middle - (start + (end - start) * a / (a + b))
    length = np.linalg.norm(out)
    return middle + 0.5 * (a + b) * (out / length if length > 1e-3 * (a + b) else np.zeros(3))


def _place(obj: bpy.types.Object, layer: bpy.types.ViewLayer, name: str, matrix: Matrix) -> None:
    """Give a bone the pose matrix (armature space), whatever its evaluated parent is."""
    bone = obj.data.bones[name]
    basis = bone.matrix_local.inverted() @ matrix
    if bone.parent is not None:
        parent = Matrix(pose_matrices(obj, layer, (bone.parent.name,))[0].tolist())
        basis = (parent @ bone.parent.matrix_local.inverted() @ bone.matrix_local).inverted() @ matrix
    location, rotation, _ = basis.decompose()
    obj.pose.bones[name].matrix_basis = Matrix.LocRotScale(location, rotation, None)
