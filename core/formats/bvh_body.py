"""Who moves in a BVH file, decided from skeleton and motion: the bones' roles, which way is up, the rest pose, the floor.

The format says none of it: y is up by custom alone, the zero pose may be a T-pose or every bone along its own axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..common.errors import SapiensError
from ..common.landmarks import SIDES
from ..common.rotations import dot, perpendicular, shortest_arc, two_axis_frame, unit
from ..common.spaces import WORLD_FROM_UP
from ..retarget.armature import RestRig
from ..retarget.armature_frames import rest_points
from ..retarget.bone_map import REQUIRED, BoneMap
from ..retarget.recognise import recognise
from .bvh_skeleton import Skeleton

UPRIGHT = 0.7  # cosine from which a trunk stands along an axis
STRAIGHT = 0.75  # of the way along the spine that hips and neck of a standing body lie apart
OFTEN = 0.6  # of the frames that a trunk must stand along the axis that is up
LEG_SHARE = 0.485  # of the stature, from hip to ankle (Winter)
SUNK, STANDS, STANDS_SHARE = 0.12, 0.1, 0.2
"""Shares of a leg: feet that go deeper below zero stand on another floor, if one frame in five has a foot within the second above
the lowest."""
TRIES = 7  # frames that are looked at for a body where neither names nor the zero pose show one


@dataclass(frozen=True, eq=False)
class Body:
    """What was found out about a skeleton, in the axes and units of the file.

    bone_map  which joint plays which role
    up        name of the axis that is up, a key of `core.common.spaces.WORLD_FROM_UP`
    rest      (J, 3, 3) turns from the zero pose to a pose in which the body stands; None = the zero pose is one
    leg       length from hip to ankle
    floor     height of the floor along `up`, 0 unless feet go far below
    mirrored  the file has left and right on the wrong sides, as one with left-handed axes: all else is of the mirrored skeleton
    """

    bone_map: BoneMap
    up: str
    rest: np.ndarray | None
    leg: float
    floor: float
    mirrored: bool = False

    def notes(self, name: str, metres: float) -> tuple[str, ...]:
        """What was decided, in sentences for the artist."""
        out = [f"{name}: {self.bone_map.summary}; {self.up} is up."]
        if self.rest is not None:
            out.append(f"The zero pose of {name} is no standing body: its rest pose was found in the motion.")
        if self.mirrored:
            out.append(f"Left and right of {name} are on the wrong sides of a body that faces its toes: it was mirrored.")
        if self.floor < 0:
            out.append(f"The feet of {name} go {-self.floor * metres:.2f} m below zero: the floor was put under the lowest.")
        if self.bone_map.family != "structure":
            return (*out, *self.bone_map.notes)
        out.append(f"The joint names of {name} are unknown: look at what was found with --save-source-bones.")
        return tuple(out)


def rest_rig(skeleton: Skeleton, name: str, turns: np.ndarray | None = None, world: np.ndarray | None = None) -> RestRig:
    """The skeleton at rest.

    turns  (J, 3, 3) from the zero pose; None = the zero pose
    world  (3, 3) axes and scale to put it in; None = those of the file
    """
    count = len(skeleton.names)
    turns = np.broadcast_to(np.eye(3), (count, 3, 3)) if turns is None else turns
    heads, tails = skeleton.posed(turns)
    world = np.eye(3) if world is None else world
    return RestRig.from_joints(name, skeleton.names, skeleton.parents, heads @ world.T, tails @ world.T)


def find_body(skeleton: Skeleton, name: str, given: BoneMap | None = None, mirrored: bool = False) -> Body | None:
    """The body in a skeleton; None if there is none.

    given     the roles of its joints, else they are recognised
    mirrored  the skeleton is the mirrored one already
    """
    found = _roles(skeleton, name) if given is None else given
    if found is None:
        return None
    joints = _joint_paths(skeleton, found)
    needed = ("left_hip", "right_hip", "neck", *(f"{s}_{j}" for s in SIDES for j in ("knee", "ankle")))
    if not set(needed[:3]) <= joints.keys() or not any({f"{s}_knee", f"{s}_ankle"} <= joints.keys() for s in SIDES):
        return None
    leg = _leg(joints)
    if leg <= 0:
        return None
    stands = stands_at_rest(_points(skeleton, found, name)) and _trunk_is_straight(rest_rig(skeleton, name), found)
    up = _up(skeleton, found, joints, leg, stands)
    rest = None if stands else _rest_turns(skeleton, found, joints, WORLD_FROM_UP[up][2])
    if not mirrored and _is_mirrored(_points(skeleton, found, name, rest)):
        return find_body(skeleton.mirrored(), name, found, mirrored=True)
    return Body(found, up, rest, leg, _floor(skeleton, found, WORLD_FROM_UP[up][2], leg), mirrored)


def _points(skeleton: Skeleton, found: BoneMap, name: str, turns: np.ndarray | None = None) -> dict[str, np.ndarray]:
    try:
        return rest_points(rest_rig(skeleton, name, turns), found)
    except SapiensError:
        return {}


def _trunk(points: dict[str, np.ndarray]) -> np.ndarray:
    """(3,) direction from the hips to the neck."""
    return unit(points["neck"] - (points["left_hip"] + points["right_hip"]) / 2)[0]


def _is_mirrored(points: dict[str, np.ndarray]) -> bool:
    """Whether both feet of a standing body point clearly to where its left and right say that its back is."""
    if not points or not all({f"{side}_ankle", f"{side}_toe"} <= points.keys() for side in SIDES):
        return False
    ahead = np.cross((points["left_hip"] - points["right_hip"])[0], _trunk(points))
    feet = [(points[f"{side}_toe"] - points[f"{side}_ankle"])[0] for side in SIDES]
    return all(float(unit(foot) @ unit(ahead)) < -0.5 for foot in feet)


def _roles(skeleton: Skeleton, name: str) -> BoneMap | None:
    """Roles by names, else by the structure of the first pose that shows a standing body: the zero pose, then some frames."""
    for world, turns in _poses(skeleton):
        rest = rest_rig(skeleton, name, turns, world)
        try:
            found = recognise(rest)
        except SapiensError:
            continue
        if found.family != "structure":
            return found
        points = _points(skeleton, found, name, turns)
        if stands_at_rest(points) and (_trunk(points) @ world[2]) > UPRIGHT:
            return found
    return None


def _poses(skeleton: Skeleton) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    picked = np.unique(np.linspace(0, len(skeleton.turns) - 1, TRIES).round().astype(int))
    for turns in (None, *skeleton.turns[picked]):
        for axis in ("y", "z", "x", "-y"):
            yield WORLD_FROM_UP[axis], turns


def _joint_paths(skeleton: Skeleton, found: BoneMap) -> dict[str, np.ndarray]:
    """(F, 3) of the joints that the decisions need, by the names of `core.retarget.armature_frames.rest_points`."""
    limbs = {"UpperLeg": "hip", "LowerLeg": "knee", "Foot": "ankle", "Toes": "toe", "UpperArm": "shoulder"}
    roles = {f"{side}{limb}": f"{side}_{joint}" for side in SIDES for limb, joint in limbs.items()} | {"head": "head"}
    place = {name: n for n, name in enumerate(skeleton.names)}
    out = {joint: skeleton.heads[:, place[bone]] for role, joint in roles.items() if (bone := found.first(role)) is not None}
    neck = found.first("neck") or found.first("head")
    return out if neck is None else out | {"neck": skeleton.heads[:, place[neck]]}


def _leg(joints: dict[str, np.ndarray]) -> float:
    lengths = [
        np.linalg.norm(joints[f"{s}_knee"] - joints[f"{s}_hip"], axis=-1)
        + np.linalg.norm(joints[f"{s}_ankle"] - joints[f"{s}_knee"], axis=-1)
        for s in SIDES
        if {f"{s}_hip", f"{s}_knee", f"{s}_ankle"} <= joints.keys()
    ]
    return float(np.median(np.array(lengths)))


def stands_at_rest(points: dict[str, np.ndarray]) -> bool:
    """Whether joints (1, 3) are those of a standing body: legs down, shoulders over the hips, feet ahead, arms anywhere alike."""
    if not {"left_hip", "right_hip", "neck"} <= points.keys():
        return False

    def along(a: str, b: str) -> np.ndarray | None:
        """(3,) unit direction from joint to joint, None where one is absent or both are in one place."""
        if not {a, b} <= points.keys():
            return None
        step = (points[b] - points[a])[0]
        return unit(step) if np.linalg.norm(step) > 1e-6 * size else None

    hips = (points["left_hip"] + points["right_hip"])[0] / 2
    trunk = points["neck"][0] - hips
    size, up = float(np.linalg.norm(trunk)), unit(trunk)
    across, shoulders = along("right_hip", "left_hip"), along("right_shoulder", "left_shoulder")
    if size < 1e-9 or across is None or abs(across @ up) > 0.42 or (shoulders is not None and shoulders @ across < 0.8):
        return False
    ahead = []
    for side in SIDES:
        leg = pairwise(f"{side}_{joint}" for joint in ("hip", "knee", "ankle", "toe"))
        thigh, shank, foot = (along(a, b) for a, b in leg)
        if any(bone is not None and bone @ up > -0.77 for bone in (thigh, shank)):
            return False
        if f"{side}_hip" in points and f"{side}_knee" in points and thigh is None:
            return False
        if foot is not None:
            if foot @ up > 0.5 or foot @ up < -0.95:
                return False
            ahead.append(unit(perpendicular(foot, up)))
    if len(ahead) == 2 and ahead[0] @ ahead[1] < 0.2:
        return False
    arms = [along(f"{side}_shoulder", f"{side}_elbow") for side in SIDES]
    if arms[0] is None or arms[1] is None:
        return True
    return bool((arms[0] - 2 * (arms[0] @ across) * across) @ arms[1] > 0.5)


def _trunk_is_straight(rest: RestRig, found: BoneMap) -> bool:
    """Whether the joints from hips to head go one way: no sharp bend on the way to the neck, and the head beyond it."""
    names = (*found.bones["hips"][-1:], *(n for role in ("spine", "neck", "head") for n in found.bones.get(role, ())))
    heads = np.array([rest.heads[rest.index(name)] for name in names])
    neck = len(names) - len(found.bones.get("neck", ())) - len(found.bones.get("head", ()))
    steps, whole = np.linalg.norm(np.diff(heads[: neck + 1], axis=0), axis=1).sum(), heads[min(neck, len(heads) - 1)] - heads[0]
    if np.linalg.norm(whole) < STRAIGHT * steps:
        return False
    top = heads[-1] - heads[min(neck, len(heads) - 1)]
    return float(unit(top) @ unit(whole)) > 0.2 or float(np.linalg.norm(top)) < 0.05 * float(np.linalg.norm(whole))


def _up(skeleton: Skeleton, found: BoneMap, joints: dict[str, np.ndarray], leg: float, stands: bool) -> str:
    """The axis that is up: y by custom, another if the body stands along it in the motion and does not lie there by the floor."""
    hips = (joints["left_hip"] + joints["right_hip"]) / 2
    trunk = unit(joints["neck"] - hips)
    axis = _axis(np.median(trunk, axis=0))
    if axis is not None and np.mean(trunk @ WORLD_FROM_UP[axis][2] > UPRIGHT) < OFTEN:
        axis = None
    at_rest = None
    if stands:
        at_rest = _axis(_trunk(_points(skeleton, found, "")))
    if axis is None:
        return at_rest or "y"
    if axis in ("y", at_rest):
        return axis
    used = _body_joints(skeleton, found)

    def stand(name: str, low: float, high: float) -> bool:
        """Whether the lowest joint is at zero along this axis, and the hips between two shares of a leg above."""
        heights, middle = skeleton.heads[:, used] @ WORLD_FROM_UP[name][2], hips @ WORLD_FROM_UP[name][2]
        return bool(abs(np.median(heights.min(axis=1))) < 0.15 * leg and low * leg < np.median(middle) < high * leg)

    lies = stand("y", 0.0, 0.45) and not stand(axis, 0.6, 1.4)
    return "y" if lies else axis


def _axis(direction: np.ndarray) -> str | None:
    """Name of the axis that a direction (3,) goes along; None if it is far from all."""
    n = int(np.abs(direction).argmax())
    if abs(direction[n]) < UPRIGHT:
        return None
    return ("" if direction[n] > 0 else "-") + "xyz"[n]


def _body_joints(skeleton: Skeleton, found: BoneMap) -> np.ndarray:
    names = {name for role in REQUIRED for name in found.bones.get(role, ())}
    return np.array([n for n, name in enumerate(skeleton.names) if name in names])


def _below(skeleton: Skeleton, bone: str | None) -> np.ndarray:
    """(J,) bool: the bone and all below it."""
    inside = np.zeros(len(skeleton.names), bool)
    for n, parent in enumerate(skeleton.parents.tolist()):
        inside[n] = skeleton.names[n] == bone or (parent >= 0 and inside[parent])
    return inside


def _floor(skeleton: Skeleton, found: BoneMap, up: np.ndarray, leg: float) -> float:
    """Height of the floor: zero, or under the lowest foot (but for one frame in fifty) where that is far below."""
    lows = []
    for side in SIDES:
        feet = np.flatnonzero(_below(skeleton, found.first(f"{side}Foot")))
        for n in feet.tolist():
            lows.append(skeleton.heads[:, n] @ up)
            if np.isfinite(skeleton.ends[n]).all():
                lows.append((skeleton.heads[:, n] + skeleton.turns[:, n] @ skeleton.ends[n]) @ up)
    if not lows:
        return 0.0
    lowest = np.min(lows, axis=0)
    low = float(np.quantile(lowest, 0.02, method="lower"))
    often = np.mean(lowest < low + STANDS * leg) >= STANDS_SHARE
    return low if low < -SUNK * leg and often else 0.0


def _rest_turns(skeleton: Skeleton, found: BoneMap, joints: dict[str, np.ndarray], up: np.ndarray) -> np.ndarray:
    """(J, 3, 3) turns from the zero pose to a standing body: the frame that stands straightest, feet flat, looking ahead."""
    hips = (joints["left_hip"] + joints["right_hip"]) / 2
    trunk, across = unit(joints["neck"] - hips), unit(joints["left_hip"] - joints["right_hip"])
    scores = trunk @ up - np.abs(dot(trunk, across))
    shoulders = across
    if {"left_shoulder", "right_shoulder"} <= joints.keys():
        shoulders = unit(joints["left_shoulder"] - joints["right_shoulder"])
        scores = scores + dot(shoulders, across)
    if found.first("neck") and "head" in joints:
        scores = scores + 0.5 * dot(unit(joints["head"] - joints["neck"]), trunk)
    for side in SIDES:
        for a, b in (("hip", "knee"), ("knee", "ankle")):
            if {f"{side}_{a}", f"{side}_{b}"} <= joints.keys():
                scores = scores - dot(unit(joints[f"{side}_{b}"] - joints[f"{side}_{a}"]), trunk)
    best = int(scores.argmax())
    rest = np.array(skeleton.turns[best])
    head = found.first("head")
    if head is not None:  # on the whole people look where their chest faces
        own = np.swapaxes(skeleton.turns[:, skeleton.names.index(head)], -1, -2) @ two_axis_frame(shoulders, trunk, "xy")
        left, _, right = np.linalg.svd(own.mean(axis=0))
        mean = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
        ahead = two_axis_frame(_along_axis(trunk[best]), across[best], "yx")
        inside = _below(skeleton, head)
        rest[inside] = ahead @ mean.T @ skeleton.turns[best, skeleton.names.index(head)].T @ rest[inside]
    for side in SIDES:
        knee, ankle, toe = (joints.get(f"{side}_{joint}") for joint in ("knee", "ankle", "toe"))
        if knee is not None and ankle is not None and toe is not None:  # a foot is flat where it is low under an upright shank
            shank = np.linalg.norm(knee - ankle, axis=-1).max()
            flat = int(((ankle + 0.3 * toe) @ up / shank - 3.0 * (unit(knee - ankle) @ up)).argmin())
            inside = _below(skeleton, found.first(f"{side}Foot"))
            turned = shortest_arc(perpendicular((toe - ankle)[flat], up), perpendicular((toe - ankle)[best], up))
            rest[inside] = turned @ skeleton.turns[flat, inside]
    return rest


def _along_axis(trunk: np.ndarray) -> np.ndarray:
    """(3,) the axis that a trunk stands along at rest, as `core.retarget.armature_frames` takes it; far from all, the trunk."""
    axis = np.zeros(3)
    n = int(np.abs(trunk).argmax())
    axis[n] = np.sign(trunk[n])
    return axis if axis @ trunk > np.cos(np.radians(25.0)) else trunk
