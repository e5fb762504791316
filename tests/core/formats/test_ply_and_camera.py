"""PLY and camera files say what the arrays say."""

import json

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera, MeshData, Textures
from sapiens2_avatar.core.common.avatars import Avatar
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.spaces import uv_from_pixel
from sapiens2_avatar.core.formats.ply_and_camera import camera_document, image_at, write_camera_json, write_ply

LEVEL = np.array([[1.0, 0, 0, 0.5], [0, 0, 1, -2], [0, -1, 0, 1.5], [0, 0, 0, 1]])


@pytest.fixture
def avatar() -> Avatar:
    camera = Camera(40, 30, 50, 50, 18.0, 14.0, "given")
    pixels = np.float32([[5, 6], [30, 6], [5, 25], [30, 25]])
    mesh = MeshData(
        camera.rays(pixels) * np.float32(2),
        np.int32([[0, 2, 1], [1, 2, 3]]),
        uv_from_pixel(pixels, 40, 30).astype(np.float32),
        np.tile(np.float32([0, 0, -1]), (4, 1)),
        np.full(4, 3, np.uint8),
    )
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    textures = Textures(image, "photo", np.full((30, 40), 255, np.uint8))
    return Avatar("someone", camera, LEVEL, mesh, textures, image)


def read_ply(path):
    """Vertices as a structured array, faces (F, 3), from the header alone."""
    data = path.read_bytes()
    head, body = data.split(b"end_header\n", 1)
    lines = head.decode().splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    count = {line.split()[1]: int(line.split()[2]) for line in lines if line.startswith("element")}
    kinds = {"float": "<f4", "uchar": "u1"}
    fields = [(line.split()[2], kinds[line.split()[1]]) for line in lines if line.startswith("property") and "list" not in line]
    vertices = np.frombuffer(body, fields, count["vertex"])
    faces = np.frombuffer(body[vertices.nbytes :], [("n", "u1"), ("i", "<i4", 3)], count.get("face", 0))
    assert len(body) == vertices.nbytes + faces.nbytes
    return vertices, faces


def test_ply_holds_the_scan_in_the_world(avatar, tmp_path):
    vertices, faces = read_ply(write_ply(tmp_path / "scan.ply", avatar))
    points = np.stack([vertices[k] for k in "xyz"], axis=1)
    wanted = avatar.mesh.vertices @ LEVEL[:3, :3].T + LEVEL[:3, 3]
    assert np.allclose(points, wanted, atol=1e-6)
    assert np.allclose(np.stack([vertices[k] for k in ("nx", "ny", "nz")], axis=1), [0, -1, 0], atol=1e-6)
    assert (faces["n"] == 3).all() and np.array_equal(faces["i"], avatar.mesh.faces)
    colours = np.stack([vertices[k] for k in ("red", "green", "blue")], axis=1)
    assert np.array_equal(colours, avatar.image[[6, 6, 25, 25], [5, 30, 5, 30]])


def test_a_cloud_has_no_faces(avatar, tmp_path):
    vertices, faces = read_ply(write_ply(tmp_path / "cloud.ply", avatar, cloud=True))
    assert len(vertices) == 4 and not len(faces)


def test_vertices_off_the_image_take_the_nearest_texel(avatar):
    assert np.array_equal(image_at(avatar.mesh.uvs + np.float32(5), avatar.image), np.tile(avatar.image[0, -1], (4, 1)))


def test_the_camera_file_projects_like_the_camera(avatar, tmp_path):
    document = json.loads(write_camera_json(tmp_path / "camera.json", avatar.camera, LEVEL).read_text("utf-8"))
    assert document == camera_document(avatar.camera, LEVEL)
    point = np.array([0.2, -0.1, 2.0])
    blender, size = document["blender"], (document["width"], document["height"])
    # Through Blender's numbers: local axes x right, y up, looking along -z; shift in units of the width.
    world = np.asarray(document["world_from_camera"]) @ [*point, 1]
    local = np.linalg.inv(blender["matrix_world"]) @ world
    scale = blender["lens"] / blender["sensor_width"] * size[0]
    x = size[0] / 2 + scale * local[0] / -local[2] - blender["shift_x"] * size[0] - 0.5
    y = size[1] / 2 - scale * local[1] / -local[2] + blender["shift_y"] * size[0] - 0.5
    assert np.allclose([x, y], avatar.camera.project(point), atol=1e-6)


def test_no_file_for_a_camera_without_a_place(avatar, tmp_path):
    with pytest.raises(SapiensError, match="pose"):
        write_camera_json(tmp_path / "camera.json", avatar.camera, np.full((4, 4), np.nan))
    assert not list(tmp_path.iterdir())
    with pytest.raises(SapiensError, match="does not exist"):
        write_ply(tmp_path / "missing" / "scan.ply", avatar)
