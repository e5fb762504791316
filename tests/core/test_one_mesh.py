"""Body and clothes joined to one mesh on one atlas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.body.character import standing
from sapiens2_avatar.core.body.evaluate import Shape
from sapiens2_avatar.core.common.arrays import SkinWeights
from sapiens2_avatar.core.common.avatars import GarmentData, SurfaceTextures
from sapiens2_avatar.core.common.looks import BODY_LOOKS
from sapiens2_avatar.core.common.spaces import pixel_from_uv
from sapiens2_avatar.core.one_mesh import one_mesh
from sapiens2_avatar.core.texture.rasterise import halves, rasterise

SIDE = 1024


@pytest.fixture(scope="module")
def worn():
    """A body whose trunk is covered by a layer in front of it; both are painted with their own texture coordinates."""
    body, _ = standing(Shape())
    y, x = np.mgrid[:256, :256]
    ramps = np.stack([x, y, np.full_like(x, 128)], axis=-1).astype(np.uint8)
    skin = body.part == body.part_names.index("skin")
    height = body.vertices[:, 2] - body.vertices[:, 2].min()
    trunk = (height > 0.9) & (height < 1.2) & (np.abs(body.vertices[:, 0]) < 0.14)
    faces = trunk[body.quads].all(axis=1) & skin
    used, row = np.unique(body.quads[faces], return_inverse=True)
    covered = np.zeros(len(body.vertices), bool)
    covered[used] = True
    garment = GarmentData(
        kind="upper",
        vertices=body.vertices[used] * np.float32([1.05, 1.05, 1]),
        quads=row.reshape(-1, 4).astype(np.int32),
        uvs=body.uvs[faces],
        weights=SkinWeights(body.weights.bones[used, :2], body.weights.weights[used, :2]),
        labels=np.array([23], np.uint8),
        tone=np.array([9, 9, 9], np.uint8),
        inside=np.zeros(int(faces.sum()), bool),
        textures=SurfaceTextures(255 - ramps, np.zeros((256, 256), bool)),
    )
    tones = {"irises": np.array([10, 200, 30], np.uint8)}
    return replace(body, covered=covered, textures=SurfaceTextures(ramps, np.ones((256, 256), bool)), tones=tones), garment


@pytest.fixture(scope="module")
def joined(worn):
    return one_mesh(worn[0], worn[1:], SIDE)


def sources(body, garment):
    """Of the faces of the joined mesh, in their order: corners in space, former texture coordinates, and whose they were."""
    kept = ~body.covered[body.quads].any(axis=1)
    rows = [np.flatnonzero(kept & (body.part == part)) for part in range(len(body.part_names))]
    order = np.concatenate(rows)
    owner = np.repeat([*body.part_names, garment.kind], [*map(len, rows), len(garment.quads)])
    points = np.concatenate([body.vertices[body.quads[order]], garment.vertices[garment.quads]])
    return points, np.concatenate([body.uvs[order], garment.uvs]), owner


def test_it_is_what_can_be_seen_of_both_as_one_part(worn, joined):
    body, garment = worn
    points, _, _ = sources(body, garment)
    assert joined.part_names == ("person",) and not joined.part.any() and joined.covered is None and joined.shape is None
    assert np.array_equal(joined.vertices[joined.quads], points)
    assert len(np.unique(joined.quads)) == len(joined.vertices), "no loose vertex"


def test_no_two_faces_share_a_texel(joined):
    assert joined.uvs.min() >= 0 and joined.uvs.max() <= 1
    side = 4096
    corners = pixel_from_uv(halves(joined.uvs).astype(np.float64), side, side)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / 2
    covered = np.count_nonzero(rasterise(corners.astype(np.float32), side, side)[0] >= 0)
    assert areas == pytest.approx(covered, rel=0.005), "overlapping faces cover less than their areas add up to"


def test_every_face_has_the_colour_and_roughness_that_it_had(worn, joined):
    _, uvs, owner = sources(*worn)
    where = joined.uvs.mean(axis=1)
    x, y = np.floor(where * [SIDE, -SIDE] + [0, SIDE]).astype(int).T
    colour, rough = joined.textures.base_colour_srgb[y, x].astype(int), joined.textures.roughness[y // 2, x // 2]
    old = uvs.mean(axis=1)
    ramps = np.stack([old[:, 0] * 255, (1 - old[:, 1]) * 255, np.full(len(old), 128)], axis=1)
    large = np.sqrt(np.ptp(joined.uvs, axis=1).prod(axis=1)) * SIDE > 3
    for name, wanted in (("skin", ramps), ("upper", 255 - ramps)):
        mine = (owner == name) & large
        assert mine.sum() > 100 and np.percentile(np.abs(colour - wanted)[mine], 99) < 6
    eyes = np.isin(owner, ("eyes", "irises", "pupils")) & large
    assert eyes.any() and np.percentile(np.abs(colour - ramps)[eyes], 99) < 6, "they are in the texture of the skin"
    assert (np.abs(colour[owner == "tongue"] - BODY_LOOKS["tongue"].colour) < 2).all()
    for name, wanted in (("upper", 0.8), ("skin", 0.5), ("eyes", 0.15)):
        assert np.abs(rough[owner == name].astype(int) - 255 * wanted).max() < 2
    seen = joined.textures.seen[y, x]
    assert seen[(owner == "skin") & large].mean() > 0.99 and not seen[owner == "upper"].any()


def test_the_face_has_more_texels_than_the_rest(worn, joined):
    body, garment = worn
    points, _, owner = sources(body, garment)

    def area(a, b):
        return np.sqrt(np.maximum((a * a).sum(-1) * (b * b).sum(-1) - (a * b).sum(-1) ** 2, 0)) / 2

    texels = area(joined.uvs[:, 2] - joined.uvs[:, 0], joined.uvs[:, 3] - joined.uvs[:, 1])
    metres = area(points[:, 2] - points[:, 0], points[:, 3] - points[:, 1])
    lips = np.zeros(len(body.vertices), bool)
    smile = body.key_entries[:, 0] == body.key_names.index("mouthSmileLeft")
    lips[body.key_entries[smile, 1][np.linalg.norm(body.key_offsets[smile], axis=1) > 0.003]] = True
    kept = ~body.covered[body.quads].any(axis=1)
    face = lips[body.quads[kept & (body.part == 0)]].all(axis=1)
    skin = owner == "skin"
    legs = points[skin][..., 2].max(axis=1) < points[..., 2].mean()
    density = [np.sqrt(texels[skin][which].sum() / metres[skin][which].sum()) for which in (face, legs)]
    assert density[0] > 2 * density[1]


def test_bones_and_shape_keys_move_the_same_points(worn, joined):
    body, _ = worn
    assert joined.key_names == body.key_names
    number = body.key_names.index("jawOpen")
    before, after = body.key_entries[:, 0] == number, joined.key_entries[:, 0] == number
    moved = body.vertices[body.key_entries[before, 1]] + body.key_offsets[before]
    hidden = body.covered[body.key_entries[before, 1]]
    assert after.sum() > 500
    assert np.array_equal(joined.vertices[joined.key_entries[after, 1]] + joined.key_offsets[after], moved[~hidden])
    assert (np.diff(joined.key_entries[:, 0]) >= 0).all()
    place = {tuple(point): row for row, point in enumerate(body.vertices.tolist())}
    found = [(row, place[key]) for row, key in enumerate(map(tuple, joined.vertices.tolist())) if key in place]
    new, old = np.array(found).T
    assert len(new) > 10_000
    assert np.array_equal(joined.weights.bones[new], body.weights.bones[old])
    assert np.array_equal(joined.weights.weights[new], body.weights.weights[old])


def test_without_textures_the_atlas_holds_the_tones(worn):
    body, garment = worn
    plain = one_mesh(replace(body, textures=None), [replace(garment, textures=None)], 0)
    assert plain.textures.base_colour_srgb.shape == (512, 512, 3)
    found = {tuple(colour) for colour in plain.textures.base_colour_srgb[::4, ::4].reshape(-1, 3).tolist()}
    assert {(9, 9, 9), BODY_LOOKS["skin"].colour} <= found
    assert plain.textures.normal_tangent is None


def test_a_bust_stays_one(worn, joined):
    body, garment = worn
    shares = np.linspace(0, 1, len(body.vertices)).astype(np.float32)
    made = one_mesh(replace(body, bust=shares), [replace(garment, bust=np.full(len(garment.vertices), 0.25, np.float32))], 256)
    assert np.array_equal(made.vertices, joined.vertices) and len(made.bust) == len(made.vertices)
    kept = np.unique(body.quads[~body.covered[body.quads].any(axis=1)])
    assert np.array_equal(made.bust, np.concatenate([shares[kept], np.full(len(garment.vertices), 0.25, np.float32)]))
    assert joined.bust is None
