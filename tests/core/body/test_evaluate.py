"""Points follow shape, face and posture, and their derivatives are those of differences."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.body.carried import Carried
from sapiens2_avatar.core.body.evaluate import Posture, Selection, Shape, average_phenotype, frames, pose_points, rest_points
from sapiens2_avatar.core.body.phenotype import PHENOTYPES
from sapiens2_avatar.core.body.priors import joint_axes, prior_rows
from sapiens2_avatar.core.body.skeleton import BONES
from sapiens2_avatar.core.body.state import Body, State, columns, unknowns
from sapiens2_avatar.core.body.template import Means, template
from sapiens2_avatar.core.common.landmarks import joint_index
from sapiens2_avatar.core.common.rotations import rotation_from_vector


@pytest.fixture(scope="module")
def state():
    rng = np.random.default_rng(0)
    shape = Shape(average_phenotype() + rng.normal(0, 0.03, 11), rng.normal(0, 0.5, 24), rng.normal(0, 0.5, 40))
    turns = rotation_from_vector(rng.normal(0, 0.3, (len(BONES), 3)))
    return State(shape, Posture(turns, np.array([0.1, 0.2, 3.0])), rng.uniform(0.2, 0.5, 52))


@pytest.fixture(scope="module")
def selection():
    return Selection.of(np.sort(np.random.default_rng(1).choice(len(template().base), 300, replace=False)))


@pytest.fixture(scope="module")
def means(selection):
    """Means of three points each of the 300 of the selection."""
    points = np.random.default_rng(4).permutation(selection.points).astype(np.int32)
    weights = np.random.default_rng(5).dirichlet(np.ones(3), 100).astype(np.float32)
    return Means(100, np.stack([np.repeat(np.arange(100, dtype=np.int32), 3), points], axis=1), weights.ravel())


@pytest.mark.parametrize("name", list(columns()))
def test_derivatives_are_those_of_differences(state, means, name):
    carried = Carried.of(means)
    places, slopes = Body.of(state).means_with_slopes(carried)
    np.testing.assert_array_equal(places, Body.of(state).means(carried))
    prior = prior_rows(state)[1]
    for column in np.random.default_rng(2).choice(np.arange(unknowns())[columns()[name]], 3, replace=False):
        step = np.zeros(unknowns())
        step[column] = 2e-4
        up, down = state.moved(step), state.moved(-step)
        difference = (Body.of(up).means(carried) - Body.of(down).means(carried)) / 4e-4
        assert np.abs(difference - slopes[:, :, column]).max() < 0.02 * max(1.0, np.abs(difference).max())
        difference = (prior_rows(up)[0] - prior_rows(down)[0]) / 4e-4
        assert np.abs(difference - prior[:, column]).max() < 0.02 * max(1.0, np.abs(difference).max())


def test_means_of_posed_points_are_those_of_what_each_bone_carries(state, means):
    # Bones rest where they do without a face.
    heads = template().heads.of(rest_points(state.shape).astype(float))
    rest = rest_points(state.shape, state.face).astype(float)
    posed = frames(heads, state.posture).place(rest, template().weight_bones, template().weights)
    np.testing.assert_allclose(Body.of(state).means(Carried.of(means)), means.of(posed), atol=3e-6)


def test_derivatives_by_posture_and_face_alone_are_the_same(state, means):
    whole, part = (Body.of(state).means_with_slopes(Carried.of(means), shaped)[1] for shaped in (True, False))
    np.testing.assert_array_equal(whole[..., : unknowns(shaped=False)], part)


def test_derivatives_along_directions_are_the_same(state, selection):
    rng = np.random.default_rng(3)
    rows, directions = rng.integers(0, 300, 80), rng.normal(size=(80, 3))
    body = Body.of(replace(state, face=np.zeros(52)))
    each = Means(300, np.stack([np.arange(300), selection.points], axis=1).astype(np.int32), np.ones(300, np.float32))
    whole = np.einsum("mi,mij->mj", directions, body.means_with_slopes(Carried.of(each))[1][rows])
    whole[:, columns()["face"]] = 0  # that of the points is without expression
    assert np.abs(whole - body.slopes_along(selection, rows, directions)).max() < 1e-3


def test_posed_points_are_rest_points_moved_rigidly_by_a_turn_of_the_whole_body():
    shape = Shape()
    points = rest_points(shape).astype(float)
    turn = rotation_from_vector(np.array([0.3, -0.8, 0.2]))
    rest = Posture.rest()
    turns = rest.turns.copy()
    turns[0] = turn
    hips = template().heads.of(points)[0]
    posed = pose_points(points, Posture(turns, np.array([0.0, 1.0, 2.0])))
    assert np.allclose(posed, (points - hips) @ turn.T + hips + [0, 1, 2], atol=1e-6)


@pytest.mark.parametrize(("bone", "joint", "forward"), [("forearm.L", "left_wrist", True), ("shin.R", "right_ankle", False)])
def test_a_positive_turn_about_the_first_axis_bends_as_people_do(bone, joint, forward):
    shape, row = Shape(), list(BONES).index(bone)
    points = rest_points(shape).astype(float)
    turns = Posture.rest().turns.copy()
    turns[row] = rotation_from_vector(joint_axes().frames[row][:, 0] * 1.0)
    moved = template().joints.of(pose_points(points, Posture(turns, np.zeros(3))))[joint_index(joint)]
    before = template().joints.of(points)[joint_index(joint)]
    assert (moved[1] < before[1] - 0.05) if forward else (moved[1] > before[1] + 0.05)


def test_a_thicker_body_comes_of_more_weight_and_a_taller_one_of_more_height():
    def size(**numbers):
        phenotype = average_phenotype()
        for name, value in numbers.items():
            phenotype[PHENOTYPES.index(name)] = value
        points = rest_points(Shape(phenotype)).astype(float)
        quads = template().skin_faces()
        halves = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
        volume = np.linalg.det(points[halves]).sum() / 6
        return volume, np.ptp(points[quads][..., 2])

    assert size(weight=0.9)[0] > 1.15 * size(weight=0.2)[0]
    assert size(height=0.9)[1] > size(height=0.2)[1] + 0.1
    assert size(age=0.2)[1] < 1.4


@pytest.mark.parametrize("bone", ["forearm.L", "shin.R", "f_index.02.R"])
def test_what_is_bent_at_rest_may_be_straight_but_not_bent_backwards(bone):
    axes, row = joint_axes(), list(BONES).index(bone)
    (at,) = np.flatnonzero(axes.hinges == row)

    def cost(turn: float) -> float:
        turns = Posture.rest().turns.copy()
        turns[row] = rotation_from_vector(axes.frames[row][:, 0] * turn)
        residual = prior_rows(State(Shape(), Posture(turns, np.zeros(3)), np.zeros(52)))[0]
        return float(residual[len(residual) - len(axes.hinges) + at] ** 2)

    assert axes.bent[at] > (0.5 if bone.startswith("forearm") else 0.05)
    assert cost(-axes.bent[at]) == 0
    assert cost(-axes.bent[at] - 0.5) > 50
