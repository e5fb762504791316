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
    value = play("held.held", PREDICTIONS=str(small))[0]["value"]
    words = {
        "move": "Move", "move of the scan": "Move", "turn": "Rotate", "scale": "Resize", "loop cut": "Loop Cut",
        "stroke": "Sculpt", "edit": "Scan", "play": "playing", "file dialog": "file dialog",
        "file dialog over all": "file dialog", "render": "rendering",
    }  # fmt: skip
    check_held(value["seen"], words)
    assert value["same"] and sum("Scan" in name for name in value["objects"]) == 1, value["objects"]


def test_a_result_waits_for_the_other_window(play, small):
    value = play("held.two_windows", PREDICTIONS=str(small))[0]["value"]
    check_held(value["seen"], {"move in the second window": "Move"})
    assert value["other"] == ["Block"] and "anna Scan" in value["first"], value
    (run,), (after_closing,) = value["faces"]
    assert run < 1250 and after_closing > 1700, "each run was written into its scene"
    # The first window shows its own avatar, until both are in sight of one window.
    assert value["shown"] == [[False, True], [False]] and value["error"] == "", value
    assert "first window was closed" in value["stopped"][0] and value["stopped"][1:] == [None, None], value


def check_held(seen: dict[str, dict], words: dict[str, str]) -> None:
    """Each result waited, said for what in one of these words, and was written afterwards."""
    assert set(seen) == set(words)
    for name, found in seen.items():
        assert found["kept"] and found["error"] is None and found["held"] == 0, (name, found)
        assert len(found["words"]) == 1 and words[name] in found["words"][0], (name, found)
        assert found["made"][1] > 50, (name, found)
    faces = [found["made"][0] for found in seen.values()]
    assert len(set(faces)) == len(faces), "each was written"


def test_what_the_artist_has_done_stays(play, small):
    value = play("artist.theirs", PREDICTIONS=str(small))[0]["value"]
    built = value["built"]
    assert built["faces"] < 1900 and built["copy"] and built["rig"] == [2.0, True] and built["animated"], built
    assert built["modifiers"] == ["Rig", "Smooth"] and built["keys"] == ["Basis", "Smile"] and built["collections"] == ["anna"]
    assert value["asked"] and any("Hero Edited" in note for note in value["notes"])
    assert {"Hero", "Hero.001", "Hero Edited"} <= set(value["objects"])


def test_the_list_of_avatars_says_which_one_is_meant(play, small):
    value = play("artist.three", PREDICTIONS=str(small))[0]["value"]
    assert value["meant"] == "Avatar 3", "the last one that was made"
    assert value["rows"] == ["Avatar 1", "Avatar 2"]
    assert value["left"] == ["Avatar 1", "Avatar 3"]
