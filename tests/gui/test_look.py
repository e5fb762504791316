"""The look through the photo and its pins in a real window."""

from __future__ import annotations

import numpy as np


def test_a_wrist_is_dragged_onto_its_place_in_the_photo(play):
    value = play("look.through")[0]["value"]
    assert value["after"] == value["before"] and value["during"][3] == "CAMERA" and value["during"][:2] != value["before"][:2]
    assert value["error"] == ""
    before, after = map(np.array, value["wrist"])
    (pin,) = value["pins"]
    assert np.linalg.norm(np.array(pin) - value["target"]) < 6  # a drag may begin with its first movement
    assert np.linalg.norm(after - pin) < 0.25 * np.linalg.norm(before - pin)
    assert np.linalg.norm(np.array(value["undone"]) - before) < 1
    assert np.linalg.norm(np.array(value["removed"]) - before) < 1
