"""IK controls of a generated Rigify rig brought to its FK pose: the artist may switch a limb to IK and nothing jumps.

Rigify's own operators need the script that it writes into the file to be allowed to run; this works without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import bpy
import numpy as np
from mathutils import Matrix

from ..core.common.rotations import angle_between, perpendicular, rotation_from_vector, signed_angle, two_axis_frame, unit
from .rig_state import evaluated_alone, pose_matrices

# IK control, FK bone whose pose it takes.
_ENDS = (("hand_ik", "hand_fk"), ("foot_ik", "foot_fk"), ("toe_ik", "toe_fk"))
# The two bones that IK turns, and the FK bones of the limb and its end.
_LIMBS = (
    ("upper_arm_ik", "MCH-forearm_ik", "upper_arm_fk", "forearm_fk", "hand_fk"),
    ("thigh_ik", "MCH-shin_ik", "thigh_fk", "shin_fk", "foot_fk"),
)
_LEAST_BEND = np.radians(0.15)  # of a straight limb, so that it knows to which side it bends
_NEUTRAL = ("hand_ik_wrist", "foot_heel_ik", "foot_spin_ik")  # controls that add to the IK control and must add nothing
_POLES = {"upper_arm_ik_target": ("upper_arm_fk", "forearm_fk", "hand_fk"), "thigh_ik_target": ("thigh_fk", "shin_fk", "foot_fk")}


def ik_controls(obj: bpy.types.Object) -> list[tuple[str, str]]:
    """(IK control, FK bone) pairs that this rig has, parents first."""
    bones = obj.pose.bones
    pairs = [(f"{ik}.{side}", f"{fk}.{side}") for side in "LR" for ik, fk in _ENDS]
    return [(ik, fk) for ik, fk in pairs if ik in bones and fk in bones]


def snap_rigify(obj: bpy.types.Object) -> None:
    """Set the IK controls to the FK pose that the rig has now. A rig without them stays as it is."""
    pairs = ik_controls(obj)
    if not pairs:
        return
    for base in _NEUTRAL:
        for side in "LR":
            bone = obj.pose.bones.get(f"{base}.{side}")
            if bone is not None:
                bone.matrix_basis = Matrix()
    with evaluated_alone(obj) as layer:
        fk = dict(zip((f for _, f in pairs), _matrices(obj, layer, [f for _, f in pairs]), strict=True))
        bones = obj.data.bones
        # toe_ik hangs under foot_ik: feet and hands first, toes when those stand.
        for stage in (_pairs_of("hand_ik", "foot_ik", pairs=pairs), _pairs_of("toe_ik", pairs=pairs)):
            place_bones(obj, layer, {ik: fk[f] @ bones[f].matrix_local.inverted() @ bones[ik].matrix_local for ik, f in stage})
        _start_from_fk(obj, layer, [limb for limb in _sided(_LIMBS) if all(n in obj.pose.bones for n in limb)])
        poles = {}
        for pole, *chain in _sided([(pole, *chain) for pole, chain in _POLES.items()]):
            if all(n in obj.pose.bones for n in (pole, *chain)):
                matrix = bones[pole].matrix_local.copy()
                matrix.translation = pole_position(*pose_matrices(obj, layer, tuple(chain))[:, :3, 3]).tolist()
                poles[pole] = matrix
        place_bones(obj, layer, poles)


def _pairs_of(*bases: str, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [pair for pair in pairs if pair[0].rsplit(".", 1)[0] in bases]


def _sided(names: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    return [tuple(f"{name}.{side}" for name in chain) for chain in names for side in "LR"]


def _matrices(obj: bpy.types.Object, layer: bpy.types.ViewLayer, names: Sequence[str]) -> list[Matrix]:
    return [Matrix(m) for m in pose_matrices(obj, layer, tuple(names)).tolist()]


def pole_position(start: np.ndarray, middle: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(3,) where the pole of a two-bone limb belongs: out from the joint, in the limb's plane, half a limb away.

    The foot of the perpendicular is weighted by the bones' lengths, or the pole would swing when they differ.
    """
    a, b = np.linalg.norm(middle - start), np.linalg.norm(end - middle)
    out = middle - (start + (end - start) * a / (a + b))
    length = np.linalg.norm(out)
    return middle + 0.5 * (a + b) * (out / length if length > 1e-3 * (a + b) else np.zeros(3))


def _start_from_fk(obj: bpy.types.Object, layer: bpy.types.ViewLayer, limbs: list[tuple[str, ...]]) -> None:
    """Let the IK of each limb start from the FK pose: it is the solution, so that the solver has nothing to change.

    Rigify lets the bones of an IK limb stretch a little, and Blender's solver does so even where the goal is in reach: from the
    bend at rest it shortens both bones by up to 2.6 % on the way, which leaves elbows and knees 2 to 3 degrees off. Nothing that
    turns the limb's plane alone mends that.
    """
    bones = obj.data.bones
    parents = [bones[limb[0]].parent.name for limb in limbs]
    posed = pose_matrices(obj, layer, tuple(n for limb, parent in zip(limbs, parents, strict=True) for n in (parent, *limb[2:])))
    for limb, parent, (above, upper, middle, end) in zip(limbs, parents, posed.reshape(len(limbs), 4, 4, 4), strict=True):
        base, hinge = (np.array(bones[name].matrix_local, np.float64) for name in limb[:2])
        first, second = hinge[:3, 3] - base[:3, 3], np.array(bones[limb[1]].tail_local, np.float64) - hinge[:3, 3]
        axis = hinge[:3, 0]
        wanted = [middle[:3, 3] - upper[:3, 3], end[:3, 3] - middle[:3, 3]]
        turn = bend_about(axis, first, second, max(float(angle_between(*wanted)), _LEAST_BEND))
        bent = rotation_from_vector(axis * turn) @ second
        if angle_between(*wanted) < _LEAST_BEND:  # a straight limb has no plane: the one that the FK bone is in
            still = np.array(bones[limb[2]].matrix_local, np.float64)[:3, :3]
            wanted[1] = upper[:3, :3] @ still.T @ bent
        pose = two_axis_frame(wanted[0], wanted[1], "yz") @ two_axis_frame(first, bent, "yz").T @ base[:3, :3]
        rest = np.array(bones[parent].matrix_local, np.float64)[:3, :3]
        local = (unit(above[:3, :3].T).T @ rest.T @ base[:3, :3]).T @ pose
        obj.pose.bones[limb[0]].matrix_basis = Matrix(local.tolist()).to_4x4()
        obj.pose.bones[limb[1]].matrix_basis = Matrix.Rotation(turn, 4, "X")


def bend_about(axis: np.ndarray, first: np.ndarray, second: np.ndarray, angle: float) -> float:
    """Radians by which `second` must turn about the axis to stand at `angle` to `first`, bent to the side where it is now.

    All (3,), the axis of length 1. As near to the angle as the axis allows, where it is not perpendicular to both.
    """
    a, b = unit(first), unit(second)
    along = float(a @ axis) * float(b @ axis)
    across = np.linalg.norm(perpendicular(a, axis)) * np.linalg.norm(perpendicular(b, axis))
    now = float(signed_angle(a, b, axis))
    return float(np.copysign(np.arccos(np.clip((np.cos(angle) - along) / max(across, 1e-9), -1.0, 1.0)), now) - now)


def place_bones(obj: bpy.types.Object, layer: bpy.types.ViewLayer, wanted: dict[str, Matrix]) -> None:
    """Give bones pose matrices (armature space), whatever their evaluated parents are. None may be above another."""
    bones = obj.data.bones
    above = {name: bones[name].parent for name in wanted if bones[name].parent is not None}
    parents = dict(zip(above, _matrices(obj, layer, [p.name for p in above.values()]), strict=True))
    for name, matrix in wanted.items():
        bone = bones[name]
        still, axes = bone.matrix_local, Matrix()
        if name in parents:
            axes = parents[name]
            still = axes @ above[name].matrix_local.inverted() @ bone.matrix_local
        if bone.use_local_location:
            axes = still
        location = axes.to_3x3().inverted() @ (matrix.translation - still.translation)
        rotation = (still.inverted() @ matrix).to_quaternion()
        obj.pose.bones[name].matrix_basis = Matrix.LocRotScale(location, rotation, None)
