"""The bone table: recognised when an armature is chosen, corrected, mirrored, saved, loaded, and what it says is posed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest


@pytest.fixture
def settings():
    return bpy.context.scene.sapiens2.retarget


@pytest.fixture
def pose(character, part):
    """The mean person with bent arms, in the space of a level camera, and where that camera stands."""
    from measures.rig_factory import person
    from sapiens2_avatar.core.common.landmarks import JOINT_NAMES

    data, frames = part("core.common.arrays"), part("core.common.spaces")
    joints = np.array([person("odd", 3)[n] for n in JOINT_NAMES])
    world = np.eye(4)
    world[:3, :3] = frames.LEVEL_WORLD_FROM_CAMERA
    pose = data.Pose(JOINT_NAMES, (joints @ frames.LEVEL_WORLD_FROM_CAMERA).astype(np.float32), np.ones(68, np.float32),
                     np.ones(68, bool),
                     np.full((308, 3), np.nan, np.float32), 1.7)  # fmt: skip
    return pose, world


def rows(settings) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for row in settings.bones:
        out.setdefault(row.role, []).append(row.bone)
    return out


def test_choosing_an_armature_fills_the_table(character, settings, part) -> None:
    settings.armature = character()
    assert settings.family == "Mixamo" and settings.confidence == pytest.approx(1.0) and not settings.problem
    table = rows(settings)
    assert set(table) == set(part("core.retarget.bone_map").ROLES)
    assert table["leftUpperArm"] == ["mixamorig:LeftArm"] and len(table["spine"]) == 3 and table["jaw"] == [""]
    settings.armature = character("vrm1", rename=lambda name: f"hero:{name}")
    assert "VRM" in settings.family and 0.85 < settings.confidence < 0.95
    settings.armature = None
    assert not len(settings.bones) and not settings.family


def test_an_armature_that_is_no_body_says_why_and_can_be_filled_by_hand(settings, part) -> None:
    data = bpy.data.armatures.new("Rope")
    obj = bpy.data.objects.new("Rope", data)
    bpy.context.scene.collection.objects.link(obj)
    with part("scene.armature").edit_bones(obj) as bones:
        bones.new("a").tail = (0, 0, 1)
    settings.armature = obj
    assert "'Rope' could not be recognised" in settings.problem and not settings.family
    assert all(not row.bone for row in settings.bones) and len(settings.bones) > 50
    with pytest.raises(RuntimeError, match="could not be recognised"):
        bpy.ops.sapiens2.bones_auto()


def test_what_is_cleared_is_not_posed_and_what_is_chosen_is(character, settings, part, pose) -> None:
    obj = character()
    settings.armature = obj
    settings.active_bone = next(n for n, row in enumerate(settings.bones) if row.role == "leftHand")
    assert bpy.ops.sapiens2.bones_clear() == {"FINISHED"}
    bone_map = part("bone_table_rows").read(settings, part("scene.rig_state").read_rest(obj))
    assert "leftHand" not in bone_map.bones and bone_map.bones["rightHand"]
    done = part("scene.retarget").retarget(pose[0], obj, bones=bone_map, world_from_camera=pose[1])
    assert "mixamorig:LeftHand" not in done.bones and "mixamorig:RightHand" in done.bones
    assert tuple(obj.pose.bones["mixamorig:LeftHand"].rotation_quaternion) == (1, 0, 0, 0)


def test_rows_are_added_removed_and_mirrored(character, settings) -> None:
    settings.armature = character()
    index = next(n for n, row in enumerate(settings.bones) if row.role == "spine")
    settings.active_bone = index
    bpy.ops.sapiens2.bones_add()
    assert settings.active_bone == index + 1 and rows(settings)["spine"].count("") == 1
    bpy.ops.sapiens2.bones_clear()
    assert rows(settings)["spine"] == ["mixamorig:Spine", "mixamorig:Spine1", "mixamorig:Spine2"]
    for row in settings.bones:
        if row.role.startswith("right"):
            row.bone = ""
    assert bpy.ops.sapiens2.bones_mirror(source="left") == {"FINISHED"}
    table = rows(settings)
    assert table["rightUpperArm"] == ["mixamorig:RightArm"] and table["rightIndexDistal"] == ["mixamorig:RightHandIndex3"]
    assert table["leftUpperArm"] == ["mixamorig:LeftArm"]


def test_a_table_is_saved_and_loaded_and_its_faults_are_named(character, settings, tmp_path) -> None:
    settings.armature = character()
    before = rows(settings)
    path = tmp_path / "my table ü.json"
    assert bpy.ops.sapiens2.bones_save(filepath=str(path)) == {"FINISHED"}
    for row in settings.bones:
        row.bone = ""
    assert bpy.ops.sapiens2.bones_load(filepath=str(path)) == {"FINISHED"}
    assert rows(settings) == before
    settings.armature = character("ue4_mannequin")
    before = rows(settings)
    with pytest.raises(RuntimeError, match="names bones that 'ue4_mannequin' does not have: 'mixamorig:"):
        bpy.ops.sapiens2.bones_load(filepath=str(path))
    path.write_text(json.dumps({"format": "something else"}))
    with pytest.raises(RuntimeError, match="is not a bone table of this extension"):
        bpy.ops.sapiens2.bones_load(filepath=str(path))
    assert rows(settings) == before


def test_a_bone_that_was_renamed_since_is_named(character, settings, part, pose) -> None:
    obj = character()
    settings.armature = obj
    obj.data.bones["mixamorig:LeftArm"].name = "Arm"
    with pytest.raises(part("core.common.errors").SapiensError, match="does not have: 'mixamorig:LeftArm'"):
        part("bone_table_rows").read(settings, part("scene.rig_state").read_rest(obj))


def test_a_table_from_a_file_is_used_by_the_function(character, part, pose, tmp_path) -> None:
    """Names that nobody knows, limbs that a table names: what the table says wins over recognition by structure."""
    obj = character(rename=lambda name: f"b{sum(map(ord, name)) * 7919 % 99991}")
    twin = character()
    of = {
        part("core.retarget.recognise").simplified(t.name): o.name for o, t in zip(obj.data.bones, twin.data.bones, strict=True)
    }
    table = {role: [of[part("core.retarget.recognise").simplified(n)] for n in names]
             for role, names in part("core.retarget.recognise").recognise(
                 part("scene.rig_state").read_rest(twin)).bones.items()}  # fmt: skip
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"format": "sapiens2-bone-map", "version": 1, "bones": table}))
    retarget = part("scene.retarget").retarget
    first = retarget(pose[0], obj, bones=path, world_from_camera=pose[1])
    second = retarget(pose[0], twin, world_from_camera=pose[1])
    assert len(first.bones) == len(second.bones)
    bpy.context.view_layer.update()
    for o, t in zip(obj.pose.bones, twin.pose.bones, strict=True):
        assert np.abs(np.array(o.matrix) - np.array(t.matrix)).max() < 1e-5


def test_one_undo_takes_the_pose_back(character, settings, pose, part, monkeypatch, tmp_path) -> None:
    """The operator: table of the sidebar, a result of the worker, one undo step."""
    obj = character()
    name = obj.name
    settings.armature = obj
    next(row for row in settings.bones if row.role == "leftHand").bone = ""
    bpy.context.scene.sapiens2.predictions = str(tmp_path / "p.safetensors")
    (tmp_path / "p.safetensors").write_bytes(b"x")
    saved = part("core.formats.pose_file").save_pose(pose[0], tmp_path / "pose.safetensors")
    jobs, state = part("jobs"), part("worker.job").State

    def submit(job):
        job.state, job.result = state.DONE, {"pose": str(saved)}
        return job

    monkeypatch.setattr(jobs, "interpreter", lambda: Path(sys.executable))
    monkeypatch.setattr(jobs, "submit", submit)
    monkeypatch.setattr(jobs, "wait", lambda job: job)
    bpy.ops.ed.undo_push(message="before")
    assert bpy.ops.sapiens2.retarget(snap_ik=False) == {"FINISHED"}
    bpy.ops.ed.undo_push(message="retarget")
    bones = bpy.data.objects[name].pose.bones
    assert abs(bones["mixamorig:LeftArm"].rotation_quaternion.w) < 0.9999
    assert tuple(bones["mixamorig:LeftHand"].rotation_quaternion) == (1, 0, 0, 0)
    bpy.ops.ed.undo()
    for bone in bpy.data.objects[name].pose.bones:
        assert np.abs(np.array(bone.matrix_basis) - np.eye(4)).max() < 1e-6
    assert len(bpy.context.scene.sapiens2.retarget.bones) > 50
