"""People for the tests of poses: the mean person, turned and photographed, and moved predictions. Not a test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.landmarks import (
    JOINT_NAMES,
    joint_index,
    joint_keypoints,
    keypoint_index,
    keypoint_swap,
    part_swap,
)
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.pose.anatomy import template_head, template_joints

CAMERA_FROM_BODY = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Body axes (x to the left, y to the back, z up) of a person who faces the camera: their left is at the right of the photo."""


def standing(yaw: float = 0.0, roll: float = 0.0, stature: float = 1.72, distance: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """(68, 3) joints and (308, 3) keypoints of the mean person; yaw degrees about their vertical, roll in the image plane."""
    turn = rotation_from_vector(np.array([0, 0, np.radians(roll)])) @ CAMERA_FROM_BODY
    turn = turn @ rotation_from_vector(np.array([0, 0, np.radians(yaw)]))
    joints = template_joints()
    points = np.full((308, 3), np.nan)
    of_joint = joint_keypoints()
    points[of_joint[of_joint >= 0]] = joints[of_joint >= 0]
    head = template_head() + joints[joint_index("head")]
    points = np.where(np.isfinite(head), head, points)
    for side in ("left", "right"):
        elbow = joints[joint_index(f"{side}_elbow")]
        points[keypoint_index(f"{side}_olecranon")] = elbow + np.array([0, 0.018, 0])
        points[keypoint_index(f"{side}_cubital_fossa")] = elbow - [0, 0.029, 0]
        points[keypoint_index(f"{side}_acromion")] = joints[joint_index(f"{side}_shoulder")] + [0, 0, 0.035]
    place = lambda p: stature * p @ turn.T + [0, 0, distance]  # noqa: E731
    return place(joints), place(points)


def photograph(points: np.ndarray, camera: Camera, visible: np.ndarray | None = None) -> Predictions:
    """Keypoints alone: (308, 3) points seen by a camera, score 0.9, 0 where NaN or outside."""
    with np.errstate(invalid="ignore"):
        pixels = camera.project(points)
        inside = (
            np.isfinite(pixels).all(axis=1)
            & (pixels >= 0).all(axis=1)
            & (pixels <= [camera.width - 1, camera.height - 1]).all(axis=1)
        )
    if visible is not None:
        inside &= visible
    keypoints = np.concatenate([np.where(inside[:, None], pixels, 0), 0.9 * inside[:, None]], axis=1).astype(np.float32)
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    return Predictions(image=image, keypoints=keypoints[None], intrinsics=camera.matrix.astype(np.float32))


def mirrored(p: Predictions) -> Predictions:
    """What the network would see in the mirrored photo."""
    keypoints = p.keypoints[:, keypoint_swap()].copy()
    keypoints[..., 0] = np.where(keypoints[..., 2] > 0, p.width - 1 - keypoints[..., 0], 0)
    flip = lambda a: None if a is None else np.ascontiguousarray(a[:, ::-1])  # noqa: E731
    intrinsics = p.intrinsics.copy()
    intrinsics[0, 2] = p.width - 1 - intrinsics[0, 2]
    return replace(
        p, image=flip(p.image), albedo=None, alpha=None, boxes=None, keypoints=keypoints, intrinsics=intrinsics,
        pointmap=None if p.pointmap is None else flip(p.pointmap) * np.array([-1, 1, 1], p.pointmap.dtype),
        normal=None if p.normal is None else flip(p.normal) * np.array([-1, 1, 1], p.normal.dtype),
        seg=None if p.seg is None else part_swap()[flip(p.seg)],
    )  # fmt: skip


def quarter_turned(p: Predictions) -> Predictions:
    """The photo turned by 90 degrees clockwise: x' = H - 1 - y, y' = x."""
    turn = lambda a: None if a is None else np.ascontiguousarray(np.rot90(a, -1))  # noqa: E731
    keypoints = p.keypoints.copy()
    keypoints[..., 0], keypoints[..., 1] = p.height - 1 - p.keypoints[..., 1], p.keypoints[..., 0]
    k = p.intrinsics
    intrinsics = np.array([[k[1, 1], 0, p.height - 1 - k[1, 2]], [0, k[0, 0], k[0, 2]], [0, 0, 1]], np.float32)
    pointmap, normal = turn(p.pointmap), turn(p.normal)
    if pointmap is not None:
        pointmap = np.stack([-pointmap[..., 1], pointmap[..., 0], pointmap[..., 2]], axis=-1)
    if normal is not None:  # axes of the normal head: y up
        normal = np.stack([normal[..., 1], -normal[..., 0], normal[..., 2]], axis=-1)
    return replace(p, image=turn(p.image), albedo=None, alpha=None, boxes=None, keypoints=keypoints, intrinsics=intrinsics,
                   pointmap=pointmap, normal=normal, seg=turn(p.seg))  # fmt: skip


QUARTER_TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
"""Camera space of the photo turned by `quarter_turned` from that of the photo."""


def leaning(p: Predictions, degrees: float) -> Predictions:
    """What the camera sees that is turned about its own axis: who stands upright then leans to the right, and nothing is lost but
    at the borders. Without a normal map."""
    k = p.intrinsics
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn, middle = np.array([[c, -s], [s, c]]), k[:2, 2]
    y, x = np.mgrid[0 : p.height, 0 : p.width]
    at = np.rint((np.stack([x, y], axis=-1) - middle) @ turn + middle).astype(int)
    inside = ((at >= 0) & (at < (p.width, p.height))).all(axis=-1)
    column, row = at[inside].T
    seg, pointmap, image = (np.zeros_like(a) for a in (p.seg, p.pointmap, p.image))
    seg[inside], image[inside] = p.seg[row, column], p.image[row, column]
    pointmap[inside] = p.pointmap[row, column]
    pointmap[..., :2] = pointmap[..., :2] @ turn.T
    keypoints = p.keypoints.copy()
    keypoints[..., :2] = np.where(keypoints[..., 2:] > 0, (keypoints[..., :2] - middle) @ turn.T + middle, 0)
    return replace(p, image=image, albedo=None, alpha=None, boxes=None, keypoints=keypoints, pointmap=pointmap, normal=None,
                   seg=seg)  # fmt: skip


def cut_below(p: Predictions, row: int) -> Predictions:
    """The photo without the rows from `row` on."""
    cut = lambda a: None if a is None else np.ascontiguousarray(a[:row])  # noqa: E731
    keypoints = p.keypoints.copy()
    keypoints[keypoints[..., 1] > row - 1] = 0
    return replace(p, image=cut(p.image), albedo=None, alpha=None, boxes=None, keypoints=keypoints, pointmap=cut(p.pointmap),
                   normal=cut(p.normal), seg=cut(p.seg))  # fmt: skip


BODY = [
    i
    for i, n in enumerate(JOINT_NAMES)
    if n in ("neck", "pelvis") or n.endswith(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
]
