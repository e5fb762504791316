"""What a fit gives: who somebody is, how they stand in one photo, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..common.arrays import Pose
from ..common.wording import listed
from .evaluate import Posture, Shape
from .skeleton import BONES


@dataclass(frozen=True, eq=False)
class BodyFit:
    """A body in one photo, in its camera's space.

    shape    who it is
    posture  turns[0] takes rest axes to camera space
    face     (52,) ARKit values
    unseen   bone -> True where its place is a guess
    doubt    a sentence for the artist about what was guessed, empty where nothing was
    """

    shape: Shape
    posture: Posture
    face: np.ndarray = field(default_factory=lambda: np.zeros(52))
    unseen: Mapping[str, bool] = field(default_factory=dict)
    doubt: str = ""


def bone_joints() -> dict[str, tuple[str, ...]]:
    """Bone -> the joints that must be seen for its place to be known."""
    out: dict[str, tuple[str, ...]] = {f"spine.00{k}" if k else "spine": ("pelvis",) for k in range(4)}
    out |= {"spine.004": ("neck",), "spine.005": ("neck", "head"), "spine.006": ("head",)}
    for side, s in (("left", "L"), ("right", "R")):
        limbs = {
            "shoulder": ("shoulder",), "upper_arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist"), "hand": ("wrist",),
            "thigh": ("hip", "knee"), "shin": ("knee", "ankle"), "foot": ("ankle",), "toe": ("big_toe",),
        }  # fmt: skip
        out |= {f"{bone}.{s}": tuple(f"{side}_{joint}" for joint in joints) for bone, joints in limbs.items()}
    return out


REGIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("the head", "the head", ("spine.006",)),
    ("an upper arm", "the upper arms", ("upper_arm.L", "upper_arm.R")),
    ("a forearm", "the forearms", ("forearm.L", "forearm.R")),
    ("a hand", "the hands", ("hand.L", "hand.R")),
    ("a thigh", "the thighs", ("thigh.L", "thigh.R")),
    ("a lower leg", "the lower legs", ("shin.L", "shin.R")),
    ("a foot", "the feet", ("foot.L", "foot.R")),
)
"""Words for the artist, of one and of both sides, and the bones that they stand for."""


def guessed_bones(pose: Pose) -> dict[str, bool]:
    """Bone -> True where its place is a guess: a joint that it needs was not seen. Bones hang on their parents."""
    unsure = {bone: not all(pose.is_seen(joint) for joint in joints) for bone, joints in bone_joints().items()}
    out: dict[str, bool] = {}
    for bone, parent in BONES.items():
        out[bone] = unsure.get(bone, out.get(parent, False) if parent else False)
    return out


def guessed_sentence(unseen: Mapping[str, bool]) -> str:
    """What was guessed, in a sentence; empty where nothing was."""
    words = []
    for one, both, bones in REGIONS:
        count = sum(unseen.get(bone, False) for bone in bones)
        if count:
            words.append(one if count == 1 else both)
    if not words:
        return ""
    return f"The photo does not show {listed(words)}: what is there is a guess."
