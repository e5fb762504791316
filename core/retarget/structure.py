"""The roles of an armature whose names say nothing: from how its bones hang together and lie in space.

A body is a tree with five long branches. The two that leave the trunk lowest and reach lowest are legs, the two that leave it
higher and mirror each other are arms, the one between the arms is neck and head. Sides are told by the way the feet point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.errors import SapiensError
from ..common.rotations import unit
from ..common.spaces import WORLD_FRONT, WORLD_UP
from .armature import RestRig
from .bone_map import FINGERS, PHALANGES, REQUIRED, BoneMap

MIRRORED = 0.12  # how far a mirrored joint may lie from its twin, as a share of the rig's size
LOW = 0.1  # of the rig's size: pairs that reach within this of the lowest may be the legs
OUTSIDE = 0.12  # of the length of a limb that shoulders and hips lie apart at least
ARM_SHARE = 0.85  # of the length of a leg with its foot that an arm with clavicle and hand has


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
    legs = _legs(pairs, heads, tails, size)
    arms = None if legs is None else _arms(rest, pairs, legs, heads, tails)
    if legs is None or arms is None:
        raise SapiensError(
            f"The bones of '{rest.name}' could not be recognised, by their names or by their structure.",
            "Say which bone is which in its bone table.",
        )
    top = _common(rest, arms.fork, legs.fork)
    bones: dict[str, list[int]] = {"hips": _path(rest, top, legs.fork), "spine": _path(rest, top, arms.fork)[1:]}
    bones |= _neck_and_head(rest, heads, tails, arms)
    forward = _forward(heads, tails, legs)
    left = unit(np.cross(WORLD_UP, forward))
    for pair, names in ((legs, ("UpperLeg", "LowerLeg", "Foot", "Toes")), (arms, ("UpperArm", "LowerArm", "Hand"))):
        first = heads[pair.one[-1]] - heads[pair.other[-1]]
        sides = ("left", "right") if first @ left > 0 else ("right", "left")
        start, picked = _limb(heads, tails, pair, len(names))
        for side, chain in zip(sides, (pair.one, pair.other), strict=True):
            found = {name: chain[n] for name, n in zip(names, picked, strict=False)}
            bones |= {f"{side}{name}": [bone] for name, bone in found.items()}
            if names[0] == "UpperArm":
                if start:
                    bones[f"{side}Shoulder"] = [chain[start - 1]]
                bones |= _fingers(rest, heads, tails, found.get("Hand"), side)
    named = {role: tuple(rest.names[i] for i in indices) for role, indices in bones.items() if indices}
    sure = 0.6 * sum(role in named for role in REQUIRED) / len(REQUIRED)
    return BoneMap(
        "structure",
        "recognised by structure",
        named,
        confidence=sure,
        notes=(f"The bone names of '{rest.name}' are unknown: the roles were found by structure, check them in its bone table.",),
    )


def _common(rest: RestRig, a: int, b: int) -> int:
    """The lowest bone that both hang on (or are); -1 if there is none."""
    return max({a, *rest.ancestors(a)} & {b, *rest.ancestors(b)}, default=-1)


def _path(rest: RestRig, top: int, bone: int) -> list[int]:
    """The bones from `top` down to one below it, both included."""
    chain = [bone, *rest.ancestors(bone)]
    return chain[: chain.index(top) + 1][::-1]


def _legs(pairs: list[_Pair], heads: np.ndarray, tails: np.ndarray, size: float) -> _Pair | None:
    """The pair that reaches lowest; of several that reach about as low, as skirts do, the one that is most of two bones."""
    long = [p for p in pairs if p.reach >= 0.2 * size and len(p.one) > 1]
    lowest = min((p.height for p in long), default=0.0)
    low = [p for p in long if p.height <= lowest + LOW * size]
    return max(low, key=lambda p: _limb_share(heads, tails, p), default=None)


def _arms(rest: RestRig, pairs: list[_Pair], legs: _Pair, heads: np.ndarray, tails: np.ndarray) -> _Pair | None:
    """The pair that is most like arms: with a neck between them, hands, about as long as the legs, not behind the back.

    Hair hangs on the head, wings and capes stand behind, both are made of many bones alike.
    """
    forward = _forward(heads, tails, legs)
    below = {*legs.one, *legs.other}

    def unlikeness(pair: _Pair) -> float:
        chains = (pair.one, pair.other)
        centre = (heads[pair.one[0]] + heads[pair.other[0]]) / 2
        others = [c for c in rest.children(pair.fork) if c not in (pair.one[0], pair.other[0])]
        neck = any(tails[c, 2] > centre[2] for c in others)
        hands = all(max(len(rest.children(n)) for n in chain) >= 3 for chain in chains)
        behind = np.mean([(heads[list(chain)] - heads[pair.fork]) @ -forward for chain in chains]) / legs.reach
        return float(
            abs(np.log(pair.reach / (ARM_SHARE * legs.reach)))
            + (0.0 if neck else 1.0)
            - (0.7 if hands else 0.0)
            + 4.0 * max(behind - 0.1, 0.0)
            + 2.0 * max(0.6 - _limb_share(heads, tails, pair), 0.0)
        )

    able = []
    for pair in pairs:
        top = _common(rest, pair.fork, legs.fork)
        if top not in (-1, pair.fork) and pair.fork not in below and len(pair.one) > 1:
            able.append(pair)
    return min(able, key=unlikeness, default=None)


def _longest(rest: RestRig, heads: np.ndarray, tails: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each bone (B,): the child that leads to the farthest leaf along the bones, -1 for a leaf, and the length to there."""
    child = np.full(len(heads), -1)
    length = np.linalg.norm(tails - heads, axis=1)
    for n in range(len(heads) - 1, -1, -1):  # children come after their parents
        parent = int(rest.parents[n])
        if parent >= 0:
            reach = length[n] + float(np.linalg.norm(heads[n] - heads[parent]))
            if reach > length[parent]:
                child[parent], length[parent] = n, reach
    return child, length


def _down(child: np.ndarray, bone: int) -> tuple[int, ...]:
    """The path from a bone to its farthest leaf."""
    out = [bone]
    while child[out[-1]] >= 0:
        out.append(int(child[out[-1]]))
    return tuple(out)


def _mirrored_pairs(rest: RestRig, heads: np.ndarray, tails: np.ndarray, size: float) -> list[_Pair]:
    """All pairs of branches that leave the same bone, are about equally long and end opposite each other."""
    out = []
    leading, lengths = _longest(rest, heads, tails)
    for fork in range(len(rest.names)):
        children = [c for c in rest.children(fork) if lengths[c] >= 0.15 * size]
        if len(children) < 2:
            continue
        branches = [(c, _down(leading, c), float(lengths[c])) for c in children]
        for i, (a, path_a, length_a) in enumerate(branches):
            for b, path_b, length_b in branches[i + 1 :]:
                if abs(length_a - length_b) > 0.15 * max(length_a, length_b):
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


def _neck_and_head(rest: RestRig, heads: np.ndarray, tails: np.ndarray, arms: _Pair) -> dict[str, list[int]]:
    """The branch between the arms that rises highest and least to a side. Its last bone but for small ones is the head."""
    others = [c for c in rest.children(arms.fork) if c not in (arms.one[0], arms.other[0])]
    rising = [c for c in others if tails[c, 2] >= heads[arms.fork, 2]]
    if not rising:
        return {}
    across = unit((heads[arms.one[-1]] - heads[arms.other[-1]]) * [1.0, 1.0, 0.0])
    middle = (heads[arms.one[0]] + heads[arms.other[0]]) / 2
    chain = [max(rising, key=lambda c: float(tails[c, 2] - 2.0 * abs((tails[c] - middle) @ across)))]
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
    _, picked = _limb(heads, tails, legs, 3)
    for chain in (legs.one, legs.other):
        ankle = heads[chain[picked[2]] if len(picked) > 2 else chain[-1]]
        out += np.append((tails[chain[-1]] - ankle)[:2], 0.0)
    across = heads[legs.one[-1]] - heads[legs.other[-1]]
    side = unit(np.append(across[:2], 0.0))
    out -= (out @ side) * side
    return unit(out) if np.linalg.norm(out) > 1e-3 * np.linalg.norm(across) else WORLD_FRONT


def _stretches(heads: np.ndarray, tails: np.ndarray, pair: _Pair) -> tuple[list[int], np.ndarray]:
    """Where along a pair's branches its joints are, and how far each is from the next, the last from the tip: both sides' mean.

    Bones that begin in one place share a joint.
    """
    points = [np.concatenate([heads[list(chain)], tails[chain[-1]][None]]) for chain in (pair.one, pair.other)]
    joints = [0]
    for n in range(1, len(pair.one)):
        if max(np.linalg.norm(p[n] - p[joints[-1]]) for p in points) > 1e-6:
            joints.append(n)
    steps = [np.linalg.norm(np.diff(p[[*joints, -1]], axis=0), axis=1) for p in points]
    return joints, np.mean(steps, axis=0)


def _limb(heads: np.ndarray, tails: np.ndarray, pair: _Pair, count: int) -> tuple[int, list[int]]:
    """Where the limb begins along a pair's branches (before it is a clavicle), and where its joints are, up to `count`.

    Its two longest stretches between neighbouring joints are the limb, what follows is foot or hand. Both sides are looked at
    together, so that they are parted at the same joints.
    """
    joints, lengths = _stretches(heads, tails, pair)
    if len(lengths) < 2:
        return 0, [0]
    # A second stretch under half of the first is hardly its other half: it counts against the pair.
    upper, lower = lengths[:-1], lengths[1:]
    scores = upper + lower - 3 * np.abs(upper - lower) * (lower < 0.5 * upper)
    first = [heads[[chain[n] for n in joints[: len(scores)]]] for chain in (pair.one, pair.other)]
    outside = np.linalg.norm(first[0] - first[1], axis=1) > OUTSIDE * lengths.sum()
    if outside.any():  # what begins in the middle of the body is a clavicle, however long it is
        scores = np.where(outside, scores, -np.inf)
    start = int(np.argmax(scores))
    return joints[start], joints[start : start + count]


def _limb_share(heads: np.ndarray, tails: np.ndarray, pair: _Pair) -> float:
    """How much of a pair's length its two longest neighbouring stretches are: most of a limb, little of hair."""
    lengths = _stretches(heads, tails, pair)[1]
    return float((lengths[:-1] + lengths[1:]).max() / lengths.sum()) if len(lengths) > 1 else 1.0


def _fingers(rest: RestRig, heads: np.ndarray, tails: np.ndarray, hand: int | None, side: str) -> dict[str, list[int]]:
    """Five branches of a hand are fingers: from the thumb, whose root lies nearest the wrist, in order across the palm."""
    if hand is None:
        return {}
    leading, _ = _longest(rest, heads, tails)
    branches = [_down(leading, child) for child in rest.children(hand)]
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
