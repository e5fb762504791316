"""Bones that point somewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bpy
from mathutils import Matrix, Vector

STROLL = {
    "shoulder.L": (0.95, 0.1, 0.25),
    "upper_arm.L": (0.95, -0.15, 0.1),
    "forearm.L": (0.25, -0.3, 0.95),
    "hand.L": (0.1, -0.15, 1.0),
    "upper_arm.R": (-0.35, 0.2, -0.95),
    "forearm.R": (-0.25, -0.35, -0.9),
    "thigh.L": (0.12, -0.55, -0.85),
    "shin.L": (0.04, 0.5, -0.9),
    "foot.L": (0.1, -0.85, -0.6),
    "thigh.R": (-0.08, 0.15, -1.0),
    "shin.R": (-0.02, 0.2, -1.0),
}
"""Somebody who walks and waves: bone -> direction in the space of a rig that looks along -Y."""


def aim(rig: bpy.types.Object, aims: Mapping[str, Sequence[float]]) -> None:
    """Put the rig at rest but for the bones that point along `aims`, directions in its own space."""
    posed: dict[str, Matrix] = {}
    for bone in rig.pose.bones:  # parents come first
        rest, parent = bone.bone.matrix_local, bone.parent
        start = posed[parent.name] @ parent.bone.matrix_local.inverted() @ rest if parent else rest
        basis = Matrix.Identity(4)
        if bone.name in aims:
            own = start.to_3x3()
            arc = (own @ Vector((0, 1, 0))).rotation_difference(Vector(aims[bone.name])).to_matrix()
            basis = (own.inverted() @ arc @ own).to_4x4()
        posed[bone.name] = start @ basis
        bone.matrix_basis = basis


def aimed_copies(
    surfaces: Sequence[bpy.types.Object], rig: bpy.types.Object, aims: Mapping[str, Sequence[float]]
) -> tuple[list[bpy.types.Object], list[bpy.types.ID]]:
    """Copies of the surfaces that follow a copy of their rig, which points along `aims`: the objects, the rig last, and all that
    was made for them. Nothing of the originals moves, whatever animates them."""
    double = rig.copy()
    double.data = rig.data.copy()
    double.animation_data_clear()
    double.data.pose_position = "POSE"
    aim(double, aims)
    made: list[bpy.types.ID] = [double, double.data]
    copies = []
    for surface in surfaces:
        copy = surface.copy()
        if copy.parent == rig:
            copy.parent = double
        for modifier in copy.modifiers:
            if modifier.type == "ARMATURE" and modifier.object == rig:
                modifier.object = double
        copies.append(copy)
    return [*copies, double], [*made, *copies]
