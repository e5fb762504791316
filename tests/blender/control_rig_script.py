"""Run by test_control_rig.py in a Python of its own: the bpy module of Blender 4.5 does not end after Rigify has generated.

Makes a body in the pose of a photo, gives it a control rig and takes that off again, and prints what came out as JSON.
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
import sapiens2_avatar as extension  # noqa: E402
from sapiens2_avatar.core.body import character, evaluate, fitted  # noqa: E402
from sapiens2_avatar.core.common.arrays import Camera  # noqa: E402
from sapiens2_avatar.core.common.avatars import Avatar  # noqa: E402
from sapiens2_avatar.core.common.rotations import rotation_from_vector  # noqa: E402
from sapiens2_avatar.core.common.spaces import LEVEL_WORLD_FROM_CAMERA  # noqa: E402
from sapiens2_avatar.scene.build import write_avatars  # noqa: E402
from sapiens2_avatar.scene.control_rig import controls_of, is_rigify_enabled  # noqa: E402
from sapiens2_avatar.scene.keys import Channels, assign, write_action  # noqa: E402
from sapiens2_avatar.scene.marks import objects_of  # noqa: E402


def write() -> bpy.types.Collection:
    """An avatar with a body that is bent in its joints, standing aside from the origin and turned."""
    rng = np.random.default_rng(5)
    turns = rotation_from_vector(rng.normal(0, 0.15, (len(evaluate.BONES), 3)))
    turns[[name.startswith("palm") for name in evaluate.BONES]] = np.eye(3)  # as in every fit
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = LEVEL_WORLD_FROM_CAMERA
    world_from_camera[:3, 3] = 0.3, -0.1, 1.2
    turns[0] = world_from_camera[:3, :3].T @ rotation_from_vector(np.array([0.1, 0.2, 0.7]))
    shape, place = evaluate.Shape(), evaluate.Posture(turns, np.array([0.1, 0.2, 3.0]))
    fit = fitted.BodyFit(shape, place, np.zeros(52), {}, "")
    body, rig = character.make_body(fit, character.resting_place(fit, world_from_camera))
    camera = Camera(48, 64, 70, 70, 24, 32)
    image = np.zeros((64, 48, 3), np.uint8)
    made = Avatar(
        name="Anna", camera=camera, world_from_camera=world_from_camera, image=image, mesh=None, textures=None, parts=None,
        weights=None, rig=rig, body=body,
    )  # fmt: skip
    return write_avatars([made], "Anna")


def evaluated(obj: bpy.types.Object) -> np.ndarray:
    """(V, 3) world positions."""
    bpy.context.view_layer.update()
    mesh = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    return points.reshape(-1, 3) @ np.array(obj.matrix_world)[:3, :3].T + np.array(obj.matrix_world)[:3, 3]


def groups(obj: bpy.types.Object) -> dict[str, float]:
    """Name of each vertex group -> sum of its weights."""
    sums = dict.fromkeys(obj.vertex_groups.keys(), 0.0)
    names = obj.vertex_groups.keys()
    for vertex in obj.data.vertices:
        for entry in vertex.groups:
            sums[names[entry.group]] += entry.weight
    return {name: round(value, 3) for name, value in sums.items()}


def differences(a: np.ndarray, b: np.ndarray) -> list[float]:
    off = np.linalg.norm(a - b, axis=1)
    return [float(np.percentile(off, share)) for share in (50, 99, 100)]


def main(kind: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    extension.register()
    collection = write()
    body, rig = objects_of([collection], "body")[0], objects_of([collection], "rig")[0]
    rig.location = 0.5, 0.2, 0.0
    rig.rotation_euler = 0.0, 0.0, 0.4
    hat = bpy.data.objects.new("Hat", None)
    bpy.context.scene.collection.objects.link(hat)
    hat.parent, hat.parent_type, hat.parent_bone = rig, "BONE", "spine.006"
    if kind == "moving":
        turn = np.array([[1.0, 0, 0, 0], [0.966, 0, 0, 0.259]])
        bent = Channels("forearm.L", "rotation_quaternion", turn, (0, 1, 2, 3))
        action, _ = write_action(rig, "Wave", [bent], np.array([1.0, 9.0]))
        for track in rig.animation_data.nla_tracks:
            track.mute = True
        assign(rig, action)
        bpy.context.scene.frame_set(9)
    bpy.context.view_layer.objects.active = body
    before, old, place = evaluated(body), groups(body), np.array(hat.matrix_world)
    enabled = is_rigify_enabled()
    result = {"enabled before": enabled, "pressed": list(bpy.ops.sapiens2.control_rig())}
    controls = controls_of(rig)
    bpy.context.scene.frame_set(bpy.context.scene.frame_current)
    result |= {
        "controls": controls.name,
        "follows": [m.object.name for m in body.modifiers if m.type == "ARMATURE"],
        "parent": body.parent.name,
        "hat": [hat.parent and hat.parent.name, hat.parent_bone],
        "hat moved": float(np.abs(np.array(hat.matrix_world) - place).max()),
        "off": differences(before, evaluated(body)),
        "plain groups": [name for name in groups(body) if name in rig.data.bones],
        "weights": [sum(old.values()), sum(groups(body).values())],
        "deforming": all(controls.data.bones[n].use_deform for n in groups(body) if n in controls.data.bones),
        "ik": [controls.pose.bones[f"{limb}_parent.{s}"]["IK_FK"] for limb in ("upper_arm", "thigh") for s in "LR"],
        "action": controls.animation_data.action.name if controls.animation_data and controls.animation_data.action else "",
        "one action": kind == "moving" and controls.animation_data.action == rig.animation_data.action,
        "rig hidden": rig.hide_get(),
        "active": bpy.context.view_layer.objects.active.name,
    }
    hand = controls.pose.bones["hand_ik.L"]
    hand.location.z += 0.1
    if kind != "moving":
        result["moved by ik"] = float(np.linalg.norm(evaluated(body) - before, axis=1).max())
        hand.location.z -= 0.1
    objects = len(bpy.data.objects)
    result |= {
        "off again": list(bpy.ops.sapiens2.control_rig()),
        "back": differences(before, evaluated(body)),
        "groups back": [name for name, weight in groups(body).items() if abs(weight - old.get(name, -1)) > 0.01 * max(weight, 1)],
        "follows again": [m.object.name for m in body.modifiers if m.type == "ARMATURE"],
        "fewer": objects - len(bpy.data.objects),
        "shapes left": [obj.name for obj in bpy.data.objects if obj.name.startswith("WGT")],
        "hat back": [hat.parent and hat.parent.name, hat.parent_bone],
    }
    sys.stdout.write("\nRESULT " + json.dumps(result) + "\n")
    sys.stdout.flush()


try:
    main(sys.argv[1])
finally:
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.exc_info()[0] is not None:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    os._exit(0)
