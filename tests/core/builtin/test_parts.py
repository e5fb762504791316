"""Kinds of surface by colour and place."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.builtin.body_regions import Regions
from sapiens2_avatar.core.builtin.colours import bins_of, lab, log_likelihood
from sapiens2_avatar.core.builtin.parts import (
    HAIR,
    LOWER,
    SKIN,
    UNSURE,
    UPPER,
    _counts,
    _expected,
    _is_bald,
    _kinds,
    _like_the_face,
    _stray_hair,
    _with_socks,
    _without_specks,
)
from sapiens2_avatar.core.common.landmarks import part_labels


@pytest.fixture
def colours() -> np.ndarray:
    """(300,) bins of a hundred pixels each of skin, of brown hair and of a blue shirt, with noise."""
    rng = np.random.default_rng(0)
    means = np.repeat([[200, 150, 120], [60, 40, 30], [30, 60, 160]], 100, axis=0)
    return bins_of(lab(np.clip(means + rng.normal(0, 6, means.shape), 0, 255).astype(np.uint8)[None])[0])


def test_a_colour_is_likely_where_it_was_counted(colours):
    weights = np.zeros((300, 3))
    weights[np.arange(300), np.repeat(np.arange(3), 100)] = 1
    likely = log_likelihood(colours, weights)
    assert (likely.argmax(axis=1) == np.repeat(np.arange(3), 100)).all()


def test_colour_decides_where_the_place_does_not(colours):
    """A forearm of which half is in a sleeve: the place says either, face and trunk say what skin and shirt look like."""
    expected = np.zeros((300, 5), np.float32)
    expected[:50, SKIN], expected[100:200, HAIR], expected[200:250, UPPER] = 5, 5, 5
    expected[50:100, [HAIR, 3, 4]] = expected[250:, [HAIR, 3, 4]] = -9
    shares = _kinds(colours, expected, np.ones((300, 5), np.float32), np.ones((3, 100), bool))
    assert (shares[50:100].argmax(axis=1) == SKIN).all()
    assert (shares[250:].argmax(axis=1) == UPPER).all()


def test_the_place_decides_where_colours_are_the_same():
    expected = np.zeros((100, 5), np.float32)
    expected[:50, SKIN], expected[50:, UPPER] = 2, 2
    shares = _kinds(np.full(100, 7), expected, np.ones((100, 5), np.float32), np.ones((10, 10), bool))
    assert (shares[:50].argmax(axis=1) == SKIN).all() and (shares[50:].argmax(axis=1) == UPPER).all()


def test_a_sleeve_is_no_skin_although_skin_is_expected_there(colours):
    """Forearms in the shirt's colour are as many pixels as the face: what the face looks like counts."""
    expected = np.full((300, 5), -9, np.float32)
    expected[:100, SKIN], expected[100:200, HAIR] = 0, 0
    expected[200:220, UPPER], expected[200:220, SKIN] = 0, -3  # a little of the trunk is seen
    expected[220:, SKIN], expected[220:, UPPER] = 0, -0.4
    counts = np.ones((300, 5), np.float32)
    counts[100:, SKIN] = UNSURE
    shares = _kinds(colours, expected, counts, np.ones((3, 100), bool))
    assert (shares[220:].argmax(axis=1) == UPPER).all() and (shares[:100].argmax(axis=1) == SKIN).all()


@pytest.mark.parametrize(("legs", "kind"), [([200, 150, 120], SKIN), ([30, 60, 160], LOWER)])
def test_legs_below_a_hem_are_bare_only_in_the_colour_of_skin(legs, kind):
    """A hundred pixels each of face, shirt, hips and thighs, where trousers are likelier than skin."""
    rng = np.random.default_rng(1)
    means = np.repeat([[200, 150, 120], [170, 20, 40], [30, 60, 160], legs], 100, axis=0)
    bins = bins_of(lab(np.clip(means + rng.normal(0, 12, means.shape), 0, 255).astype(np.uint8)[None])[0])
    expected = np.full((400, 5), -9, np.float32)
    expected[:100, SKIN], expected[100:200, UPPER], expected[200:, LOWER] = 0, 0, 0
    expected[200:300, SKIN], expected[300:, SKIN] = -3, -0.8
    counts = np.ones((400, 5), np.float32)
    counts[200:, SKIN] = counts[300:, LOWER] = UNSURE
    found = _kinds(bins, expected, counts, np.ones((4, 100), bool)).argmax(axis=1)
    assert np.mean(found[:100] == SKIN) > 0.95 and np.mean(found[200:300] == LOWER) > 0.95
    assert np.mean(found[300:] == kind) > 0.9


def test_tanned_legs_have_the_hue_of_the_face_and_jeans_have_not():
    image = np.zeros((3, 30, 3), np.uint8)
    image[:] = np.array([[200, 150, 120], [140, 95, 70], [60, 90, 150]])[:, None]
    face = np.zeros((3, 30), bool)
    face[0] = True
    label = np.full((3, 30), part_labels("Left_Lower_Leg")[0], np.uint8)
    label[0] = part_labels("Face_Neck")[0]
    flat = np.zeros((3, 30), np.float32)
    likelier = _like_the_face(lab(image), Regions(label, flat, flat, face, face, flat, 40.0))
    assert (likelier[0] == 0).all() and (likelier[1] > 0.4).all() and (likelier[2] < -0.5).all()
    unseen = np.zeros((3, 30), bool)
    assert (_like_the_face(lab(image), Regions(label, flat, flat, unseen, unseen, flat, 40.0)) == 0).all()


@pytest.mark.parametrize(
    ("hair", "hangs", "bald"),
    [
        ([225, 175, 145], False, True),  # a scalp that shines
        ([225, 175, 145], True, False),  # hair of that colour
        ([140, 105, 84], False, False),  # brown hair has the hue of skin, and is darker
        ([190, 190, 190], False, False),
        ([235, 205, 130], False, False),  # blond
    ],
)
def test_a_scalp_is_no_hair(hair, hangs, bald):
    image = np.tile(np.uint8([200, 150, 120]), (40, 40, 1))
    above = np.zeros((40, 40), bool)
    above[:20] = True
    image[above] = hair
    label, flat = np.full((40, 40), part_labels("Face_Neck")[0], np.uint8), np.zeros((40, 40), np.float32)
    beyond = flat + (np.arange(40) < 16) if hangs else flat
    everywhere = np.ones((40, 40), bool)
    regions = Regions(label, flat, beyond.astype(np.float32), everywhere, ~above, flat, 40.0)
    assert _is_bald(lab(image), regions, above) == bald
    assert not _is_bald(lab(image), Regions(label, flat, flat, everywhere, np.zeros_like(above), flat, 40.0), above)
    assert not _is_bald(lab(image), regions, np.zeros_like(above))


def test_a_white_collar_below_white_hair_is_no_hair():
    hair, head = np.zeros((2, 40, 40), bool)
    head[:20] = hair[:10] = hair[18:24, :6] = hair[28:32] = True  # on the head, a lock beside the neck, a collar
    flat = np.zeros((40, 40), np.float32)
    regions = Regions(np.zeros((40, 40), np.uint8), flat, flat, head, head, flat, 40.0)
    stray = _stray_hair(regions, hair)
    assert stray[28:32].all() and stray.sum() == hair[28:32].sum()
    assert not _stray_hair(replace(regions, head=np.zeros_like(head)), hair).any()  # no head is seen: hair may be anywhere
    hair[18:30, 36:38] = True  # a strip beside the neck: background, or a shadow
    assert _stray_hair(regions, hair)[21:30, 36:38].all() and not _stray_hair(regions, hair)[:24, :6].any()


def test_collars_and_sleeves_over_necks_and_hands_are_not_what_skin_looks_like():
    """A face, then a neck and a hand of its hue, and both in the colour of a shirt."""
    image = np.zeros((5, 30, 3), np.uint8)
    skin, shirt = [200, 150, 120], [235, 238, 245]
    image[:] = np.array([skin, skin, skin, shirt, shirt])[:, None]
    label = np.empty((5, 30), np.uint8)
    label[[0, 1, 3]], label[[2, 4]] = part_labels("Face_Neck")[0], part_labels("Left_Hand")[0]
    face, flat = np.zeros((5, 30), bool), np.zeros((5, 30), np.float32)
    face[0] = True
    regions = Regions(label, flat, flat, face, face, flat, 40.0)
    alike = _like_the_face(lab(image), regions)
    assert (alike[0] == 0).all() and (alike[1:3] > 0.9).all() and (alike[3:] < -0.5).all()
    counted = _counts(regions, alike)[..., SKIN]
    assert (counted[[0, 2]] > 0.9).all() and (counted[4] < 0.5).all()
    nobody = replace(regions, head=np.zeros_like(face), face=np.zeros_like(face))
    assert (_counts(nobody, np.zeros((5, 30), np.float32))[[2, 4]][..., SKIN] == 1).all()


def test_specks_are_of_the_kind_around_them():
    kind = np.full((100, 60), LOWER, np.uint8)
    kind[60:] = SKIN
    whole = kind.copy()
    kind[80, 20] = LOWER
    kind[20, 59] = HAIR
    found = _without_specks(kind, np.ones(kind.shape, bool))
    assert np.array_equal(found, whole)
    assert np.array_equal(_without_specks(kind, np.zeros(kind.shape, bool)), kind)


def test_stripes_in_the_colour_of_the_trousers_are_the_shirt():
    """Every other column of the shirt has the trousers' colour, also where the place allows both."""
    rows, columns = np.mgrid[:60, :40]
    bins = np.where((rows < 30) & (columns % 4 < 2), 3000, 7).ravel()
    expected = np.full((2400, 5), -9, np.float32)
    height = rows.ravel()
    expected[:, UPPER], expected[:, LOWER] = np.where(height < 40, 0, -4), np.where(height > 15, 0, -4)
    found = _kinds(bins, expected, np.ones((2400, 5), np.float32), np.ones((60, 40), bool)).argmax(axis=1)
    assert (found[height < 27] == UPPER).all() and (found[height > 33] == LOWER).all()


def test_what_bare_legs_part_from_the_trousers_are_socks():
    lower, skin, sock = (part_labels(f"{name}")[0] for name in ("Lower_Clothing", "Left_Lower_Leg", "Left_Sock"))
    label = np.full((100, 30), skin, np.uint8)
    label[:40] = part_labels("Left_Upper_Leg")[0]
    classes = np.full((100, 30), lower, np.uint8)
    assert (_with_socks(classes, label) == lower).all()  # trousers down to the feet
    classes[60:80] = skin
    found = _with_socks(classes, label)
    assert (found[:60] == lower).all() and (found[60:80] == skin).all() and (found[80:] == sock).all()


@pytest.mark.parametrize("end", [-0.35, -0.2, 0.0, 0.3])
def test_a_shirt_ends_where_its_colour_does_over_the_hips_too(end):
    """From a face down to the ankles: a shirt in one colour, and trousers in another one from `end` on."""
    height = np.repeat(np.linspace(1.3, -1.2, 180, dtype=np.float32)[:, None], 20, axis=1)
    face, nowhere = height > 1, np.zeros(height.shape, np.float32)
    label = np.where(height > 0.02, part_labels("Torso")[0], part_labels("Left_Upper_Leg")[0]).astype(np.uint8)
    label[height < -0.6], label[face] = part_labels("Left_Lower_Leg")[0], part_labels("Face_Neck")[0]
    image = np.where(height[..., None] > end, np.uint8([235, 140, 110]), np.uint8([50, 65, 95])).astype(np.uint8)
    image[face] = [200, 150, 120]
    regions = Regions(label, height, nowhere, face, face, np.maximum(1 - height, 0), 20.0)
    solid, colours = np.ones(height.shape, bool), lab(image)
    alike = _like_the_face(colours, regions)
    shares = _kinds(bins_of(colours[solid]), _expected(regions)[solid], _counts(regions, alike)[solid], solid)
    upper = (shares.argmax(axis=1) == UPPER).reshape(height.shape)
    assert upper[(height > end + 0.07) & ~face].all() and not upper[height < end - 0.07].any()
