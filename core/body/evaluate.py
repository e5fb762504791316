"""Shape, face and pose to the points of a body.

A point at rest is the base plus shape directions times coefficients plus face units. Its posed place is the mean of the places
that its bones give it (linear blend skinning). A bone turns about its head; turns are in the axes of the rest pose, in the frame
of the parent: R = exp(w), and the bone's turn in the posed body is A = A_parent R.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache

import numpy as np

from ..common.rotations import unit
from .phenotype import PHENOTYPES, choice_shares, choice_shares_with_slopes, mixture, mixture_slopes
from .skeleton import BONES
from .template import template


@dataclass(frozen=True, eq=False)
class Shape:
    """Who somebody is.

    phenotype  (11,) `phenotype.PHENOTYPES`
    body       (24,) principal directions of trunk and limbs, in standard deviations
    head       (40,) of head and face
    """

    phenotype: np.ndarray = field(default_factory=lambda: average_phenotype())
    body: np.ndarray = field(default_factory=lambda: np.zeros(template().counts[1]))
    head: np.ndarray = field(default_factory=lambda: np.zeros(template().counts[2]))

    def coefficients(self) -> np.ndarray:
        """(K,) of the template's directions, not to be written to."""
        return self._coefficients

    @cached_property
    def _coefficients(self) -> np.ndarray:
        shares = choice_shares(self.phenotype)
        return np.concatenate([mixture(shares, template().members) @ template().macro, self.body, self.head])

    def numbers(self) -> np.ndarray:
        """(11 + 24 + 40,) phenotype, body and head in one."""
        return np.concatenate([self.phenotype, self.body, self.head])

    @classmethod
    def of(cls, numbers: np.ndarray) -> Shape:
        """The shape of its `numbers`."""
        ends = np.cumsum([len(PHENOTYPES), template().counts[1]])
        return cls(*np.split(np.asarray(numbers, np.float64), ends))


def average_phenotype() -> np.ndarray:
    """(11,) of an adult in the middle of everything."""
    values = dict.fromkeys(PHENOTYPES, 0.5)
    values |= {"age": 0.68, "proportions": 0.6} | dict.fromkeys(("african", "asian", "caucasian"), 1 / 3)
    return np.array([values[name] for name in PHENOTYPES])


@dataclass(frozen=True, eq=False)
class Posture:
    """How a body stands.

    turns        (B, 3, 3) of BONES, each in its parent's frame, rest axes; that of the first bone turns the whole body
    translation  (3,) of the first bone's head from its place at rest
    """

    turns: np.ndarray
    translation: np.ndarray

    @classmethod
    def rest(cls) -> Posture:
        """The A-pose."""
        return cls(np.tile(np.eye(3), (len(BONES), 1, 1)), np.zeros(3))


@cache
def parents() -> np.ndarray:
    """(B,) row of each bone's parent, -1 for the first."""
    names = list(BONES)
    return np.array([-1 if parent is None else names.index(parent) for parent in BONES.values()])


@cache
def _rows_in_half() -> tuple[np.ndarray, np.ndarray]:
    """Row of `directions` for every point, and (P,) the sign of its x."""
    t = template()
    row = np.full(len(t.base), -1)
    row[t.half] = np.arange(len(t.half))
    sign = np.where(row < 0, -1.0, 1.0)
    return np.where(row < 0, row[t.mirror], row), sign


def rest_points(shape: Shape, face: np.ndarray | None = None) -> np.ndarray:
    """(P, 3) float32 points at rest; face: (52,) ARKit values."""
    t = template()
    points = _faceless(shape.coefficients().astype(np.float32).tobytes()).copy()
    if face is not None and np.any(face):
        weight = np.asarray(face, np.float32)[t.unit_entries[:, 0]]
        np.add.at(points, t.unit_entries[:, 1], weight[:, None] * t.unit_offsets)
    return points


@cache
def _head_directions() -> tuple[np.ndarray, np.ndarray]:
    """(r,) rows of `directions` that those of the head move, and (40, r * 3) float32 how: the time goes into reading them."""
    own = template().directions[-template().counts[2] :]
    rows = np.flatnonzero(own.any(axis=(0, 2)))
    return rows, np.ascontiguousarray(own[:, rows]).reshape(len(own), -1)


@lru_cache(maxsize=4)
def _faceless(coefficients: bytes) -> np.ndarray:
    """(P, 3) float32 points at rest. Frames of a clip and steps of a build ask for the same few people again and again."""
    t = template()
    values, (rows, of_head) = np.frombuffer(coefficients, np.float32), _head_directions()
    everywhere = len(values) - len(of_head)
    half = (values[:everywhere] @ t.directions[:everywhere].reshape(everywhere, -1)).reshape(-1, 3)
    half[rows] += (values[everywhere:] @ of_head).reshape(-1, 3)
    row, sign = _rows_in_half()
    offsets = half[row]
    offsets[:, 0] *= sign.astype(np.float32)
    return t.base + offsets


@cache
def _macro_by_phenotype() -> tuple[np.ndarray, np.ndarray]:
    t = template()
    return t.members, t.macro.astype(np.float64)


def coefficient_slopes(shape: Shape) -> np.ndarray:
    """(K, 11 + 24 + 40) derivatives of `Shape.coefficients` by phenotype, body and head."""
    members, macro = _macro_by_phenotype()
    shares, slopes = choice_shares_with_slopes(shape.phenotype)
    by_phenotype = macro.T @ mixture_slopes(shares, slopes, members)
    rest = template().counts[1] + template().counts[2]
    out = np.zeros((len(by_phenotype) + rest, len(PHENOTYPES) + rest))
    out[: len(by_phenotype), : len(PHENOTYPES)] = by_phenotype
    out[len(by_phenotype) :, len(PHENOTYPES) :] = np.eye(rest)
    return out


@dataclass(frozen=True, eq=False)
class Selection:
    """Some points of the template, for many evaluations: their base, directions and weights in one place.

    points      (n,) int64 rows of the template's points
    base        (n, 3) float64
    directions  (n * 3, K) float32
    bones       (n, 4) int64, weights (n, 4) float64
    """

    points: np.ndarray
    base: np.ndarray
    directions: np.ndarray
    bones: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray) -> Selection:
        """The directions of `points`, gathered once."""
        t = template()
        row, sign = _rows_in_half()
        directions = np.ascontiguousarray(t.directions[:, row[points]].transpose(1, 2, 0))
        directions[:, 0] *= sign[points][:, None].astype(np.float32)
        return cls(
            points,
            t.base[points].astype(np.float64),
            directions.reshape(len(points) * 3, -1),
            t.weight_bones[points].astype(np.int64),
            t.weights[points].astype(np.float64),
        )

    def rest(self, coefficients: np.ndarray, precision: type[np.floating] = np.float64) -> np.ndarray:
        """(n, 3) at rest, in the precision; not to be written to."""
        return _resting(self, coefficients.astype(np.float32).tobytes(), precision)


def by_numbers(directions: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """(n, S) float32 derivatives by phenotype, body and head of what (n, K) directions tell of the coefficients, from the (K, S)
    slopes of these as `coefficient_slopes` gives them."""
    macro, numbers = template().counts[0], len(PHENOTYPES)
    by_phenotype = directions[:, :macro] @ slopes[:macro, :numbers].astype(np.float32)
    return np.concatenate([by_phenotype, directions[:, macro:]], axis=1)


@lru_cache(maxsize=16)
def _resting(selection: Selection, coefficients: bytes, precision: type[np.floating]) -> np.ndarray:
    """(n, 3) at rest. Steps that change the posture alone, and a state that is looked at again, ask for the same."""
    moved = (selection.directions @ np.frombuffer(coefficients, np.float32)).reshape(-1, 3)
    return (selection.base + moved).astype(precision)


@dataclass(frozen=True, eq=False)
class Frames:
    """Where the bones of a posture are.

    rest   (B, 3) heads at rest
    turns  (B, 3, 3) A, rest axes to posed
    heads  (B, 3) posed
    """

    rest: np.ndarray
    turns: np.ndarray
    heads: np.ndarray

    def matrices(self) -> np.ndarray:
        """(12, B) how each bone moves a point at rest: the rows of its turn, and its shift."""
        shift = self.heads - np.einsum("bij,bj->bi", self.turns, self.rest)
        return np.concatenate([self.turns.reshape(-1, 9), shift], axis=1).T

    def place(self, points: np.ndarray, bones: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(n, 3) posed points of (n, 3) points at rest, computed in the precision of the points; bones, weights (n, k).

        Linear blend skinning: the mean of the bones' (3, 4) matrices moves a point. Each of their twelve numbers lies in a row of
        its own, so that what is added up point by point is read one after the other.
        """
        of_bone = self.matrices().astype(points.dtype)
        of_point, part = np.zeros((2, 12, len(points)), points.dtype)
        for bone, weight in zip(bones.T.astype(np.intp), weights.T.astype(points.dtype), strict=True):
            of_bone.take(bone, axis=1, out=part, mode="clip")  # the mode with which numpy writes into `out` itself
            part *= weight
            of_point += part
        turn, (x, y, z) = of_point[:9].reshape(3, 3, -1), points.T
        return np.ascontiguousarray((turn[:, 0] * x + turn[:, 1] * y + turn[:, 2] * z + of_point[9:]).T)


def frames(rest_heads: np.ndarray, posture: Posture) -> Frames:
    """Forward kinematics."""
    turns, heads = np.empty((len(BONES), 3, 3)), np.empty((len(BONES), 3))
    turns[0], heads[0] = posture.turns[0], rest_heads[0] + posture.translation
    for bone, parent in enumerate(parents()[1:], 1):
        turns[bone] = turns[parent] @ posture.turns[bone]
        heads[bone] = heads[parent] + turns[parent] @ (rest_heads[bone] - rest_heads[parent])
    return Frames(rest_heads, turns, heads)


@dataclass(frozen=True, eq=False)
class _Block:
    """Points of one region of the body, which few bones move: bones (k,), and weights (k, n) float32 of n points."""

    bones: np.ndarray
    weights: np.ndarray


REGIONS = ("spine.002", "spine.004", *(f"{bone}.{side}" for bone in ("upper_arm", "hand", "thigh") for side in "LR"))
"""Bones that begin a region of the body; what hangs on none of them belongs to the hips."""


@cache
def _blocks() -> tuple[np.ndarray, np.ndarray, tuple[_Block, ...]]:
    """All points of the template in blocks: (P,) the points in their order, (P,) where each of them lies, and the blocks."""
    t, names = template(), list(BONES)
    weights = np.zeros((len(t.base), len(names)), np.float32)
    np.add.at(weights, (np.arange(len(weights))[:, None], t.weight_bones.astype(np.intp)), t.weights)
    region = np.zeros(len(names), np.intp)
    for bone, name in enumerate(names[1:], 1):  # parents come first
        region[bone] = bone if name in REGIONS else region[parents()[bone]]
    of_point = region[weights.argmax(axis=1)]
    order, blocks = np.argsort(of_point, kind="stable"), []
    for start in np.unique(of_point):
        own = weights[of_point == start]
        bones = np.flatnonzero(own.any(axis=0))
        blocks.append(_Block(bones, np.ascontiguousarray(own[:, bones].T)))
    return order, np.argsort(order), tuple(blocks)


def pose_points(points: np.ndarray, posture: Posture) -> np.ndarray:
    """(P, 3) float64 posed points from (P, 3) points at rest, computed in float32: linear blend skinning of all of the template's
    points, block by block with the bones that move it."""
    order, place, blocks = _blocks()
    of_bone = frames(template().heads.of(points), posture).matrices().astype(np.float32)
    of_point = np.concatenate([of_bone[:, block.bones] @ block.weights for block in blocks], axis=1)
    turn, (x, y, z) = of_point[:9].reshape(3, 3, -1), points.astype(np.float32).T[:, order]
    out = turn[:, 0] * x
    out += turn[:, 1] * y
    out += turn[:, 2] * z
    out += of_point[9:]
    return out.T[place].astype(np.float64)


def vertex_normals(points: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """(n, 3) float64 unit normals at (n, 3) points, outwards, of (F, 4) counter-clockwise quads; larger faces count more.
    Zero for points of no quad."""
    a, b, c, d = quads.T
    (x, y, z), (u, v, w) = (points[far].astype(np.float64).T - points[near].T for far, near in ((c, a), (d, b)))
    across, corner = (y * w - z * v, z * u - x * w, x * v - y * u), quads.ravel()
    return unit(np.stack([np.bincount(corner, np.repeat(along, 4), len(points)) for along in across], axis=1))
