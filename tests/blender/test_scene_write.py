"""Avatars written into Blender: exact where the contract says so, and nothing of the artist's changed."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from support.reading import read, roles


@pytest.fixture
def write(part, make_avatar):
    def run(*avatars, **options):
        return part("scene.build").write_avatars(avatars or (make_avatar(),), "Photo", **options)

    return run


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (50, 50)])
def test_camera_projects_every_vertex_onto_its_pixel(write, make_avatar, size):
    avatar = make_avatar(*size)
    found = roles(write(avatar, match_render=True))
    scene, height, width = bpy.context.scene, *size
    bpy.context.view_layer.update()
    vertices = read(found["scan"].data.vertices, "co", 3)
    view = np.array([world_to_camera_view(scene, found["camera"], Vector(v)) for v in vertices[::7].tolist()])
    pixels = np.stack([view[:, 0] * width - 0.5, (1 - view[:, 1]) * height - 0.5], 1)
    y, x = np.mgrid[:height, :width]
    expected = np.stack([x, y], -1).reshape(-1, 2)[::7]
    np.testing.assert_allclose(pixels, expected, atol=2e-3)
    uv = read(found["scan"].data.uv_layers[0].data, "uv", 2)
    corner = read(found["scan"].data.loops, "vertex_index", 1, np.int32)
    frames_uv = np.stack([(x + 0.5) / width, 1 - (y + 0.5) / height], -1).reshape(-1, 2)
    np.testing.assert_allclose(uv, frames_uv[corner], atol=1e-6)


def test_camera_is_exact_for_pixels_that_are_not_square(part, make_avatar):
    camera = part("core.common.arrays").Camera(80, 60, 100.0, 125.0, 37.0, 33.0)
    scene = bpy.context.scene
    photo = bpy.data.images.new("photo", 80, 60)
    obj = part("scene.camera").write_camera(camera, np.eye(4), photo, "Camera", scene.collection)
    part("scene.camera").match_render_size(scene, camera, obj)
    bpy.context.view_layer.update()
    point = np.array([0.4, -0.3, 2.0])
    view = world_to_camera_view(scene, obj, Vector(point.tolist()))
    np.testing.assert_allclose([view.x * 80 - 0.5, (1 - view.y) * 60 - 0.5], camera.project(point), atol=1e-3)


@pytest.mark.parametrize("size", [(64, 48), (48, 64), (50, 50)])
@pytest.mark.parametrize("render", [(1920, 1080), (1080, 1920), (512, 512)])
def test_the_whole_photo_is_in_the_frame_whatever_is_rendered(write, make_avatar, size, render):
    """A portrait in a frame of 16:9 would lose head and feet: the frame holds the photo, and the lens stays what it is."""
    height, width = size
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = render
    found = roles(write(make_avatar(*size)))
    bpy.context.view_layer.update()
    assert found["camera"].data.background_images[0].frame_method == "FIT"
    scale = min(render[0] / width, render[1] / height)
    vertices = read(found["scan"].data.vertices, "co", 3)[::7]
    view = np.array([world_to_camera_view(scene, found["camera"], Vector(v)) for v in vertices.tolist()])[:, :2]
    y, x = np.mgrid[:height, :width]
    photo = (np.stack([x, y], -1).reshape(-1, 2)[::7] + 0.5 - [width / 2, height / 2]) * scale
    np.testing.assert_allclose((view - 0.5) * [1, -1] * render, photo, atol=2e-3 * scale)
    assert (view > 0).all() and (view < 1).all()


def test_roles_groups_materials_and_images_are_as_the_contract_says(write, make_avatar):
    avatar = make_avatar()
    collection = write(avatar)
    found = roles(collection)
    assert collection.name == "Photo" and set(found) == {"scan", "rig", "camera"}
    scan, rig = found["scan"], found["rig"]
    assert {"Hair", "Face_Neck", "Upper_Clothing", "spine", "spine.001", "upper_arm.L"} == {g.name for g in scan.vertex_groups}
    assert scan.parent == rig and scan.modifiers["Rig"].object == rig
    assert all(m.node_tree.nodes.get("Principled BSDF") for m in scan.data.materials)
    assert scan.data.materials[0].name == "Photo Upper Clothing"
    colour_of = {"Photo Base Color": "sRGB", "Photo Photo": "sRGB", "Photo Mask": "Non-Color", "Photo Normal": "Non-Color"}
    for name, space in colour_of.items():
        assert bpy.data.images[name].packed_file is not None and bpy.data.images[name].colorspace_settings.name == space
    assert found["camera"].data.background_images[0].image == bpy.data.images["Photo Photo"]
    assert rig.pose.bones["upper_arm.L"].get("sapiens2_unseen") and "sapiens2_unseen" not in rig.pose.bones["spine"]
    assert not scan.data.validate()


def test_images_hold_the_same_values(write, make_avatar):
    avatar = make_avatar()
    write(avatar)
    for name, array, peak in (("Photo Base Color", avatar.textures.base_colour_srgb, 255),
                              ("Photo Normal", avatar.textures.normal_tangent, 65535)):  # fmt: skip
        image = bpy.data.images[name]
        pixels = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
        image.pixels.foreach_get(pixels)
        got = pixels.reshape(image.size[1], image.size[0], -1)[::-1, :, :3] * peak
        np.testing.assert_allclose(got, array, atol=0.51 if peak == 65535 else 0.01)


def test_normals_and_labels_survive(write, make_avatar):
    avatar = make_avatar()
    mesh = roles(write(avatar))["scan"].data
    corner = read(mesh.loops, "vertex_index", 1, np.int32)
    expected = (avatar.mesh.normals @ avatar.world_from_camera[:3, :3].T)[corner]
    # Normals that follow a rig, and all before 4.5, are stored in 16 bits.
    np.testing.assert_allclose(read(mesh.corner_normals, "vector", 3), expected, atol=0.02)
    labels = read(mesh.attributes["sapiens_label"].data, "value", 1, np.int32)
    np.testing.assert_array_equal(labels, avatar.mesh.labels)


@pytest.mark.skipif(bpy.app.version < (4, 5), reason="before 4.5 Blender stores all custom normals in 16 bits")
def test_normals_are_exact_where_nothing_deforms_the_scan(write, make_avatar):
    avatar = make_avatar(rig=False)
    mesh = roles(write(avatar))["scan"].data
    expected = avatar.mesh.normals @ avatar.world_from_camera[:3, :3].T
    corner = read(mesh.loops, "vertex_index", 1, np.int32)
    np.testing.assert_allclose(read(mesh.corner_normals, "vector", 3), expected[corner], atol=1e-6)


def test_skin_weights_are_normalised_and_right(write, make_avatar):
    avatar = make_avatar()
    scan = roles(write(avatar))["scan"]
    bone = {g.index: avatar.rig.names.index(g.name) for g in scan.vertex_groups if g.name in avatar.rig.names}
    for index in range(0, len(scan.data.vertices), 11):
        got = np.zeros(3)
        for element in scan.data.vertices[index].groups:
            if element.group in bone:
                got[bone[element.group]] = element.weight
        assert abs(got.sum() - 1) < 1e-5
        np.testing.assert_allclose(got, avatar.weights.weights[index], atol=1.5e-3)


def test_bones_stand_where_the_rig_says(write, make_avatar):
    avatar = make_avatar()
    rig = roles(write(avatar))["rig"]
    rotation, offset = avatar.world_from_camera[:3, :3], avatar.world_from_camera[:3, 3]
    for index, name in enumerate(avatar.rig.names):
        bone = rig.data.bones[name]
        np.testing.assert_allclose(bone.head_local, rotation @ avatar.rig.heads[index] + offset, atol=1e-6)
        np.testing.assert_allclose(bone.tail_local, rotation @ avatar.rig.tails[index] + offset, atol=1e-6)
        assert (bone.parent.name if bone.parent else None) == (None, "spine", "spine.001")[index]
        # The local z axis is the wanted one, made perpendicular to the bone.
        along = np.array(bone.matrix_local.col[1][:3])
        wanted = rotation @ avatar.rig.z_axes[index]
        wanted -= along * (wanted @ along)
        np.testing.assert_allclose(bone.matrix_local.col[2][:3], wanted / np.linalg.norm(wanted), atol=1e-4)


def test_the_scan_follows_the_rig(write, make_avatar):
    found = roles(write(make_avatar()))
    scan, rig = found["scan"], found["rig"]
    before = read(scan.data.vertices, "co", 3)
    rig.pose.bones["spine"].location = 0, 0.5, 0
    bpy.context.view_layer.update()
    moved = scan.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    shift = read(moved.vertices, "co", 3) - before
    bone = rig.data.bones["spine"]
    np.testing.assert_allclose(shift, np.broadcast_to(np.array(bone.matrix_local.col[1][:3]) * 0.5, shift.shape), atol=1e-4)


def test_without_a_rig_there_is_a_scan_and_a_camera(write, make_avatar):
    assert set(roles(write(make_avatar(rig=False)))) == {"scan", "camera"}


def test_two_people_share_the_camera_and_the_photo(write, make_avatar):
    collection = write(make_avatar(name="Photo 1"), make_avatar(name="Photo 2"))
    kinds = sorted(obj["sapiens2_role"] for obj in collection.objects)
    assert kinds == ["camera", "rig", "rig", "scan", "scan"]
    assert sum(image.name.endswith("Photo") for image in bpy.data.images) == 1


def test_what_the_artist_has_stays(write):
    """Selection, active object, its edit mode, frame, render settings, camera: all as they were."""
    mesh = bpy.data.meshes.new("Mine")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    mine, other = bpy.data.objects.new("Mine", mesh), bpy.data.objects.new("Other", None)
    scene = bpy.context.scene
    for obj in (mine, other):
        scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = mine
    mine.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    scene.frame_set(17)
    scene.render.resolution_x = 1234

    write()

    assert bpy.context.mode == "EDIT_MESH" and bpy.context.view_layer.objects.active == mine
    assert [obj.name for obj in bpy.context.view_layer.objects if obj.select_get()] == ["Mine"]
    assert (scene.frame_current, scene.render.resolution_x, scene.camera) == (17, 1234, None)
    assert [s.name for s in bpy.data.scenes] == [scene.name]
    bpy.ops.object.mode_set(mode="OBJECT")


def test_replace_keeps_what_the_artist_added(part, write):
    build = part("scene.build")
    collection = write(source="/predictions")
    added = bpy.data.objects.new("Hat", None)
    collection.objects.link(added)
    assert build.find_collection(bpy.context.scene, "/predictions") == collection
    write(replace=collection)
    assert sorted(obj.name for obj in collection.objects) == ["Hat", "Photo Camera", "Photo Rig", "Photo Scan"]
    assert len(bpy.data.meshes) == 1 and len(bpy.data.armatures) == 1 and len(bpy.data.cameras) == 1
    assert sorted(i.name for i in bpy.data.images if i.users) == sorted(i.name for i in bpy.data.images if i.size[0])


def test_the_same_avatar_gives_the_same_mesh(write, make_avatar):
    one, two = (roles(write(make_avatar()))["scan"].data for _ in range(2))
    np.testing.assert_array_equal(read(one.vertices, "co", 3), read(two.vertices, "co", 3))
    np.testing.assert_array_equal(read(one.loops, "vertex_index", 1, np.int32), read(two.loops, "vertex_index", 1, np.int32))


def test_it_is_all_there_after_saving_and_opening(write, tmp_path):
    write()
    path = tmp_path / "ä file.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    found = roles(bpy.data.collections["Photo"])
    assert set(found) == {"scan", "rig", "camera"}
    assert bpy.data.images["Photo Base Color"].packed_file is not None and bpy.data.images["Photo Base Color"].size[:] == (48, 64)
    assert found["scan"].modifiers["Rig"].object == found["rig"]
