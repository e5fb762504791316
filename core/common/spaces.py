"""The coordinate spaces of the project and the maps between them: the only file that flips a sign.

pixel           x right, y down, an integer is the centre of a pixel
camera          OpenCV: x right, y down, z forward into the scene, metres, origin at the camera (what the pointmap predicts)
blender_camera  x right, y up, z backward, metres (what the normal head predicts; a Blender camera's local axes)
world           Blender: z up, metres; a person seen from the front faces -y and has their left hand at +x
uv              x right, y up, [0, 1], (0, 0) is the lower left corner of the image (not the centre of its pixel)

A map is named target_from_source, so that adjacent names match when maps are chained:
``p_world = world_from_camera @ camera_from_blender_camera @ p``.
"""

import numpy as np

CAMERA_FROM_BLENDER_CAMERA = np.diag([1.0, -1.0, -1.0])
"""(3, 3) rotation; its own inverse."""

LEVEL_WORLD_FROM_CAMERA = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""(3, 3) rotation of a camera that is held level: (x, y, z) -> (x, z, -y)."""


WORLD_FROM_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""(3, 3) rotation from files with y up in which a person faces +z (BVH, glTF) to world."""

WORLD_FROM_UP = {
    "y": WORLD_FROM_Y_UP,
    "z": np.eye(3),
    "x": np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
}
"""Axis of a file that is up -> (3, 3) rotation to world; a person seen from the front faces +z, -y and +z in the file."""
WORLD_FROM_UP |= {f"-{axis}": np.diag([1.0, -1.0, -1.0]) @ turn for axis, turn in WORLD_FROM_UP.items()}

CAMERA_UP, CAMERA_FORWARD = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
"""(3,) camera: what is up for a camera that is held level, and where it looks."""

TO_CAMERA = np.array([0.0, 0.0, -1.0])
"""(3,) camera: from what is seen back to who sees it."""

WORLD_FRONT, WORLD_UP = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
"""(3,) world: where a person faces who is seen from the front, and what is up."""

BODY_DOWN = np.array([0.0, -1.0, 0.0])
"""(3,) in a frame of the trunk (x to the person's left, y up, z ahead): where arms and legs hang."""


def camera_from_normal_head(normals: np.ndarray) -> np.ndarray:
    """Normals (..., 3) from the axes of the normal head (blender_camera) to the camera frame."""
    return normals * np.array([1, -1, -1], dtype=normals.dtype)


def normal_head_from_camera(normals: np.ndarray) -> np.ndarray:
    """Normals (..., 3) from the camera frame to the axes of the normal head (blender_camera)."""
    return normals * np.array([1, -1, -1], dtype=normals.dtype)


def uv_from_pixel(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """(..., 2) pixel coordinates -> (..., 2) uv of the same points in an image of width x height."""
    x, y = pixels[..., 0], pixels[..., 1]
    return np.stack([(x + 0.5) / width, 1 - (y + 0.5) / height], axis=-1)


def pixel_from_uv(uv: np.ndarray, width: int, height: int) -> np.ndarray:
    """(..., 2) uv -> (..., 2) pixel coordinates in an image of width x height."""
    return np.stack([uv[..., 0] * width - 0.5, (1 - uv[..., 1]) * height - 0.5], axis=-1)


def transform_points(target_from_source: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(4, 4) affine map applied to (..., 3) points; the result has the dtype of the points."""
    matrix = np.asarray(target_from_source, np.float64)
    return (points @ matrix[:3, :3].T + matrix[:3, 3]).astype(points.dtype)


def transform_vectors(target_from_source: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Rotation part of a (4, 4) rigid map applied to (..., 3) directions; the result has the dtype of the vectors."""
    return (vectors @ np.asarray(target_from_source, np.float64)[:3, :3].T).astype(vectors.dtype)


def world_from_blender_camera(world_from_camera: np.ndarray) -> np.ndarray:
    """(4, 4) pose of the Blender camera object (``matrix_world``) from the (4, 4) rigid map world_from_camera."""
    flip = np.eye(4)
    flip[:3, :3] = CAMERA_FROM_BLENDER_CAMERA
    return np.asarray(world_from_camera, np.float64) @ flip
