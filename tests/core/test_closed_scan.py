"""A scan closed with the sides and the back of the avatar."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from sapiens2_avatar.core import closed_scan
from sapiens2_avatar.core.avatar import make_avatars
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.settings import AvatarSettings
from sapiens2_avatar.core.surface.solid import Lattice, inside

COARSE = 0.012  # metres: what is tested holds at any step


def test_what_is_inside_is_told_in_spite_of_a_hole():
    corners = np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])
    square = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = np.array([t for a, b, c, d in square for t in ((a, b, c), (a, c, d))])
    lattice = Lattice.around(corners, 0.1, 0.25)
    at = np.stack(np.meshgrid(*(lattice.low[k] + 0.1 * np.arange(lattice.shape[k]) for k in range(3)), indexing="ij"), axis=-1)
    wanted = ((at > 0) & (at < 1)).all(axis=-1)
    assert np.array_equal(inside(lattice, corners, triangles), wanted)
    assert np.array_equal(inside(lattice, corners, triangles[1:]), wanted), "half of a side is missing"
    assert not inside(lattice, corners, triangles[:, ::-1]).any(), "turned inside out"


@pytest.mark.slow
def test_a_closed_scan_is_watertight_as_seen_in_front_and_has_a_back(studio, monkeypatch):
    monkeypatch.setattr(closed_scan, "STEP", COARSE)
    predictions = Predictions.load(studio("body_apose"))
    base = AvatarSettings(make="scan", texture_size=256)
    (open_one,) = make_avatars(predictions, settings=base)
    (closed,) = make_avatars(predictions, settings=AvatarSettings(make="scan", close=True, texture_size=256))
    mesh = closed.mesh
    assert closed.body is None and not closed.garments and closed.rig is not None
    ends = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]).astype(np.int64)
    forth, back = (np.sort(a * len(mesh.vertices) + b) for a, b in (ends.T, ends[:, ::-1].T))
    assert np.array_equal(forth, back), "an edge of an open border"
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    litres = 1000 * np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6
    assert 40 < litres < 110, "the volume of a person"

    # Both stand on the ground of the same camera.
    front = open_one.mesh.vertices
    tree = cKDTree(mesh.vertices)
    far, near = tree.query(front)
    off = np.abs(np.einsum("ij,ij->i", front - mesh.vertices[near], open_one.mesh.normals))
    assert np.median(off) < 0.002 and np.percentile(far, 98) < 1.5 * COARSE
    # Behind the trunk, as seen by the camera.
    middle = np.median(front[open_one.mesh.labels > 0], axis=0)
    assert mesh.vertices[:, 2].max() > middle[2] + 0.1
    np.testing.assert_allclose(closed.weights.weights.sum(axis=1), 1, atol=1e-4)
    assert closed.textures.layout == "atlas" and closed.textures.base_colour_srgb.shape == (256, 256, 3)
