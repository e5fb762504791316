"""An A-pose or T-pose instead of the photo's: upright, on the ground, and posed back the scan lies where the photo shows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.avatar import AvatarSettings, make_avatars
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import unit
from sapiens2_avatar.core.formats.avatar_file import load_avatars, save_avatars
from sapiens2_avatar.core.rig.metarig import RigSettings
from sapiens2_avatar.core.rig.rest_pose import deform, rest_avatar
from sapiens2_avatar.core.surface.scan import ScanSettings

ARMS = {"A": 45.0, "T": 0.0}


@pytest.fixture(scope="module", params=["body_crossed", "body_sit.degraded"])
def avatar(request, studio):
    settings = AvatarSettings(make="scan")
    return make_avatars(Predictions.load(studio(request.param)), settings=settings)[0]


def world(avatar, points: np.ndarray) -> np.ndarray:
    return points @ avatar.world_from_camera[:3, :3].T + avatar.world_from_camera[:3, 3]


def bone(avatar, name: str) -> np.ndarray:
    i = avatar.rig.names.index(name)
    return unit(avatar.world_from_camera[:3, :3] @ (avatar.rig.tails[i] - avatar.rig.heads[i]).astype(float))


@pytest.mark.parametrize("rest", ["A", "T"])
def test_the_person_stands_upright_on_the_ground_and_faces_the_front(avatar, rest):
    standing = rest_avatar(avatar, rest)
    for s, sign in (("L", 1), ("R", -1)):
        for name in ("upper_arm", "forearm"):
            along = bone(standing, f"{name}.{s}")
            assert np.degrees(np.arcsin(-along[2])) == pytest.approx(ARMS[rest], abs=4)
            assert along[0] * sign > 0.6
        assert bone(standing, f"thigh.{s}")[2] < -0.97 and bone(standing, f"shin.{s}")[2] < -0.95
        assert bone(standing, f"foot.{s}")[1] < -0.5  # toes to the front
    assert bone(standing, "spine.001")[2] > 0.9 and bone(standing, "spine.006")[2] > 0.9
    height = world(standing, standing.mesh.vertices.astype(float))[:, 2]
    assert abs(np.percentile(height, 0.1)) < 0.09
    pelvis = [world(a, a.rig.heads[:1].astype(float))[0, :2] for a in (avatar, standing)]
    assert np.allclose(*pelvis, atol=1e-4)


def test_posed_as_in_the_photo_the_scan_is_where_it_was(avatar):
    standing = rest_avatar(avatar, "A")
    back = deform(standing.mesh, standing.weights, standing.rig.photo_from_rest)
    off = np.linalg.norm(back.vertices - avatar.mesh.vertices, axis=1)
    assert np.percentile(off, 99) < 2e-4 and off.max() < 0.02
    turn = np.degrees(np.arccos(np.clip((back.normals * avatar.mesh.normals).sum(1), -1, 1)))
    assert np.median(turn) < 0.5 and np.percentile(turn, 95) < 12
    ends = (
        np.einsum("bij,bj->bi", standing.rig.photo_from_rest[:, :3, :3], standing.rig.tails)
        + standing.rig.photo_from_rest[:, :3, 3]
    )
    assert np.allclose(ends, avatar.rig.tails, atol=1e-5)


def test_the_mesh_stays_whole(avatar):
    standing = rest_avatar(avatar, "A")
    mesh, v = standing.mesh, standing.mesh.vertices.astype(float)
    assert np.isfinite(v).all() and np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-4)
    assert mesh.faces is avatar.mesh.faces and mesh.uvs is avatar.mesh.uvs

    def edges(points):
        a, b, c = (points[mesh.faces[:, k]] for k in range(3))
        return np.stack([np.linalg.norm(a - b, axis=1), np.linalg.norm(b - c, axis=1), np.linalg.norm(c - a, axis=1)])

    long = edges(v) > 4 * edges(avatar.mesh.vertices.astype(float)) + 0.02
    assert long.any(axis=0).mean() < 2e-3  # no sheets between parts that only touched
    a, b, c = (v[mesh.faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    agree = (flat * mesh.normals[mesh.faces[:, 0]]).sum(axis=1) > 0
    assert agree.mean() > 0.97
    assert np.abs(v - v.mean(axis=0)).max() < 1.5


def test_the_setting_reaches_the_build_and_the_file(studio, tmp_path):
    settings = AvatarSettings(make="scan", scan=ScanSettings(resolution=4000), rig=RigSettings(rest="T"))
    made = make_avatars(Predictions.load(studio("body_walk")), settings=settings)
    assert bone(made[0], "upper_arm.L")[0] > 0.99
    again = load_avatars(save_avatars(made, tmp_path / "avatars.safetensors"))
    assert np.array_equal(again[0].rig.photo_from_rest, made[0].rig.photo_from_rest)
    kept = make_avatars(Predictions.load(studio("body_walk")), settings=replace(settings, rig=RigSettings(), with_rig=True))
    assert kept[0].rig.photo_from_rest is None


def test_an_unknown_rest_pose_is_one_sentence():
    with pytest.raises(SapiensError, match="Rest Pose must be auto, photo, A or T, not 'Y'"):
        RigSettings(rest="Y")
