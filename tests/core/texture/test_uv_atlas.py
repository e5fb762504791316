"""The atlas: no overlap, room between charts, more texels for face and hands; and the parts on a mesh."""

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import MeshData
from sapiens2_avatar.core.common.landmarks import part_labels
from sapiens2_avatar.core.common.spaces import pixel_from_uv
from sapiens2_avatar.core.surface.body_parts import face_labels, face_materials, part_weights
from sapiens2_avatar.core.surface.materials import MATERIALS, material_of_label, roughness_of_label
from sapiens2_avatar.core.texture.rasterise import rasterise
from sapiens2_avatar.core.texture.uv_atlas import FINE_DENSITY, atlas_sampler, make_atlas

FACE, HAND, SHIRT, PANTS = part_labels("Face_Neck", "Left_Hand", "Upper_Clothing", "Lower_Clothing").tolist()
SIZE = 64


def sheet(labels: np.ndarray) -> MeshData:
    """A plane two metres away, a vertex for every entry of a square map of labels; 0 is left out."""
    size = len(labels)
    y, x = np.mgrid[:size, :size]
    points = np.stack([(x - size / 2) / size, (y - size / 2) / size, np.ones_like(x)], axis=-1).reshape(-1, 3) * 2.0
    index = np.arange(size * size).reshape(size, size)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, d, b], axis=1), np.stack([b, d, c], axis=1)])
    faces = faces[(labels.ravel()[faces] > 0).all(axis=1)].astype(np.int32)
    uvs = np.stack([(x + 0.5) / size, 1 - (y + 0.5) / size], axis=-1).reshape(-1, 2).astype(np.float32)
    normals = np.tile(np.float32([0, 0, -1]), (size * size, 1))
    return MeshData(points.astype(np.float32), faces, uvs, normals, labels.ravel().astype(np.uint8))


@pytest.fixture(scope="module")
def person() -> MeshData:
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[4:60, 20:50] = SHIRT
    labels[40:60, 20:50] = PANTS
    labels[4:18, 28:42] = FACE
    labels[20:30, 4:14] = HAND
    labels[28:30, 34:36] = PANTS  # a speck
    return sheet(labels)


def triangle_areas(uv: np.ndarray) -> np.ndarray:
    ab, ac = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return (ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]) / 2


def test_charts_neither_overlap_nor_touch_nor_leave_the_square(person):
    atlas = make_atlas(person)
    assert atlas.uvs.shape == (len(person.faces), 3, 2)
    assert atlas.uvs.min() >= 0 and atlas.uvs.max() <= 1
    size = 1024
    triangle, _ = rasterise(pixel_from_uv(atlas.uvs, size, size).astype(np.float32), size, size)
    # Faces that overlap would cover fewer texels than their areas add up to.
    assert np.count_nonzero(triangle >= 0) == pytest.approx(triangle_areas(atlas.uvs).sum() * size**2, rel=0.02)
    chart = np.where(triangle >= 0, atlas.chart[triangle], -1)
    for shift in ((0, 3), (3, 0), (3, 3)):
        other = np.roll(chart, shift, axis=(0, 1))
        assert not ((chart >= 0) & (other >= 0) & (chart != other)).any()
    assert atlas.covered > 0.3


def test_no_face_is_mirrored_and_fine_parts_get_four_times_the_texels(person):
    atlas = make_atlas(person)
    areas = triangle_areas(atlas.uvs)
    assert (areas > 0).all()
    part = face_labels(person)
    density = {label: np.median(areas[part == label]) for label in (FACE, HAND, SHIRT, PANTS)}
    assert density[FACE] == pytest.approx(FINE_DENSITY**2 * density[SHIRT], rel=1e-3)
    assert density[HAND] == pytest.approx(density[FACE], rel=1e-3) and density[PANTS] == pytest.approx(density[SHIRT], rel=1e-3)


def test_parts_are_charts_and_specks_join_their_surroundings(person):
    atlas = make_atlas(person)
    assert atlas.chart.max() == 3
    part = face_labels(person)
    speck = (part == PANTS) & (person.vertices[person.faces, 1].mean(axis=1) < 0)
    assert speck.any() and np.isin(atlas.chart[speck], atlas.chart[part == SHIRT]).all()


def test_an_image_keeps_its_colours_in_the_atlas(person):
    atlas = make_atlas(person)
    y, x = np.mgrid[:SIZE, :SIZE]
    image = np.stack([x * 4, y * 4, 0 * x + 77], axis=-1).astype(np.uint8)
    baked = atlas_sampler(person, atlas.uvs, 256)(image)
    middle = atlas.uvs.mean(axis=1)
    column, row = np.rint(pixel_from_uv(middle, 256, 256)).astype(int).T
    wanted = pixel_from_uv(person.uvs[person.faces].mean(axis=1), SIZE, SIZE) * 4
    assert np.abs(baked[row, column, :2] - wanted).mean() < 4
    assert (baked[..., 2] == 77).all()  # gutters too


@pytest.mark.parametrize("labels", [np.zeros((4, 4)), np.full((2, 2), FACE), np.eye(6) * HAND])
def test_tiny_meshes(labels):
    mesh = sheet(labels.astype(np.uint8))
    atlas = make_atlas(mesh)
    assert len(atlas.uvs) == len(mesh.faces) and np.isfinite(atlas.uvs).all()
    assert len(face_materials(mesh)) == len(mesh.faces)


def test_group_weights_add_up_to_one_and_are_soft_at_borders_only(person):
    groups = part_weights(person)
    total = np.zeros(len(person.vertices))
    for index, weight in groups.values():
        assert weight.min() > 0 and weight.max() <= 1
        total[index] += weight
    used = np.unique(person.faces)
    assert np.allclose(total[used], 1, atol=1e-5)
    index, weight = groups[FACE]
    inside = dict(zip(index.tolist(), weight.tolist(), strict=True))
    assert inside[10 * SIZE + 35] == 1 and 0.3 < inside[10 * SIZE + 28] < 0.9 and 10 * SIZE + 22 not in inside
    # Hands hang in the air: their groups end where they end.
    assert (groups[HAND][1] == 1).all()


def test_hard_groups_are_the_labels(person):
    for label, (index, weight) in part_weights(person, steps=0).items():
        assert np.array_equal(index, np.flatnonzero(person.labels == label)) and (weight == 1).all()


def test_materials_of_faces_follow_the_majority(person):
    names = np.array([material.name for material in MATERIALS])[face_materials(person)]
    part = face_labels(person)
    assert (names[part == FACE] == "Skin").mean() > 0.9 and (names[part == HAND] == "Skin").all()
    # One pixel of another part leaves no face behind.
    odd = MeshData(person.vertices, person.faces, person.uvs, person.normals, person.labels.copy())
    odd.labels[50 * SIZE + 35] = HAND
    around = (person.faces == 50 * SIZE + 35).any(axis=1)
    names = np.array([material.name for material in MATERIALS])[face_materials(odd)]
    assert around.sum() == 6 and (names[around] == "Lower Clothing").all()


def test_every_part_has_one_material():
    parts = [part for material in MATERIALS for part in material.parts]
    assert len(parts) == len(set(parts)) == 28
    assert material_of_label().shape == (29,)
    assert (roughness_of_label() > 0).all() and (roughness_of_label() <= 1).all()
