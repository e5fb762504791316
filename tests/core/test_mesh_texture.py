"""The photo on a mesh of the artist: a ball of known colours."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.spaces import pixel_from_uv
from sapiens2_avatar.core.mesh_texture import texture_mesh
from sapiens2_avatar.core.texture.artist_mesh import ArtistMesh, MeshTexture, overlapping
from sapiens2_avatar.core.texture.settings import MeshTextureSettings, TextureSettings
from support.balls import FOCAL, HEIGHT, RADIUS, WIDTH, WORLD_FROM_CAMERA, ball_maps, ball_mesh, colours_of

CAMERA = Camera(WIDTH, HEIGHT, FOCAL, FOCAL, (WIDTH - 1) / 2, (HEIGHT - 1) / 2)
PHOTO = TextureSettings(colour="photo")


def ball(**changes) -> ArtistMesh:
    points, quads, uvs = ball_mesh()
    return replace(ArtistMesh("Ball", points, points, quads, uvs, CAMERA, WORLD_FROM_CAMERA), **changes)


def painted(mesh: ArtistMesh, scale: float = 1.0, **asked) -> MeshTexture:
    settings = MeshTextureSettings(**{"size": 256} | asked)
    return texture_mesh(mesh, Predictions(**ball_maps(scale)), settings, PHOTO)


def at_faces(mesh: ArtistMesh, made: MeshTexture) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the faces without those at the poles, where texels are far apart, and the texture there."""
    uvs = mesh.uvs if made.uvs is None else made.uvs
    whole = (mesh.quads[:, 0] != mesh.quads[:, 1]) & (mesh.quads[:, 2] != mesh.quads[:, 3])
    x, y = np.rint(pixel_from_uv(uvs.mean(axis=1).astype(np.float64), 256, 256)).astype(int).T
    return mesh.points[mesh.quads].mean(axis=1)[whole], made.textures.base_colour_srgb[y, x].astype(float)[whole]


def error(mesh: ArtistMesh, made: MeshTexture, chosen) -> float:
    middles, found = at_faces(mesh, made)
    return float(np.abs(found - colours_of(middles))[chosen(middles)].mean())


FRONT = lambda p: p[:, 1] < -0.4 * RADIUS  # noqa: E731
BACK = lambda p: p[:, 1] > 0.4 * RADIUS  # noqa: E731


@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_what_the_photo_shows_is_on_the_mesh(scale):
    mesh = ball()
    made = painted(mesh, scale)  # 1.3: the scene was scaled to a known height
    assert error(mesh, made, FRONT) < 4
    assert not made.notes and made.uvs is None


def test_colours_run_out_over_the_back():
    mesh = ball()
    middles, found = at_faces(mesh, painted(mesh))
    back = BACK(middles)
    top, bottom = back & (middles[:, 2] > 0.4 * RADIUS), back & (middles[:, 2] < -0.4 * RADIUS)
    assert found[top, 0].mean() > found[bottom, 0].mean() + 15  # not one grey, and not the light of the other end
    assert error(mesh, painted(mesh), BACK) < 30


def test_symmetry_takes_the_other_side():
    # Only its left half stands in the photo: the camera looks past the other one.
    narrow = ball_maps()
    narrow["seg"][:, : WIDTH // 2] = 0
    mesh, both = ball(), lambda p: colours_of(np.abs(p) * [1, 0, 0] + p * [0, 1, 1])
    settings = MeshTextureSettings(size=256, symmetry=True)
    middles, found = at_faces(mesh, texture_mesh(mesh, Predictions(**narrow), settings, PHOTO))
    unseen = FRONT(middles) & (middles[:, 0] < -0.2 * RADIUS)
    assert np.abs(found - both(middles))[unseen].mean() < 12
    lopsided = ball(local=mesh.local + np.float32([1, 0, 0]) * (mesh.local[:, :1] > 0) * np.sin(20 * mesh.local[:, 2:]))
    with pytest.raises(SapiensError, match="left and the right side of Ball differ"):
        painted(lopsided, symmetry=True)


def test_new_coordinates_do_not_overlap():
    mesh = ball(uvs=None)
    made = painted(mesh, new_uvs=True)
    assert made.uvs is not None and made.uvs.shape == (len(mesh.quads), 4, 2)
    assert overlapping(made.uvs) < 0.01 and made.uvs.min() >= 0 and made.uvs.max() <= 1
    assert error(mesh, made, FRONT) < 6


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"uvs": None}, "Ball has no UV map"),
        ({"uvs": ball_mesh()[2] * 3}, "leaves the square"),
        ({"uvs": np.abs(ball_mesh()[2] - 0.5)}, "overlaps"),
        ({"points": ball_mesh()[0] + np.float32([3, 0, 0])}, "does not stand on a person"),
        ({"quads": np.ascontiguousarray(ball_mesh()[1][:, ::-1])}, "faces must point outwards"),
        ({"quads": ball_mesh()[1][:0], "uvs": ball_mesh()[2][:0]}, "has no faces"),
        ({"camera": replace(CAMERA, width=100)}, "photo of 100 x 200"),
    ],
)
def test_what_cannot_be_right_is_said(change, sentence):
    with pytest.raises(SapiensError) as refused:
        painted(ball(**change))
    assert sentence in str(refused.value) and refused.value.hint


def test_without_a_matched_camera_it_is_where_a_scan_would_have_it():
    # A scan stands on the ground, which is the lowest point.
    lifted = ball_mesh()[0] + np.float32([0, 0, RADIUS])
    mesh = ball(points=lifted, camera=None, world_from_camera=None)
    made = painted(mesh)
    assert error(ball(), made, FRONT) < 12 and "no matched camera" in made.notes[0]


def test_other_photos_without_joints_are_left_out():
    made = texture_mesh(
        ball(), Predictions(**ball_maps()), MeshTextureSettings(size=256), PHOTO, {"b": Predictions(**ball_maps())}
    )
    assert made.notes and made.notes[0].startswith("The other photos were left out:")


def test_mesh_and_texture_survive_their_files(tmp_path):
    mesh = ball()
    again = ArtistMesh.load(mesh.save(tmp_path / "mesh"))
    assert (again.name, again.camera) == (mesh.name, mesh.camera)
    for name in ("points", "local", "quads", "uvs", "world_from_camera"):
        np.testing.assert_array_equal(getattr(again, name), getattr(mesh, name))
    made = replace(painted(ball(uvs=None), new_uvs=True), notes=("A note.",), encoded={"roughness": np.arange(3, dtype=np.uint8)})
    read = MeshTexture.load(made.save(tmp_path / "texture"))
    assert read.notes == made.notes and list(read.encoded) == ["roughness"]
    np.testing.assert_array_equal(read.uvs, made.uvs)
    np.testing.assert_array_equal(read.textures.base_colour_srgb, made.textures.base_colour_srgb)
    with pytest.raises(SapiensError):
        ArtistMesh.load(tmp_path / "texture")
