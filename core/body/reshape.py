"""Another shape for a character that is built already: what moves of its body, its bones and what it wears.

Only differences between two shapes are looked at, in the space in which the character rests: what an artist has done to body and
bones by hand stays on them, and the rest may be an A-pose, a T-pose or the pose of a photo.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..common.arrays import RigData, SkinWeights
from ..common.rotations import two_axis_frame
from ..rig.rest_pose import blended, moved, pose_rig
from .character import bone_weights, rest_rig
from .evaluate import Shape, rest_points
from .skeleton import BONES
from .template import template

SAME_WAY = np.cos(np.radians(0.5))
"""Cosine within which a bone points as the trunk says: it has not been turned in the rest pose, whatever its roll."""
BLOCK = 0.1  # metres: edge of the blocks in which neighbours are looked for
NEAR = 8  # how many neighbours carry a point
SOFT = 1e-3  # metres: nearer neighbours do not count more
CELLS = 4_000_000  # distances that are looked at together


@dataclass(frozen=True, eq=False)
class Resting:
    """A shape at rest, template axes: (V, 3) float64 points of the body, its rig, and how it follows that."""

    points: np.ndarray
    rig: RigData
    weights: SkinWeights

    @classmethod
    def of(cls, shape: Shape) -> Resting:
        points = rest_points(shape).astype(np.float64)
        used, rig = body_vertices(), rest_rig(points)
        return cls(points[used], rig, bone_weights(rig, used))

    def posed(self, turns: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, RigData]:
        """(V, 3) points of the body and the rig, bones turned by (B, 3, 3) and the head of the first one at (3,) `root`."""
        shift = root - self.rig.heads[0]
        rig, maps = pose_rig(self.rig, turns)
        points = moved(blended(self.weights, maps), self.points) + shift
        return points, replace(rig, heads=rig.heads + shift, tails=rig.tails + shift)


@dataclass(frozen=True, eq=False)
class Reshaped:
    """What a shape changes of a character at rest, in the space of its armature.

    moves  (V, 3) float32 of the body's vertices
    rig    the armature with its new rest
    raise_photo  metres along z by which the whole body has to go up in the pose of the photo to stand there as before
    """

    moves: np.ndarray
    rig: RigData
    raise_photo: float = 0.0


def body_vertices() -> np.ndarray:
    """(V,) int64 rows of the template's points that a body in the scene has, in their order."""
    t = template()
    return np.unique(t.faces[t.body_faces()]).astype(np.int64)


def skin_rows() -> np.ndarray:
    """(n,) int64 vertices of a body in the scene that are skin."""
    return np.searchsorted(body_vertices(), template().skin_vertices())


def reshape(before: Shape, after: Shape, rig: RigData, photo: Mapping[str, np.ndarray] | None = None) -> Reshaped:
    """What changes of a character of the shape `before` when its shape is `after`. It stands on the same ground, its hips over
    the same spot.

    rig    the armature as it rests now, parents first; bones that are not of this project stay as they are
    photo  bone -> (3, 3) its turn from rest to the pose of the photo, axes of the armature; None = there is no such pose
    """
    old, new = Resting.of(before), Resting.of(after)
    turns = _rest_turns(old.rig, rig)
    root = old.rig.heads[0].astype(np.float64)
    was, old_rig = old.posed(turns, root)
    now, new_rig = new.posed(turns, root)
    skin = skin_rows()
    lift = np.array([0.0, 0.0, was[skin, 2].min() - now[skin, 2].min()])
    raised = 0.0
    if photo is not None:
        photo_turns = _followed(old.rig, photo) @ turns
        was_photo, now_photo = (one.posed(photo_turns, root)[0] for one in (old, new))
        raised = float(was_photo[skin, 2].min() - now_photo[skin, 2].min())
    return Reshaped((now + lift - was).astype(np.float32), _moved_rig(rig, old_rig, new_rig, lift), raised)


def _rest_turns(resting: RigData, rig: RigData) -> np.ndarray:
    """(B, 3, 3) for each bone of `resting`: its turn from the template's rest to that of the armature `rig`.

    A bone that points where the trunk's turn takes it has that turn: then its roll alone was changed, which moves nothing.
    """
    at = {name: k for k, name in enumerate(rig.names)}
    shown, wanted = rig.axes(), resting.axes()
    trunk = _trunk(rig) @ _trunk(resting).T
    out = np.tile(np.eye(3), (len(resting.names), 1, 1))
    for k, name in enumerate(resting.names):
        parent = resting.parents[k]
        if name not in at or name not in BONES:
            out[k] = out[parent] if parent >= 0 else trunk
        elif (trunk @ wanted[k, :, 1]) @ shown[at[name], :, 1] > SAME_WAY:
            out[k] = trunk
        else:
            out[k] = shown[at[name]] @ wanted[k].T
    return out


def _trunk(rig: RigData) -> np.ndarray:
    """(3, 3) rotation: y from the pelvis to the chest, x from hip to hip. The axes of the template where bones are missing."""
    at = {name: k for k, name in enumerate(rig.names)}
    if not {"spine", "spine.003", "thigh.L", "thigh.R"} <= set(at):
        return np.eye(3)
    pelvis, chest, left, right = (rig.heads[at[name]].astype(np.float64) for name in ("spine", "spine.003", "thigh.L", "thigh.R"))
    return two_axis_frame(chest - pelvis, left - right, "yx")


def _followed(rig: RigData, turns: Mapping[str, np.ndarray]) -> np.ndarray:
    """(B, 3, 3) of all bones; those without a turn of their own go with their parent."""
    out = np.tile(np.eye(3), (len(rig.names), 1, 1))
    for k, name in enumerate(rig.names):
        parent = rig.parents[k]
        out[k] = turns.get(name, out[parent] if parent >= 0 else out[k])
    return out


def _moved_rig(rig: RigData, before: RigData, after: RigData, lift: np.ndarray) -> RigData:
    """The armature with the difference of two rigs on its bones."""
    at = {name: k for k, name in enumerate(before.names)}
    own = np.array([k for k, name in enumerate(rig.names) if name in at], np.int64)
    known = np.array([at[rig.names[k]] for k in own], np.int64)
    heads, tails, z_axes = rig.heads.copy(), rig.tails.copy(), rig.z_axes.copy()
    heads[own] += (after.heads - before.heads + lift)[known]
    tails[own] += (after.tails - before.tails + lift)[known]
    rolled = (after.axes() @ np.swapaxes(before.axes(), 1, 2))[known]
    z_axes[own] = np.einsum("bij,bj->bi", rolled, rig.z_axes[own])
    return replace(rig, heads=heads, tails=tails, z_axes=z_axes)


@dataclass(frozen=True, eq=False)
class Attachment:
    """Points that go with a surface: each with the NEAR nearest of its points, the nearer the more.

    near     (n, k) int64 rows of the surface's points
    weights  (n, k) float32, rows add up to 1
    """

    near: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray, surface: np.ndarray) -> Attachment:
        """Of (n, 3) points to (m, 3) points of a surface, both finite, one space."""
        points, surface = points.astype(np.float32), surface.astype(np.float32)
        count = min(NEAR, len(surface))
        near, square = np.zeros((len(points), count), np.int64), np.ones((len(points), count), np.float32)
        blocks = np.unique(np.floor(points / BLOCK).astype(np.int64), axis=0, return_inverse=True)[1].ravel()
        order = np.argsort(blocks, kind="stable")
        for rows in np.split(order, np.cumsum(np.bincount(blocks))[:-1]) if len(points) else ():
            own = points[rows]
            middle = (own.min(axis=0) + own.max(axis=0)) / 2
            reach = np.linalg.norm(own - middle, axis=1).max()
            away = np.linalg.norm(surface - middle, axis=1)
            # Its own nearest are at most `reach` further from any point of the block, and that point `reach` from the middle.
            candidates = np.flatnonzero(away <= np.partition(away, count - 1)[count - 1] + 2 * reach + SOFT)
            chosen, square[rows] = _nearest(own, surface[candidates], count)
            near[rows] = candidates[chosen]
        weights = 1 / (square + SOFT**2)
        return cls(near, weights / weights.sum(axis=1, keepdims=True))

    def moves(self, of_surface: np.ndarray) -> np.ndarray:
        """(n, 3) float32: how far the points go when those of the surface go by (m, 3)."""
        return np.einsum("nk,nki->ni", self.weights, of_surface[self.near].astype(np.float32))


def _nearest(points: np.ndarray, others: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, count) rows of the nearest of the others, in no order, and the squares of their distances."""
    near = []
    centred = others - others.mean(axis=0)
    lengths = (centred**2).sum(axis=1)
    for chunk in np.array_split(points, 1 + len(points) * len(others) // CELLS):
        order = lengths - 2 * ((chunk - others.mean(axis=0)) @ centred.T)  # of squared distances, but for the chunk's own lengths
        near.append(np.argpartition(order, count - 1, axis=1)[:, :count])
    rows = np.concatenate(near)
    return rows, ((points[:, None] - others[rows]) ** 2).sum(axis=2)
