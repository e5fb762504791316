"""Light and colour apart: on scenes made here with known light, and on synthetic people with known albedo."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.colour import linear_from_srgb, srgb_from_linear
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.spaces import camera_from_normal_head
from sapiens2_avatar.core.texture.colour_clusters import split_colours
from sapiens2_avatar.core.texture.delight import delight
from sapiens2_avatar.core.texture.foreground import foreground
from sapiens2_avatar.core.texture.lighting import diffuse_transfer, directions, glossy_transfer, make_cells, visibility

SKIN, SHIRT = 3, 23


def ball(size=160, distance=3.0, radius=0.5):
    """Depth, normals and mask of a ball in front of a camera."""
    camera = Camera(size, size, 2.2 * size, 2.2 * size, (size - 1) / 2, (size - 1) / 2)
    rays = camera.rays()
    a, b = np.square(rays).sum(-1), distance * rays[..., 2]
    inside = b**2 - a * (distance**2 - radius**2)
    mask = inside > 0
    depth = np.where(mask, (b - np.sqrt(np.maximum(inside, 0))) / a, 0).astype(np.float32)
    normal = np.where(mask[..., None], (rays * depth[..., None] - [0, 0, distance]) / radius, 0).astype(np.float32)
    return camera, depth, normal, mask


def lit(normal, albedo):
    """A warm light from the upper left and a blue sky from above, matt."""
    sun = np.clip(normal @ np.array([-0.6, -0.5, -0.62], np.float32), 0, None)[..., None] * [1.1, 0.9, 0.7]
    sky = (0.5 - 0.5 * normal[..., 1:2]) * [0.25, 0.3, 0.45]
    return (albedo * (sun + sky)).astype(np.float32)


def distance_to(estimate, true, mask):
    """RMS in sRGB after one gain per channel."""
    x, y = estimate[mask].astype(np.float64), true[mask].astype(np.float64)
    return np.sqrt(np.square(srgb_from_linear(x * (x * y).sum(0) / (x * x).sum(0)) - srgb_from_linear(y)).mean())


@pytest.fixture(scope="module")
def scene():
    camera, depth, normal, mask = ball()
    labels = np.where(mask, np.where(np.arange(160)[:, None] < 80, SKIN, SHIRT), 0).astype(np.uint8)
    stripes = (np.arange(160)[None, :] // 12) % 2 == 0
    albedo = np.where(
        (labels == SKIN)[..., None], [0.5, 0.3, 0.2], np.where(stripes[..., None], [0.1, 0.2, 0.5], [0.6, 0.6, 0.5])
    )
    albedo = (albedo * mask[..., None]).astype(np.float32)
    return camera, depth, normal, mask, labels, albedo


def test_the_light_goes_and_the_stripes_stay(scene):
    camera, depth, normal, mask, labels, albedo = scene
    photo = lit(normal, albedo)
    result = delight(photo, labels, normal, depth, camera)
    assert distance_to(result.albedo_linear, albedo, mask) < 0.25 * distance_to(photo, albedo, mask)
    assert not result.albedo_linear[~mask].any()


def test_exposure_changes_nothing_but_brightness(scene):
    camera, depth, normal, mask, labels, albedo = scene
    photo = lit(normal, albedo)
    first, second = (delight(photo * gain, labels, normal, depth, camera).albedo_linear[mask] for gain in (1, 0.5))
    # Values below the noise floor of a photo differ; the rest is the same up to the gain.
    assert np.median(np.abs(second * 2 / first - 1)) < 0.02


def test_a_flat_light_changes_nothing(scene):
    camera, depth, normal, mask, labels, albedo = scene
    result = delight(albedo * 0.8, labels, normal, depth, camera)
    assert distance_to(result.albedo_linear, albedo, mask) < 6


def test_too_little_to_see_gives_none():
    camera, depth, normal, mask = ball(size=8)
    assert delight(normal * 0 + 0.5, np.uint8(SKIN) * mask, normal, depth, camera) is None
    assert delight(normal * 0 + 0.5, np.uint8(0) * mask, normal, depth, camera) is None


def test_a_white_furnace_neither_gains_nor_loses_light():
    towards = directions(256)
    normal = directions(50)[:, [2, 0, 1]]
    normal[:, 2] = -np.abs(normal[:, 2])
    free = (normal @ towards.T > 0).astype(np.float32)
    matt = diffuse_transfer(normal, free, towards).sum(axis=1)
    assert np.abs(matt - 1).max() < 0.02
    gloss = glossy_transfer(normal, np.tile([0, 0, 3.0], (50, 1)), free, towards, np.full(50, 0.7), np.full(50, 1.5)).sum(axis=1)
    assert gloss.min() > 0.01 and gloss.max() < 0.35  # 4 % facing the camera, more at grazing angles


def test_a_ball_casts_no_shadow_on_itself_and_a_wall_does():
    camera, depth, normal, mask = ball()
    towards = directions(64)
    cells = make_cells(np.ones_like(normal), mask.astype(np.uint8), normal, depth, camera, wanted=1500)
    cosine = cells.normal[cells.valid] @ towards.T
    free = visibility(cells, camera, towards)
    assert free[cosine > 0.3].mean() > 0.98 and not free[cosine < 0].any()
    # A plane, with a slab 10 cm in front of its right half: the plane near the slab loses the light from the right.
    depth = np.where(np.arange(160) < 80, 3.0, 2.9).astype(np.float32) * np.ones((160, 1), np.float32)
    normal = np.broadcast_to(np.float32([0, 0, -1]), (160, 160, 3))
    cells = make_cells(np.ones_like(normal), np.ones((160, 160), np.uint8), normal, depth, camera, wanted=1600)
    free = visibility(cells, camera, np.float32([[0.95, 0, -0.31], [-0.95, 0, -0.31]])).reshape(*cells.part.shape, 2)
    beside = slice(int(72 / cells.step), int(78 / cells.step))
    assert free[5:-5, beside, 0].mean() < 0.3 and free[5:-5, beside, 1].mean() > 0.95


def test_stripes_are_two_colours_and_a_gradient_is_one():
    rng = np.random.default_rng(0)
    stripes = np.where(rng.random((600, 1)) < 0.5, np.log([0.1, 0.2, 0.5]), np.log([0.6, 0.6, 0.5])) + 0.05 * rng.normal(
        size=(600, 3)
    )
    gradient = np.log([0.5, 0.3, 0.2]) + rng.uniform(-0.5, 0.5, (600, 1)) + 0.05 * rng.normal(size=(600, 3))
    clusters = split_colours(np.concatenate([stripes, gradient]), np.repeat([4, 9], 600))
    assert len(np.unique(clusters[:600])) == 2
    assert len(np.unique(clusters[600:])) == 1
    assert not set(clusters[:600]) & set(clusters[600:])


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_input_gives_finite_albedo_or_none(height, width, seed):
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(height, width, 3)).astype(np.float32)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    depth = rng.uniform(-1, 5, (height, width)).astype(np.float32)
    normal[rng.random((height, width)) < 0.1], depth[rng.random((height, width)) < 0.1] = np.nan, np.inf
    labels = rng.integers(0, 29, (height, width)).astype(np.uint8)
    photo = (rng.random((height, width, 3)) * (rng.random() < 0.8)).astype(np.float32)
    result = delight(photo, labels, normal, depth, Camera(width, height, 50, 50, width / 2, height / 2))
    if result is not None:
        assert np.isfinite(result.albedo_linear).all() and np.isfinite(result.highlight).all()
        assert result.albedo_linear.min() >= 0


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["", ".degraded"])
def test_the_photo_of_a_person_comes_closer_to_the_albedo(every_studio, suffix):
    gains = []
    for name in ("body_apose", "body_crossed", "body_walk", "body_sit", "face_a", "face_b"):
        import safetensors.numpy

        truth = safetensors.numpy.load_file(every_studio(name))
        maps = safetensors.numpy.load_file(every_studio(name + suffix))
        camera = Camera.from_matrix(maps["intrinsics"], maps["seg"].shape[1], maps["seg"].shape[0])
        predictions = Predictions(**{key: maps[key] for key in ("image", "pointmap", "normal", "seg", "alpha")})
        photo = foreground(linear_from_srgb(predictions.image), predictions.alpha, predictions.seg)
        normal = camera_from_normal_head(predictions.normal.astype(np.float32))
        result = delight(photo, predictions.seg, normal, predictions.pointmap[..., 2].astype(np.float32), camera)
        person = (truth["seg"] > 0) & (predictions.seg > 0)
        true = linear_from_srgb(truth["albedo"])
        before, after = (distance_to(x, true, person) for x in (linear_from_srgb(truth["image"]), result.albedo_linear))
        gains.append(20 * np.log10(before / after))
    mean, least = {"samples": (7, 5.5), "studio": (4, 2)}[every_studio.folder.name]
    assert np.mean(gains) > mean and min(gains) > least, gains
