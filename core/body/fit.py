"""Fit the template body to photos of one person: first postures in closed form, then damped Gauss-Newton in stages.

Unknowns are the shape, which all photos share, and posture and face of each. A step solves the normal equations of robustly
weighted residuals: joints, keypoints in the image, the surface where it is seen, the outline, and what is likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ..capture.provenance import is_drawn
from ..common.arrays import Camera, Pose
from ..common.errors import SapiensError
from ..common.predictions import Predictions
from .agreement import DRAWN_NOISE, NOISE, Agreement, spread_between
from .evaluate import Posture, Shape, rest_points
from .evidence import DRAWN_DEPTH, Evidence, gather
from .fitted import BodyFit, guessed_bones, guessed_sentence
from .hanging import hang_unseen
from .initial_posture import initial_posture
from .residuals import Rows, Stage, gather_rows
from .state import Body, State, columns, unknowns
from .template import template

POSTURE = ("translation", "turns")
SHAPE = ("phenotype", "body", "head")
STAGES = (
    Stage(3, POSTURE),
    Stage(5, (*POSTURE, "phenotype", "body")),
    Stage(4, (*POSTURE, "phenotype", "body"), joints=0.7, fingers=1.0, image=0.5, reach=0.15),
    Stage(6, (*POSTURE, *SHAPE, "face"), joints=0.4, fingers=0.9, image=1.5, reach=0.06),
)
FURTHER = (Stage(1, POSTURE), Stage(2, (*POSTURE, "face"), joints=0.4, fingers=0.9, image=1.5, reach=0.06))
"""For a known person who stood nearly so a frame ago: within 3.5 mm of what all stages find, from 2 degrees in every joint.

A step less leaves a half more of what was off. A frame takes about 0.05 s of one core, so clips go by their joints alone."""
ALIGNED = Stage(4, POSTURE, joints=0.4, fingers=0.9, image=1.5, reach=0.06)
OWN = 10.0
"""The last stage where maps are drawn, and how much more freely each photo then has its own posture: who the person is was found
by all of them together, and now they stand on the pixels of each, or textures of several photos would not meet."""
DAMPING, LEAST_DAMPING = 1e-2, 1e-4
LONGEST_TURN = 0.6  # radians of one bone in one step


@dataclass(frozen=True, eq=False)
class Sighting:
    """One person in one photo.

    person  row of the predictions' keypoints
    mask    (H, W) bool, the person's pixels; None = everybody's
    start   a posture to begin with, of the frame before; None = from the joints
    """

    predictions: Predictions
    camera: Camera
    pose: Pose
    person: int = 0
    mask: np.ndarray | None = None
    start: Posture | None = None

    def evidence(self) -> Evidence:
        """Raises SapiensError where the joints are not known."""
        mask = self.mask
        if mask is None and self.predictions.seg is not None:
            mask = self.predictions.seg > 0
        if not np.isfinite(self.pose.positions).all():
            raise SapiensError("The joints of this person are not known.", "Draw a box round the person and predict again.")
        return gather(self.predictions, self.person, self.camera, self.pose, mask)


def fit_sightings(
    sightings: Sequence[Sighting], shape: Shape | None = None, stages: Sequence[Stage] | None = None
) -> list[BodyFit]:
    """The body of one person in each of some photos, with one shape.

    shape   who it is, where that is known already
    stages  None = STAGES, or FURTHER for a known person where every sighting has a posture to begin with

    The same input gives the same bytes. Raises SapiensError where the joints of the person are not known.
    """
    evidence = [sighting.evidence() for sighting in sightings]
    states = [_first(e, shape or Shape(), sighting.start) for e, sighting in zip(evidence, sightings, strict=True)]
    if stages is None:
        stages = FURTHER if shape is not None and all(sighting.start is not None for sighting in sightings) else STAGES
    if len(evidence) > 1:
        evidence = [
            replace(e, depth_spread=DRAWN_DEPTH) if is_drawn(sighting.predictions) else e
            for e, sighting in zip(evidence, sightings, strict=True)
        ]
    noise = DRAWN_NOISE if any(e.drawn for e in evidence) else NOISE
    spreads = np.array([spread_between(one.pose, other.pose, noise) for one, other in combinations(evidence, 2)])
    for stage in stages:
        free = stage.free if shape is None else tuple(name for name in stage.free if name not in SHAPE)
        states = _settled(states, evidence, stage, free, spreads)
    if any(e.drawn for e in evidence):
        states = _settled(states, evidence, ALIGNED, ALIGNED.free, spreads * OWN)
    shown = np.any([e.shown for e in evidence], axis=0)
    return [_described(state, e, shown) for state, e in zip(states, evidence, strict=True)]


def _first(evidence: Evidence, shape: Shape, start: Posture | None) -> State:
    face = np.zeros(len(template().unit_names))
    if start is not None:
        return State(shape, start, face)
    rest = rest_points(shape).astype(np.float64)
    t, pose = template(), evidence.pose
    posture = initial_posture(
        t.joints.of(rest),
        pose.positions.astype(np.float64),
        t.keypoints.of(rest),
        pose.surface.astype(np.float64),
        t.heads.of(rest),
    )
    return State(shape, posture, face)


def _free_columns(names: tuple[str, ...]) -> np.ndarray:
    """Columns of a state's vector that may change, ascending."""
    at = columns()
    if not names:
        return np.zeros(0, np.int64)
    return np.concatenate([np.arange(at[name].start, at[name].stop) for name in at if name in names])


def _settled(
    states: list[State], evidence: list[Evidence], stage: Stage, free: tuple[str, ...], spreads: np.ndarray
) -> list[State]:
    """The states after the steps of a stage; spreads: of `Agreement`."""
    own, shared = (_free_columns(tuple(n for n in free if (n in SHAPE) == common)) for common in (False, True))
    tightness, damping = 1 / np.sqrt(len(states)), DAMPING
    bodies = [Body.of(state) for state in states]
    for _ in range(stage.steps):
        agreement = Agreement.of([body.state.posture for body in bodies], spreads)
        rows = [gather_rows(b, e, stage, tightness, shaped=len(shared) > 0) for b, e in zip(bodies, evidence, strict=True)]
        normal, gradient = _normal_equations(rows, own, shared)
        agreement.add_to(normal, gradient, own)
        before = sum(map(_cost, rows)) + agreement.cost()
        for _ in range(4):
            step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), gradient)
            candidates = [Body.of(body.state.moved(_step_of(step, k, own, shared, len(bodies)))) for k, body in enumerate(bodies)]
            after = [gather_rows(b, e, stage, tightness, like=r) for b, e, r in zip(candidates, evidence, rows, strict=True)]
            if sum(map(_cost, after)) + agreement.cost([body.state.posture for body in candidates]) < before:
                bodies, damping = candidates, max(damping / 3, LEAST_DAMPING)
                break
            damping *= 8
        else:
            break
    return [body.state for body in bodies]


def _step_of(step: np.ndarray, photo: int, own: np.ndarray, shared: np.ndarray, photos: int) -> np.ndarray:
    """(unknowns,) of one photo, from the step of all: each photo's own columns in turn, then the shared ones."""
    out = np.zeros(unknowns())
    out[own] = step[photo * len(own) : (photo + 1) * len(own)]
    out[shared] = step[photos * len(own) :]
    turns = columns()["turns"]
    out[turns] = np.clip(out[turns], -LONGEST_TURN, LONGEST_TURN)
    return out


def _normal_equations(rows: list[Rows], own: np.ndarray, shared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and right side over each photo's own unknowns in turn, then the shared ones."""
    size = len(rows) * len(own) + len(shared)
    normal, gradient = np.zeros((size, size)), np.zeros(size)
    both = np.concatenate([own, shared])
    for k, photo in enumerate(rows):
        square, pull = np.zeros((both.max() + 1,) * 2, np.float32), np.zeros(both.max() + 1, np.float32)
        for slopes, residual in zip(photo.slopes, photo.residuals, strict=True):
            slopes = slopes[:, : len(pull)]
            width = slopes.shape[1]
            square[:width, :width] += slopes.T @ slopes
            pull[:width] += slopes.T @ residual.astype(np.float32)
        place = np.concatenate([np.arange(k * len(own), (k + 1) * len(own)), np.arange(size - len(shared), size)])
        normal[place[:, None], place] += square[both[:, None], both]
        gradient[place] += pull[both]
    return normal, gradient


def _cost(rows: Rows) -> float:
    return float(sum(r @ r for r in rows.residuals))


def _described(state: State, evidence: Evidence, shown: np.ndarray) -> BodyFit:
    """The state with what was guessed at ease, and in words; shown: (68,) bool, joints that some photo shows."""
    unseen = guessed_bones(evidence.pose)
    doubt = " ".join(filter(None, (evidence.pose.doubt, guessed_sentence(unseen))))
    posture = hang_unseen(state.shape, state.posture, shown, evidence)
    return BodyFit(state.shape, posture, state.face, unseen, doubt)


def fit_photo(
    predictions: Predictions,
    person: int = 0,
    *,
    camera: Camera,
    pose: Pose,
    mask: np.ndarray | None = None,
    shape: Shape | None = None,
    stages: Sequence[Stage] | None = None,
) -> BodyFit:
    """The body of one person in one photo; see `Sighting` and `fit_sightings`."""
    (fit,) = fit_sightings([Sighting(predictions, camera, pose, person, mask)], shape, stages)
    return fit
