"""Closed-form rotations: every result is a rotation, does what its name says, and stays defined in degenerate cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens2_avatar.core.common import rotations

vectors = st.lists(st.floats(-3, 3, allow_nan=False), min_size=3, max_size=3).map(np.array)


def is_rotation(m: np.ndarray) -> bool:
    return np.allclose(m @ np.swapaxes(m, -1, -2), np.eye(3), atol=1e-7) and np.allclose(np.linalg.det(m), 1, atol=1e-7)


def some_rotations(count: int, seed: int = 0) -> np.ndarray:
    return rotations.rotation_from_vector(np.random.default_rng(seed).normal(size=(count, 3)) * 1.5)


@given(vectors, vectors, st.sampled_from(["xy", "yz", "zx", "xz", "yx", "zy"]))
@settings(max_examples=80, deadline=None)
def test_two_axis_frame_is_a_rotation_for_every_input(primary, secondary, names):
    frame = rotations.two_axis_frame(primary, secondary, names)
    assert is_rotation(frame)
    if np.linalg.norm(primary) > 1e-3:
        assert np.allclose(frame[:, "xyz".index(names[0])], primary / np.linalg.norm(primary))
        across = secondary - (secondary @ rotations.unit(primary)) * rotations.unit(primary)
        if np.linalg.norm(across) > 1e-3:
            assert np.allclose(frame[:, "xyz".index(names[1])], rotations.unit(across), atol=1e-6)


@given(vectors, vectors, vectors)
@settings(max_examples=80, deadline=None)
def test_swing_is_the_shortest_arc(source, target, vector):
    if min(np.linalg.norm(source), np.linalg.norm(target)) < 1e-2:
        return
    arc = rotations.shortest_arc(source, target)
    assert is_rotation(arc)
    assert np.allclose(arc @ rotations.unit(source), rotations.unit(target), atol=1e-5)
    angle = np.degrees(rotations.angle_between(source, target))
    assert np.isclose(np.linalg.norm(rotations.vector_from_rotation(arc)), np.radians(angle), atol=1e-5)
    if angle < 179:
        assert np.allclose(rotations.swing(vector, source, target), arc @ vector, atol=1e-5)


def test_opposite_directions_turn_by_half():
    a = np.array([0.0, 0.0, 1.0])
    assert np.allclose(rotations.shortest_arc(a, -a) @ a, -a)
    assert np.allclose(rotations.swing(a, a, -a), -a)


def test_logarithm_and_quaternions_invert_each_other_up_to_half_a_turn():
    angles = np.array([0, 1e-9, 1e-4, 1.0, 3.0, np.pi - 1e-6])
    wanted = np.random.default_rng(1).normal(size=(50, 1, 3))
    wanted = rotations.unit(wanted) * angles[:, None]
    m = rotations.rotation_from_vector(wanted)
    assert is_rotation(m)
    assert np.allclose(rotations.vector_from_rotation(m), wanted, atol=1e-6)
    assert np.allclose(rotations.rotation_from_quaternion(rotations.quaternion_from_rotation(m)), m, atol=1e-9)


def test_swing_twist_recovers_the_twist_about_a_bone():
    rng = np.random.default_rng(2)
    axis = rotations.unit(rng.normal(size=(100, 3)))
    angle = rng.uniform(-3, 3, 100)
    swung = rotations.shortest_arc(axis, rotations.unit(axis + 0.8 * rng.normal(size=(100, 3))))
    swing, found = rotations.swing_twist(swung @ rotations.rotation_from_vector(axis * angle[:, None]), axis)
    assert np.allclose(found, angle, atol=1e-6)
    assert np.allclose(swing, swung, atol=1e-6)


@pytest.mark.parametrize("degrees", [-170, -90, -1, 0, 1, 90, 170])
def test_signed_angle(degrees):
    axis = np.array([0.0, 0.0, 1.0])
    a = np.array([1.0, 0.0, 0.3])
    b = rotations.rotation_from_vector(axis * np.radians(degrees)) @ a
    assert np.isclose(np.degrees(rotations.signed_angle(a, b, axis)), degrees)


def test_fit_rigid_finds_the_similarity_and_never_mirrors():
    rng = np.random.default_rng(3)
    source = rng.normal(size=(20, 9, 3))
    turn, scale, shift = some_rotations(20), rng.uniform(0.5, 2, 20), rng.normal(size=(20, 3))
    target = scale[:, None, None] * source @ np.swapaxes(turn, 1, 2) + shift[:, None]
    found = rotations.fit_rigid(source, target, rng.uniform(0.1, 1, (20, 9)))
    for got, wanted in zip(found, (turn, scale, shift), strict=True):
        assert np.allclose(got, wanted, atol=1e-9)
    mirrored = rotations.fit_rigid(source, source * [-1, 1, 1], np.ones((20, 9)))[0]
    assert is_rotation(mirrored)


def test_weights_leave_points_out():
    rng = np.random.default_rng(4)
    source = rng.normal(size=(12, 3))
    target = source.copy()
    target[:4] += 5
    rotation, scale, shift = rotations.fit_rigid(source, target, np.r_[np.zeros(4), np.ones(8)])
    assert np.allclose(rotation, np.eye(3)) and np.isclose(scale, 1) and np.allclose(shift, 0)


def test_leading_axes_are_independent():
    a, b = np.random.default_rng(5).normal(size=(2, 4, 5, 3))
    whole = rotations.two_axis_frame(a, b)
    assert all(np.allclose(whole[i, j], rotations.two_axis_frame(a[i, j], b[i, j])) for i in range(4) for j in range(5))
