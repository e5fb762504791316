"""A take or a pose shows in files whose artist left the NLA in some state: what hid it is changed, said, and still there."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from support.characters import keypoint_file, walking

FRAMES = (1, 3, 6, 20)


def evaluated(obj, world: bool) -> np.ndarray:
    done = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([done.matrix_world @ bone.matrix if world else bone.matrix for bone in done.pose.bones])


def shown(obj, frames=FRAMES, world: bool = True) -> np.ndarray:
    """(F, B, 4, 4): every bone at these frames, the last one behind the end of the take."""
    out = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        out.append(evaluated(obj, world))
    return np.array(out)


def old_action(obj, bone: str = "mixamorig:LeftArm", whole: bool = False) -> bpy.types.Action:
    """Two keys of an artist: a bone that turns and moves, or the object itself; without a user."""
    name = f"old {bone}"
    target = obj if whole else obj.pose.bones[bone]
    mode, obj.rotation_mode = obj.rotation_mode, "QUATERNION"
    for frame, angle in ((1, 0.4), (30, 1.2)):
        target.rotation_quaternion = (np.cos(angle), 0, 0, np.sin(angle))
        target.location = (angle, 0, 0.2)
        target.keyframe_insert("rotation_quaternion", frame=frame)
        target.keyframe_insert("location", frame=frame)
    action = obj.animation_data.action
    action.name, obj.animation_data.action = name, None
    target.rotation_quaternion, target.location, obj.rotation_mode = (1, 0, 0, 0), (0, 0, 0), mode
    return action


def strip(obj, action, name: str = "Artist's track"):
    track = obj.animation_data.nla_tracks.new()
    track.name = name
    made = track.strips.new(action.name, 1, action)
    if hasattr(made, "action_slot") and made.action_slot is None:
        made.action_slot = action.slots[0]
    return track


def solo(obj):
    strip(obj, old_action(obj)).is_solo = True


def tweak(obj):
    track = strip(obj, old_action(obj))
    track.select = track.strips[0].select = True
    obj.animation_data.nla_tracks.active = track
    obj.animation_data.use_tweak_mode = True
    assert obj.animation_data.use_tweak_mode


def weak(obj):
    obj.animation_data_create().action_influence = 0.0
    strip(obj, old_action(obj))


def half(obj):
    obj.animation_data_create().action_influence = 0.5


def blend(kind):
    def change(obj):
        strip(obj, old_action(obj))
        obj.animation_data.action_blend_type = kind

    return change


def nothing_outside(obj):
    strip(obj, old_action(obj))
    obj.animation_data.action_extrapolation = "NOTHING"


def moved_hips_location(obj):
    strip(obj, old_action(obj, "mixamorig:Spine"))  # a take has no location for it


def moved_object(obj):
    strip(obj, old_action(obj, whole=True))


def in_a_meta_strip(obj):
    track = strip(obj, old_action(obj, "mixamorig:Spine"))
    other = track.strips.new("behind", 60, track.strips[0].action)
    assert other is not None


def two_tracks(obj):
    strip(obj, old_action(obj), "low")
    strip(obj, old_action(obj, "mixamorig:Spine"), "high").strips[0].blend_type = "ADD"


STATES = {
    "solo": solo,
    "tweak mode": tweak,
    "influence 0": weak,
    "influence 0.5": half,
    **{kind.lower(): blend(kind) for kind in ("ADD", "SUBTRACT", "MULTIPLY", "COMBINE")},
    "nothing outside": nothing_outside,
    "a location that the take lacks": moved_hips_location,
    "the object": moved_object,
    "two strips": in_a_meta_strip,
    "two tracks": two_tracks,
}


@pytest.fixture
def motion(factory, part):
    return part("core.retarget.body_motion").motion_from_joints(walking(factory, 8), fps=24.0)


@pytest.mark.parametrize("state", STATES)
def test_a_take_shows_whatever_the_nla_is_like(state, character, motion, part) -> None:
    bpy.context.scene.render.fps = 24
    write = part("scene.action").write_take
    clean = character("mixamo")
    write(motion, clean)
    truth = shown(clean)
    assert np.ptp(truth, axis=0).max() > 0.05, "the take moves"
    obj = character("mixamo")
    STATES[state](obj)
    kept = {action.name for action in bpy.data.actions}
    written = write(motion, obj)
    assert np.abs(shown(obj) - truth).max() < 1e-5
    assert any("For the motion to show" in note for note in written.notes) or state == "nothing outside"
    assert kept <= {action.name for action in bpy.data.actions}
    assert not obj.animation_data.use_tweak_mode


@pytest.mark.parametrize("state", [None, *STATES])
@pytest.mark.parametrize("action", [False, True])
def test_the_pose_command_shows_its_pose_when_the_file_opens(state, action, character, factory, part, tmp_path) -> None:
    files = part("scene.files")
    source = keypoint_file(factory, tmp_path / "k.json", 1)
    main = part("commands.cli").main

    def posed(change) -> np.ndarray:
        files.new_file()
        obj = character("mixamo")
        change(obj)
        files.save_blend(tmp_path / "rig.blend")
        out = tmp_path / "out.blend"
        assert main(["pose", str(source), "--armature", str(tmp_path / "rig.blend"), "-o", str(out)]) == 0
        files.open_blend(out)
        return shown(bpy.data.objects["mixamo"], (1, 5), world=False)  # a rig that walked away stays where it is

    def animated(obj):
        if state is not None:
            STATES[state](obj)
        if action and not (obj.animation_data and obj.animation_data.use_tweak_mode):
            made = old_action(obj, "mixamorig:RightLeg")
            part("scene.keys").assign(obj, made)

    pytest.importorskip("scipy", reason="the command line computes by itself where scipy is")
    truth = posed(lambda obj: None)
    assert np.abs(posed(animated) - truth).max() < 1e-4
    names = {found.name for found in bpy.data.actions}
    assert not action or state == "tweak mode" or "old mixamorig:RightLeg" in names, "the artist's action is in the file"


def test_what_was_put_aside_is_said(character, factory, part, tmp_path, capsys) -> None:
    pytest.importorskip("scipy", reason="the command line computes by itself where scipy is")
    part("scene.files").new_file()
    obj = character("mixamo")
    strip(obj, old_action(obj))
    part("scene.keys").assign(obj, old_action(obj, "mixamorig:RightLeg"))
    rig = part("scene.files").save_blend(tmp_path / "rig.blend")
    source = keypoint_file(factory, tmp_path / "k.json", 1)
    assert part("commands.cli").main(["pose", str(source), "--armature", str(rig), "-o", str(tmp_path / "o.blend")]) == 0
    said = capsys.readouterr().err
    assert "the action 'old mixamorig:RightLeg' was unlinked, and is kept in the file" in said
    assert "the NLA track 'Artist's track' was muted" in said


def test_tracks_that_are_about_something_else_stay(character, motion, part) -> None:
    """A strip that keys a bone which the take neither moves nor hangs on goes on playing."""
    obj = character("mixamo")
    action = old_action(obj)
    for curve in list(all_curves(action)):
        curve.data_path = curve.data_path.replace("mixamorig:LeftArm", "mixamorig:NotThere")
    track = strip(obj, action)
    written = part("scene.action").write_take(motion, obj)
    assert not track.mute and not any("For the motion" in note for note in written.notes)


def all_curves(action):
    if hasattr(action, "layers"):
        return [c for layer in action.layers for part in layer.strips for bag in part.channelbags for c in bag.fcurves]
    return action.fcurves


def test_an_interactive_pose_says_that_it_will_be_lost(character, factory, part) -> None:
    body = part("core.retarget.body_motion").motion_from_joints(walking(factory, 1))
    obj = character("mixamo")
    strip(obj, old_action(obj))
    done = part("scene.retarget").pose_armature(obj, body)
    assert any("insert keys" in note for note in done.notes) and not obj.animation_data.nla_tracks[0].mute
