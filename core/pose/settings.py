"""The settings of the lift from keypoints to joints: see `core.common.settings`."""

from __future__ import annotations

from dataclasses import dataclass

from ..common.settings import check_settings, setting

DOUBT = (0.5, 0.68)


@dataclass(frozen=True)
class PoseSettings:
    """How joints are found."""

    min_score: float = setting(0.2, "Lowest Score", "Keypoints that score less are not used", low=0, high=1, shown=False)
    doubt: tuple[float, float] = setting(
        DOUBT,
        "Doubt",
        "Scores (low, high): below low a keypoint counts as covered, so that the surface over it is not its own; above high as "
        "seen. Between them its depth counts less. Both shrink where all scores are low",
        shown=False,
    )
    keypoint_px: float = setting(
        2.5,
        "Error of Keypoints",
        "Standard deviation of a good keypoint, pixels at a person height of 1000 pixels",
        low=1e-3,
        unit="pixels",
        shown=False,
    )
    depth_m: float = setting(
        0.012, "Error of Depth", "Standard deviation of the depth of a body joint", low=1e-6, unit="m", shown=False
    )
    hand_depth_m: float = setting(
        0.012, "Error of Depth at Hands", "Standard deviation of the depth of a finger joint", low=1e-6, unit="m", shown=False
    )
    radius_scale: float = setting(
        1.0, "Limb Radius", "Factor on the limb radii; above 1 for bulky clothing", low=0.1, high=10, shown=False
    )
    iterations: int = setting(3, "Iterations", "Steps of the refinement at each of its levels; 0: none", low=0, shown=False)

    def __post_init__(self) -> None:
        check_settings(self)
