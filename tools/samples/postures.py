"""Postures set by hand: standing, arms crossed, sitting, and a gait cycle, as rotations of the body's bones.

Directions are those of the resting body of `tools.samples.body`: x = the person's left, y = back, z = up, facing -y. Arms are
aimed in the axes of the chest, legs in those of the pelvis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from .body import Body
from .pose import FORWARD, arc, turn_about

Direction = tuple[float, float, float]

# Knee flexion, hip flexion and the pitch of the sole (toes up) in degrees over one gait cycle from heel strike, every tenth of
# it: textbook curves of level walking at a comfortable pace, rounded.
_PHASE = np.linspace(0, 1, 11)
_KNEE = (5, 14, 15, 10, 8, 14, 38, 60, 50, 18, 5)
_HIP = (20, 19, 12, 4, -6, -16, -12, 4, 16, 21, 20)
_SOLE = (16, 0, 0, 0, 0, -18, -48, -42, -12, 8, 16)
_ARM_SWING = 20.0


@dataclass(frozen=True)
class Limb:
    """Where upper and lower segment point (any length). end: degrees that a hand is rolled about the forearm, or that a sole
    points up at the toes; at 0 a foot is flat on the ground whatever the leg does."""

    upper: Direction
    lower: Direction
    end: float = 0.0


@dataclass(frozen=True)
class Posture:
    """arms, legs: of the left side and the right; spine, look: degrees about x (forwards), y (sideways), z (to the left), of the
    whole spine and of neck and head; curl: degrees that each finger joint bends; facing: degrees the person turns to their left.
    """

    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]
    spine: Direction = (0.0, 0.0, 0.0)
    look: Direction = (0.0, 0.0, 0.0)
    curl: float = 14.0
    facing: float = 0.0


def _mirrored(limb: Limb) -> Limb:
    return Limb((-limb.upper[0], *limb.upper[1:]), (-limb.lower[0], *limb.lower[1:]), limb.end)


def _both(limb: Limb) -> tuple[Limb, Limb]:
    return limb, _mirrored(limb)


_STANDING = _both(Limb((0.14, 0.0, -1.0), (0.06, 0.03, -1.0)))
APOSE = Posture(_both(Limb((0.95, -0.02, -1.0), (0.85, -0.18, -1.0))), _STANDING, look=(0, 0, 6), facing=28)
CROSSED = Posture(
    (Limb((0.30, -0.34, -1.0), (-0.98, -0.52, 0.30), 25), Limb((-0.30, -0.40, -1.0), (0.98, -0.34, 0.16), 25)),
    (Limb((0.12, -0.02, -1.0), (0.05, 0.06, -1.0)), Limb((-0.16, 0.0, -1.0), (-0.07, 0.03, -1.0))),
    look=(4, 0, 10),
    curl=18.0,
    facing=24,
)
SITTING = Posture(
    _both(Limb((0.26, -0.42, -1.0), (-0.06, -1.0, -0.50), 15)),
    (Limb((0.20, -1.0, -0.06), (0.05, 0.10, -1.0)), Limb((-0.16, -1.0, -0.06), (-0.04, 0.18, -1.0))),
    spine=(4, 0, 0),
    look=(6, 0, -8),
    curl=16.0,
    facing=34,
)
PORTRAIT = Posture(_both(Limb((0.22, 0.02, -1.0), (0.12, -0.22, -1.0))), _STANDING, look=(2, 0, 8), facing=14)


def striding(phase: float, facing: float) -> Posture:
    """Level walking, the left heel touching the ground at phase 0, the right one at 0.5."""
    arms, legs = [], []
    for side, at in ((1, phase % 1), (-1, (phase + 0.5) % 1)):
        knee, hip, sole = (float(np.interp(at, _PHASE, curve)) for curve in (_KNEE, _HIP, _SOLE))
        forward, shank = np.radians(hip), np.radians(hip - knee)
        legs.append(
            Limb(
                (side * 0.06, -np.sin(forward), -np.cos(forward)),
                (side * 0.02, -np.sin(shank), -np.cos(shank)),
                sole,
            )
        )
        swing = np.radians(-_ARM_SWING * np.cos(2 * np.pi * at) + 2)
        bend = swing + np.radians(22)
        arms.append(Limb((side * 0.20, -np.sin(swing), -np.cos(swing)), (side * 0.10, -np.sin(bend), -np.cos(bend)), 8))
    return Posture((arms[0], arms[1]), (legs[0], legs[1]), (3, 0, 5 * np.cos(2 * np.pi * phase)), (2, 0, 0), 18.0, facing)


def rotations(body: Body, heads: np.ndarray, posture: Posture) -> np.ndarray:
    """(B, 3, 3) rotation of each bone relative to its parent, in the axes of the resting body. heads: (B, 3) at rest."""
    turn = np.tile(np.eye(3), (len(body.bones), 1, 1))
    turn[body.bone("root")] = _euler((0, 0, posture.facing))
    for name in ("spine05", "spine04", "spine03", "spine02", "spine01"):
        turn[body.bone(name)] = _euler(np.array(posture.spine) / 5)
    for name, share in (("neck01", 0.2), ("neck02", 0.2), ("neck03", 0.2), ("head", 0.4)):
        turn[body.bone(name)] = _euler(np.array(posture.look) * share)
    for k, suffix in enumerate((".L", ".R")):
        side = 1 - 2 * k
        shoulder, elbow, wrist = (heads[body.bone(b + suffix)] for b in ("upperarm01", "lowerarm01", "wrist"))
        arm = posture.arms[k]
        upper, lower = _hinged(elbow - shoulder, wrist - elbow, arm, FORWARD)
        turn[body.bone("upperarm01" + suffix)], turn[body.bone("lowerarm01" + suffix)] = upper, lower
        roll = turn_about(wrist - elbow, side * arm.end / 2)
        turn[body.bone("lowerarm02" + suffix)] = turn[body.bone("wrist" + suffix)] = roll
        hip, knee, ankle = (heads[body.bone(b + suffix)] for b in ("upperleg01", "lowerleg01", "foot"))
        leg = posture.legs[k]
        upper, lower = _hinged(knee - hip, ankle - knee, leg, -FORWARD)
        turn[body.bone("upperleg01" + suffix)], turn[body.bone("lowerleg01" + suffix)] = upper, lower
        turn[body.bone("foot" + suffix)] = (upper @ lower).T @ turn_about(np.array([1.0, 0, 0]), -leg.end)
        _fingers(body, heads, turn, side, suffix, posture.curl)
    return turn


def _euler(degrees: Direction | np.ndarray) -> np.ndarray:
    return Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()


def _hinged(rest_upper: np.ndarray, rest_lower: np.ndarray, limb: Limb, bends_to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) rotations of the two segments of a limb, the hinge between them across the plane in which the limb bends.

    bends_to: where the lower segment goes when the resting limb is bent.
    """
    upper, lower = (np.asarray(v, float) / np.linalg.norm(v) for v in (limb.upper, limb.lower))
    hinge = np.cross(upper, lower)
    if np.linalg.norm(hinge) < 0.12:  # nearly straight: the plane is not told by the segments
        hinge = np.cross(upper, bends_to)
    rotation = _frame(upper, hinge) @ _frame(rest_upper, np.cross(rest_upper, bends_to)).T
    return rotation, arc(rest_lower, rotation.T @ lower)


def _frame(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """(3, 3) right-handed axes as columns: along, the part of `across` at right angles to it, and their product."""
    first = along / np.linalg.norm(along)
    second = across - (across @ first) * first
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], 1)


def _fingers(body: Body, heads: np.ndarray, turn: np.ndarray, side: int, suffix: str, curl: float) -> None:
    """Bend every finger joint towards the palm, the little finger most and the thumb least."""
    wrist = heads[body.bone("wrist" + suffix)]
    palm = np.cross(heads[body.bone("finger2-1" + suffix)] - wrist, heads[body.bone("finger5-1" + suffix)] - wrist)
    palm *= np.sign(palm @ np.array([-side, 0.0, -1.0])) / np.linalg.norm(palm)
    for finger in range(1, 6):
        chain = [f"finger{finger}-{k}{suffix}" for k in (1, 2, 3)]
        along = heads[body.bone(chain[2])] - heads[body.bone(chain[0])]
        amount = curl * (0.35 if finger == 1 else 0.7 + 0.15 * (finger - 1))
        for bone in chain:
            turn[body.bone(bone)] = turn_about(np.cross(along, palm), amount)
