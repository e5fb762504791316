"""Irises that are round in the texture of the template's body, whatever corners its eyeballs have."""

import numpy as np
import pytest

from sapiens2_avatar.core.body.character import eye_directions
from sapiens2_avatar.core.body.template import PARTS, template
from sapiens2_avatar.core.common.spaces import pixel_from_uv
from sapiens2_avatar.core.texture.eyes import IRIS, PUPIL, paint_eyes
from sapiens2_avatar.core.texture.texels import texels_of

SIDE = 1024
SKIN = np.array([7, 99, 201], np.uint8)
WHITE, BLUE, BLACK = (np.array(colour, np.uint8) for colour in ([230, 228, 222], [40, 90, 200], [10, 10, 10]))


@pytest.fixture(scope="module")
def eyes():
    """Quads, uvs, and the texture on which both eyes were painted."""
    t = template()
    mine = t.face_part == PARTS.index("eyes")
    quads, uvs = t.faces[mine], t.uvs[t.face_uvs[mine]]
    painted = paint_eyes(np.tile(SKIN, (SIDE, SIDE, 1)), quads, uvs, eye_directions(), WHITE, BLUE, BLACK)
    return quads, uvs, painted


def test_both_irises_are_round_and_of_their_colour(eyes):
    quads, uvs, painted = eyes
    texels = texels_of(quads, uvs, SIDE, 0)
    out_of = texels.of(eye_directions())
    angle = np.degrees(np.arctan2(np.hypot(out_of[:, 0], out_of[:, 1]), out_of[:, 2]))
    colour = painted.reshape(-1, 3)[texels.index].astype(int)
    left = texels.of(template().base[:, :1] > 0)[:, 0] > 0.5
    for side in (left, ~left):
        ring, white = side & (angle > PUPIL + 2) & (angle < IRIS - 2), side & (angle > IRIS + 2) & (angle < IRIS + 8)
        # Round: every direction from the pupil finds blue before the rim and white behind it.
        turn = (np.degrees(np.arctan2(out_of[:, 1], out_of[:, 0])) // 10).astype(int)
        assert len(np.unique(turn[ring])) == len(np.unique(turn[white])) == 36
        assert (colour[ring][:, 2] > 1.8 * colour[ring][:, 0]).all() and (colour[white].min(axis=1) > 200).all()
        assert np.abs(colour[ring].mean(axis=0) - BLUE).max() < 20
        assert colour[side & (angle < PUPIL - 2)].max() <= 12
        assert np.count_nonzero(ring) > 200, "an iris has enough texels to be looked at from near"


def test_nothing_but_the_eyes_is_painted(eyes):
    _, uvs, painted = eyes
    near = np.zeros((SIDE, SIDE), bool)
    x, y = pixel_from_uv(uvs.reshape(-1, 2), SIDE, SIDE).round().astype(int).T
    near[y.clip(0, SIDE - 1), x.clip(0, SIDE - 1)] = True
    changed = (painted != SKIN).any(axis=-1)
    low, high = np.argwhere(near).min(axis=0) - 6, np.argwhere(near).max(axis=0) + 6
    rows, columns = np.nonzero(changed)
    assert changed.any() and rows.min() >= low[0] and rows.max() <= high[0]
    assert columns.min() >= low[1] and columns.max() <= high[1]
    rest = texels_of(template().skin_faces(), template().uvs[template().face_uvs[template().face_part == 0]], SIDE, 0)
    assert not changed.reshape(-1)[rest.index].any(), "eyes have room of their own"
