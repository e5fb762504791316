"""The noise of a depth map, measured without the truth, and what the fusion and the snapping make of it."""

import numpy as np
import pytest

from sapiens2_avatar.core.common.spaces import camera_from_normal_head
from sapiens2_avatar.core.surface import depth_edges, depth_fusion, depth_noise
from sapiens2_avatar.core.surface.depth_snap import Cues, snap
from sapiens2_avatar.core.surface.scan import ScanSettings, make_mesh


def _measure(predictions, camera):
    normal = camera_from_normal_head(predictions.normal.astype(np.float32))
    z = predictions.pointmap[..., 2].astype(np.float32)
    slope, weight = depth_fusion.slopes(normal, camera.rays(), camera)
    return depth_noise.measure(z, z > 0, slope[1], weight[1], camera)


@pytest.mark.parametrize("metres", [0.001, 0.004])
def test_grain_is_the_noise_of_a_difference_of_depths(scan_subjects, metres):
    clean, camera = scan_subjects.sphere(256)
    found = _measure(scan_subjects.noisy(clean, metres, 0.2), camera)
    assert 0.85 < found.grain / (metres * np.sqrt(2)) < 1.15
    assert 0.85 < found.relief / (metres * np.sqrt(2)) < 1.3, "independent noise is no larger over a distance"


def test_waves_of_the_depth_are_relief_and_no_grain(scan_subjects):
    clean, camera = scan_subjects.sphere(256)
    wave = 1 + 0.004 * np.sin(np.arange(256) / 8)[None, :, None]
    clean.pointmap[...] *= wave.astype(np.float32)
    found = _measure(clean, camera)
    assert found.relief > 4 * found.grain and found.relief > 0.004


def test_steps_between_surfaces_are_no_noise(scan_subjects):
    predictions, camera = scan_subjects.sphere(256, wall=2.2)
    found = _measure(predictions, camera)
    assert found.grain < 2e-4 and found.relief < 5e-4


def test_steep_and_bent_surfaces_are_no_noise(scan_subjects):
    predictions, camera = scan_subjects.sphere(128, radius=0.15, depth=0.7)
    found = _measure(predictions, camera)
    assert found.relief < 5e-4


def test_nothing_to_compare_is_none_and_one_pair_is_enough(scan_subjects):
    _, camera = scan_subjects.sphere(16)
    z, slope = np.full((16, 16), 2, np.float32), np.zeros((16, 15), np.float32)
    sure = np.zeros((16, 16), bool)
    assert depth_noise.measure(z, sure, slope, slope + 1, camera) is None
    sure[::2, ::2] = True
    assert depth_noise.measure(z, sure, slope, slope + 1, camera) is None, "no two neighbours"
    sure[4, 5] = True
    assert depth_noise.measure(z, sure, slope, slope + 1, camera) is not None
    assert depth_noise.measure(z, sure, slope, slope, camera) is None, "normals without weight say nothing"


def test_normals_lead_as_far_as_the_depth_lacks_relief(scan_subjects):
    _, camera = scan_subjects.sphere(64)
    z = np.full((4, 4), 1.0, np.float32)
    weights = [
        float(depth_fusion.data_weight(z, camera, 0.5, depth_noise.Noise(0.001, r))[0, 0])
        for r in (0, 0.0003, 0.001, 0.003, 0.01, 0.03)
    ]
    assert weights[0] == weights[1] == 1, "depth as good as the best normals is kept to the pixel"
    assert weights == sorted(weights, reverse=True) and weights[2] > 3 * weights[3] > 3 * weights[4]
    assert weights[4] == weights[5] == float(depth_fusion.data_weight(z, camera, 0.5)[0, 0]), "at most the length for networks"


def test_the_weight_does_not_depend_on_how_finely_a_person_is_seen(scan_subjects):
    """lambda is per pixel: with pixels half the size, four times the equations at a quarter of the weight."""
    _, camera = scan_subjects.sphere(2048)
    z = np.full((2, 2), 2.0, np.float32)
    fine, coarse = (depth_fusion.data_weight(z, c, 0.5)[0, 0] for c in (camera, camera.resized(1024, 1024)))
    assert coarse / fine == pytest.approx(4, rel=1e-3)


def _blended(z):
    padded = np.pad(z, 1, mode="edge")
    h, w = z.shape
    return sum(padded[i : i + h, j : j + w] for i in range(3) for j in range(3)) / np.float32(9)


@pytest.mark.parametrize("blend", [False, True])
def test_the_rim_is_believed_only_where_edges_are_sharp(scan_subjects, blend):
    predictions, camera = scan_subjects.sphere(wall=3.0)
    normal = camera_from_normal_head(predictions.normal.astype(np.float32))
    z = predictions.pointmap[..., 2].astype(np.float32)
    z = _blended(z) if blend else z
    domain = np.zeros(z.shape, bool)
    domain[8:-8, 8:-8] = True
    slants = depth_edges.slant(normal, camera.rays(), camera)
    out, measured = snap(z, domain, Cues(normal, slants, predictions.seg, predictions.image), camera)
    if blend:
        assert (domain & ~measured).sum() > 300
    else:
        assert measured[domain].all()
        np.testing.assert_array_equal(out[domain], z[domain])


def test_wide_gap_finds_the_step_that_climbs_slowly_and_keeps_off_tears():
    z = np.full((8, 20), 2, np.float32)
    z[:, 9:] += np.float32(0.002)
    z[:, 10:] += np.float32(0.002)
    z[:, 11:] += np.float32(0.002)
    flat = np.zeros_like(z), np.zeros_like(z)
    inverse = depth_edges.inverse_depth(z)
    assert depth_edges.pair_gap(inverse, flat, 1).max() < 0.0021
    for axis, values in ((1, inverse), (0, np.ascontiguousarray(inverse.T))):
        linked = np.ones((8, 19) if axis else (19, 8), bool)
        gap = depth_fusion.wide_gap(values, tuple(np.zeros_like(values) for _ in range(2)), linked, axis)
        gap = gap if axis else gap.T
        np.testing.assert_allclose(gap[:, 9], 0.006, rtol=1e-3)
        assert not gap[:, :7].any() and not gap[:, 12:].any()
        linked[(slice(None), 9) if axis else (9, slice(None))] = False
        torn = depth_fusion.wide_gap(values, tuple(np.zeros_like(values) for _ in range(2)), linked, axis)
        assert not (torn if axis else torn.T)[:, 8:11].any()
    assert not depth_fusion.wide_gap(inverse[:, :3], (flat[0][:, :3], flat[1][:, :3]), np.ones((8, 2), bool), 1).any()


def test_waves_of_the_depth_are_taken_out_and_exact_depth_is_kept(scan_subjects):
    """A wave 10 cm long and 5 mm high: the normals know better. The same scan without the wave stays to 0.1 mm."""
    clean, camera = scan_subjects.sphere(320, depth=1.2)
    truth = clean.pointmap[..., 2].copy()
    inner = np.hypot(*np.mgrid[-159.5:160, -159.5:160]) < 120
    kept = make_mesh(clean, camera, settings=ScanSettings()).depth
    assert np.abs(kept - truth)[inner].mean() < 1e-4
    x = camera.rays()[..., 0] * 1.2
    clean.pointmap[...] *= (1 + 0.005 / 1.2 * np.sin(2 * np.pi * x / 0.1))[..., None].astype(np.float32)
    before = np.abs(clean.pointmap[..., 2] - truth)[inner].mean()
    after = np.abs(make_mesh(clean, camera, settings=ScanSettings()).depth - truth)[inner].mean()
    assert after < 0.25 * before, (before, after)
