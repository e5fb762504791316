"""Tears: an arm in front of a chest separates, a nose does not; blended depths go back to a surface."""

import cv2
import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.landmarks import part_labels
from sapiens2_avatar.core.common.spaces import camera_from_normal_head
from sapiens2_avatar.core.surface import depth_edges
from sapiens2_avatar.core.surface.depth_snap import Cues, snap
from sapiens2_avatar.core.surface.normal_map import usable_normals
from sapiens2_avatar.core.surface.person_mask import nearest, person_domain, without_islands

TORSO, HAND, FOREARM = (int(v) for v in part_labels("Torso", "Left_Hand", "Left_Lower_Arm"))


def _maps(predictions, camera):
    rays = camera.rays()
    normal = camera_from_normal_head(predictions.normal.astype(np.float32))
    return predictions.pointmap[..., 2].astype(np.float32), normal, rays, depth_edges.slant(normal, rays, camera)


def _cuts(z, slants, labels, camera):
    inverse = depth_edges.inverse_depth(z)
    return depth_edges.cut_pairs(
        z, (depth_edges.pair_gap(inverse, slants, 0), depth_edges.pair_gap(inverse, slants, 1)), labels, camera
    )


def test_plane_is_explained_exactly_whatever_its_slope(scan_subjects):
    _, camera = scan_subjects.sphere(64)
    rays = camera.rays()
    normal = np.array([0.5, -0.3, -0.8]) / np.linalg.norm([0.5, -0.3, -0.8])
    z = (2 * normal[2] / (rays @ normal)).astype(np.float32)
    field = np.broadcast_to(normal.astype(np.float32), rays.shape)
    inverse, slants = depth_edges.inverse_depth(z), depth_edges.slant(field, rays, camera)
    for axis in (0, 1):
        for step in (1, 3):
            assert depth_edges.pair_gap(inverse, slants, axis, step).max() < 2e-5


def test_ball_in_front_of_wall_is_cut_along_its_outline_only(scan_subjects):
    predictions, camera = scan_subjects.sphere(wall=3.0)
    z, _, _, slants = _maps(predictions, camera)
    down, right = _cuts(z, slants, predictions.seg, camera)
    across = predictions.seg[:, 1:] != predictions.seg[:, :-1]
    assert right[:, :-1][across].all() and not right[:, :-1][~across].any()
    across = predictions.seg[1:] != predictions.seg[:-1]
    assert down[:-1][across].all() and not down[:-1][~across].any()


def test_steep_slope_is_no_tear(scan_subjects):
    """Near the outline of a ball neighbours are 20 mm apart in depth, and still one surface."""
    predictions, camera = scan_subjects.sphere(96)
    z, _, _, slants = _maps(predictions, camera)
    steps = np.abs(np.diff(z, axis=1))[(z[:, 1:] > 0) & (z[:, :-1] > 0)]
    assert steps.max() > 0.02
    down, right = _cuts(z, slants, predictions.seg, camera)
    assert not down.any() and not right.any()


@pytest.mark.parametrize(
    ("gap", "label", "torn"), [(0.005, HAND, True), (0.005, TORSO, False), (0.02, TORSO, True), (0.001, HAND, False)]
)
def test_small_gap_tears_only_parts_that_lie_apart(gap, label, torn):
    camera = Camera(64, 64, 800, 800, 31.5, 31.5)
    rays = camera.rays()
    z = np.full((64, 64), 0.8, np.float32)
    z[:, :32] -= np.float32(gap)
    labels = np.full((64, 64), TORSO, np.uint8)
    labels[:, :32] = label
    normal = np.broadcast_to(np.array([0, 0, -1], np.float32), rays.shape)
    down, right = _cuts(z, depth_edges.slant(normal, rays, camera), labels, camera)
    assert right[:, 31].all() == torn and right.sum() == (64 if torn else 0) and not down.any()


def test_parts_that_meet_on_a_body_are_not_apart():
    apart = depth_edges.parts_apart()
    assert (apart == apart.T).all() and not apart.diagonal().any() and not apart[0].any()
    assert apart[HAND, TORSO] and not apart[HAND, FOREARM]
    for a, b in (("Face_Neck", "Hair"), ("Torso", "Left_Upper_Arm"), ("Upper_Clothing", "Lower_Clothing"),
                 ("Left_Foot", "Left_Lower_Leg"),
                 ("Face_Neck", "Upper_Lip"), ("Left_Upper_Leg", "Lower_Clothing"), ("Left_Shoe", "Left_Sock")):  # fmt: skip
        i, j = part_labels(a, b)
        assert not apart[i, j], (a, b)
    for a, b in (("Left_Hand", "Face_Neck"), ("Left_Hand", "Right_Hand"), ("Left_Lower_Leg", "Right_Lower_Leg")):
        i, j = part_labels(a, b)
        assert apart[i, j], (a, b)


def test_blended_depths_return_to_one_of_the_two_surfaces(scan_subjects):
    predictions, camera = scan_subjects.sphere(wall=3.0)
    truth, normal, _, slants = _maps(predictions, camera)
    padded = np.pad(truth, 1, mode="edge")
    blended = sum(padded[i : i + 160, j : j + 160] for i in range(3) for j in range(3)) / np.float32(9)
    edge = np.zeros(truth.shape, bool)
    edge[:, 1:] |= predictions.seg[:, 1:] != predictions.seg[:, :-1]
    edge[:, :-1] |= edge[:, 1:]
    before = np.abs(blended - truth)[edge]
    assert np.median(before) > 0.2
    everything = np.ones(truth.shape, bool)
    z, measured = snap(blended, everything, Cues(normal, slants, predictions.seg, predictions.image), camera)
    assert (z > 0).all() and not measured[edge].all()
    # The rim of the ball is too steep for its planes: a few centimetres are left of 1.3 m.
    assert np.mean(np.abs(z - truth)[edge] < 0.06) > 0.97
    far = (np.abs(z - 3) > 0.05) & (np.abs(z - truth) > 0.1)
    assert far.mean() < 0.001, "depths between the surfaces are left"


def test_what_is_seen_between_two_blended_fingers_goes_back_to_the_surface_behind():
    """A hand at 2 m in front of a wall 0.3 m behind; the gap is narrower than the blur, its depth nowhere right."""
    camera = Camera(160, 120, 900.0, 900.0, 79.5, 59.5)
    truth = np.full((120, 160), 2.3, np.float32)
    truth[30:90, 90:] = 2.0
    for top in (38, 57):
        truth[top : top + 12, 40:90] = 2.0
    gap = np.s_[52:55, 46:84]
    hand = truth < 2.1
    image = np.where(hand[..., None], np.uint8([200, 150, 120]), np.uint8([60, 100, 90])).astype(np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 0.7)
    blended = cv2.GaussianBlur(truth, (0, 0), 3.0)
    assert np.abs(blended - 2.3)[gap].min() > 0.06
    normal = np.broadcast_to(np.float32([0, 0, -1]), (*truth.shape, 3))
    slants = depth_edges.slant(normal, camera.rays(), camera)
    z, _ = snap(
        blended, np.ones(truth.shape, bool), Cues(normal, slants, np.where(hand, HAND, TORSO).astype(np.uint8), image), camera
    )
    assert np.mean(np.abs(z - 2.3)[gap] < 0.03) > 0.95, np.abs(z - 2.3)[gap].round(2)
    assert np.mean(np.abs(z - truth)[hand] < 0.03) > 0.95


def test_exact_depths_stay_as_they_are(scan_subjects):
    predictions, camera = scan_subjects.sphere(wall=3.0)
    truth, normal, _, slants = _maps(predictions, camera)
    z, measured = snap(truth, np.ones(truth.shape, bool), Cues(normal, slants, predictions.seg, predictions.image), camera)
    assert measured.mean() > 0.98
    assert np.abs(z - truth).max() < 0.1, "a pixel of the steep rim went to the other surface"
    np.testing.assert_array_equal(z[measured], truth[measured])


def test_holes_in_the_depth_are_filled_from_the_planes_around(scan_subjects):
    predictions, camera = scan_subjects.sphere()
    truth, normal, _, slants = _maps(predictions, camera)
    z = truth.copy()
    z[70:84, 74:90] = 0
    filled, measured = snap(z, predictions.seg > 0, Cues(normal, slants, predictions.seg, predictions.image), camera)
    hole = np.s_[70:84, 74:90]
    assert not measured[hole].any() and np.abs(filled - truth)[hole].max() < 0.005


def test_matte_decides_the_border_and_the_segmentation_who_it_is():
    seg, alpha = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    seg[20:44, 20:44] = TORSO
    alpha[17:47, 17:41] = 255
    alpha[:8, :8] = 255  # somebody's bag, far away
    known = np.ones(seg.shape, bool)
    domain, labels = person_domain(seg, alpha, None, known)
    expected = np.zeros(seg.shape, bool)
    expected[17:47, 17:41] = True
    np.testing.assert_array_equal(domain, expected)
    np.testing.assert_array_equal(labels, np.where(expected, TORSO, 0))


def test_other_people_stay_out_of_the_domain():
    seg = np.zeros((40, 60), np.uint8)
    seg[5:35, 5:55] = TORSO
    mask = np.zeros(seg.shape, bool)
    mask[5:35, 5:30] = True
    domain, _ = person_domain(seg, np.full(seg.shape, 255, np.uint8), mask, np.ones(seg.shape, bool))
    assert domain[5:35, 5:30].all() and not domain[:, 30:55][5:35].any()


def test_hair_is_kept_from_a_quarter_of_opacity():
    seg = np.zeros((40, 40), np.uint8)
    seg[:20, 15:25], seg[20:, 15:25] = part_labels("Hair")[0], TORSO
    alpha = np.where(seg > 0, 90, 0).astype(np.uint8)
    domain, _ = person_domain(seg, alpha, None, np.ones(seg.shape, bool))
    np.testing.assert_array_equal(domain, seg == part_labels("Hair")[0])


def test_islands_take_the_label_around_them():
    labels = np.full((30, 30), TORSO, np.uint8)
    labels[10:13, 10:13], labels[20:22, 20:22] = HAND, 0
    np.testing.assert_array_equal(without_islands(labels, 10), np.full((30, 30), TORSO))
    np.testing.assert_array_equal(without_islands(labels, 5) == HAND, labels == HAND)


def test_nearest_agrees_with_brute_force():
    rng = np.random.default_rng(3)
    known = rng.random((17, 23)) < 0.05
    values = rng.integers(0, 1000, (17, 23))
    found = nearest(known, values)
    yx = np.argwhere(known)
    for y, x in np.argwhere(~known)[::7]:
        distance = np.linalg.norm(yx - [y, x], axis=1)
        allowed = values[tuple(yx[distance <= distance.min() * 1.05 + 1e-9].T)]
        assert found[y, x] in allowed


def test_normals_with_wrong_signs_are_turned_and_nonsense_is_left_out(scan_subjects):
    predictions, camera = scan_subjects.sphere()
    z, normal, rays, _ = _maps(predictions, camera)
    domain = predictions.seg > 0
    found, informed, notes = usable_normals(predictions.normal, z, domain, rays)
    assert informed and not notes
    np.testing.assert_allclose(found[domain], normal[domain], atol=2e-3)
    found, informed, notes = usable_normals(predictions.normal * np.array([1, -1, 1], np.float16), z, domain, rays)
    assert informed and "y" in notes[0]
    np.testing.assert_allclose(found[domain], normal[domain], atol=2e-3)
    random = np.random.default_rng(0).normal(size=(*z.shape, 3)).astype(np.float32)
    random /= np.linalg.norm(random, axis=-1, keepdims=True)
    found, informed, notes = usable_normals(random, z, domain, rays)
    assert not informed and "contradicts" in notes[0]
    inner = (z > 0) & (np.hypot(*np.mgrid[-79.5:80, -79.5:80]) < 40)
    assert np.degrees(np.arccos(np.clip((found * normal).sum(-1)[inner], -1, 1))).mean() < 3
