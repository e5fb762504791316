"""Hair over a skull that is a ball: another ball, as much larger as its outline."""

import numpy as np
import pytest

from sapiens2_avatar.core.builtin.hair_dome import FORWARD, hair_dome
from sapiens2_avatar.core.common.landmarks import part_labels

SIDE, MIDDLE, RADIUS, AWAY = 160, (80, 80), 40.0, 2.0
METRES = 0.1 / RADIUS  # of a cell: a skull of ten centimetres
FACE = part_labels("Face_Neck")[0]


def head(scale: float, hairline: int):
    """A ball with hair `scale` times as large, which begins `hairline` cells over its middle. The arguments of `hair_dome`."""
    y, x = np.mgrid[:SIDE, :SIDE]
    right, down = (x - MIDDLE[1]) / RADIUS, (y - MIDDLE[0]) / RADIUS
    away = np.hypot(right, down)
    on, hair = away <= 1, (away <= scale) & (y < MIDDLE[0] - hairline)
    front = np.sqrt(np.clip(1 - away**2, 0, 1))
    normals = np.stack([right, down, -front], axis=-1).astype(np.float32)
    points = np.zeros((SIDE, SIDE, 3), np.float32)
    points[..., 2] = AWAY - front * RADIUS * METRES
    return on | hair, on, np.where(on, FACE, 0).astype(np.uint8), hair, points, normals


@pytest.mark.parametrize("scale", [1.1, 1.3])
def test_hair_rises_from_the_hairline_as_the_skull_would_if_it_were_larger(scale):
    inside, on, part, hair, points, normals = head(scale, 20)
    dome = hair_dome(inside, on, part, hair, points, normals)
    assert dome is not None
    sure = dome.share > 0.99
    assert sure.sum() > 500 and (sure <= hair).all()
    y, x = np.mgrid[:SIDE, :SIDE]
    away = np.hypot(x - MIDDLE[1], y - MIDDLE[0]) / (RADIUS * scale)
    front = np.sqrt(np.clip(1 - away**2, 0, 1))
    wanted = AWAY - (1 + FORWARD * (scale - 1)) * front * RADIUS * METRES
    inner = sure & (away < 0.8)
    assert np.abs(dome.depth - wanted)[inner].max() < 0.012  # an eighth of the skull, near the outline where it is steep
    assert np.abs(dome.depth - wanted)[inner].mean() < 0.004
    # No cone: half way from the hairline to the outline it has risen by far less than half of the way back.
    column = np.flatnonzero(sure[:, MIDDLE[1]])
    depth = dome.depth[column, MIDDLE[1]]
    assert depth[len(depth) // 2] - depth[-1] < 0.4 * (depth[0] - depth[-1])
    assert (dome.normal[sure][:, 2] < 0).all()
    np.testing.assert_allclose(np.linalg.norm(dome.normal[sure], axis=-1), 1, atol=1e-3)


def test_hair_begins_on_the_skin():
    inside, on, part, hair, points, normals = head(1.2, 20)
    dome = hair_dome(inside, on, part, hair, points, normals)
    assert dome is not None
    lowest = np.flatnonzero(hair[:, MIDDLE[1]])[-1]
    share = dome.share[: lowest + 1, MIDDLE[1]][::-1]
    assert share[0] < 0.3 and (np.diff(share[:8]) >= 0).all() and share[8] > 0.9


def test_hair_that_hangs_and_heads_without_hair_have_no_dome():
    inside, on, part, hair, points, normals = head(1.2, 20)
    assert hair_dome(inside, on, part, np.zeros_like(hair), points, normals) is None
    assert hair_dome(inside, np.zeros_like(on), part, hair, points, normals) is None
    below = np.roll(hair[::-1], 1, axis=0)
    dome = hair_dome(inside | below, on, part, below, points, normals)
    assert dome is None or not dome.share[MIDDLE[0] + 30 :].any()
