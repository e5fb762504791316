"""Run by test_metarig_blender.py in a Python of its own: the bpy module of Blender 4.5 does not end after Rigify has generated.

Makes the rig of the mean person, with or without a face, or that of a fitted body, generates from it and prints what came out as
JSON.
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
from sapiens2_avatar.core.body.character import standing  # noqa: E402
from sapiens2_avatar.core.body.evaluate import Shape  # noqa: E402
from sapiens2_avatar.core.common.arrays import Pose  # noqa: E402
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index  # noqa: E402
from sapiens2_avatar.core.pose.anatomy import template_head, template_joints  # noqa: E402
from sapiens2_avatar.core.rig.metarig import RigSettings, make_rig  # noqa: E402
from sapiens2_avatar.scene.armature import write_armature  # noqa: E402


def main(seed: int, kind: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    rng = np.random.default_rng(seed)
    joints = 1.72 * template_joints()
    points = 1.72 * template_head() + joints[joint_index("head")]
    pose = Pose(
        JOINT_NAMES,
        (joints + rng.normal(0, 0.006, joints.shape)).astype(np.float32),
        np.ones(68, np.float32),
        np.ones(68, bool),
        (points + rng.normal(0, 0.003, points.shape)).astype(np.float32),
        1.72,
    )
    rig = make_rig(pose, RigSettings(face=kind == "face"))
    if kind == "body":
        rng = np.random.default_rng(seed)
        _, rig = standing(Shape(body=rng.normal(0, 0.7, 24), head=rng.normal(0, 0.7, 40)))
    meta = write_armature(rig, np.eye(4), "Meta", bpy.context.scene.collection)
    bpy.context.view_layer.objects.active = meta
    meta.select_set(True)
    bpy.ops.pose.rigify_generate()
    made = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o is not meta)
    origin = {n: made.data.bones.get(f"ORG-{n}") for n in rig.names}
    moved = [float(np.abs(np.array(b.head_local) - rig.heads[i]).max()) for i, b in enumerate(origin.values()) if b]
    result = {
        "bones": len(rig.names),
        "written": len(meta.data.bones),
        "generated": len(made.data.bones),
        "missing": [n for n, b in origin.items() if b is None],
        "off": max(moved),
        "controls": [n for n in ("jaw_master", "master_eye.L", "torso", "hand_ik.L") if n in made.pose.bones],
    }
    sys.stdout.write("\nRESULT " + json.dumps(result) + "\n")
    sys.stdout.flush()


main(int(sys.argv[1]), sys.argv[2])
os._exit(0)
