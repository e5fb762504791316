"""Corrective shape keys: what linear blend skinning takes from a joint that bends or turns, given back by shape keys.

A vertex that follows a bone with the weight w goes, when the bone turns by the angle a about an axis, to (1 - w) x + w R(a) x: it
comes nearer to the axis, by the factor sqrt(1 - 2 w (1 - w) (1 - cos a)). So knees and elbows lose their caps, and a wrist that
turns about itself its thickness. A key moves the vertex away from the axis at rest by what the factor takes; how much of it is
there follows the angle of the bone. That is plain shape keys, weights and bones, which every engine has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..common.arrays import RigData, SkinWeights
from ..common.quaternions import multiply
from ..common.rotations import quaternion_from_rotation

PREFIX = "corrective_"
"""How the names of the keys begin."""
LARGEST = 2.6
"""Radians (149 degrees) at which a key is whole, and beyond which it grows no more."""
WHOLE = 1 / np.cos(LARGEST / 2) - 1
LEAST = 5e-4  # metres that a key must move something by when it is whole, to be made
INSIDE, OUTSIDE = -0.2, 0.6
"""Cosines round the axis of a joint that bends between which the correction sets in, from the inside of the bend to the outside:
in the crease flesh is pressed together in a body as well."""


@dataclass(frozen=True)
class Corrective:
    """One key.

    bone   that turns
    bends  about its x axis, this way (1 or -1); 0 = it twists about itself, whichever way
    """

    bone: str
    bends: int

    @property
    def name(self) -> str:
        stem, _, side = self.bone.partition(".")
        return f"{PREFIX}{stem}_{'bend' if self.bends else 'twist'}.{side}"

    @property
    def expression(self) -> str:
        """The value of the key by the angle `angle` of the bone (radians; of a swing about x, or a twist about y), in what both
        Python and Blender's own evaluator of simple expressions take."""
        size = {1: "max(angle, 0)", -1: "max(-angle, 0)", 0: "abs(angle)"}[self.bends]
        return f"(1 / cos(min({size}, {LARGEST}) / 2) - 1) / {WHOLE:.6f}"

    def value(self, angle: float) -> float:
        """What `expression` says."""
        size = max(angle * self.bends, 0.0) if self.bends else abs(angle)
        return float((1 / np.cos(min(size, LARGEST) / 2) - 1) / WHOLE)


CORRECTIVES = tuple(
    Corrective(f"{bone}.{side}", bends)
    for bone, bends in (("forearm", 1), ("forearm", 0), ("hand", 0), ("thigh", -1), ("shin", 1))
    for side in "LR"
)


def corrective_offsets(points: np.ndarray, weights: SkinWeights, rig: RigData) -> dict[str, np.ndarray]:
    """Name -> (V, 3) float64 how far a whole key moves the (V, 3) points at rest, in the space of the rig; keys that would move
    nothing are left out."""
    found = {}
    for corrective in CORRECTIVES:
        if corrective.bone in rig.names and len(points):
            factor, away = _factors(corrective, points, weights, rig)
            offsets = factor[:, None] * away
            if np.abs(offsets).max() > LEAST:
                found[corrective.name] = offsets
    return found


def _factors(corrective: Corrective, points: np.ndarray, weights: SkinWeights, rig: RigData) -> tuple[np.ndarray, np.ndarray]:
    """(V,) how much farther a whole key brings each point from the axis, and (V, 3) float64 where it is from the axis."""
    bone = rig.names.index(corrective.bone)
    share = np.clip(weights.share_of(_below(rig, bone)), 0, 1).astype(np.float64)
    axes = rig.axes()[bone]
    axis, from_head = axes[:, 0] if corrective.bends else axes[:, 1], points.astype(np.float64) - rig.heads[bone]
    away = from_head - np.outer(from_head @ axis, axis)
    factor, bent = np.zeros(len(share)), np.flatnonzero(share * (1 - share))
    factor[bent] = _restored(2 * share[bent] * (1 - share[bent]))
    if corrective.bends:
        outwards = -corrective.bends * away @ axes[:, 2] / np.maximum(np.linalg.norm(away, axis=1), 1e-9)
        t = np.clip((outwards - INSIDE) / (OUTSIDE - INSIDE), 0, 1)
        factor = factor * t * t * (3 - 2 * t)
    return factor, away


def _restored(q: np.ndarray) -> np.ndarray:
    """The factor of a whole key: of all angles, what comes closest to 1 / sqrt(1 - q (1 - cos a)) - 1 when it is scaled by
    `Corrective.value`, as seen after skinning. q: 2 w (1 - w)."""
    angles = np.linspace(0.1, LARGEST, 24)
    value = (1 / np.cos(angles / 2) - 1) / WHOLE
    kept = np.sqrt(np.maximum(1 - q[:, None] * (1 - np.cos(angles)), 1e-6))
    return ((1 - kept) * kept * value).sum(axis=1) / ((kept * value) ** 2).sum(axis=1)


def _below(rig: RigData, bone: int) -> np.ndarray:
    """(B,) bool: the bone and all that hang on it."""
    out = np.zeros(len(rig.names), bool)
    for row, parent in enumerate(rig.parents.tolist()):  # parents come first
        out[row] = row == bone or (parent >= 0 and out[parent])
    return out


def photo_values(rig: RigData) -> dict[str, float]:
    """Name -> the value of a key in the pose of the photo; none where that is the rest."""
    if rig.photo_from_rest is None:
        return {}
    axes, turns = rig.axes(), rig.photo_from_rest[:, :3, :3]
    found = {}
    for corrective in CORRECTIVES:
        if corrective.bone not in rig.names:
            continue
        bone = rig.names.index(corrective.bone)
        parent = int(rig.parents[bone])
        turn = turns[bone] if parent < 0 else turns[parent].T @ turns[bone]
        own = quaternion_from_rotation((axes[bone].T @ turn @ axes[bone])[None])[0]
        twist = np.array([own[0], 0.0, own[2], 0.0])
        twist = twist / max(float(np.linalg.norm(twist)), 1e-12)
        swing = multiply(own, twist * [1, -1, -1, -1])
        angle = 2 * np.arcsin(np.clip(swing[1], -1, 1)) if corrective.bends else 2 * np.arctan2(twist[2], twist[0])
        found[corrective.name] = corrective.value(float((angle + np.pi) % (2 * np.pi) - np.pi))
    return found


def before_correction(points: np.ndarray, weights: SkinWeights, rig: RigData) -> np.ndarray:
    """(V, 3) float32: where points have to rest for the keys to bring them, in the pose of the photo, to where the resting (V, 3)
    points would go without keys. So what was made to lie on the photo still does."""
    out, values = points.astype(np.float64), photo_values(rig)
    for corrective in CORRECTIVES:
        value = values.get(corrective.name, 0.0)
        if value > 1e-4 and len(points):
            # A point stays in its direction from the axis, on which the factor depends.
            factor, away = _factors(corrective, out, weights, rig)
            out = out - (value * factor / (1 + value * factor))[:, None] * away
    return out.astype(np.float32)
