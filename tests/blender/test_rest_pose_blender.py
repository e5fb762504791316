"""A rig at rest in another pose than the photo's: the photo's pose is an action away, and normals turn with the skin."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest


def roles(collection):
    return {obj["sapiens2_role"]: obj for obj in collection.objects}


def posed(scan) -> tuple[np.ndarray, np.ndarray]:
    """World positions of the vertices, and the normals of the corners, as the modifiers leave them."""
    bpy.context.view_layer.update()
    mesh = scan.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
    points, normals = np.empty(len(mesh.vertices) * 3, np.float32), np.empty(len(mesh.loops) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    mesh.corner_normals.foreach_get("vector", normals)
    return points.reshape(-1, 3), normals.reshape(-1, 3)


@pytest.fixture
def turned(part, make_avatar):
    """(avatar as in the photo, the same avatar with every bone of its rest turned by some 40 degrees)."""
    photo = make_avatar()
    unpose, rotations = part("core.unpose"), part("core.rotations")
    turns = rotations.rotation_from_vector(np.random.default_rng(3).normal(0, 0.4, (3, 3)))
    rig, maps = unpose.pose_rig(photo.rig, turns)
    back = np.linalg.inv(maps)
    mesh = unpose.undeform(photo.mesh, photo.weights, back)
    return photo, replace(photo, mesh=mesh, rig=replace(rig, photo_from_rest=back))


def show_photo_pose(rig) -> None:
    rig.animation_data.nla_tracks["Photo Pose"].mute = False
    bpy.context.scene.frame_set(1)


def test_the_rest_is_shown_first_and_the_photo_pose_is_a_muted_track(part, turned):
    photo, avatar = turned
    found = roles(part("scene.build").write_avatars([avatar], "Photo"))
    rig, scan = found["rig"], found["scan"]
    assert rig.animation_data.action is None and rig.animation_data.nla_tracks["Photo Pose"].mute
    move = lambda p: p @ avatar.world_from_camera[:3, :3].T + avatar.world_from_camera[:3, 3]  # noqa: E731
    np.testing.assert_allclose(posed(scan)[0], move(avatar.mesh.vertices), atol=2e-5)
    show_photo_pose(rig)
    points, _ = posed(scan)
    off = np.linalg.norm(points - move(photo.mesh.vertices), axis=1)
    assert off.max() < 1e-2 and np.median(off) < 5e-4  # weights are written in steps of 1/1023, and three bones 40 degrees apart
    for index, name in enumerate(avatar.rig.names):
        np.testing.assert_allclose(rig.pose.bones[name].head, move(photo.rig.heads[index]), atol=1e-5)
        np.testing.assert_allclose(rig.pose.bones[name].tail, move(photo.rig.tails[index]), atol=1e-5)


def test_normals_turn_with_the_skin(part, make_avatar):
    avatar = make_avatar()
    found = roles(part("scene.build").write_avatars([avatar], "Photo"))
    scan, rig = found["scan"], found["rig"]
    _, before = posed(scan)
    bone = rig.pose.bones["spine"]
    bone.rotation_mode = "QUATERNION"
    bone.rotation_quaternion = (0.8, 0.6, 0.0, 0.0)
    _, after = posed(scan)
    local = np.array(bone.bone.matrix_local.to_3x3())
    turn = local @ np.array(bone.matrix_basis.to_3x3()) @ local.T
    np.testing.assert_allclose(after, before @ turn.T, atol=0.02)


def test_without_another_rest_there_is_no_action(part, make_avatar):
    part("scene.build").write_avatars([make_avatar()], "Photo")
    assert not bpy.data.actions


def test_a_rebuilt_rig_takes_the_scan_along_and_leaves_no_old_action(part, turned):
    photo, avatar = turned
    build, update = part("scene.build"), part("scene.update")
    collection = build.write_avatars([photo], "Photo")
    scan = roles(collection)["scan"]
    move = lambda p: p @ avatar.world_from_camera[:3, :3].T + avatar.world_from_camera[:3, 3]  # noqa: E731
    for wanted, actions in ((avatar, 1), (avatar, 1), (photo, 0)):
        update.update_rig(collection, [wanted])
        assert roles(collection)["scan"] == scan and len(bpy.data.actions) == actions and len(bpy.data.armatures) == 1
        points, normals = posed(scan)
        np.testing.assert_allclose(points, move(wanted.mesh.vertices), atol=2e-5)
        corners = np.empty(len(scan.data.loops), np.int32)
        scan.data.loops.foreach_get("vertex_index", corners)
        expected = (wanted.mesh.normals @ avatar.world_from_camera[:3, :3].T)[corners]
        assert np.percentile(np.abs(normals - expected), 99) < 0.02


def test_the_sidebars_choice_reaches_the_settings_of_the_build(part):
    settings = bpy.context.scene.sapiens2
    rig, wanted = part("core.rig").RigSettings, part("properties").avatar_settings
    assert rig(**wanted(settings)["rig"]).rest == "photo"
    for rest in ("A", "T"):
        settings.rest = rest
        assert rig(**wanted(settings)["rig"]).rest == rest
