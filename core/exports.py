"""Files that need no Blender: the scan as PLY (mesh or point cloud) and the matched camera as JSON. Nothing is re-centred."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .data import Avatar, Camera, MeshData
from .errors import SapiensError
from .files import atomic_write
from .frames import pixel_from_uv, transform_points, transform_vectors, world_from_blender_camera


def write_ply(path: str | Path, avatar: Avatar, *, cloud: bool = False) -> Path:
    """The scan in world space (z up, metres) with normals and the base colour at its vertices, binary little-endian PLY.

    cloud  leave the faces out

    Colours are sRGB bytes, as every viewer of PLY takes them. Raises SapiensError if the file cannot be written.
    """
    mesh = avatar.mesh
    points = transform_points(avatar.world_from_camera, np.ascontiguousarray(mesh.vertices, np.float32))
    normals = transform_vectors(avatar.world_from_camera, np.ascontiguousarray(mesh.normals, np.float32))
    vertex = np.empty(len(points), [(name, "<f4") for name in ("x", "y", "z", "nx", "ny", "nz")] + [(c, "u1") for c in _COLOURS])
    for name, values in zip(("x", "y", "z", "nx", "ny", "nz"), np.concatenate([points, normals], axis=1).T, strict=True):
        vertex[name] = values
    for name, values in zip(_COLOURS, vertex_colours(mesh, avatar.textures.base_colour_srgb).T, strict=True):
        vertex[name] = values
    header = ["ply", "format binary_little_endian 1.0", "comment metres, z up", f"element vertex {len(vertex)}"]
    header += [f"property {'uchar' if name in _COLOURS else 'float'} {name}" for name in vertex.dtype.names or ()]
    if not cloud:
        header += [f"element face {len(mesh.faces)}", "property list uchar int vertex_indices"]
    path = Path(path)
    with atomic_write(path) as file:
        file.write(("\n".join([*header, "end_header"]) + "\n").encode("ascii"))
        file.write(vertex.tobytes())
        if not cloud:
            face = np.empty(len(mesh.faces), [("count", "u1"), ("index", "<i4", 3)])
            face["count"], face["index"] = 3, mesh.faces
            file.write(face.tobytes())
    return path


_COLOURS = ("red", "green", "blue")


def vertex_colours(mesh: MeshData, image: np.ndarray) -> np.ndarray:
    """(V, 3) uint8: the texel of a (H, W, 3) uint8 image that each vertex lies on."""
    height, width = image.shape[:2]
    x, y = np.rint(pixel_from_uv(mesh.uvs.astype(np.float64), width, height)).astype(np.int64).T
    return image[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]


def camera_document(camera: Camera, world_from_camera: np.ndarray) -> dict:
    """The matched camera in words that other programs understand: pinhole, pixels, OpenCV axes, and Blender's own numbers.

    world_from_camera  (4, 4) rigid
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
        "axes": "x right, y down, z forward; world z up, metres",
        "world_from_camera": pose.tolist(),
        "blender": {
            "matrix_world": world_from_blender_camera(pose).tolist(),
            "sensor_fit": "HORIZONTAL",
            "sensor_width": 36.0,
            "lens": 36.0 * camera.fx / camera.width,
            "shift_x": (camera.width / 2 - (camera.cx + 0.5)) / camera.width,
            "shift_y": ((camera.cy + 0.5) - camera.height / 2) * (camera.fx / camera.fy) / camera.width,
        },
    }


def write_camera_json(path: str | Path, camera: Camera, world_from_camera: np.ndarray) -> Path:
    """`camera_document` as a JSON file. Raises SapiensError if it cannot be written."""
    path = Path(path)
    with atomic_write(path) as file:
        file.write((json.dumps(camera_document(camera, world_from_camera), indent=1) + "\n").encode("utf-8"))
    return path
