"""A take on an avatar: one action moves its bones and its face, wherever it goes."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import bpy
import numpy as np
import pytest

from support.characters import walking
from support.reading import read, roles

SLOTS = bpy.app.version >= (4, 4)
FRAMES = 8


@pytest.fixture
def avatar(part, make_avatar):
    """An avatar with a body in the A-pose, whose photo showed a smile."""
    body, rig = part("core.body.character").standing(part("core.body.evaluate").Shape())
    values = body.key_values.copy()
    values[body.key_names.index("mouthSmileLeft")] = 0.5
    bare = {"mesh": None, "textures": None, "parts": None, "weights": None, "encoded": {}, "world_from_camera": np.eye(4)}
    return replace(make_avatar(), **bare, body=replace(body, key_values=values), rig=rig)


@pytest.fixture
def take(part, factory):
    """Function: a walk in which a mouth opens and closes; without a face where that is asked for."""
    template = part("core.body.template").template()
    points = template.keypoints.over(np.arange(len(template.base)))
    opened = np.zeros((52,))
    opened[template.unit_names.index("jawOpen")] = 1.0
    evaluate = part("core.body.evaluate")
    shape = evaluate.Shape()
    moves = [points.of(evaluate.rest_points(shape, value * opened).astype(float))[70:] for value in (0.0, 0.8)]
    stature = part("core.body.character").stature(tuple(shape.numbers().tolist()))

    def make(face: bool = True):
        positions = walking(factory, FRAMES)
        share = np.sin(np.linspace(0, np.pi, FRAMES)) ** 2
        expression = (share[:, None, None] * np.nan_to_num(moves[1] - moves[0]) / stature).astype(np.float32)
        jaw = 10 * share, np.zeros((FRAMES, 2, 2))
        seen = np.ones(positions.shape[:2], bool)
        head = np.tile(np.eye(3), (FRAMES, 1, 1))
        ours = (jaw, jaw, expression, expression) if face else (None,) * 4
        names = ("face", "raw_face", "expression", "raw_expression")
        return part("core.motion.take").Take(
            positions, head, positions, head, seen, seen.all(1), np.zeros((FRAMES, 4), bool), 24.0, np.eye(4),
            locked=False, **dict(zip(names, ours, strict=True)),
        )  # fmt: skip

    return make


@pytest.fixture
def moving(part, avatar, take):
    """(collection, body, rig, what was written) of the avatar in its take, built from the take's first frame."""
    collection = part("scene.build").write_avatars([avatar], "Photo")
    found = roles(collection)
    part("scene.photo_pose").show_photo_pose(found["rig"], False)
    written = part("scene.action").write_take(take(), found["rig"], name="Walk", scene_fps=24.0, own_face=True)
    return collection, found["body"], found["rig"], written


def values(body, *names: str) -> np.ndarray:
    """(FRAMES, n) values of shape keys."""
    out = []
    for frame in range(1, FRAMES + 1):
        bpy.context.scene.frame_set(frame)
        keys = body.data.shape_keys.evaluated_get(bpy.context.evaluated_depsgraph_get()).key_blocks
        out.append([keys[name].value for name in names])
    return np.array(out)


def one_action(body, rig) -> bool:
    """Whether the body's shape keys and its rig share their action, each with a slot of its own."""
    face, bones = body.data.shape_keys.animation_data, rig.animation_data
    if not SLOTS:
        return face.action != bones.action
    kinds = face.action_slot.target_id_type, bones.action_slot.target_id_type
    return face.action == bones.action and kinds == ("KEY", "OBJECT")


def test_bones_and_face_are_one_action(part, moving, tmp_path):
    """The mouth opens by its key and not by the bone as well, the smile of the photo stays; after saving and opening too."""
    _, body, rig, written = moving
    assert one_action(body, rig) and written.action.name == "Walk"
    assert len(bpy.data.actions) == (3 if SLOTS else 5)  # the pose of the photo, the take, and the raw take
    assert written.raw_action is not None and written.keys > FRAMES
    names = body.name, rig.name
    part("scene.files").save_blend(tmp_path / "w.blend")
    part("scene.files").open_blend(tmp_path / "w.blend")
    body, rig = (bpy.data.objects[name] for name in names)
    assert one_action(body, rig)
    jaw, smile = values(body, "jawOpen", "mouthSmileLeft").T
    assert jaw[0] < 0.05 and 0.5 < jaw[FRAMES // 2] < 0.9 and jaw[-1] < 0.05
    assert np.abs(smile - 0.5).max() < 0.1
    bpy.context.scene.frame_set(FRAMES // 2)
    bone = rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones["jaw"]
    assert np.abs(np.array(bone.matrix_basis) - np.eye(4)).max() < 1e-4


def test_a_face_that_nobody_saw_stays_with_the_artist(part, moving, take):
    """Without a face in the take the shape keys get their slot and what they were built with; what somebody has keyed stays."""
    _, body, rig, _ = moving
    write, keys = part("scene.action").write_take, body.data.shape_keys
    write(take(face=False), rig, name="Seen from behind", scene_fps=24.0)
    if SLOTS:
        assert one_action(body, rig) and keys.animation_data.action.name == "Seen from behind"
    keys.animation_data.action = None
    keys.key_blocks["browInnerUp"].keyframe_insert("value", frame=1)
    own = keys.animation_data.action
    write(take(face=False), rig, name="Again", scene_fps=24.0)
    assert keys.animation_data.action == own and rig.animation_data.action.name == "Again"


def test_a_pose_puts_the_whole_character_aside(part, moving, take):
    _, body, rig, written = moving
    bpy.context.scene.frame_set(FRAMES // 2)
    part("scene.retarget").pose_armature(rig, take().motion(), put_aside=True)
    keys = body.data.shape_keys
    assert rig.animation_data.action is None and keys.animation_data.action is None and written.action.use_fake_user
    assert abs(keys.key_blocks["jawOpen"].value) < 1e-6 and abs(keys.key_blocks["mouthSmileLeft"].value - 0.5) < 1e-6


def test_a_rebuilt_avatar_keeps_its_take(part, moving, avatar):
    collection, body, rig, _ = moving
    before = values(body, "jawOpen")
    build = part("scene.build")
    build.write_avatars([avatar], "Photo", replace=collection)
    found = roles(collection)
    assert found["body"] == body and one_action(body, rig)
    assert np.allclose(values(body, "jawOpen"), before, atol=1e-5)


@pytest.mark.parametrize("suffix", [".glb", ".fbx", ".usda"])
def test_the_face_is_in_the_files(part, moving, tmp_path, suffix):
    """In one take under its name."""
    collection, body, _, _ = moving
    most = values(body, "jawOpen").max()
    try:
        path = part("scene.export").export(tmp_path / f"t{suffix}", [collection], motion=True)
    except part("core.common.errors").SapiensError as error:
        if "built without" in error.message:
            pytest.skip(error.message)
        raise
    content = path.read_bytes()
    if suffix == ".glb":
        size = struct.unpack_from("<I", content, 12)[0]
        said = json.loads(content[20 : 20 + size])
        (animation,) = said["animations"]
        assert animation["name"] == "Walk"
        assert {"weights", "rotation"} <= {channel["target"]["path"] for channel in animation["channels"]}
        return
    if suffix == ".usda":
        assert "blendShapeWeights.timeSamples" in content.decode()
        return
    assert b"Walk" in content
    part("scene.files").new_file()
    bpy.ops.import_scene.fbx(filepath=str(path))
    (shown,) = [ob for ob in bpy.data.objects if ob.type == "MESH" and ob.data.shape_keys]
    curves = [c for c in part("scene.face")._curves_of(shown.data.shape_keys) if "jawOpen" in c.data_path]
    assert curves and abs(max(read(curves[0].keyframe_points, "co", 2)[:, 1]) - most) < 0.02
