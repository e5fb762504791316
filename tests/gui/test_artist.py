"""Nothing of the artist's is lost, whenever a result arrives and whatever was done to the one before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def small(predictions, tmp_path_factory) -> Path:
    """The predictions of the sample photo with every third pixel, so that a build takes a moment."""
    from sapiens2_avatar.core.common.predictions import Predictions

    full, step = Predictions.load(predictions), 3
    maps = {
        name: None if value is None else np.ascontiguousarray(value[::step, ::step])
        for name in ("image", "pointmap", "normal", "albedo", "seg", "alpha")
        for value in [getattr(full, name)]
    }
    lens = None if full.intrinsics is None else full.intrinsics / np.array([[step], [step], [1]], np.float32)
    keypoints = None if full.keypoints is None else full.keypoints / np.array([step, step, 1], np.float32)
    boxes = None if full.boxes is None else full.boxes / np.float32(step)
    path = tmp_path_factory.mktemp("predictions") / "small.safetensors"
    return Predictions(**maps, keypoints=keypoints, boxes=boxes, intrinsics=lens, metadata=full.metadata).save(path)


def test_a_result_waits_until_the_artist_is_free(play, small):
    value = play("artist.held", PREDICTIONS=str(small))[0]["value"]
    words = {
        "move": "Move", "move of the scan": "Move", "turn": "Rotate", "scale": "Resize", "loop cut": "Loop Cut",
        "stroke": "Sculpt", "edit": "Scan", "play": "playing",
    }  # fmt: skip
    assert set(value["seen"]) == set(words)
    for name, seen in value["seen"].items():
        assert seen["kept"] and seen["error"] is None and seen["held"] == 0, (name, seen)
        assert len(seen["words"]) == 1 and words[name] in seen["words"][0], (name, seen)
        assert seen["made"][1] > 50, (name, seen)
    faces = [seen["made"][0] for seen in value["seen"].values()]
    assert len(set(faces)) == len(faces), "each was written"
    assert value["same"] and sum("Scan" in name for name in value["objects"]) == 1, value["objects"]


def test_what_the_artist_has_done_stays(play, small):
    value = play("artist.theirs", PREDICTIONS=str(small))[0]["value"]
    built = value["built"]
    assert built["faces"] < 1900 and built["copy"] and built["rig"] == [2.0, True] and built["animated"], built
    assert built["modifiers"] == ["Rig", "Smooth"] and built["keys"] == ["Basis", "Smile"] and built["collections"] == ["anna"]
    assert value["asked"] and any("Hero Edited" in note for note in value["notes"])
    assert {"Hero", "Hero.001", "Hero Edited"} <= set(value["objects"])


def test_the_list_of_avatars_says_which_one_is_meant(play, small):
    value = play("artist.three", PREDICTIONS=str(small))[0]["value"]
    assert value["rows"] == ["Avatar 1", "Avatar 2"]
    assert value["left"] == ["Avatar 1", "Avatar 3"]
