"""Our tangent frame is the one that Blender computes, so our maps shade in Blender as they were made."""

from dataclasses import replace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
pytest.importorskip("scipy", reason="the atlas needs SciPy, which Blender's own Python does not have")
pytest.importorskip("sapiens2_avatar", reason="compares the package of the checkout, which is not installed in this Python")

from sapiens2_avatar.core.common.arrays import Camera, MeshData  # noqa: E402
from sapiens2_avatar.core.common.spaces import uv_from_pixel  # noqa: E402
from sapiens2_avatar.core.texture.tangent_maps import vertex_tangents  # noqa: E402
from sapiens2_avatar.core.texture.uv_atlas import make_atlas, unwelded  # noqa: E402
from sapiens2_avatar.scene.mesh import write_mesh  # noqa: E402


def relief(size: int = 40) -> MeshData:
    """A bumpy surface seen by a camera, every fourth pixel a vertex, with normals smoother than its faces."""
    camera = Camera(4 * size, 4 * size, 5.0 * size, 5.0 * size, 2.0 * size, 2.0 * size)
    rows, columns = np.indices((size, size)) * 4
    depth = 2 + 0.05 * np.sin(columns / 9) * np.cos(rows / 7) + 0.002 * columns
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float32)
    points = camera.rays(pixels) * depth.reshape(-1, 1).astype(np.float32)
    index = np.arange(size * size).reshape(size, size)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, d, b], axis=1), np.stack([b, d, c], axis=1)]).astype(np.int32)
    normals = np.stack([np.cos(columns / 9) * 0.3, np.sin(rows / 7) * 0.3, -np.ones_like(depth)], axis=-1).reshape(-1, 3)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    uvs = uv_from_pixel(pixels, 4 * size, 4 * size).astype(np.float32)
    return MeshData(points, faces, uvs, normals.astype(np.float32), np.full(size * size, 23, np.uint8))


def in_parts() -> MeshData:
    """The relief as a face, a shirt and a hand, and its atlas, where each part is turned and scaled for itself."""
    data = relief()
    labels = np.select([data.uvs[:, 0] > 0.7, data.uvs[:, 1] > 0.6], [6, 3], 23).astype(np.uint8)
    data = replace(data, labels=labels)
    return replace(data, atlas=make_atlas(data).uvs)


@pytest.mark.parametrize("uv_map", ["UVMap", "Atlas"])
def test_tangents_are_blenders_own(uv_map):
    data = in_parts()
    obj = write_mesh(data, "relief", np.eye(4), bpy.context.scene.collection)
    mesh = obj.data
    mesh.calc_tangents(uvmap=uv_map)
    if uv_map == "Atlas":
        data = unwelded(data, data.atlas)
    corners, count = data.faces.ravel(), len(mesh.loops)
    tangent, normal = np.zeros(3 * count, np.float32), np.zeros(3 * count, np.float32)
    sign = np.zeros(count, np.float32)
    mesh.loops.foreach_get("tangent", tangent)
    mesh.loops.foreach_get("normal", normal)
    mesh.loops.foreach_get("bitangent_sign", sign)
    assert (sign == 1).all()
    assert np.abs(normal.reshape(-1, 3) - data.normals[corners]).max() < 1e-3
    cosine = (tangent.reshape(-1, 3) * vertex_tangents(data)[corners]).sum(axis=1)
    error = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    # Where a chart meets itself in a single vertex Blender has a frame for each side, we have one for both.
    assert np.percentile(error, 99.9) < 0.1 and error.max() < (0.1 if uv_map == "UVMap" else 3)
