"""Limbs that no photo shows: legs that stand below the hips, arms that hang, hands that are relaxed.

A fit puts what it does not see where outlines and priors pull it, which is likely and looks like nobody: feet turned in, an arm
that points to the back with its fingers spread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ..common.landmarks import SIDES, finger_joints, joint_index
from ..common.rotations import rotation_from_vector, shortest_arc, unit, vector_from_rotation
from ..common.spaces import CAMERA_UP
from ..pose.anatomy import is_upright, standing_frame
from .evaluate import Posture, Shape, frames, pose_points, rest_points
from .evidence import Evidence
from .priors import joint_axes
from .skeleton import BONES
from .template import template

ASIDE, AHEAD = 0.4, 0.1
"""How far a hanging arm points to its side and to the front, for 1 down: clear of clothes and hips."""
DROOP = 0.5
"""How much gravity turns a forearm from the line of an upper arm that is seen: 0 not at all, large values wholly."""
CLEAR = 1.25
"""How far from the middle of the hips a hanging hand is at least, in distances between the joints of both hips."""
MOST_BENT = np.radians(140)
"""Of elbows and knees."""
CURL = {"f_": (0.25, 0.35, 0.2), "thumb": (0.0, 0.1, 0.15)}
"""Radians by which the bones of fingers bend in a hand at ease, from the template's flat one."""
PROBES = 5
"""Points between two joints that are looked for in the photo."""


@dataclass(frozen=True)
class _Limb:
    """Bones of an arm or a leg with those of its hand or foot, and the joints along it, from the trunk outwards."""

    upper: str
    lower: str
    end: tuple[str, ...]
    joints: tuple[str, str, str, str]

    def seen(self, seen: np.ndarray) -> tuple[bool, bool]:
        """Whether its middle joint is seen, and the one after it; seen: (68,) bool."""
        _, middle, last, _ = (bool(seen[joint_index(name)]) for name in self.joints)
        return middle, last


@cache
def _arms() -> tuple[_Limb, ...]:
    out = []
    for side in SIDES:
        s = side[0].upper()
        hand = tuple(b for b in BONES if b.startswith(("hand", "palm", "thumb", "f_")) and b.endswith(f".{s}"))
        tip = finger_joints(side, "middle_finger")[-1]
        out.append(_Limb(f"upper_arm.{s}", f"forearm.{s}", hand, (f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist", tip)))
    return tuple(out)


@cache
def _legs() -> tuple[_Limb, ...]:
    out = []
    for side in SIDES:
        s = side[0].upper()
        joints = (f"{side}_hip", f"{side}_knee", f"{side}_ankle", f"{side}_big_toe")
        out.append(_Limb(f"thigh.{s}", f"shin.{s}", (f"foot.{s}", f"toe.{s}"), joints))
    return tuple(out)


def hang_unseen(shape: Shape, posture: Posture, seen: np.ndarray, evidence: Evidence) -> Posture:
    """The posture with the limbs that no photo shows at ease. An arm that would hang where the photo shows that it is not stays,
    if it is where it may be.

    seen      (68,) bool: joints that a photo of this person shows
    evidence  of the photo in whose camera space the posture stands
    """
    legs, arms = ([limb for limb in limbs if not limb.seen(seen)[1]] for limbs in (_legs(), _arms()))
    if not legs and not arms:
        return posture
    body = _Hanging.of(shape, posture)
    for leg in legs:
        body = body.leg_hung(leg, keep_upper=leg.seen(seen)[0])
    for arm in arms:
        guess, hung = body.at_ease(arm), body.arm_hung(arm, keep_upper=arm.seen(seen)[0])
        body = guess if guess.may_be(arm, evidence) and not hung.may_be(arm, evidence) else hung
    return body.posture


@dataclass(frozen=True, eq=False)
class _Hanging:
    """A body while its limbs are hung.

    rest     (P, 3) points at rest; joints (68, 3) of them
    posture  what is changed
    upright  the trunk is: gravity says where limbs are; those of others go on as they are at rest
    """

    rest: np.ndarray
    joints: np.ndarray
    posture: Posture
    upright: bool

    @classmethod
    def of(cls, shape: Shape, posture: Posture) -> _Hanging:
        rest = rest_points(shape)
        return cls(rest, template().joints.of(rest.astype(np.float64)), posture, is_upright(posture.turns[0]))

    def leg_hung(self, leg: _Limb, keep_upper: bool) -> _Hanging:
        standing = standing_frame(self.posture.turns[0])
        body = self
        if not keep_upper:
            body = body.turned(leg.upper, standing if self.upright else None)
        down = standing @ body.along(leg, 1)
        return body.bent(leg, down).at_ease(leg)

    def arm_hung(self, arm: _Limb, keep_upper: bool) -> _Hanging:
        body = self
        if not keep_upper:
            trunk = self.turn(str(BONES[arm.upper]))
            side = np.sign(self.along(arm, 0)[0])
            hangs = standing_frame(trunk) @ np.array([side * ASIDE, -AHEAD, -1.0])
            body = body.turned(arm.upper, shortest_arc(trunk @ self.along(arm, 0), hangs) @ trunk if self.upright else None)
        droops = unit(unit(body.turn(arm.upper) @ body.along(arm, 1)) - DROOP * CAMERA_UP)
        return body.bent(arm, body.beside_hips(arm, droops)).at_ease(arm)

    def beside_hips(self, arm: _Limb, way: np.ndarray) -> np.ndarray:
        """(3,) unit: the way of a forearm, (3,) unit, turned aside so far that the hand hangs beside the hips, not in them."""
        joints = template().joints.of(pose_points(self.rest, self.posture))
        left, right = (joints[joint_index(f"{side}_hip")] for side in SIDES)
        across = unit(left - right) if arm.upper.endswith(".L") else unit(right - left)
        elbow = (joints[joint_index(arm.joints[1])] - (left + right) / 2) @ across
        clear = CLEAR * np.linalg.norm(left - right)
        least = np.clip((clear - elbow) / np.linalg.norm(self.along(arm, 1)), -0.9, 0.9)
        aside = way @ across
        if aside >= least:
            return way
        return least * across + np.sqrt(1 - least**2) * unit(way - aside * across)

    def along(self, limb: _Limb, bone: int) -> np.ndarray:
        """(3,) from one joint to the next, at rest."""
        start, end = (joint_index(name) for name in limb.joints[bone : bone + 2])
        return self.joints[end] - self.joints[start]

    def turn(self, bone: str) -> np.ndarray:
        """(3, 3) of a bone, rest axes to camera space."""
        return frames(template().heads.of(self.rest), self.posture).turns[_row(bone)]

    def turned(self, bone: str, turn: np.ndarray | None) -> _Hanging:
        """With a bone turned to (3, 3) in camera space; None = as it is at rest on its parent."""
        local = np.eye(3) if turn is None else self.turn(str(BONES[bone])).T @ turn
        return self.with_turns({bone: local})

    def bent(self, limb: _Limb, target: np.ndarray) -> _Hanging:
        """With the lower bone of a limb along (3,) target if it bends that way, else as it is at rest on the upper one."""
        straight = self.turned(limb.lower, None)
        if not self.upright:
            return straight
        upper, axes, row = self.turn(limb.upper), joint_axes(), _row(limb.lower)
        local = upper.T @ shortest_arc(upper @ self.along(limb, 1), target) @ upper
        bend = axes.frames[row, :, 0] @ vector_from_rotation(local) + axes.bent[axes.hinges == row][0]
        return self.with_turns({limb.lower: local}) if 0 <= bend <= MOST_BENT else straight

    def at_ease(self, limb: _Limb) -> _Hanging:
        """With hand or foot as they are when nobody thinks of them."""
        turns = dict.fromkeys(limb.end, np.eye(3))
        for start, angles in CURL.items():
            for bone in limb.end:
                if bone.startswith(start):
                    axis = joint_axes().frames[_row(bone), :, 0]
                    turns[bone] = rotation_from_vector(axis * angles[int(bone.split(".")[1]) - 1])
        return self.with_turns(turns)

    def with_turns(self, turns: dict[str, np.ndarray]) -> _Hanging:
        """Bone -> (3, 3) in its parent's frame."""
        out = self.posture.turns.copy()
        for bone, turn in turns.items():
            out[_row(bone)] = turn
        return replace(self, posture=replace(self.posture, turns=out))

    def may_be(self, limb: _Limb, evidence: Evidence) -> bool:
        """Whether the photo leaves open that the limb is here: beyond its border, or where the person is."""
        if evidence.mask is None:
            return True
        camera = evidence.camera
        joints = template().joints.of(pose_points(self.rest, self.posture))[[joint_index(name) for name in limb.joints[1:]]]
        share = np.linspace(0, 1, PROBES)[:, None, None]
        points = ((1 - share) * joints[:-1] + share * joints[1:]).reshape(-1, 3)
        x, y = np.round(camera.project(points[points[:, 2] > 0.05])).T
        shown = (x >= 0) & (y >= 0) & (x < camera.width) & (y < camera.height)
        return bool(evidence.mask[y[shown].astype(int), x[shown].astype(int)].all())


def _row(bone: str) -> int:
    return list(BONES).index(bone)
