"""A pose to an armature: the bones of Rigify's human metarig through the joints of the person, rolled to their hinges.

Rest pose = the pose in the photo (`core.rig.rest_pose` gives an A-pose or T-pose instead). Local +z of a limb bone points to the
side to which its joint bends, as in the metarig, so that bending is a turn about local x; the spine's z points to the front.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import Pose, RigData
from ..common.landmarks import FINGERS, SIDES, finger_joints, joint_index
from ..common.rotations import perpendicular, two_axis_frame, unit
from ..pose.anatomy import chest_frame, flexion_sides, hips_frame
from .bone_list import Bone, BoneList
from .face_bones import face_bones
from .settings import RigSettings

FINGER_BONES = {
    "thumb": "thumb", "forefinger": "f_index", "middle_finger": "f_middle", "ring_finger": "f_ring", "pinky_finger": "f_pinky",
}  # fmt: skip
SPINE_STEPS = (0.227, 0.437, 0.703)  # joints of the metarig's spine between pelvis and neck, share of its length


@dataclass(frozen=True, eq=False)
class _Person:
    """A pose and what bones are rolled to.

    joints       (68, 3) float64
    hips, chest  (3, 3) frames
    sides        limb bone -> (3,) the side to which its outer joint bends (`core.pose.anatomy.flexion_sides`)
    """

    pose: Pose
    joints: np.ndarray
    hips: np.ndarray
    chest: np.ndarray
    sides: dict[str, np.ndarray]

    def at(self, name: str) -> np.ndarray:
        """(3,) metres."""
        return self.joints[joint_index(name)]

    def seen(self, *names: str) -> bool:
        """Whether the photo shows all these joints."""
        return all(self.pose.is_seen(name) for name in names)


def make_rig(pose: Pose, settings: RigSettings | None = None) -> RigData:
    """The metarig of one person in camera space. Bones whose joints the photo does not show are marked `unseen`."""
    settings = settings or RigSettings()
    joints = pose.positions.astype(np.float64)
    sides = flexion_sides(joints, pose.surface.astype(np.float64))
    person = _Person(pose, joints, hips_frame(joints), chest_frame(joints), sides)
    bones = BoneList()
    _add_spine(bones, person)
    for side in SIDES:
        _add_trunk_side(bones, person, side, settings)
        _add_arm(bones, person, side, settings)
        _add_leg(bones, person, side)
    if settings.face and person.seen("head"):
        for bone in face_bones(pose.surface):
            bones.add(bone)
    return bones.data()


def _curve(points: np.ndarray, share: float) -> np.ndarray:
    """The point at a share of the length of a polyline (n, 3)."""
    steps = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    return np.array([np.interp(share * steps[-1], steps, points[:, k]) for k in range(3)])


def _add_spine(bones: BoneList, person: _Person) -> None:
    at, seen, hips, chest = person.at, person.seen, person.hips, person.chest
    line = np.stack([at("pelvis"), at("spine"), at("chest"), at("neck")])
    ends = [line[0], *(_curve(line, share) for share in SPINE_STEPS), line[3]]
    front = [-hips[:, 1], -hips[:, 1], -(hips[:, 1] + chest[:, 1]), -chest[:, 1]]
    shown = [seen("pelvis"), seen("pelvis", "neck"), seen("pelvis", "neck"), seen("neck")]
    names = ("spine", "spine.001", "spine.002", "spine.003")
    for k, name in enumerate(names):
        bones.add(Bone(name, names[k - 1] if k else None, ends[k], ends[k + 1], front[k], k > 0, shown[k]))
    neck, head, top = at("neck"), at("head"), at("head_top")
    eyes = (at("left_eye") + at("right_eye")) / 2
    face = perpendicular(eyes - head, unit(top - head))
    middle = (neck + head) / 2
    bones.add(Bone("spine.004", "spine.003", neck, middle, -chest[:, 1] + unit(face), False, seen("neck")))
    bones.add(Bone("spine.005", "spine.004", middle, head, -chest[:, 1] + unit(face), True, seen("neck", "head")))
    bones.add(Bone("spine.006", "spine.005", head, top, face, True, seen("head")))


def _add_trunk_side(bones: BoneList, person: _Person, side: str, settings: RigSettings) -> None:
    s, sign, size = _letter(side), _sign(side), person.pose.stature
    hips, chest, pelvis = person.hips, person.chest, person.at("pelvis")
    crest = pelvis + hips @ np.array([sign * 0.056, -0.051, 0.072]) * size
    up = hips @ np.array([-sign * 0.73, 0.14, 0.67])
    bones.add(Bone(f"pelvis.{s}", "spine", pelvis, crest, up, False, person.seen("pelvis")))
    if settings.breasts:
        base = bones.head("spine.003") + chest @ np.array([sign * 0.06, 0.02, -0.003]) * size
        end = base + chest @ np.array([0, -0.07, 0]) * size
        bones.add(Bone(f"breast.{s}", "spine.003", base, end, chest[:, 2], False, person.seen("neck")))
    clavicle, shoulder = person.at(f"{side}_clavicle"), person.at(f"{side}_shoulder")
    tail = clavicle + 0.86 * (shoulder - clavicle)
    bones.add(Bone(f"shoulder.{s}", "spine.003", clavicle, tail, chest[:, 2], False, person.seen(f"{side}_shoulder")))


def _letter(side: str) -> str:
    """How the metarig's names end on this side."""
    return side[0].upper()


def _sign(side: str) -> float:
    """Of x in body axes."""
    return 1.0 if side == "left" else -1.0


def _add_arm(bones: BoneList, person: _Person, side: str, settings: RigSettings) -> None:
    s, sides = _letter(side), person.sides
    joints = [f"{side}_{n}" for n in ("shoulder", "elbow", "wrist")]
    shoulder, elbow, wrist = (person.at(n) for n in joints)
    middle = person.at(f"{side}_middle_finger_third_joint")
    upper, fore, hand = f"upper_arm.{s}", f"forearm.{s}", f"hand.{s}"
    bones.add(Bone(upper, f"shoulder.{s}", shoulder, elbow, sides[upper], False, person.seen(*joints[:2])))
    bones.add(Bone(fore, upper, elbow, wrist, sides[fore], True, person.seen(*joints[1:])))
    bones.add(Bone(hand, fore, wrist, wrist + 0.6 * (middle - wrist), sides[hand], True, person.seen(joints[2])))
    if settings.fingers:
        _add_hand(bones, person, side)


def _add_hand(bones: BoneList, person: _Person, side: str) -> None:
    s, wrist = _letter(side), person.at(f"{side}_wrist")
    index, pinky = (person.at(f"{side}_{f}_third_joint") for f in ("forefinger", "pinky_finger"))
    palm = _sign(side) * np.cross(pinky - wrist, index - wrist)  # out of the palm, where the fingers bend to
    for number, finger in enumerate(FINGERS[1:], 1):
        knuckle = f"{side}_{finger}_third_joint"
        base, shown = person.at(knuckle), person.seen(f"{side}_wrist", knuckle)
        bones.add(Bone(f"palm.{number:02d}.{s}", f"hand.{s}", wrist + 0.35 * (base - wrist), base, palm, False, shown))
    knuckles = person.seen(*(f"{side}_{f}_third_joint" for f in ("forefinger", "middle_finger", "pinky_finger")))
    for finger in FINGERS:
        chain = finger_joints(side, finger)
        points = [person.at(n) for n in chain]
        number = max(FINGERS.index(finger), 1)
        bend = palm
        if finger == "thumb":
            bend = np.cross(np.cross(points[2] - points[0], pinky - index), points[2] - points[0])
            bend = unit(bend) + 0.5 * unit(palm)
        parent = f"palm.{number:02d}.{s}"
        for k in range(3):
            name = f"{FINGER_BONES[finger]}.{k + 1:02d}.{s}"
            shown = person.seen(chain[k]) and (knuckles or person.seen(chain[k + 1]))
            bones.add(Bone(name, parent, points[k], points[k + 1], bend, k > 0, shown))
            parent = name


def _add_leg(bones: BoneList, person: _Person, side: str) -> None:
    s, sides, size = _letter(side), person.sides, person.pose.stature
    joints = [f"{side}_{n}" for n in ("hip", "knee", "ankle", "heel", "big_toe", "small_toe")]
    hip, knee, ankle, heel, big, small = (person.at(n) for n in joints)
    toes = (big + small) / 2
    ball = heel + 0.68 * (toes - heel)
    frame = two_axis_frame(toes - heel, ankle - heel, "yz")  # x across, y forward, z up from the sole
    thigh, shin, foot = f"thigh.{s}", f"shin.{s}", f"foot.{s}"
    bones.add(Bone(thigh, "spine", hip, knee, sides[thigh], False, person.seen(*joints[:2])))
    bones.add(Bone(shin, thigh, knee, ankle, sides[shin], True, person.seen(*joints[1:3])))
    bones.add(Bone(foot, shin, ankle, ball, sides[foot], True, person.seen(joints[2])))
    bones.add(Bone(f"toe.{s}", foot, ball, ball + (toes - heel) * 0.32, frame[:, 2], True, person.seen(joints[4])))
    outward = frame[:, 0] * (1.0 if frame[:, 0] @ person.hips[:, 0] > 0 else -1.0) * _sign(side)
    inner, outer = heel - outward * 0.02 * size, heel + outward * 0.02 * size
    bones.add(Bone(f"heel.02.{s}", foot, inner, outer, frame[:, 2], False, person.seen(joints[3])))
