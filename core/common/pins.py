"""Keypoints that somebody has put where they are in the photo: they count more than all that a network has seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import SapiensError

if TYPE_CHECKING:  # requests carry pins, and reading a command line loads nothing heavy
    import numpy as np

    from .predictions import Predictions

SCORE = 4.0
"""Score of a keypoint that was pinned; those of networks are about 0 to 1."""
SURE = 2.0
"""Scores above it are those of pins."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One keypoint of one person.

    person    index, from left to right
    keypoint  name (`core.common.landmarks.keypoint_names`)
    x, y      pixels of the photo, (0, 0) in the middle of its upper left pixel
    """

    person: int
    keypoint: str
    x: float
    y: float


def is_pinned(scores: np.ndarray) -> np.ndarray:
    """Which of any number of keypoints' scores are those of pins."""
    return scores > SURE


def pinned(predictions: Predictions, pins: Iterable[Pin]) -> Predictions:
    """The predictions with keypoints where the pins are. Raises SapiensError for a pin of nobody, or of no keypoint.

    A photo of which no keypoints are known takes none: those of whole people are needed to place a body.
    """
    import numpy as np

    from .landmarks import keypoint_names

    pins = tuple(pins)
    if not pins:
        return predictions
    if predictions.keypoints is None:
        raise SapiensError("Pins need joints that were seen, and none was.", "Make the avatar from its photo again.")
    keypoints = predictions.keypoints.astype(np.float32, copy=True)
    for pin in pins:
        if not 0 <= pin.person < len(keypoints) or pin.keypoint not in keypoint_names():
            raise SapiensError(f"There is no {pin.keypoint} of person {pin.person + 1} to pin.", "Remove the pin.")
        keypoints[pin.person, keypoint_names().index(pin.keypoint)] = pin.x, pin.y, SCORE
    return replace(predictions, keypoints=keypoints)
