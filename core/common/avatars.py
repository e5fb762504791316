"""What a photo becomes: a body, its clothes and hair with their textures, and all that `scene` writes for one person.

Letters as in `core.common.arrays`: H W height and width of an image · V vertices · F faces · K shape keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .arrays import Camera, MeshData, PartData, RigData, SkinWeights, Textures, check_arrays


@dataclass(frozen=True, eq=False)
class SurfaceTextures:
    """Images on a surface by its own uvs, first row at v = 1. Normals and roughness, which no photo has as fine, may have fewer
    texels.

    base_colour_srgb  (H, W, 3) uint8, without the light of the photo where that could be taken out
    normal_tangent    (h, w, 3) uint16 of what the mesh cannot carry, as in `Textures`; None = nothing
    roughness         (h, w) uint8, linear, 255 = fully rough; None = one value everywhere
    seen              (H, W) bool: what a photo shows; the rest is a guess
    """

    base_colour_srgb: np.ndarray
    seen: np.ndarray
    normal_tangent: np.ndarray | None = None
    roughness: np.ndarray | None = None

    def __post_init__(self):
        check_arrays(
            "SurfaceTextures",
            base_colour_srgb=(self.base_colour_srgb, ("H", "W", 3), "u"),
            seen=(self.seen, ("H", "W"), "b"),
            normal_tangent=(self.normal_tangent, (None, None, 3), "u"),
            roughness=(self.roughness, (None, None), "u"),
        )


@dataclass(frozen=True, eq=False)
class BodyData:
    """A person's body on the template's mesh: closed, in quads, in the rest pose of its rig, in camera space.

    vertices      (V, 3) float32 metres
    quads         (F, 4) int32   counter-clockwise from outside
    part          (F,) uint8     row of `part_names`
    part_names    skin, eyes, lashes, teeth, tongue, irises, pupils: each has a material of its own
    uvs           (F, 4, 2) float32  of the corners, no two of one part overlap
    weights       how it follows the rig, at most 4 bones a vertex
    key_names     shape keys: the 52 ARKit shapes and the visemes
    key_entries   (m, 2) int32   a key and a vertex that it moves, ordered by key
    key_offsets   (m, 3) float32 metres, by how much
    key_values    (K,) float32   0..1, the expression in the photo
    covered       (V,) bool      skin that clothes cover in the photo; None = not known
    bust          (V,) float32   0..1, of which a bust keeps what is above 0.5; None = the whole body is wanted
    shape         (S,) float32   who it is, as `core.body.evaluate.Shape` counts; None = not known
    textures      of the skin; their base colour is also that of the eyes (`looks.PAINTED`). None = one plain tone for each part
    tones         part -> (3,) uint8 sRGB of parts whose colour the photo shows (irises …); {} = the usual ones
    """

    vertices: np.ndarray
    quads: np.ndarray
    part: np.ndarray
    part_names: tuple[str, ...]
    uvs: np.ndarray
    weights: SkinWeights
    key_names: tuple[str, ...]
    key_entries: np.ndarray
    key_offsets: np.ndarray
    key_values: np.ndarray
    covered: np.ndarray | None = None
    bust: np.ndarray | None = None
    shape: np.ndarray | None = None
    textures: SurfaceTextures | None = None
    tones: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        check_arrays(
            "BodyData",
            vertices=(self.vertices, ("V", 3), "f"),
            quads=(self.quads, ("F", 4), "i"),
            part=(self.part, ("F",), "u"),
            uvs=(self.uvs, ("F", 4, 2), "f"),
            key_entries=(self.key_entries, ("m", 2), "i"),
            key_offsets=(self.key_offsets, ("m", 3), "f"),
            key_values=(self.key_values, ("K",), "f"),
            covered=(self.covered, ("V",), "b"),
            bust=(self.bust, ("V",), "f"),
            shape=(self.shape, (None,), "f"),
        )
        if len(self.key_names) != len(self.key_values):
            raise ValueError(f"BodyData has {len(self.key_names)} names for {len(self.key_values)} keys.")


GARMENT_KINDS = ("hair", "upper", "lower", "dress", "shoes", "socks", "headwear", "eyewear", "other")
"""What a garment can be, hair among them."""


@dataclass(frozen=True, eq=False)
class GarmentData:
    """One piece of clothing, or the hair, closed round the body, in the same pose and space as its `BodyData`.

    kind      one of GARMENT_KINDS
    vertices  (V, 3) float32 metres
    quads     (F, 4) int32   counter-clockwise from outside
    uvs       (F, 4, 2) float32  of the corners, no two overlap
    weights   how it follows the rig of the body, at most 4 bones a vertex
    labels    (n,) uint8     body parts of 29 classes that show it in a photo
    tone      (3,) uint8     sRGB: its colour where there are no textures
    inside    (F,) bool      faces that line it: seen only where one looks in
    textures  None = not made
    bust      (V,) float32   as in `BodyData`
    """

    kind: str
    vertices: np.ndarray
    quads: np.ndarray
    uvs: np.ndarray
    weights: SkinWeights
    labels: np.ndarray
    tone: np.ndarray
    inside: np.ndarray
    textures: SurfaceTextures | None = None
    bust: np.ndarray | None = None

    def __post_init__(self):
        if self.kind not in GARMENT_KINDS:
            raise ValueError(f"{self.kind} is no kind of garment.")
        check_arrays(
            "GarmentData",
            vertices=(self.vertices, ("V", 3), "f"),
            quads=(self.quads, ("F", 4), "i"),
            uvs=(self.uvs, ("F", 4, 2), "f"),
            labels=(self.labels, (None,), "u"),
            tone=(self.tone, (3,), "u"),
            inside=(self.inside, ("F",), "b"),
            bust=(self.bust, ("V",), "f"),
        )


@dataclass(frozen=True, eq=False)
class Avatar:
    """All that `scene` writes for one person.

    name               of the photo
    camera             the matched camera
    world_from_camera  (4, 4) float64 rigid: where the camera stands in the world
    mesh, textures     the scan; None where only the body was asked for
    rig, weights       the skeleton and how the scan follows it; None without keypoints
    image              (H, W, 3) uint8 sRGB: the photo, background image of the camera
    notes              sentences for the artist: what disagreed, what was filled in
    parts              body parts on the mesh; None = `scene` finds them itself
    pixels             how many of the photo's pixels show the person
    body               the person's body, which follows the rig too; None where only the scan was asked for, or nothing was fitted
    garments           clothes and hair on that body
    focal_lengths      every focal length that was considered: source -> pixels
    encoded            image files (N,) uint8, PNG or EXR, of "image" and of the textures by their names; {} = not encoded yet
    """

    name: str
    camera: Camera
    world_from_camera: np.ndarray
    mesh: MeshData | None
    textures: Textures | None
    image: np.ndarray
    rig: RigData | None = None
    weights: SkinWeights | None = None
    notes: tuple[str, ...] = ()
    parts: PartData | None = None
    focal_lengths: Mapping[str, float] = field(default_factory=dict)
    encoded: Mapping[str, np.ndarray] = field(default_factory=dict)
    pixels: int = 0
    body: BodyData | None = None
    garments: tuple[GarmentData, ...] = ()

    def __post_init__(self):
        if (self.mesh is None) != (self.textures is None):
            raise ValueError("Avatar needs both mesh and textures of a scan, or neither.")
        if self.mesh is None and self.body is None:
            raise ValueError("Avatar has neither a scan nor a body.")
