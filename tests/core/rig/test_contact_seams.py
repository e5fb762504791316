"""Skin that touches comes apart: faces go to one side, nothing is lost and nothing moves at rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sapiens2_avatar.core.common.arrays import MeshData, SkinWeights
from sapiens2_avatar.core.rig.contact_seams import bridging_faces, cut


def grid(rows: int = 9, columns: int = 12, quads: bool = False) -> tuple[MeshData, SkinWeights, np.ndarray]:
    """A sheet whose left half follows bone 0 and whose right half follows bone 1, and the half of each vertex."""
    y, x = (a.ravel() for a in np.mgrid[:rows, :columns])
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel(), index[:-1, 1:].ravel()
    faces = np.stack([np.stack([a, b, c], 1), np.stack([a, c, d], 1)], 1).reshape(-1, 3)
    count = len(x)
    half = (x >= columns // 2).astype(np.int64)
    vertices = np.stack([x, y, 0 * x], 1).astype(np.float32)
    mesh = MeshData(vertices, faces.astype(np.int32), vertices[:, :2], np.tile(np.float32([0, 0, -1]), (count, 1)),
                    np.arange(count).astype(np.uint8), quads=quads)  # fmt: skip
    return mesh, SkinWeights(half[:, None].astype(np.int32), np.ones((count, 1), np.float32)), half


def test_faces_between_pieces_that_only_touch_are_found():
    mesh, _, half = grid()
    found = bridging_faces(mesh.faces, half, np.array([[0, 1]]))
    expected = np.flatnonzero(np.ptp(half[mesh.faces], axis=1) > 0)
    assert np.array_equal(np.sort(found), expected) and len(found) == 2 * 8
    assert len(bridging_faces(mesh.faces, half, np.zeros((0, 2), np.int64))) == 0
    assert len(bridging_faces(mesh.faces, half, np.array([[0, 7]]))) == 0


def test_after_the_cut_every_face_is_on_one_side_and_covers_what_it_covered():
    for quads in (False, True):
        mesh, weights, half = grid(quads=quads)
        faces = bridging_faces(mesh.faces, half, np.array([[0, 1]]))
        opened, moved = cut(mesh, weights, half, faces)
        bones = moved.bones[:, 0][opened.faces]
        assert (np.ptp(bones, axis=1) == 0).all()
        assert np.array_equal(opened.vertices[opened.faces], mesh.vertices[mesh.faces])  # nothing moves at rest
        assert np.array_equal(opened.uvs[opened.faces], mesh.uvs[mesh.faces])
        assert len(opened.vertices) - len(mesh.vertices) <= 2 * 9  # one line of vertices doubled, not one per face
        assert len(np.unique(opened.faces)) == len(opened.vertices) and len(moved.weights) == len(opened.vertices)
        if quads:
            assert np.array_equal(opened.faces[::2, [0, 2]], opened.faces[1::2, [0, 1]])  # still quads


def test_seam_passes_between_the_pixels_of_a_scan():
    """Halves of a quad stay together, or the seam would run through the middle of a pixel;
    triangles of their own go each where they belong."""
    mesh, weights, _ = grid()
    slanted = (mesh.vertices[:, 0] > mesh.vertices[:, 1]).astype(np.int64)
    for faces, paired in ((mesh.faces, True), (mesh.faces[1:], False)):
        touching = np.flatnonzero(np.ptp(slanted[faces], axis=1) > 0)
        whole = SkinWeights(slanted[:, None].astype(np.int32), weights.weights)
        opened, moved = cut(replace(mesh, faces=faces), whole, slanted, touching)
        bones = moved.bones[:, 0][opened.faces]
        assert (np.ptp(bones, axis=1) == 0).all()
        if paired:
            assert np.array_equal(bones[::2, 0], bones[1::2, 0])


def test_sides_part_without_stretching_anything():
    mesh, weights, half = grid()
    opened, moved = cut(mesh, weights, half, bridging_faces(mesh.faces, half, np.array([[0, 1]])))
    pulled = opened.vertices + 5 * moved.bones.astype(np.float32)
    a, b, c = (pulled[opened.faces[:, k]] for k in range(3))
    longest = max(np.linalg.norm(p - q, axis=1).max() for p, q in ((a, b), (b, c), (c, a)))
    assert longest < 1.5


def test_nothing_to_cut_changes_nothing():
    mesh, weights, half = grid()
    assert cut(mesh, weights, half, np.zeros(0, np.int64)) == (mesh, weights)
    three = replace(mesh)
    region = np.arange(len(mesh.vertices)) % 3  # corners in three regions: still one side per face
    opened, _ = cut(three, weights, region, np.arange(len(mesh.faces)))
    assert np.array_equal(opened.vertices[opened.faces], mesh.vertices[mesh.faces])
