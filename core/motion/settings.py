"""How frames become motion: see `core.common.settings`."""

from __future__ import annotations

from dataclasses import dataclass

from ..common.settings import check_settings, setting


@dataclass(frozen=True)
class MotionSettings:
    """How frames become motion. smoothness: 0 = nearly as predicted (12 Hz) .. 1 = floating (2 Hz)."""

    smoothness: float = setting(0.4, "Smoothness", "0: as the model sees it; 1: floating", low=0, high=1)
    person: int = setting(
        0, "Person", "Who is meant: first who is seen longest, then the next, and so on", low=0, first=1, option="who"
    )
    lock_feet: bool = setting(
        True, "Lock Feet", "Feet that stand do not slide, on the person and on the armature", option="no-foot-lock"
    )
    steady_lengths: bool = setting(True, "Steady Lengths", "Bones keep one length through the clip", shown=False)
    undo_swaps: bool = setting(
        True, "Undo Swaps", "Left and right limbs exchanged by the network are exchanged back", shown=False
    )
    keep_place: bool = setting(
        False,
        "Keep Place",
        "The person's path is where the camera saw it, instead of starting at the origin",
        shown=False,
    )

    def __post_init__(self) -> None:
        check_settings(self)
