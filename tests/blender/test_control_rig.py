"""Rigify's control rig in one click, in every Blender: nothing moves, everything follows, and there is a way back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import bpy
import pytest


@pytest.fixture(scope="module", params=["posed", "moving"])
def outcome(request) -> dict:
    command = [sys.executable, str(Path(__file__).with_name("control_rig_script.py")), request.param]
    run = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert "RESULT " in run.stdout, run.stdout[-2000:] + run.stderr[-2000:]
    return json.loads(run.stdout.split("RESULT ")[1]) | {"kind": request.param}


@pytest.mark.slow
def test_nothing_moves_and_everything_follows(outcome):
    assert outcome["pressed"] == ["FINISHED"] and not outcome["enabled before"]
    assert outcome["follows"] == [outcome["controls"]] and outcome["parent"] == outcome["controls"]
    assert outcome["hat"] == [outcome["controls"], "DEF-spine.006"] and outcome["hat moved"] < 1e-4
    median, most, all_of_them = outcome["off"]
    assert median < 0.002 and most < 0.015 and all_of_them < 0.06, outcome["off"]
    assert not outcome["plain groups"] and outcome["deforming"]
    assert outcome["weights"][0] == pytest.approx(outcome["weights"][1], rel=1e-4)
    assert outcome["rig hidden"] and outcome["active"] == "Anna Body"
    assert (outcome["action"] == "") == (outcome["kind"] == "posed")
    assert outcome["one action"] == (outcome["kind"] == "moving" and bpy.app.version >= (4, 4))  # since then actions have slots


@pytest.mark.slow
def test_it_can_be_taken_off(outcome):
    assert outcome["off again"] == ["FINISHED"] and outcome["back"][2] < 1e-4
    assert outcome["follows again"] == ["Anna Rig"] and not outcome["groups back"] and not outcome["shapes left"]
    assert outcome["hat back"] == ["Anna Rig", "spine.006"]


@pytest.mark.parametrize(
    ("bone", "pieces"),
    [
        ("upper_arm.L", ("DEF-upper_arm.L", "DEF-upper_arm.L.001")),
        ("spine", ("DEF-spine",)),
        ("eye.L", ("ORG-eye.L",)),
        ("heel", ()),
    ],
)
def test_what_a_bone_moved_is_moved_by_its_pieces(part, bone, pieces):
    limb = ("ORG-upper_arm.L", "DEF-upper_arm.L", "DEF-upper_arm.L.001", "upper_arm_fk.L")
    bones = [*limb, "ORG-spine", "DEF-spine", "ORG-spine.001", "DEF-spine.001", "ORG-eye.L"]
    assert part("scene.control_rig").deform_bones(bone, bones) == pieces


def test_there_is_no_control_rig_without_a_rig(part, make_avatar):
    import bpy

    part("scene.build").write_avatars([make_avatar(rig=False)], "Photo")
    assert not bpy.ops.sapiens2.control_rig.poll()
