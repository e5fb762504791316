"""Keypoints and a metric pointmap to the 3D joint centres of one person.

sample   the surface under each keypoint                                              core.pose.surface_samples
fill     joints without a surface: bone length and ray, or the mean person's shape    core.pose.initial_guess
solve    positions that agree best with rays, depths, limb radii and lengths          core.pose.residuals, core.pose.solver
derive   spine, chest, clavicles and head, which no keypoint shows                    core.pose.anatomy
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..capture.camera import estimate_camera
from ..common.arrays import Camera, Pose
from ..common.errors import SapiensError
from ..common.landmarks import JOINT_NAMES, SIDES, joint_index, joint_keypoints, keypoint_index
from ..common.predictions import Predictions
from ..common.rotations import unit
from .anatomy import HeadFit, chest_frame, fit_head, hips_frame, smoothstep, template_joints
from .anthropometry import DEFAULT_STATURE, estimate_stature
from .confidence import doubt_of
from .initial_guess import MEAN_RADIUS, ambiguous_joints, behind_trunk, fill_joints, on_ray
from .monocular import flat_start, lean_directions, lean_pairs
from .residuals import BODY, HANDS, Observation, body_evidence, hand_evidence
from .settings import DOUBT, PoseSettings
from .solver import ANNEALING, solve
from .surface_samples import Samples, check_keypoints, sample_surface

FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
DOUBTED = 0.005  # trust in the depth of a keypoint that is probably covered: enough to choose between two solutions
GUESSED = 0.5  # share of the confidence of a joint that may as well lie on the other side of its parent
TRUNK = np.array([not n.startswith(("left_", "right_")) or n.endswith(("hip", "shoulder")) for n in JOINT_NAMES])
ARMS = np.array([any(word in n for word in ("elbow", "wrist", "thumb", "finger")) for n in JOINT_NAMES])
HAND_REACH = 0.06  # share of stature: no joint of a hand is farther from the middle of it


def lift_pose(
    predictions: Predictions, person: int = 0, camera: Camera | None = None, settings: PoseSettings | None = None
) -> Pose:
    """The 68 joint centres of one person, in camera space.

    predictions  keypoints are needed; pointmap and seg are used when present
    person       index into the keypoints
    camera       None = from predictions.intrinsics, or estimated

    Raises SapiensError when the keypoints cannot be a person (see `core.pose.surface_samples.check_keypoints`).
    """
    return lift_poses([predictions], [person], camera, settings)[0]


def lift_poses(
    frames: Sequence[Predictions], people: Sequence[int], camera: Camera | None = None, settings: PoseSettings | None = None
) -> list[Pose]:
    """The poses of one person in several photos or frames: as `lift_pose` on each, but solved side by side, which is faster.

    people  index into the keypoints of each frame
    camera  the same for all frames; None = each frame's own
    """
    settings = settings or PoseSettings()
    starts = [_initial_state(p, i, camera or _camera(p), settings) for p, i in zip(frames, people, strict=True)]
    seen = Observation.stacked([start.seen for start in starts])
    positions, stature = np.stack([start.positions for start in starts]), np.array([start.stature for start in starts])
    deviation = np.zeros(positions.shape[:2])
    for last in (False, True) if settings.iterations else ():
        if last:
            # The trunk is known now: place again what it hides, and what hangs on that.
            doubted = seen.trust <= 2 * DOUBTED
            hidden = [behind_trunk(positions[n], seen.pose(n), stature[n]) for n in range(len(starts))]
            seen = replace(seen, front=np.where(doubted & ARMS, np.stack(hidden), seen.front))
            known = ~doubted | TRUNK
            filled = [
                fill_joints(positions[n], known[n], seen.pose(n), stature[n], start.head, start.flat)
                for n, start in enumerate(starts)
            ]
            positions = np.stack(filled)
        evidence = body_evidence(positions, seen, stature, settings.depth_m, settings.radius_scale)
        body = solve(evidence, settings.iterations, ANNEALING[-1:] if last else ANNEALING[:-1])
        positions[:, BODY], stature, deviation[:, BODY] = body.positions, body.stature, body.deviation
        evidence = hand_evidence(positions, seen, stature, settings.hand_depth_m, settings.radius_scale)
        # Fingers follow the wrists, so they take longer to come to rest.
        hands = solve(evidence, settings.iterations + 2 * last, ANNEALING[-1:] if last else ANNEALING)
        for side, fingers in enumerate(HANDS[:, 1:]):
            rows = slice(side * len(starts), (side + 1) * len(starts))
            positions[:, fingers], deviation[:, fingers] = hands.positions[rows, 1:], hands.deviation[rows, 1:]
    return [_finish(start, positions[n], stature[n], deviation[n]) for n, start in enumerate(starts)]


@dataclass(frozen=True, eq=False)
class _InitialState:
    """One person of one photo before anything is solved.

    seen       without a leading axis
    positions  (68, 3) metres: the first guess of every joint
    stature    metres
    flat       no joint has a depth
    """

    camera: Camera
    samples: Samples
    seen: Observation
    positions: np.ndarray
    stature: float
    head: HeadFit
    flat: bool


def _camera(predictions: Predictions) -> Camera:
    if predictions.intrinsics is not None:
        return Camera.from_matrix(predictions.intrinsics, predictions.width, predictions.height, "given")
    return estimate_camera(predictions).camera


def _initial_state(predictions: Predictions, person: int, camera: Camera, settings: PoseSettings) -> _InitialState:
    """Sample, estimate the stature, and guess every joint."""
    if predictions.keypoints is None:
        raise SapiensError("The predictions hold no keypoints.", "Run the pose task on the photo first.")
    if not 0 <= person < len(predictions.keypoints):
        raise SapiensError(f"There is no person {person}: the predictions hold keypoints of {len(predictions.keypoints)}.")
    keypoints = check_keypoints(predictions.keypoints[person], settings.min_score)
    samples = sample_surface(predictions, keypoints, camera)
    shown = joint_keypoints()
    has = shown >= 0
    ray = np.where(has[:, None], samples.rays[shown], np.nan)
    score = np.where(has, samples.score[shown], 0.0)
    depth = np.where(has, samples.depth[shown], np.nan)
    front = np.where(has, samples.front[shown], np.nan)
    low, high = np.multiply(settings.doubt, _usual_score(samples.score))
    trust = smoothstep(low, high, score) * np.where(has, samples.visible[shown], 0.0)
    trust = np.where((score > 0) & np.isfinite(depth), np.maximum(trust, DOUBTED), 0.0)
    trust[_out_of_reach(depth, trust)] = 0.0
    sigma = max(settings.keypoint_px * samples.height / 1000, 0.5) / camera.fx

    head = fit_head(samples.points, smoothstep(low, high, samples.score) * samples.visible)
    head_stature = float(head.scale) if head.known else None
    stature, joints = DEFAULT_STATURE, np.full((68, 3), np.nan)
    for _ in range(2):
        joints = ray * depth[:, None] + unit(ray) * (MEAN_RADIUS * stature * settings.radius_scale)[:, None]
        stature = estimate_stature(joints, np.where(trust > 0.3, trust, 0.0), head_stature)
    measured = trust[lean_pairs()].min(axis=1) > 0.9
    lean, lean_trust = lean_directions(predictions, samples, ~measured)
    lean_trust *= smoothstep(low, high, score[lean_pairs()].min(axis=1))  # over a covered limb the normals are its cover's
    known = trust > 2 * DOUBTED
    flat = not known.any()
    if flat:
        joints = flat_start(samples, camera, stature, lean, lean_trust)
        known = np.isfinite(joints).all(axis=1)
    seen = Observation(ray, score, trust, depth, front, np.array(sigma), lean, lean_trust)
    positions = fill_joints(joints, known, seen, stature, head, flat)
    return _InitialState(camera, samples, seen, positions, stature, head, flat)


def _usual_score(score: np.ndarray) -> float:
    """How high this network scores what it sees, 0.3..1: the upper fifth of the (308,) scores of body, hands and feet over 0.8.

    A small network's scores are lower throughout; what it doubts must be told from what it sees by its own measure.
    """
    used = score[:70][score[:70] > 0]
    return float(np.clip(np.percentile(used, 80) / 0.8, 0.3, 1.0)) if len(used) else 1.0


def _out_of_reach(depth: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """(68,) bool: joints of a hand whose (68,) depth is too far from the median of the hand to be the hand's."""
    out = np.zeros(68, bool)
    for hand in HANDS:
        used = hand[(trust[hand] > 2 * DOUBTED) & np.isfinite(depth[hand])]
        if len(used) >= 4:
            out[used] = np.abs(depth[used] - np.median(depth[used])) > HAND_REACH * DEFAULT_STATURE
    return out


def _finish(start: _InitialState, positions: np.ndarray, stature: float, deviation: np.ndarray) -> Pose:
    """Add the joints that no keypoint shows, and say what was seen."""
    head = start.head if start.head.known else None
    positions = derive_joints(positions, float(stature), head)
    score, trust = start.seen.score, start.seen.trust
    sure = trust > 2 * DOUBTED
    sure[lean_pairs()[:, 1]] |= start.seen.lean_trust > 0.3
    # From keypoints alone every limb has two solutions: the likelier one is better than none, but less to be trusted.
    flat = not sure.any()
    guessed = ambiguous_joints(positions, sure, start.seen.ray, float(stature))
    seen = (score > 0) & (flat | ~guessed)
    trusted = np.clip(score, 0, 1) * np.exp(-((deviation / (0.06 * stature)) ** 2))
    confidence = np.where(seen, np.where(guessed, GUESSED, 1.0) * trusted, 0.0)
    at = joint_index
    needs = {"pelvis": ("left_hip", "right_hip"), "spine": ("left_hip", "right_hip"), "chest": ("neck",)}
    needs |= {f"{side}_clavicle": (f"{side}_shoulder", "neck") for side in SIDES}
    for name, others in needs.items():
        seen[at(name)] = all(seen[at(n)] for n in others)
        confidence[at(name)] = min(confidence[at(n)] for n in others)
    head_seen, head_confidence = head is not None, 0.0 if head is None else float(np.clip(head.support / 20, 0.2, 1))
    if head is None and not np.isfinite(start.samples.depth).any():
        # Without any depth no head is measured, but the face may be seen all the same.
        face = start.samples.score[[keypoint_index(name) for name in FACE]]
        head_seen, head_confidence = bool(np.count_nonzero(face) >= 3), GUESSED * float(face.mean())
    for name in ("head", "head_top"):
        seen[at(name)], confidence[at(name)] = head_seen, head_confidence if head_seen else 0.0
    return Pose(
        names=JOINT_NAMES,
        positions=positions.astype(np.float32),
        confidence=confidence.astype(np.float32),
        seen=seen,
        surface=_surface(start, positions, float(stature)),
        stature=float(stature),
        doubt=doubt_of(start.samples.score, positions, start.camera, head is not None, flat),
    )


ELBOW_LANDMARKS = {"olecranon": 0.018, "cubital_fossa": 0.029}  # share of stature from the elbow's centre


def _surface(start: _InitialState, positions: np.ndarray, stature: float) -> np.ndarray:
    """(308, 3) float32 keypoints on the skin. The side of an elbow that is turned away lies on its ray, behind the joint."""
    points = start.samples.points.copy()
    doubted = start.samples.score < np.mean(DOUBT) * _usual_score(start.samples.score)
    for side in SIDES:
        elbow = positions[joint_index(f"{side}_elbow")]
        for name, share in ELBOW_LANDMARKS.items():
            k = keypoint_index(f"{side}_{name}")
            if start.samples.score[k] > 0 and (doubted[k] or not np.isfinite(points[k]).all()):
                points[k] = on_ray(elbow, share * stature, start.samples.rays[k], elbow + unit(elbow) * share * stature, np.nan)
    return points.astype(np.float32)


def derive_joints(positions: np.ndarray, stature: float, head: HeadFit | None) -> np.ndarray:
    """(68, 3) joints with those that no keypoint shows placed by the mean person in the frames of hips, chest and head.

    head  None = it looks where the chest does
    """
    out = positions.copy()
    template, at = template_joints(), joint_index
    hips, chest = hips_frame(out), chest_frame(out)
    out[at("pelvis")] = (out[at("left_hip")] + out[at("right_hip")]) / 2

    def place(name: str, base: str, frame: np.ndarray, scale: float) -> None:
        out[at(name)] = out[at(base)] + scale * frame @ (template[at(name)] - template[at(base)])

    place("spine", "pelvis", hips, stature)
    place("chest", "neck", chest, stature)
    for side in SIDES:
        place(f"{side}_clavicle", "neck", chest, stature)
    if head is None:
        place("head", "neck", chest, stature)
        frame, scale = chest, stature
    else:
        frame, scale, out[at("head")] = head.frame, float(head.scale), head.origin
    for name in ("head_top", "left_eye", "right_eye"):
        place(name, "head", frame, scale)
    return out
