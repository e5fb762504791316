"""Where a garment goes on beyond what photos show of it."""

import numpy as np
import pytest

from sapiens2_avatar.core.body.evaluate import vertex_normals
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.landmarks import part_labels, part_names
from sapiens2_avatar.core.garments.hang import hip_height
from sapiens2_avatar.core.garments.labels import fields, supposed_trousers
from sapiens2_avatar.core.garments.suit import FOOT, LEG, TRUNK, Layer, suit

SKIN, CLOTH = (part_labels(name)[0] for name in ("Face_Neck", "Upper_Clothing"))


@pytest.mark.parametrize(("shown", "least", "most"), [(SKIN, 0.0, 0.2), (CLOTH, 1.0, 1.0)])
def test_cloth_climbs_the_neck_behind_only_where_it_does_in_front(shown, least, most):
    base = suit()
    rest = base.subdivide @ template().base
    layer = Layer(rest, base.quads, base.bones, base.weights, base.subdivide)
    back = vertex_normals(rest, base.quads)[:, 1]
    neck = np.isin(base.labels, SKIN)
    front = back < -0.12
    seen = neck & front & (rest[:, 2] > np.median(rest[neck, 2]) if shown == SKIN else True)  # hair hides skin beside it
    votes = np.zeros((len(rest), len(part_names())))
    votes[front & ~neck, CLOTH] = 1
    votes[seen, shown] = 1
    found = fields(layer, base, votes, np.ones(len(rest), bool), ["upper"], {})["upper"]
    behind = neck & (back > 0.3)
    assert least <= (found[behind] > 0).mean() <= most


def test_trousers_that_leave_the_photo_at_the_thigh_reach_the_ankle():
    base = suit()
    rest = base.subdivide @ template().base
    layer = Layer(rest, base.quads, base.bones, base.weights, base.subdivide)
    places = {
        name: np.isin(base.labels, part_labels(*(f"{side}_{name}" for side in ("Left", "Right"))))
        for name in ("Upper_Leg", "Lower_Leg", "Foot")
    }
    framed = rest[:, 2] > np.median(rest[places["Upper_Leg"], 2])
    votes = np.zeros((len(rest), len(part_names())))
    front = vertex_normals(rest, base.quads)[:, 1] < -0.12
    votes[framed & front & places["Upper_Leg"], part_labels("Lower_Clothing")[0]] = 1
    found = fields(layer, base, votes, framed, ["lower"], {})["lower"] > 0
    assert found[places["Lower_Leg"]].mean() > 0.98
    # The hem is straight: a plane parts what is above it from what is below, though the part of the body ends in stairs.
    for leg, foot in ((LEG, FOOT), (LEG + 1, FOOT + 1)):
        own = np.isin(base.region, (leg, foot))
        a, b = base.edges[own[base.edges].all(axis=1)].T
        hem = ((rest[a] + rest[b]) / 2)[found[a] != found[b]]
        across = np.linalg.svd(hem - hem.mean(axis=0))[2][2]
        away = (rest - hem.mean(axis=0)) @ across * np.sign(across[2])
        assert found[own & (away > 0.01)].all() and not found[own & (away < -0.01)].any()
        assert abs(hem[:, 2].mean() - rest[places["Foot"], 2].max()) < 0.03
    # Of legs that are in the photo, and bare, the trousers are short.
    shin = places["Lower_Leg"] & front
    votes[shin, part_labels("Left_Lower_Leg")[0]] = 1
    assert not fields(layer, base, votes, np.ones(len(rest), bool), ["lower"], {})["lower"][shin].max() > 0.2


def test_below_the_jacket_of_a_half_figure_trousers_are_supposed_and_never_where_legs_are_seen():
    base = suit()
    rest = base.subdivide @ template().base
    layer = Layer(rest, base.quads, base.bones, base.weights, base.subdivide)
    start = hip_height(layer, base)
    front = vertex_normals(rest, base.quads)[:, 1] < -0.12
    votes = np.zeros((len(rest), len(part_names())))
    votes[front & (rest[:, 2] > start - 0.05), CLOTH] = 1  # a jacket that reaches over the hips
    shins, thighs, feet = (
        np.isin(base.labels, part_labels(f"Left_{part}", f"Right_{part}")) for part in ("Lower_Leg", "Upper_Leg", "Foot")
    )
    found = supposed_trousers(layer, base, votes, ["upper"], start)
    assert found[shins].mean() > 0.9 and not found[feet].any() and not found[rest[:, 2] > start].any()
    assert not found[votes.any(axis=1)].any()
    assert not supposed_trousers(layer, base, votes, ["lower", "upper"], start).any()
    assert not supposed_trousers(layer, base, votes, ["shoes"], start).any()
    for part, shown in ((thighs, "Left_Upper_Leg"), (shins, "Upper_Clothing")):  # shorts or bare, a long coat
        seen = votes.copy()
        seen[front & part, part_labels(shown)[0]] = 1
        assert not supposed_trousers(layer, base, seen, ["upper"], start).any()


def test_a_jacket_with_a_cutaway_front_is_level_behind():
    """In front it opens downwards between the legs, where the trousers are seen."""
    base = suit()
    rest = base.subdivide @ template().base
    layer = Layer(rest, base.quads, base.bones, base.weights, base.subdivide)
    back = vertex_normals(rest, base.quads)[:, 1]
    hem = hip_height(layer, base) - 0.1
    jacket = rest[:, 2] > hem + np.maximum(0.15 - 2 * np.abs(rest[:, 0]), 0)
    votes = np.zeros((len(rest), len(part_names())))
    trunk = np.isin(base.region, (TRUNK, LEG, LEG + 1)) & (back < -0.12)
    votes[trunk, np.where(jacket, CLOTH, part_labels("Lower_Clothing")[0])[trunk]] = 1
    seen = np.ones(len(rest), bool)
    behind = np.isin(base.region, (TRUNK, LEG, LEG + 1)) & (back > 0.5)
    above, below = behind & (rest[:, 2] > hem + 0.02) & (rest[:, 2] < hem + 0.08), behind & (rest[:, 2] < hem - 0.02)
    bulged, level = (fields(layer, base, votes, seen, ["lower", "upper"], hems)["upper"] > 0 for hems in ({}, {"upper": hem}))
    assert level[above].mean() > 0.95 and not level[below].any()
    assert bulged[above].mean() < 0.9  # what it would be otherwise
