"""Predictions files by the names of their photos."""

import numpy as np

from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.formats.stored_inputs import load_named


def test_stored_predictions_go_by_the_name_of_their_photo(tmp_path):
    """What the name of a stored file has after that of its photo says nothing to people."""
    names = ("side-0123456789abcdef", "side-fedcba9876543210", "from-behind")
    paths = [tmp_path / f"{name}.safetensors" for name in names]
    for path in paths:
        Predictions(image=np.zeros((2, 2, 3), np.uint8)).save(path)
    assert list(load_named(paths)) == ["side", "side 2", "from-behind"]
