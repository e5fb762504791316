"""Fit the template body to what one photo says: first posture in closed form, then damped Gauss-Newton in stages.

Unknowns are posture, shape and face at once (`state`). Each step solves the normal equations of robustly weighted residuals:
joints, keypoints in the image, the surface where it is seen, the outline, and what is likely (`priors`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.arrays import Camera, Pose
from ..common.errors import SapiensError
from ..common.landmarks import joint_keypoints
from ..common.predictions import Predictions
from .correspondence import Pulls, compared_vertices, normals_at, outline_pulls, ring_points, surface_pulls
from .evaluate import Posture, Selection, Shape
from .evidence import MIN_SCORE, Evidence, gather
from .fitted import BodyFit
from .initial_posture import initial_posture
from .priors import prior_rows
from .skeleton import BONES
from .state import Body, State, columns, unit_directions, unknowns
from .template import Means, template

JOINT_SPREAD, GUESSED_SPREAD = 0.012, 0.10  # metres: of joints that were seen, and of those that were filled in
KEYPOINT_SPREAD = 2.5  # pixels at 1024
SKIN_POINT_SPREAD = 0.006  # metres, of keypoints on the skin
DAMPING = 1e-2


@dataclass(frozen=True)
class Stage:
    """One part of the fit.

    steps    Gauss-Newton steps
    free     columns that may change
    joints   factor on the weight of the lifted joints
    image    factor on the weight of keypoints in the image and on the skin; 0 = not used
    reach    metres within which the surface pulls; 0 = it does not
    """

    steps: int
    free: tuple[str, ...]
    joints: float = 1.0
    image: float = 0.0
    reach: float = 0.0


POSTURE = ("translation", "turns")
STAGES = (
    Stage(3, POSTURE),
    Stage(5, (*POSTURE, "phenotype", "body")),
    Stage(4, (*POSTURE, "phenotype", "body"), 0.7, 0.5, 0.15),
    Stage(6, (*POSTURE, "phenotype", "body", "head", "face"), 0.35, 1.0, 0.06),
)


@cache
def _named() -> tuple[Selection, Means, Means]:
    """The points that joints and keypoints are means of, and both means over them."""
    t = template()
    points = np.unique(np.concatenate([t.joints.entries[:, 1], t.keypoints.entries[:, 1]])).astype(np.int64)

    def over(means: Means) -> Means:
        entries = np.stack([means.entries[:, 0], np.searchsorted(points, means.entries[:, 1])], axis=1)
        return Means(means.count, entries, means.weights)

    return Selection.of(points), over(t.joints), over(t.keypoints)


@cache
def _compared() -> Selection:
    return Selection.of(compared_vertices())


def fit_body(
    predictions: Predictions,
    person: int = 0,
    *,
    camera: Camera,
    pose: Pose,
    mask: np.ndarray | None = None,
    shape: Shape | None = None,
    start: Posture | None = None,
) -> BodyFit:
    """The body of one person in a photo.

    camera  of the photo
    pose    the person's joints (`core.pose.lift.lift_pose`)
    mask    (H, W) bool, the person's pixels; None = everybody's
    shape   who it is, where that is known: only posture and face are found
    start   a posture to begin with, of the frame before

    Raises SapiensError where not even the trunk is known.
    """
    if mask is None and predictions.seg is not None:
        mask = predictions.seg > 0
    evidence = gather(predictions, person, camera, pose, mask)
    if not np.isfinite(pose.positions).all():
        raise SapiensError("The joints of this person are not known.", "Draw a box round the person and predict again.")
    state = _first(evidence, shape or Shape(), start)
    for stage in STAGES:
        free = [name for name in stage.free if shape is None or name in (*POSTURE, "face")]
        state = _settled(state, evidence, stage, _columns_of(tuple(free)))
    return _described(state, evidence)


def _columns_of(free: tuple[str, ...]) -> np.ndarray:
    at = columns()
    held = {"jaw", "eye.L", "eye.R", *(f"palm.0{k}.{side}" for k in (1, 2, 3, 4) for side in "LR")}
    out = np.concatenate([np.arange(at[name].start, at[name].stop) for name in free])
    fixed = [at["turns"].start + 3 * k + i for k, bone in enumerate(BONES) if bone in held for i in range(3)]
    return out[~np.isin(out, fixed)]


def _first(evidence: Evidence, shape: Shape, start: Posture | None) -> State:
    face = np.zeros(len(template().unit_names))
    if start is not None:
        return State(shape, start, face)
    from .evaluate import rest_points

    rest = rest_points(shape).astype(np.float64)
    t, pose = template(), evidence.pose
    posture = initial_posture(
        t.joints.of(rest), pose.positions.astype(np.float64), t.keypoints.of(rest), pose.surface.astype(np.float64), t.heads.of(rest)
    )
    return State(shape, posture, face)


def _settled(state: State, evidence: Evidence, stage: Stage, free: np.ndarray) -> State:
    """The state after the steps of a stage."""
    damping = DAMPING
    for _ in range(stage.steps):
        body = Body.of(state)
        rows = _rows(body, evidence, stage)
        normal, gradient = _normal_equations(rows, free)
        before = _cost(rows)
        for _ in range(4):
            step = np.zeros(unknowns())
            step[free] = -np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), gradient)
            turns = columns()["turns"]
            step[turns] = np.clip(step[turns], -0.6, 0.6)
            candidate = state.moved(step)
            if _cost(_rows(Body.of(candidate), evidence, stage, rows)) < before:
                state, damping = candidate, max(damping / 3, 1e-4)
                break
            damping *= 8
        else:
            break
    return state


@dataclass(frozen=True, eq=False)
class _Rows:
    """Residuals in standard deviations with their derivatives (None where only the residuals were asked for), and what they
    were made with, so that another state is compared with the same."""

    residuals: list[np.ndarray]
    slopes: list[np.ndarray]
    pulls: tuple[Pulls, ...]
    weights: dict[str, np.ndarray]


def _rows(body: Body, evidence: Evidence, stage: Stage, like: _Rows | None = None) -> _Rows:
    """All residuals of a stage; like: those of the state before, whose weights and correspondences are kept."""
    slow = like is None
    residuals: list[np.ndarray] = []
    slopes: list[np.ndarray] = []
    weights: dict[str, np.ndarray] = {} if like is None else like.weights

    selection, joints, keypoints = _named()
    units = unit_directions(selection.points.tobytes())
    if slow:
        named, named_slopes = body.points_with_slopes(selection, units)
    else:
        named, named_slopes = body.points(selection, units), None

    def add(residual: np.ndarray, slope: np.ndarray | None) -> None:
        residuals.append(residual.ravel())
        if slope is not None:
            slopes.append(slope.reshape(residual.size, -1))

    gap = joints.of(named) - evidence.pose.positions
    if slow:
        weights["joints"] = _joint_weights(evidence, gap) * stage.joints
    w = weights["joints"][:, None]
    add(gap * w, None if named_slopes is None else joints.of(named_slopes) * w[..., None])
    if stage.image > 0:
        _add_keypoints(add, keypoints, named, named_slopes, evidence, stage, weights)
    pulls: tuple[Pulls, ...] = () if like is None else like.pulls
    if stage.reach > 0 and evidence.outside is not None:
        if slow:
            compared, compared_slopes = body.points_with_slopes(_compared())
            found = [outline_pulls(evidence, compared)]
            if evidence.points is not None:
                found.append(surface_pulls(evidence, compared, normals_at(ring_points(body)), stage.reach))
            pulls = tuple(found)
        else:
            compared, compared_slopes = body.points(_compared()), None
        for pull in pulls:
            r = (pull.direction * (compared[pull.vertex] - pull.target)).sum(axis=1)
            add(r, None if compared_slopes is None else np.einsum("mi,mij->mj", pull.direction, compared_slopes[pull.vertex]))
    residual, slope = prior_rows(body.state)
    add(residual, slope if slow else None)
    return _Rows(residuals, slopes, pulls, weights)


def _joint_weights(evidence: Evidence, gap: np.ndarray) -> np.ndarray:
    """(68,) one over the standard deviation, less for joints that are far off."""
    pose = evidence.pose
    spread = np.where(pose.seen & (pose.confidence > 0), JOINT_SPREAD / np.sqrt(np.clip(pose.confidence, 0.1, 1)), GUESSED_SPREAD)
    far = np.linalg.norm(gap, axis=1)
    return 1 / spread / (1 + (far / (6 * spread)) ** 2)


def _add_keypoints(add, keypoints: Means, named, named_slopes, evidence: Evidence, stage: Stage, weights: dict) -> None:
    """Keypoints in the image, and those on the skin in space."""
    places = keypoints.of(named)
    slopes = None if named_slopes is None else keypoints.of(named_slopes)
    camera = evidence.camera
    if evidence.keypoints is not None:
        x, y, z = places.T
        known = np.isfinite(z) & (z > 0.05) & (evidence.keypoints[:, 2] > MIN_SCORE)
        z = np.where(known, z, 1.0)
        with np.errstate(invalid="ignore"):
            seen = np.stack([x / z * camera.fx + camera.cx, y / z * camera.fy + camera.cy], axis=1)
            gap = np.where(known[:, None], seen - evidence.keypoints[:, :2], 0.0)
        if slopes is not None:
            spread = KEYPOINT_SPREAD * max(camera.width, camera.height) / 1024
            far = np.linalg.norm(gap, axis=1)
            score = np.clip(evidence.keypoints[:, 2], 0, 1)
            weights["image"] = known * stage.image * _share() * score / spread / (1 + (far / (5 * spread)) ** 2)
        w = weights["image"][:, None]
        if slopes is not None:
            dx, dy, dz = (np.nan_to_num(slopes[:, i]) for i in range(3))
            zz = z[:, None]
            projected = np.stack(
                [
                    camera.fx * (dx / zz - (np.nan_to_num(x)[:, None] / zz**2) * dz),
                    camera.fy * (dy / zz - (np.nan_to_num(y)[:, None] / zz**2) * dz),
                ],
                axis=1,
            )
            add(gap * w, projected * w[..., None])
        else:
            add(gap * w, None)
    surface = evidence.pose.surface.astype(np.float64)
    known = np.isfinite(surface).all(axis=1) & np.isfinite(places).all(axis=1) & ~_is_joint()
    gap = np.where(known[:, None], places - np.nan_to_num(surface), 0.0)
    if slopes is not None:
        far = np.linalg.norm(gap, axis=1)
        weights["skin"] = known * stage.image * _share() / SKIN_POINT_SPREAD / (1 + (far / (4 * SKIN_POINT_SPREAD)) ** 2)
    w = weights["skin"][:, None]
    add(np.nan_to_num(gap) * w, None if slopes is None else np.nan_to_num(slopes) * w[..., None])


@cache
def _share() -> np.ndarray:
    """(308,) weight of a keypoint: many crowd in the face and are not independent."""
    out = np.ones(308)
    out[70:] = 0.35
    return out


@cache
def _is_joint() -> np.ndarray:
    """(308,) bool: keypoints that are joints in the body, not points on its skin."""
    out = np.zeros(308, bool)
    out[joint_keypoints()[joint_keypoints() >= 0]] = True
    return out


def _normal_equations(rows: _Rows, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    slopes = np.concatenate([s[:, free] for s in rows.slopes])
    residual = np.concatenate(rows.residuals)
    return slopes.T @ slopes, slopes.T @ residual


def _cost(rows: _Rows) -> float:
    return float(sum(r @ r for r in rows.residuals))


def _described(state: State, evidence: Evidence) -> BodyFit:
    """The state with what was guessed."""
    pose = evidence.pose
    unseen = _unseen_bones(pose)
    return BodyFit(state.shape, state.posture, state.face, unseen, pose.doubt)


def _unseen_bones(pose: Pose) -> dict[str, bool]:
    """Bone -> True where the joint that it turns was not seen."""
    from .character import bone_joints

    return {bone: not all(pose.is_seen(joint) for joint in joints) for bone, joints in bone_joints().items()}


