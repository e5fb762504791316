"""The solver against a direct one, and the fusion against a surface given by a formula."""

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.landmarks import part_labels
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.spaces import camera_from_normal_head
from sapiens2_avatar.core.surface import depth_edges, depth_fusion
from sapiens2_avatar.core.surface.multigrid import solve
from sapiens2_avatar.core.surface.scan import ScanSettings, make_mesh


def _dense(right, down, prior):
    """The matrix of the system, (n, n)."""
    h, w = prior.shape
    index = np.arange(h * w).reshape(h, w)
    matrix = np.diag(prior.ravel().astype(np.float64))
    for weight, a, b in ((right, index[:, :-1], index[:, 1:]), (down, index[:-1], index[1:])):
        for k, i, j in zip(weight.ravel(), a.ravel(), b.ravel(), strict=True):
            matrix[[i, j], [i, j]] += k
            matrix[[i, j], [j, i]] -= k
    return matrix


@pytest.mark.parametrize("shape", [(1, 1), (1, 37), (37, 1), (2, 2), (31, 46), (45, 33)])
def test_solver_finds_the_solution_of_the_dense_system(shape):
    rng = np.random.default_rng(sum(shape))
    h, w = shape
    right, down = rng.random((h, w - 1)), rng.random((h - 1, w))
    right[rng.random(right.shape) < 0.2] = 0
    down[rng.random(down.shape) < 0.2] = 0
    prior = 0.01 + 0.02 * rng.random(shape)
    x = rng.normal(size=shape)
    b = (_dense(right, down, prior) @ x.ravel()).reshape(shape)
    found = solve(right, down, prior, b.astype(np.float32), tolerance=1e-6, iterations=200)
    np.testing.assert_allclose(found, x, atol=2e-3)


def test_solver_leaves_unknown_pixels_at_zero():
    right, down, prior = np.zeros((20, 29)), np.zeros((19, 30)), np.zeros((20, 30))
    prior[5:10, 5:10] = 1
    b = np.ones((20, 30), np.float32)
    np.testing.assert_allclose(solve(right, down, prior, b), prior, atol=1e-4)


def test_solver_needs_few_iterations_and_linear_work():
    """With the weights of a real problem the residual falls by a thousand in 20 cycles at any size."""
    for size in (64, 256, 512):
        rng = np.random.default_rng(size)
        shape = (size, size)
        prior = np.full(shape, 1e-4, np.float32)
        right, down = np.ones((size, size - 1), np.float32), np.ones((size - 1, size), np.float32)
        b = rng.normal(size=shape).astype(np.float32)
        x = solve(right, down, prior, b, tolerance=1e-3, iterations=20).astype(np.float64)
        residual = b - prior * x
        for axis in (0, 1):
            flow = np.diff(x, axis=axis)
            first, second = depth_edges.pair(axis)
            residual[first] += flow
            residual[second] -= flow
        assert np.linalg.norm(residual) < 2e-3 * np.linalg.norm(b)


def test_slopes_are_exact_on_a_plane(scan_subjects):
    _, camera = scan_subjects.sphere(64)
    rays = camera.rays()
    normal = np.array([0.4, 0.5, -0.77])
    normal /= np.linalg.norm(normal)
    z = 2 * normal[2] / (rays.astype(np.float64) @ normal)
    field = np.ascontiguousarray(np.broadcast_to(normal.astype(np.float32), rays.shape))
    slopes, weights = depth_fusion.slopes(field, rays, camera)
    for axis in (0, 1):
        np.testing.assert_allclose(slopes[axis], np.diff(np.log(z), axis=axis), atol=1e-6)
        assert (weights[axis] > 0.1).all() and (weights[axis] <= 1).all()


def test_fusion_halves_the_error_of_depth_and_quarters_that_of_slopes(scan_subjects):
    """3 mm of noise on depth and 3 degrees on normals, as in the published figures of the method."""
    clean, camera = scan_subjects.sphere(256)
    noisy = scan_subjects.noisy(clean, 0.003, 3)
    truth = clean.pointmap[..., 2]
    inner = np.hypot(*np.mgrid[-127.5:128, -127.5:128]) < 65
    errors, angles = [], []
    want = camera_from_normal_head(clean.normal.astype(np.float32))
    for strength in (0.0, 0.5):
        depth = make_mesh(noisy, camera, settings=ScanSettings(detail=strength)).depth
        errors.append(np.sqrt(np.mean((depth - truth)[inner] ** 2)))
        normal = depth_edges.tangent_normals(depth, camera.rays())
        angles.append(np.degrees(np.arccos(np.clip((normal * want).sum(-1)[inner], -1, 1))).mean())
    assert errors[1] < 0.5 * errors[0] and angles[1] < 0.25 * angles[0], (errors, angles)


def test_exact_maps_lose_nothing(scan_subjects):
    predictions, camera = scan_subjects.sphere(200)
    surface = make_mesh(predictions, camera)
    inside = surface.depth > 0
    assert np.abs(surface.depth - predictions.pointmap[..., 2])[inside].mean() < 2e-4


def test_steps_that_refining_brings_out_are_torn():
    """A step of 60 mm, blended over six pixels so that hardly a pair was off by enough to be cut:
    no uncut pair of the result is."""
    height, width = 96, 128
    camera = Camera(width, height, 150.0, 150.0, (width - 1) / 2, (height - 1) / 2, "given")
    blend = np.clip((np.arange(width) - width / 2) / 6 + 0.5, 0, 1)
    z = (1 + 0.06 * blend + np.random.default_rng(0).normal(0, 0.003, (height, width))).astype(np.float32)
    normal = np.zeros((height, width, 3), np.float16)
    normal[..., 2] = 1
    photo, torso = np.full((height, width, 3), 128, np.uint8), np.full((height, width), part_labels("Torso")[0], np.uint8)
    surface = make_mesh(Predictions(image=photo, pointmap=camera.rays() * z[..., None], normal=normal, seg=torso), camera)
    assert surface.right_cut.any(axis=1).mean() > 0.9
    inverse, slants = depth_edges.inverse_depth(surface.depth), depth_edges.slant(surface.normal, camera.rays(), camera)
    limit = depth_edges.gap_limit(surface.depth, camera)
    for axis, cut in enumerate((surface.down_cut, surface.right_cut)):
        first, second = depth_edges.pair(axis)
        linked = surface.mask[first] & surface.mask[second] & ~cut[first]
        assert (depth_edges.pair_gap(inverse, slants, axis)[linked] <= np.minimum(limit[first], limit[second])[linked]).all()


def test_slider_goes_from_pointmap_to_normals(scan_subjects):
    """A dent that only the pointmap has: kept at 0, gone at 1, in between in between."""
    clean, camera = scan_subjects.sphere(160)
    noisy = scan_subjects.noisy(clean, 0.002, 1)
    bump = (0.03 * np.exp(-(np.hypot(*np.mgrid[-79.5:80, -79.5:80]) ** 2) / 200)).astype(np.float32)
    z = noisy.pointmap[..., 2]
    noisy.pointmap[...] *= np.where(z > 0, (z + bump) / np.maximum(z, 1e-3), 1)[..., None]
    off = []
    for strength in (0.0, 0.2, 0.5, 1.0):
        depth = make_mesh(noisy, camera, settings=ScanSettings(detail=strength)).depth
        off.append(float(np.median((depth - clean.pointmap[..., 2])[76:84, 76:84])))
    assert off[0] > 0.027 and off == sorted(off, reverse=True) and off[3] < 0.012, off
