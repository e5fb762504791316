"""Guided upsampling: coarse maps follow the edges of the photo, and what lies outside the person does not bleed in."""

import cv2
import numpy as np
import pytest

from sapiens2_avatar.infer.guided_upsampling import guided_colour, guided_depth, guided_seg

SIZE, CELLS = (480, 360), (120, 90)


@pytest.fixture(scope="module")
def disc():
    """A photo of a striped disc on a noisy wall, the truth, and logits of a network that saw it blurred and 2 cells too low."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    truth = (x - 180) ** 2 + (y - 240) ** 2 < 110**2
    rng = np.random.default_rng(5)
    stripes = np.where((y // 24 % 2)[..., None] == 0, [190, 70, 60], [220, 120, 90])
    photo = np.where(truth[..., None], stripes, [90, 110, 120]) + rng.normal(0, 6, (*SIZE, 3))
    seen = cv2.GaussianBlur(np.roll(truth, 8, axis=0).astype(np.float32), (0, 0), 10)
    foreground = cv2.resize(seen, CELLS[::-1], interpolation=cv2.INTER_AREA).clip(0.01, 0.99)
    logits = np.full((29, *CELLS), -9, np.float32)
    logits[0], logits[22] = np.log(1 - foreground), np.log(foreground)
    return photo.clip(0, 255).astype(np.uint8), truth, logits


def overlap(mask, truth):
    return (mask & truth).sum() / (mask | truth).sum()


def test_parts_end_where_the_photo_has_its_edge(disc):
    photo, truth, logits = disc
    labels, opacity = guided_seg(logits, photo)
    plain = cv2.resize(logits[22] - logits[0], SIZE[::-1], interpolation=cv2.INTER_LINEAR) > 0
    assert overlap(plain, truth) < 0.93
    assert overlap(labels > 0, truth) > 0.985
    assert set(np.unique(labels)) == {0, 22}
    # Opaque on the disc, clear on the wall, with little in between.
    assert np.mean((opacity > 10) & (opacity < 245)) < 0.03
    assert opacity.dtype == labels.dtype == np.uint8


def test_a_hole_in_the_colours_is_no_hole_in_the_person(disc):
    photo, _, logits = disc
    photo = photo.copy()
    photo[228:252, 168:192] = [90, 110, 120]  # a button in the colour of the wall
    labels, opacity = guided_seg(logits, photo)
    assert (labels[228:252, 168:192] > 0).all()
    assert opacity[240, 180] == 255
    # Near the border, where the network is not sure: a speck is filled, what is as large as a limb is not.
    photo[160:172, 170:182] = [90, 110, 120]
    labels, _ = guided_seg(logits, photo)
    assert (labels[150:180, 160:190] > 0).all()


def test_a_photo_without_edges_keeps_the_coarse_border(disc):
    """Nothing to follow: the border stays where the network saw it, to the blur of two windows, and nothing is made up."""
    _, _, logits = disc
    labels, _ = guided_seg(logits, np.full((*SIZE, 3), 128, np.uint8))
    plain = cv2.resize(logits[22] - logits[0], SIZE[::-1], interpolation=cv2.INTER_LINEAR) > 0
    reach = cv2.dilate(plain.astype(np.uint8), np.ones((17, 17))) > 0
    assert not (labels[~reach] > 0).any()
    assert labels[240, 180] == 22


def test_colour_from_outside_the_person_does_not_bleed_in(disc):
    photo, truth, _ = disc
    inside = cv2.resize(truth.astype(np.float32), CELLS[::-1], interpolation=cv2.INTER_AREA) > 0.5
    colours = np.where(inside, np.float32(0.5), np.float32(0))[None].repeat(3, 0)
    colours[0, ~inside] = 1.0  # what a head says of a wall that it was never asked about
    fine = guided_colour(colours, inside, photo)
    assert fine.shape == (3, *SIZE)
    np.testing.assert_allclose(fine[:, truth], 0.5, atol=0.01)


def test_depth_loses_its_grain_and_not_its_shape(disc):
    photo, truth, _ = disc
    inside = cv2.resize(truth.astype(np.float32), CELLS[::-1], interpolation=cv2.INTER_AREA) > 0.5
    y, x = np.mgrid[: CELLS[0], : CELLS[1]]
    exact = 2 + 0.002 * x + 0.001 * y  # a slanted wall
    noisy = exact + np.random.default_rng(1).normal(0, 0.01, CELLS)
    fine = guided_depth(np.where(inside, noisy, 9), inside, photo)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    well_inside = cv2.erode(truth.astype(np.uint8), np.ones((41, 41))) > 0
    error = fine - (2 + 0.002 * ((x + 0.5) / 4 - 0.5) + 0.001 * ((y + 0.5) / 4 - 0.5))
    assert np.abs(error[well_inside]).mean() < 0.003
    assert np.abs(error[truth]).max() < 0.03


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (65, 64)])
def test_any_size_of_photo_and_map(size):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    logits = rng.normal(size=(29, max(size[0] // 4, 1), max(size[1] // 4, 1))).astype(np.float32)
    labels, opacity = guided_seg(logits, photo)
    assert labels.shape == opacity.shape == size
    colours = guided_colour(rng.random((3, *logits.shape[1:])), np.zeros(logits.shape[1:], bool), photo)
    assert colours.shape == (3, *size)
    assert np.isfinite(colours).all()
