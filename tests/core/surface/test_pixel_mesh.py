"""Meshes: valid by construction, true to the camera, whole where the person is whole."""

import numpy as np
import pytest

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.surface import pixel_mesh
from sapiens2_avatar.core.surface.decimate import decimate
from sapiens2_avatar.core.surface.scan import ScanSettings, make_mesh


def test_quads_share_corners_across_links_and_part_at_tears():
    mask = np.ones((2, 2), bool)
    cut = np.zeros((2, 2), bool)
    quads, corners = pixel_mesh.corner_quads(mask, *pixel_mesh.links(mask, cut, cut))
    assert quads.shape == (4, 4) and len(corners) == 9
    torn = cut.copy()
    torn[:, 0] = True
    quads, corners = pixel_mesh.corner_quads(mask, *pixel_mesh.links(mask, torn, cut))
    assert len(corners) == 12 and not np.intersect1d(quads[[0, 2]], quads[[1, 3]]).size
    # A tear that ends inside the surface leaves the corner at its tip whole.
    torn[1, 0] = False
    quads, corners = pixel_mesh.corner_quads(mask, *pixel_mesh.links(mask, torn, cut))
    assert len(corners) == 10


def test_pixels_that_touch_in_a_corner_only_do_not_hang_together():
    mask = np.eye(2, dtype=bool)
    cut = np.zeros((2, 2), bool)
    quads, corners = pixel_mesh.corner_quads(mask, *pixel_mesh.links(mask, cut, cut))
    assert len(corners) == 8 and len(np.unique(quads)) == 8


def test_random_tears_keep_every_edge_between_two_faces():
    rng = np.random.default_rng(1)
    for _ in range(20):
        mask, right, down = (rng.random((13, 17)) < p for p in (0.8, 0.3, 0.3))
        quads, corners = pixel_mesh.corner_quads(mask, *pixel_mesh.links(mask, right, down))
        edges = np.stack([quads, np.roll(quads, -1, axis=1)], 2).reshape(-1, 2)
        assert (edges[:, 0] != edges[:, 1]).all()
        keys = edges[:, 0].astype(np.int64) * len(corners) + edges[:, 1]
        assert len(np.unique(keys)) == len(keys), "an edge is used twice in one direction"
        back = np.isin(keys, edges[:, 1].astype(np.int64) * len(corners) + edges[:, 0])
        outline = pixel_mesh.outline_edges(quads, mask, *pixel_mesh.links(mask, right, down))
        np.testing.assert_array_equal(
            np.sort(outline[:, 0].astype(np.int64) * len(corners) + outline[:, 1]), np.sort(keys[~back])
        )
        # Every quad lies on the corners of its own pixel.
        y, x = np.nonzero(mask)
        at = corners[quads]
        for k, (dy, dx) in enumerate(pixel_mesh.CORNERS):
            np.testing.assert_array_equal(at[:, k], (y + dy) * 18 + x + dx)


def test_components_follow_links_not_neighbourhood():
    mask = np.ones((4, 6), bool)
    cut = np.zeros((4, 6), bool)
    right = cut.copy()
    right[:, 2] = True
    label, size = pixel_mesh.components(mask, *pixel_mesh.links(mask, right, cut))
    assert size.tolist() == [0, 12, 12] and label[0, 0] != label[0, 5]


def test_outline_is_smoothed_without_turning_a_face(scan_subjects):
    predictions, _ = scan_subjects.sphere()
    mask = predictions.seg > 0
    linked = pixel_mesh.links(mask, ~mask, ~mask)
    quads, corners = pixel_mesh.corner_quads(mask, *linked)
    edges = pixel_mesh.outline_edges(quads, mask, *linked)
    row, column = np.divmod(corners, mask.shape[1] + 1)
    before = np.stack([column, row], 1) - 0.5
    after = pixel_mesh.smooth_outline(before, edges)
    moved = np.linalg.norm(after - before, axis=1)
    outline = np.unique(edges)
    assert moved.max() <= 0.3 + 1e-9 and (moved > 0).sum() > 100
    assert not np.setdiff1d(np.flatnonzero(moved), outline).size
    # The outline of a disc: the distances from the centre scatter less than before.
    centre = (mask.shape[0] - 1) / 2
    scatter = [np.std(np.linalg.norm(p[outline] - centre, axis=1)) for p in (before, after)]
    assert scatter[1] < 0.75 * scatter[0]


@pytest.mark.parametrize("resolution", ["full", "half", "photo", 3000, 300])
def test_scan_is_valid_at_every_resolution(scan_subjects, resolution):
    predictions, camera = scan_subjects.sphere(wall=3.0)
    surface = make_mesh(predictions, camera, settings=ScanSettings(resolution=resolution))
    scan_subjects.check_valid(surface.mesh, camera)
    if isinstance(resolution, int):
        assert len(surface.mesh.faces) <= resolution * 1.3
    radius = np.linalg.norm(surface.mesh.vertices - [0, 0, 2], axis=1)
    skin = surface.mesh.labels == 22
    assert np.median(np.abs(radius[skin] - 0.4)) < 0.003


def test_camera_sees_no_crack_along_a_tear(scan_subjects):
    """Every pixel of the photo, edges of the ball included, hits the mesh."""
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh

    predictions, camera = scan_subjects.sphere(wall=3.0)
    surface = make_mesh(predictions, camera, settings=ScanSettings(min_component=0))
    mesh = surface.mesh
    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(mesh.vertices[mesh.faces]))
    rays = np.ascontiguousarray(camera.rays()[2:-2, 2:-2].reshape(-1, 3))
    hit = scene.run(np.zeros_like(rays), rays)
    assert surface.right_cut.sum() > 200
    assert (hit >= 0).mean() > 0.9995


def test_quads_are_the_pairs_of_triangles(scan_subjects):
    predictions, camera = scan_subjects.sphere()
    surface = make_mesh(predictions, camera)
    for k in (0, 1):
        assert (np.sort(surface.mesh.faces[k::2], 1)[:, :, None] == surface.quads[:, None, :]).any(2).all()
    assert len(surface.quads) == surface.mask.sum()


def test_maps_of_the_surface_match_the_photo_when_the_grid_is_coarse(scan_subjects):
    predictions, camera = scan_subjects.sphere(400)
    fine = make_mesh(predictions, camera, settings=ScanSettings(resolution="photo"))
    coarse = make_mesh(predictions, camera, settings=ScanSettings(resolution="half"))
    assert len(coarse.mesh.faces) < 0.3 * len(fine.mesh.faces)
    both = fine.mask & coarse.mask
    assert both.sum() > 0.97 * fine.mask.sum() and coarse.mask.shape == (400, 400)
    assert np.percentile(np.abs(fine.depth - coarse.depth)[both], 95) < 0.003
    assert ((coarse.depth > 0) == coarse.mask).all() and ((coarse.labels > 0) == coarse.mask).all()


def test_tears_of_a_coarse_grid_lie_between_its_pixels(scan_subjects):
    predictions, camera = scan_subjects.sphere(400, wall=3.0)
    surface = make_mesh(predictions, camera, settings=ScanSettings(resolution="half"))
    step = np.abs(np.diff(surface.depth, axis=1))
    torn = surface.right_cut[:, :-1]
    assert (
        torn.any()
        and step[torn].min() > 0.2
        and step[~torn & (surface.depth[:, 1:] > 0) & (surface.depth[:, :-1] > 0)].max() < 0.2
    )


def test_decimation_keeps_the_outline_and_the_parts(scan_subjects):
    predictions, camera = scan_subjects.sphere(200)
    seg = predictions.seg.copy()
    seg[:100][seg[:100] > 0] = 23
    surface = make_mesh(
        Predictions(image=predictions.image, pointmap=predictions.pointmap, normal=predictions.normal, seg=seg), camera
    )
    mesh, pixel = decimate(surface.mesh, camera, 2000)
    scan_subjects.check_valid(mesh, camera)
    assert 1500 < len(mesh.faces) <= 2000
    for axis in (0, 1):
        assert abs(pixel[:, axis].min() - surface.vertex_pixel[:, axis].min()) < 2
        assert abs(pixel[:, axis].max() - surface.vertex_pixel[:, axis].max()) < 2
    off = np.abs(pixel[:, 1] - 99.5) > 3
    np.testing.assert_array_equal(mesh.labels[off], np.where(pixel[off, 1] < 99.5, 23, 22))


@pytest.mark.parametrize(
    "wrong",
    [
        {"detail": 1.5},
        {"detail": float("nan")},
        {"resolution": "fine"},
        {"resolution": 2},
        {"resolution": True},
        {"min_component": -1},
    ],
)
def test_wrong_settings_say_so(wrong):
    with pytest.raises(SapiensError):
        ScanSettings(**wrong)
