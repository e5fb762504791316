"""Head and shoulders alone: which part of a body and of its clothes a bust keeps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..common.arrays import RigData, SkinWeights
from ..common.avatars import BodyData, GarmentData
from ..common.rotations import unit
from .other_photos import rested

CHEST = 0.25
"""Where the chest is cut: share of the way from the lower ribs to the root of the neck."""
ARM = 0.35
"""Where an arm is cut: share of the way from the shoulder to the elbow."""
RAMP = 0.12
"""Metres over which the share falls from 1 to 0, so that the cut at 0.5 is a straight line between vertices."""


def bust_shares(points: np.ndarray, weights: SkinWeights, rig: RigData, arms: bool = True) -> np.ndarray:
    """(V,) float32 in 0..1: a bust keeps what is above 0.5.

    points  (V, 3) at rest; z is up
    rig     at rest, of `other_photos.rest_rig_of`
    arms    cut what hangs on the arms too, across the upper arm
    """
    ribs, neck = (rig.heads[rig.names.index(name)].astype(np.float64) for name in ("spine.003", "spine.004"))
    inside = points[:, 2] - (ribs + CHEST * (neck - ribs))[2]
    for side in "LR" if arms else "":
        bone = rig.names.index(f"upper_arm.{side}")
        along = unit(rig.tails[bone] - rig.heads[bone])
        cut = rig.heads[bone] + ARM * (rig.tails[bone] - rig.heads[bone])
        moved_by = [n for n, name in enumerate(rig.names) if name.endswith(f".{side}") and _of_an_arm(name)]
        on_arm = (weights.weights * np.isin(weights.bones, moved_by)).sum(axis=1) > 0.5
        inside = np.where(on_arm, (cut - points) @ along, inside)
    return np.clip(0.5 + inside / RAMP, 0, 1).astype(np.float32)


def _of_an_arm(name: str) -> bool:
    return name.startswith(("upper_arm", "forearm", "hand", "palm", "thumb", "f_"))


def cut_to_bust(
    body: BodyData, garments: Iterable[GarmentData], at_rest: np.ndarray, rig: RigData
) -> tuple[BodyData, tuple[GarmentData, ...]]:
    """The body and what it wears with the shares of a bust. Nothing is cut off yet; garments of which nothing is left are out.

    body      in the photo's pose
    garments  the same
    at_rest   (V, 3) the body's vertices at rest
    rig       at rest, of `other_photos.rest_rig_of`
    """
    kept = []
    for garment in garments:
        points = rested(garment.vertices, garment.weights, rig)
        shares = bust_shares(points, garment.weights, rig, arms=garment.kind not in ("hair", "headwear", "eyewear"))
        if shares.max(initial=0) > 0.5:
            kept.append(replace(garment, bust=shares))
    return replace(body, bust=bust_shares(at_rest, body.weights, rig)), tuple(kept)
