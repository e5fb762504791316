"""The rest pose of a body, and the weights that a scan takes from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.avatar import make_avatars
from sapiens2_avatar.core.body.character import make_body, resting_place
from sapiens2_avatar.core.body.evaluate import BONES, Posture, Shape, pose_points, rest_points, vertex_normals
from sapiens2_avatar.core.body.fitted import BodyFit
from sapiens2_avatar.core.body.follow import body_weights
from sapiens2_avatar.core.body.rest import deformed, in_photo, in_t_pose
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.arrays import MeshData
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.common.spaces import LEVEL_WORLD_FROM_CAMERA
from sapiens2_avatar.core.formats.avatar_file import load_avatars, save_avatars
from sapiens2_avatar.core.rig.rest_pose import deform
from sapiens2_avatar.core.rig.settings import RigSettings
from sapiens2_avatar.core.settings import AvatarSettings
from sapiens2_avatar.core.surface.settings import ScanSettings

COARSE = ScanSettings(resolution=6000)


@pytest.fixture(scope="module")
def fit() -> BodyFit:
    """Somebody who stands before a level camera, bent a little in every joint."""
    turns = rotation_from_vector(np.random.default_rng(2).normal(0, 0.15, (len(BONES), 3)))
    turns[[name.startswith("palm") for name in BONES]] = np.eye(3)
    turns[0] = LEVEL_WORLD_FROM_CAMERA.T @ rotation_from_vector(np.array([0.0, 0.0, 0.6]))
    return BodyFit(Shape(), Posture(turns, np.array([0.1, 0.3, 3.2])))


@pytest.fixture(scope="module")
def placed(fit):
    """(world_from_camera, body, rig) at rest in the world."""
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = LEVEL_WORLD_FROM_CAMERA
    return (world_from_camera, *make_body(fit, resting_place(fit, world_from_camera)))


def test_a_body_in_the_photo_is_the_posed_fit(fit, placed):
    _, body, rig = placed
    posed, bones = in_photo(body, rig)
    t = template()
    used = np.unique(t.faces[t.body_faces()])
    np.testing.assert_allclose(posed.vertices, pose_points(rest_points(fit.shape), fit.posture)[used], atol=2e-5)
    assert bones.photo_from_rest is None
    # A key moves what it moves, by as much, in the axes of the posed face.
    before, after = (np.linalg.norm(b.key_offsets, axis=1) for b in (body, posed))
    assert np.median(np.abs(after / before - 1)) < 0.01


def test_the_t_pose_has_level_arms_and_goes_back_to_the_photo(placed):
    world_from_camera, body, rig = placed
    place = LEVEL_WORLD_FROM_CAMERA
    front = place.T @ rotation_from_vector(np.array([0.0, 0.0, 0.6])) @ np.array([0.0, -1.0, 0.0])
    turned, bones = in_t_pose(body, rig, front)
    for side, sign in (("L", 1), ("R", -1)):
        arm = bones.heads[bones.names.index(f"hand.{side}")] - bones.heads[bones.names.index(f"upper_arm.{side}")]
        arm = world_from_camera[:3, :3] @ arm / np.linalg.norm(arm)
        assert abs(arm[2]) < 0.02
        assert sign * arm @ np.array([np.cos(0.6), np.sin(0.6), 0]) > 0.95
    legs = [name.startswith(("thigh", "shin", "foot")) for name in rig.names]
    np.testing.assert_allclose(bones.heads[legs], rig.heads[legs], atol=1e-6)
    # Both rests lead to one photo: bones exactly, skin but for what is blended twice at the shoulder.
    wanted, skeleton = in_photo(body, rig)
    found, again = in_photo(turned, bones)
    np.testing.assert_allclose(again.heads, skeleton.heads, atol=1e-5)
    off = np.linalg.norm(found.vertices - wanted.vertices, axis=1)
    assert np.median(off) < 1e-4 and off.max() < 0.03


def test_a_scan_of_the_body_itself_moves_as_the_body(placed):
    """Its weights are found again: arms raised, scan and body stay together, also where arm and trunk meet."""
    _, body, rig = placed
    posed, bones = in_photo(body, rig)
    skin = body.quads[body.part == 0]
    used, corners = np.unique(skin, return_inverse=True)
    quads = corners.reshape(-1, 4)
    points = posed.vertices[used]
    labels = np.full(len(used), 22, np.uint8)
    mesh = MeshData(
        points,
        np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3).astype(np.int32),
        np.zeros((len(used), 2), np.float32),
        vertex_normals(points, quads).astype(np.float32),
        labels,
    )
    own = replace(posed.weights, bones=posed.weights.bones[used], weights=posed.weights.weights[used])
    found = body_weights(mesh, own, posed, bones)
    assert found.weights.shape[1] <= 4
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, atol=1e-5)
    maps = np.tile(np.eye(4), (len(bones.names), 1, 1))
    arm = [bones.names.index("upper_arm.L")]
    for bone, parent in enumerate(bones.parents):
        if parent in arm:
            arm.append(bone)
    shoulder = bones.heads[arm[0]].astype(np.float64)
    turn = rotation_from_vector(np.array([0.0, 0.0, 0.7]))
    maps[arm, :3, :3], maps[arm, :3, 3] = turn, shoulder - turn @ shoulder
    moved = deform(mesh, found, maps).vertices
    off = np.linalg.norm(moved - deformed(posed, maps).vertices[used], axis=1)
    assert np.median(off) < 1e-4 and np.percentile(off, 99.5) < 0.02


@pytest.fixture(scope="module")
def both(studio):
    """(predictions, the avatar and the scan of one person on one rig)."""
    predictions = Predictions.load(studio("body_walk"))
    return predictions, make_avatars(predictions, settings=AvatarSettings(make="both", scan=COARSE))[0]


def test_body_and_scan_follow_one_rig(both, tmp_path):
    predictions, avatar = both
    assert avatar.mesh is not None and avatar.body is not None and avatar.weights is not None
    assert avatar.rig is not None and avatar.rig.photo_from_rest is not None
    in_world = avatar.body.vertices @ avatar.world_from_camera[:3, :3].T + avatar.world_from_camera[:3, 3]
    assert abs(in_world[:, 2].min()) < 0.01  # at rest it stands on the ground
    # Posed, the scan lies on the pixels that it came from, and the body stands in it.
    posed = deform(avatar.mesh, avatar.weights, avatar.rig.photo_from_rest)
    pixels = avatar.camera.project(posed.vertices.astype(np.float64))
    height, width = predictions.image.shape[:2]
    shown = np.stack([avatar.mesh.uvs[:, 0] * width - 0.5, (1 - avatar.mesh.uvs[:, 1]) * height - 0.5], axis=1)
    assert np.percentile(np.abs(pixels - shown).max(axis=1), 99) < 0.3
    middle = in_photo(avatar.body, avatar.rig)[0].vertices.mean(axis=0)
    assert np.abs(middle - posed.vertices.mean(axis=0)).max() < 0.2
    again = load_avatars(save_avatars([avatar], tmp_path / "avatars.safetensors"))[0]
    assert np.array_equal(again.body.vertices, avatar.body.vertices) and np.array_equal(again.mesh.faces, avatar.mesh.faces)


def test_a_body_can_rest_as_in_the_photo_and_without_a_rig(both):
    predictions, avatar = both
    settings = AvatarSettings(make="avatar", scan=COARSE, rig=RigSettings(rest="photo"))
    alone = make_avatars(predictions, settings=settings)[0]
    assert alone.mesh is None and alone.textures is None and alone.rig is not None and alone.rig.photo_from_rest is None
    np.testing.assert_allclose(alone.body.vertices, in_photo(avatar.body, avatar.rig)[0].vertices, atol=1e-4)
    still = make_avatars(predictions, settings=replace(settings, rig=RigSettings(), with_rig=False))[0]
    assert still.rig is None
    np.testing.assert_allclose(still.body.vertices, alone.body.vertices, atol=1e-6)


def test_whose_body_cannot_be_fitted_gets_the_scan(both):
    predictions, _ = both
    blind = replace(predictions, keypoints=predictions.keypoints * np.float32([1, 1, 0]))
    avatar = make_avatars(blind, settings=AvatarSettings(make="avatar", scan=COARSE))[0]
    assert avatar.body is None and avatar.mesh is not None and avatar.rig is None
    assert any(note.startswith("No body: ") and note.endswith("The scan was made instead.") for note in avatar.notes)
