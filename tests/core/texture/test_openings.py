"""A shirt's neck shows its dark inside at both sides: that is no colour of the outside. Borders, stripes and prints are."""

import numpy as np
import pytest

from sapiens2_avatar.core.texture.openings import shadowed_inside

SCALE = 400.0  # pixels a metre


def shirt(paint):
    """A shirt with a round neck out of which a neck comes; paint(colour, inside (H, W) bool) puts something on it."""
    y, x = np.indices((240, 240))
    neck = np.hypot(x - 120, y - 20) < 30
    own = (y > 18) & ~neck
    colour = np.where(own[..., None], np.uint8([210, 120, 90]), np.uint8([200, 160, 140]))
    paint(colour, own, np.hypot(x - 120, y - 20) - 30, x, y)
    return colour, own, neck


def wedges(colour, own, away, x, y):
    colour[own & (away < 5) & (y < 32)] = (50, 20, 15)


def trim(colour, own, away, x, y):
    colour[own & (away < 5)] = (50, 20, 15)


def stripes(colour, own, away, x, y):
    colour[own & (x // 8 % 2 == 0)] = (50, 20, 15)


def print_on_it(colour, own, away, x, y):
    colour[own & (np.hypot(x - 120, y - 140) < 9)] = (50, 20, 15)


def dark_all_over(colour, own, away, x, y):
    colour[own] = (50, 20, 15)


def test_the_dark_at_both_sides_of_a_neck_is_the_inside():
    colour, own, skin = shirt(wedges)
    dark = own & (colour[..., 0] == 50)
    assert dark.sum() > 50
    found = shadowed_inside(colour, own, skin, SCALE)
    assert found[dark].all()
    assert found.sum() < 3 * dark.sum()


@pytest.mark.parametrize("paint", [trim, stripes, print_on_it, dark_all_over])
def test_what_is_made_dark_stays(paint):
    assert not shadowed_inside(*shirt(paint), SCALE).any()


def test_cloth_without_skin_beside_it_has_no_inside():
    colour, own, skin = shirt(wedges)
    assert not shadowed_inside(colour, own, np.zeros_like(skin), SCALE).any()
    assert not shadowed_inside(colour, np.zeros_like(own), skin, SCALE).any()
