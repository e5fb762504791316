"""A pose to an armature: the bones of Rigify's human metarig through the joints of the person, rolled to their hinges.

Rest pose = the pose in the photo (`core.rig.rest_pose` gives an A-pose or T-pose instead). Local +z of a limb bone points to the side to
which its joint bends, as in the metarig, so that bending is a turn about local x; the spine's z points to the front.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import Pose, RigData
from ..common.errors import SapiensError
from ..common.landmarks import FINGERS, finger_joints, joint_index
from ..common.rotations import perpendicular, two_axis_frame, unit
from ..pose.anatomy import chest_frame, flexion_sides, hips_frame
from .face_bones import face_bones

FINGER_BONES = {
    "thumb": "thumb", "forefinger": "f_index", "middle_finger": "f_middle", "ring_finger": "f_ring", "pinky_finger": "f_pinky",
}  # fmt: skip
SPINE_STEPS = (0.227, 0.437, 0.703)  # joints of the metarig's spine between pelvis and neck, share of its length
RESTS = ("photo", "A", "T")
MIN_BONE = 0.002  # metres: Blender deletes bones without a length


@dataclass(frozen=True)
class RigSettings:
    """What the armature has.

    fingers   bones of the fingers
    breasts   the metarig's breast bones
    face      bones of the face, where the photo shows one
    rest      pose of the armature and of the scan at rest: "photo", "A" or "T" (see `core.rig.rest_pose.rest_avatar`)
    """

    fingers: bool = True
    breasts: bool = True
    face: bool = True
    rest: str = "photo"

    def __post_init__(self) -> None:
        if self.rest not in RESTS:
            raise SapiensError(f"There is no rest pose {self.rest!r}.", f"Choose one of {', '.join(RESTS)}.")


class _Bones:
    """Collects bones in order; parents first. A row is parent, head, tail, z, connected, unseen."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.rows: list[tuple[int, np.ndarray, np.ndarray, np.ndarray, bool, bool]] = []

    def add(
        self,
        name: str,
        parent: str | None,
        head: np.ndarray,
        tail: np.ndarray,
        z: np.ndarray,
        connected: bool = False,
        seen: bool = True,
    ) -> None:
        """A bone from head to tail, (3,) metres, rolled to z (3,); lengthened to what Blender keeps if it has no length."""
        head, tail = np.asarray(head, np.float64), np.asarray(tail, np.float64)
        if np.linalg.norm(tail - head) < MIN_BONE:
            tail = head + MIN_BONE * unit(np.asarray(z, np.float64) + 1e-3)
        self.names.append(name)
        self.rows.append((self.names.index(parent) if parent else -1, head, tail, np.asarray(z, np.float64), connected, not seen))

    def head(self, name: str) -> np.ndarray:
        return self.rows[self.names.index(name)][1]

    def data(self) -> RigData:
        parents, heads, tails, z_axes, connected, unseen = (list(column) for column in zip(*self.rows, strict=True))
        return RigData(
            names=tuple(self.names),
            parents=np.array(parents, np.int32),
            heads=np.array(heads, np.float32),
            tails=np.array(tails, np.float32),
            z_axes=np.array(unit(np.array(z_axes)), np.float32),
            connected=np.array(connected),
            unseen=np.array(unseen),
        )


def make_rig(pose: Pose, settings: RigSettings | None = None) -> RigData:
    """The metarig of one person in camera space. Bones whose joints the photo does not show are marked `unseen`."""
    settings = settings or RigSettings()
    p = pose.positions.astype(np.float64)
    hips, chest = hips_frame(p), chest_frame(p)
    sides = flexion_sides(p, pose.surface.astype(np.float64))
    bones = _Bones()
    _add_spine(bones, pose, p, hips, chest)
    for side, s in (("left", "L"), ("right", "R")):
        _add_trunk_sides(bones, pose, p, hips, chest, side, s, settings)
        _add_arm(bones, pose, p, sides, side, s, settings)
        _add_leg(bones, pose, p, hips, sides, side, s)
    if settings.face and pose.is_seen("head"):
        for bone in face_bones(pose.surface):
            bones.add(bone.name, bone.parent, bone.head, bone.tail, bone.z, bone.connected, bone.seen)
    return bones.data()


def _curve(points: np.ndarray, share: float) -> np.ndarray:
    """The point at a share of the length of a polyline (n, 3)."""
    steps = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    return np.array([np.interp(share * steps[-1], steps, points[:, k]) for k in range(3)])


def _add_spine(bones: _Bones, pose: Pose, p: np.ndarray, hips: np.ndarray, chest: np.ndarray) -> None:
    at, seen = joint_index, pose.is_seen
    line = p[[at("pelvis"), at("spine"), at("chest"), at("neck")]]
    ends = [line[0], *(_curve(line, share) for share in SPINE_STEPS), line[3]]
    front = [-hips[:, 1], -hips[:, 1], -(hips[:, 1] + chest[:, 1]), -chest[:, 1]]
    trunk = seen("pelvis") and seen("neck")
    for k in range(4):
        name = "spine" if k == 0 else f"spine.{k:03d}"
        shown = seen("pelvis") if k == 0 else (seen("neck") if k == 3 else trunk)
        bones.add(name, bones.names[-1] if k else None, ends[k], ends[k + 1], front[k], k > 0, shown)
    neck, head, top = p[at("neck")], p[at("head")], p[at("head_top")]
    eyes = (p[at("left_eye")] + p[at("right_eye")]) / 2
    face = perpendicular(eyes - head, unit(top - head))
    middle = (neck + head) / 2
    bones.add("spine.004", "spine.003", neck, middle, -chest[:, 1] + unit(face), False, seen("neck"))
    bones.add("spine.005", "spine.004", middle, head, -chest[:, 1] + unit(face), True, seen("neck") and seen("head"))
    bones.add("spine.006", "spine.005", head, top, face, True, seen("head"))


def _add_trunk_sides(
    bones: _Bones, pose: Pose, p: np.ndarray, hips: np.ndarray, chest: np.ndarray, side: str, s: str, settings: RigSettings
) -> None:
    at, seen, size = joint_index, pose.is_seen, pose.stature
    sign = 1.0 if s == "L" else -1.0
    pelvis = p[at("pelvis")]
    crest = pelvis + hips @ np.array([sign * 0.056, -0.051, 0.072]) * size
    bones.add(f"pelvis.{s}", "spine", pelvis, crest, hips @ np.array([-sign * 0.73, 0.14, 0.67]), False, seen("pelvis"))
    if settings.breasts:
        base = bones.head("spine.003") + chest @ np.array([sign * 0.06, 0.02, -0.003]) * size
        bones.add(
            f"breast.{s}", "spine.003", base, base + chest @ np.array([0, -0.07, 0]) * size, chest[:, 2], False, seen("neck")
        )
    clavicle, shoulder = p[at(f"{side}_clavicle")], p[at(f"{side}_shoulder")]
    tail = clavicle + 0.86 * (shoulder - clavicle)
    bones.add(f"shoulder.{s}", "spine.003", clavicle, tail, chest[:, 2], False, seen(f"{side}_shoulder"))


def _add_arm(bones: _Bones, pose: Pose, p: np.ndarray, sides: dict, side: str, s: str, settings: RigSettings) -> None:
    seen = pose.is_seen
    shoulder, elbow, wrist = (p[joint_index(f"{side}_{n}")] for n in ("shoulder", "elbow", "wrist"))
    middle = p[joint_index(f"{side}_middle_finger_third_joint")]
    has = {n: seen(f"{side}_{n}") for n in ("shoulder", "elbow", "wrist")}
    knuckles = all(seen(f"{side}_{f}_third_joint") for f in ("forefinger", "middle_finger", "pinky_finger"))
    bones.add(
        f"upper_arm.{s}", f"shoulder.{s}", shoulder, elbow, sides[f"upper_arm.{s}"], False, has["shoulder"] and has["elbow"]
    )
    bones.add(f"forearm.{s}", f"upper_arm.{s}", elbow, wrist, sides[f"forearm.{s}"], True, has["elbow"] and has["wrist"])
    bones.add(f"hand.{s}", f"forearm.{s}", wrist, wrist + 0.6 * (middle - wrist), sides[f"hand.{s}"], True, has["wrist"])
    if not settings.fingers:
        return
    sign = 1.0 if s == "L" else -1.0
    index, pinky = (p[joint_index(f"{side}_{f}_third_joint")] for f in ("forefinger", "pinky_finger"))
    palm = sign * np.cross(pinky - wrist, index - wrist)  # out of the palm, where the fingers bend to
    for number, finger in enumerate(FINGERS[1:], 1):
        base = p[joint_index(f"{side}_{finger}_third_joint")]
        bones.add(
            f"palm.{number:02d}.{s}",
            f"hand.{s}",
            wrist + 0.35 * (base - wrist),
            base,
            palm,
            False,
            has["wrist"] and seen(f"{side}_{finger}_third_joint"),
        )
    for finger in FINGERS:
        chain = finger_joints(side, finger)
        points = [p[joint_index(n)] for n in chain]
        number = max(FINGERS.index(finger), 1)
        bend = palm
        if finger == "thumb":
            bend = np.cross(np.cross(points[2] - points[0], pinky - index), points[2] - points[0])
            bend = unit(bend) + 0.5 * unit(palm)
        parent = f"palm.{number:02d}.{s}"
        for k in range(3):
            name = f"{FINGER_BONES[finger]}.{k + 1:02d}.{s}"
            shown = seen(chain[k]) and (knuckles or seen(chain[k + 1]))
            bones.add(name, parent, points[k], points[k + 1], bend, k > 0, shown)
            parent = name


def _add_leg(bones: _Bones, pose: Pose, p: np.ndarray, hips: np.ndarray, sides: dict, side: str, s: str) -> None:
    seen, size = pose.is_seen, pose.stature
    hip, knee, ankle, heel, big, small = (
        p[joint_index(f"{side}_{n}")] for n in ("hip", "knee", "ankle", "heel", "big_toe", "small_toe")
    )
    has = {n: seen(f"{side}_{n}") for n in ("hip", "knee", "ankle", "heel", "big_toe")}
    toes = (big + small) / 2
    ball = heel + 0.68 * (toes - heel)
    frame = two_axis_frame(toes - heel, ankle - heel, "yz")  # x across, y forward, z up from the sole
    bones.add(f"thigh.{s}", "spine", hip, knee, sides[f"thigh.{s}"], False, has["hip"] and has["knee"])
    bones.add(f"shin.{s}", f"thigh.{s}", knee, ankle, sides[f"shin.{s}"], True, has["knee"] and has["ankle"])
    bones.add(f"foot.{s}", f"shin.{s}", ankle, ball, sides[f"foot.{s}"], True, has["ankle"])
    bones.add(f"toe.{s}", f"foot.{s}", ball, ball + (toes - heel) * 0.32, frame[:, 2], True, has["big_toe"])
    outward = frame[:, 0] * (1.0 if frame[:, 0] @ hips[:, 0] > 0 else -1.0) * (1.0 if s == "L" else -1.0)
    bones.add(
        f"heel.02.{s}", f"foot.{s}", heel - outward * 0.02 * size, heel + outward * 0.02 * size, frame[:, 2], False, has["heel"]
    )
