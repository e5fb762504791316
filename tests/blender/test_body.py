"""The body of an avatar in the scene: what an artist finds in it, and that it stands where the fit says."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from support.reading import read, roles


@pytest.fixture
def fitted(part, make_avatar):
    """(avatar with a body alone, the fit that it was made of): bent in its joints, smiling, before a tilted camera."""
    evaluate, character = part("core.body.evaluate"), part("core.body.character")
    turn = part("core.common.rotations").rotation_from_vector
    rng = np.random.default_rng(5)
    turns = turn(rng.normal(0, 0.2, (len(evaluate.BONES), 3)))
    turns[[name.startswith("palm") for name in evaluate.BONES]] = np.eye(3)  # as in every fit
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = turn(np.array([0.2, 0, 0])) @ part("core.common.spaces").LEVEL_WORLD_FROM_CAMERA
    world_from_camera[:3, 3] = 0.3, -0.1, 1.2
    turns[0] = world_from_camera[:3, :3].T @ turn(np.array([0.1, 0.2, 0.7]))
    face = np.zeros(52)
    face[part("core.body.template").template().unit_names.index("mouthSmileLeft")] = 0.6
    shape = evaluate.Shape(head=rng.normal(0, 1, 40))
    fit = part("core.body.fitted").BodyFit(
        shape, evaluate.Posture(turns, np.array([0.1, 0.2, 3.0])), face, {"hand.L": True}, "The left hand is not in the photo."
    )
    body, rig = character.make_body(fit, character.resting_place(fit, world_from_camera))
    scan = make_avatar()
    avatar = replace(
        scan,
        world_from_camera=world_from_camera,
        mesh=None,
        textures=None,
        parts=None,
        weights=None,
        encoded={},
        body=body,
        rig=rig,
    )
    return avatar, fit


def evaluated(obj) -> np.ndarray:
    """(V, 3) world positions of the vertices, as keys and modifiers leave them."""
    bpy.context.view_layer.update()
    return read(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh().vertices, "co", 3)


def test_the_body_stands_in_the_pose_and_with_the_face_of_the_photo(part, fitted, tmp_path):
    """On opening the file too; in its rest it stands upright on the ground."""
    avatar, fit = fitted
    evaluate, template = part("core.body.evaluate"), part("core.body.template").template()
    found = roles(part("scene.build").write_avatars([avatar], "Photo"))
    used = np.unique(template.faces[template.body_faces()])
    points = evaluate.pose_points(evaluate.rest_points(fit.shape, fit.face), fit.posture)[used]
    wanted = part("core.common.spaces").transform_points(avatar.world_from_camera, points)
    for _ in range(2):
        off = np.linalg.norm(evaluated(found["body"]) - wanted, axis=1)
        assert off.max() < 2e-3 and np.median(off) < 2e-4  # weights are written in steps of 1/1023
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "body.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "body.blend"))
        found = roles(bpy.data.collections["Photo"])
    part("scene.photo_pose").show_photo_pose(found["rig"], False)
    at_rest = evaluated(found["body"])
    assert abs(at_rest[:, 2].min()) < 1e-3 and 1.4 < np.ptp(at_rest[:, 2]) < 2.1
    assert found["rig"]["sapiens2_doubt"] == fit.doubt and found["rig"].pose.bones["hand.L"]["sapiens2_unseen"]


def test_the_mesh_is_what_an_artist_expects(part, fitted):
    avatar, fit = fitted
    obj = roles(part("scene.build").write_avatars([avatar], "Photo"))["body"]
    mesh, keys = obj.data, obj.data.shape_keys.key_blocks
    assert set(read(mesh.polygons, "loop_total", 1, np.int32)) == {4} and not mesh.validate()
    assert [layer.name for layer in mesh.uv_layers] == ["UVMap"]
    assert read(mesh.uv_layers[0].data, "uv", 2).min() >= 0 and read(mesh.uv_layers[0].data, "uv", 2).max() <= 1
    names = [slot.material.name for slot in obj.material_slots]
    assert [name.split()[-1] for name in names] == ["Skin", "Eyes", "Lashes", "Teeth", "Tongue", "Irises", "Pupils"]
    assert set(read(mesh.polygons, "material_index", 1, np.int32)) == set(range(len(names)))
    assert read(mesh.polygons, "use_smooth", 1, bool).all()

    correctives = {key.name for key in keys if key.name.startswith("corrective_")}
    assert len(keys) == 1 + 52 + 15 + len(correctives) and "corrective_shin_bend.L" in correctives
    assert keys[0].name == "Basis" and "viseme_aa" in keys
    template = part("core.body.template").template()
    assert set(template.unit_names) <= set(keys.keys())
    np.testing.assert_allclose([keys[name].value for name in template.unit_names], fit.face, atol=1e-6)
    assert all(keys[f"viseme_{name}"].value == 0 for name in template.viseme_names)
    rest = read(keys[0].data, "co", 3)
    chin = np.linalg.norm(read(keys["jawOpen"].data, "co", 3) - rest, axis=1)
    assert 0.008 < chin.max() < 0.08 and (chin[rest[:, 2] < 0.7 * rest[:, 2].max()] == 0).all()

    deforming = {group.index for group in obj.vertex_groups if group.name in avatar.rig.names}
    weights = [[g.weight for g in v.groups if g.group in deforming] for v in mesh.vertices]
    assert max(map(len, weights)) <= 4
    np.testing.assert_allclose([sum(row) for row in weights], 1, atol=1e-3)


def test_what_clothes_cover_is_masked(part, fitted):
    avatar, _ = fitted
    covered = avatar.body.vertices @ avatar.world_from_camera[2, :3] + avatar.world_from_camera[2, 3] < 1.0
    avatar = replace(avatar, body=replace(avatar.body, covered=covered))
    obj = roles(part("scene.build").write_avatars([avatar], "Photo"))["body"]
    assert [modifier.type for modifier in obj.modifiers] == ["ARMATURE", "MASK"]
    assert len(evaluated(obj)) == np.count_nonzero(~covered)
    assert len(obj.data.vertices) == len(covered)


@pytest.mark.parametrize("bone", ["eye.L", "jaw"])
def test_eyes_turn_and_the_mouth_opens_with_bones(part, fitted, bone):
    """An eyeball turns about its middle, and lower teeth and tongue go with the jaw."""
    avatar, _ = fitted
    found = roles(part("scene.build").write_avatars([avatar], "Photo"))
    part("scene.photo_pose").show_photo_pose(found["rig"], False)
    before = evaluated(found["body"])
    pose_bone = found["rig"].pose.bones[bone]
    pose_bone.rotation_mode = "XYZ"
    pose_bone.rotation_euler.x = np.radians(20)
    moved = np.linalg.norm(evaluated(found["body"]) - before, axis=1)
    body = avatar.body

    def of(name: str) -> np.ndarray:
        return np.unique(body.quads[body.part == body.part_names.index(name)])

    if bone == "eye.L":
        head = np.array(found["rig"].data.bones["eye.L"].head_local)
        ball = of("eyes")[moved[of("eyes")] > 1e-5]
        assert len(ball) == len(of("eyes")) // 2
        radius = np.linalg.norm(before[ball] - head, axis=1)
        np.testing.assert_allclose(np.linalg.norm(evaluated(found["body"])[ball] - head, axis=1), radius, atol=1e-4)
        assert moved[of("teeth")].max() < 1e-5
    else:
        teeth = moved[of("teeth")]
        assert (teeth > 3e-3).sum() == (teeth < 1e-5).sum()  # the lower row, and not the upper one
        assert (moved[of("tongue")] > 2e-3).mean() > 0.5
        assert moved[of("eyes")].max() < 1e-5


def test_a_body_goes_through_a_file(part, fitted, tmp_path):
    """As the worker hands it to Blender."""
    formats = part("core.formats.avatar_file")
    avatar, _ = fitted
    (read_back,) = formats.load_avatars(formats.save_avatars([avatar], tmp_path / "avatars.safetensors"))
    assert read_back.mesh is None and read_back.textures is None and read_back.pixels == avatar.pixels
    for name in ("vertices", "quads", "part", "uvs", "key_entries", "key_offsets", "key_values"):
        np.testing.assert_array_equal(getattr(read_back.body, name), getattr(avatar.body, name))
    np.testing.assert_array_equal(read_back.body.weights.weights, avatar.body.weights.weights)
    assert read_back.body.key_names == avatar.body.key_names and read_back.body.part_names == avatar.body.part_names
    np.testing.assert_array_equal(read_back.rig.photo_from_rest, avatar.rig.photo_from_rest)


def test_a_second_build_takes_the_place_of_the_first(part, fitted):
    """Nothing of the first one is left, whether it was a body or a scan."""
    avatar, _ = fitted
    build = part("scene.build")
    collection = build.write_avatars([avatar], "Photo")
    blocks = {
        kind: len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "armatures", "materials", "actions", "shape_keys")
    }
    mine = bpy.data.objects.new("mine", None)
    collection.objects.link(mine)
    build.write_avatars([avatar], "Photo", replace=collection)
    blocks["objects"] += 1
    assert {kind: len(getattr(bpy.data, kind)) for kind in blocks} == blocks
    assert "mine" in collection.objects and part("scene.marks").has_person(collection)
    assert not part("scene.update").fits(collection, [avatar])  # body and rig are made again together


def test_a_body_is_built_again_in_place(part, fitted):
    """The artist's expression, keys, groups, modifiers, pose and materials stay; the shape of the body is new."""
    avatar, _ = fitted
    build = part("scene.build")
    collection = build.write_avatars([avatar], "Photo", source="/p")
    (body,) = [obj for obj in collection.objects if obj.get("sapiens2_role") == "body"]
    (rig,) = [obj for obj in collection.objects if obj.get("sapiens2_role") == "rig"]
    names = [key.name for key in body.data.shape_keys.key_blocks]
    smile, still = names[1], names[2]
    before = body.data.shape_keys.key_blocks[still].value
    body.data.shape_keys.key_blocks[smile].value = 0.6
    body.data.shape_keys.key_blocks[smile].keyframe_insert("value", frame=1)
    action = body.data.shape_keys.animation_data.action
    size = np.linalg.norm(np.ptp(read(body.data.vertices, "co", 3), axis=0))
    own = body.shape_key_add(name="Mine", from_mix=False)
    moved = read(own.data, "co", 3)
    moved[3] += (0, 0, 0.2)
    own.data.foreach_set("co", moved.ravel())
    body.vertex_groups.new(name="Pin").add([0, 1, 2], 0.5, "REPLACE")
    skin = body.data.materials[0]
    skin.roughness = 0.9
    body.name, rig.location.x = "Hero", 1.0
    rig.pose.bones[0].rotation_mode = "XYZ"
    bigger = replace(avatar.body, vertices=avatar.body.vertices * np.float32(1.1))
    notes = []
    build.write_avatars([replace(avatar, body=bigger)], "Photo", source="/p", replace=collection, notes=notes)
    assert notes == [] and {obj for obj in collection.objects if obj.get("sapiens2_role") == "body"} == {body}
    keys = body.data.shape_keys
    assert [key.name for key in keys.key_blocks] == [*names, "Mine"] and keys.animation_data.action == action
    assert keys.key_blocks[smile].value == pytest.approx(0.6) and keys.key_blocks[still].value == pytest.approx(before)
    basis = read(keys.reference_key.data, "co", 3)
    raised = read(keys.key_blocks["Mine"].data, "co", 3) - basis
    np.testing.assert_allclose(raised[3], (0, 0, 0.2), atol=1e-5)
    np.testing.assert_allclose(np.delete(raised, 3, 0), 0, atol=1e-6)
    assert np.linalg.norm(np.ptp(basis, axis=0)) == pytest.approx(1.1 * size, rel=1e-3)
    index = body.vertex_groups["Pin"].index
    pinned = [vertex.index for vertex in body.data.vertices if any(g.group == index and g.weight > 0.4 for g in vertex.groups)]
    assert pinned == [0, 1, 2]
    assert body.data.materials[0] == skin and skin.roughness == pytest.approx(0.9)
    assert len(body.data.materials) == len(avatar.body.part_names)
    assert (body.name, rig.location.x, body.parent, rig.pose.bones[0].rotation_mode) == ("Hero", 1.0, rig, "XYZ")
    assert len([m for m in body.modifiers if m.type == "ARMATURE"]) == 1
    assert not part("scene.hand_edits").is_edited(body.data)
    assert sum(mesh.users > 0 for mesh in bpy.data.meshes) == len([o for o in collection.objects if o.type == "MESH"])
