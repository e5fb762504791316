"""Standing feet stand on the rig too: its legs have other proportions than the person's, so that equal directions let feet slide.

The rig's own heels and toes are held where they stand (`core.retarget.ground_contacts.lock_feet`) by moving its hips a little and
bending its legs (two-bone IK in closed form). A foot whose heel and toes both stand lies flat and does not turn, else feet keep
their orientation. Everything stays rotations of FK bones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from ..common.landmarks import JOINT_NAMES, SIDES, joint_index
from ..common.rotations import rotation_from_vector, shortest_arc, two_axis_frame, unit, vector_from_rotation
from ..common.spaces import WORLD_UP
from ..pose.anatomy import template_joints
from .armature_frames import MappedRig
from .body_motion import ANKLE_SHARE, BodyMotion, has_leg, leg_length
from .ground_contacts import faded, lock_feet, spans

LEG = ("UpperLeg", "LowerLeg", "Foot")
STEEP = np.radians(25.0)


def lock_rig_feet(
    motion: BodyMotion, rig: MappedRig, turns: Mapping[str, np.ndarray | None], path: np.ndarray, ground: float
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Where the hips go, and how thighs, shanks and feet turn, so that standing feet do not slide.

    turns   role -> (F, 3, 3) turn from rest in armature space, None = at rest; of hips, thighs, shanks and feet
    path    (F, 3) middle of the hip joints in the world
    ground  height z of the ground that the rig stands on, world
    Returns the path (F, 3), and role -> (F, 3, 3) rotations in armature space, to follow the turns; empty where nothing stands.
    """
    sides = [s for s in SIDES if _whole(s, rig.points, turns)]
    if motion.contacts is None or not sides:
        return path, {}
    floor = np.array([0.0, 0.0, ground])
    standing = motion.contacts.copy()
    for n, side in enumerate(SIDES):
        standing[:, 2 * n : 2 * n + 2] &= side in sides
    if not standing.any():
        return path, {}
    to_armature = rig.rest.world[:3, :3] / rig.scale
    out = {}
    for side in sides:
        n = 2 * SIDES.index(side)
        foot = to_armature @ turns[f"{side}Foot"] @ rig.frames[f"{side}Foot"]
        out[f"{side}Foot"] = to_armature.T @ _planted(foot, standing[:, n] & standing[:, n + 1], motion.fps) @ to_armature
    turns = dict(turns) | {role: turn @ turns[role] for role, turn in out.items()}
    joints = np.zeros((len(path), len(JOINT_NAMES), 3))
    for side in SIDES:
        joints[:, [joint_index(f"{side}_{n}") for n in ("hip", "knee", "ankle", "heel", "big_toe", "small_toe")]] = (
            path[:, None] - floor
        )
    for side in sides:
        _place_leg(joints, side, rig, turns, path - floor)
    locked, _ = lock_feet(joints, standing, motion.fps, {"heel": 0.0, "toes": 0.0})
    for side in sides:
        hip, knee, ankle = (joint_index(f"{side}_{n}") for n in ("hip", "knee", "ankle"))
        swing = shortest_arc(joints[:, ankle] - joints[:, hip], locked[:, ankle] - locked[:, hip])
        for role, head, tail in ((f"{side}UpperLeg", hip, knee), (f"{side}LowerLeg", knee, ankle)):
            carried = (swing @ (joints[:, tail] - joints[:, head])[..., None])[..., 0]
            out[role] = to_armature.T @ shortest_arc(carried, locked[:, tail] - locked[:, head]) @ swing @ to_armature
    hip = joint_index(f"{sides[0]}_hip")
    return path + locked[:, hip] - joints[:, hip], out


def ground_of(motion: BodyMotion, ankle: float, size: float) -> float:
    """Height z of the ground under a rig whose lower ankle is at `ankle` when it stands; `size` = its size over the person's."""
    return ankle - size * motion.ankle


def _planted(foot: np.ndarray, flat: np.ndarray, fps: float) -> np.ndarray:
    """(F, 3, 3) rotations that lay the foot (F, 3, 3: y ahead, z up from the sole; world) on the ground where (F,) bool flat.

    Each stand keeps its mean direction; the correction fades in and out around it. What lies steep (a slope, tiptoes) stays.
    """
    vectors, held = np.zeros((len(foot), 3)), np.zeros(len(foot), bool)
    for start, stop in spans(flat):
        ahead = unit(foot[start:stop, :, 1].mean(axis=0) * [1.0, 1.0, 0.0])
        turn = two_axis_frame(WORLD_UP, ahead, "zy") @ np.swapaxes(foot[start:stop], -1, -2)
        vector = vector_from_rotation(turn)
        if np.linalg.norm(vector, axis=1).max() < STEEP:
            vectors[start:stop], held[start:stop] = vector, True
    return rotation_from_vector(faded(vectors, held, fps))


def _whole(side: str, points: Mapping[str, np.ndarray], turns: Mapping[str, np.ndarray | None]) -> bool:
    """Whether a leg has all joints, and all of its parts were seen."""
    return has_leg(points, side) and all(turns.get(f"{side}{role}") is not None for role in LEG)


def _place_leg(joints: np.ndarray, side: str, rig: MappedRig, turns: Mapping[str, np.ndarray | None], path: np.ndarray) -> None:
    """Fill in the (F, 68, 3) joints of one leg in the pose. World space with the ground at z = 0, as the path (F, 3)."""
    world, leg = rig.rest.world[:3, :3], leg_length(rig.points, side)
    hip, knee, ankle = (rig.points[f"{side}_{n}"][0] for n in ("hip", "knee", "ankle"))
    at = path
    for name, role, offset in (
        ("hip", "hips", hip - rig.hips_middle),
        ("knee", f"{side}UpperLeg", knee - hip),
        ("ankle", f"{side}LowerLeg", ankle - knee),
    ):
        at = at + (turns[role] @ offset) @ world.T
        joints[:, joint_index(f"{side}_{name}")] = at
    foot = turns[f"{side}Foot"] @ rig.frames[f"{side}Foot"]
    for name, (ahead, below) in sole_offsets().items():
        point = at + leg * (foot @ np.array([0.0, ahead, -below])) @ world.T
        for joint in ("heel",) if name == "heel" else ("big_toe", "small_toe"):
            joints[:, joint_index(f"{side}_{joint}")] = point


@cache
def sole_offsets() -> dict[str, tuple[float, float]]:
    """How far heel and toes of the mean person are ahead of the ankle, and how far the ground is below it; shares of the leg."""
    joints = template_joints()
    hip, knee, ankle, heel, big, small = (
        joints[joint_index(f"left_{n}")] for n in ("hip", "knee", "ankle", "heel", "big_toe", "small_toe")
    )
    leg = np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee)
    toes = (big + small) / 2
    forward = unit((toes - heel) * [1.0, 1.0, 0.0])
    return {name: (float((p - ankle) @ forward / leg), ANKLE_SHARE) for name, p in (("heel", heel), ("toes", toes))}
