"""Joints and anatomical frames of a rig at rest, whatever its bones' axes, rolls and rest pose are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.errors import SapiensError
from ..common.landmarks import SIDES, finger_joints
from ..common.rotations import angle_between, two_axis_frame, unit
from .armature import RestRig
from .body_frames import Frames, anatomical_frames
from .bone_map import FINGER_JOINTS, PHALANGES, BoneMap

LIMB_JOINTS = {  # limb of a rig -> the joint at the head of its bone
    "Shoulder": "clavicle", "UpperArm": "shoulder", "LowerArm": "elbow", "Hand": "wrist",
    "UpperLeg": "hip", "LowerLeg": "knee", "Foot": "ankle",
}  # fmt: skip
CHAIN = (("UpperArm", "LowerArm"), ("LowerArm", "Hand"), ("UpperLeg", "LowerLeg"), ("LowerLeg", "Foot"))


def tails_are_honest(rest: RestRig, bone_map: BoneMap) -> bool:
    """Whether bones point to the next joint. Importers of FBX and glTF often leave tails that point anywhere."""
    angles = []
    for side in SIDES:
        for role, following in CHAIN:
            bone, child = bone_map.first(f"{side}{role}"), bone_map.first(f"{side}{following}")
            if bone and child:
                a, b = rest.index(bone), rest.index(child)
                angles.append(float(angle_between(rest.tails[a] - rest.heads[a], rest.heads[b] - rest.heads[a])))
    return bool(angles) and float(np.median(angles)) < np.radians(25.0)


def rest_points(rest: RestRig, bone_map: BoneMap) -> dict[str, np.ndarray]:
    """Joints of the rig at rest by the names that `core.retarget.body_frames.anatomical_frames` takes: (1, 3), armature space.

    SapiensError if legs or head are missing: without them nothing says where up and left are.
    """
    honest = tails_are_honest(rest, bone_map)
    out: dict[str, np.ndarray] = {}

    def head(role: str) -> np.ndarray | None:
        bones = bone_map.bones.get(role, ())
        return np.mean([rest.heads[rest.index(b)] for b in bones], axis=0)[None] if bones else None

    def tail(role: str) -> np.ndarray | None:
        bones = bone_map.bones.get(role, ())
        return np.mean([rest.tails[rest.index(b)] for b in bones], axis=0)[None] if bones and honest else None

    def put(name: str, *candidates: np.ndarray | None) -> None:
        found = next((c for c in candidates if c is not None), None)
        if found is not None:
            out[name] = found

    neck = bone_map.first("neck") or bone_map.first("head")
    if neck is not None:
        out["neck"] = rest.heads[rest.index(neck)][None]
    elif bone_map.bones.get("spine"):
        out["neck"] = rest.tails[rest.index(bone_map.bones["spine"][-1])][None]
    for side in SIDES:
        for role, joint in LIMB_JOINTS.items():
            put(f"{side}_{joint}", head(f"{side}{role}"))
        put(f"{side}_toe", head(f"{side}Toes"), tail(f"{side}Foot"))
        for finger, phalanges in PHALANGES.items():
            *joints, tip = finger_joints(side, FINGER_JOINTS[finger])
            for phalanx, joint in zip(phalanges, joints, strict=True):
                put(joint, head(f"{side}{finger}{phalanx}"))
            last = next((p for p in reversed(phalanges) if bone_map.bones.get(f"{side}{finger}{p}")), None)
            if last is not None:
                put(tip, tail(f"{side}{finger}{last}"), _beyond(out, joints))
        knuckles = [head(f"{side}{finger}Proximal") for finger in ("Middle", "Ring", "Index", "Little")]
        put(f"{side}_hand_end", *knuckles, tail(f"{side}Hand"), _child_end(rest, bone_map, f"{side}Hand"))
    _complete_sides(out)
    if not {"left_hip", "right_hip", "neck"} <= out.keys():
        raise SapiensError(
            f"'{rest.name}' has no bones for legs or head that could be recognised.", "Choose them in the bone table."
        )
    out["up"] = _upright(out)
    return out


def _beyond(points: dict[str, np.ndarray], joints: list[str]) -> np.ndarray | None:
    """A finger tip where tails cannot be trusted: straight on from the last two joints."""
    chain = [points[joint] for joint in joints if joint in points]
    return None if len(chain) < 2 else chain[-1] + 0.8 * (chain[-1] - chain[-2])


def _child_end(rest: RestRig, bone_map: BoneMap, role: str) -> np.ndarray | None:
    """The mean head of a bone's children, where no table says what they are."""
    bone = bone_map.first(role)
    if not bone:
        return None
    head = rest.heads[rest.index(bone)]
    away = [rest.heads[c] for c in rest.children(rest.index(bone)) if np.linalg.norm(rest.heads[c] - head) > 1e-6]
    return np.mean(away, axis=0)[None] if away else None


def _complete_sides(points: dict[str, np.ndarray]) -> None:
    """A deleted thigh bone: the hip joint is mirrored from the other side through the plane of the neck, knees or shoulders."""
    have = [side for side in SIDES if f"{side}_hip" in points]
    pair = next((j for j in ("knee", "ankle", "shoulder", "elbow") if {f"left_{j}", f"right_{j}"} <= points.keys()), None)
    if len(have) == 1 and pair is not None:
        left, right = points[f"left_{pair}"], points[f"right_{pair}"]
        normal, middle = unit(left - right), (left + right) / 2
        known = points[f"{have[0]}_hip"]
        other = "right" if have[0] == "left" else "left"
        points[f"{other}_hip"] = known - 2 * ((known - middle) * normal).sum(axis=-1, keepdims=True) * normal


def _upright(points: dict[str, np.ndarray]) -> np.ndarray:
    """(1, 3) the axis of the armature that the trunk stands along; the trunk itself if it leans over 25 degrees from all."""
    trunk = unit(points["neck"] - (points["left_hip"] + points["right_hip"]) / 2)
    axis = np.zeros((1, 3))
    largest = int(np.abs(trunk[0]).argmax())
    axis[0, largest] = np.sign(trunk[0, largest])
    return axis if (axis * trunk).sum() > np.cos(np.radians(25.0)) else trunk


def rest_frames(points: dict[str, np.ndarray]) -> Frames:
    """Role -> (3, 3) anatomical frame of a rig at rest, armature space, from its `rest_points`. The head looks straight ahead."""
    ahead = two_axis_frame(points["up"], points["left_hip"] - points["right_hip"], "yx")
    frames = {role: frame[0] for role, frame in anatomical_frames(points, ahead).items()}
    frames |= dict.fromkeys(("jaw", "leftEye", "rightEye"), frames["head"])
    for side in SIDES:
        if f"{side}Foot" in frames:
            frames[f"{side}Toes"] = frames[f"{side}Foot"]
    return frames | {"spine": frames["chest"], "neck": frames["head"]}


@dataclass(frozen=True, eq=False)
class MappedRig:
    """A rig whose bones have roles, and what its joints at rest say of it.

    points  joint -> (1, 3) of `rest_points`, armature space
    frames  role -> (3, 3) of `rest_frames`
    """

    rest: RestRig
    bone_map: BoneMap
    points: dict[str, np.ndarray]
    frames: Frames

    @classmethod
    def of(cls, rest: RestRig, bone_map: BoneMap) -> MappedRig:
        points = rest_points(rest, bone_map)
        return cls(rest, bone_map, points, rest_frames(points))

    @property
    def scale(self) -> float:
        """Metres of the world per unit of the armature."""
        return float(np.linalg.norm(self.rest.world[:3, 0]))

    @property
    def armature_from_world(self) -> np.ndarray:
        """(3, 3) rotation, without the scale."""
        return unit(self.rest.world[:3, :3].T)

    @property
    def hips_middle(self) -> np.ndarray:
        """(3,) the middle of the hip joints at rest, armature space."""
        return ((self.points["left_hip"] + self.points["right_hip"]) / 2)[0]


def trunk_heights(rest: RestRig, bone_map: BoneMap) -> tuple[np.ndarray, np.ndarray]:
    """Arc length parameters of the bones of spine and neck, each 0..1.

    Returns (1 + spine bones,): 0 = hips, 1 = the last bone of the spine; and (2 + neck bones,): 0 = that bone, 1 = the head.
    Measured along the curve through the middles of the bones, so that chains of any number of bones share a turn alike.
    """
    spine, neck = bone_map.bones.get("spine", ()), bone_map.bones.get("neck", ())
    head = bone_map.bones.get("head", ())[:1]
    heads = [rest.heads[rest.index(bone_map.bones["hips"][-1])], *(rest.heads[rest.index(b)] for b in (*spine, *neck, *head))]
    last = rest.index((*bone_map.bones["hips"], *spine, *neck, *head)[-1])
    heads.append(rest.tails[last])
    middles = (np.array(heads[:-1]) + np.array(heads[1:])) / 2
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(middles, axis=0), axis=1))])
    spine_part = along[: 1 + len(spine)]
    neck_part = along[len(spine) :]
    return _normalised(spine_part), _normalised(neck_part if head else np.append(neck_part, neck_part[-1] + 1.0))


def _normalised(values: np.ndarray) -> np.ndarray:
    span = values[-1] - values[0]
    if len(values) == 1:
        return np.array([0.0])
    return (values - values[0]) / span if span > 1e-9 else np.linspace(0.0, 1.0, len(values))


def ground_height(rest: RestRig, up: np.ndarray) -> float:
    """Height along `up` (armature space) of the lowest joint or tail of the rest pose: the ground that the rig stands on."""
    deforming = np.concatenate([rest.heads, rest.tails]) @ up
    return float(deforming.min())
