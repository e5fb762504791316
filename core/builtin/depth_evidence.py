"""How far from the camera the joints of a body are: the body's network knows metres from the middle of the hips."""

from __future__ import annotations

import numpy as np

from ..common.arrays import Camera
from ..common.landmarks import SIDES, joint_index, keypoint_index
from ..landmarks.body import INDEX, Body
from ..pose.anatomy import template_joints
from ..pose.anthropometry import DEFAULT_STATURE
from ..pose.initial_guess import MEAN_RADIUS

LIMBS = tuple(f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in SIDES)
"""Joints whose depth the network knows well enough to tell limbs that point to the camera from those that point away."""
HEAD = ("nose", "left_ear", "right_ear")
"""Points on the skin, which tell where a head looks whose face is not seen."""
LENGTHS = (("elbow", "shoulder"), ("wrist", "elbow"), ("knee", "hip"), ("ankle", "knee"), ("shoulder", "hip"))
"""Joints of a side between which a person's size is measured."""
LEAST_SCORE = 0.3
"""Joints of a lower score are guesses, and so is their depth."""
FEWEST = 4
"""Joints without which the distance of a body cannot be told."""
DISC = 0.012
"""Radius of the piece of surface over a joint, in extents of the body."""


def joint_depths(body: Body, keypoints: np.ndarray, camera: Camera) -> np.ndarray | None:
    """(H, W, 3) float32 metres: a piece of surface over each joint that is seen, 0 elsewhere; None where too few are seen.

    keypoints  (308, 3) x, y, score
    """
    import cv2

    names = (*LIMBS, *HEAD)
    at = np.array([keypoint_index(name) for name in names])
    world = body.world[[INDEX[name] for name in names]] * _growth(body)
    good = (keypoints[at, 2] >= LEAST_SCORE) & np.isfinite(keypoints[at]).all(axis=1)
    if good.sum() < FEWEST:
        return None
    rays = camera.rays(keypoints[at, :2].astype(np.float64)).astype(np.float64)
    centre = _translation(world[good], rays[good], keypoints[at, 2][good])
    if centre is None:
        return None
    depth = world[:, 2] + centre[2]
    depth[: len(LIMBS)] -= MEAN_RADIUS[[joint_index(name) for name in LIMBS]] * DEFAULT_STATURE
    extent = float(np.ptp(keypoints[at[good], :2], axis=0).max())
    disc = max(2, round(DISC * extent))
    surface = np.zeros((camera.height, camera.width), np.float32)
    for k in np.argsort(-depth, kind="stable"):  # the nearer ones over the others
        if good[k] and depth[k] > 0:
            place = np.round(np.clip(keypoints[at[k], :2], -20000, 20000)).astype(int).tolist()
            cv2.circle(surface, place, disc, float(depth[k]), -1)
    return camera.rays() * surface[..., None]


def _growth(body: Body) -> float:
    """How much larger a person of mean stature is than the network's metres say: it makes everybody small."""
    mean = template_joints() * DEFAULT_STATURE
    said = usual = 0.0
    for side in SIDES:
        for end, start in LENGTHS:
            said += float(np.linalg.norm(body.world[INDEX[f"{side}_{end}"]] - body.world[INDEX[f"{side}_{start}"]]))
            usual += float(np.linalg.norm(mean[joint_index(f"{side}_{end}")] - mean[joint_index(f"{side}_{start}")]))
    return float(np.clip(usual / max(said, 1e-6), 1.0, 1.5))


def _translation(world: np.ndarray, rays: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
    """(3,) metres that bring points (n, 3) nearest to rays (n, 3) through the camera, least squares in the image; None where
    they are then not in front of it."""
    # x + tx = u (z + tz), and the same for y: linear in the translation.
    matrix = np.zeros((len(rays), 2, 3))
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1
    matrix[:, :, 2] = -rays[:, :2]
    matrix = matrix.reshape(-1, 3) * np.repeat(weight, 2)[:, None]
    right = (rays[:, :2] * world[:, 2:] - world[:, :2]).reshape(-1) * np.repeat(weight, 2)
    found = np.linalg.lstsq(matrix, right, rcond=None)[0]
    return found if found[2] + world[:, 2].min() > 0.1 else None
