"""Skin of the jaw and the eyes: the share that they take from the head, so that a mouth opens and a gaze turns without a tear.

All other face bones move no skin: they are for the rig that Rigify generates, whose own skinning an artist chooses. The jaw takes
the lower lip, the chin and the cheeks below the line from the jaw's joint to the corner of the mouth, fading out to the sides and
down the neck; an eye takes what shows between its lids, fading out towards them. Lips part: faces between the upper and the lower
one go to one of them.
"""

from __future__ import annotations

import numpy as np

from ..common.arrays import MeshData, RigData, SkinWeights
from ..common.landmarks import part_labels
from ..common.rotations import two_axis_frame
from ..pose.anatomy import smoothstep
from .contact_seams import cut

LOWER_MOUTH = ("Lower_Lip", "Lower_Teeth", "Tongue")
UPPER_MOUTH = ("Upper_Lip", "Upper_Teeth")
HEAD_BONE = "spine.006"
NARROW, WIDE = 4.0, 13.0  # degrees about the jaw's joint over which its share rises, at the mouth and far beside it
CHIN_TO_NECK = (8.0, 38.0)  # degrees below the chin over which it falls again


def add_face(mesh: MeshData, rig: RigData, weights: SkinWeights) -> tuple[MeshData, SkinWeights]:
    """The mesh with its lips parted, and weights in which jaw and eyes have taken their share from the head.

    Unchanged where the rig has no face. At most as many bones per vertex as before.
    """
    if "jaw" not in rig.names or HEAD_BONE not in rig.names:
        return mesh, weights
    jaw = jaw_share(mesh, rig)
    weights = _handed_over(weights, rig, "jaw", jaw)
    for eye in ("eye.L", "eye.R"):
        weights = _handed_over(weights, rig, eye, eye_share(mesh, rig, eye[-1]))
    lips = np.zeros(len(mesh.labels), np.int64)
    lips[np.isin(mesh.labels, part_labels(*LOWER_MOUTH))] = 1
    lips[np.isin(mesh.labels, part_labels(*UPPER_MOUTH))] = 2
    corners = lips[mesh.faces]
    return cut(mesh, weights, lips, np.flatnonzero((corners == 1).any(axis=1) & (corners == 2).any(axis=1)))


def _end(rig: RigData, bone: str, end: str) -> np.ndarray:
    return getattr(rig, f"{end}s")[rig.names.index(bone)].astype(np.float64)


def jaw_share(mesh: MeshData, rig: RigData) -> np.ndarray:
    """(V,) float32 0..1: how far each vertex follows the jaw rather than the head.

    Measured as an angle about the axis through both joints of the jaw, from the line to the corners of the mouth.
    """
    hinge, chin = _end(rig, "jaw", "head"), _end(rig, "jaw", "tail")
    corners = [_end(rig, f"chin.{s}", "tail") for s in "LR"]
    mouth = (corners[0] + corners[1]) / 2
    # x to the person's left, y from the joints to the mouth, z down.
    frame = two_axis_frame(_end(rig, "jaw.L", "head") - _end(rig, "jaw.R", "head"), mouth - hinge, "xy")
    face = np.flatnonzero(np.isin(mesh.labels, part_labels("Face_Neck", *LOWER_MOUTH, *UPPER_MOUTH)))
    local = (mesh.vertices[face] - hinge) @ frame
    reach, half = float((mouth - hinge) @ frame[:, 1]), 0.5 * float(np.linalg.norm(corners[0] - corners[1]))
    below = np.degrees(np.arctan2(local[:, 2], local[:, 1]))
    to_chin = (chin - hinge) @ frame
    chin_angle = float(np.degrees(np.arctan2(to_chin[2], to_chin[1])))
    width = NARROW + (WIDE - NARROW) * smoothstep(1.0, 2.0, np.abs(local[:, 0]) / max(half, 1e-6))
    share = smoothstep(0.0, 1.0, (below + width) / (2 * width))
    share *= 1 - smoothstep(chin_angle + CHIN_TO_NECK[0], chin_angle + CHIN_TO_NECK[1], below)
    away = np.hypot(local[:, 1], local[:, 2])
    share *= smoothstep(0.2, 0.6, away / max(reach, 1e-6))
    share *= 1 - smoothstep(1.15, 1.5, away / max(float(np.hypot(to_chin[1], to_chin[2])), 1e-6))
    out = np.zeros(len(mesh.vertices), np.float32)
    out[face] = share
    # Inside the mouth it is the part that says which jaw, not the place.
    out[np.isin(mesh.labels, part_labels(*LOWER_MOUTH))] = 1
    out[np.isin(mesh.labels, part_labels(*UPPER_MOUTH))] = 0
    return out


def eye_share(mesh: MeshData, rig: RigData, side: str) -> np.ndarray:
    """(V,) float32 0..1: 1 on the iris, 0 at and beyond the lids of the eye on one side, "L" or "R"."""
    outer, inner = _end(rig, f"lid.T.{side}", "head"), _end(rig, f"lid.T.{side}.003", "tail")
    upper, lower = _end(rig, f"lid.T.{side}.001", "tail"), _end(rig, f"lid.B.{side}.001", "tail")
    centre = (outer + inner + upper + lower) / 4
    across, up = (outer - inner) / 2, (upper - lower) / 2
    wide, high = float(np.linalg.norm(across)), float(np.linalg.norm(up))
    out = np.zeros(len(mesh.vertices), np.float32)
    if wide < 1e-5 or high < 0.1 * wide:  # a closed eye does not look anywhere
        return out
    near = np.flatnonzero(np.linalg.norm(mesh.vertices - centre, axis=1) < 1.2 * wide)
    offset = mesh.vertices[near] - centre
    along = np.hypot(offset @ across / wide**2, offset @ up / high**2)
    out[near] = 1 - smoothstep(0.45, 1.0, along)
    return out


def _handed_over(weights: SkinWeights, rig: RigData, bone: str, share: np.ndarray) -> SkinWeights:
    """The share of the head's weight given to `bone`, in place of the weakest other bone of the vertex where it has no room."""
    head = rig.names.index(HEAD_BONE)
    at_head = (weights.bones == head) & (weights.weights > 0)
    rows = np.flatnonzero((share > 1e-3) & at_head.any(axis=1))
    if not len(rows) or weights.bones.shape[1] < 2:
        return weights
    bones, values = weights.bones.copy(), weights.weights.copy()
    slot = at_head[rows].argmax(axis=1)
    others = values[rows].copy()
    others[np.arange(len(rows)), slot] = np.inf
    room = others.argmin(axis=1)
    held = values[rows, slot] + values[rows, room]
    given = share[rows] * held
    bones[rows, room], values[rows, room] = rig.names.index(bone), given
    values[rows, slot] = held - given
    return SkinWeights(bones, values)
