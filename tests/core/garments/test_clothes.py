"""Clothes on a body that was drawn: what is painted on its maps must come back as garments."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from sapiens2_avatar.core.body.character import make_body
from sapiens2_avatar.core.body.evaluate import vertex_normals
from sapiens2_avatar.core.body.rest import in_photo
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.landmarks import part_labels
from sapiens2_avatar.core.garments.clothes import make_clothes
from sapiens2_avatar.core.texture.rasterise import rasterise
from support.dressed import LOWER, OUT, UPPER, dressed


@pytest.fixture(scope="module")
def worn():
    sighting, fit = dressed()
    body, rig = in_photo(*make_body(fit, np.eye(4)))
    garments, covered = make_clothes([(sighting, fit)], body, rig)
    return {g.kind: g for g in garments}, covered, body, rig, fit


def test_each_kind_that_is_seen_is_made(worn):
    garments, covered, body, rig, _ = worn
    assert set(garments) == {"upper", "lower", "shoes"}
    assert 2000 < covered.sum() < len(body.vertices)
    for garment in garments.values():
        assert np.isfinite(garment.vertices).all()
        np.testing.assert_allclose(garment.weights.weights.sum(axis=1), 1, atol=1e-5)
        assert garment.weights.bones.max() < len(rig.names)
        np.testing.assert_allclose(garment.tone, [30, 90, 160], atol=2)


def test_they_stand_as_far_off_as_seen(worn):
    """The drawn cloth is 15 mm out: on trunk and thighs it is found there in front, and guessed to be near there behind."""
    garments, _, body, _, _ = worn
    skin = cKDTree(body.vertices)
    for kind, part in (("upper", "Torso"), ("lower", "Left_Upper_Leg")):
        garment = garments[kind]
        outside = np.unique(garment.quads[~garment.inside])
        distance, nearest = skin.query(garment.vertices[outside])
        own = template().labels[nearest] == part_labels(part)[0]
        normal = vertex_normals(garment.vertices, garment.quads)[outside]
        front = own & (normal[:, 2] < -0.7)
        assert abs(np.median(distance[front]) - OUT) < 0.004
        assert 0.004 < np.median(distance[own & (normal[:, 2] > 0.7)]) < 0.03


def test_a_sleeve_goes_all_round(worn):
    """Seen from every side, the garments hide the trunk, the arms and the legs."""
    _, covered, body, _, _ = worn
    limbs = np.isin(template().labels[: len(body.vertices)], np.concatenate([UPPER, LOWER]))
    limbs &= np.isin(np.arange(len(body.vertices)), template().skin_vertices())
    assert covered[limbs].mean() > 0.8
    head = template().base[: len(body.vertices), 2] > 0.64
    assert not covered[head | np.isin(template().labels[: len(body.vertices)], part_labels("Left_Hand"))].any()


def test_coordinates_do_not_overlap(worn):
    for garment in worn[0].values():
        assert garment.uvs.min() >= 0
        assert garment.uvs.max() <= 1
        middle = garment.uvs.mean(axis=1, keepdims=True)
        shrunk = ((garment.uvs - middle) * 0.95 + middle) * 1023
        halves = shrunk[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 2)
        last, _ = rasterise(halves, 1024, 1024)
        first, _ = rasterise(halves[::-1], 1024, 1024)
        shown = last >= 0
        twice = shown & ((len(halves) - 1 - first) // 2 != last // 2)
        assert twice.sum() < 0.002 * shown.sum()


def test_nothing_seen_nothing_worn():
    sighting, fit = dressed()
    body, rig = in_photo(*make_body(fit, np.eye(4)))
    shirt = np.isin(sighting.predictions.seg, part_labels("Upper_Clothing"))
    naked = np.where(shirt, part_labels("Torso"), 0).astype(np.uint8)
    for seg in (None, np.zeros_like(naked), naked):
        blind = replace(sighting, predictions=replace(sighting.predictions, seg=seg))
        garments, covered = make_clothes([(blind, fit)], body, rig)
        assert garments == ()
        assert not covered.any()


def test_maps_without_depth_still_dress():
    sighting, fit = dressed()
    body, rig = in_photo(*make_body(fit, np.eye(4)))
    empty = np.full_like(sighting.predictions.pointmap, np.nan)
    for pointmap in (None, empty):
        bare = replace(sighting, predictions=replace(sighting.predictions, pointmap=pointmap))
        garments, _ = make_clothes([(bare, fit)], body, rig)
        assert {g.kind for g in garments} == {"upper", "lower", "shoes"}
        assert all(np.isfinite(g.vertices).all() for g in garments)


def test_the_outline_of_a_sleeve_is_not_that_of_the_chest_before_it():
    """The front of an armpit is edge-on in the image, but before the sleeve: nothing says how far off it the cloth is there."""
    sighting, fit = dressed(yaw=0.3, bent={"upper_arm.L": (0.0, 0.2, -0.3)})
    body, rig = in_photo(*make_body(fit, np.eye(4)))
    garments, _ = make_clothes([(sighting, fit)], body, rig)
    upper = next(garment for garment in garments if garment.kind == "upper")
    chest = np.isin(template().labels[: len(body.vertices)], part_labels("Torso", "Left_Upper_Arm"))
    distance, nearest = cKDTree(body.vertices).query(upper.vertices)
    assert distance[chest[nearest]].max() < 0.04


def test_a_skirt_hangs_round_both_legs():
    sighting, fit = dressed(skirt=True)
    body, rig = in_photo(*make_body(fit, np.eye(4)))
    garments, covered = make_clothes([(sighting, fit)], body, rig)
    skirt = next(g for g in garments if g.kind == "lower")
    middle = np.median(body.vertices[:, 0])
    crotch = body.vertices[np.abs(body.vertices[:, 0] - middle) < 0.01, 1].max()  # y is down
    between = np.abs(skirt.vertices[:, 0] - middle) < 0.02
    assert skirt.vertices[between, 1].max() > crotch + 0.1  # cloth where the body has none
    shins = template().labels[: len(body.vertices)] == part_labels("Left_Lower_Leg")[0]
    assert skirt.vertices[:, 1].max() < np.median(body.vertices[shins, 1])
    assert skirt.inside.mean() > 0.2
    legs = np.isin(template().labels[: len(body.vertices)], part_labels("Left_Upper_Leg", "Right_Upper_Leg"))
    assert covered[legs].any()
    hem = np.sort(skirt.vertices[np.unique(skirt.quads[~skirt.inside]), 1])[-40:].mean()
    assert body.vertices[legs & covered, 1].max() < hem - 0.01  # nobody looks past the hem into the body


def test_a_half_figure_in_a_jacket_wears_plain_trousers():
    """The photo ends at the hips; a few stray pixels there are called trousers."""
    sighting, fit = dressed()
    seg = sighting.predictions.seg.copy()
    trousers = part_labels("Lower_Clothing")[0]
    rows = np.flatnonzero((seg == trousers).any(axis=1))
    seg[rows[0] :] = 0
    seg[rows[0] - 2, np.flatnonzero(seg[rows[0] - 2])[:3]] = trousers
    cut = replace(sighting, predictions=replace(sighting.predictions, seg=seg))
    body, rig = in_photo(*make_body(fit, np.eye(4)))
    garments, covered = make_clothes([(cut, fit)], body, rig)
    found = {garment.kind: garment for garment in garments}["lower"]
    assert not len(found.labels) and np.ptp(found.tone) == 0
    legs = np.isin(template().labels[: len(covered)], part_labels("Left_Lower_Leg", "Right_Lower_Leg"))
    assert covered[legs].mean() > 0.7
