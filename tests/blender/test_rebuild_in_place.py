"""An avatar built again keeps all that the artist has done to it, and nothing changes when it cannot be built."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from support.reading import read, roles

KINDS = ("objects", "meshes", "materials", "images", "cameras", "armatures", "actions", "collections", "node_groups", "scenes")


def datablocks():
    return {kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in KINDS}


def points(obj):
    return read(obj.data.vertices, "co", 3)


@pytest.fixture
def write(part, make_avatar):
    def run(*avatars, **options):
        return part("scene.build").write_avatars(avatars or (make_avatar(),), "Photo", source="/p", **options)

    return run


@pytest.fixture(params=["same mesh", "other resolution"])
def again(request, write, make_avatar):
    """Function: the same photo built again in place, into the same faces or into others. Returns the sentences about it."""

    def run(collection, **options):
        size = (64, 48) if request.param == "same mesh" else (40, 30)
        notes = []
        avatar = replace(make_avatar(*size, **options), image=make_avatar().image)
        assert write(avatar, replace=collection, notes=notes) == collection
        return notes

    return run


def test_places_names_modifiers_and_constraints_stay(write, again):
    collection = write()
    found = roles(collection)
    scan, rig, camera = found["scan"], found["rig"], found["camera"]
    scan.name, scan.data.name, rig.location = "Hero", "Hero Mesh", (1, 2, 3)
    subdivision = scan.modifiers.new("Smooth", "SUBSURF")
    subdivision.levels = 3
    rig.constraints.new("COPY_SCALE").name = "Mine"
    rig.pose.bones["spine"].rotation_quaternion = (0, 1, 0, 0)
    rig.pose.bones["spine"].constraints.new("LIMIT_ROTATION").name = "Stop"
    rig.data.display_type = "STICK"
    camera.data.clip_end = 77
    before = datablocks()
    assert again(collection) == []
    assert datablocks() == before and roles(collection) == found
    assert (scan.name, scan.data.name, tuple(rig.location)) == ("Hero", "Hero Mesh", (1, 2, 3))
    assert [m.name for m in scan.modifiers] == ["Rig", "Smooth"] and subdivision.levels == 3
    assert scan.parent == rig and scan.modifiers["Rig"].object == rig
    assert "Mine" in rig.constraints and "Stop" in rig.pose.bones["spine"].constraints
    assert tuple(rig.pose.bones["spine"].rotation_quaternion) == (0, 1, 0, 0)
    assert rig.data.display_type == "STICK" and camera.data.clip_end == 77
    assert {"spine", "upper_arm.L"} <= {group.name for group in scan.vertex_groups}
    assert rig.pose.bones["upper_arm.L"]["sapiens2_unseen"]


def test_animation_stays(part, write, again):
    collection = write()
    rig = roles(collection)["rig"]
    keys = part("scene.keys")
    channel = keys.Channels("spine", "location", np.array([[0, 0, 0], [0, 0, 1.0]]), (0, 1, 2))
    action, _ = keys.write_action(rig, "Walk", [channel], np.array([1.0, 10.0]))
    keys.assign(rig, action)
    again(collection)
    assert rig.animation_data.action == action
    bpy.context.scene.frame_set(10)
    assert rig.pose.bones["spine"].location.z == pytest.approx(1)
    bpy.context.scene.frame_set(1)
    assert rig.pose.bones["spine"].location.z == pytest.approx(0)


def test_shape_keys_and_vertex_groups_of_the_artist_are_carried_over(write, again):
    collection = write()
    scan = roles(collection)["scan"]
    uv = np.zeros((len(scan.data.vertices), 2), np.float32)
    uv[read(scan.data.loops, "vertex_index", 1, np.int32)] = read(scan.data.uv_layers[0].uv, "vector", 2)
    left = uv[:, 0] < 0.5
    group = scan.vertex_groups.new(name="Mine")
    group.add(np.flatnonzero(left).tolist(), 0.25, "REPLACE")
    scan.shape_key_add(name="Basis", from_mix=False)
    smile = scan.shape_key_add(name="Smile", from_mix=False)
    moved = points(scan)
    moved[left] += (0, 0, 0.5)
    smile.data.foreach_set("co", moved.ravel())
    smile.value, smile.slider_max = 0.75, 2
    scan.data.shape_keys.key_blocks["Smile"].keyframe_insert("value", frame=1)
    driver = scan.data.shape_keys.key_blocks["Smile"].driver_add("slider_min").driver
    driver.expression = "-1"
    action = scan.data.shape_keys.animation_data.action

    again(collection)

    keys = scan.data.shape_keys
    assert [key.name for key in keys.key_blocks] == ["Basis", "Smile"]
    smile = keys.key_blocks["Smile"]
    assert smile.value == pytest.approx(0.75) and smile.slider_max == 2 and keys.animation_data.action == action
    assert keys.animation_data.drivers[0].driver.expression == "-1"
    uv = np.zeros((len(scan.data.vertices), 2), np.float32)
    uv[read(scan.data.loops, "vertex_index", 1, np.int32)] = read(scan.data.uv_layers[0].uv, "vector", 2)
    raised = read(smile.data, "co", 3) - read(keys.key_blocks["Basis"].data, "co", 3)
    clear = np.abs(uv[:, 0] - 0.5) > 0.05
    np.testing.assert_allclose(raised[clear], np.where(uv[clear, :1] < 0.5, (0, 0, 0.5), 0), atol=1e-4)
    index = scan.vertex_groups["Mine"].index
    weights = np.array([next((g.weight for g in v.groups if g.group == index), 0) for v in scan.data.vertices])
    np.testing.assert_allclose(weights[clear], np.where(uv[clear, 0] < 0.5, 0.25, 0), atol=1e-3)


def test_a_copy_is_the_artists_own(part, write, again):
    collection = write()
    scan = roles(collection)["scan"]
    copy = scan.copy()
    copy.data = scan.data.copy()
    collection.objects.link(copy)
    scan.name = "Renamed"  # a copy may have the name that the original had
    kept, shown = points(copy), [material.name for material in copy.data.materials]
    images = {n.image.name for m in copy.data.materials for n in m.node_tree.nodes if n.type == "TEX_IMAGE"}
    mesh = copy.data
    again(collection)
    assert copy.data == mesh and np.array_equal(points(copy), kept)
    assert [material.name for material in copy.data.materials] == shown
    assert images == {n.image.name for m in copy.data.materials for n in m.node_tree.nodes if n.type == "TEX_IMAGE"}
    assert not set(scan.data.materials) & set(copy.data.materials), "the copy shows what it showed"
    part("scene.build").clear(collection)
    assert list(collection.objects) == [copy] and "sapiens2_role" not in copy and np.array_equal(points(copy), kept)


def test_what_was_edited_by_hand_is_kept_aside(part, write, again):
    collection = write()
    found = roles(collection)
    scan, rig = found["scan"], found["rig"]
    is_edited = part("scene.hand_edits").is_edited
    assert not is_edited(scan.data) and not is_edited(rig.data)
    for obj in (scan, rig):
        bpy.context.view_layer.objects.active = obj
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.object.mode_set(mode="OBJECT")
        assert not is_edited(obj.data), "to look is not to edit"
    edited = points(scan)
    edited[::5] += 0.01
    scan.data.vertices.foreach_set("co", edited.ravel())
    notes = again(collection)
    (sentence,) = notes
    kept = collection.objects["Photo Scan Edited"]
    assert "Photo Scan Edited" in sentence and kept.hide_viewport and "sapiens2_role" not in kept
    np.testing.assert_array_equal(points(kept), edited)
    assert not is_edited(scan.data) and scan.name == "Photo Scan" and kept.modifiers["Rig"].object == rig
    assert again(collection) == []


@pytest.mark.parametrize("change", ["vertex", "uv map", "color", "bone"])
def test_every_edit_of_the_data_is_noticed(part, write, change):
    found = roles(write())
    mesh, is_edited = found["scan"].data, part("scene.hand_edits").is_edited
    data = mesh
    if change == "vertex":
        mesh.vertices[7].co.x += 0.001
    elif change == "uv map":
        mesh.uv_layers.new(name="Mine")
    elif change == "color":
        mesh.color_attributes.new("Paint", "BYTE_COLOR", "CORNER")
    else:
        data = found["rig"].data
        with part("scene.armature").edit_bones(found["rig"]) as bones:
            bones["upper_arm.L"].tail.x += 0.01
    assert is_edited(data)


def test_materials_stay_with_the_artists_changes(write, again):
    collection = write()
    scan = roles(collection)["scan"]
    names = [material.name for material in scan.data.materials]
    hair = next(m for m in scan.data.materials if m["sapiens2_material"] == "Hair")
    hair.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value = 0.123
    slot = next(i for i, m in enumerate(scan.data.materials) if m["sapiens2_material"] == "Upper Clothing")
    own, replaced = bpy.data.materials.new("Own Cloth"), scan.data.materials[slot]
    scan.data.materials[slot] = own
    bpy.data.materials.remove(replaced)
    image = next(n.image for n in hair.node_tree.nodes if n.type == "TEX_IMAGE" and n.image["sapiens2_map"] == "base_colour_srgb")
    pixels, uid = tuple(image.size), image.session_uid
    again(collection)
    materials = list(scan.data.materials)
    assert hair in materials and own in materials and len(materials) == len(names)
    assert hair.node_tree.nodes["Principled BSDF"].inputs["Roughness"].default_value == pytest.approx(0.123)
    faces = read(scan.data.polygons, "material_index", 1, np.int32)
    assert (faces == materials.index(own)).sum() > (faces == materials.index(hair)).sum() > 0
    image = next(n.image for n in hair.node_tree.nodes if n.type == "TEX_IMAGE" and n.image["sapiens2_map"] == "base_colour_srgb")
    assert image.session_uid != uid and image.name == "Photo Base Color" and pixels == (48, 64)


def test_a_moved_camera_stays_and_one_that_stands_follows_the_build(write, make_avatar):
    collection = write()
    camera = roles(collection)["camera"]
    moved = make_avatar()
    placement = moved.world_from_camera.copy()
    placement[:3, 3] += (0.5, 0, 0)
    lens = replace(moved.camera, fx=100.0, fy=100.0)
    before = np.array(camera.matrix_basis)
    write(replace(moved, world_from_camera=placement, camera=lens), replace=collection)
    np.testing.assert_allclose(np.array(camera.matrix_basis)[:3, 3] - before[:3, 3], (0.5, 0, 0), atol=1e-6)
    assert camera.data.lens == pytest.approx(100 * 36 / 48)
    camera.location.z = 9
    write(replace=collection)
    assert camera.location.z == 9 and camera.data.lens == pytest.approx(moved.camera.fx * 36 / 48)


def test_a_rig_that_was_deleted_comes_back_to_the_same_modifier(write):
    collection = write()
    found = roles(collection)
    bpy.data.objects.remove(found["rig"])
    assert found["scan"].modifiers["Rig"].object is None
    write(replace=collection)
    rig = roles(collection)["rig"]
    assert [m.object for m in found["scan"].modifiers] == [rig] and found["scan"].parent == rig and rig.name == "Photo Rig"


def test_a_rig_in_another_collection_is_still_the_rig(write):
    collection = write()
    rig = roles(collection)["rig"]
    rigs = bpy.data.collections.new("Rigs")
    bpy.context.scene.collection.children.link(rigs)
    collection.objects.unlink(rig)
    rigs.objects.link(rig)
    write(replace=collection)
    assert [obj for obj in bpy.data.objects if obj.get("sapiens2_role") == "rig"] == [rig] and rig.users_collection == (rigs,)


def test_without_a_rig_the_scan_stays_where_it_stands(write, make_avatar):
    collection = write()
    found = roles(collection)
    found["rig"].location = (1, 0, 0)
    bpy.context.view_layer.update()
    write(make_avatar(rig=False), replace=collection)
    bpy.context.view_layer.update()
    assert set(roles(collection)) == {"scan", "camera"} and not found["scan"].modifiers
    assert tuple(found["scan"].matrix_world.translation) == (1, 0, 0)


def test_one_of_two_people_built_again_leaves_the_other(part, write, make_avatar):
    def half(name, right, **options):
        avatar = make_avatar(name=name, **options)
        uvs = avatar.mesh.uvs * np.float32([0.45, 1]) + np.float32([0.5 * right, 0])
        return replace(avatar, mesh=replace(avatar.mesh, uvs=uvs))

    collection = write(half("Photo 1", 0), half("Photo 2", 1))
    found = {obj["sapiens2_person"]: obj for obj in collection.objects if obj.get("sapiens2_role") == "scan"}
    first = points(found["Photo 1"])
    write(half("Photo", 1, height=40), replace=collection)  # with a box around the second person
    assert {obj for obj in collection.objects if obj.get("sapiens2_role") == "scan"} == set(found.values())
    assert np.array_equal(points(found["Photo 1"]), first) and len(points(found["Photo 2"])) == 40 * 48
    assert len(collection.objects) == 5
    people = part("scene.people")
    names = [avatar.name for avatar in people.match_people([half("Photo", 0), half("Photo 1", 2)], collection)]
    assert names == ["Photo 1", "Photo 1 2"], "somebody who was not there before has a name of her own"


@pytest.mark.parametrize("broken", ["write_armature", "replace_build", "keep_materials"])
def test_nothing_changes_when_anything_is_raised(part, write, make_avatar, monkeypatch, broken):
    collection = write()
    scan = roles(collection)["scan"]
    before, kept, mesh, properties = datablocks(), points(scan), scan.data, dict(collection)
    camera = roles(collection)["camera"]
    lens = camera.data.lens

    def fails(*_arguments, **_options):
        raise RuntimeError("a mistake of ours")

    place = "scene.replace" if broken == "keep_materials" else "scene.build"
    monkeypatch.setattr(part(place), broken, fails)
    with pytest.raises(RuntimeError, match="mistake"):
        write(replace(make_avatar(40, 30), camera=replace(make_avatar().camera, fx=99.0)), replace=collection)
    assert datablocks() == before and scan.data == mesh and np.array_equal(points(scan), kept)
    assert dict(collection) == properties and camera.data.lens == lens


def test_an_object_in_edit_mode_is_not_exchanged(part, write):
    collection = write()
    scan = roles(collection)["scan"]
    bpy.context.view_layer.objects.active = scan
    bpy.ops.object.mode_set(mode="EDIT")
    before = datablocks()
    error = part("core.common.errors").SapiensError
    with pytest.raises(error, match="Edit Mode"):
        write(replace=collection)
    with pytest.raises(error, match="Edit Mode"):
        part("scene.build").clear(collection)
    assert datablocks() == before
    bpy.ops.object.mode_set(mode="OBJECT")


def test_a_linked_avatar_is_not_emptied(part, write, tmp_path):
    write()
    path = tmp_path / "linked.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    part("scene.files").new_file()
    with bpy.data.libraries.load(str(path), link=True) as (_, wanted):
        wanted.collections = ["Photo"]
    collection = bpy.data.collections["Photo"]
    bpy.context.scene.collection.children.link(collection)
    before = datablocks()
    error = part("core.common.errors").SapiensError
    with pytest.raises(error, match="linked"):
        write(replace=collection)
    with pytest.raises(error, match="linked"):
        part("scene.build").clear(collection)
    assert datablocks() == before


def test_a_rig_made_again_keeps_animation_keys_and_groups(part, write, make_avatar):
    """Blender fills whole vertex groups of meshes without shape keys only: the keys and what moves them are there afterwards."""
    collection = write()
    found = roles(collection)
    scan, rig = found["scan"], found["rig"]
    scan.vertex_groups.new(name="Mine").add([5], 0.5, "REPLACE")
    scan.shape_key_add(name="Basis", from_mix=False)
    smile = scan.shape_key_add(name="Smile", from_mix=False)
    smile.data[7].co.z += 0.25
    smile.keyframe_insert("value", frame=1)
    rig.keyframe_insert("location", frame=1)
    rig.pose.bones["spine"].constraints.new("LIMIT_ROTATION").name = "Stop"
    actions = scan.data.shape_keys.animation_data.action, rig.animation_data.action
    before = datablocks()
    avatar = make_avatar()
    weights = replace(avatar.weights, weights=np.roll(avatar.weights.weights, 1, axis=1))
    assert part("scene.update").fits(collection, [avatar])
    assert part("scene.update").update_rig(collection, [replace(avatar, weights=weights)]) == []
    assert datablocks() == before and roles(collection) == found
    keys = scan.data.shape_keys
    assert (keys.animation_data.action, rig.animation_data.action) == actions
    assert "Stop" in rig.pose.bones["spine"].constraints
    raised = read(keys.key_blocks["Smile"].data, "co", 3) - read(keys.reference_key.data, "co", 3)
    assert raised[7, 2] == pytest.approx(0.25, abs=1e-5) and np.abs(np.delete(raised, 7, 0)).max() < 1e-6
    names = [group.name for group in scan.vertex_groups]
    assert len(set(names)) == len(names) and {"Mine", "spine", "upper_arm.L"} <= set(names)
    index = scan.vertex_groups["upper_arm.L"].index
    got = np.array([next((g.weight for g in v.groups if g.group == index), 0) for v in scan.data.vertices])
    np.testing.assert_allclose(got, weights.weights[:, 2], atol=1.5e-3)
    assert [m.object for m in scan.modifiers] == [rig] and not part("scene.hand_edits").is_edited(scan.data)
