"""What a dialog refuses is said until it is mended, and by whom it was refused; what another one has said stays."""

from __future__ import annotations

import bpy
import pytest


@pytest.fixture
def avatar(part, make_avatar):
    made = part("scene.build").write_avatars([make_avatar()], "P")
    bpy.context.scene.sapiens2.avatar = made
    return made


def refuse(name: str, sentence: str, **given: str) -> None:
    with pytest.raises(RuntimeError, match=sentence):
        getattr(bpy.ops.sapiens2, name)(**given)


def test_an_export_that_is_mended_says_nothing_more(part, avatar, tmp_path):
    status = part("jobs").status
    (tmp_path / "file").write_text("x")
    refuse("export", "written|folder|directory|file", filepath=str(tmp_path / "file" / "inside.ply"), format=".ply")
    assert status.failed == "sapiens2.export" and status.error.hint
    assert bpy.ops.sapiens2.export(filepath=str(tmp_path / "P.ply"), format=".ply") == {"FINISHED"}
    assert (status.error, status.failed) == (None, "")


def test_another_success_leaves_what_is_said(part, avatar, tmp_path):
    status = part("jobs").status
    refuse("find_predictions", "does not exist", filepath=str(tmp_path / "none.safetensors"))
    said = status.error
    bpy.ops.sapiens2.asset_mark()
    assert status.error is said and status.failed == "sapiens2.find_predictions"


def test_bone_tables_are_refused_and_mended(part, avatar, tmp_path):
    status, table = part("jobs").status, bpy.context.scene.sapiens2.retarget
    table.armature = next(obj for obj in avatar.objects if obj.type == "ARMATURE")
    before = [(row.role, row.bone) for row in table.bones]
    (tmp_path / "bad.json").write_text("{")
    refuse("bones_load", r"bad\.json", filepath=str(tmp_path / "bad.json"))
    assert status.failed == "sapiens2.bones_load" and [(row.role, row.bone) for row in table.bones] == before


def test_the_set_up_refuses_a_folder_that_is_not_there(part, tmp_path, monkeypatch):
    status = part("jobs").status
    monkeypatch.setattr(part("operators.models"), "is_accepted", lambda: False)
    refuse("runtime_install", "There is no folder", wheels=str(tmp_path / "none"))
    assert status.failed == "sapiens2.runtime_install" and status.error.hint
    refuse("model_import", "license", filepath=str(tmp_path / "none"))
    assert status.failed == "sapiens2.model_import", "the last one is said"


def test_operators_are_named_alike_in_jobs_and_errors(part):
    """What compares these names compares nothing where an operator has another one."""
    assert part("operators.build").SAPIENS2_OT_run.bl_idname == part("operators.photos").RUN
    rebuild, pins = part("operators.rebuild"), part("operators.pins")
    assert (rebuild.SAPIENS2_OT_build_scan.bl_idname, pins.SAPIENS2_OT_pin_set.bl_idname) == pins.BUILDS


def test_what_was_refused_goes_with_its_cause_with_undo_and_with_another_file(part, tmp_path):
    status, parts = part("jobs").status, part("panels.parts")
    wrong = {"wheels": str(tmp_path / "none")}
    refuse("runtime_install", "There is no folder", **wrong)
    assert parts.shown_error() is status.error
    bpy.context.scene.sapiens2.batch.folder = str(tmp_path)
    assert parts.shown_error() is None, "it was about another choice"
    refuse("runtime_install", "There is no folder", **wrong)
    for handler in bpy.app.handlers.undo_post:
        handler(bpy.context.scene)
    assert status.error is None
    refuse("runtime_install", "There is no folder", **wrong)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert status.error is None and parts.shown_error() is None
