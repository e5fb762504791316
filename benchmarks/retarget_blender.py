"""The Blender half of benchmarks/retarget.py: Rigify's metarigs and generated rigs, evaluated by Blender itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import bpy
import numpy as np

from measures.round_trip import LIMBS, source_motion, worst_jump
from sapiens2_avatar.core.common.rotations import angle_between
from sapiens2_avatar.core.formats.bvh import BvhClip
from sapiens2_avatar.core.retarget.body_motion import BodyMotion
from sapiens2_avatar.core.retarget.bone_map import BoneMap
from sapiens2_avatar.scene.action import write_take
from sapiens2_avatar.scene.retarget import solve

DEFORM = {"UpperArm": "upper_arm", "LowerArm": "forearm", "Hand": "hand", "UpperLeg": "thigh", "LowerLeg": "shin", "Foot": "foot"}


def metarig(kind: str) -> bpy.types.Object:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="rigify")
    getattr(bpy.ops.object, f"armature_{kind}_metarig_add")()
    return bpy.context.object


def generated(kind: str) -> bpy.types.Object:
    meta = metarig(kind)
    bpy.ops.pose.rigify_generate()
    return next(o for o in bpy.data.objects if o.type == "ARMATURE" and o is not meta)


def measure_rigify(clip: BvhClip, check_every: int = 10) -> list[dict]:
    motion, source_map = source_motion(clip)
    rows = []
    for kind in ("basic_human", "human"):
        for label, make, prefix in (("metarig", metarig, ""), ("generated", generated, "DEF-")):
            obj = make(kind)
            scene = bpy.context.scene
            start = time.perf_counter()
            written = write_take(motion, obj, scene_fps=motion.fps, keep_raw=False)
            seconds = time.perf_counter() - start
            rows.append(
                {
                    "family": f"rigify {kind} {label}",
                    "rest": "own",
                    "rolls": False,
                    "honest": True,
                    "seconds": seconds,
                    "bones": len(obj.data.bones),
                    "keys": written.keys,
                    **key_speed(obj, motion),
                    "scale_keys": sum("scale" in path for path in _paths(written.action)),
                    **_compare(scene, obj, clip, source_map, lambda name, p=prefix: p + name, check_every),
                }
            )
    return rows


def key_speed(obj: bpy.types.Object, motion: BodyMotion) -> dict[str, float]:
    """Microseconds per key of the bulk write alone, the best of five: other processes make it slower, nothing makes it faster."""
    from sapiens2_avatar.scene.action import key_frames
    from sapiens2_avatar.scene.keys import write_action
    from sapiens2_avatar.scene.retarget import channels_of

    rest, _, solved, _ = solve(obj, motion, None, None, False)
    channels = channels_of(obj, rest, solved)
    frames, best = key_frames(len(motion), motion.fps, 1.0, motion.fps), np.inf
    for _ in range(5):
        start = time.perf_counter()
        action, keys = write_action(obj, "speed", channels, frames)
        best = min(best, (time.perf_counter() - start) / keys)
        bpy.data.actions.remove(action)
    return {"key_us": best * 1e6}


def _paths(action: bpy.types.Action) -> list[str]:
    if hasattr(action, "layers"):
        return [
            c.data_path for layer in action.layers for strip in layer.strips for bag in strip.channelbags for c in bag.fcurves
        ]
    return [c.data_path for c in action.fcurves]


def _compare(
    scene: bpy.types.Scene, obj: bpy.types.Object, clip: BvhClip, source_map: BoneMap, deform: Callable[[str], str], every: int
) -> dict:
    wanted = clip.positions()
    names = sorted(
        {
            f"{DEFORM[r.replace('left', '').replace('right', '')]}.{'L' if r.startswith('left') else 'R'}"
            for pair in LIMBS
            for r in pair
        }
    )
    worst, rotations, count = 0.0, [], len(wanted)
    frames = sorted({*range(0, count, every), *range(min(40, count))})
    for frame in frames:
        scene.frame_set(frame + 1)
        pose = {n: np.array(obj.matrix_world @ obj.pose.bones[deform(n)].matrix) for n in names}
        rotations.append([pose[n][:3, :3] for n in names])
        for a, b in LIMBS:
            bones = [
                f"{DEFORM[r.replace('left', '').replace('right', '')]}.{'L' if r.startswith('left') else 'R'}" for r in (a, b)
            ]
            got = pose[bones[1]][:3, 3] - pose[bones[0]][:3, 3]
            source = [clip.rest.index(source_map.first(r)) for r in (a, b)]
            worst = max(worst, float(np.degrees(angle_between(got, wanted[frame, source[1]] - wanted[frame, source[0]]))))
    picked = [clip.rest.index(source_map.first(a)) for a, _ in LIMBS]
    source = worst_jump(clip.rotations[frames][:, picked]).max(axis=1)
    jumps = worst_jump(np.array(rotations)).max(axis=1)
    near = np.diff(frames) == 1
    return {
        "direction_deg": worst,
        "limbs": len(LIMBS),
        "new_jumps": int(((jumps > 20) & (source <= 20) & near).sum()),
        "worst_jump_deg": float(jumps[near].max()),
        "source_jump_deg": float(source[near].max()),
    }
