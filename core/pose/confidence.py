"""When the network itself was unsure of a person: a sentence for the artist, who would else trust a rig that is a guess."""

from __future__ import annotations

import numpy as np

from ..common.arrays import Camera
from ..common.landmarks import SIDES, joint_index, joint_keypoints

JOINTS = tuple(joint_index(f"{side}_{name}") for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in SIDES)
"""The joints that make the pose of a body."""
UNSURE = 0.35
"""Keypoints that score less are doubted. Sapiens2 gives a covered joint some 0.5; the built-in model gives 0.9 and more to joints
that it sees, and 0.3 and less to those that are covered or outside of the photo."""
SHARE, LEAST = 0.25, 3
"""Share of the body joints in the photo that must be doubted, and their least number: one arm behind the back is usual."""
FLAT = "Without depth or normals it is a guess whether a limb points to the camera or away: check the rig from the side."


def doubt_of(score: np.ndarray, positions: np.ndarray, camera: Camera, head_seen: bool, flat: bool = False) -> str:
    """One sentence where many body joints are doubted, or where keypoints are all there is; empty where the network was sure.

    score      (308,) of the keypoints, 0..1
    positions  (68, 3) joint centres in camera space, metres; those outside the photo are not counted, since nobody could see them
    head_seen  the head was measured. Without it and without two sure joints, nothing says where the others are: all are counted
    flat       no depth and no normals told on which side of its parent a joint lies
    """
    joints = np.array(JOINTS)
    sure = score[joint_keypoints()[joints]] >= UNSURE
    inside = np.ones(len(joints), bool)
    if head_seen or sure.sum() >= 2:
        points = positions[joints]
        pixels = camera.project(np.where(points[:, 2:] > 0, points, np.nan))
        with np.errstate(invalid="ignore"):
            inside = ((pixels >= 0) & (pixels <= (camera.width - 1, camera.height - 1))).all(axis=1)
    unsure = inside & ~sure
    if unsure.sum() < max(LEAST, SHARE * inside.sum()):
        return FLAT if flat else ""
    return f"The model was unsure of {unsure.sum()} of {inside.sum()} body joints: check the rig against the photo."
