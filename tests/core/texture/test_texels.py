"""Texels of a surface, and some of them."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="needs scipy")

from sapiens2_avatar.core.texture.texels import texels_of

QUADS = np.array([[0, 1, 2, 3]], np.int32)
UVS = np.array([[[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]], np.float32)


def test_values_at_some_texels_are_those_that_these_have_among_all():
    texels, rng = texels_of(QUADS, UVS, 64, 4), np.random.default_rng(0)
    values, at = rng.random((4, 3)), rng.permutation(len(texels.index))[:200]
    some = texels.some(at)
    assert (some.of(values) == texels.of(values)[at]).all()
    assert (some.index == texels.index[at]).all() and (some.inside == texels.inside[at]).all()


def test_around_a_texel_are_all_eight_that_touch_it_and_nothing_else():
    texels = texels_of(QUADS, UVS, 64, 4)
    middle = int(np.flatnonzero(texels.index == 32 * 64 + 30)[0])
    own = np.zeros(len(texels.index), bool)
    own[middle] = True
    y, x = np.divmod(texels.index[texels.around(own)], 64)
    assert sorted(zip(y.tolist(), x.tolist(), strict=True)) == [(b, a) for b in (31, 32, 33) for a in (29, 30, 31)]
    assert not len(texels.around(~own & own))
