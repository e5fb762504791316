"""Hems of two sleeves: which is near, how far, and which is whose twin."""

import numpy as np

from sapiens2_avatar.core.texture.hem_bands import FARTHEST, REACH, Hems, at_hem
from support.barrel import barrel


def test_hems_of_two_sleeves():
    points, quads, _ = barrel()
    sleeve = points[:, [2, 1, 0]] + (0.2, 0, 0)  # along x, from 0.2 to 0.8
    rest = np.concatenate([sleeve, sleeve * (-1, 1, 1)]).astype(np.float32)
    hems = Hems.of(rest, np.concatenate([quads, quads + len(points)]))
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


def test_a_closed_surface_has_none():
    box = np.array([[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]])
    corners = np.array([[x, y, z] for z in (0, 1) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))], np.float32)
    assert Hems.of(corners, box).near.shape == (8, 0)
