"""Keypoints for maps that came without: the built-in networks find them in the photo, or in a picture that the maps make.

A body, a pose and a rig all begin with keypoints. Whoever ran no pose network, or gives maps of another program, gets those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..capture.people import find_people, labels_of
from ..common.predictions import Predictions
from ..common.spaces import camera_from_normal_head
from . import people as landmarks
from .keypoints import keypoints_of

SURE = 0.9
"""A person of whom the networks say less in one picture is looked for in the next. Of an empty grey one they say 0.56."""
SEEN = 0.3
"""Nobody is there where no keypoint scores as much."""
LIGHT = np.array([0.4, -0.5, -0.77])
"""Unit vector from a person towards the light, camera space: above and beside the camera, so that a face has its shadows."""
DARK, BRIGHT, BEHIND = 60, 250, 200
"""Grey of what is turned away from that light, of what faces it, and of where there is nobody: an outline is seen before it."""


def with_keypoints(predictions: Predictions) -> Predictions:
    """The predictions with keypoints (P, 308, 3): those that they have, else what the built-in networks see.

    People are in the order of `core.capture.people.find_people`. Looked at are the photo, then the albedo, then the normals as a
    grey picture: the first in which everybody is surely somebody, else the one in which the most doubtful person is surest. The
    predictions come back as they are where nobody is found. Raises SapiensError for boxes that are no boxes, or with nobody in
    them.
    """
    if predictions.keypoints is not None:
        return predictions
    boxes = predictions.boxes if predictions.boxes is not None and len(predictions.boxes) else None
    if (labels := labels_of(predictions)) is not None:
        shown = find_people(labels, boxes)
        boxes = np.stack([person.box for person in shown]) if shown else boxes
    found = [keypoints_of(person) for person in _surest(predictions, boxes)]
    if not any((keypoints[:, 2] >= SEEN).any() for keypoints in found):
        return predictions
    return replace(predictions, keypoints=np.stack(found))


def _surest(predictions: Predictions, boxes: np.ndarray | None) -> list[landmarks.PersonLandmarks]:
    """The people of the first picture that shows them surely, else of the best one."""
    best: list[landmarks.PersonLandmarks] = []
    surest = 0.0
    for picture in _pictures(predictions):
        people = landmarks.find_people(picture, boxes)
        doubtful = min((person.body.score for person in people), default=0.0)
        if doubtful > surest:
            best, surest = people, doubtful
        if surest >= SURE:
            break
    return best


def _pictures(predictions: Predictions) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 pictures of the people."""
    yield predictions.image
    if predictions.albedo is not None:
        yield predictions.albedo
    if predictions.normal is not None:
        normal = np.nan_to_num(camera_from_normal_head(predictions.normal.astype(np.float32)))
        lit = DARK + (BRIGHT - DARK) * np.clip(normal @ LIGHT, 0, 1)
        grey = np.where((normal**2).sum(axis=-1) > 0.25, lit, BEHIND)
        yield np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
