"""Hems of two sleeves: which is near, how far, and which is whose twin."""

import numpy as np

from sapiens2_avatar.core.texture.hem_bands import FARTHEST, REACH, Hems, at_hem
from support.barrel import barrel


def test_hems_of_two_sleeves():
    points, quads, _ = barrel()
    sleeve = points[:, [2, 1, 0]] + (0.2, 0, 0)  # along x, from 0.2 to 0.8
    rest = np.concatenate([sleeve, sleeve * (-1, 1, 1)]).astype(np.float32)
    both = np.concatenate([quads, quads + len(points)])
    hems = Hems.of(rest, both, np.zeros(len(both), bool))
    assert hems.near.shape == (len(rest), 4)
    ends = np.array([rest[(hems.near[:, k] == 1) & (hems.distance[:, k] == 0), 0].mean() for k in range(4)])
    np.testing.assert_allclose(np.sort(ends), [-0.8, -0.2, 0.2, 0.8], atol=1e-6)
    np.testing.assert_allclose(ends[hems.twin], -ends, atol=1e-6)
    # Straight up the sleeve a path over the edges is as long as the sleeve.
    away = np.minimum(np.abs(np.abs(rest[:, 0]) - 0.2), np.abs(np.abs(rest[:, 0]) - 0.8))
    near = away < FARTHEST - 0.02
    np.testing.assert_allclose(hems.distance[near, 0], away[near], atol=1e-5)
    assert (hems.near.sum(axis=1)[near] == 1).all() and not hems.near[away > FARTHEST + 0.02].any()
    assert (at_hem(hems.distance, hems.near)[away > REACH[1] + 1e-4] == 0).all()


def test_a_lining_is_as_near_as_the_hem_it_hangs_on():
    points, quads, _ = barrel()
    top = np.flatnonzero(points[:, 2] == points[:, 2].max())
    lining = points[top] * (0.95, 0.95, 1) - (0, 0, 0.01)
    strip = np.stack(
        [np.roll(top, -1), top, len(points) + np.arange(len(top)), len(points) + np.roll(np.arange(len(top)), -1)], axis=1
    )
    rest, every = np.concatenate([points, lining]).astype(np.float32), np.concatenate([quads, strip])
    hems = Hems.of(rest, every, np.arange(len(every)) >= len(quads))
    bare = Hems.of(points, quads, np.zeros(len(quads), bool))
    np.testing.assert_allclose(hems.distance[: len(points)], bare.distance, atol=1e-6)
    assert hems.distance[len(points) :].max() < 0.02
    assert (hems.near[len(points) :].argmax(axis=1) == bare.near[top[0]].argmax()).all()


def test_a_closed_surface_has_none():
    box = np.array([[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]])
    corners = np.array([[x, y, z] for z in (0, 1) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))], np.float32)
    assert Hems.of(corners, box, np.zeros(6, bool)).near.shape == (8, 0)
