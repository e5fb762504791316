"""Files that need no Blender: the scan as PLY (mesh or point cloud) and the matched camera as JSON. Nothing is re-centred."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..capture.camera import blender_lens
from ..common.arrays import Camera
from ..common.atomic_files import atomic_write
from ..common.avatars import Avatar
from ..common.errors import SapiensError
from ..common.spaces import pixel_from_uv, transform_points, transform_vectors, world_from_blender_camera

_COLOURS = ("red", "green", "blue")


def write_ply(path: str | Path, avatar: Avatar, *, cloud: bool = False) -> Path:
    """The scan in world space (z up, metres) with normals and the base colour at its vertices; see `write_ply_arrays`.

    cloud  leave the faces out
    Raises SapiensError where there is no scan.
    """
    mesh = avatar.mesh
    if mesh is None or avatar.textures is None:
        raise SapiensError(f"{avatar.name} has no scan to write.", "Make the scan too: --make both.")
    points = transform_points(avatar.world_from_camera, np.ascontiguousarray(mesh.vertices, np.float32))
    normals = transform_vectors(avatar.world_from_camera, np.ascontiguousarray(mesh.normals, np.float32))
    uvs = mesh.uvs
    if avatar.textures.layout == "atlas" and mesh.atlas is not None:
        uvs = np.zeros_like(mesh.uvs)
        uvs[mesh.faces] = mesh.atlas
    colours = image_at(uvs, avatar.textures.base_colour_srgb)
    return write_ply_arrays(path, points, normals, colours, None if cloud else mesh.polygons)


def write_ply_arrays(
    path: str | Path, points: np.ndarray, normals: np.ndarray, colours: np.ndarray, polygons: np.ndarray | None = None
) -> Path:
    """A binary little-endian PLY file of a mesh, or of a cloud where there are no polygons.

    points, normals (V, 3) float32; colours (V, 3) uint8 sRGB, as every viewer of PLY takes them; polygons (F, 3) or (F, 4) int.
    Raises SapiensError if the file cannot be written.
    """
    vertex = np.empty(len(points), [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")] + [(c, "u1") for c in _COLOURS])
    for name, values in zip(("x", "y", "z", "nx", "ny", "nz"), np.concatenate([points, normals], axis=1).T, strict=True):
        vertex[name] = values
    for name, values in zip(_COLOURS, colours.T, strict=True):
        vertex[name] = values
    header = ["ply", "format binary_little_endian 1.0", "comment metres, z up", f"element vertex {len(vertex)}"]
    header += [f"property {'uchar' if name in _COLOURS else 'float'} {name}" for name in vertex.dtype.names or ()]
    if polygons is not None:
        header += [f"element face {len(polygons)}", "property list uchar int vertex_indices"]
    path = Path(path)
    with atomic_write(path) as file:
        file.write(("\n".join([*header, "end_header"]) + "\n").encode("ascii"))
        file.write(vertex.tobytes())
        if polygons is not None:
            corners = polygons.shape[1]
            face = np.empty(len(polygons), [("count", "u1"), ("index", "<i4", corners)])
            face["count"], face["index"] = corners, polygons
            file.write(face.tobytes())
    return path


def image_at(uvs: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(V, C): the texel of a (H, W, C) image that each of (V, 2) texture coordinates lies on."""
    height, width = image.shape[:2]
    x, y = np.rint(pixel_from_uv(uvs.astype(np.float64), width, height)).astype(np.int64).T
    return image[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]


def camera_document(camera: Camera, world_from_camera: np.ndarray, focal_lengths: Mapping[str, float] | None = None) -> dict:
    """The matched camera in words that other programs understand: pinhole, pixels, OpenCV axes, and Blender's own numbers.

    world_from_camera  (4, 4) rigid
    focal_lengths      source -> pixels: those that were considered
    """
    pose = np.asarray(world_from_camera, np.float64)
    if pose.shape != (4, 4) or not np.isfinite(pose).all():
        raise SapiensError("The pose of the camera is not a finite 4 x 4 matrix.", "Build the scan again.")
    return {
        "format": "sapiens2-camera",
        "version": "1",
        "width": camera.width,
        "height": camera.height,
        "fx": camera.fx,
        "fy": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        "pixel_centres": "integers",
        "focal_from": camera.source,
        "focal_lengths": dict(focal_lengths or {}),
        "axes": "x right, y down, z forward; world z up, metres",
        "world_from_camera": pose.tolist(),
        "blender": {"matrix_world": world_from_blender_camera(pose).tolist(), **blender_lens(camera)},
    }


def write_camera_json(
    path: str | Path, camera: Camera, world_from_camera: np.ndarray, focal_lengths: Mapping[str, float] | None = None
) -> Path:
    """`camera_document` as a JSON file. Raises SapiensError if it cannot be written."""
    path = Path(path)
    with atomic_write(path) as file:
        file.write((json.dumps(camera_document(camera, world_from_camera, focal_lengths), indent=1) + "\n").encode("utf-8"))
    return path
