"""Run by test_retarget_blender.py in a Python of its own: the bpy module of Blender 4.5 does not end after Rigify has generated.

Poses a generated Rigify rig and prints, as JSON, the worst limb direction error in degrees in FK and in IK, and how elbows bend
that were straight when IK was snapped.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if importlib.util.find_spec("sapiens2_avatar") is None:
    spec = importlib.util.spec_from_file_location("sapiens2_avatar", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules["sapiens2_avatar"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["sapiens2_avatar"])
from sapiens2_avatar.core.common.arrays import Pose  # noqa: E402
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES  # noqa: E402
from sapiens2_avatar.core.common.rotations import angle_between, signed_angle  # noqa: E402
from sapiens2_avatar.scene.retarget import retarget  # noqa: E402
from sapiens2_avatar.scene.rigify_snap import snap_rigify  # noqa: E402

LIMBS = (("upper_arm", "forearm", "shoulder", "elbow"), ("forearm", "hand", "elbow", "wrist"), ("thigh", "shin", "hip", "knee"),
         ("shin", "foot", "knee", "ankle"))  # fmt: skip


def worst(rig: bpy.types.Object, world: dict[str, np.ndarray]) -> float:
    bpy.context.view_layer.update()
    bones = rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
    angles = []
    for side, letter in (("left", "L"), ("right", "R")):
        for a, b, c, d in LIMBS:
            along = np.array(bones[f"DEF-{b}.{letter}"].head - bones[f"DEF-{a}.{letter}"].head)
            angles.append(float(angle_between(along, world[f"{side}_{d}"] - world[f"{side}_{c}"])))
    return float(np.degrees(max(angles)))


def switch(rig: bpy.types.Object, fk: float) -> None:
    """All limbs to FK (1) or IK (0)."""
    for bone in rig.pose.bones:
        if "IK_FK" in bone:
            bone["IK_FK"] = fk
    rig.update_tag()


def bends_of_straight_arms(rig: bpy.types.Object) -> list[float]:
    """Degrees by which elbows bend about their own x axis when straight arms are snapped, then hands pulled in by a quarter."""
    for bone in rig.pose.bones:
        bone.matrix_basis.identity()
    for side in "LR":
        upper, lower = (rig.data.bones[f"{n}.{side}"].matrix_local.to_3x3() for n in ("upper_arm_fk", "forearm_fk"))
        rig.pose.bones[f"forearm_fk.{side}"].matrix_basis = (lower.inverted() @ upper).to_4x4()
    rig.update_tag()
    snap_rigify(rig)
    switch(rig, 0.0)
    bpy.context.view_layer.update()
    for side in "LR":
        hand = rig.pose.bones[f"hand_ik.{side}"]
        matrix = hand.matrix.copy()
        matrix.translation += 0.25 * (rig.pose.bones[f"upper_arm_fk.{side}"].head - matrix.translation)
        hand.matrix = matrix
    bpy.context.view_layer.update()
    out = []
    for side in "LR":
        upper, lower = (np.array(rig.pose.bones[f"ORG-{n}.{side}"].matrix.to_3x3()) for n in ("upper_arm", "forearm"))
        still = [np.array(rig.data.bones[f"ORG-{n}.{side}"].matrix_local.to_3x3()) for n in ("upper_arm", "forearm")]
        now, rest = (float(np.degrees(signed_angle(a[:, 1], b[:, 1], b[:, 0]))) for a, b in ((upper, lower), still))
        out.append(now * np.sign(rest))
    return out


def main(positions_file: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_basic_human_metarig_add()
    meta = bpy.context.object
    bpy.ops.pose.rigify_generate()
    rig = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o is not meta)
    fk, ik, done = [], [], None
    for positions in np.load(positions_file):
        pose = Pose(
            JOINT_NAMES,
            positions.astype(np.float32),
            np.ones(68, np.float32),
            np.ones(68, bool),
            np.full((308, 3), np.nan, np.float32),
            1.7,
        )
        done = retarget(pose, rig, world_from_camera=np.eye(4))
        world = dict(zip(JOINT_NAMES, positions, strict=True))
        switch(rig, 1.0)
        fk.append(worst(rig, world))
        switch(rig, 0.0)
        ik.append(worst(rig, world))
    result = {
        "family": done.family,
        "fk": max(fk),
        "ik": max(ik),
        "bones": len(done.bones),
        "straight": bends_of_straight_arms(rig),
    }
    sys.stdout.write("\nRESULT " + json.dumps(result) + "\n")
    sys.stdout.flush()


main(sys.argv[1])
os._exit(0)
