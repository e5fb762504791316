"""What the surfaces of an avatar look like where no texture says it: one table for the materials and for baked textures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .colour import SKIN_TONE


@dataclass(frozen=True)
class Look:
    """sRGB, roughness, and how far light comes out beside where it went in (metres)."""

    colour: tuple[int, int, int]
    roughness: float
    subsurface: float = 0.0


JOINED = "person"
"""The one part of a body that is joined with its clothes and hair."""
BODY_LOOKS: Mapping[str, Look] = {
    "skin": Look(SKIN_TONE, 0.5, 0.004),
    "eyes": Look((232, 228, 222), 0.15),
    "irises": Look((96, 68, 46), 0.12),
    "pupils": Look((12, 10, 10), 0.1),
    "lashes": Look((28, 20, 16), 0.6),
    "teeth": Look((228, 220, 204), 0.25),
    "tongue": Look((186, 96, 92), 0.4),
    JOINED: Look(SKIN_TONE, 0.6),
}
"""Part of the body -> its look."""
PAINTED = ("skin", "eyes", "irises", "pupils")
"""Parts of a body whose colour is in its texture, where it has one."""
CLOTH = 0.8
"""Roughness of garments of a kind without an entry."""
GARMENT_ROUGHNESS: Mapping[str, float] = {"hair": 0.45, "shoes": 0.5, "eyewear": 0.2}
"""Kind of garment -> roughness."""
