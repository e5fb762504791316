"""A run in a real window: nothing freezes, undo takes all of it, cancel leaves nothing, a saved file can be built again."""

from __future__ import annotations

import pytest

GAP = 0.25
"""Seconds between two drawings of the sidebar that nobody notices."""
WRITE = 1.5


def test_a_click_on_run_makes_an_avatar_and_never_freezes(play):
    result, _ = play("runs.first_run", seconds=600)
    value = result["value"]
    made = set(value["made"]["objects"]) - set(value["before"]["objects"])
    assert {"anna Scan", "anna Camera"} <= made
    print({key: result[key] for key in ("clock", "work", "count")}, value["seconds"])
    assert result["count"]["running"] > 20
    assert result["work"]["running"] < GAP, result
    assert result["work"]["write"] < WRITE, result
    assert value["undone"] == value["before"] and value["redone"] == value["made"]
    assert value["kept"]


def test_the_largest_scan_of_the_network_is_written_in_time(play, full_frame):
    result, _ = play("runs.full_frame", seconds=600, FULL_FRAME=str(full_frame))
    print({key: result[key] for key in ("clock", "work", "count")}, result["value"])
    assert result["value"]["vertices"] >= 1024 * 768
    assert result["work"]["write"] < WRITE, result


def test_cancel_in_each_stage_leaves_the_scene_byte_for_byte(play):
    value = play("runs.cancel", seconds=600)[0]["value"]
    assert len(value["stages"]) >= 3
    for stage in value["stages"]:
        assert stage["same"] and stage["datablocks"] and stage["seconds"] < 5, stage
        assert stage["left"] == [[], []], stage
    assert len(value["made"]["objects"]) > len(value["before"]["objects"])


def test_every_operator_is_one_undo_step(play):
    value = play("runs.undo", seconds=600)[0]["value"]
    assert len(value) == 8
    for name, steps in value.items():
        assert steps["made"] != steps["before"], name
        assert steps["undone"] == steps["before"], name
        assert steps["redone"] == steps["made"], name


def test_save_reload_rebuild(play):
    value = play("runs.save_reload_rebuild", seconds=600)[0]["value"]
    for kind, names in value["saved"].items():
        ours = [name for name in names if name.startswith("anna")]
        assert [name for name in value["reloaded"][kind] if name.startswith("anna")] == ours, kind
    assert value["rebuilt"]["objects"] == value["saved"]["objects"]
    assert value["faces"][1] < value["faces"][0]


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGSEGV", "memory"])
def test_a_dying_worker_is_one_sentence(play, signal):
    value = play("deaths.killed", seconds=600, HOW=signal)[0]["value"]
    assert value["after"] == value["before"] and len({death["stage"] for death in value["deaths"]}) == 3
    for death in value["deaths"]:
        # Without memory the worker still has to notice; a busy computer makes that longer than a signal takes.
        assert death["seconds"] < (15 if signal == "memory" else 5), death
        # A library that does not look whether it was given memory, or a stack that cannot grow, crashes instead of saying so.
        assert "memory" in death["message"] or (signal != "SIGKILL" and "signal 11" in death["message"]), death
        assert death["message"] and death["hint"], death
        assert death["left"] == [[], []], death
    assert len(value["made"]["objects"]) > len(value["before"]["objects"])
