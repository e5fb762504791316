"""The settings of a rig and of its skin weights: see `core.common.settings`."""

from __future__ import annotations

from dataclasses import dataclass

from ..common.settings import Choice, check_settings, setting

RESTS = (
    Choice("auto", "Automatic", "A-pose with an avatar, the pose in the photo with a scan alone"),
    Choice("photo", "As in Photo", "The rest pose is the pose in the photo"),
    Choice("A", "A-Pose", "Arms 45 degrees down; the pose in the photo is kept as an action"),
    Choice("T", "T-Pose", "Arms straight to the sides; the pose in the photo is kept as an action"),
)


@dataclass(frozen=True)
class RigSettings:
    """What the armature has. rest: see `core.rig.rest_pose.rest_avatar` for a scan alone, `core.body.rest` for an avatar."""

    fingers: bool = setting(True, "Fingers", "Bones of the fingers", shown=False)
    breasts: bool = setting(True, "Breasts", "The metarig's breast bones", shown=False)
    face: bool = setting(True, "Face", "Bones of the face, where the photo shows one", shown=False)
    rest: str = setting("auto", "Rest Pose", "The pose of the skeleton and what follows it at rest", choices=RESTS)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class SkinSettings:
    """How the skin follows the bones."""

    influences: int = setting(4, "Influences", "Most bones per vertex", low=1, high=8, shown=False)
    sharpness: float = setting(
        3.0,
        "Sharpness",
        "How fast a bone's influence falls off with distance; higher: stiffer limbs, sharper joints",
        low=0,
        shown=False,
    )
    blend: float = setting(
        0.06,
        "Blend",
        "How far regions blend into each other along the surface, share of the trunk's length",
        low=0,
        high=1,
        shown=False,
    )

    def __post_init__(self) -> None:
        check_settings(self)
