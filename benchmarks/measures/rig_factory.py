"""Rigs of the families in data/bone_tables.json, made from the mean person's joints: any rest pose, roll and tails."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from sapiens2_avatar.core.common.landmarks import DATA, JOINT_NAMES, SIDES
from sapiens2_avatar.core.common.rotations import rotation_from_vector, unit
from sapiens2_avatar.core.pose.anatomy import template_joints
from sapiens2_avatar.core.retarget.armature import RestRig
from sapiens2_avatar.core.retarget.armature_frames import LIMB_JOINTS
from sapiens2_avatar.core.retarget.bone_map import FINGER_JOINTS, FINGERS, PHALANGES, BoneMap
from sapiens2_avatar.core.retarget.families import families

STATURE = 1.7
REST_POSES = ("A", "T", "odd")
BUILDABLE = tuple(k for k in families() if not families()[k].controls)


def person(rest_pose: str, seed: int = 0) -> dict[str, np.ndarray]:
    """Joints (3,) of the mean person, metres, z up, facing -y, feet on the ground; arms as in the rest pose."""
    positions = template_joints() * STATURE
    positions[:, 2] -= positions[:, 2].min()
    joints = dict(zip(JOINT_NAMES, positions, strict=True))
    rng = np.random.default_rng(seed)
    for side in SIDES:
        sign = 1.0 if side == "left" else -1.0
        arm = [n for n in joints if n.startswith(side) and ("thumb" in n or "finger" in n or n.endswith(("elbow", "wrist")))]
        upper = unit(joints[f"{side}_elbow"] - joints[f"{side}_shoulder"])
        axis = np.array([0.0, sign, 0.0])
        if rest_pose != "A":
            _turn(joints, arm, joints[f"{side}_shoulder"], _arc(upper, np.array([sign, 0.0, 0.0])))
            lower = unit(joints[f"{side}_wrist"] - joints[f"{side}_elbow"])
            _turn(
                joints,
                [n for n in arm if not n.endswith("elbow")],
                joints[f"{side}_elbow"],
                _arc(lower, np.array([sign, 0.0, 0.0])),
            )
        if rest_pose == "odd":  # arms half raised to the front and bent, legs apart and one knee bent: nobody's convention
            _turn(joints, arm, joints[f"{side}_shoulder"], rotation_from_vector(np.array([0.0, 0.0, -sign * 0.6])))
            _turn(joints, arm, joints[f"{side}_shoulder"], rotation_from_vector(axis * rng.uniform(-0.5, 0.5)))
            hinge = np.array([0.0, 0.0, -sign])
            _turn(
                joints,
                [n for n in arm if not n.endswith("elbow")],
                joints[f"{side}_elbow"],
                rotation_from_vector(hinge * rng.uniform(0.6, 1.2)),
            )
            leg = [f"{side}_{n}" for n in ("knee", "ankle", "heel", "big_toe", "small_toe")]
            _turn(joints, leg, joints[f"{side}_hip"], rotation_from_vector(np.array([rng.uniform(-0.4, 0.0), -sign * 0.25, 0.0])))
            _turn(joints, leg[1:], joints[f"{side}_knee"], rotation_from_vector(np.array([rng.uniform(0.6, 0.9), 0.0, 0.0])))
    return joints


def _arc(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    axis = np.cross(a, b)
    return rotation_from_vector(unit(axis) * np.arctan2(np.linalg.norm(axis), a @ b))


def _turn(joints: dict[str, np.ndarray], names: list[str], pivot: np.ndarray, rotation: np.ndarray) -> None:
    for name in names:
        joints[name] = pivot + rotation @ (joints[name] - pivot)


def role_heads(joints: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Where the bone of each role starts."""
    trunk = [joints["pelvis"] + t * (joints["neck"] - joints["pelvis"]) for t in (0.0, 0.25, 0.5, 0.75)]
    out = {"root": np.zeros(3), **dict(zip(("hips", "spine", "chest", "upperChest"), trunk, strict=True))}
    out |= {"neck": joints["neck"], "head": joints["head"], "jaw": joints["head"] + [0, -0.02, 0.02]}
    out |= {"leftEye": joints["left_eye"], "rightEye": joints["right_eye"]}
    for side in SIDES:
        for role, joint in LIMB_JOINTS.items():
            out[f"{side}{role}"] = joints[f"{side}_{joint}"]
        toes = (joints[f"{side}_big_toe"] + joints[f"{side}_small_toe"]) / 2
        out[f"{side}Toes"] = joints[f"{side}_heel"] + 0.7 * (toes - joints[f"{side}_heel"])
        for finger in FINGERS:
            base = FINGER_JOINTS[finger]
            for phalanx, end in zip(PHALANGES[finger], ("_third_joint", "2", "3"), strict=True):
                out[f"{side}{finger}{phalanx}"] = joints[f"{side}_{base}{end}"]
    return out


_CANONICAL = {
    role: entry["parent"] for role, entry in json.loads((DATA / "bone_tables.json").read_text("utf-8"))["canonical_roles"].items()
}


def make_rig(
    family: str, rest_pose: str = "T", seed: int = 0, honest: bool = True, odd_rolls: bool = False, mirrored: bool = False
) -> RestRig:
    """A rig with the names of a family. `mirrored` = the same rig reflected in x = 0 with left and right names exchanged."""
    joints = person(rest_pose, seed)
    if mirrored:
        swap = {"left": "right", "right": "left"}
        flipped = {n: p * [-1, 1, 1] for n, p in joints.items()}
        joints = {n: flipped[n.replace(n.split("_")[0], swap.get(n.split("_")[0], n.split("_")[0]), 1)] for n in joints}
    heads = role_heads(joints)
    roles = {role: names[0] for role, names in families()[family].roles.items() if role in heads}
    order = [
        r for r in ("root", "hips", "spine", "chest", "upperChest", "neck", "head", "jaw", "leftEye", "rightEye") if r in roles
    ]
    order += [r for r in heads if r in roles and r not in order]
    taken: dict[str, str] = {}
    for role in order:
        taken.setdefault(roles[role], role)
    order = [r for r in order if taken[roles[r]] == r]
    index = {role: n for n, role in enumerate(order)}
    parents = np.array([_parent(role, index) for role in order], np.int32)
    points = np.array([heads[role] for role in order])
    tails = np.array([_tail(role, n, order, parents, points, joints) for n, role in enumerate(order)])
    if not honest:
        tails = points + np.array([0.0, 0.0, 0.05])
    rest = RestRig.from_joints(family, tuple(roles[r] for r in order), parents, points, tails)
    if odd_rolls:
        rng = np.random.default_rng(seed + 1)
        rest.matrices[:, :3, :3] = rest.rotations @ rotation_from_vector(
            np.array([0.0, 1.0, 0.0]) * rng.uniform(-3, 3, (len(order), 1))
        )
    return rest


def with_twists(rest: RestRig, family: str) -> RestRig:
    """The rig with the twist bones of its family: beside the limb's bone, or as links of its chain."""
    roles, twist = families()[family].roles, families()[family].twist
    for role, names in twist.items():
        side, limb = role[: -len("UpperArm")], role[-len("UpperArm") :]
        own, following = roles[role][0], roles[side + FOLLOWING[limb]][0]
        names = [n for n in names if n not in rest.names]
        if family == "auto_rig_pro_export" and limb.startswith("Upper"):  # the twist bone begins the limb, its own bone follows
            rest = replace(rest, names=tuple(names[-1] if n == own else n for n in rest.names))
            own, names = names[-1], [own]
        for n, name in enumerate(names):
            start, child = rest.index(own), rest.index(following)
            matrix = rest.matrices[start].copy()
            matrix[:3, 3] += (n + 1) / (len(names) + 1) * (rest.heads[child] - rest.heads[start])
            chained = family in CHAINED
            last = child if chained and n == len(names) - 1 else None
            parent = rest.index(names[n - 1]) if chained and n else start
            rest = _insert(rest, name, parent, matrix, rest.lengths[start] / (len(names) + 1), last)
    return rest


FOLLOWING = {"UpperArm": "LowerArm", "LowerArm": "Hand", "UpperLeg": "LowerLeg", "LowerLeg": "Foot"}
CHAINED = ("daz_genesis8", "mpfb_default", "anny104", "auto_rig_pro_export")


def _insert(rest: RestRig, name: str, parent: int, matrix: np.ndarray, length: float, child: int | None) -> RestRig:
    """One more bone right after its parent; `child` is hung on it."""
    at = parent + 1
    parents = np.where(rest.parents >= at, rest.parents + 1, rest.parents)
    parents = np.insert(parents, at, parent)
    if child is not None:
        parents[child + (child >= at)] = at
    flags = {f: np.insert(getattr(rest, f), at, f != "connected") for f in ("inherit_rotation", "local_location", "connected")}
    return RestRig(
        rest.name,
        (*rest.names[:at], name, *rest.names[at:]),
        parents.astype(np.int32),
        np.insert(rest.matrices, at, matrix, axis=0),
        np.insert(rest.lengths, at, length),
        world=rest.world,
        **flags,
    )


def with_legs(rest: RestRig, bone_map: BoneMap, thigh: float, shank: float) -> RestRig:
    """The rig with thighs and shanks of other lengths, as factors; the feet move along."""
    heads = rest.heads.copy()
    for side in SIDES:
        for role, following, factor in (("UpperLeg", "LowerLeg", thigh), ("LowerLeg", "Foot", shank)):
            a, b = (rest.index(bone_map.bones[side + r][0]) for r in (role, following))
            shift = (rest.heads[b] - rest.heads[a]) * (factor - 1)
            for n in range(len(rest.names)):
                if n == b or b in rest.ancestors(n):
                    heads[n] += shift
    matrices = rest.matrices.copy()
    matrices[:, :3, 3] = heads
    return replace(rest, matrices=matrices)


def _parent(role: str, index: dict[str, int]) -> int:
    parent = _CANONICAL.get(role)
    while parent is not None and parent not in index:
        parent = _CANONICAL.get(parent)
    if parent is None:
        return index["root"] if role != "root" and "root" in index else -1
    return index[parent]


def _tail(
    role: str, n: int, order: list[str], parents: np.ndarray, points: np.ndarray, joints: dict[str, np.ndarray]
) -> np.ndarray:
    children = np.flatnonzero(parents == n)
    named = [c for c in children if order[c].endswith(("LowerArm", "Hand", "LowerLeg", "Foot", "Toes", "MiddleProximal",
                                                       "neck", "head"))
             or order[c] in ("spine", "chest", "upperChest")]  # fmt: skip
    if named and role != "head":
        return points[named[0]]
    if len(children) and role not in ("head", "hips", "root"):
        return points[children[0]]
    if role.endswith("Toes"):
        return points[n] + [0.0, -0.06, 0.0]
    if role == "head":
        return joints["head_top"]
    for finger in FINGERS:
        if finger in role:
            return joints[f"{'left' if role.startswith('left') else 'right'}_{FINGER_JOINTS[finger]}4"]
    if parents[n] >= 0 and role.endswith(("Shoulder", "Hand")):
        return points[n] + 0.3 * (points[n] - points[parents[n]])
    return points[n] + [0.0, 0.0, 0.05]
