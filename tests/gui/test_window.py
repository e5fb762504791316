"""The sidebar in a real window: its three faces, a run by a click, undo, cancel, and a worker that dies."""

from __future__ import annotations


def test_three_faces(play):
    result, out = play("faces")
    for face in ("face_setup", "face_idle", "face_running", "face_done"):
        assert (out / f"{face}.png").stat().st_size > 2000, face
    assert len(result["value"]["objects"]) >= 3


def test_the_first_run_makes_an_avatar_of_the_sample_photo(play):
    """The preview model sees a scan and a camera; whether its keypoints make a rig is for its own tests."""
    value = play("first_run", seconds=900)[0]["value"]
    made = set(value["made"]["objects"]) - set(value["before"]["objects"])
    assert {"sample_photo Scan", "sample_photo Camera"} <= made
    assert "sample_photo Rig" in made or any("No rig" in note for note in value["notes"])


def test_run_never_freezes_and_undo_takes_all(play):
    result, _ = play("run_undo_redo")
    value = result["value"]
    assert len(value["made"]["objects"]) == len(value["before"]["objects"]) + 3
    assert value["undone"] == value["before"]
    assert value["redone"] == value["made"]
    print(result["clock"], result["work"])
    assert result["work"]["running"] < 0.25, result["work"]
    assert result["work"]["write"] < 1.5, result["work"]


def test_cancel_leaves_the_scene(play):
    value = play("cancel")[0]["value"]
    assert value["cancelled"] == value["before"] and not value["scratch"]
    assert len(value["made"]["objects"]) == len(value["before"]["objects"]) + 3


def test_a_dying_worker_is_one_sentence(play):
    value = play("killed")[0]["value"]
    assert value["after"] == value["before"]
    assert "memory" in value["sentences"][0][0] and "signal 11" in value["sentences"][1][0]
    assert all(hint for _, hint in value["sentences"])


def test_every_panel_draws(play):
    _, out = play("panels")
    assert (out / "panels.png").exists()
