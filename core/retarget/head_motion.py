"""Head, jaw and eyes from the face points: what a head, a jaw and two eye bones of any rig are turned by.

The head is the rigid fit of the mean head to the points that move with the skull. The jaw opens by the gap between the inner
lips, the eyes turn by where the iris lies between the corners of the eye. Both are measured in the frame of the head, as shares
of its size, so neither depends on who it is or how far away; what remains of a person's own face is removed by a neutral frame.
Without one, closed lips are a closed jaw and the mean face looks straight ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ..common.landmarks import SIDES, keypoint_index
from ..common.rotations import dot, rotation_from_vector
from ..pose.anatomy import HEAD_SUPPORT, fit_head, template_head

JAW_DEGREES = 18.0  # rotation of a jaw that is wide open
OPEN_SHARE = 0.42  # gap of the inner lips of a wide open mouth, share of the height of the face
EYE_RADIUS = 0.0070  # of an eyeball, share of stature (12 mm at 1.72 m)
MAX_GAZE = 35.0  # degrees
FIRST_FACE_POINT = 70
"""Keypoints from here on are points of the face, those of iris and ear among them."""


@dataclass(frozen=True, eq=False)
class HeadMotion:
    """F frames.

    frame    (F, 3, 3) head, columns x to its left, y to its back, z up, in the space of the points
    support  (F,) effective number of face points behind it; below `HEAD_SUPPORT` nothing here means anything
    jaw      (F,) degrees that the jaw is open, 0..18
    gaze     (F, 2, 2) degrees: left and right eye; to the person's left, and up
    """

    frame: np.ndarray
    support: np.ndarray
    jaw: np.ndarray
    gaze: np.ndarray


def head_motion(surface: np.ndarray, weights: np.ndarray, neutral: HeadMotion | None = None, gain: float = 1.0) -> HeadMotion:
    """Head, jaw and eyes of F frames.

    surface  (F, 308, 3) metres: the keypoints on the skin (`Pose.surface`), NaN = none
    weights  (F, 308) trust in each
    neutral  one frame (F = 1) of the same face at rest: its jaw and gaze count as zero. None = closed lips and a mean gaze
    gain     exaggerates jaw and gaze
    """
    fit = fit_head(surface, weights)
    with np.errstate(invalid="ignore"):
        local = (surface - fit.origin[:, None, :]) @ fit.frame / fit.scale[:, None, None]  # share of stature, body axes

    def at(name: str) -> np.ndarray:
        return local[:, keypoint_index(name)]

    mean = template_head()
    height = mean[keypoint_index("center_of_nose_root")] - mean[keypoint_index("tip_of_chin")]
    gap = (at("center_of_upper_inner_lip") - at("center_of_lower_inner_lip"))[:, 2]
    jaw = JAW_DEGREES * np.nan_to_num(gap) / (OPEN_SHARE * np.linalg.norm(height))

    gaze = np.zeros((len(surface), 2, 2))
    for i, side in enumerate(SIDES):
        s = side[0]
        inner, outer = at(f"{s}_inner_end_of_upper_lash_line"), at(f"{s}_outer_end_of_upper_lash_line")
        off = at(f"{s}_center_of_iris") - (inner + outer) / 2 - _straight_ahead(s)
        ratio = np.stack([off[:, 0], off[:, 2]], axis=-1) / EYE_RADIUS
        gaze[:, i] = np.degrees(np.arcsin(np.clip(np.nan_to_num(ratio), -0.9, 0.9)))
    if neutral is not None:
        jaw, gaze = jaw - neutral.jaw[0], gaze - neutral.gaze[0]
    known = fit.known
    return HeadMotion(
        fit.frame,
        fit.support,
        np.where(known, np.clip(gain * jaw, 0, JAW_DEGREES), 0.0),
        np.where(known[:, None, None], np.clip(gain * gaze, -MAX_GAZE, MAX_GAZE), 0.0),
    )


@cache
def _straight_ahead(side: str) -> np.ndarray:
    """(3,) share of stature: the iris of the mean face from the middle between the corners of its eye."""
    mean = template_head()
    corners = [mean[keypoint_index(f"{side}_{end}_end_of_upper_lash_line")] for end in ("inner", "outer")]
    return mean[keypoint_index(f"{side}_center_of_iris")] - (corners[0] + corners[1]) / 2


def face_frames(head: np.ndarray, jaw: np.ndarray, gaze: np.ndarray, gain: float = 1.0) -> dict[str, np.ndarray]:
    """Frames of "jaw", "leftEye" and "rightEye", each (F, 3, 3), in the space of the head's.

    head  (F, 3, 3) anatomical frame of the head (`core.retarget.body_frames`): x to the person's left, y up, z ahead
    jaw   (F,) degrees open;  gaze  (F, 2, 2) degrees to the person's left and up, left eye first
    gain  factor on both

    The jaw turns about x, down. An eye turns about y to the left, then about its own x upward.
    """
    turn = np.zeros((len(head), 3))
    turn[:, 0] = np.radians(np.clip(gain * jaw, 0, 2 * JAW_DEGREES))
    out = {"jaw": head @ rotation_from_vector(turn)}
    for i, side in enumerate(SIDES):
        aside, up = np.zeros((len(head), 3)), np.zeros((len(head), 3))
        aside[:, 1], up[:, 0] = np.radians(np.clip(gain * gaze[:, i], -2 * MAX_GAZE, 2 * MAX_GAZE)).T * [[1.0], [-1.0]]
        out[f"{side}Eye"] = head @ rotation_from_vector(aside) @ rotation_from_vector(up)
    return out


def face_moves(surface: np.ndarray, calm: np.ndarray) -> np.ndarray:
    """(F, 238, 3) float32: how far each point of the face is from where it is in the calm frames, in the frame of the head and as
    a share of the stature that goes with the head; 0 where it is not known.

    surface  (F, 308, 3) keypoints on the skin, NaN = none
    calm     (n,) frames of the neutral face (`calm_frames`)
    """
    fit = fit_head(surface, np.ones(surface.shape[:-1]))
    points = surface[:, FIRST_FACE_POINT:]
    with np.errstate(invalid="ignore"):
        local = (points - fit.origin[:, None]) @ fit.frame / fit.scale[:, None, None]
    local[~fit.known] = np.nan
    known = np.isfinite(local[calm]).all(axis=2)
    neutral = np.full(local.shape[1:], np.nan)
    some = known.any(axis=0)
    neutral[some] = np.nanmedian(local[calm][:, some], axis=0)
    return np.nan_to_num(local - neutral).astype(np.float32)


def calm_frames(motion: HeadMotion) -> np.ndarray:
    """(n,) frames of a clip that show its neutral face: the tenth that differs least from the median face; none where no face
    is seen."""
    values = np.concatenate([motion.jaw[:, None], motion.gaze.reshape(len(motion.jaw), 4)], axis=1)
    seen = np.flatnonzero(motion.support >= HEAD_SUPPORT)
    if not len(seen):
        return seen
    off = values[seen] - np.median(values[seen], axis=0)
    return seen[np.argsort(dot(off, off))[: max(1, len(seen) // 10)]]


def calm_frame(motion: HeadMotion) -> HeadMotion:
    """The neutral frame of a clip: the median of its `calm_frames`."""
    calm = calm_frames(motion)
    if not len(calm):
        return replace(motion, frame=motion.frame[:1], support=motion.support[:1], jaw=np.zeros(1), gaze=np.zeros((1, 2, 2)))
    values = np.concatenate([motion.jaw[:, None], motion.gaze.reshape(len(motion.jaw), 4)], axis=1)
    centre = np.median(values[calm], axis=0)
    return HeadMotion(motion.frame[calm[:1]], motion.support[calm[:1]], centre[:1], centre[1:].reshape(1, 2, 2))
