"""The unknowns of a fit as one vector, and the points of a body with their derivatives by it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from ..common.rotations import rotation_from_vector
from .carried import Carried, carried_by_shape, levers, turn_slopes, turn_slopes_along
from .evaluate import Frames, Posture, Selection, Shape, by_numbers, coefficient_slopes, frames
from .phenotype import HIGHEST, LOWEST, PHENOTYPES
from .skeleton import BONES
from .template import Means, template

HELD = {"jaw", "eye.L", "eye.R", *(f"palm.0{k}.{side}" for k in (1, 2, 3, 4) for side in "LR")}
"""Bones that no photo turns: the face moves by its units, palms are stiff."""
TURNING = np.array([row for row, bone in enumerate(BONES) if bone not in HELD])
FARTHEST = 4.0  # standard deviations of a shape: beyond, bodies are no longer people's


@cache
def columns() -> dict[str, slice]:
    """Where each kind of unknown lies in the vector: translation, turns (3 of each TURNING bone), face; then the shape's:
    phenotype, body, head."""
    sizes = {
        "translation": 3, "turns": 3 * len(TURNING), "face": len(template().unit_names),
        "phenotype": len(PHENOTYPES), "body": template().counts[1], "head": template().counts[2],
    }  # fmt: skip
    ends = np.cumsum(list(sizes.values()))
    return {name: slice(int(end - size), int(end)) for (name, size), end in zip(sizes.items(), ends, strict=True)}


def unknowns(shaped: bool = True) -> int:
    """The length of the vector, or of its part before the shape."""
    return columns()["head" if shaped else "face"].stop


@dataclass(frozen=True, eq=False)
class State:
    """A body and how it stands; face (52,)."""

    shape: Shape
    posture: Posture
    face: np.ndarray

    def moved(self, step: np.ndarray) -> State:
        """The state after a (unknowns,) step; numbers with a range stay in it."""
        at = columns()
        turns = self.posture.turns.copy()
        turns[TURNING] = rotation_from_vector(step[at["turns"]].reshape(-1, 3)) @ turns[TURNING]
        shape = self.shape
        if step[at["face"].stop :].any():
            shape = Shape(
                np.clip(shape.phenotype + step[at["phenotype"]], LOWEST, HIGHEST),
                np.clip(shape.body + step[at["body"]], -FARTHEST, FARTHEST),
                np.clip(shape.head + step[at["head"]], -FARTHEST, FARTHEST),
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
        return heads.of(by_numbers(selection.directions, self.slopes).astype(np.float64).reshape(len(selection.points), 3, -1))

    def points(self, selection: Selection) -> np.ndarray:
        """(n, 3) float32 posed points, camera space, of a face without expression."""
        return self.skeleton.place(selection.rest(self.coefficients, np.float32), selection.bones, selection.weights)

    def means(self, carried: Carried) -> np.ndarray:
        """(m, 3) means of posed points, camera space, NaN where one has no parts; the face moves them."""
        return carried.summed(carried.placed(self.skeleton, carried.rest(self.coefficients, self.state.face)))

    def means_with_slopes(self, carried: Carried, shaped: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """(m, 3) `means`, and (m, 3, unknowns) float32 their derivatives, without those by the shape where they are not asked for
        (`shaped`). A mean without parts has no derivatives that mean anything."""
        at, turned = columns(), self.skeleton.turns[carried.bone].astype(np.float32)
        placed = carried.placed(self.skeleton, carried.rest(self.coefficients, self.state.face))
        arm = levers(self.skeleton, carried.bone, carried.mean, placed, carried.weight, carried.count)
        out = np.zeros((carried.count, 3, unknowns(shaped)), np.float32)
        out[:, :, at["translation"]] = np.eye(3)
        out[:, :, at["turns"]] = turn_slopes(self.skeleton, arm, TURNING)
        out[:, :, at["face"]] = carried.summed(np.matmul(turned, carried.units))
        if shaped:
            of_parts = by_numbers(carried.directions, self.slopes).reshape(len(turned), 3, -1)
            of_bones = carried_by_shape(self.skeleton, self.head_slopes)[carried.bone].astype(np.float32)
            weight = carried.weight[:, None, None].astype(np.float32)
            out[:, :, at["face"].stop :] = carried.summed(np.matmul(turned, of_parts) + weight * of_bones)
        return carried.summed(placed), out

    def slopes_along(self, selection: Selection, rows: np.ndarray, directions: np.ndarray, shaped: bool = True) -> np.ndarray:
        """(m, unknowns) float32 derivatives of directions (m, 3) . points[rows]; without those by face and shape where those by
        the shape are not asked for (`shaped`). The face moves none of these points."""
        at, skeleton, count = columns(), self.skeleton, len(rows)
        weights, rest = selection.weights[rows], selection.rest(self.coefficients)[rows]
        row, k = np.nonzero(weights)
        bone, weight = selection.bones[rows[row], k], weights[row, k]
        away = np.einsum("eij,ej->ei", skeleton.turns[bone], rest[row] - skeleton.rest[bone]) + skeleton.heads[bone]
        arm = levers(skeleton, bone, row, weight[:, None] * away, weight, count)
        out = np.zeros((count, unknowns() if shaped else at["turns"].stop), np.float32)
        out[:, at["translation"]] = directions
        out[:, at["turns"]] = turn_slopes_along(skeleton, arm, directions, TURNING)
        if shaped:
            matrices = np.einsum("nk,nkij->nij", weights, skeleton.turns[selection.bones[rows]])
            at_rest = np.einsum("ni,nij->nj", directions, matrices).astype(np.float32)
            moves = np.matmul(at_rest[:, None], selection.directions.reshape(len(selection.points), 3, -1)[rows])[:, 0]
            along = np.zeros((count, len(BONES), 3), np.float32)
            along[row, bone] = weight[:, None] * directions[row]
            of_bones = carried_by_shape(skeleton, self.head_slopes).astype(np.float32)
            carried = along.reshape(count, 3 * len(BONES)) @ of_bones.reshape(3 * len(BONES), -1)
            out[:, at["face"].stop :] = by_numbers(moves, self.slopes) + carried
        return out
