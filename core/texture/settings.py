"""The settings of textures: see `core.common.settings`."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..common.settings import Choice, check_settings, setting

COLOURS = (
    Choice("auto", "Best Available", "Albedo where the model has it, else the photo without its light, else the photo"),
    Choice("albedo", "Albedo", "The base color that the model sees"),
    Choice("delighted", "Delighted Photo", "The photo with its light taken out by means of the normals"),
    Choice("photo", "Photo", "The photo as it is"),
)
BAKES = (
    Choice(0, "Photo", "The photo's own projection: exact, and nothing is resampled"),
    *(
        Choice(side, f"Atlas, {side}", f"Unfolded without overlap, more texels for face and hands, {side} x {side}")
        for side in (1024, 2048, 4096)
    ),
)
"""What the sidebar offers; the side of an atlas may be any within the range."""


@dataclass(frozen=True)
class DelightSettings:
    """How the light is taken out of the photo."""

    strength: float = setting(
        0.8,
        "Strength",
        "Share of the smooth differences inside of a material that count as light; 0: only what the model explains",
        low=0,
        high=1,
        shown=False,
    )
    directions: int = setting(48, "Directions", "Directions of the light sphere", low=1, shown=False)
    cells: int = setting(5000, "Cells", "Cells on which the light is fitted", low=1, shown=False)
    rounds: int = setting(2, "Rounds", "Rounds of fitting light and materials in turn", low=0, shown=False)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class TextureSettings:
    """How textures are made. delight: how the light is taken out of the photo."""

    colour: str = setting("auto", "Base Color", "What the color texture is made of", choices=COLOURS)
    gutter: int = setting(
        0,
        "Gutter",
        "Texels of the nearest part's color around the person; 0: by size of the texture",
        low=0,
        unit="texels",
        shown=False,
    )
    normal_map: bool = setting(
        True, "Normal Map", "Make a tangent-space normal map where the mesh is coarser than the photo", shown=False
    )
    displacement: bool = setting(
        False,
        "Displacement Map",
        "Also make a 32-bit map of the distance in meters from the mesh to the surface that the model saw, for coarse meshes",
    )
    bake: int = setting(
        0,
        "Texture Layout",
        "Where the textures lie: 0 in the photo's own projection, else in an atlas with this side",
        low=64,
        high=8192,
        unit="texels",
        choices=BAKES,
        unset=0,
    )
    delight: DelightSettings = field(default_factory=DelightSettings)

    def __post_init__(self) -> None:
        check_settings(self)


SIZES = tuple(Choice(side, f"{side // 1024}K", f"{side} x {side}") for side in (1024, 2048, 4096))
"""What the sidebar offers for a mesh of the artist; the side may be any within the range."""


@dataclass(frozen=True)
class MeshTextureSettings:
    """How a mesh of the artist gets its texture."""

    size: int = setting(2048, "Size", "Side of the texture", low=64, high=8192, unit="texels", choices=SIZES)
    symmetry: bool = setting(
        False, "Symmetry", "What no photo shows takes the colors of the mesh's other side, left and right of its own middle"
    )
    new_uvs: bool = setting(
        False, "New UV Map", "Unfold the mesh without overlap into a new UV map; else the one that renders is used"
    )

    def __post_init__(self) -> None:
        check_settings(self)
