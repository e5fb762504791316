"""What the seen surface says of a body: rows of a piece of clothing are not independent, and cloth is not skin."""

import numpy as np

from sapiens2_avatar.core.body.correspondence import Pulls
from sapiens2_avatar.core.body.evidence import CLOTH_EASE, Evidence, ease_table, looseness_table
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
