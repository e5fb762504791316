"""Rigify's control rig in one click, in every Blender: nothing moves, everything follows, and there is a way back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

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


def test_who_had_the_rig_selected_has_its_controls_selected_and_sees_them(part, monkeypatch):
    """The rig is hidden then; an avatar that is shown alone would not show the control rig."""
    avatar, show = part("operators.avatar"), part("operators.show")
    rig, controls = (bpy.data.objects.new(name, bpy.data.armatures.new(name)) for name in ("Rig", "Controls"))
    for obj in (rig, controls):
        bpy.context.scene.collection.objects.link(obj)
    avatar._take_over(bpy.context, rig, controls)
    assert bpy.context.view_layer.objects.active is None, "who had something else selected keeps it"
    bpy.context.view_layer.objects.active = rig
    avatar._take_over(bpy.context, rig, controls)
    assert bpy.context.view_layer.objects.active == controls and controls.select_get()
    assert not part("avatar_queries").is_of_avatar(controls)
    rig["sapiens2_controls"] = controls
    assert part("avatar_queries").is_of_avatar(controls)

    shown, overlay = [], SimpleNamespace(show_bones=False)
    space = SimpleNamespace(as_pointer=lambda: 5, local_view=None, overlay=overlay)
    area = SimpleNamespace(type="VIEW_3D", spaces=SimpleNamespace(active=space))
    objects = {"Rig": None, "Controls": None}
    window = SimpleNamespace(screen=SimpleNamespace(areas=[area]), view_layer=SimpleNamespace(objects=objects))
    context = SimpleNamespace(window_manager=SimpleNamespace(windows=[window]))
    plain = SimpleNamespace(name="Rig", local_view_get=lambda _view: True)
    made = SimpleNamespace(name="Controls", local_view_set=lambda view, state: shown.append((view, state)))
    show.show_instead(context, plain, made)
    assert not shown and not overlay.show_bones, "a view that shows everything shows it anyway"
    space.local_view = True
    monkeypatch.setitem(show._before, 5, {"show_bones": True})
    show.show_instead(context, plain, made)
    assert shown == [(space, True)] and overlay.show_bones and show._before[5] == {}
