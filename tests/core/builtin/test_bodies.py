"""To whom the pixels belong that several people claim."""

from types import SimpleNamespace
from typing import cast

import numpy as np

from sapiens2_avatar.core.body.maps import BodyMaps
from sapiens2_avatar.core.builtin.bodies import FittedPerson, _apart
from sapiens2_avatar.core.builtin.body_regions import OVAL
from sapiens2_avatar.core.landmarks.people import PersonLandmarks

SHAPE = 60, 90


def person(opacity: float, body: slice, face: tuple[float, float] | None = None) -> FittedPerson:
    """Somebody whose mask covers the photo, with a body in some columns and a face of 20 pixels around a place."""
    on = np.zeros(SHAPE, bool)
    on[:, body] = True
    points = np.where(on[..., None], np.float32(3), np.float32(np.nan)).repeat(3, axis=2)
    maps = BodyMaps(points, points, np.where(on, 1, 0).astype(np.uint8), np.where(on, 5, -1).astype(np.int32))
    seen = None
    if face is not None:
        around, seen = np.linspace(0, 2 * np.pi, len(OVAL), endpoint=False), SimpleNamespace(points=np.zeros((468, 3)))
        seen.points[list(OVAL), :2] = np.column_stack([np.cos(around), np.sin(around)]) * 10 + face
    landmarks = cast("PersonLandmarks", SimpleNamespace(face=seen))
    keypoints, box = np.zeros((308, 3), np.float32), np.array([0, 0, 89, 59], np.float32)
    return FittedPerson(landmarks, keypoints, np.full(SHAPE, opacity, np.float32), box, maps)


def test_of_masks_that_reach_over_each_other_everybody_has_their_own_body():
    one, other = _apart([person(0.8, slice(0, 40)), person(1.0, slice(50, 90))])
    assert one.mask[:, :40].all() and other.mask[:, 50:].all()
    assert other.mask[:, 40:50].all()  # nobody's body: the surer mask
    assert not (one.mask & other.mask).any()


def test_a_face_is_the_one_of_whom_it_is_seen():
    behind = person(0.8, slice(0, 10), face=(70.0, 30.0))
    one, other = _apart([behind, person(1.0, slice(50, 90))])
    assert one.mask[25:35, 65:75].all() and not other.mask[25:35, 65:75].any()
    assert other.mask[:, 82:].all()
