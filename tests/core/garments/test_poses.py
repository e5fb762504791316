"""Clothes in poses that the photo does not show: nothing comes through them, and they stay with the limbs that they cover."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from sapiens2_avatar.core.body.character import make_body
from sapiens2_avatar.core.body.rest import in_photo
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.landmarks import part_labels
from sapiens2_avatar.core.garments.clothes import make_clothes
from support.dressed import dressed
from support.posing import POSES, maps, poking, reposed

THIGHS = part_labels("Left_Upper_Leg", "Right_Upper_Leg")


def relabelled(sighting, **classes):
    """The sighting with classes of its parts taken for others."""
    seg = sighting.predictions.seg.copy()
    for old, new in classes.items():
        seg[np.isin(seg, part_labels(old))] = part_labels(new)[0]
    return replace(sighting, predictions=replace(sighting.predictions, seg=seg))


def wear(sighting, fit):
    """The body in the photo, what is covered of it, its clothes, and its rig at rest."""
    _, rig = make_body(fit, np.eye(4))
    body, posed = in_photo(*make_body(fit, np.eye(4)))
    garments, covered = make_clothes([(sighting, fit)], body, posed)
    return body, covered, garments, rig


@pytest.fixture(scope="module")
def suited():
    return wear(*dressed())


@pytest.fixture(scope="module")
def coated():
    """Somebody in a coat down to the knees over trousers."""
    sighting, fit = dressed(skirt=True)
    coat = relabelled(sighting, Lower_Clothing="Upper_Clothing")
    return wear(relabelled(coat, Left_Lower_Leg="Lower_Clothing"), fit)


def test_nothing_comes_through(suited, coated):
    for body, covered, garments, rig in (suited, coated):
        found = poking(body, covered, garments, rig)
        assert set(found) == {"photo", *POSES}
        for pose in found:
            assert sum(count for pair, count in found[pose].items() if pair.startswith("skin")) <= 2, pose
            assert sum(found[pose].values()) < 40, pose


def test_what_comes_through_is_counted(suited):
    body, covered, garments, rig = suited
    stiff = tuple(replace(g, weights=replace(g.weights, bones=np.zeros_like(g.weights.bones))) for g in garments)
    found = poking(body, np.zeros_like(covered), stiff, rig)
    assert sum(found["squat"].values()) > 500


def test_a_coat_is_one_piece_round_both_legs(coated):
    body, _, garments, _ = coated
    kinds = {g.kind: g for g in garments}
    assert set(kinds) == {"shoes", "lower", "upper"}
    middle = np.median(body.vertices[:, 0])
    crotch = body.vertices[np.abs(body.vertices[:, 0] - middle) < 0.01, 1].max()  # y is down
    coat = kinds["upper"].vertices
    assert coat[np.abs(coat[:, 0] - middle) < 0.02, 1].max() > crotch + 0.1


def test_a_coat_stays_with_the_legs(coated):
    """Where it lies on a thigh in the photo, it does so with the knees up."""
    body, _, garments, rig = coated
    coat = next(g for g in garments if g.kind == "upper")
    outside = np.unique(coat.quads[~coat.inside])
    thigh = np.flatnonzero(np.isin(template().labels[: len(body.vertices)], THIGHS))
    distance, nearest = cKDTree(body.vertices[thigh]).query(coat.vertices[outside])
    on_it = distance < 0.035
    assert on_it.sum() > 300
    before = rig.photo_from_rest.astype(float)
    for pose in ("squat", "high knee"):
        after = maps(rig, POSES[pose])
        skin, cloth = (reposed(of.vertices, of.weights, before, after) for of in (body, coat))
        gap = np.linalg.norm(cloth[outside][on_it] - skin[thigh][nearest[on_it]], axis=1)
        assert np.percentile(gap, 90) < 0.07
