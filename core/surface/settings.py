"""The settings of a scan: see `core.common.settings`."""

from __future__ import annotations

from dataclasses import dataclass

from ..common.settings import Choice, check_settings, setting

RESOLUTIONS = (
    Choice("full", "Full", "A vertex for every pixel that the model saw"),
    Choice("half", "Half", "A vertex for every second pixel of that, four times fewer faces"),
    Choice("photo", "Photo", "A vertex for every pixel of the photo, however large it is"),
)


@dataclass(frozen=True)
class ScanSettings:
    """How the surface is made."""

    detail: float = setting(0.5, "Detail", "0: the shape of the depth map alone; 1: the normal map leads", low=0, high=1)
    resolution: str | int = setting("full", "Resolution", "How fine the mesh is", low=4, unit="triangles", choices=RESOLUTIONS)
    min_component: int = setting(
        200, "Smallest Piece", "Pieces with fewer triangles are dropped, at the network's resolution", low=0, shown=False
    )
    alpha_threshold: float = setting(
        0.5, "Opacity", "Opacity from which a pixel belongs to the person", low=0, high=1, shown=False
    )
    hair_threshold: float = setting(
        0.25, "Opacity of Hair", "Opacity from which a pixel of hair belongs to the person", low=0, high=1, shown=False
    )
    smooth_outline: bool = setting(True, "Smooth Outline", "Smooth the stairs of the silhouette and of tears", shown=False)
    quads: bool = setting(True, "Quads", "Quads instead of triangles; a face count gives triangles")

    def __post_init__(self) -> None:
        check_settings(self)
