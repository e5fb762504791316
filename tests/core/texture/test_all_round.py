"""Texture all round on barrels of known colours: what is seen comes back, what is not is a sensible guess."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.spaces import pixel_from_uv
from sapiens2_avatar.core.texture.all_round import paint
from sapiens2_avatar.core.texture.blend import exposure_gains
from sapiens2_avatar.core.texture.hem_bands import Hems
from sapiens2_avatar.core.texture.project import PaintedSurface
from sapiens2_avatar.core.texture.surface_fill import Place, pattern_of
from sapiens2_avatar.core.texture.views import View, iris_tone
from support.barrel import (
    RADIUS,
    SEGMENTS,
    TONE,
    barrel,
    colours_of,
    facing,
    photo_of,
    stood,
    surface_at,
)

OTHER = 4


def at_quads(surface: PaintedSurface, texture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles of the quads at rest, and the texture there as float."""
    size = len(texture)
    x, y = np.rint(pixel_from_uv(surface.uvs.mean(axis=1).astype(np.float64), size, size)).astype(int).T
    return surface.rest[surface.quads].mean(axis=1), texture[y, x].astype(np.float64)


def test_what_is_seen_comes_back():
    surface = surface_at(0)
    made = paint([surface], [photo_of(surface, 0, colours_of)], 512)[0]
    points, found = at_quads(surface, made.base_colour_srgb)
    front = facing(points) > 0.4
    assert np.abs(found - colours_of(points))[front].mean() < 3
    assert at_quads(surface, made.seen[..., None])[1][front].all()
    assert not at_quads(surface, made.seen[..., None])[1][facing(points) < 0].any()


def test_the_depth_of_a_drawn_photo_is_no_measurement():
    """Where another photo knows better, the surface is centimetres in front of it, and the photo shows it all the same."""
    surface = surface_at(0)
    view = photo_of(surface, 0, colours_of)
    off = replace(view, depth=view.depth + np.float32(0.06))
    seen, drawn = (paint([surface], [v], 512)[0].seen.sum() for v in (off, replace(off, drawn=True)))
    assert seen == 0 < 0.9 * paint([surface], [view], 512)[0].seen.sum() < drawn


def test_the_gloss_that_photos_show_comes_back_and_goes_on_where_none_looks():
    surface = surface_at(0)
    view = photo_of(surface, 0, colours_of)
    assert paint([surface], [view], 512)[0].roughness is None
    halves = np.where(np.arange(view.labels.shape[1]) < view.labels.shape[1] / 2, 60, 200).astype(np.uint8)
    made = paint([surface], [replace(view, roughness=np.tile(halves, (view.labels.shape[0], 1)))], 512)[0]
    points, found = at_quads(surface, made.roughness[..., None])
    front, side = facing(points) > 0.4, np.abs(points[:, 0]) > 0.03
    wanted = np.where(points[:, 0] < 0, 60, 200)
    assert np.abs(found[:, 0] - wanted)[front & side].max() < 3
    assert np.abs(found[facing(points) < -0.2, 0] - 130).max() < 12, "neither of the two is more typical"


def test_a_texture_much_finer_than_the_photo_is_as_good():
    surface = surface_at(0)
    view = photo_of(surface, 0, colours_of)
    view = replace(view, normal=np.tile(np.float32([0.3, 0, -0.95]), (*view.labels.shape, 1)))
    coarse, fine = (paint([surface], [view], size)[0] for size in (512, 4096))
    assert fine.base_colour_srgb.shape == (4096, 4096, 3) and len(fine.normal_tangent) < 2048
    points, found = at_quads(surface, fine.base_colour_srgb)
    front = facing(points) > 0.4
    assert np.abs(found - colours_of(points))[front].mean() < 3
    assert np.abs(found - at_quads(surface, coarse.base_colour_srgb)[1]).mean() < 3


def test_the_background_is_nowhere():
    surface = surface_at(0)
    made = paint([surface], [photo_of(surface, 0, lambda p: np.full((len(p), 3), 200.0))], 512)[0]
    assert at_quads(surface, made.base_colour_srgb)[1].min() > 190


def test_the_other_side_takes_the_mirror_image():
    points = barrel()[0]
    ring, segment = np.divmod(np.arange(len(points)), SEGMENTS)
    mirror = (ring * SEGMENTS + (SEGMENTS // 2 - segment) % SEGMENTS).astype(np.int32)
    assert np.abs(points[mirror] - points * [-1, 1, 1]).max() < 1e-6
    alike = lambda p: colours_of(np.abs(p) * [1, 0, 1] + p * [0, 1, 0])  # noqa: E731
    plain, mirrored = surface_at(90), surface_at(90, mirror=mirror)
    view = photo_of(plain, 0, alike)
    middles, without = at_quads(plain, paint([plain], [view], 512)[0].base_colour_srgb)
    _, found = at_quads(mirrored, paint([mirrored], [view], 512)[0].base_colour_srgb)
    hidden = facing(middles, 90) < -0.4
    assert np.abs(found - alike(middles))[hidden].mean() < 8
    assert np.abs(without - alike(middles))[hidden].mean() > 15


def test_only_pixels_of_its_own_parts_colour_a_surface():
    surface = surface_at(0)
    view = photo_of(surface, 0, lambda p: np.full((len(p), 3), [40.0, 160.0, 60.0]))
    labels, colour = view.labels.copy(), view.colour.copy()
    labels[200:260], colour[200:260] = OTHER, (250, 0, 0)
    made = paint([surface], [replace(view, labels=labels, colour=colour)], 512)[0]
    assert at_quads(surface, made.base_colour_srgb)[1][:, 0].max() < 60


def test_a_surface_of_which_no_pixel_is_its_own_is_plain():
    surface = surface_at(0)
    view = photo_of(surface, 0, lambda p: np.full((len(p), 3), [40.0, 160.0, 60.0]))
    made = paint([replace(surface, labels=np.zeros(0, np.uint8), along=None, share=None)], [view], 512)[0]
    assert (made.base_colour_srgb == surface.tone).all()
    made = paint([surface], [replace(view, labels=np.where(view.labels > 0, OTHER, 0).astype(view.labels.dtype))], 512)[0]
    assert (made.base_colour_srgb == surface.tone).all()


def test_what_stands_in_front_hides():
    surface = surface_at(0)
    board = np.array([[-0.3, -0.05, 1.2], [0.3, -0.05, 1.2], [0.3, 0.05, 1.2], [-0.3, 0.05, 1.2]], np.float32)
    uvs = np.array([[[0, 0], [1, 0], [1, 1], [0, 1]]], np.float32)
    hiding = PaintedSurface(np.array([[0, 3, 2, 1]], np.int32), uvs, (board,), np.array([OTHER], np.uint8), TONE, board)
    view = photo_of(surface, 0, lambda p: np.full((len(p), 3), [40.0, 160.0, 60.0]))
    colour = view.colour.copy()
    colour[208:272] = (250, 0, 0)  # the network took the board for a part of the cloth, and gave it the depth of the cloth
    view = replace(view, colour=colour)
    shown = at_quads(surface, paint([surface], [view], 512)[0].base_colour_srgb)[1]
    hidden = at_quads(surface, paint([surface, hiding], [view], 512)[0].base_colour_srgb)[1]
    assert shown[:, 0].max() > 200 > 120 > hidden[:, 0].max()


def test_photos_of_two_exposures_agree():
    surface = surface_at(0, 60)
    grey = lambda p: np.full((len(p), 3), 160.0)  # noqa: E731
    views = [photo_of(surface, 0, grey), photo_of(surface, 1, grey, light=0.75)]
    points, found = at_quads(surface, paint([surface], views, 512)[0].base_colour_srgb)
    seen = (facing(points) > 0.4) | (facing(points, 60) > 0.4)
    assert np.ptp(found[seen]) < 6


def test_gains_need_an_overlap():
    colours = np.stack([np.full((100, 3), 100.0), np.full((100, 3), 50.0), np.full((100, 3), 9.0)])
    belief = np.ones((3, 100))
    belief[2] = 0
    gains = exposure_gains(colours, belief)
    assert (gains[0] * 108 == pytest.approx(gains[1] * 58, rel=0.02)) and (gains[2] == pytest.approx(1))


def test_a_cut_between_charts_does_not_show():
    surface = surface_at(0)
    made = paint([surface], [photo_of(surface, 0, colours_of)], 512)[0].base_colour_srgb.astype(np.float64)
    columns = pixel_from_uv(np.array([[0.05, 0.5], [0.45, 0.5], [0.55, 0.5], [0.95, 0.5]]), 512, 512)[:, 0]
    rows = slice(60, 450)
    left, right, next_to_right, next_to_left = (made[rows, round(c)] for c in columns)
    assert np.abs(left - next_to_left).mean() < 4
    assert np.abs(right - next_to_right).mean() < 4


def rows_of(points: np.ndarray) -> np.ndarray:
    """Red and white stripes round the barrel, and a blue print on its front."""
    stripe = (points[:, 2] / 0.06).astype(int) % 2 == 0
    out = np.where(stripe[:, None], [200.0, 30.0, 30.0], [230.0, 230.0, 230.0])
    printed = (np.abs(points[:, 0]) < 0.04) & (np.abs(points[:, 2] - 0.3) < 0.05) & (points[:, 1] < 0)
    return np.where(printed[:, None], [20.0, 40.0, 220.0], out)


def test_stripes_go_on_behind_and_prints_do_not():
    along = barrel()[0][:, 2:]
    surface = surface_at(0, along=along, share=np.ones_like(along))
    made = paint([surface], [photo_of(surface, 0, rows_of)], 512)[0]
    points, found = at_quads(surface, made.base_colour_srgb)
    edge = np.abs((points[:, 2] / 0.06) % 1 - 0.5) > 0.3
    behind = (facing(points) < -0.3) & ~edge
    assert np.abs(found - rows_of(points))[behind].mean() < 25
    assert (found[behind, 2] - found[behind, 0]).max() < 60  # nothing blue


def staves_of(points: np.ndarray) -> np.ndarray:
    """Light and dark stripes along the barrel."""
    turn = np.arctan2(points[:, 1], points[:, 0])
    return 128 + 90 * np.sin(20 * turn)[:, None] * np.ones(3)


def test_stripes_along_a_limb_go_on_round_its_sides():
    """Where a photo sees the side of a limb too flat to show its stripes, and beyond."""
    along = barrel()[0][:, 2:]
    surface = surface_at(0, along=along, share=np.ones_like(along))
    made = paint([surface], [photo_of(surface, 0, staves_of)], 1024)[0]
    points, found = at_quads(surface, made.base_colour_srgb)
    shown, aside = facing(points) > 0.5, np.abs(facing(points)) < 0.25
    middle = (points[:, 2] > 0.1) & (points[:, 2] < 0.5)
    contrast = [float(found[part & middle].std()) for part in (shown, aside)]
    assert contrast[1] > 0.5 * contrast[0]
    # They go along the barrel there too.
    columns = found[..., 0].reshape(-1, SEGMENTS)[8:-8]
    assert columns[:, aside[:SEGMENTS]].std(axis=0).mean() < 0.3 * contrast[1]


def _axes(surface: PaintedSurface) -> dict[str, np.ndarray]:
    return {"along": surface.rest[:, 2:], "share": np.ones((len(surface.rest), 1), np.float32)}


def test_a_strip_of_a_row_says_nothing_of_its_back():
    """An arm before a jacket leaves a strip of the shirt in it to be seen: the back is none the whiter."""
    surface = surface_at(0)
    surface = replace(surface, **_axes(surface))
    shirt = lambda p: np.where(np.abs(p[:, :1]) < 0.02, 240.0, 40.0) + np.zeros(3)  # noqa: E731
    view = photo_of(surface, 0, shirt)
    rows = slice(200, 280)
    hidden = (view.colour[rows, :, 0] < 200) & (view.labels[rows] > 0)
    view.labels[rows][hidden] = OTHER
    made = paint([surface], [view], 512)[0]
    points, found = at_quads(surface, made.base_colour_srgb)
    behind = (facing(points) < -0.5) & (np.abs(points[:, 2] - 0.3) < 0.04)
    assert found[behind].mean() < 130


def test_what_lies_on_a_shoulder_is_no_row_of_the_back():
    """Piping on a shoulder has the height of the upper back, of which nothing is seen."""
    rng = np.random.default_rng(7)
    count = 4000
    height = rng.uniform(0, 0.3, count).astype(np.float32)[:, None]
    on_top = height[:, 0] > 0.27
    colours = np.where(on_top[:, None], [0.0, 240.0, 120.0], [140.0, 40.0, 80.0]).astype(np.float32)
    weight, tone = np.ones(count, np.float32), np.array([140.0, 40.0, 80.0])

    def place(height: np.ndarray) -> Place:
        hems = Hems.none(len(height))
        return Place(height, np.ones_like(height), hems.distance, hems.near, hems.twin)

    whole, where = place(np.concatenate([height, height])), place(np.array([[0.285]], np.float32))
    shoulder, stripe = (
        pattern_of(place(height), colours, weight, upright, tone, whole).at(where)[0] for upright in (~on_top, on_top | True)
    )
    assert np.abs(shoulder - tone).max() < 20
    assert stripe[1] > 180


def test_a_band_along_a_hem_goes_round_it_however_it_slants():
    """A cuff in another colour, on a sleeve that is longer behind."""
    surface = surface_at(0)
    rest = surface.rest * (1, 1, 0.9)
    rest[:, 2] += 0.3 * rest[:, 2] * rest[:, 1]  # the top rises from the front to the back
    surface = replace(
        surface, rest=rest, posed=(stood(rest),), hems=Hems.of(rest, surface.quads, np.zeros(len(surface.quads), bool))
    )
    surface = replace(surface, **_axes(surface))
    top = lambda p: 0.54 * (1 + 0.3 * p[:, 1])  # noqa: E731
    cuffed = lambda p: np.where((top(p) - p[:, 2] < 0.012)[:, None], [40.0, 220.0, 120.0], [140.0, 40.0, 80.0])  # noqa: E731
    made = paint([surface], [photo_of(surface, 0, cuffed)], 1024)[0]
    points, found = at_quads(surface, made.base_colour_srgb)
    behind, below = (points[:, 1] > 0.5 * RADIUS), top(points) - points[:, 2]
    assert found[behind & (below < 0.01), 1].mean() > 170
    assert np.abs(found[behind & (below > 0.025) & (below < 0.06)] - [140, 40, 80]).mean() < 12


def test_nothing_is_smeared_beyond_the_border_of_the_photo():
    surface = surface_at(0)
    surface = replace(surface, **_axes(surface))
    view = photo_of(surface, 0, lambda p: 128 + 60 * np.sin(150 * p[:, :1]) + np.zeros(3))
    camera = replace(view.camera, height=240)
    parts = (view.colour[:240], view.photo[:240], view.labels[:240], camera, view.depth[:240])
    made = paint([surface], [View(*parts)], 512)[0]
    points, found = at_quads(surface, made.base_colour_srgb)
    below = (points[:, 2] < 0.2) & (np.abs(facing(points)) > 0.6)
    assert found[below, 0].std() < 6 < 20 < found[(points[:, 2] > 0.4) & (facing(points) > 0.6), 0].std()


def test_clothes_whose_surface_is_drawn_take_the_photo_in_which_they_stand():
    """Two photos from the front; the second has four times as many pixels a metre, and its stripes lie between the others."""
    surface = surface_at(0, 0)
    surface = replace(surface, posed=(surface.posed[0], surface.posed[1] * np.float32(0.25)))

    def striped(shift):
        return lambda points: np.where(np.sin(120 * points[:, 2:] + shift) > 0, 200.0, 60.0) + np.zeros(3)

    first, second = (photo_of(surface, k, striped(shift)) for k, shift in enumerate((0, np.pi)))
    alike = []
    for drawn in (False, True):
        made = paint([surface], [replace(first, drawn=drawn), second], 512)[0]
        points, found = at_quads(surface, made.base_colour_srgb)
        front = facing(points) > 0.8
        alike.append(np.corrcoef(found[front, 0], striped(0)(points[front])[:, 0])[0, 1])
    assert alike[0] < 0 < 0.8 < alike[1]


@pytest.mark.parametrize("views", [0, 1])
def test_nothing_seen_is_plain(views):
    surface = surface_at(*[0] * views)
    unlike = [photo_of(surface, k, colours_of, label=OTHER) for k in range(views)]
    made = paint([surface], unlike, 128)[0]
    assert (made.base_colour_srgb == TONE).all() and not made.seen.any()


def test_a_surface_behind_the_camera_or_without_faces_is_plain():
    surface = surface_at(0)
    view = photo_of(surface, 0, colours_of)
    behind = replace(surface, posed=(surface.posed[0] * [1, 1, -1],))
    behind = replace(behind, posed=(behind.posed[0].astype(np.float32),))
    empty = replace(surface, quads=np.zeros((0, 4), np.int32), uvs=np.zeros((0, 4, 2), np.float32))
    nowhere = replace(surface, posed=(None,))
    for made in paint([behind, empty, nowhere], [view], 128):
        assert (made.base_colour_srgb == TONE).all() and not made.seen.any()


def test_too_small_a_texture_is_refused():
    with pytest.raises(SapiensError, match="too small"):
        paint([surface_at()], [], 8)


def eye_photo(radius: float) -> tuple[View, np.ndarray]:
    """A brown iris with a black pupil and a glint on white, and keypoints round it."""
    from sapiens2_avatar.core.common.landmarks import keypoint_index

    y, x = np.indices((60, 60))
    away = np.hypot(x - 30, y - 30) / radius
    image = np.where((away < 1)[..., None], [110, 70, 40], 240).astype(np.uint8)
    image[away < 0.4] = 10
    image[28:30, 32:35] = 255
    points = np.zeros((308, 3), np.float32)
    for name, (dx, dy) in {"center": (0, 0), "3": (1, 0), "6": (0, 1), "9": (-1, 0), "12": (0, -1)}.items():
        full = "l_center_of_iris" if name == "center" else f"l_border_of_iris_{name}"
        points[keypoint_index(full)] = (30 + radius * dx, 30 + radius * dy, 0.9)
    labels = np.full((60, 60), 3, np.uint8)
    return View(image, image, labels, Camera(60, 60, 60.0, 60.0, 30.0, 30.0), np.ones((60, 60), np.float32)), points


def test_the_iris_has_its_colour_where_it_is_large():
    view, points = eye_photo(10)
    tone = iris_tone(view, points)
    assert tone is not None and tone.tolist() == [110, 70, 40]
    assert iris_tone(*eye_photo(4)) is None
    assert iris_tone(view, None) is None
    assert iris_tone(view, np.full((308, 3), np.nan, np.float32)) is None
