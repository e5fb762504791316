"""The tangent-space map, decoded the way a renderer does, gives back the normals that it was made from."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens2_avatar.core.common.arrays import Camera, MeshData
from sapiens2_avatar.core.common.spaces import pixel_from_uv, uv_from_pixel
from sapiens2_avatar.core.texture.rasterise import rasterise
from sapiens2_avatar.core.texture.tangent_maps import decode, displacement, tangent_normal_map, vertex_tangents

SIZE = 192


def unit(v):
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


class Relief:
    """A bump with ripples seen by a camera: its maps, and a mesh of every `step`-th pixel of it."""

    def __init__(self, step, ripple=0.004, size=SIZE):
        self.camera = camera = Camera(size, size, 1.3 * size, 1.3 * size, size / 2, size / 2)
        y, x = np.mgrid[:size, :size] / size - 0.5
        z = 2 + 0.8 * (x**2 + y**2) + ripple * np.sin(60 * x) * np.cos(50 * y)
        points = camera.rays() * z[..., None].astype(np.float32)
        du, dv = np.gradient(points, axis=1), np.gradient(points, axis=0)
        self.depth, self.normal = z.astype(np.float32), unit(np.cross(dv, du)).astype(np.float32)
        self.mask = np.ones((size, size), bool)
        rows = np.arange(0, size, step)
        grid = np.stack(np.meshgrid(rows, rows), axis=-1).reshape(-1, 2)
        n = len(rows)
        index = np.arange(n * n).reshape(n, n)
        b, d = index[:-1, 1:].ravel(), index[1:, :-1].ravel()
        a, c = index[:-1, :-1].ravel(), index[1:, 1:].ravel()
        faces = np.concatenate([np.stack([a, d, b], 1), np.stack([b, d, c], 1)]).astype(np.int32)
        smooth = cv2.GaussianBlur(self.normal, (0, 0), step)
        at = grid[:, 1], grid[:, 0]
        self.mesh = MeshData(points[at], faces, uv_from_pixel(grid.astype(np.float32), size, size).astype(np.float32),
                             unit(smooth[at]).astype(np.float32), np.full(len(grid), 3, np.uint8))  # fmt: skip


def shade(mesh, image, count=50000, seed=0):
    """Pixels (x, y) of random points of the mesh and the normals that a renderer shows there with the map."""
    rng = np.random.default_rng(seed)
    face = rng.integers(0, len(mesh.faces), count)
    weight = rng.dirichlet([1, 1, 1], count)
    at = lambda values: np.einsum("nk,nkc->nc", weight, values[mesh.faces[face]])  # noqa: E731
    normal, tangent = at(mesh.normals), at(vertex_tangents(mesh))
    pixel = pixel_from_uv(at(mesh.uvs), image.shape[1], image.shape[0])
    x, y, z = decode(sample(image.astype(np.float32), pixel)).T[..., None]
    return pixel, unit(x * tangent + y * np.cross(normal, tangent) + z * normal), unit(normal)


def sample(image, pixel):
    xy = pixel.astype(np.float32).reshape(100, -1, 2)
    return cv2.remap(image, xy[..., 0], xy[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(len(pixel), -1)


def degrees(a, b):
    return np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1)))


@pytest.mark.parametrize("step", [4, 9])
def test_the_map_gives_back_the_normals(step):
    relief = Relief(step)
    image = tangent_normal_map(relief.mesh, relief.normal, relief.mask)
    pixel, shown, without = shade(relief.mesh, image)
    wanted = unit(sample(relief.normal, pixel))
    assert degrees(without, wanted).mean() > 3
    error = degrees(shown, wanted)
    assert error.mean() < 0.5 and np.percentile(error, 99) < 2


def test_a_flat_map_points_up_and_a_bump_to_the_right_is_red():
    relief = Relief(4)
    tilted = unit(relief.mesh.normals.mean(axis=0) + np.float32([0.5, 0, 0])).astype(np.float32)
    image = tangent_normal_map(relief.mesh, np.broadcast_to(tilted, relief.normal.shape).copy(), relief.mask)
    x, y, z = decode(image[SIZE // 2, SIZE // 2])
    assert x > 0.3 and abs(y) < 0.1 and z > 0.8
    up = unit(relief.mesh.normals.mean(axis=0) + np.float32([0, -0.5, 0])).astype(np.float32)
    x, y, z = decode(
        tangent_normal_map(relief.mesh, np.broadcast_to(up, relief.normal.shape).copy(), relief.mask)[SIZE // 2, SIZE // 2]
    )
    assert y > 0.3 and abs(x) < 0.1 and z > 0.8


def test_a_mesh_that_carries_everything_needs_no_map():
    relief = Relief(1, ripple=0.001)
    assert tangent_normal_map(relief.mesh, relief.normal, relief.mask) is None


def test_tangents_are_unit_and_in_the_surface():
    relief = Relief(5)
    tangents = vertex_tangents(relief.mesh)
    assert np.abs(np.linalg.norm(tangents, axis=1) - 1).max() < 1e-5
    assert np.abs((tangents * relief.mesh.normals).sum(1)).max() < 1e-5
    assert tangents[:, 0].min() > 0.7  # u grows to the right


def test_displacement_is_metres_along_the_normal():
    relief = Relief(8)
    height = displacement(relief)
    inner = height[8:176, 8:176]
    assert np.abs(inner).max() < 0.012 and np.abs(inner).mean() > 5e-4
    # Displaced points lie on the relief.
    triangle, weight = rasterise(pixel_from_uv(relief.mesh.uvs, SIZE, SIZE)[relief.mesh.faces].astype(np.float32), SIZE, SIZE)
    y, x = np.mgrid[20:170:3, 20:170:3].reshape(2, -1)
    corner = relief.mesh.faces[triangle[y, x]]
    at = lambda values: np.einsum("nk,nkc->nc", weight[y, x], values[corner])  # noqa: E731
    points = at(relief.mesh.vertices) + unit(at(relief.mesh.normals)) * height[y, x, None]
    depth = sample(relief.depth, np.resize(relief.camera.project(points), (2500, 2)))[:, 0]
    assert np.abs(points[:, 2] - np.resize(depth, len(points))).mean() < 0.1 * np.abs(height[y, x]).mean()


def test_rasterised_neighbours_leave_no_gap_and_weights_are_right():
    rng = np.random.default_rng(0)
    triangles = rng.uniform(-5, 45, (200, 3, 2)).astype(np.float32)
    triangle, weight = rasterise(triangles, 40, 40)
    y, x = np.nonzero(triangle >= 0)
    back = np.einsum("nk,nkc->nc", weight[y, x], triangles[triangle[y, x]])
    assert np.abs(back - np.stack([x, y], 1)).max() < 0.02
    square = np.float32([[[0, 0], [39, 0], [39, 39]], [[0, 0], [39, 39], [0, 39]]])
    assert (rasterise(square, 40, 40)[0] >= 0).all()


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_any_triangles_can_be_drawn(height, width, count, seed):
    rng = np.random.default_rng(seed)
    corners = rng.choice([0.0, 3.5, -1e3, 1e4, np.nan, np.inf, 7.0], (count, 3, 2)).astype(np.float32)
    triangle, weight = rasterise(corners, height, width)
    assert triangle.shape == (height, width) and triangle.max(initial=-1) < max(count, 1) and np.isfinite(weight).all()
