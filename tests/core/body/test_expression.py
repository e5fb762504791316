"""Values of the ARKit shapes from the points of a face."""

from __future__ import annotations

import numpy as np
import pytest

from sapiens2_avatar.core.body.evaluate import Shape, rest_points
from sapiens2_avatar.core.body.expression import arkit_values
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.retarget.head_motion import face_moves

NAMES = template().unit_names


def seen(turned: bool = False, noise: float = 0.0, **values: float) -> np.ndarray:
    """(2, 308, 3) keypoints of somebody who is calm, and then makes a face; the head may turn between."""
    rng = np.random.default_rng(0)
    shape = Shape(head=rng.normal(0, 0.7, 40))
    face = np.zeros(len(NAMES))
    for name, value in values.items():
        face[NAMES.index(name)] = value
    both = np.array([template().keypoints.of(rest_points(shape, f).astype(float)) for f in (0 * face, face)])
    both += rng.normal(0, noise, both.shape)
    if turned:
        both[1] = both[1] @ rotation_from_vector(np.array([0.2, 0.4, -0.7])).T + [1.0, 2.0, 0.3]
    return both


def found(surface: np.ndarray) -> dict[str, float]:
    """The values of the second frame, the first being calm."""
    values = arkit_values(face_moves(surface, np.array([0])))
    assert np.abs(values[0]).max() == 0.0
    return dict(zip(NAMES, values[1].tolist(), strict=True))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "face",
    [
        {"jawOpen": 0.7},
        {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8},
        {"eyeBlinkLeft": 1.0},
        {"jawOpen": 0.4, "eyeBlinkLeft": 0.9, "eyeBlinkRight": 0.9},
    ],
)
def test_a_face_is_known_by_its_points(face, turned):
    """Whoever's it is, wherever the head is; what leans to a calm face loses up to a third, and nothing else moves much."""
    values = found(seen(turned, **face))
    for name, value in face.items():
        assert 0.65 * value < values.pop(name) < 1.1 * value, name
    assert max(values.values()) < 0.15


def test_nothing_is_made_of_noise():
    """The noise of a face that is forty pixels tall leaves it calm; a mouth that is wide open shows all the same."""
    assert max(found(seen(noise=0.005)).values()) < 0.25
    assert found(seen(noise=0.005, jawOpen=0.9))["jawOpen"] > 0.4


def test_points_that_nobody_saw_do_not_move():
    surface = seen(jawOpen=0.7)
    surface[1] = np.nan
    assert max(found(surface).values()) == 0.0
