"""Motion onto a rig and back: an independent forward kinematics, and how far limbs and jumps are from those of the source."""

from __future__ import annotations

import numpy as np

from sapiens2_avatar.core.common.rotations import angle_between, rotation_from_quaternion
from sapiens2_avatar.core.formats.bvh import BvhClip
from sapiens2_avatar.core.retarget.armature import RestRig
from sapiens2_avatar.core.retarget.body_motion import BodyMotion, motion_from_rig
from sapiens2_avatar.core.retarget.bone_map import BoneMap
from sapiens2_avatar.core.retarget.recognise import recognise
from sapiens2_avatar.core.retarget.solve import RigMotion

LIMBS = tuple(
    (f"{side}{a}", f"{side}{b}")
    for side in ("left", "right")
    for a, b in (("UpperArm", "LowerArm"), ("LowerArm", "Hand"), ("UpperLeg", "LowerLeg"), ("LowerLeg", "Foot"))
)


def source_motion(clip: BvhClip) -> tuple[BodyMotion, BoneMap]:
    bone_map = recognise(clip.rest)
    hips = clip.positions()[:, clip.rest.index(bone_map.bones["hips"][0])]
    return motion_from_rig(clip.rest, bone_map, clip.rotations, hips, clip.fps), bone_map


def forward_kinematics(rest: RestRig, solved: RigMotion) -> tuple[np.ndarray, np.ndarray]:
    """(F, B, 3, 3) rotations and (F, B, 3) heads in armature space, from the basis alone."""
    frames, count = len(solved.rotations), len(rest.names)
    basis = np.broadcast_to(np.eye(3), (frames, count, 3, 3)).copy()
    for n, bone in enumerate(solved.bones):
        basis[:, rest.index(bone)] = rotation_from_quaternion(solved.rotations[:, n])
    rotation, head = np.empty_like(basis), np.empty((frames, count, 3))
    for b, parent in enumerate(rest.parents.tolist()):
        local = rest.rotations[b]
        if parent < 0:
            rotation[:, b], head[:, b] = local @ basis[:, b], rest.heads[b]
        else:
            turn = rotation[:, parent] @ rest.rotations[parent].T
            head[:, b] = head[:, parent] + (turn @ (rest.heads[b] - rest.heads[parent]))
            rotation[:, b] = turn @ local @ basis[:, b]
        if rest.names[b] == solved.mover and solved.location is not None:
            head[:, b] += (rotation[:, b] @ np.swapaxes(basis[:, b], -1, -2) @ solved.location[..., None])[..., 0]
    return rotation, head


def directions(heads: np.ndarray, rest: RestRig, bone_map: BoneMap) -> dict[str, np.ndarray]:
    out = {}
    for a, b in LIMBS:
        if bone_map.first(a) and bone_map.first(b):
            out[a] = heads[:, rest.index(bone_map.first(b))] - heads[:, rest.index(bone_map.first(a))]
    return out


def worst_jump(rotations: np.ndarray) -> np.ndarray:
    """(F - 1, n) degrees between neighbouring frames, rotations (F, n, 3, 3)."""
    step = np.swapaxes(rotations[:-1], -1, -2) @ rotations[1:]
    return np.degrees(np.arccos(np.clip((np.trace(step, axis1=-2, axis2=-1) - 1) / 2, -1, 1)))


def compare(
    clip: BvhClip,
    source_map: BoneMap,
    rest: RestRig,
    bone_map: BoneMap,
    rotations: np.ndarray,
    heads: np.ndarray,
    posed: tuple[str, ...],
) -> dict[str, float]:
    """Worst limb direction error (degrees), frames with a jump over 20 degrees that the source has not, foot travel ratio."""
    wanted, got = directions(clip.positions(), clip.rest, source_map), directions(heads, rest, bone_map)
    world = rest.world[:3, :3] / np.linalg.norm(rest.world[:3, 0])
    error = {role: np.degrees(angle_between(got[role] @ world.T, wanted[role])).max() for role in got if role in wanted}
    source = worst_jump(clip.rotations).max(axis=1)
    jumps = worst_jump(rotations[:, [rest.index(b) for b in posed]]).max(axis=1)
    return {
        "direction_deg": max(error.values()),
        "limbs": len(error),
        "new_jumps": int(((jumps > 20) & (source <= 20)).sum()),
        "worst_jump_deg": float(jumps.max()),
        "source_jump_deg": float(source.max()),
    }
