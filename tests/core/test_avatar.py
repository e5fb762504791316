"""What an artist may ask of the whole avatar: quads, atlas textures, displacement, scale; and its way into Blender."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sapiens2_avatar.core.avatar import AvatarSettings, make_avatars
from sapiens2_avatar.core.capture.provenance import draft_notes
from sapiens2_avatar.core.common.arrays import MeshData
from sapiens2_avatar.core.common.avatars import Avatar
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.spaces import pixel_from_uv
from sapiens2_avatar.core.formats.avatar_file import load_avatars, save_avatars
from sapiens2_avatar.core.formats.exr import exr_bytes
from sapiens2_avatar.core.surface.scan import ScanSettings, make_mesh
from sapiens2_avatar.core.texture.rasterise import interpolate, rasterise
from sapiens2_avatar.core.texture.tangent_maps import decode, vertex_tangents
from sapiens2_avatar.core.texture.textures import TextureSettings, bake_textures, make_textures
from sapiens2_avatar.core.texture.uv_atlas import make_atlas, unwelded


def unit(v):
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)


@pytest.fixture(scope="module")
def ball(scan_subjects):
    """A ball of skin with a checkered photo, and the camera that sees it."""
    predictions, camera = scan_subjects.sphere(200)
    y, x = np.indices((200, 200))
    image = np.stack([x, y, 40 * ((x // 8 + y // 8) % 2) + 100], axis=-1).astype(np.uint8)
    return replace(predictions, image=image), camera


@pytest.mark.parametrize("resolution", ["full", "half"])
def test_quads_are_pairs_of_faces(ball, resolution):
    surface = make_mesh(*ball, settings=ScanSettings(resolution=resolution, quads=True))
    mesh = surface.mesh
    assert mesh.quads and mesh.polygons.shape == (len(mesh.faces) // 2, 4)
    assert (np.sort(mesh.polygons, axis=1) == np.sort(surface.quads, axis=1)).all()
    plain = make_mesh(*ball, settings=ScanSettings(resolution=resolution, quads=False)).mesh
    assert not plain.quads and np.array_equal(plain.faces, mesh.faces)
    # Both halves lie in one chart, so that a corner has one place in the atlas.
    atlas = make_atlas(mesh)
    assert (atlas.chart[::2] == atlas.chart[1::2]).all()
    shared = mesh.faces[::2, [0, 2]] == mesh.faces[1::2, :2]
    assert shared.all() and np.allclose(atlas.uvs[::2, [0, 2]], atlas.uvs[1::2, :2])


def test_a_face_count_says_that_it_gives_triangles(ball):
    surface = make_mesh(*ball, settings=ScanSettings(resolution=2000, quads=True))
    assert not surface.mesh.quads and not any("triangles" in note for note in surface.notes), "nobody has asked for quads"


def test_an_odd_number_of_faces_is_no_mesh_of_quads(ball):
    mesh = make_mesh(*ball).mesh
    with pytest.raises(ValueError, match="odd"):
        MeshData(mesh.vertices, mesh.faces[:-1], mesh.uvs, mesh.normals, mesh.labels, quads=True)


def test_unwelded_vertices_have_one_place_in_the_atlas(ball):
    mesh = make_mesh(*ball).mesh
    atlas = make_atlas(mesh)
    apart = unwelded(mesh, atlas.uvs)
    assert np.array_equal(apart.uvs[apart.faces], atlas.uvs)
    assert np.array_equal(apart.vertices[apart.faces], mesh.vertices[mesh.faces])


def test_baked_textures_shade_and_colour_like_those_of_the_photo(ball):
    """At every texel of the atlas: the photo's colour there, and the map's normal in the atlas's own frame."""
    predictions, camera = ball
    settings = TextureSettings(colour="photo", bake=512, displacement=True)
    # A normal map with ripples that a coarse mesh cannot carry.
    surface = make_mesh(predictions, camera, settings=ScanSettings(resolution=600))
    y, x = np.indices(surface.mask.shape)
    ripple = np.stack([0.3 * np.sin(x / 5), 0.3 * np.cos(y / 7), 0 * x], axis=-1) * surface.mask[..., None]
    surface = replace(surface, normal=(unit(surface.normal + ripple) * surface.mask[..., None]).astype(np.float32))
    mesh = replace(surface.mesh, atlas=make_atlas(surface.mesh).uvs)
    textures = make_textures(predictions, surface, settings)
    baked = bake_textures(textures, surface.normal, mesh, settings)
    assert baked.layout == "atlas" and baked.base_colour_srgb.shape == (512, 512, 3)
    assert baked.displacement.shape == baked.mask.shape == (512, 512) and baked.displacement.dtype == np.float32

    apart = unwelded(mesh, mesh.atlas)
    triangle, weights = rasterise(pixel_from_uv(mesh.atlas.astype(np.float64), 512, 512).astype(np.float32), 512, 512)
    row, column = np.nonzero(triangle >= 0)
    face, weight = triangle[row, column], weights[row, column]
    pixel = pixel_from_uv(interpolate(mesh.uvs, mesh.faces, face, weight), 200, 200)
    inside = surface.mask[np.rint(pixel[:, 1]).astype(int), np.rint(pixel[:, 0]).astype(int)]
    row, column, face, weight, pixel = (v[inside] for v in (row, column, face, weight, pixel))
    at = np.rint(pixel).astype(int)
    assert np.abs(baked.base_colour_srgb[row, column, :2].astype(int) - at).mean() < 1.5
    normal, tangent = (interpolate(v, apart.faces, face, weight) for v in (apart.normals, vertex_tangents(apart)))
    a, b, c = decode(baked.normal_tangent[row, column]).T[..., None]
    shown = unit(a * tangent + b * np.cross(normal, tangent) + c * normal)
    error = np.degrees(np.arccos(np.clip((shown * surface.normal[at[:, 1], at[:, 0]]).sum(1), -1, 1)))
    without = np.degrees(np.arccos(np.clip((unit(normal) * surface.normal[at[:, 1], at[:, 0]]).sum(1), -1, 1)))
    assert np.median(error) < 1.5 and error.mean() < 0.2 * without.mean()


@pytest.mark.parametrize("bake", [-5, 10, 100_000])
def test_atlas_textures_have_a_sane_size(bake):
    with pytest.raises(SapiensError, match="texels"):
        TextureSettings(bake=bake)


def test_baking_needs_an_atlas(ball):
    surface = make_mesh(*ball)
    textures = make_textures(ball[0], surface, TextureSettings(colour="photo"))
    with pytest.raises(SapiensError, match="atlas"):
        bake_textures(textures, surface.normal, surface.mesh, TextureSettings(bake=128))


def person_of(ball, **options) -> Avatar:
    return make_avatars(ball[0], "ball", AvatarSettings(make="scan", with_rig=False, **options))[0]


def test_a_measured_distance_scales_everything(ball):
    near, far = person_of(ball), person_of(ball, distance=5.0)
    factor = far.mesh.vertices[:, 2].mean() / near.mesh.vertices[:, 2].mean()
    assert factor > 2 and np.allclose(far.mesh.vertices, near.mesh.vertices * factor, rtol=2e-3)
    z = ball[0].pointmap[..., 2]
    assert factor == pytest.approx(5.0 / np.median(z[z > 0]), rel=1e-3)
    assert far.camera == near.camera


def test_two_ways_to_scale_are_one_too_many():
    with pytest.raises(SapiensError, match="height and to a distance"):
        AvatarSettings(make="scan", stature=1.8, distance=2.0)


@pytest.mark.parametrize("metres", [0.0, -1.0, float("nan"), 1e6])
def test_nonsense_is_no_distance(ball, metres):
    with pytest.raises(SapiensError, match=r"Distance must be a number from 0\.1 to 1000 m"):
        person_of(ball, distance=metres)


def test_a_file_with_no_boxes_is_one_without_boxes(ball):
    predictions, _ = ball
    empty = replace(predictions, boxes=np.zeros((0, 4), np.float32))
    assert len(make_avatars(empty)) == len(make_avatars(predictions)) == 1


def test_every_focal_length_that_was_considered_is_told(ball):
    told = person_of(ball, focal_35mm=28.0)
    assert set(told.focal_lengths) >= {"exif", "pointmap"}
    assert told.focal_lengths["pointmap"] == pytest.approx(1.6 * 200, rel=0.01)
    off = told.focal_lengths["exif"] / told.focal_lengths["pointmap"] - 1
    assert abs(off) > 0.05 and any("EXIF" in note for note in told.notes)


def test_all_of_it_survives_the_way_into_blender(ball, tmp_path):
    settings = replace(
        AvatarSettings(make="scan", with_rig=False),
        scan=ScanSettings(quads=True),
        texture=TextureSettings(colour="photo", bake=128, displacement=True),
    )
    made = make_avatars(ball[0], "ball", settings)
    (back,) = load_avatars(save_avatars(made, tmp_path / "avatars"))
    for group, names in {
        "mesh": ("vertices", "faces", "atlas"),
        "parts": ("face_label", "face_material", "vertex", "label", "weight"),
        "textures": ("base_colour_srgb", "mask", "displacement"),
    }.items():
        for name in names:
            assert np.array_equal(getattr(getattr(back, group), name), getattr(getattr(made[0], group), name)), name
    # The image files that Blender packs hold the same pixels.
    assert set(back.encoded) == {"image", "base_colour_srgb", "mask", "displacement"} and not made[0].encoded
    for name in ("image", "base_colour_srgb", "mask"):
        pixels = np.asarray(Image.open(io.BytesIO(back.encoded[name].tobytes())))
        assert np.array_equal(pixels, back.image if name == "image" else getattr(back.textures, name))
    assert back.encoded["displacement"].tobytes() == exr_bytes(back.textures.displacement)
    assert back.mesh.quads and back.textures.layout == "atlas" and back.focal_lengths == dict(made[0].focal_lengths)


def test_the_artist_reads_that_it_is_a_draft(scan_subjects):
    predictions, _ = scan_subjects.sphere(80)
    settings = AvatarSettings(make="scan", with_rig=False)
    draft = replace(predictions, metadata=predictions.metadata | {"draft": "true"})
    (note,) = draft_notes([draft])
    assert "Draft" in note
    assert note in make_avatars(draft, settings=settings)[0].notes
    assert note in make_avatars(predictions, settings=settings, others={"b": draft})[0].notes
    assert note not in make_avatars(predictions, settings=settings)[0].notes
