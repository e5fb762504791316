"""Kinds of surface: which body parts they cover, and how they answer light beside what the textures say.

Starting values for an artist, and the same values for taking the light out of a photo (`core.texture.delight`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.landmarks import part_labels, part_names


@dataclass(frozen=True)
class Material:
    """One kind of surface. Metallic is 0 for all of them.

    parts              names of body parts (data/seg29.json)
    piece              the object that its faces go to when the scan is separated by part
    roughness          of the Principled BSDF
    ior                index of refraction; the reflectance facing the camera is ((ior - 1) / (ior + 1))^2
    subsurface         weight of light that wanders under the surface
    subsurface_radius  how far red, green and blue wander, in units of subsurface_scale
    subsurface_scale   metres
    sheen              weight of fibres that stand off the surface
    soft_edge          the mask is the opacity
    """

    name: str
    parts: tuple[str, ...]
    piece: str
    roughness: float
    ior: float = 1.5
    subsurface: float = 0.0
    subsurface_radius: tuple[float, float, float] = (1.0, 0.35, 0.2)
    subsurface_scale: float = 0.005
    sheen: float = 0.0
    soft_edge: bool = False


def _both(*parts: str) -> tuple[str, ...]:
    return tuple(f"{side}_{part}" for side in ("Left", "Right") for part in parts)


MATERIALS = (
    Material("Skin", ("Face_Neck", "Torso", *_both("Foot", "Hand", "Lower_Arm", "Lower_Leg", "Upper_Arm", "Upper_Leg")), "Skin",
             roughness=0.45, ior=1.4, subsurface=0.15),
    Material("Lips", ("Lower_Lip", "Upper_Lip", "Tongue"), "Skin", roughness=0.3, ior=1.4, subsurface=0.15),
    Material("Teeth", ("Lower_Teeth", "Upper_Teeth"), "Skin", roughness=0.2, ior=1.6, subsurface=0.1),
    Material("Hair", ("Hair",), "Hair", roughness=0.5, ior=1.55, soft_edge=True),
    Material("Upper Clothing", ("Upper_Clothing",), "Upper Clothing", roughness=0.8, sheen=0.2),
    Material("Lower Clothing", ("Lower_Clothing",), "Lower Clothing", roughness=0.8, sheen=0.2),
    Material("Socks", _both("Sock"), "Shoes", roughness=0.85, sheen=0.2),
    Material("Shoes", _both("Shoe"), "Shoes", roughness=0.5),
    Material("Accessories", ("Apparel",), "Accessories", roughness=0.7),
    Material("Glasses", ("Eyeglass",), "Accessories", roughness=0.2),
)  # fmt: skip


@cache
def material_of_label() -> np.ndarray:
    """(29,) uint8: index into MATERIALS of each body part; the background counts as accessories, the most neutral of them."""
    names = [material.name for material in MATERIALS]
    table = np.full(len(part_names()), names.index("Accessories"), np.uint8)
    for index, material in enumerate(MATERIALS):
        table[part_labels(*material.parts)] = index
    return table


@cache
def roughness_of_label() -> np.ndarray:
    """(29,) float32 roughness of each body part."""
    return np.array([material.roughness for material in MATERIALS], np.float32)[material_of_label()]


def material_named(name: str) -> Material | None:
    """The row of MATERIALS of this name, None for another name."""
    return next((material for material in MATERIALS if material.name == name), None)


def parts_of(name: str) -> tuple[str, ...]:
    """The body parts of a material."""
    return next(material.parts for material in MATERIALS if material.name == name)
