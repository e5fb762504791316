"""Noisy depth under good normals becomes steady; exact depth stays."""

from dataclasses import replace

import numpy as np

from sapiens2_avatar.core.garments.steady import relief_error, steadied
from support.dressed import dressed


def noisy(sighting, seed=0, size=0.006):
    """Waves of `size` metres a few pixels long on the depth."""
    import cv2

    points = sighting.predictions.pointmap.astype(np.float32)
    waves = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=points.shape[:2]), (0, 0), 2.0)
    waves *= size / waves.std()
    z = points[..., 2] + waves
    rays = sighting.camera.rays()
    pointmap = np.where(points[..., 2:] > 0, rays * z[..., None], points).astype(np.float32)
    return replace(sighting, predictions=replace(sighting.predictions, pointmap=pointmap))


def depth_error(sighting, truth):
    inner = truth.predictions.seg > 0
    z, true = sighting.predictions.pointmap[..., 2], truth.predictions.pointmap[..., 2]
    off = (z - true)[inner & np.isfinite(true) & (true > 0)]
    return float(np.median(np.abs(off - np.median(off))))


def test_exact_depth_stays():
    sighting, _ = dressed()
    assert relief_error(sighting) < 0.004
    assert steadied(sighting) is sighting


def test_noisy_depth_follows_the_normals():
    truth, _ = dressed()
    rough = noisy(truth)
    steady = steadied(rough)
    assert depth_error(steady, truth) < 0.6 * depth_error(rough, truth)
    known = np.isfinite(rough.predictions.pointmap).all(axis=-1)
    np.testing.assert_array_equal(np.isfinite(steady.predictions.pointmap).all(axis=-1), known)


def test_what_is_missing_is_no_fault():
    sighting, _ = dressed()
    for gone in ("pointmap", "normal", "seg"):
        bare = replace(sighting, predictions=replace(sighting.predictions, **{gone: None}))
        assert steadied(bare) is bare
    blind = noisy(sighting)
    empty = replace(blind, predictions=replace(blind.predictions, pointmap=np.full_like(blind.predictions.pointmap, np.nan)))
    assert steadied(empty) is empty
