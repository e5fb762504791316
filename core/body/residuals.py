"""Everything that is known of a body in one photo, as residuals in standard deviations with their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.landmarks import JOINT_NAMES, joint_keypoints
from ..common.pins import is_pinned
from ..common.rotations import unit
from .carried import Carried
from .correspondence import Pulls, compared_vertices, normals_at, outline_pulls, ring_points, surface_pulls
from .evaluate import Selection, vertex_normals
from .evidence import DRAWN_JOINT, DRAWN_KEYPOINT, JOINT_SPREAD, MIN_SCORE, Evidence
from .priors import prior_rows
from .state import Body, unknowns
from .template import template

FINGER_SPREAD, GUESSED_SPREAD = 0.0055, 0.10  # metres: of fingers that were seen, and of joints that were filled in
KEYPOINT_SPREAD = 2.5  # pixels at 1024
FACE_POINTS = 70  # keypoints before those of the face
PIN_WEIGHT = 25.0  # of a keypoint that was pinned, beside 1 of one that the network is sure of
FAR = 5.0  # standard deviations at which a joint counts half
SKIN_POINT_SPREAD = 0.006  # metres, of keypoints on the skin
SKIN_FACING = -0.3  # cosine between normal and ray, below which a keypoint on the skin is seen


@dataclass(frozen=True)
class Stage:
    """One part of the fit.

    steps    Gauss-Newton steps
    free     columns that may change
    joints   factor on the weight of the lifted joints
    fingers  the same for those of the fingers
    image    factor on the weight of keypoints in the image and on the skin; 0 = not used
    reach    metres within which the surface pulls; 0 = it does not
    """

    steps: int
    free: tuple[str, ...]
    joints: float = 1.0
    fingers: float = 1.0
    image: float = 0.0
    reach: float = 0.0


@cache
def _named() -> Carried:
    """68 joints, then 308 keypoints."""
    return Carried.of(template().joints.followed_by(template().keypoints))


@cache
def _compared() -> Selection:
    return Selection.of(compared_vertices())


@dataclass(frozen=True, eq=False)
class Rows:
    """Residuals in standard deviations with their derivatives (none where only the residuals were asked for), and what they
    were made with, so that another state is compared with the same.

    slopes  of each array of residuals, by as many of the first unknowns as it depends on
    """

    residuals: list[np.ndarray]
    slopes: list[np.ndarray]
    pulls: tuple[Pulls, ...]
    weights: dict[str, np.ndarray]


def gather_rows(
    body: Body,
    evidence: Evidence,
    stage: Stage,
    tightness: float = 1.0,
    like: Rows | None = None,
    shaped: bool = True,
) -> Rows:
    """All residuals of a stage.

    tightness  factor on the likeliness of the shape (`priors.prior_rows`)
    like       those of the state before: their weights and correspondences are kept, and no derivatives are made
    shaped     derivatives by the shape are needed: it may change
    """
    slow = like is None
    residuals: list[np.ndarray] = []
    slopes: list[np.ndarray] = []
    weights: dict[str, np.ndarray] = {} if like is None else like.weights

    named, named_slopes = body.means_with_slopes(_named(), shaped) if slow else (body.means(_named()), None)
    joints, keypoints = named[: len(JOINT_NAMES)], named[len(JOINT_NAMES) :]
    joint_slopes, keypoint_slopes = (None, None) if named_slopes is None else np.split(named_slopes, [len(JOINT_NAMES)])

    def add(residual: np.ndarray, slope: np.ndarray | None) -> None:
        residuals.append(residual.ravel())
        if slope is not None:
            slopes.append(slope.reshape(residual.size, slope.shape[-1]))

    gap = joints - evidence.pose.positions
    if slow:
        weights["joints"] = _joint_weights(evidence, gap, stage)
    w = weights["joints"][:, None]
    if stage.reach > 0 and evidence.pointmap is not None:
        w = w[..., None] * evidence.joint_weights_in_space
        add(np.einsum("nij,nj->ni", w, gap), None if joint_slopes is None else np.matmul(w.astype(np.float32), joint_slopes))
    else:
        add(gap * w, None if joint_slopes is None else joint_slopes * w[..., None].astype(np.float32))
    if stage.image > 0:
        _add_keypoints(add, body, keypoints, keypoint_slopes, evidence, stage, weights)
    pulls: tuple[Pulls, ...] = () if like is None else like.pulls
    if stage.reach > 0 and evidence.outside is not None:
        rings = ring_points(body) if slow and evidence.pointmap is not None else None
        compared = body.points(_compared()) if rings is None else rings[compared_vertices()]
        if slow:
            found = [outline_pulls(evidence, compared)]
            if rings is not None:
                found.append(surface_pulls(evidence, compared, normals_at(rings), stage.reach))
            pulls = tuple(found)
            every = np.concatenate([pull.vertex for pull in pulls])
            along = np.concatenate([pull.direction for pull in pulls])
            steep = np.split(body.slopes_along(_compared(), every, along, shaped), [len(pulls[0].vertex)])
            slopes += [pull.decorrelated(slope) for pull, slope in zip(pulls, steep, strict=False)]
        residuals += [pull.decorrelated((pull.direction * (compared[pull.vertex] - pull.target)).sum(axis=1)) for pull in pulls]
    residual, slope = prior_rows(body.state, tightness, sloped=slow)
    add(residual, None if slope is None else slope[:, : unknowns(shaped)])
    return Rows(residuals, slopes, pulls, weights)


@cache
def _keypoint_facings() -> tuple[np.ndarray, np.ndarray]:
    """(308, 3) unit normals of the keypoints on the resting skin, and (308,) the bone that turns each; NaN where it has none."""
    t = template()
    normals = unit(t.keypoints.of(vertex_normals(t.base, t.skin_faces())))
    which, point = t.keypoints.entries.T
    bones = np.zeros(len(normals), np.int64)
    bones[which] = t.weight_bones[point, t.weights[point].argmax(axis=1)]
    return normals, bones


def _keypoints_in_view(body: Body, surface: np.ndarray) -> np.ndarray:
    """(308,) bool: the skin at the keypoint faces the camera. Where it does not, the (308, 3) surface there is other skin."""
    normals, bones = _keypoint_facings()
    turned = np.einsum("kij,kj->ki", body.skeleton.turns[bones], normals)
    with np.errstate(invalid="ignore"):
        return (turned * unit(surface)).sum(axis=1) < SKIN_FACING


def _joint_weights(evidence: Evidence, gap: np.ndarray, stage: Stage) -> np.ndarray:
    """(68,) one over the standard deviation, less for joints that are far off, and in later stages for those that were seen: the
    surface says better where they are, but nothing of the others."""
    pose = evidence.pose
    usual = np.where(_is_finger(), FINGER_SPREAD, JOINT_SPREAD) / np.sqrt(np.clip(pose.confidence, 0.1, 1))
    seen = pose.seen & (pose.confidence > 0)
    spread = np.where(seen, usual, GUESSED_SPREAD)
    if evidence.drawn:
        spread = np.where(seen, np.hypot(spread, DRAWN_JOINT), spread)
    far = np.linalg.norm(gap, axis=1)
    share = np.where(seen, np.where(_is_finger(), stage.fingers, stage.joints), 1.0)
    return share / spread / (1 + (far / (FAR * spread)) ** 2)


def _add_keypoints(
    add: Callable[[np.ndarray, np.ndarray | None], None],
    body: Body,
    places: np.ndarray,
    slopes: np.ndarray | None,
    evidence: Evidence,
    stage: Stage,
    weights: dict[str, np.ndarray],
) -> None:
    """Keypoints in the image, and those on the skin in space; places: (308, 3) of the body's, slopes: (308, 3, unknowns)."""
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
            vague = np.where(evidence.drawn & (np.arange(len(far)) < FACE_POINTS), DRAWN_KEYPOINT, 1.0)
            score = np.clip(evidence.keypoints[:, 2], 0, 1)
            trust = score / vague / (1 + (far / (5 * vague * spread)) ** 2)
            pins = is_pinned(evidence.keypoints[:, 2])  # somebody knows better than the network: never an outlier
            weights["image"] = known * stage.image * np.where(pins, PIN_WEIGHT, _share() * trust) / spread
        at = np.flatnonzero(weights["image"])
        w = weights["image"][at, None]
        if slopes is not None:
            # Of u = fx x / z: du = fx / z (dx - x / z dz).
            along = np.stack([x[at] / z[at], y[at] / z[at]], axis=1)[..., None].astype(np.float32)
            scale = (np.array([camera.fx, camera.fy]) / z[at, None] * w)[..., None].astype(np.float32)
            add(gap[at] * w, scale * (slopes[at, :2] - along * slopes[at, 2:]))
        else:
            add(gap[at] * w, None)
    surface = evidence.pose.surface.astype(np.float64)
    known = np.isfinite(surface).all(axis=1) & np.isfinite(places).all(axis=1) & ~_is_joint()
    gap = np.where(known[:, None], places - np.nan_to_num(surface), 0.0)
    if slopes is not None:
        far = np.linalg.norm(gap, axis=1)
        known &= evidence.keypoint_is_bare & _keypoints_in_view(body, surface)
        weights["skin"] = known * stage.image * _share() / SKIN_POINT_SPREAD / (1 + (far / (4 * SKIN_POINT_SPREAD)) ** 2)
    at = np.flatnonzero(weights["skin"])
    w = weights["skin"][at, None]
    add(np.nan_to_num(gap[at]) * w, None if slopes is None else slopes[at] * w[..., None].astype(np.float32))


@cache
def _share() -> np.ndarray:
    """(308,) weight of a keypoint: many crowd in the face and are not independent."""
    out = np.ones(308)
    out[FACE_POINTS:] = 0.35
    return out


@cache
def _is_finger() -> np.ndarray:
    """(68,) bool: joints of the fingers, which are lifted better than a sleeve or a trouser leg shows those of limbs."""
    return np.array(["finger" in name or "thumb" in name for name in JOINT_NAMES])


@cache
def _is_joint() -> np.ndarray:
    """(308,) bool: keypoints that are joints in the body, not points on its skin."""
    out = np.zeros(308, bool)
    out[joint_keypoints()[joint_keypoints() >= 0]] = True
    return out
