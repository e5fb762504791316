"""Skin weights: whole, few, smooth, and of the right limb, also where skin touches skin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from sapiens2_avatar.core.avatar import make_avatars
from sapiens2_avatar.core.common.arrays import MeshData, Pose
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, part_labels
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.rig.metarig import make_rig
from sapiens2_avatar.core.rig.patch_graph import make_patches
from sapiens2_avatar.core.rig.skin_weights import (
    REGIONS,
    SkinSettings,
    allowed_regions,
    region_of_bone,
    segment_distance,
    skin_weights,
)
from sapiens2_avatar.core.settings import AvatarSettings
from support.people import standing


@pytest.fixture(scope="module")
def rig():
    joints, points = standing(0)
    whole = np.ones(68, np.float32)
    return make_rig(Pose(JOINT_NAMES, joints.astype(np.float32), whole, whole > 0, points.astype(np.float32), 1.72))


def sheet(corner, across, down, columns: int, rows: int, label: str) -> MeshData:
    """A rectangle of columns x rows vertices, seen from the camera."""
    u, v = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    vertices = np.asarray(corner) + u.reshape(-1, 1) * np.asarray(across) + v.reshape(-1, 1) * np.asarray(down)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, d, b], 1), np.stack([b, d, c], 1)])
    count = len(vertices)
    return MeshData(vertices.astype(np.float32), faces.astype(np.int32), np.zeros((count, 2), np.float32),
                    np.tile(np.array([0, 0, -1], np.float32), (count, 1)),
                    np.full(count, part_labels(label)[0], np.uint8))  # fmt: skip


def joined(*meshes: MeshData) -> MeshData:
    start = np.cumsum([0, *(len(m.vertices) for m in meshes)])
    return MeshData(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, start, strict=False)]).astype(np.int32),
        np.concatenate([m.uvs for m in meshes]), np.concatenate([m.normals for m in meshes]),
        np.concatenate([m.labels for m in meshes]),
    )  # fmt: skip


def share(weights, rig, prefixes: tuple[str, ...]) -> np.ndarray:
    """(V,) how much of each vertex follows bones whose names start so."""
    wanted = np.array([n.startswith(prefixes) for n in rig.names])
    return (weights.weights * wanted[weights.bones]).sum(axis=1)


def at(rig, bone: str, t: float) -> np.ndarray:
    i = rig.names.index(bone)
    return rig.heads[i] + t * (rig.tails[i] - rig.heads[i])


def test_weights_are_whole_few_and_on_bones_that_deform(rig):
    mesh = sheet(at(rig, "thigh.L", 0) - [0.1, 0, 0.1], [0.2, 0, 0], [0, 0.9, 0], 30, 120, "Lower_Clothing")
    for count in (1, 4, 8):
        weights = skin_weights(mesh, rig, SkinSettings(influences=count))
        assert weights.weights.shape == (len(mesh.vertices), count)
        assert np.allclose(weights.weights.sum(axis=1), 1, atol=1e-5) and (weights.weights >= 0).all()
        used = {rig.names[b] for b in np.unique(weights.bones[weights.weights > 0])}
        assert all(region_of_bone(n) for n in used)


def test_a_leg_goes_from_thigh_to_shin_at_the_knee(rig):
    mesh = sheet(at(rig, "thigh.L", 0) - [0.08, 0, 0.1], [0.16, 0, 0], [0, 0.85, 0], 30, 150, "Left_Upper_Leg")
    weights = skin_weights(mesh, rig)
    shin = share(weights, rig, ("shin.L", "foot.L", "toe.L"))
    height = mesh.vertices[:, 1] - at(rig, "shin.L", 0)[1]
    assert shin[height < -0.15].max() < 0.15 and shin[height > 0.15].min() > 0.85
    assert 0.3 < shin[np.abs(height) < 0.01].mean() < 0.7
    rows = shin.reshape(150, 30).mean(axis=1)
    assert np.abs(np.diff(rows)).max() < 0.1  # no steps


def test_an_arm_beside_the_trunk_does_not_pull_it(rig):
    shoulder = np.array([0.21, *at(rig, "upper_arm.L", 0)[1:]], np.float32)
    down = np.array([0, 1, 0], np.float32)
    heads, tails = rig.heads.copy(), rig.tails.copy()
    for bone, start, end in (("upper_arm.L", 0.0, 0.28), ("forearm.L", 0.28, 0.53), ("hand.L", 0.53, 0.6)):
        i = rig.names.index(bone)
        heads[i], tails[i] = shoulder + start * down, shoulder + end * down
    hanging = replace(rig, heads=heads, tails=tails)
    # The gap between trunk and sleeve is 25 mm; both are one garment; the scan is cut between them.
    trunk = sheet([-0.15, shoulder[1] + 0.08, shoulder[2] - 0.1], [0.3, 0, 0], [0, 0.36, 0], 80, 80, "Upper_Clothing")
    sleeve = sheet([0.175, shoulder[1] + 0.08, shoulder[2] - 0.03], [0.07, 0, 0], [0, 0.36, 0], 40, 80, "Upper_Clothing")
    weights = skin_weights(joined(trunk, sleeve), hanging)
    on_arm = share(weights, rig, tuple(n for n in rig.names if region_of_bone(n) == "arm.L"))
    assert on_arm[: len(trunk.vertices)].max() < 0.05
    assert on_arm[len(trunk.vertices) :].min() > 0.9


def test_skin_that_only_touches_comes_apart(rig):
    centre = at(rig, "spine.001", 0.5)
    belly = sheet(centre - [0.12, 0.1, 0.1], [0.24, 0, 0], [0, 0.2, 0], 60, 60, "Torso")
    labels = belly.labels.reshape(60, 60).copy()
    labels[20:40, 20:40] = part_labels("Right_Hand")[0]  # a hand on it, the surface runs on
    mesh = MeshData(belly.vertices, belly.faces, belly.uvs, belly.normals, labels.ravel())
    weights = skin_weights(mesh, rig)
    on_trunk = share(weights, rig, ("spine", "shoulder"))
    hand = labels.ravel() == part_labels("Right_Hand")[0]
    assert on_trunk[hand].max() < 0.05 and on_trunk[~hand].min() > 0.95


def test_fingers_that_were_not_seen_get_no_skin(rig):
    hidden = np.array([n.startswith("f_") and n.endswith(".R") for n in rig.names])
    mesh = sheet(at(rig, "f_middle.01.R", 0) - [0.05, 0.05, 0.02], [0.1, 0, 0], [0, 0.1, 0], 30, 30, "Right_Hand")
    weights = skin_weights(mesh, replace(rig, unseen=hidden))
    assert not hidden[np.unique(weights.bones[weights.weights > 0])].any()


def test_every_part_has_a_region_and_sides_do_not_mix():
    table = allowed_regions()
    assert table.any(axis=1).all()
    left, right = REGIONS.index("arm.L"), REGIONS.index("arm.R")
    for label in part_labels("Left_Hand", "Left_Upper_Arm", "Left_Lower_Arm"):
        assert table[label, left] and table[label].sum() == 1 and not table[label, right]
    assert table[part_labels("Lower_Lip")[0], REGIONS.index("head")]


def test_distance_to_segments():
    heads, tails = np.array([[0.0, 0, 0]]), np.array([[1.0, 0, 0]])
    points = np.array([[0.5, 2, 0], [-3, 4, 0], [4, 0, 4]], np.float32)
    assert np.allclose(segment_distance(points, heads, tails)[:, 0], [2, 5, 5])


def test_patches_spread_linear_values_without_steps():
    mesh = sheet([0, 0, 2.0], [0.5, 0, 0.1], [0, 0.5, 0.05], 90, 90, "Torso")
    patches = make_patches(mesh, 300)
    assert 100 < len(patches.centres) < 1500
    plane = patches.centres @ np.array([[1.0], [-2.0], [0.5]], np.float32)
    columns, values = patches.spread(mesh, plane, 1)
    values = values[:, 0]
    assert (columns == 0).all()
    inner = (np.abs(mesh.vertices[:, 0] - 0.25) < 0.2) & (np.abs(mesh.vertices[:, 1] - 0.25) < 0.2)
    assert np.abs(values - mesh.vertices @ [1.0, -2.0, 0.5])[inner].max() < 0.3 * patches.spacing * np.linalg.norm(
        [1.0, -2.0, 0.5]
    )


def test_distances_run_along_the_surface():
    first = sheet([0, 0, 2.0], [0.3, 0, 0], [0, 0.3, 0], 40, 40, "Torso")
    second = sheet([0.305, 0, 2.0], [0.3, 0, 0], [0, 0.3, 0], 40, 40, "Torso")
    patches = make_patches(joined(first, second), 200)
    away = patches.distances(patches.centres[:, 0] < 0.03)
    assert np.isinf(away[patches.centres[:, 0] > 0.31]).all()  # close in space, but not connected
    assert 0.2 < away[patches.centres[:, 0] < 0.3].max() < 0.5


def test_a_scan_that_was_not_segmented_moves_like_one_that_was(studio):
    """Bones and the surface alone give each limb its skin."""
    whole = Predictions.load(studio("body_apose"))
    settings = AvatarSettings(make="scan")
    bare = make_avatars(replace(whole, seg=None), settings=settings)[0]
    assert any("Without body parts" in note for note in bare.notes)
    known = make_avatars(whole, settings=settings)[0]
    nearest = cKDTree(known.mesh.vertices).query(bare.mesh.vertices)[1]
    for prefixes in (("upper_arm", "forearm"), ("hand", "f_", "thumb"), ("thigh", "shin"), ("foot", "toe"), ("spine.006",)):
        with_parts, without = share(known.weights, known.rig, prefixes)[nearest], share(bare.weights, bare.rig, prefixes)
        assert np.mean(np.abs(with_parts - without) < 0.3) > 0.97, prefixes
