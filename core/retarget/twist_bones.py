"""Twist along limbs: bones that share the turn of a limb about its own length, so that skin does not wring at one joint.

Angles are those that skinning sees: about the limb's axis at rest, zero in the rest pose, whatever that is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..common.rotations import rotation_from_vector, swing_twist
from .armature_frames import MappedRig

Turns = Mapping[str, np.ndarray | None]
# A limb's twist comes from what it hangs on (upper arm, thigh) or from what hangs on it (forearm, shank).
_FROM = {"UpperArm": ("Shoulder", "chest", "hips"), "UpperLeg": ("hips",), "LowerArm": ("Hand",), "LowerLeg": ("Foot",)}
_NEXT = {"UpperArm": "LowerArm", "LowerArm": "Hand", "UpperLeg": "LowerLeg", "LowerLeg": "Foot"}


def twist_angles(limb: np.ndarray, other: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(F,) radians by which `other` is turned about the limb's axis at rest (3,), seen from the limb; both (F, 3, 3) turns.

    Continuous over frames: past half a turn a sign chosen frame by frame would make the limb flip.
    """
    _, angle = swing_twist(np.swapaxes(limb, -1, -2) @ other, axis)
    return np.unwrap(angle)


def about(axis: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(F, 3, 3) rotations about one axis (3,)."""
    return rotation_from_vector(axis * angles[:, None])


def spread_twist(rig: MappedRig, turns: Turns, forearm_twist: float, free_forearms: bool) -> dict[str, np.ndarray]:
    """Bone -> (F, 3, 3) turn in armature space, for limbs with twist bones and for forearms without.

    turns          role -> (F, 3, 3), None = at rest
    forearm_twist  share of the hand's turn that a forearm without twist bones takes
    free_forearms  the forearms' turns know nothing of the hands' yet

    Twist bones beside the limb's bone (Unreal, Character Creator) take the share of where they lie along the limb. Where they are
    links of the limb's own chain (Daz, MakeHuman, Auto-Rig Pro), the twist grows from none in the first link to all in the last.
    """
    out: dict[str, np.ndarray] = {}
    for role in rig.bone_map.bones:
        limb = role.removeprefix("left").removeprefix("right")
        side = role.removesuffix(limb)
        turn = turns.get(role)
        if limb not in _FROM or role not in rig.frames or turn is None:
            continue
        sources = [turns.get(r if r in ("hips", "chest") else side + r) for r in _FROM[limb]]
        source = next((s for s in sources if s is not None), None)
        twists = rig.bone_map.twist.get(role, ())
        if source is None or not (twists or (limb == "LowerArm" and free_forearms)):
            continue
        axis = rig.frames[role][:, 1]
        below = limb.startswith("Lower")  # the twist is that of the end; else it is that of the whole, against its start
        if below and not free_forearms and limb == "LowerArm":
            continue
        angle = twist_angles(turn, source, axis) if below else -twist_angles(turn, source, axis)
        for bone, share in _shares(rig, role, forearm_twist if limb == "LowerArm" else 0.0).items():
            out[bone] = turn @ about(axis, angle * (share if below else share - 1.0))
    return out


def _shares(rig: MappedRig, role: str, alone: float) -> dict[str, float]:
    """Bone -> which share of the limb's twist it takes, counted from the limb's start; `alone` without twist bones.

    Bones that are left out keep the limb's turn.
    """
    rest, names, twists = rig.rest, rig.bone_map.bones[role], rig.bone_map.twist.get(role, ())
    if not twists:
        return dict.fromkeys(names, alone)
    limb = role.removeprefix("left").removeprefix("right")
    end = rig.bone_map.first(role.removesuffix(limb) + _NEXT[limb])
    above = {rest.names[i] for i in rest.ancestors(rest.index(end))} if end else set()
    chain = [bone for bone in twists if bone in above]
    out: dict[str, float] = {}
    if chain:
        chain.sort(key=rest.index)  # bones are sorted parents first
        out = dict.fromkeys(names, 0.0) | {bone: (n + 1) / len(chain) for n, bone in enumerate(chain)}
    beside = [bone for bone in twists if bone not in above]
    start = rest.heads[rest.index(names[0])]
    along = (rest.heads[rest.index(end)] - start) if end else np.zeros(3)
    where = [float((rest.heads[rest.index(b)] - start) @ along / max(along @ along, 1e-12)) for b in beside]
    if len(set(np.round(where, 2))) < len(where) or not all(0.05 < w < 1.05 for w in where):
        where = [(n + 1) / (len(beside) + 1) for n in range(len(beside))]  # heads say nothing: in the order of the table
    return out | {bone: min(w, 1.0) for bone, w in zip(beside, where, strict=True)}
