"""Which frames of a clip are looked at: see `core.common.settings`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..common.settings import check_settings, setting


@dataclass(frozen=True)
class ClipSettings:
    """The frames of a clip. fps: None = the video's, 25 for a folder; end: infinite = where the clip ends."""

    fps: float | None = setting(
        None,
        "Frame Rate",
        "Frames per second of a folder of pictures; a video knows its own",
        kind=float,
        low=0.01,
        high=10_000,
        unit="frames per second",
        typical=25.0,
    )
    start: float = setting(0.0, "Start", "Seconds of the clip that are left out at the beginning", low=0, unit="s")
    end: float = setting(
        math.inf, "End", "Where to stop, in seconds of the clip; unless it is said, at its end", low=0, unit="s", unset=math.inf
    )

    def __post_init__(self) -> None:
        check_settings(self)
