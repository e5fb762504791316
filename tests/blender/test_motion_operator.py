"""Clips and files of other programs onto an armature from the sidebar: what is written, what is reused, what is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import bpy
import numpy as np
import pytest

from support.characters import keypoint_file, walking


@pytest.fixture
def settled(worker, rig_file):
    """The scene's settings, with a Mixamo rig in the file."""
    bpy.ops.wm.open_mainfile(filepath=str(rig_file("mixamo")), load_ui=False)
    settings = bpy.context.scene.sapiens2
    settings.retarget.armature = bpy.data.objects["mixamo"]
    return settings


@pytest.fixture
def clip(studio, tmp_path) -> Path:
    folder = tmp_path / "walk ü"
    folder.mkdir()
    for n in range(4):
        (folder / f"frame_{n}.safetensors").write_bytes(studio(f"walk/frame_0{n}").read_bytes())
    return folder


def values(action) -> np.ndarray:
    """Every key of an action."""
    layered = hasattr(action, "layers")
    curves = (
        [c for layer in action.layers for strip in layer.strips for bag in strip.channelbags for c in bag.fcurves]
        if layered
        else action.fcurves
    )
    return np.array([[k.co[1] for k in curve.keyframe_points] for curve in curves])


def test_a_clip_becomes_an_action_and_is_looked_at_once(settled, clip, part) -> None:
    settled.motion.clip, settled.motion.smoothness, settled.motion.lock_feet, settled.motion.fps = str(clip), 0.0, False, 8.0
    assert bpy.ops.sapiens2.animate() == {"FINISHED"}
    rig = bpy.data.objects["mixamo"]
    first = rig.animation_data.action
    assert first.name == clip.name and values(first).shape[1] == 4
    assert [t.name for t in rig.animation_data.nla_tracks] == ["Raw take"] and rig.animation_data.nla_tracks[0].mute
    for path in clip.iterdir():  # the poses are kept: the frames are not read again
        content = path.read_bytes()
        status = path.stat()
        path.write_bytes(b"\0" * len(content))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    settled.motion.smoothness, settled.motion.keep_raw, settled.motion.at_cursor = 1.0, False, True
    bpy.context.scene.frame_set(50)
    assert bpy.ops.sapiens2.animate() == {"FINISHED"}
    second = rig.animation_data.action
    assert second != first and first.name in bpy.data.actions and second.frame_range[0] == 50
    assert np.abs(np.diff(values(second), n=2, axis=1)).sum() < 0.7 * np.abs(np.diff(values(first), n=2, axis=1)).sum()
    assert bpy.context.scene.frame_end >= 50


def test_the_scene_ends_with_the_take_unless_something_else_moves(settled, worker, factory, tmp_path) -> None:
    scene = bpy.context.scene
    scene.render.fps = 24
    settled.motion.fps = 24.0
    assert (scene.frame_start, scene.frame_end) == (1, 250)
    assert bpy.ops.sapiens2.import_motion(filepath=str(keypoint_file(factory, tmp_path / "clip.json", 12))) == {"FINISHED"}
    assert (scene.frame_start, scene.frame_end) == (1, 12)
    assert "The scene plays the frames 1 to 12 now." in worker.status.notes
    other = bpy.data.objects.new("Other", None)
    scene.collection.objects.link(other)
    other.keyframe_insert("location", frame=1)
    assert bpy.ops.sapiens2.import_motion(filepath=str(keypoint_file(factory, tmp_path / "short.json", 5))) == {"FINISHED"}
    assert (scene.frame_start, scene.frame_end) == (1, 12) and not any("plays" in note for note in worker.status.notes)
    assert bpy.ops.sapiens2.import_motion(filepath=str(keypoint_file(factory, tmp_path / "long.json", 20))) == {"FINISHED"}
    assert (scene.frame_start, scene.frame_end) == (1, 20)


def test_one_undo_takes_the_motion_back(settled, factory, tmp_path) -> None:
    source = keypoint_file(factory, tmp_path / "clip.json", 3)
    bpy.ops.ed.undo_push(message="before")
    before = len(bpy.data.actions)
    assert bpy.ops.sapiens2.import_motion(filepath=str(source)) == {"FINISHED"}
    bpy.ops.ed.undo_push(message="motion")
    assert len(bpy.data.actions) == before + 2
    bpy.ops.ed.undo()
    assert len(bpy.data.actions) == before
    data = bpy.data.objects["mixamo"].animation_data
    assert data is None or data.action is None


def test_one_frame_is_a_pose_and_the_table_counts(settled, factory, tmp_path) -> None:
    next(row for row in settled.retarget.bones if row.role == "leftHand").bone = ""
    source = keypoint_file(factory, tmp_path / "k.json", 1)
    assert bpy.ops.sapiens2.import_motion(filepath=str(source)) == {"FINISHED"}
    bones = bpy.data.objects["mixamo"].pose.bones
    assert not bpy.data.actions and abs(bones["mixamorig:LeftArm"].rotation_quaternion.w) < 0.9999
    assert tuple(bones["mixamorig:LeftHand"].rotation_quaternion) == (1, 0, 0, 0)


def test_a_folder_of_keypoint_files_and_a_bvh(settled, factory, tmp_path) -> None:
    whole = json.loads(keypoint_file(factory, tmp_path / "all.json", 3).read_text())
    folder = tmp_path / "frames"
    folder.mkdir()
    for n, frame in enumerate(whole["instance_info"]):
        (folder / f"f{n}.json").write_text(json.dumps({"meta_info": whole["meta_info"], "instance_info": frame["instances"]}))
    assert bpy.ops.sapiens2.import_motion(filepath=str(folder / "f1.json"), sequence=True) == {"FINISHED"}
    assert values(bpy.data.objects["mixamo"].animation_data.action).shape[1] == 3

    from measures.round_trip import forward_kinematics
    from sapiens2_avatar.core.formats.bvh import BvhClip, write_bvh
    from sapiens2_avatar.core.retarget.body_motion import motion_from_joints
    from sapiens2_avatar.core.retarget.recognise import recognise
    from sapiens2_avatar.core.retarget.solve import retarget_motion

    rest = factory.make_rig("cmu_bvh_cgspeed", "T")
    solved = retarget_motion(motion_from_joints(walking(factory, 6)), rest, recognise(rest))
    rotations, heads = forward_kinematics(rest, solved)
    path = write_bvh(BvhClip(rest, rotations, heads[:, 0], 24.0), tmp_path / "clip.bvh")
    assert bpy.ops.sapiens2.import_motion(filepath=str(path)) == {"FINISHED"}
    assert values(bpy.data.objects["mixamo"].animation_data.action).shape[1] == 6


def test_what_is_missing_is_said_before_the_work(settled, clip, factory, tmp_path) -> None:
    with pytest.raises(RuntimeError, match="No clip is chosen"):
        bpy.ops.sapiens2.animate()
    settled.motion.clip = str(tmp_path / "none.mp4")
    with pytest.raises(RuntimeError, match=r"none\.mp4 does not exist"):
        bpy.ops.sapiens2.animate()
    settled.motion.clip, settled.retarget.armature = str(clip), None
    with pytest.raises(RuntimeError, match="no armature to move"):
        bpy.ops.sapiens2.animate()
    settled.retarget.armature = bpy.data.objects["mixamo"]
    settled.retarget.armature.scale = (1, 1, 2)
    bpy.context.view_layer.update()
    with pytest.raises(RuntimeError, match="scaled unevenly"):
        bpy.ops.sapiens2.animate()
    settled.retarget.armature.scale = (1, 1, 1)
    bpy.context.view_layer.update()
    settled.motion.person = 4
    with pytest.raises(RuntimeError, match="number 4 was asked for"):
        bpy.ops.sapiens2.animate()
    (tmp_path / "bad.json").write_text("[")
    with pytest.raises(RuntimeError, match=r"bad\.json is not valid JSON"):
        bpy.ops.sapiens2.import_motion(filepath=str(tmp_path / "bad.json"))
    assert not bpy.data.actions


def test_a_cancelled_clip_leaves_nothing(settled, clip, part, tmp_path) -> None:
    jobs = part("jobs")
    request = part("worker.requests").AnimateRequest(clip=clip, output=tmp_path / "take", poses=tmp_path / "poses.safetensors")
    job = jobs.submit(part("worker.client").WorkerJob("clip", request))
    job.cancel()
    jobs.wait(job, 60)
    assert job.state is part("worker.job").State.CANCELLED
    assert not (tmp_path / "take").exists() and not (tmp_path / "poses.safetensors").exists()


def test_the_rig_of_the_avatar_moves_where_no_armature_is_chosen(settled, make_avatar, part) -> None:
    settled.retarget.armature = None
    collection = part("scene.build").write_avatars([make_avatar()], "Photo", source="p")
    settled.predictions = "p"
    assert part("operators.motion").target(bpy.context) in list(collection.all_objects)
