"""Which bone of an armature plays which role: the roles, and the map from them to bones.

Roles are those of the VRM 1.0 humanoid (`leftUpperArm`, `rightHand`, ...), with two changes: `spine` and `neck` name the whole
chain between hips and head, bottom up, and a role may have several bones (all toes; the controls of a Rigify torso).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from ..common.landmarks import FINGERS as KEYPOINT_FINGERS
from ..common.landmarks import SIDES

FINGERS = ("Thumb", "Index", "Middle", "Ring", "Little")
FINGER_JOINTS: dict[str, str] = dict(zip(FINGERS, KEYPOINT_FINGERS, strict=True))
"""Finger of a rig -> the same finger among the keypoints (`core.common.landmarks.finger_joints`)."""
LIMBS = ("Shoulder", "UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot", "Toes")
PHALANGES = {f: ("Metacarpal", "Proximal", "Distal") if f == "Thumb" else ("Proximal", "Intermediate", "Distal") for f in FINGERS}
FINGER_ROLES = tuple(f"{side}{f}{p}" for side in SIDES for f in FINGERS for p in PHALANGES[f])
TRUNK_ROLES = ("root", "hips", "spine", "neck", "head", "jaw", "leftEye", "rightEye")
ROLES = (*TRUNK_ROLES, *(f"{side}{limb}" for side in SIDES for limb in LIMBS), *FINGER_ROLES)
REQUIRED = (
    "hips",
    "head",
    *(f"{s}{limb}" for s in SIDES for limb in ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")),
)

_PARENT = {"neck": "spine", "head": "neck", "jaw": "head", "leftEye": "head", "rightEye": "head", "spine": "hips", "hips": "root"}
for _side in SIDES:
    _PARENT |= {f"{_side}Shoulder": "spine", f"{_side}UpperLeg": "hips"}
    for _chain in (("Shoulder", "UpperArm", "LowerArm", "Hand"), ("UpperLeg", "LowerLeg", "Foot", "Toes")):
        _PARENT |= {f"{_side}{limb}": f"{_side}{parent}" for parent, limb in pairwise(_chain)}
    for _finger in FINGERS:
        _chain = ("Hand", *(_finger + phalanx for phalanx in PHALANGES[_finger]))
        _PARENT |= {f"{_side}{bone}": f"{_side}{parent}" for parent, bone in pairwise(_chain)}


@dataclass(frozen=True)
class BoneMap:
    """Which bones play which role in one armature.

    family    id of the table, "structure" or "custom"
    title     for people
    bones     role -> bone names; `spine` and `neck` bottom up; the first bone of `hips` carries the location, or what it is
               connected to
    twist     limb role -> bones that share its twist, from its start to its end
    switches  (bone, custom property, value) that make the armature listen to these bones, as IK to FK
    controls  the bones are animation controls: they do not deform, and their parents are not the bones of the parent roles
    notes     sentences for the artist: what was not found
    confidence  0..1: share of the required roles that were found; a name that only fits without what exporters add counts 0.9,
                a role found by structure 0.6
    """

    family: str
    title: str
    bones: dict[str, tuple[str, ...]]
    twist: dict[str, tuple[str, ...]] = field(default_factory=dict)
    switches: tuple[tuple[str, str, float], ...] = ()
    controls: bool = False
    notes: tuple[str, ...] = ()
    confidence: float = 1.0

    def first(self, role: str) -> str | None:
        """The (lowest) bone of a role, None if the armature has none."""
        found = self.bones.get(role, ())
        return found[0] if found else None

    def parent_role(self, role: str) -> str | None:
        """The nearest role above that has a bone."""
        parent = _PARENT.get(role)
        while parent is not None and not self.bones.get(parent):
            parent = _PARENT.get(parent)
        return parent

    @property
    def summary(self) -> str:
        """What was recognised, and how well, in a few words: "Mixamo, 100 % sure"."""
        return f"{self.title}, {self.confidence:.0%} sure".replace("%", " %")

    @property
    def missing(self) -> tuple[str, ...]:
        """Required roles without a bone."""
        return tuple(role for role in REQUIRED if not self.bones.get(role))
