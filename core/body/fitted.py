"""What a fit gives: who somebody is, how they stand in one photo, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from .evaluate import Posture, Shape


@dataclass(frozen=True, eq=False)
class BodyFit:
    """A body in one photo, in its camera's space.

    shape    who it is
    posture  turns[0] takes rest axes to camera space
    face     (52,) ARKit values
    unseen   bone -> True where its place is a guess
    doubt    a sentence for the artist about what was guessed, empty where nothing was
    """

    shape: Shape
    posture: Posture
    face: np.ndarray = field(default_factory=lambda: np.zeros(52))
    unseen: Mapping[str, bool] = field(default_factory=dict)
    doubt: str = ""
