"""A take as a BVH file: a skeleton with the person's own bone lengths in a T-pose, under names that other programs know."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..common.landmarks import JOINT_NAMES, SIDES, finger_joints, joint_index
from ..common.rotations import rotation_from_quaternion, shortest_arc, unit
from ..motion.bone_lengths import joint_tree
from ..motion.take import Take
from ..pose.anatomy import template_joints
from ..retarget.armature import RestRig
from ..retarget.bone_map import FINGER_JOINTS, FINGERS, PHALANGES, BoneMap
from ..retarget.settings import RetargetSettings
from ..retarget.solve import retarget_motion
from .bvh import BvhClip, write_bvh


def write_take_bvh(take: Take, path: str | Path) -> Path:
    """Write the motion as BVH, y up, centimetres. SapiensError if the file cannot be written."""
    return write_bvh(take_clip(take), path)


def take_clip(take: Take) -> BvhClip:
    """The take on a skeleton of its own: joints are where the take has them but for what the spine's bones approximate."""
    rest, bone_map = take_skeleton(take.positions)
    # The skeleton has the person's own lengths: its feet stand where the take's do.
    solved = retarget_motion(take.motion(), rest, bone_map, RetargetSettings(lock_feet=False))
    rotations = np.empty((len(take), len(rest.names), 3, 3))
    for b, parent in enumerate(rest.parents.tolist()):
        basis = np.eye(3)
        if rest.names[b] in solved.bones:
            basis = rotation_from_quaternion(solved.rotations[:, solved.bones.index(rest.names[b])])
        carried = rest.rotations[b] if parent < 0 else rotations[:, parent] @ rest.rotations[parent].T @ rest.rotations[b]
        rotations[:, b] = carried @ basis
    assert solved.location is not None  # the hips of this skeleton carry the path of the take
    root = rest.heads[0] + (rest.rotations[0] @ solved.location[..., None])[..., 0]
    path = take.positions[:, joint_index("pelvis")]
    root[:, :2] += path[0, :2] - root[0, :2]  # the clip keeps the place of the take
    return BvhClip(rest, rotations, root, take.fps)


def take_skeleton(positions: np.ndarray) -> tuple[RestRig, BoneMap]:
    """A T-posed rig with the median bone lengths of (F, 68, 3) joints, z up, facing -y, standing on z = 0; and its bone map."""
    joints = _t_pose(positions)
    at = {name: joints[n] for n, name in enumerate(JOINT_NAMES)}
    bones: list[tuple[str, str, str | None, np.ndarray, np.ndarray]] = [
        ("hips", "Hips", None, at["pelvis"], at["spine"]),
        ("spine", "Spine", "Hips", at["spine"], at["chest"]),
        ("spine", "Spine1", "Spine", at["chest"], at["neck"]),
        ("neck", "Neck", "Spine1", at["neck"], at["head"]),
        ("head", "Head", "Neck", at["head"], at["head_top"]),
    ]
    for side in SIDES:
        s = side.title()
        toes = (at[f"{side}_big_toe"] + at[f"{side}_small_toe"]) / 2
        ball = at[f"{side}_heel"] + 0.72 * (toes - at[f"{side}_heel"])
        chain = [
            ("Shoulder", "Shoulder", "Spine1", "clavicle", "shoulder"),
            ("UpperArm", "Arm", f"{s}Shoulder", "shoulder", "elbow"),
            ("LowerArm", "ForeArm", f"{s}Arm", "elbow", "wrist"),
            ("Hand", "Hand", f"{s}ForeArm", "wrist", "middle_finger_third_joint"),
            ("UpperLeg", "UpLeg", "Hips", "hip", "knee"),
            ("LowerLeg", "Leg", f"{s}UpLeg", "knee", "ankle"),
        ]
        bones += [(f"{side}{role}", s + name, parent, at[f"{side}_{a}"], at[f"{side}_{b}"]) for role, name, parent, a, b in chain]
        bones.append((f"{side}Foot", f"{s}Foot", f"{s}Leg", at[f"{side}_ankle"], ball))
        bones.append((f"{side}Toes", f"{s}ToeBase", f"{s}Foot", ball, toes))
        for finger in FINGERS:
            parent, names = f"{s}Hand", finger_joints(side, FINGER_JOINTS[finger])
            for n, phalanx in enumerate(PHALANGES[finger]):
                name = f"{s}Hand{finger.replace('Little', 'Pinky')}{n + 1}"
                bones.append((f"{side}{finger}{phalanx}", name, parent, at[names[n]], at[names[n + 1]]))
                parent = name
    index = {name: n for n, (_, name, *_) in enumerate(bones)}
    parents = np.array([-1 if parent is None else index[parent] for _, _, parent, *_ in bones], np.int32)
    rest = RestRig.from_joints("take", tuple(index), parents, np.array([b[3] for b in bones]), np.array([b[4] for b in bones]))
    table: dict[str, tuple[str, ...]] = {}
    for role, name, *_ in bones:
        table[role] = (*table.get(role, ()), name)
    return rest, BoneMap("take", "Take", table)


def _t_pose(positions: np.ndarray) -> np.ndarray:
    """(68, 3) the mean person's directions with the take's lengths, arms straight out, feet on z = 0."""
    template = template_joints()
    out = np.zeros_like(template)
    for a, b in joint_tree():
        along = unit(template[b] - template[a])
        side, _, name = JOINT_NAMES[b].partition("_")
        if side in SIDES and (name in ("elbow", "wrist") or "finger" in name or "thumb" in name):
            along = _levelled(template, side, along)
        out[b] = out[a] + along * np.median(np.linalg.norm(positions[:, b] - positions[:, a], axis=1))
    out[:, 2] -= out[:, 2].min()
    return out


def _levelled(template: np.ndarray, side: str, along: np.ndarray) -> np.ndarray:
    """A direction of the mean person's hanging arm as it is when the arm is held level to the side."""
    arm = template[joint_index(f"{side}_wrist")] - template[joint_index(f"{side}_shoulder")]
    level = np.array([1.0 if side == "left" else -1.0, 0.0, 0.0])
    return shortest_arc(arm, level) @ along
