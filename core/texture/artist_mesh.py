"""A mesh of the artist that is to get the photo as its texture, and what comes of it: arrays, and their files for the worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ..common.arrays import Camera, check_arrays
from ..common.avatars import SurfaceTextures
from ..common.containers import Format, fitting, read_container, write_container
from ..common.errors import SapiensError
from ..common.spaces import pixel_from_uv
from .rasterise import halves, rasterise

FILE = Format("sapiens2-mesh", 1, "a mesh", "Start again from the mesh in Blender.")
PAINTED_FILE = Format("sapiens2-mesh-texture", 1, "the texture of a mesh", "Start again from the mesh in Blender.")
TEST_SIZE = 1024
"""Texels of the square in which overlaps are looked for."""
OVERLAP = 0.01
"""Share of the texels in use that may belong to two faces: seams touch, stacked charts cover much more."""
BEYOND = 1e-3
"""How far texture coordinates may be out of the unit square."""


@dataclass(frozen=True, eq=False)
class ArtistMesh:
    """A mesh as it stands in the scene.

    name    of the object
    points  (V, 3) float32 world, metres, as modifiers and pose leave them
    local   (V, 3) float32 in the object's own space, where the mesh is symmetric if it is
    quads   (F, 4) int32 counter-clockwise from outside; a triangle repeats its last corner
    uvs     (F, 4, 2) float32 of the corners; None = it has no uv map
    camera, world_from_camera  of the photo, (4, 4) float64 rigid; None = not known in the scene
    """

    name: str
    points: np.ndarray
    local: np.ndarray
    quads: np.ndarray
    uvs: np.ndarray | None = None
    camera: Camera | None = None
    world_from_camera: np.ndarray | None = None

    def __post_init__(self):
        check_arrays(
            "ArtistMesh",
            points=(self.points, ("V", 3), "f"),
            local=(self.local, ("V", 3), "f"),
            quads=(self.quads, ("F", 4), "i"),
            uvs=(self.uvs, ("F", 4, 2), "f"),
            world_from_camera=(self.world_from_camera, (4, 4), "f"),
        )

    def save(self, path: str | Path) -> Path:
        """Write to `path`, whole or not at all."""
        arrays = {"points": self.points, "local": self.local, "quads": self.quads}
        arrays |= {} if self.uvs is None else {"uvs": self.uvs}
        strings = {"name": self.name}
        if self.camera is not None and self.world_from_camera is not None:
            arrays["world_from_camera"] = self.world_from_camera
            strings["camera"] = json.dumps(asdict(self.camera))
        return write_container(path, FILE, arrays, strings)

    @classmethod
    def load(cls, path: str | Path) -> ArtistMesh:
        """Read what `save` wrote. Raises SapiensError for any other file."""
        read = read_container(path, FILE)
        with fitting(path, FILE):
            camera = read.strings.get("camera")
            return cls(
                name=read.strings["name"],
                points=read.arrays["points"],
                local=read.arrays["local"],
                quads=read.arrays["quads"],
                uvs=read.arrays.get("uvs"),
                camera=None if camera is None else Camera(**json.loads(camera)),
                world_from_camera=read.arrays.get("world_from_camera"),
            )


@dataclass(frozen=True, eq=False)
class MeshTexture:
    """The textures of a mesh of the artist.

    textures  by `uvs` where there are some, else by those that the mesh has
    uvs       (F, 4, 2) float32 of the corners of `ArtistMesh.quads`, new ones; None = the mesh keeps its own
    notes     sentences about how it was made
    encoded   image files (n,) uint8 that were made already, by the names in `SurfaceTextures`
    """

    textures: SurfaceTextures
    uvs: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    encoded: Mapping[str, np.ndarray] = field(default_factory=dict)

    def save(self, path: str | Path) -> Path:
        """Write to `path`, whole or not at all."""
        made = self.textures
        arrays = {"base_colour_srgb": made.base_colour_srgb, "seen": made.seen}
        more = {"normal_tangent": made.normal_tangent, "roughness": made.roughness, "uvs": self.uvs}
        arrays |= {name: values for name, values in more.items() if values is not None}
        arrays |= {f"encoded.{name}": values for name, values in self.encoded.items()}
        return write_container(path, PAINTED_FILE, arrays, {"notes": json.dumps(self.notes)})

    @classmethod
    def load(cls, path: str | Path) -> MeshTexture:
        """Read what `save` wrote. Raises SapiensError for any other file."""
        read = read_container(path, PAINTED_FILE)
        with fitting(path, PAINTED_FILE):
            made = SurfaceTextures(
                read.arrays["base_colour_srgb"],
                read.arrays["seen"],
                read.arrays.get("normal_tangent"),
                read.arrays.get("roughness"),
            )
            files = {key.removeprefix("encoded."): values for key, values in read.arrays.items() if key.startswith("encoded.")}
            return cls(made, read.arrays.get("uvs"), tuple(json.loads(read.strings["notes"])), files)


def check_uvs(mesh: ArtistMesh) -> None:
    """Raise SapiensError unless the mesh has texture coordinates in the unit square, each place of which belongs to one face."""
    again = "Unwrap the mesh again, or have a new UV map made (New UV Map, --new-uvs)."
    if mesh.uvs is None:
        raise SapiensError(f"{mesh.name} has no UV map.", "Unwrap the mesh, or have a UV map made (New UV Map, --new-uvs).")
    if not np.isfinite(mesh.uvs).all() or mesh.uvs.min() < -BEYOND or mesh.uvs.max() > 1 + BEYOND:
        raise SapiensError(f"The UV map of {mesh.name} leaves the square from 0 to 1, and a texture is one square.", again)
    share = overlapping(mesh.uvs)
    if share > OVERLAP:
        raise SapiensError(f"{share:.0%} of the UV map of {mesh.name} overlaps, so that two places would share one color.", again)


def overlapping(uvs: np.ndarray) -> float:
    """Share of the texels in use, in a square of TEST_SIZE, that belong to two faces or more. uvs: (F, 4, 2) of the corners."""
    middle = uvs.mean(axis=1, keepdims=True)
    corners = halves((uvs - middle) * 0.9 + middle)  # neighbours do not touch
    pixels = pixel_from_uv(corners.astype(np.float64), TEST_SIZE, TEST_SIZE).astype(np.float32)
    forth, _ = rasterise(pixels, TEST_SIZE, TEST_SIZE)
    back, _ = rasterise(pixels[::-1], TEST_SIZE, TEST_SIZE)
    back = np.where(back >= 0, len(corners) - 1 - back, -1)
    used = forth >= 0
    # A texel on the diagonal of a quad belongs to both halves of it.
    return float(np.count_nonzero(used & (forth // 2 != back // 2)) / max(np.count_nonzero(used), 1))
