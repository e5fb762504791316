"""The roles of an armature whose names say nothing: from how its bones hang together and lie in space.

A body is a tree with five long branches. The two that leave the trunk lowest and reach lowest are legs, the two that leave it
higher and mirror each other are arms, the one between the arms is neck and head. Sides are told by the way the feet point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.errors import SapiensError
from ..common.rotations import unit
from ..common.spaces import WORLD_FRONT
from .armature import RestRig
from .bone_map import FINGERS, PHALANGES, REQUIRED, BoneMap

MIRRORED = 0.12  # how far a mirrored joint may lie from its twin, as a share of the rig's size


@dataclass(frozen=True)
class _Pair:
    """Two branches that mirror each other: the bones of each from the fork to its farthest joint, and where they fork."""

    fork: int
    one: tuple[int, ...]
    other: tuple[int, ...]
    reach: float
    height: float


def recognise_structure(rest: RestRig) -> BoneMap:
    """Roles by structure. SapiensError if the armature has no two legs and two arms that mirror each other."""
    heads = rest.heads @ rest.world[:3, :3].T
    tails = rest.tails @ rest.world[:3, :3].T
    ends = np.concatenate([heads, tails])
    size = float(np.ptp(ends, axis=0).max())
    pairs = _mirrored_pairs(rest, heads, tails, size)
    nothing = SapiensError(
        f"The bones of '{rest.name}' could not be recognised, by their names or by their structure.",
        "Choose the bones in the bone table.",
    )
    if len(pairs) < 2:
        raise nothing
    legs = min(pairs, key=lambda p: p.height)
    arms = max(
        (p for p in pairs if p.fork != legs.fork and legs.fork in rest.ancestors(p.fork)), key=lambda p: p.reach, default=None
    )
    if arms is None or legs.reach < 0.2 * size:
        raise nothing
    bones: dict[str, list[int]] = {"hips": [legs.fork]}
    trunk = [arms.fork, *rest.ancestors(arms.fork)]
    bones["spine"] = trunk[: trunk.index(legs.fork)][::-1]
    bones |= _neck_and_head(rest, heads, arms)
    forward = _forward(heads, tails, legs)
    left = unit(np.cross(np.array([0.0, 0.0, 1.0]), forward))
    for pair, names in ((legs, ("UpperLeg", "LowerLeg", "Foot", "Toes")), (arms, ("UpperArm", "LowerArm", "Hand"))):
        first = heads[pair.one[-1]] - heads[pair.other[-1]]
        sides = ("left", "right") if first @ left > 0 else ("right", "left")
        for side, chain in zip(sides, (pair.one, pair.other), strict=True):
            found, rest_of_chain = _limb(heads, tails, chain, names)
            bones |= {f"{side}{name}": [bone] for name, bone in found.items()}
            if names[0] == "UpperArm":
                if rest_of_chain:
                    bones[f"{side}Shoulder"] = [rest_of_chain[-1]]
                bones |= _fingers(rest, heads, tails, found.get("Hand"), side)
    named = {role: tuple(rest.names[i] for i in indices) for role, indices in bones.items() if indices}
    sure = 0.6 * sum(role in named for role in REQUIRED) / len(REQUIRED)
    return BoneMap(
        "structure",
        "recognised by structure",
        named,
        confidence=sure,
        notes=("The bone names are unknown: the roles were found by structure, check them in the bone table.",),
    )


def _longest(rest: RestRig, heads: np.ndarray, tails: np.ndarray, start: int) -> tuple[tuple[int, ...], float]:
    """The path from a bone down to the leaf that is farthest along the bones, and its length."""
    best: tuple[tuple[int, ...], float] = ((start,), float(np.linalg.norm(tails[start] - heads[start])))
    for child in rest.children(start):
        path, length = _longest(rest, heads, tails, child)
        length += float(np.linalg.norm(heads[child] - heads[start]))
        if length > best[1]:
            best = (start, *path), length
    return best


def _mirrored_pairs(rest: RestRig, heads: np.ndarray, tails: np.ndarray, size: float) -> list[_Pair]:
    """All pairs of branches that leave the same bone, are about equally long and end opposite each other."""
    out = []
    for fork in range(len(rest.names)):
        children = rest.children(fork)
        branches = [(child, *_longest(rest, heads, tails, child)) for child in children]
        for i, (a, path_a, length_a) in enumerate(branches):
            for b, path_b, length_b in branches[i + 1 :]:
                if min(length_a, length_b) < 0.15 * size or abs(length_a - length_b) > 0.15 * max(length_a, length_b):
                    continue
                end_a, end_b = heads[path_a[-1]], heads[path_b[-1]]
                apart = end_a - end_b
                sideways = np.linalg.norm(apart[:2])
                if sideways < 0.03 * size or abs(apart[2]) > MIRRORED * size or len(path_a) != len(path_b):
                    continue
                middle = (end_a + end_b) / 2 - (heads[a] + heads[b]) / 2
                if abs(middle @ apart) / sideways > MIRRORED * size:
                    continue
                out.append(_Pair(fork, path_a, path_b, min(length_a, length_b), float((end_a + end_b)[2] / 2)))
    return out


def _neck_and_head(rest: RestRig, heads: np.ndarray, arms: _Pair) -> dict[str, list[int]]:
    """The branch between the arms that rises highest. Its last bone that is not a small part of the face is the head."""
    others = [c for c in rest.children(arms.fork) if c not in (arms.one[0], arms.other[0])]
    rising = [c for c in others if rest.tails[c] @ rest.world[2, :3] >= rest.heads[arms.fork] @ rest.world[2, :3]]
    if not rising:
        return {}
    chain = [max(rising, key=lambda c: rest.tails[c] @ rest.world[2, :3])]
    while True:
        below = rest.children(chain[-1])
        if len(below) != 1 or rest.lengths[below[0]] < 0.25 * rest.lengths[chain[-1]]:
            break
        chain.append(below[0])
    if len(chain) > 1 and not rest.children(chain[-1]) and np.linalg.norm(heads[chain[-1]] - heads[chain[-2]]) < 1e-6:
        chain.pop()  # a marker for the crown, at the place of its parent
    return {"neck": chain[:-1], "head": chain[-1:]}


def _forward(heads: np.ndarray, tails: np.ndarray, legs: _Pair) -> np.ndarray:
    """(3,) level direction in which the last parts of both legs point; Blender's -y if they point nowhere."""
    out = np.zeros(3)
    for chain in (legs.one, legs.other):
        found, _ = _limb(heads, tails, chain, ("UpperLeg", "LowerLeg", "Foot"))
        ankle = heads[found["Foot"]] if "Foot" in found else heads[chain[-1]]
        out += np.append((tails[chain[-1]] - ankle)[:2], 0.0)
    across = heads[legs.one[-1]] - heads[legs.other[-1]]
    side = unit(np.append(across[:2], 0.0))
    out -= (out @ side) * side
    return unit(out) if np.linalg.norm(out) > 1e-3 * np.linalg.norm(across) else WORLD_FRONT


def _limb(
    heads: np.ndarray, tails: np.ndarray, chain: tuple[int, ...], names: tuple[str, ...]
) -> tuple[dict[str, int], list[int]]:
    """Roles along a branch: its two longest stretches between neighbouring joints are the limb, what follows is foot or hand.

    Limbs of several bones in a row (twist segments) are joined first: joints in a straight line are no joints.
    Returns the roles and the bones before the limb (a clavicle).
    """
    joints = [0]
    points = heads[list(chain)]
    for n in range(1, len(chain)):
        if np.linalg.norm(points[n] - points[joints[-1]]) > 1e-6:
            joints.append(n)
    end = tails[chain[-1]]
    where = np.concatenate([points[joints], end[None]])
    lengths = np.linalg.norm(np.diff(where, axis=0), axis=1)
    if len(lengths) < 2:
        return {names[0]: chain[0]}, []
    # A second stretch under half of the first is hardly its other half: it counts against the pair.
    upper, lower = lengths[:-1], lengths[1:]
    scores = upper + lower - 3 * np.abs(upper - lower) * (lower < 0.5 * upper)
    start = int(np.argmax(scores))
    picked = joints[start : start + len(names)]
    return {name: chain[n] for name, n in zip(names, picked, strict=False)}, [chain[n] for n in range(joints[start])]


def _fingers(rest: RestRig, heads: np.ndarray, tails: np.ndarray, hand: int | None, side: str) -> dict[str, list[int]]:
    """Five branches of a hand are fingers: from the thumb, whose root lies nearest the wrist, in order across the palm."""
    if hand is None:
        return {}
    branches = [_longest(rest, heads, tails, child)[0] for child in rest.children(hand)]
    branches = [b for b in branches if len(b) >= 2]
    if len(branches) != 5:
        return {}
    ends = np.array([heads[b[-1]] for b in branches])
    along = unit(ends.mean(axis=0) - heads[hand])
    thumb = int(np.argmin([(e - heads[hand]) @ along for e in ends]))
    others = [n for n in range(5) if n != thumb]
    others.sort(key=lambda n: float(np.linalg.norm(ends[n] - ends[thumb])))
    out = {}
    for finger, n in zip(FINGERS, (thumb, *others), strict=True):
        chain = branches[n][-3:] if len(branches[n]) > 3 else branches[n]
        for phalanx, bone in zip(PHALANGES[finger], chain, strict=False):
            out[f"{side}{finger}{phalanx}"] = [bone]
    return out
