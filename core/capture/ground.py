"""Where the camera stands in the world: what is up, where the floor is, and where the person stands on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import Pose
from ..common.landmarks import SIDES
from ..common.spaces import CAMERA_FORWARD, CAMERA_UP, LEVEL_WORLD_FROM_CAMERA

PITCH, ROLL = 12.0, 3.0
"""Degrees (standard deviation) by which people tilt a camera up or down, and to the side."""

LEAN_FORWARD, LEAN_SIDE = 8.0, 6.0
"""Degrees by which a standing person's line from ankles to head leaves the plumb line."""

SEATED = 0.65
"""A hip lower than this share of the straight leg's height above the ankle: the person does not stand."""

RAISED = 0.75
"""Cosine of the angle between thigh and trunk from which on the person sits or raises the leg."""

LEANING = 37.0
"""Degrees by which an upper body may lean from the photo's upright and still stand."""

SOLE = 0.1
"""Percent of the points of a surface that may lie below its floor: specks, not soles."""


@dataclass(frozen=True, eq=False)
class Placement:
    """world_from_camera (4, 4) float64 rigid, and what there is to say about how it was found."""

    world_from_camera: np.ndarray
    notes: tuple[str, ...] = ()


def place(pose: Pose | None, points: np.ndarray, keep_camera_frame: bool = False) -> Placement:
    """Stand the person on z = 0 below the origin, with the camera looking along +y.

    pose               joints in camera space; None = only what `points` say
    points             (N, 3) of the person's surface, camera space, metres
    keep_camera_frame  leave the camera level at the origin
    Up is a compromise between a camera held level and a body that stands upright, each believed as far as people keep to it;
    a body that sits or lies, or whose legs are not seen, says nothing. The floor lies under the lowest points; a portrait
    whose feet are not seen stands as high as the person's estimated stature puts the head.
    """
    matrix = np.eye(4)
    matrix[:3, :3] = LEVEL_WORLD_FROM_CAMERA
    if keep_camera_frame:
        return Placement(matrix, ("The world is the camera's own frame: the person does not stand on the ground.",))
    points = np.asarray(points, np.float64)
    points = points[np.isfinite(points).all(1)]
    notes: list[str] = []
    up = CAMERA_UP
    why = "" if pose is None else _why_no_upright(pose)
    if pose is not None and not why:
        up = _upright(pose)
    forward = CAMERA_FORWARD - (CAMERA_FORWARD @ up) * up
    forward /= np.linalg.norm(forward)
    matrix[:3, :3] = np.stack([np.cross(forward, up), forward, up])
    if not len(points):
        return Placement(matrix, ("Nothing to stand on the ground.",))
    placed = points @ matrix[:3, :3].T
    floor, note = _floor(pose, placed, matrix[:3, :3])
    if why:
        notes.append(f"{why}: the camera is taken to be level.")
    if note:
        notes.append(note)
    low, high = np.percentile(placed[:, :2], [1, 99], axis=0)
    middle = (low + high) / 2
    if pose is not None:
        middle = (matrix[:3, :3] @ pose["pelvis"].astype(np.float64))[:2]
    matrix[:3, 3] = -middle[0], -middle[1], -floor
    return Placement(matrix, tuple(notes))


def _why_no_upright(pose: Pose) -> str:
    """Why the body cannot say what is up, as it was measured; "" where one leg that was seen is straight and below the trunk.

    A hip may be under clothes: the other one, or the trunk, says where it is.
    """
    trunk = _direction(pose["neck"] - pose["pelvis"])
    hips = any(pose.is_seen(f"{side}_hip") for side in SIDES)
    seen = [side for side in SIDES if hips and pose.is_seen(f"{side}_knee") and pose.is_seen(f"{side}_ankle")]
    if not seen:
        return "No leg was seen from hip to ankle"
    lean = float(np.degrees(np.arccos(np.clip(-trunk[1], -1.0, 1.0))))
    if lean > LEANING:
        return f"The upper body leans by {lean:.0f}° from the upright of the photo"
    for side in seen:
        hip, knee, ankle = (pose[f"{side}_{joint}"].astype(np.float64) for joint in ("hip", "knee", "ankle"))
        length = np.linalg.norm(hip - knee) + np.linalg.norm(knee - ankle)
        if length > 0 and (ankle - hip) @ -trunk > SEATED * length and _direction(hip - knee) @ trunk > RAISED:
            return ""
    return "Both legs are bent" if len(seen) == 2 else "The leg that was seen is bent"


def _upright(pose: Pose) -> np.ndarray:
    """(3,) unit: up in camera space, between the camera's and the body's.

    In small angles both are measurements of the same two tilts, so they are averaged by their variances.
    """
    feet = (pose["left_ankle"] + pose["right_ankle"]).astype(np.float64) / 2
    body = _direction(pose["head"].astype(np.float64) - feet)
    pitch, roll = np.arctan2(body[2], -body[1]), np.arctan2(body[0], -body[1])
    pitch *= PITCH**2 / (PITCH**2 + LEAN_FORWARD**2)
    roll *= ROLL**2 / (ROLL**2 + LEAN_SIDE**2)
    return _direction(np.array([np.tan(roll), -1.0, np.tan(pitch)]))


def _floor(pose: Pose | None, placed: np.ndarray, rotation: np.ndarray) -> tuple[float, str]:
    """Height of the floor below points in a world that is level, and a note."""
    lowest = float(np.percentile(placed[:, 2], SOLE))
    if pose is None:
        return lowest, "Without a pose the lowest point of the scan stands on the ground."
    feet = [n for n in pose.names if n.endswith(("_heel", "_big_toe", "_small_toe", "_ankle")) and pose.is_seen(n)]
    if feet:
        # Toes and heels hang at most a sole above the lowest point of the surface; a dress or a chair may reach lower.
        height = min(float(rotation[2] @ pose[n].astype(np.float64)) for n in feet)
        return float(np.clip(lowest, height - 0.12, height)), ""
    top = float(placed[:, 2].max())
    head = float(rotation[2] @ pose["head_top"].astype(np.float64))
    if pose.stature > 0 and pose.is_seen("head") and abs(head - top) < 0.35:
        return (
            head - pose.stature,
            f"The feet were not seen: the head is put at the estimated stature of {pose.stature:.2f} m.",
        )
    return lowest, "The feet were not seen: the lowest point of the scan stands on the ground."


def _direction(vector: np.ndarray) -> np.ndarray:
    """(3,) unit, camera space; up where joints that fall together give none (`core.common.rotations.unit` leaves it zero)."""
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else CAMERA_UP
