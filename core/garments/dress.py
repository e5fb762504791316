"""All that somebody wears, from photos of them: clothes on the body, and what is on the head."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..body.fit import Sighting
from ..body.fitted import BodyFit
from ..common.arrays import RigData
from ..common.avatars import BodyData, GarmentData
from .clothes import make_clothes
from .hair import make_head_garments
from .steady import steadied


@dataclass(frozen=True, eq=False)
class Dressed:
    """What somebody wears, (V,) bool vertices of the skin below, and sentences about what could not be made."""

    garments: tuple[GarmentData, ...]
    covered: np.ndarray
    notes: tuple[str, ...]


def dress(photos: Sequence[tuple[Sighting, BodyFit]], body: BodyData, rig: RigData) -> Dressed:
    """Clothes, hair, headwear and glasses of one person, as they stand in the first photo.

    photos  of one person, with the body fitted to each
    body    in the first photo, and rig
    """
    steady = [(steadied(sighting), fit) for sighting, fit in photos]
    # Neither knows of the other, and nearly all of it is done outside of Python.
    with ThreadPoolExecutor(1) as beside:
        head = beside.submit(make_head_garments, steady, body, rig)
        clothes, covered = make_clothes(steady, body, rig)
        on_head, notes = head.result()
    return Dressed((*clothes, *on_head), covered, notes)
