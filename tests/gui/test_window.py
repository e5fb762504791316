"""A run in a real window: nothing freezes, undo takes all of it, cancel leaves nothing, a saved file can be built again."""

from __future__ import annotations

import pytest


def test_a_click_on_run_makes_an_avatar_and_never_freezes(play):
    result, _ = play("runs.first_run")
    value = result["value"]
    made = set(value["made"]["objects"]) - set(value["before"]["objects"])
    assert {"anna Scan", "anna Camera"} <= made
    print({key: result[key] for key in ("clock", "work", "count")}, value["seconds"])
    assert value["drawn"] == dict.fromkeys(("run/starting", "predict/maps", "build/scan"), True)
    assert value["undone"] == value["before"] and value["redone"] == value["made"]
    assert value["kept"]


def test_the_largest_scan_of_the_network_is_written(play, full_frame):
    result, _ = play("runs.full_frame", FULL_FRAME=str(full_frame))
    print({key: result[key] for key in ("clock", "work", "count")}, result["value"])
    assert result["value"]["vertices"] >= 1024 * 768


def test_cancel_in_each_stage_leaves_the_scene_byte_for_byte(play):
    value = play("runs.cancel")[0]["value"]
    points = ["run/starting", "predict/maps", "predict/writing", "build/camera", "build/texture", "build/done"]
    assert list(dict.fromkeys(stage["point"] for stage in value["stages"])) == points
    written = False
    for stage in value["stages"]:
        assert stage["state"] == "cancelled" and stage["same"] and stage["datablocks"] and stage["left"] == [[], []], stage
        # A run that was cancelled after its network leaves predictions, and the next click goes on from them.
        assert stage["kind"] == ("build" if written else "run"), stage
        written = stage["point"].startswith("build/")
        assert stage["stored"] == written, stage
    assert set(value["made"]["objects"]) - set(value["before"]["objects"]) >= {"anna Scan", "anna Camera"}


def test_every_operator_is_one_undo_step(play):
    value = play("runs.undo")[0]["value"]
    assert len(value) == 8
    for name, steps in value.items():
        assert steps["made"] != steps["before"], name
        assert steps["undone"] == steps["before"], name
        assert steps["redone"] == steps["made"], name


def test_save_reload_rebuild(play):
    value = play("runs.save_reload_rebuild")[0]["value"]
    for kind, names in value["saved"].items():
        ours = [name for name in names if name.startswith("anna")]
        assert [name for name in value["reloaded"][kind] if name.startswith("anna")] == ours, kind
    assert value["rebuilt"]["objects"] == value["saved"]["objects"]
    assert value["faces"][1] < value["faces"][0]


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGSEGV", "memory"])
def test_a_dying_worker_is_one_sentence(play, signal):
    value = play("deaths.killed", HOW=signal)[0]["value"]
    assert [death["point"] for death in value["deaths"]] == ["predict/maps", "predict/writing", "build/scan", "build/rig"]
    written = False
    for death in value["deaths"]:
        # A library that does not look whether it was given memory, or a stack that cannot grow, crashes instead of saying so.
        assert "memory" in death["message"] or (signal != "SIGKILL" and "stopped unexpectedly" in death["message"]), death
        assert death["message"].endswith(".") and death["hint"], death
        assert death["same"] and death["left"] == [[], []], death
        assert death["kind"] == ("build" if written else "run"), death
        # To rename a file takes no memory: the limit that is set while it is written meets the build.
        written = death["point"].startswith("build/") or (signal, death["point"]) == ("memory", "predict/writing")
        assert death["stored"] == written, death
    assert value["error"] is None
    assert set(value["made"]["objects"]) - set(value["before"]["objects"]) >= {"anna Scan", "anna Camera"}
