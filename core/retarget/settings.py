"""How a motion is put on a rig: see `core.common.settings`."""

from __future__ import annotations

from dataclasses import dataclass

from ..common.settings import Choice, check_settings, setting

HIPS = (
    Choice("move", "Travel", "Along the person's path, scaled by leg length"),
    Choice("height", "Up and Down", "On the spot"),
    Choice("none", "Stay", "Only rotations are written"),
)
ORIGINS = (
    Choice("rig", "Rig", "The first frame stands where the rig stands"),
    Choice("person", "Person", "The motion is where the person stands in the world"),
)


@dataclass(frozen=True)
class RetargetSettings:
    """How a motion is put on a rig.

    spine, hands, head  write these parts
    lock_feet           of `core.motion.settings.MotionSettings`, where people choose it; it counts where the hips travel
    """

    hips: str = setting("move", "Hips", "How far the armature follows the person through the room", choices=HIPS)
    origin: str = setting("rig", "Origin", "Where the motion begins", choices=ORIGINS, shown=False)
    spine: bool = setting(True, "Spine", "Pose the spine", shown=False)
    hands: bool = setting(True, "Hands", "Pose the hands", shown=False)
    head: bool = setting(True, "Head", "Pose the head", shown=False)
    face_gain: float = setting(
        1.0,
        "Face",
        "How far the jaw opens and the eyes turn, where the armature has bones for them; 0 leaves them alone",
        low=0,
        high=5,
        slider=2,
    )
    forearm_twist: float = setting(
        0.5,
        "Forearm Twist",
        "Share of the turn of the hand that the forearm takes, so that the wrist does not wring",
        low=0,
        high=1,
        shown=False,
    )
    lock_feet: bool = setting(
        True, "Lock Feet", "Feet that stand in the motion stand on the rig too, where its hips travel", shown=False
    )

    def __post_init__(self) -> None:
        check_settings(self)
