"""Arrays between stages are checked when they are made: ours end in a bug's ValueError,
an artist's in a sentence and a next step."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import MeshData, Pose, SkinWeights, check_arrays
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.predictions import Predictions


def mesh(**changes) -> MeshData:
    arrays = {
        "vertices": np.zeros((4, 3), np.float32),
        "faces": np.zeros((2, 3), np.int32),
        "uvs": np.zeros((4, 2), np.float32),
        "normals": np.zeros((4, 3), np.float32),
        "labels": np.zeros(4, np.uint8),
    }
    return MeshData(**(arrays | changes))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"faces": np.zeros((2, 4), np.int32)}, r"MeshData.faces has shape \(2, 4\), expected 3 = 3"),
        ({"uvs": np.zeros((5, 2), np.float32)}, r"MeshData.uvs has shape \(5, 2\), expected V = 4"),
        ({"labels": np.zeros(4, np.float32)}, r"MeshData.labels must be an array \(V\) of kind 'u', not float32 \(4,\)"),
        ({"normals": [[0, 0, 1]] * 4}, r"MeshData.normals must be an array .* not list"),
        ({"faces": np.zeros((3, 3), np.int32), "quads": True}, "odd number of faces, 3"),
    ],
)
def test_a_wrong_array_of_ours_is_a_bug(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        mesh(**change)


def test_the_other_classes_are_checked_too():
    with pytest.raises(ValueError, match=r"SkinWeights\.weights has shape"):
        SkinWeights(np.zeros((4, 2), np.int32), np.zeros((4, 3), np.float32))
    joints = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="1 names for 2 positions"):
        Pose(("neck",), joints, joints[:, 0], np.ones(2, bool), np.zeros((308, 3), np.float32), 1.7)


def test_what_fits_is_taken():
    assert mesh(atlas=None).polygons.shape == (2, 3)
    check_arrays("X", a=(np.zeros((7, 2)), (None, 2), "f"), b=(None, ("N",), "i"), c=(np.zeros(9, bool), ("N",), "b"))


def test_predictions_that_do_not_fit_are_explained():
    whole = Predictions(image=np.zeros((6, 8, 3), np.uint8), seg=np.zeros((6, 8), np.uint8))
    with pytest.raises(SapiensError, match=r"Predictions.seg has shape \(6, 9\), expected W = 8") as caught:
        replace(whole, seg=np.zeros((6, 9), np.uint8))
    assert caught.value.hint
