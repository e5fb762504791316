"""What the seen surface says of a body: rows of a piece of clothing are not independent, and cloth is not skin."""

from dataclasses import replace

import numpy as np

from sapiens2_avatar.core.body.correspondence import Pulls, compared_vertices, normals_at, ring_points, surface_pulls
from sapiens2_avatar.core.body.evaluate import Posture, Shape
from sapiens2_avatar.core.body.evidence import CLOTH_EASE, Evidence, ease_table, looseness_table
from sapiens2_avatar.core.body.state import Body, State
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.arrays import Camera, Pose
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, part_labels

RNG = np.random.default_rng(3)


def test_rows_of_a_piece_share_what_is_unknown_of_it():
    piece = np.array([1, 0, -1, 1, 0, 1])
    u = np.array([0.3, 2.0, 0.0, 1.5, 0.7, 0.2])
    pulls = Pulls(np.arange(6), np.zeros((6, 3)), np.zeros((6, 3)), piece, u)
    rows = RNG.normal(size=(6, 4))
    covariance = np.eye(6) + np.where((piece[:, None] == piece) & (piece >= 0), u[:, None] * u, 0)
    assert np.allclose(pulls.decorrelated(rows).T @ pulls.decorrelated(rows), rows.T @ np.linalg.inv(covariance) @ rows)
    assert np.array_equal(pulls.decorrelated(rows)[2], rows[2])
    assert np.allclose(pulls.decorrelated(rows[:, 0]), pulls.decorrelated(rows)[:, 0])


def test_clothes_hang_off_the_body_and_skin_does_not():
    (cloth,), (shin,), (thigh,), (face,) = (
        part_labels(name) for name in ("Lower_Clothing", "Left_Lower_Leg", "Left_Upper_Leg", "Face_Neck")
    )
    assert ease_table()[cloth, shin, 0] > ease_table()[cloth, thigh, 0] > 0
    assert ease_table()[face, face, 0] == 0
    assert looseness_table()[cloth] > 0
    assert not looseness_table()[face]


def test_a_joint_under_cloth_counts_less_along_its_ray():
    labels = np.zeros((40, 30), np.uint8)
    labels[:20] = part_labels("Upper_Clothing")[0]
    labels[20:] = part_labels("Torso")[0]
    camera = Camera(30, 40, 50.0, 50.0, 14.5, 19.5)
    positions = np.tile([0.1, -0.3, 2.0], (len(JOINT_NAMES), 1)).astype(np.float32)
    positions[1::2, 1] = 0.3
    known = np.ones(len(JOINT_NAMES), np.float32)
    pose = Pose(JOINT_NAMES, positions, known, known > 0, np.full((308, 3), np.nan, np.float32), 1.7)
    keypoints = np.column_stack([np.full(308, 15.0), np.where(np.arange(308) % 2, 30.0, 5.0), np.ones(308)])
    evidence = Evidence(camera, pose, keypoints, labels=labels)
    ray = positions / np.linalg.norm(positions, axis=1, keepdims=True)
    size = np.linalg.norm(np.einsum("nij,nj->ni", evidence.joint_weights_in_space, ray), axis=1)
    assert np.allclose(size[1::2], 1, atol=1e-5)
    assert size[::2].max() < 0.5
    across = np.cross(ray, [0, 1, 0])
    assert np.allclose(np.einsum("nij,nj->ni", evidence.joint_weights_in_space, across), across, atol=1e-5)
    assert np.array_equal(evidence.keypoint_is_bare, np.arange(308) % 2 == 1)
    assert "Upper_Clothing" in CLOTH_EASE


def test_of_drawn_maps_the_outline_is_believed_and_the_depth_is_not():
    """The front of an arm from one photo and its back from another met in a thin arm."""
    forward = Posture.rest()
    body = Body.of(State(Shape(), replace(forward, translation=np.array([0.0, 0.0, 3.0])), np.zeros(len(template().unit_names))))
    rings = ring_points(body)
    points, normals = rings[compared_vertices()], normals_at(rings)
    camera = Camera(300, 400, 480.0, 480.0, 149.5, 199.5)
    pixels = np.round(camera.project(points)).astype(int)
    seen = (normals * points).sum(axis=1) / np.linalg.norm(points, axis=1) < -0.15
    pointmap, normal = np.zeros((400, 300, 3), np.float32), np.zeros((400, 300, 3), np.float32)
    pointmap[pixels[seen, 1], pixels[seen, 0]] = points[seen]
    normal[pixels[seen, 1], pixels[seen, 0]] = normals[seen] * [1, -1, -1]
    pose = Pose(JOINT_NAMES, np.ones((68, 3), np.float32), np.ones(68, np.float32), np.ones(68, bool), points[:308] * np.nan, 1.7)
    exact = Evidence(camera, pose, None, pointmap[..., 2] > 0, pointmap, normal, None, np.zeros((400, 300), np.float32))
    one, other = (surface_pulls(e, points, normals, 0.1) for e in (exact, replace(exact, depth_spread=0.15)))
    assert np.array_equal(one.vertex, other.vertex) and len(one.vertex) > 50
    share = np.linalg.norm(other.direction, axis=1) / np.linalg.norm(one.direction, axis=1)
    facing = np.abs((normals[one.vertex] * points[one.vertex]).sum(axis=1)) / np.linalg.norm(points[one.vertex], axis=1)
    assert share[facing > 0.9].max() < 0.15
    assert np.median(share[facing < 0.3]) > 1.5 * np.median(share[facing > 0.9])
