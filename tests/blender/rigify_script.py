"""Run by test_retarget_blender.py in a Python of its own: the bpy module of Blender 4.5 does not end after Rigify has generated.

Poses a generated Rigify rig and prints, as JSON, the worst limb direction error in degrees in FK and in IK.
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
from sapiens2_avatar.core.data import Pose  # noqa: E402
from sapiens2_avatar.core.rotations import angle_between  # noqa: E402
from sapiens2_avatar.core.skeleton import JOINT_NAMES  # noqa: E402
from sapiens2_avatar.scene.retarget import retarget  # noqa: E402

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


def main(positions_file: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_basic_human_metarig_add()
    meta = bpy.context.object
    bpy.ops.pose.rigify_generate()
    rig = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o is not meta)
    positions = np.load(positions_file)
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
    fk = worst(rig, world)
    for bone in rig.pose.bones:
        if "IK_FK" in bone:
            bone["IK_FK"] = 0.0
    rig.update_tag()
    result = {"family": done.family, "fk": fk, "ik": worst(rig, world), "bones": len(done.bones)}
    sys.stdout.write("\nRESULT " + json.dumps(result) + "\n")
    sys.stdout.flush()


main(sys.argv[1])
os._exit(0)
