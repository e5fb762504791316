"""The mean standing person, and the frames of hips, chest and head in a pose.

Body axes: x to the person's left, y to their back, z up (a standing person who faces -y in Blender's world). A frame's columns
are these axes of one body part, so ``frame @ template_offset * stature`` is an offset in the space of the joints.
All functions take leading axes (frames of a video).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.landmarks import DATA, JOINT_NAMES, SIDES, joint_index, keypoint_index, keypoint_names
from ..common.rotations import angle_between, any_perpendicular, dot, fit_rigid, perpendicular, swing, two_axis_frame, unit
from ..common.spaces import BODY_DOWN, CAMERA_UP


@cache
def template_joints() -> np.ndarray:
    """(68, 3) float64: joints of the mean standing person, pelvis at 0, body axes, share of stature."""
    table = json.loads((DATA / "body_template.json").read_text("utf-8"))["joints"]
    return np.array([table[name] for name in JOINT_NAMES])


@cache
def template_head() -> np.ndarray:
    """(308, 3) float64: keypoints on the head, from the joint ``head``, body axes, share of stature; NaN = not on the head."""
    table = json.loads((DATA / "body_template.json").read_text("utf-8"))["head_points"]
    out = np.full((308, 3), np.nan)
    for k, name in enumerate(keypoint_names()):
        if name in table:
            out[k] = table[name]
    return out


_RIGID = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "glabella", "nose_root", "nose_bridge", "inner_end_of",
    "outer_end_of", "nostril", "corner_of_nose", "tip_of_nose", "helix", "tragus", "concha", "ear_lobe", "crus",
)  # fmt: skip


@cache
def rigid_head_weights() -> np.ndarray:
    """(308,) float64: how firmly each keypoint moves with the skull; lips, lids, brows and jaw do not."""
    out = np.zeros(308)
    for k, name in enumerate(keypoint_names()):
        if any(word in name for word in _RIGID) and np.isfinite(template_head()[k]).all():
            out[k] = 1.0 if not any(ear in name for ear in ("helix", "tragus", "concha", "ear_lobe", "crus")) else 0.35
    return out


def _of(positions: np.ndarray, name: str) -> np.ndarray:
    return positions[..., joint_index(name), :]


def hips_frame(positions: np.ndarray) -> np.ndarray:
    """(..., 3, 3) frame of the pelvis from (..., 68, 3) joints: x along the hip joints, z towards the neck."""
    return two_axis_frame(
        _of(positions, "left_hip") - _of(positions, "right_hip"), _of(positions, "neck") - _of(positions, "pelvis"), "xz"
    )


def chest_frame(positions: np.ndarray) -> np.ndarray:
    """(..., 3, 3) frame of the rib cage from (..., 68, 3) joints: x along the shoulders, z from the pelvis to the neck."""
    return two_axis_frame(
        _of(positions, "left_shoulder") - _of(positions, "right_shoulder"),
        _of(positions, "neck") - _of(positions, "pelvis"),
        "xz",
    )


LEANS_MOST = np.radians(60)
"""How far the trunk of somebody is from upright at most who may stand or sit."""


def is_upright(trunk: np.ndarray) -> bool:
    """Whether somebody may stand or sit whose trunk has this (3, 3) frame in camera space: then gravity says where unseen limbs
    are."""
    return bool(trunk[:, 2] @ CAMERA_UP > np.cos(LEANS_MOST))


def standing_frame(trunk: np.ndarray) -> np.ndarray:
    """(3, 3) frame of somebody who stands straight and faces the way of a trunk with this (3, 3) frame in camera space."""
    return two_axis_frame(CAMERA_UP, trunk[:, 0], "zx")


HEAD_ANNEALING = (0.03, 0.02, 0.012, 0.01, 0.01)
HEAD_SUPPORT = 4.0  # face points that must agree before a head means anything


@dataclass(frozen=True, eq=False)
class HeadFit:
    """The template of the head where it explains the face points: ``origin + scale * frame @ template``.

    frame    (..., 3, 3) x to the person's left, y to their back, z up
    scale    (...,) metres: the stature that the head's size suggests
    origin   (..., 3) the joint ``head``, in the space and unit of the points
    support  (...,) effective number of points behind it
    """

    frame: np.ndarray
    scale: np.ndarray
    origin: np.ndarray
    support: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """(...,) bool: enough points agree; elsewhere nothing here means anything."""
        return self.support >= HEAD_SUPPORT


def fit_head(points: np.ndarray, weights: np.ndarray, scales: tuple[float, ...] = HEAD_ANNEALING) -> HeadFit:
    """The head that explains the face points: rigid fit of the template, outliers down-weighted (Geman-McClure, ever more
    strictly: `scales` in metres).

    points   (..., 308, 3) metres on the skin, NaN = none
    weights  (..., 308)    trust in each
    """
    template = np.nan_to_num(template_head())
    weights = np.where(np.isfinite(points).all(axis=-1), weights, 0.0) * rigid_head_weights()
    target = np.nan_to_num(points)
    source = np.broadcast_to(template, target.shape)
    w = weights
    head: HeadFit | None = None
    for strictness in scales:
        frame, scale, origin = fit_rigid(source, target, w)
        scale = np.clip(scale, 0.6, 3.0)
        fitted = scale[..., None, None] * source @ np.swapaxes(frame, -1, -2) + origin[..., None, :]
        error = np.linalg.norm(fitted - target, axis=-1)
        w = weights / (1 + (error / strictness) ** 2) ** 2
        head = HeadFit(frame, scale, origin, w.sum(axis=-1))
    assert head is not None  # `scales` names at least one
    return head


def smoothstep(low: float, high: float, values: np.ndarray) -> np.ndarray:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


GUESS_ERROR, LANDMARK_ERROR, BONE_ERROR = 35.0, 10.0, 4.0
"""Degrees: how well the elbow's side is known from the trunk, from olecranon and cubital fossa, and a bone's direction."""


def _pairs(positions: np.ndarray, name: str) -> np.ndarray:
    """(..., 2, 3) the left and the right joint."""
    return positions[..., [joint_index(f"left_{name}"), joint_index(f"right_{name}")], :]


def flexion_sides(positions: np.ndarray, surface: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The side to which each limb bone's outer joint bends: (..., 3) unit, perpendicular to the bone.

    positions  (..., 68, 3) joints
    surface    (..., 308, 3) keypoints on the skin (olecranon and cubital fossa are used), NaN = none

    Keys are Rigify's: upper_arm, forearm, hand (its thumb side), thigh, shin, foot with .L and .R. Where a limb is bent, the
    plane of its two bones tells; where it is straight, the landmarks of elbow, palm and foot; and last the trunk.
    """
    out: dict[str, np.ndarray] = {}
    hips, chest = hips_frame(positions)[..., None, :, :], chest_frame(positions)[..., None, :, :]
    rest = template_joints()
    shoulder, elbow, wrist = (_pairs(positions, n) for n in ("shoulder", "elbow", "wrist"))
    upper, fore = unit(elbow - shoulder), unit(wrist - elbow)
    guess = _carried(chest, _pairs(rest, "elbow") - _pairs(rest, "shoulder"), upper, BODY_DOWN)
    if surface is not None:
        fossa, olecranon = ([keypoint_index(f"{s}_{n}") for s in SIDES] for n in ("cubital_fossa", "olecranon"))
        front = perpendicular(np.nan_to_num(surface[..., fossa, :] - surface[..., olecranon, :]), upper)
        told = smoothstep(0.02, 0.05, np.linalg.norm(front, axis=-1))[..., None]
        guess = guess / GUESS_ERROR**2 + told * unit(front) / LANDMARK_ERROR**2
    else:
        guess = guess / GUESS_ERROR**2
    # The plane of the arm tells the better the more it is bent: its error is that of a bone's direction over the sine.
    bend = perpendicular(fore, upper)
    sine2 = dot(bend, bend)[..., None]
    out["upper_arm"] = _perpendicular_unit(guess + unit(bend) * sine2 / BONE_ERROR**2, upper, chest[..., :, 1])
    out["forearm"] = unit(perpendicular(swing(out["upper_arm"], upper, fore), fore))
    across = _pairs(positions, "forefinger_third_joint") - _pairs(positions, "pinky_finger_third_joint")
    palm = unit(_pairs(positions, "middle_finger_third_joint") - wrist)
    out["hand"] = _perpendicular_unit(across, palm, out["forearm"])

    hip, knee, ankle = (_pairs(positions, n) for n in ("hip", "knee", "ankle"))
    thigh, shin = unit(knee - hip), unit(ankle - knee)
    toes = (_pairs(positions, "big_toe") + _pairs(positions, "small_toe")) / 2
    forward = perpendicular(toes - _pairs(positions, "heel"), shin)
    trunk = _carried(hips, _pairs(rest, "knee") - _pairs(rest, "hip"), thigh, np.array([0.0, 1.0, 0.0]))
    feet = unit(perpendicular(-swing(forward, shin, thigh), thigh))
    feet = np.where((dot(feet, trunk) > 0.5)[..., None], feet, 0.0)
    out["thigh"] = _blend(unit(trunk + feet), shin, thigh, 15.0, 35.0)
    out["shin"] = unit(perpendicular(swing(out["thigh"], thigh, shin), shin))
    out["foot"] = _perpendicular_unit(-(knee - ankle), unit(toes - ankle), out["shin"])
    return {f"{name}.{s}": values[..., i, :] for name, values in out.items() for i, s in enumerate("LR")}


def _carried(frame: np.ndarray, rest: np.ndarray, bone: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(..., 3) where the body direction `side` points after the rest bone was swung to the (..., 3) bone."""
    turned = swing((frame @ side[:, None])[..., 0], (frame @ rest[..., None])[..., 0], bone)
    return _perpendicular_unit(turned, bone, frame[..., :, 0])


def _perpendicular_unit(vectors: np.ndarray, axis: np.ndarray, fallback: np.ndarray) -> np.ndarray:
    """The unit part of vectors perpendicular to a unit axis; that of the fallback where it vanishes, some where both do."""
    first = perpendicular(vectors, axis)
    long = np.linalg.norm(first, axis=-1, keepdims=True) > 1e-6
    if long.all():
        return unit(first)
    second = perpendicular(fallback, axis)
    also = np.linalg.norm(second, axis=-1, keepdims=True) > 1e-6
    return np.where(long, unit(first), np.where(also, unit(second), any_perpendicular(axis)))


def _blend(guess: np.ndarray, outer: np.ndarray, inner: np.ndarray, low: float, high: float) -> np.ndarray:
    """Flexion side of the inner bone: that of the plane with the outer bone where the joint is bent over `high` degrees."""
    bend = perpendicular(outer, inner)
    weight = smoothstep(low, high, np.degrees(angle_between(inner, outer)))[..., None]
    return _perpendicular_unit((1 - weight) * guess + weight * unit(bend), inner, guess)


SKIN_AZIMUTHS = np.arange(0.0, 360.0, 15.0)
SKIN_ELEVATIONS = np.arange(-60.0, 61.0, 20.0)


def joint_frames(positions: np.ndarray) -> np.ndarray:
    """(..., 68, 3, 3) a frame at each joint of (..., 68, 3): z up the bone to the trunk, y to its back, x to the person's left.

    Neck, shoulders and hips take the frame of the chest or the pelvis. Joints of fingers and of the head stay the identity.
    """
    out = np.broadcast_to(np.eye(3), (*positions.shape, 3)).copy()
    hips, chest, sides = hips_frame(positions), chest_frame(positions), flexion_sides(positions)
    out[..., joint_index("neck"), :, :] = chest
    fore, shin = (np.stack([sides[f"{n}.L"], sides[f"{n}.R"]], axis=-2) for n in ("forearm", "shin"))
    at = {n: _pairs(positions, n) for n in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")}
    up = np.stack(
        [at["shoulder"] - at["wrist"], at["elbow"] - at["wrist"], at["hip"] - at["ankle"], at["knee"] - at["ankle"]], -2
    )
    frames = two_axis_frame(up, np.stack([-fore, -fore, shin, shin], axis=-2), "zy")  # (..., side, joint, 3, 3)
    for i, side in enumerate(SIDES):
        out[..., joint_index(f"{side}_shoulder"), :, :] = chest
        out[..., joint_index(f"{side}_hip"), :, :] = hips
        for j, name in enumerate(("elbow", "wrist", "knee", "ankle")):
            out[..., joint_index(f"{side}_{name}"), :, :] = frames[..., i, j, :, :]
    return out


SKIN_JOINTS = ("neck", *(f"{side}_{joint}" for side in SIDES for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")))
"""Joints whose distance to the skin is known for every direction."""


@cache
def _skin_tables() -> tuple[np.ndarray, np.ndarray]:
    """(13, 24, 7) distances of SKIN_JOINTS by azimuth and elevation, and (13,) -1 where azimuth is mirrored, on the right."""
    table = json.loads((DATA / "body_template.json").read_text("utf-8"))["skin_distance"]
    bare = [name.removeprefix("left_").removeprefix("right_") for name in SKIN_JOINTS]
    return np.array([table[name] for name in bare]), np.array([-1.0 if n.startswith("right_") else 1.0 for n in SKIN_JOINTS])


def skin_distances(frames: np.ndarray, view: np.ndarray) -> np.ndarray:
    """(..., 13) share of stature: from each of SKIN_JOINTS to the skin that a camera sees in its direction (..., 13, 3) `view`.

    frames  (..., 13, 3, 3) of the joints, from `joint_frames`
    Bilinear in azimuth and elevation about the bone; elevations beyond 60 degrees count as 60.
    """
    grid, mirror = _skin_tables()
    local = (np.swapaxes(frames, -1, -2) @ unit(view)[..., None])[..., 0]
    azimuth = np.degrees(np.arctan2(mirror * local[..., 0], -1.0 * local[..., 1])) % 360
    elevation = np.clip(np.degrees(np.arcsin(np.clip(local[..., 2], -1, 1))), SKIN_ELEVATIONS[0], SKIN_ELEVATIONS[-1])
    a, e = azimuth / 15.0, (elevation - SKIN_ELEVATIONS[0]) / 20.0
    i, j = np.floor(a).astype(int), np.minimum(np.floor(e).astype(int), len(SKIN_ELEVATIONS) - 2)
    s, t = a - i, e - j
    i, k, n = i % grid.shape[1], (i + 1) % grid.shape[1], np.arange(len(grid))
    return (1 - s) * ((1 - t) * grid[n, i, j] + t * grid[n, i, j + 1]) + s * ((1 - t) * grid[n, k, j] + t * grid[n, k, j + 1])
