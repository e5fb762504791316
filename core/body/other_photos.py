"""What stands in one photo of a person, moved into the pose that they have in another."""

from __future__ import annotations

import numpy as np

from ..common.arrays import MeshData, RigData, SkinWeights
from ..rig.rest_pose import blended, moved, undeform
from .character import make_body
from .fitted import BodyFit


def rest_rig_of(fit: BodyFit) -> RigData:
    """The rig of a fit in the template's A-pose, rest axes: x to the person's left, y to their back, z up."""
    return make_body(fit, np.eye(4))[1]


def rested(points: np.ndarray, weights: SkinWeights, rig: RigData) -> np.ndarray:
    """(V, 3) float32 points that stand in the photo of `rig` -> where they are in its rest pose.

    weights  how they follow the rig
    rig      of `rest_rig_of`
    """
    assert rig.photo_from_rest is not None  # of `character.make_body`
    count = len(points)
    bare = MeshData(
        points.astype(np.float32),
        np.zeros((0, 3), np.int32),
        np.zeros((count, 2), np.float32),
        np.zeros((count, 3), np.float32),
        np.zeros(count, np.uint8),
    )
    return undeform(bare, weights, rig.photo_from_rest).vertices


def in_other_photo(rest: np.ndarray, weights: SkinWeights, fit: BodyFit) -> np.ndarray:
    """(V, 3) float32 points of the rest pose (`rested`) -> where they are in the photo of `fit`, in its camera's space.

    The fit must be of the same person: bones have one length in all photos.
    """
    maps = rest_rig_of(fit).photo_from_rest
    assert maps is not None  # of `character.make_body`
    return moved(blended(weights, maps), rest).astype(np.float32)
