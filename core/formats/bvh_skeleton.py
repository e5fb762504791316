"""The joints of a BVH file as they move: where each is and how it is turned in every frame, in the axes and units of the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..common.quaternions import rotation_from_euler
from ..common.rotations import angle_between, shortest_arc
from .bvh_text import CHANNELS, BvhText, Joint

OFF = np.radians(5.0)  # where a joint is so far, in half of the frames, from where its parent's rotation puts it, places count
STILL = 0.05  # of its length that a bone's place may change by and stand still


@dataclass(frozen=True, eq=False)
class Skeleton:
    """J joints over F frames.

    names    unique
    parents  (J,) int32 index, -1 = none; parents before children
    offsets  (J, 3) from the parent (of a root: from the origin) when nothing is turned
    ends     (J, 3) end site from the joint; NaN = none
    turns    (F, J, 3, 3) what the motion adds to the zero pose, in the axes of the file
    heads    (F, J, 3)
    """

    names: tuple[str, ...]
    parents: np.ndarray
    offsets: np.ndarray
    ends: np.ndarray
    turns: np.ndarray
    heads: np.ndarray

    def trees(self) -> list[Skeleton]:
        """The skeleton of each root by itself, those with most joints first."""
        tops = np.arange(len(self.names))
        for n, parent in enumerate(self.parents.tolist()):
            if parent >= 0:
                tops[n] = tops[parent]
        roots, counts = np.unique(tops, return_counts=True)
        return [self._part(np.flatnonzero(tops == root)) for root in roots[np.argsort(-counts, kind="stable")]]

    def _part(self, chosen: np.ndarray) -> Skeleton:
        place = np.full(len(self.names) + 1, -1, np.int32)
        place[chosen] = np.arange(len(chosen))
        return Skeleton(
            tuple(self.names[n] for n in chosen),
            place[self.parents[chosen]],
            self.offsets[chosen],
            self.ends[chosen],
            self.turns[:, chosen],
            self.heads[:, chosen],
        )

    def mirrored(self) -> Skeleton:
        """The skeleton reflected in x = 0, under the same names."""
        flip = np.array([-1.0, 1.0, 1.0])
        turns = self.turns * flip[:, None] * flip
        return Skeleton(self.names, self.parents, self.offsets * flip, self.ends * flip, turns, self.heads * flip)

    def posed(self, turns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Heads and tails (J, 3) of a pose without travel: turns (J, 3, 3) from the zero pose.

        A bone ends at the mean of its children, at its end site, or a little way on.
        """
        heads = np.array(self.offsets)
        for n, parent in enumerate(self.parents.tolist()):
            if parent >= 0:
                heads[n] = heads[parent] + turns[parent] @ self.offsets[n]
        tails = np.empty_like(heads)
        long = np.linalg.norm(self.offsets, axis=1) > 1e-9
        for n, parent in enumerate(self.parents.tolist()):
            children = np.flatnonzero((self.parents == n) & long)
            if len(children):
                tails[n] = heads[children].mean(axis=0)
            elif np.linalg.norm(np.nan_to_num(self.ends[n])) > 1e-9:
                tails[n] = heads[n] + turns[n] @ self.ends[n]
            else:
                carried = turns[parent] if parent >= 0 else np.eye(3)
                tails[n] = heads[n] + carried @ (self.offsets[n] if long[n] else np.array([0.0, 1.0, 0.0]))
        return heads, tails


def skeleton_of(text: BvhText) -> Skeleton:
    """The joints of a file as they move."""
    joints, frames = text.joints, len(text.values)
    parents = np.array([joint.parent for joint in joints], np.int32)
    offsets = np.array([joint.offset for joint in joints])
    local = np.tile(offsets, (frames, 1, 1))
    given = np.zeros(offsets.shape, bool)
    turns = np.empty((frames, len(joints), 3, 3))
    column = 0
    for n, joint in enumerate(joints):
        values = text.values[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        own = np.broadcast_to(np.eye(3), (frames, 3, 3))
        for channel, value in zip(joint.channels, values.T, strict=True):
            axis, kind = CHANNELS[channel]
            if kind == "rotation":
                angles = np.zeros((frames, 3))
                angles[:, "XYZ".index(axis)] = np.radians(value)
                own = own @ rotation_from_euler(angles)
            elif kind == "position":
                local[:, n, "XYZ".index(axis)] = value
                given[n, "XYZ".index(axis)] = True
        turns[:, n] = own if joint.parent < 0 else turns[:, joint.parent] @ own
    local = _placed(local, offsets, given)
    inner = np.flatnonzero(given.all(axis=1) & (parents >= 0))
    offsets[inner] = _steady_offsets(local[:, inner], offsets[inner])
    heads = np.empty((frames, len(joints), 3))
    for n, parent in enumerate(parents.tolist()):
        heads[:, n] = local[:, n]
        if parent >= 0:
            heads[:, n] = heads[:, parent] + (turns[:, parent] @ local[:, n, :, None])[..., 0]
    _follow_places(turns, local, offsets, parents)
    nothing = np.full(3, np.nan)
    ends = np.array([nothing if joint.end is None else joint.end for joint in joints])
    return Skeleton(_unique(joints), parents, offsets, ends, turns, heads)


def _follow_places(turns: np.ndarray, local: np.ndarray, offsets: np.ndarray, parents: np.ndarray) -> None:
    """Turn (F, J, 3, 3) the joints whose children are elsewhere than their rotations say: in files that move joints by place."""
    off = np.median(angle_between(local, np.broadcast_to(offsets, local.shape)), axis=0)
    if off[parents >= 0].max(initial=0.0) < OFF:
        return
    long = np.linalg.norm(offsets, axis=1) > 1e-9
    for n in range(len(parents)):
        children = np.flatnonzero((parents == n) & long)
        if not len(children):
            continue
        wanted, own = local[:, children], offsets[children]
        if len(children) == 1:
            more = shortest_arc(np.broadcast_to(own[0], wanted[:, 0].shape), wanted[:, 0])
        else:
            left, _, right = np.linalg.svd(np.einsum("fni,nj->fij", wanted, own))
            left[..., 2] *= np.linalg.det(left @ right)[:, None]
            more = left @ right
        turns[:, n] = turns[:, n] @ more


def _placed(local: np.ndarray, offsets: np.ndarray, given: np.ndarray) -> np.ndarray:
    """(F, J, 3) places of joints from their parents. What programs write as positions is that, or what is added to the offset:
    then it is much the smaller.

    given  (J, 3) bool: there is a channel for this axis
    """
    instead = np.linalg.norm(local - offsets, axis=-1).sum(axis=0)
    added = np.linalg.norm(np.where(given, local, 0.0), axis=-1).sum(axis=0)
    adds = given & (added < 0.5 * instead)[:, None]
    return np.where(adds, local + offsets, local)


def _steady_offsets(local: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """(n, 3) offsets at rest: what the positions say where they hold still and say otherwise; of offsets of zero, the first."""
    middle = np.median(local, axis=0)
    length = np.linalg.norm(middle, axis=-1)
    still = np.linalg.norm(local - middle, axis=-1).max(axis=0) < STILL * length
    other = np.linalg.norm(middle - offsets, axis=-1) > 0.05 * length
    nothing = np.linalg.norm(offsets, axis=-1) < 1e-9
    return np.where((still & other)[:, None], middle, np.where(nothing[:, None], local[0], offsets))


def _unique(joints: Sequence[Joint]) -> tuple[str, ...]:
    taken: set[str] = set()
    out = []
    for joint in joints:
        name, count = joint.name, 0
        while name in taken:
            count += 1
            name = f"{joint.name}.{count:03d}"
        taken.add(name)
        out.append(name)
    return tuple(out)
