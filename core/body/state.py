"""The unknowns of a fit as one vector, and the points of a body with their derivatives by it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

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
from .template import Means, template

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
def _heads() -> tuple[Selection, Means]:
    """The points that the heads of bones are means of, and the means over them."""
    points = np.unique(template().heads.entries[:, 1])
    return Selection.of(points), template().heads.over(points)


@dataclass(frozen=True, eq=False)
class Body:
    """A state's bones, and derivatives that all points share.

    coefficients  (K,) of the template's directions
    skeleton      where the bones are
    """

    state: State
    coefficients: np.ndarray
    skeleton: Frames

    @classmethod
    def of(cls, state: State) -> Body:
        coefficients = state.shape.coefficients()
        selection, heads = _heads()
        return cls(state, coefficients, frames(heads.of(selection.rest(coefficients)), state.posture))

    @cached_property
    def slopes(self) -> np.ndarray:
        """(K, S) derivatives of the coefficients by phenotype, body and head."""
        return coefficient_slopes(self.state.shape)

    @cached_property
    def head_slopes(self) -> np.ndarray:
        """(B, 3, S) derivatives of the bones' heads at rest."""
        selection, heads = _heads()
        return heads.of(selection.rest_slopes(self.slopes).astype(np.float64))

    def rest(self, selection: Selection, units: np.ndarray | None = None) -> np.ndarray:
        """(n, 3) points at rest; units: (n, 3, 52) how the face moves them."""
        rest = selection.rest(self.coefficients)
        return rest if units is None else rest + units @ self.state.face

    def points(self, selection: Selection, units: np.ndarray | None = None) -> np.ndarray:
        """(n, 3) posed points, camera space."""
        return self.skeleton.place(self.rest(selection, units), selection.bones, selection.weights)

    def means_with_slopes(
        self, selection: Selection, means: Means, units: np.ndarray | None = None, shaped: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        """(m, 3) means of posed points, and (m, 3, unknowns) float32 their derivatives; zero by the shape where it is not asked
        for (`shaped`). A mean without entries has no place, NaN, and no derivatives that mean anything."""
        at, rest = columns(), self.rest(selection, units)
        places = means.of(self.skeleton.place(rest, selection.bones, selection.weights))
        out = np.zeros((len(places), 3, unknowns()), np.float32)
        out[:, :, at["translation"]] = np.eye(3)
        out[:, :, at["turns"]] = turn_slopes(self.skeleton, selection, rest, means).reshape(len(places), 3, -1)
        if shaped:
            by_shape = shape_slopes(self.skeleton, selection, selection.rest_slopes(self.slopes), self.head_slopes)
            out[:, :, at["phenotype"].start : at["head"].stop] = means.of(by_shape)
        if units is not None:
            matrices = np.einsum("nk,nkij->nij", selection.weights, self.skeleton.turns[selection.bones])
            out[:, :, at["face"]] = means.of(np.matmul(matrices.astype(np.float32), units.astype(np.float32)))
        return places, out

    def slopes_along(self, selection: Selection, rows: np.ndarray, directions: np.ndarray, shaped: bool = True) -> np.ndarray:
        """(m, unknowns) float32 derivatives of directions (m, 3) . points[rows]; `shaped` as above."""
        at, rest = columns(), self.rest(selection)
        out = np.zeros((len(rows), unknowns()), np.float32)
        out[:, at["translation"]] = directions
        out[:, at["turns"]] = turn_slopes_along(self.skeleton, selection, rest, rows, directions).reshape(
            len(rows), 3 * len(BONES)
        )
        if shaped:
            out[:, at["phenotype"].start : at["head"].stop] = shape_slopes_along(
                self.skeleton, selection, selection.rest_slopes(self.slopes), self.head_slopes, rows, directions
            )
        return out


def unit_directions(points: np.ndarray) -> np.ndarray:
    """(n, 3, 52) how the ARKit shapes move (n,) of the points at rest."""
    t = template()
    row = np.full(len(t.base), -1)
    row[points] = np.arange(len(points))
    at = row[t.unit_entries[:, 1]]
    out = np.zeros((len(points), 3, len(t.unit_names)))
    kept = at >= 0
    out[at[kept], :, t.unit_entries[kept, 0]] = t.unit_offsets[kept]
    return out
