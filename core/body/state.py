"""The unknowns of a fit as one vector, and the points of a body with their derivatives by it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.rotations import rotation_from_vector
from .evaluate import (
    Frames,
    Posture,
    Selection,
    Shape,
    coefficient_slopes,
    frames,
    shape_slopes,
    shape_slopes_along,
    turn_slopes,
    turn_slopes_along,
)
from .phenotype import HIGHEST, LOWEST, PHENOTYPES
from .skeleton import BONES
from .template import template

FARTHEST = 4.0  # standard deviations of a shape: beyond, bodies are no longer people's


@cache
def columns() -> dict[str, slice]:
    """Where each kind of unknown lies in the vector: translation, turns (3 a bone), phenotype, body, head, face."""
    sizes = {
        "translation": 3, "turns": 3 * len(BONES), "phenotype": len(PHENOTYPES), "body": template().counts[1],
        "head": template().counts[2], "face": len(template().unit_names),
    }  # fmt: skip
    ends = np.cumsum(list(sizes.values()))
    return {name: slice(int(end - size), int(end)) for (name, size), end in zip(sizes.items(), ends, strict=True)}


def unknowns() -> int:
    """The length of the vector."""
    return columns()["face"].stop


@dataclass(frozen=True, eq=False)
class State:
    """A body and how it stands; face (52,)."""

    shape: Shape
    posture: Posture
    face: np.ndarray

    def moved(self, step: np.ndarray) -> State:
        """The state after a (unknowns,) step; numbers with a range stay in it."""
        at = columns()
        turns = rotation_from_vector(step[at["turns"]].reshape(-1, 3)) @ self.posture.turns
        shape = Shape(
            np.clip(self.shape.phenotype + step[at["phenotype"]], LOWEST, HIGHEST),
            np.clip(self.shape.body + step[at["body"]], -FARTHEST, FARTHEST),
            np.clip(self.shape.head + step[at["head"]], -FARTHEST, FARTHEST),
        )
        return State(
            shape,
            Posture(turns, self.posture.translation + step[at["translation"]]),
            np.clip(self.face + step[at["face"]], 0.0, 1.0),
        )


@cache
def head_selection() -> Selection:
    """The points that the heads of bones are means of."""
    return Selection.of(np.unique(template().heads.entries[:, 1]))


def _head_means(values: np.ndarray) -> np.ndarray:
    """(B, ...) means of (n, ...) values at the points of `head_selection`."""
    heads, points = template().heads, head_selection().points
    place = np.searchsorted(points, heads.entries[:, 1])
    out = np.zeros((len(BONES), *values.shape[1:]))
    np.add.at(out, heads.entries[:, 0], heads.weights.reshape(-1, *[1] * (values.ndim - 1)) * values[place])
    return out


@dataclass(frozen=True, eq=False)
class Body:
    """A state's bones, and derivatives that all points share.

    coefficients  (K,) of the template's directions
    slopes        (K, S) their derivatives by phenotype, body and head
    skeleton      where the bones are
    head_slopes   (B, 3, S) of the bones' heads at rest
    """

    state: State
    coefficients: np.ndarray
    slopes: np.ndarray
    skeleton: Frames
    head_slopes: np.ndarray

    @classmethod
    def of(cls, state: State) -> Body:
        coefficients, slopes = state.shape.coefficients(), coefficient_slopes(state.shape)
        heads = head_selection()
        skeleton = frames(_head_means(heads.rest(coefficients)), state.posture)
        return cls(state, coefficients, slopes, skeleton, _head_means(heads.rest_slopes(slopes)))

    def rest(self, selection: Selection, units: np.ndarray | None = None) -> np.ndarray:
        """(n, 3) points at rest; units: (n, 3, 52) how the face moves them."""
        rest = selection.rest(self.coefficients)
        return rest if units is None else rest + units @ self.state.face

    def points(self, selection: Selection, units: np.ndarray | None = None) -> np.ndarray:
        """(n, 3) posed points, camera space."""
        return self.skeleton.place(self.rest(selection, units), selection.bones, selection.weights)

    def points_with_slopes(self, selection: Selection, units: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(n, 3) posed points, and (n, 3, unknowns) their derivatives."""
        at, rest = columns(), self.rest(selection, units)
        posed = self.skeleton.place(rest, selection.bones, selection.weights)
        out = np.zeros((len(posed), 3, unknowns()), np.float32)
        out[:, :, at["translation"]] = np.eye(3)
        out[:, :, at["turns"]] = turn_slopes(self.skeleton, selection, rest).reshape(len(posed), 3, -1)
        by_shape = shape_slopes(self.skeleton, selection, selection.rest_slopes(self.slopes), self.head_slopes)
        out[:, :, at["phenotype"].start : at["head"].stop] = by_shape
        if units is not None:
            matrices = np.einsum("nk,nkij->nij", selection.weights, self.skeleton.turns[selection.bones])
            out[:, :, at["face"]] = np.matmul(matrices.astype(np.float32), units.astype(np.float32))
        return posed, out

    def slopes_along(self, selection: Selection, rows: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """(m, unknowns) float32 derivatives of directions (m, 3) . points[rows]."""
        at, rest = columns(), self.rest(selection)
        out = np.zeros((len(rows), unknowns()), np.float32)
        out[:, at["translation"]] = directions
        out[:, at["turns"]] = turn_slopes_along(self.skeleton, selection, rest, rows, directions).reshape(
            len(rows), 3 * len(BONES)
        )
        out[:, at["phenotype"].start : at["head"].stop] = shape_slopes_along(
            self.skeleton, selection, selection.rest_slopes(self.slopes), self.head_slopes, rows, directions
        )
        return out


@cache
def unit_directions(points: bytes) -> np.ndarray:
    """(n, 3, 52) how the ARKit shapes move some points at rest; points: (n,) int64 as bytes."""
    t = template()
    wanted = np.frombuffer(points, np.int64)
    row = np.full(len(t.base), -1)
    row[wanted] = np.arange(len(wanted))
    at = row[t.unit_entries[:, 1]]
    out = np.zeros((len(wanted), 3, len(t.unit_names)))
    kept = at >= 0
    out[at[kept], :, t.unit_entries[kept, 0]] = t.unit_offsets[kept]
    return out
