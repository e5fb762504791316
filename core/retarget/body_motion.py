"""A person's motion as anatomical frames: what every source is turned into, and what every rig is posed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ..common.errors import SapiensError
from ..common.landmarks import JOINT_NAMES, SIDES, finger_joints, joint_index, keypoint_index
from ..common.quaternions import slerp
from ..common.rotations import quaternion_from_rotation, rotation_from_quaternion, two_axis_frame, unit
from ..pose.anatomy import fit_head, flexion_sides
from .armature import RestRig
from .armature_frames import ground_height, rest_frames, rest_points, trunk_heights
from .body_frames import Frames, anatomical_frames
from .bone_map import FINGER_JOINTS, PHALANGES, BoneMap
from .head_motion import face_frames, head_motion

SPINE_BEND = 1.5  # the upper spine bends more than the lower: share of the turn at height u is u ** SPINE_BEND
FACE_POINTS = tuple(keypoint_index(n) for n in ("center_of_upper_inner_lip", "center_of_lower_inner_lip", "l_center_of_iris"))
ANKLE_SHARE = 0.095  # height of the ankle above the ground, share of the leg (mean adult of Anny)
NECK_SHARE = 0.8  # the last of n neck bones makes NECK_SHARE * n / (n + 1) of the turn from chest to head


@dataclass(frozen=True, eq=False)
class BodyMotion:
    """F frames of one person in a world with z up, metres.

    frames         role -> (F, 3, 3) anatomical frames (`core.retarget.body_frames`)
    spine_heights  (S,) 0 = hips .. 1 = chest, ascending;  spine  (F, S, 3, 3) frames there
    neck_heights   (N,) 0 = chest .. 1 = head, ascending;  neck   (F, N, 3, 3)
    position       (F, 3) middle between the hip joints
    leg            metres from hip to ankle along thigh and shank
    ankle          metres from the ground to the ankle of a standing foot
    fps            frames per second
    forearms_turn  the forearms' own frames hold their twist; else it is only seen in the hands
    contacts       (F, 4) bool: left heel, left toes, right heel, right toes stand on the ground; None = not known
    unseen         roles that were guessed in every frame: their bones rest
    jaw            (F,) degrees that the mouth is open; None = no face was seen, or the source has bones for it
    gaze           (F, 2, 2) degrees that the left and the right eye look to the person's left, and up; None as jaw
    notes          sentences for the artist: what the source was taken for
    """

    frames: Frames
    spine_heights: np.ndarray
    spine: np.ndarray
    neck_heights: np.ndarray
    neck: np.ndarray
    position: np.ndarray
    leg: float
    ankle: float
    fps: float = 30.0
    forearms_turn: bool = False
    contacts: np.ndarray | None = None
    unseen: tuple[str, ...] = field(default=())
    jaw: np.ndarray | None = None
    gaze: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.position)

    def face_frames(self, gain: float = 1.0) -> Frames:
        """Frames of jaw and eyes, (F, 3, 3) each; none where they are not known. `gain` exaggerates them."""
        if self.jaw is None or self.gaze is None:
            return {}
        return face_frames(self.frames["head"], self.jaw, self.gaze, gain)

    def spine_at(self, height: float) -> np.ndarray:
        """(F, 3, 3) frame of the spine at 0 = hips .. 1 = chest."""
        return _between(self.spine_heights, self.spine, height)

    def neck_at(self, height: float) -> np.ndarray:
        """(F, 3, 3) frame of the neck at 0 = chest .. 1 = head."""
        return _between(self.neck_heights, self.neck, height)


def _between(heights: np.ndarray, frames: np.ndarray, height: float) -> np.ndarray:
    upper = int(np.clip(np.searchsorted(heights, height), 1, len(heights) - 1))
    low, high = heights[upper - 1], heights[upper]
    t = float(np.clip((height - low) / max(high - low, 1e-9), 0.0, 1.0))
    if t in (0.0, 1.0):
        return frames[:, upper - 1 if t == 0.0 else upper]
    a, b = (quaternion_from_rotation(frames[:, n]) for n in (upper - 1, upper))
    return rotation_from_quaternion(slerp(a, b, t))


def motion_from_joints(
    positions: np.ndarray,
    seen: np.ndarray | None = None,
    surface: np.ndarray | None = None,
    fps: float = 30.0,
    head: np.ndarray | None = None,
    contacts: np.ndarray | None = None,
    face: tuple[np.ndarray, np.ndarray] | None = None,
) -> BodyMotion:
    """Joint centres of a person to anatomical frames.

    positions  (F, 68, 3) metres, world space with z up, order of `core.common.landmarks.JOINT_NAMES`
    seen       (F, 68) bool; None = all. A limb none of whose own joints is ever seen is reported and rests
    surface    (F, 308, 3) keypoints on the skin, NaN = none: they turn the head; None = the head from its joints
    head       (F, 3, 3) frame of the head, if it is known already
    contacts   (F, 4) bool: left heel, left toes, right heel, right toes stand on the ground z = 0
    face       jaw and gaze of `BodyMotion`, if they are known already; None = from the surface
    """
    positions = np.asarray(positions, np.float64)
    if positions.ndim != 3 or positions.shape[1:] != (len(JOINT_NAMES), 3) or not np.isfinite(positions).all():
        raise SapiensError(f"Joints must be finite numbers of shape (frames, {len(JOINT_NAMES)}, 3), not {positions.shape}.")
    points = {name: positions[:, joint_index(name)] for name in JOINT_NAMES}
    if min(leg_length(points, side) for side in SIDES) < 0.05:
        raise SapiensError("The joints lie in one point: they show no person.", "Check the keypoints of the photo.")
    for side in SIDES:
        points[f"{side}_toe"] = (points[f"{side}_big_toe"] + points[f"{side}_small_toe"]) / 2
    frames = anatomical_frames(points, head_frames(positions, surface) if head is None else head)
    frames |= _hinged(positions, surface)
    leg = float(np.median([leg_length(points, side) for side in SIDES]))
    heights = np.linspace(0.0, 1.0, 6)
    a, b, c = (quaternion_from_rotation(frames[role]) for role in ("hips", "chest", "head"))
    spine = np.stack([rotation_from_quaternion(slerp(a, b, h**SPINE_BEND)) for h in heights], axis=1)
    neck = np.stack([rotation_from_quaternion(slerp(b, c, h)) for h in (0.0, 1.0)], axis=1)
    unseen = () if seen is None else unseen_roles(np.asarray(seen, bool))
    if face is None and surface is not None:
        face = _face(np.asarray(surface, np.float64))
    jaw, gaze = face or (None, None)
    return BodyMotion(
        frames=frames,
        spine_heights=heights,
        spine=spine,
        neck_heights=np.array([0.0, 1.0]),
        neck=neck,
        position=(points["left_hip"] + points["right_hip"]) / 2,
        leg=leg,
        ankle=ANKLE_SHARE * leg,
        fps=fps,
        contacts=contacts,
        unseen=unseen,
        jaw=jaw,
        gaze=gaze,
    )


def _face(surface: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Jaw (F,) and gaze (F, 2, 2) against the mean face; None where no frame shows a mouth and eyes."""
    if not np.isfinite(surface[:, list(FACE_POINTS)]).all(axis=(1, 2)).any():
        return None
    motion = head_motion(surface, np.ones(surface.shape[:-1]))
    return motion.jaw, motion.gaze


def _hinged(positions: np.ndarray, surface: np.ndarray | None) -> Frames:
    """Frames of arms and legs whose hinges use what only a person shows: both sides of the elbow, heels and toes."""
    sides = flexion_sides(positions, surface)
    out: Frames = {}
    for side, letter in (("left", "L"), ("right", "R")):
        for role, name, head, tail, sign in (
            ("UpperArm", "upper_arm", "shoulder", "elbow", 1),
            ("LowerArm", "forearm", "elbow", "wrist", 1),
            ("UpperLeg", "thigh", "hip", "knee", -1),
            ("LowerLeg", "shin", "knee", "ankle", -1),
        ):
            along = positions[:, joint_index(f"{side}_{tail}")] - positions[:, joint_index(f"{side}_{head}")]
            out[f"{side}{role}"] = two_axis_frame(along, sign * sides[f"{name}.{letter}"], "yz")
    return out


def has_leg(points: Mapping[str, np.ndarray], side: str) -> bool:
    """Whether hip, knee and ankle of this side are among the joints."""
    return {f"{side}_{joint}" for joint in ("hip", "knee", "ankle")} <= points.keys()


def leg_length(points: Mapping[str, np.ndarray], side: str) -> float:
    """Length of thigh and shank together, each the median over F frames, in the unit of the points (F, 3)."""
    hip, knee, ankle = (points[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
    return float(np.median(np.linalg.norm(knee - hip, axis=-1)) + np.median(np.linalg.norm(ankle - knee, axis=-1)))


def head_frames(positions: np.ndarray, surface: np.ndarray | None) -> np.ndarray:
    """(F, 3, 3) from the points of the face; where there are fewer than four, from the neck, the crown and the eyes.

    positions  (F, 68, 3) joints;  surface  (F, 308, 3) keypoints on the skin, NaN = none
    """
    up = positions[:, joint_index("head_top")] - positions[:, joint_index("head")]
    across = positions[:, joint_index("left_eye")] - positions[:, joint_index("right_eye")]
    from_joints = two_axis_frame(across, up, "xy")
    if surface is None:
        return from_joints
    surface = np.asarray(surface, np.float64)
    fit = fit_head(surface, np.ones(surface.shape[:-1]))
    # From x left, y back, z up to x left, y up, z forward.
    turned = np.stack([fit.frame[..., 0], fit.frame[..., 2], -fit.frame[..., 1]], axis=-1)
    return np.where(fit.known[:, None, None], turned, from_joints)


def unseen_roles(seen: np.ndarray) -> tuple[str, ...]:
    """Roles whose bone has an end that no frame shows. seen (F, 68) bool."""
    limbs = (
        ("UpperArm", "shoulder", "elbow"),
        ("LowerArm", "elbow", "wrist"),
        ("UpperLeg", "hip", "knee"),
        ("LowerLeg", "knee", "ankle"),
        ("Foot", "ankle", "big_toe"),
        ("Hand", "wrist", "middle_finger_third_joint"),
    )
    ever = seen.any(axis=0)
    ends: dict[str, tuple[str, str]] = {}
    for side in SIDES:
        ends |= {f"{side}{limb}": (f"{side}_{head}", f"{side}_{tail}") for limb, head, tail in limbs}
        for finger, phalanges in PHALANGES.items():
            bones = pairwise(finger_joints(side, FINGER_JOINTS[finger]))
            ends |= {f"{side}{finger}{phalanx}": bone for phalanx, bone in zip(phalanges, bones, strict=True)}
    return tuple(role for role, joints in ends.items() if not all(ever[joint_index(joint)] for joint in joints))


def motion_from_rig(rest: RestRig, bone_map: BoneMap, rotations: np.ndarray, hips: np.ndarray, fps: float) -> BodyMotion:
    """The motion of a rig whose bones carry it, such as a BVH file.

    rotations  (F, B, 3, 3) pose of each bone in armature space
    hips       (F, 3) head of the hips bone in armature space
    """
    points = rest_points(rest, bone_map)
    own = rest_frames(points)
    world, scale = unit(rest.world[:3, :3].T).T, float(np.linalg.norm(rest.world[:3, 0]))

    def turn(bone: str) -> np.ndarray:
        """(F, 3, 3) what the bone's pose adds to its rest, in armature space."""
        index = rest.index(bone)
        return rotations[:, index] @ rest.rotations[index].T

    frames = {
        role: world @ turn(bone_map.bones[role][-1 if role == "hips" else 0]) @ own[role]
        for role in own
        if role in bone_map.bones and role not in ("spine", "neck", "chest")
    }
    trunk, necks = trunk_heights(rest, bone_map)
    spine = [
        world @ turn(bone_map.bones["hips"][-1]) @ own["chest"],
        *(world @ turn(bone) @ own["chest"] for bone in bone_map.bones.get("spine", ())),
    ]
    frames["chest"] = spine[-1]
    if len(spine) == 1:
        spine, trunk = spine * 2, np.array([0.0, 1.0])
    neck = [frames["chest"], *(world @ turn(bone) @ own["head"] for bone in bone_map.bones.get("neck", ()))]
    frames.setdefault("head", neck[-1])
    neck.append(frames["head"])
    first = rest.index(bone_map.bones["hips"][0])
    middle = (points["left_hip"] + points["right_hip"])[0] / 2 - rest.heads[first]
    position = hips + turn(bone_map.bones["hips"][0]) @ middle
    leg = float(np.mean([leg_length(points, side) for side in SIDES if has_leg(points, side)]))
    ankle = min((float(points[f"{s}_ankle"][0] @ world[2]) for s in SIDES if f"{s}_ankle" in points), default=0.0)
    return BodyMotion(
        frames=frames,
        spine_heights=trunk,
        spine=np.stack(spine, axis=1),
        neck_heights=necks,
        neck=np.stack(neck, axis=1),
        position=position @ world.T * scale + rest.world[:3, 3],
        leg=leg * scale,
        ankle=(ankle - ground_height(rest, world[2])) * scale,
        fps=fps,
        forearms_turn=True,
    )
