"""The arrays that travel between stages. Each class says shapes, types, units and spaces, and checks them when it is made.

Letters: H W image height and width · V vertices · F faces · P people · K keypoints (308) · J joints · B bones.
Everything that has a position is in the ``camera`` space of `core.common.spaces` until `scene` writes it into Blender.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .rotations import two_axis_frame


def check_arrays(owner: str, **arrays: tuple) -> None:
    """Check that every (array, shape, kinds of dtype) fits; arrays may be None.

    In a shape a letter must mean one size throughout, and None fits every size.
    Raises ValueError: between stages a wrong array is a bug of the product and keeps its traceback. Where arrays come from
    outside, as in `core.common.predictions`, the caller makes it a SapiensError.
    """
    sizes: dict[str, int] = {}
    for name, (array, shape, kind) in arrays.items():
        if array is None:
            continue
        if not isinstance(array, np.ndarray) or array.ndim != len(shape) or array.dtype.kind not in kind:
            found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ValueError(f"{owner}.{name} must be an array ({', '.join(map(str, shape))}) of kind {kind!r}, not {found}.")
        for wanted, size in zip(shape, array.shape, strict=True):
            expected = sizes.setdefault(wanted, size) if isinstance(wanted, str) else wanted
            if expected is not None and size != expected:
                raise ValueError(f"{owner}.{name} has shape {array.shape}, expected {wanted} = {expected}.")


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion.

    width, height   pixels of the image
    fx, fy          focal lengths, pixels
    cx, cy          principal point, pixels (integer = pixel centre)
    source          where the focal length comes from: "given", "typed", "scale head", "pointmap", "exif", "assumed"
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    source: str = "given"

    @classmethod
    def from_matrix(cls, intrinsics: np.ndarray, width: int, height: int, source: str = "given") -> Camera:
        k = np.asarray(intrinsics, np.float64)
        return cls(width, height, float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2]), source)

    @property
    def matrix(self) -> np.ndarray:
        """(3, 3) float64: fx 0 cx; 0 fy cy; 0 0 1."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])

    def rays(self, pixels: np.ndarray | None = None) -> np.ndarray:
        """Points at depth 1 seen at (..., 2) pixels -> (..., 3) float32; without pixels, of every pixel: (H, W, 3)."""
        if pixels is None:
            x = ((np.arange(self.width) - self.cx) / self.fx).astype(np.float32)
            y = ((np.arange(self.height) - self.cy) / self.fy).astype(np.float32)
            out = np.ones((self.height, self.width, 3), np.float32)
            out[..., 0], out[..., 1] = x[None, :], y[:, None]
            return out
        x, y = (pixels[..., 0] - self.cx) / self.fx, (pixels[..., 1] - self.cy) / self.fy
        return np.stack([x, y, np.ones_like(x)], axis=-1).astype(np.float32)

    def project(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) camera space -> (..., 2) pixels."""
        z = points[..., 2]
        return np.stack([points[..., 0] / z * self.fx + self.cx, points[..., 1] / z * self.fy + self.cy], axis=-1)

    def resized(self, width: int, height: int) -> Camera:
        """The same camera for the image resampled to width x height (half-pixel centres)."""
        sx, sy = width / self.width, height / self.height
        return Camera(
            width, height, self.fx * sx, self.fy * sy, (self.cx + 0.5) * sx - 0.5, (self.cy + 0.5) * sy - 0.5, self.source
        )


@dataclass(frozen=True, eq=False)
class MeshData:
    """Triangle mesh in camera space, the surface that the camera sees.

    vertices  (V, 3) float32  metres
    faces     (F, 3) int32    counter-clockwise seen from the camera
    uvs       (V, 2) float32  uv of the photo's projection
    normals   (V, 3) float32  unit, point to the camera
    labels    (V,) uint8      body part (29 classes)
    atlas     (F, 3, 2) float32  uv 1: of the corners of the faces in an atlas without overlap; None = not made
    quads     faces 2k and 2k + 1 are one quad: corners 0, 1, 2 of the first and corner 2 of the second, which is split from
              corner 0 to corner 2 (`polygons`)
    """

    vertices: np.ndarray
    faces: np.ndarray
    uvs: np.ndarray
    normals: np.ndarray
    labels: np.ndarray
    atlas: np.ndarray | None = None
    quads: bool = False

    def __post_init__(self):
        check_arrays(
            "MeshData",
            vertices=(self.vertices, ("V", 3), "f"),
            faces=(self.faces, ("F", 3), "i"),
            uvs=(self.uvs, ("V", 2), "f"),
            normals=(self.normals, ("V", 3), "f"),
            labels=(self.labels, ("V",), "u"),
            atlas=(self.atlas, ("F", 3, 2), "f"),
        )
        if self.quads and len(self.faces) % 2:
            raise ValueError(f"MeshData of quads has an odd number of faces, {len(self.faces)}.")

    @property
    def polygons(self) -> np.ndarray:
        """(F, 3) faces, or (F / 2, 4) int32 quads where the faces are halves of quads."""
        return self.of_polygon_corners(self.faces)

    def of_polygon_corners(self, corners: np.ndarray) -> np.ndarray:
        """Values (F, 3, ...) at the corners of the faces -> those at the corners of the polygons."""
        if not self.quads:
            return corners
        return np.concatenate([corners[::2], corners[1::2, 2:]], axis=1)

    def of_polygons(self, values: np.ndarray) -> np.ndarray:
        """Values (F, ...) of faces -> those of the polygons; of a quad the value of its first half."""
        return values[::2] if self.quads else values


@dataclass(frozen=True, eq=False)
class PartData:
    """Body parts on a mesh, as `core.surface.body_parts.make_parts` finds them.

    face_label     (F,) uint8   the part of each face
    face_material  (F,) uint8   index into `core.surface.materials.MATERIALS`
    vertex         (N,) int32   soft vertex groups: a vertex,
    label          (N,) uint8   a part of it, in rising order,
    weight         (N,) float32 and how far it belongs to that part; those of a vertex add up to 1
    """

    face_label: np.ndarray
    face_material: np.ndarray
    vertex: np.ndarray
    label: np.ndarray
    weight: np.ndarray

    def __post_init__(self):
        check_arrays(
            "PartData",
            face_label=(self.face_label, ("F",), "u"),
            face_material=(self.face_material, ("F",), "u"),
            vertex=(self.vertex, ("N",), "i"),
            label=(self.label, ("N",), "u"),
            weight=(self.weight, ("N",), "f"),
        )


@dataclass(frozen=True, eq=False)
class Textures:
    """Images on the scan, top row first: in the photo's projection (uv 0), or in the atlas (uv 1) where they were baked.

    base_colour_srgb  (h, w, 3) uint8 sRGB
    colour_source     "albedo", "delighted" or "photo"
    normal_tangent    (h, w, 3) uint16, 32768 = 0, MikkTSpace frame of the mesh, +y up; None = no detail beyond the mesh
    roughness         (h, w) uint8, linear; None = one value per part
    mask              (h, w) uint8, opacity of the person
    displacement      (h, w) float32, metres along the normal from the mesh to the surface of the maps; None = not asked for
    layout            "photo" = uv 0, "atlas" = uv 1
    """

    base_colour_srgb: np.ndarray
    colour_source: str
    mask: np.ndarray
    normal_tangent: np.ndarray | None = None
    roughness: np.ndarray | None = None
    displacement: np.ndarray | None = None
    layout: str = "photo"

    def __post_init__(self):
        check_arrays(
            "Textures",
            base_colour_srgb=(self.base_colour_srgb, ("h", "w", 3), "u"),
            mask=(self.mask, (None, None), "u"),
            normal_tangent=(self.normal_tangent, (None, None, 3), "u"),
            roughness=(self.roughness, (None, None), "u"),
            displacement=(self.displacement, (None, None), "f"),
        )


@dataclass(frozen=True, eq=False)
class Pose:
    """Joint centres of one person in camera space.

    names       J joint names: those of the body, hand and foot keypoints, and pelvis, spine, chest, neck, head, head_top,
                left_clavicle, right_clavicle (see `core.common.landmarks.JOINT_NAMES`)
    positions   (J, 3) float32 metres; every joint has a finite position, seen or filled
    confidence  (J,) float32 0..1; 0 = filled from lengths, symmetry and priors alone
    seen        (J,) bool; False = the joint was occluded or outside the photo and its position is a guess
    surface     (308, 3) float32 metres; the keypoints on the skin, NaN = none
    stature     estimated height of the person, metres
    doubt       a sentence for the artist where the network was unsure of many joints, empty where it was not
    """

    names: tuple[str, ...]
    positions: np.ndarray
    confidence: np.ndarray
    seen: np.ndarray
    surface: np.ndarray
    stature: float
    doubt: str = ""

    def __post_init__(self):
        check_arrays(
            "Pose",
            positions=(self.positions, ("J", 3), "f"),
            confidence=(self.confidence, ("J",), "f"),
            seen=(self.seen, ("J",), "b"),
            surface=(self.surface, (308, 3), "f"),
        )
        if len(self.names) != len(self.positions):
            raise ValueError(f"Pose has {len(self.names)} names for {len(self.positions)} positions.")

    def __getitem__(self, name: str) -> np.ndarray:
        """(3,) position of the named joint."""
        return self.positions[self.names.index(name)]

    def is_seen(self, name: str) -> bool:
        return bool(self.seen[self.names.index(name)])


@dataclass(frozen=True, eq=False)
class RigData:
    """An armature at rest in camera space, parents before children. Names are those of Rigify's human metarig.

    names      B bone names
    parents    (B,) int32   index of the parent, -1 = none
    heads      (B, 3) float32 metres
    tails      (B, 3) float32 metres
    z_axes     (B, 3) float32  the direction that the bone's local +z is rolled to (need not be perpendicular to the bone)
    connected  (B,) bool    the head sits on the parent's tail
    unseen     (B,) bool    the bone was placed by lengths and priors, not by what the photo shows
    photo_from_rest  (B, 4, 4) float64 rigid: moves each bone from its rest to the photo; None = the rest is the photo
    doubt      a sentence for the artist where the network was unsure of many joints, empty where it was not
    """

    names: tuple[str, ...]
    parents: np.ndarray
    heads: np.ndarray
    tails: np.ndarray
    z_axes: np.ndarray
    connected: np.ndarray
    unseen: np.ndarray
    photo_from_rest: np.ndarray | None = None
    doubt: str = ""

    def __post_init__(self):
        check_arrays(
            "RigData",
            parents=(self.parents, ("B",), "i"),
            heads=(self.heads, ("B", 3), "f"),
            tails=(self.tails, ("B", 3), "f"),
            z_axes=(self.z_axes, ("B", 3), "f"),
            connected=(self.connected, ("B",), "b"),
            unseen=(self.unseen, ("B",), "b"),
            photo_from_rest=(self.photo_from_rest, ("B", 4, 4), "f"),
        )

    def axes(self) -> np.ndarray:
        """(B, 3, 3) float64 rest axes of the bones, as Blender rolls them: y along the bone, z in the half plane of z_axes."""
        return two_axis_frame((self.tails - self.heads).astype(np.float64), self.z_axes.astype(np.float64), "yz")


@dataclass(frozen=True, eq=False)
class SkinWeights:
    """Linear blend skinning of a mesh by a rig.

    bones    (V, N) int32    indices into RigData.names, N <= 8; no bone twice with a weight
    weights  (V, N) float32  >= 0, each row sums to 1
    """

    bones: np.ndarray
    weights: np.ndarray

    def __post_init__(self):
        check_arrays("SkinWeights", bones=(self.bones, ("V", "N"), "i"), weights=(self.weights, ("V", "N"), "f"))

    def share_of(self, bones: np.ndarray) -> np.ndarray:
        """(V,) float32: how far each vertex follows the bones that are chosen by (B,) bool."""
        return (self.weights * bones[self.bones]).sum(axis=1)
