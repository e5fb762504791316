"""Keypoints and a metric pointmap to the 3D joint centres of one person.

    sample     the surface under each keypoint                                core.joints
    push       from the skin to the joint, by limb radius along the ray       core.anthropometry
    fill       joints without a surface: bone length and ray, or the mean person's shape
    refine     the positions that agree best with rays, depths and lengths    core.refine_pose
    derive     spine, chest, clavicles and head, which no keypoint shows      core.bone_frames
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anthropometry import DEFAULT_STATURE, estimate_stature, radii, segments
from .bone_frames import chest_frame, fit_head, hips_frame, template_joints
from .data import Camera, Pose, Predictions
from .errors import SapiensError
from .joints import Samples, check_keypoints, sample_surface
from .pose_fill import fill_joints
from .refine_pose import Evidence, refine
from .rotations import dot, perpendicular, unit
from .skeleton import FINGERS, JOINT_NAMES, SIDES, finger_joints, joint_index, joint_keypoints


@dataclass(frozen=True)
class PoseSettings:
    """How joints are found.

    min_score      keypoints that score less are not used
    keypoint_px    standard deviation of a good keypoint, pixels at a person height of 1000 pixels
    depth_m        standard deviation of the depth of a body joint, metres
    hand_depth_m   the same for fingers
    radius_scale   factor on the limb radii; above 1 for bulky clothing
    iterations     of the refinement; 0 = none
    """

    min_score: float = 0.2
    keypoint_px: float = 2.5
    depth_m: float = 0.015
    hand_depth_m: float = 0.006
    radius_scale: float = 1.0
    iterations: int = 8


def lift_pose(
    predictions: Predictions, person: int = 0, camera: Camera | None = None, settings: PoseSettings | None = None
) -> Pose:
    """The 68 joint centres of one person, in camera space.

    predictions  keypoints are needed; pointmap and seg are used when present
    person       index into the keypoints
    camera       None = from predictions.intrinsics, or estimated

    Raises SapiensError when the keypoints cannot be a person (see `core.joints.check_keypoints`).
    """
    settings = settings or PoseSettings()
    if predictions.keypoints is None:
        raise SapiensError("The predictions hold no keypoints.", "Run the pose task on the photo first.")
    if not 0 <= person < len(predictions.keypoints):
        raise SapiensError(f"There is no person {person}: the predictions hold keypoints of {len(predictions.keypoints)}.")
    keypoints = check_keypoints(predictions.keypoints[person], settings.min_score)
    camera = camera or _camera(predictions)
    samples = sample_surface(predictions, keypoints, camera)
    return _solve(samples, camera, settings)


def _camera(predictions: Predictions) -> Camera:
    if predictions.intrinsics is not None:
        return Camera.from_matrix(predictions.intrinsics, predictions.width, predictions.height, "given")
    from .camera import estimate_camera

    return estimate_camera(predictions).camera


BODY = [
    i
    for i, n in enumerate(JOINT_NAMES)
    if n in ("pelvis", "neck") or n.split("_", 1)[-1] in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "big_toe", "small_toe", "heel")
]  # fmt: skip
HANDS = [
    [joint_index(f"{side}_wrist")] + [joint_index(n) for finger in FINGERS for n in finger_joints(side, finger)] for side in SIDES
]


def _solve(samples: Samples, camera: Camera, settings: PoseSettings) -> Pose:
    of_joint = joint_keypoints()
    has = of_joint >= 0
    ray = np.full((68, 3), np.nan)
    ray[has] = samples.rays[of_joint[has]]
    score = np.where(has, samples.score[of_joint], 0.0)
    visible = np.where(has, samples.visible[of_joint], 0.0)
    depth = np.where(has, samples.depth[of_joint], np.nan)
    front = np.where(has, samples.front[of_joint], np.nan)
    trust = np.clip((score - 0.2) / 0.5, 0.0, 1.0) ** 2
    trust = np.where((score > 0) & np.isfinite(depth), np.maximum(trust * visible, 1e-3), 0.0)

    stature = DEFAULT_STATURE
    positions = np.full((68, 3), np.nan)
    for _ in range(2):
        positions = _push(ray, depth, radii().mean(axis=1) * stature * settings.radius_scale)
        stature = estimate_stature(positions, np.where(np.isfinite(positions[:, 0]), trust, 0.0) * (trust > 0.1))
    head = fit_head(samples.points, samples.score * samples.visible)
    positions = fill_joints(positions, trust, ray, front, stature, head)
    if settings.iterations:
        for _ in range(2):
            push = _radius(positions, ray, stature) * settings.radius_scale
            positions, stature, _deviation = _refine_body(positions, ray, score, trust, depth, front, push, stature, samples, camera, settings)
            positions, _hand_deviation = _refine_hands(positions, ray, score, trust, depth, front, push, stature, samples, camera, settings)
    positions = _derive(positions, stature, head)
    seen = (score > 0) & np.isfinite(positions).all(axis=1)
    return _pose(positions, seen, np.maximum(trust, 0.0), samples, stature, head)


def _push(ray: np.ndarray, depth: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """(J, 3) joint centres: the skin at (J,) depth on (J, 3) rays, (J,) radius metres further along the ray."""
    return ray * depth[:, None] + unit(ray) * radius[:, None]


def _radius(positions: np.ndarray, ray: np.ndarray, stature: float) -> np.ndarray:
    """(68,) metres from the skin to each joint along its ray.

    The limb's cross-section is an ellipse with the radii of `radii` in front, behind and beside the joint; a ray that meets the
    bone at an angle runs longer through it, up to twice (retargeting reference: r / max(0.5, sin)).
    """
    table = radii() * stature
    hips, chest = hips_frame(positions), chest_frame(positions)
    view = -unit(np.nan_to_num(ray, nan=1.0))
    bone = _bone_directions(positions)
    out = np.zeros(68)
    for i, name in enumerate(JOINT_NAMES):
        front, back, side = table[i]
        if front == 0:
            continue
        frame = chest if any(word in name for word in ("shoulder", "neck")) else hips
        across = perpendicular(view[i], bone[i])
        sine = max(float(np.linalg.norm(across)), 1e-6)
        lateral = unit(perpendicular(frame[:, 0], bone[i]))
        cosine = float(np.clip(dot(unit(across), lateral), -1, 1))
        facing = front if dot(across, frame[:, 1]) < 0 else back
        radius = 1.0 / np.sqrt((cosine / side) ** 2 + (1 - cosine**2) / facing**2)
        out[i] = radius / max(0.5, sine)
    return out


def _bone_directions(positions: np.ndarray) -> np.ndarray:
    """(68, 3) unit direction of the limb at each joint."""
    out = np.zeros((68, 3))
    at = lambda n: positions[joint_index(n)]  # noqa: E731
    trunk = unit(at("neck") - at("pelvis"))
    for side in SIDES:
        s, e, w = at(f"{side}_shoulder"), at(f"{side}_elbow"), at(f"{side}_wrist")
        h, k, a = at(f"{side}_hip"), at(f"{side}_knee"), at(f"{side}_ankle")
        toes = (at(f"{side}_big_toe") + at(f"{side}_small_toe")) / 2
        table = {"shoulder": trunk, "elbow": unit(unit(e - s) + unit(w - e)), "wrist": unit(w - e), "hip": trunk,
                 "knee": unit(unit(k - h) + unit(a - k)), "ankle": unit(a - k)}  # fmt: skip
        table |= dict.fromkeys(("big_toe", "small_toe", "heel"), unit(toes - at(f"{side}_heel")))
        for name, direction in table.items():
            out[joint_index(f"{side}_{name}")] = direction
        for finger in FINGERS:
            chain = [joint_index(n) for n in finger_joints(side, finger)]
            for k_, i in enumerate(chain):
                first, last = chain[max(k_ - 1, 0)], chain[min(k_ + 1, 3)]
                out[i] = unit(positions[last] - positions[first])
    out[joint_index("neck")] = trunk
    return out


def _refine_body(positions, ray, score, trust, depth, front, push, stature, samples, camera, settings):
    index = np.array(BODY)
    evidence = _evidence(positions[None, index], index, ray, score, trust, depth, front, push, stature, samples, camera, settings, settings.depth_m, 0.0)
    local = {j: i for i, j in enumerate(index.tolist())}
    forms = np.zeros((1, 3, len(index), 3))
    for axis in range(3):
        forms[0, axis, local[joint_index("pelvis")], axis] = 1
        forms[0, axis, local[joint_index("left_hip")], axis] = -0.5
        forms[0, axis, local[joint_index("right_hip")], axis] = -0.5
    evidence = _with_forms(evidence, forms, np.full((1, 3), 500.0), np.zeros((1, 3)), np.zeros(3, bool))
    result = refine(evidence, settings.iterations)
    out = positions.copy()
    out[index] = result.positions[0]
    deviation = np.zeros(68)
    deviation[index] = result.deviation[0]
    return out, float(result.stature[0]), deviation


def _refine_hands(positions, ray, score, trust, depth, front, push, stature, samples, camera, settings):
    index = np.array(HANDS)
    parts = [
        _evidence(positions[None, row], row, ray, score, trust, depth, front, push, stature, samples, camera, settings, settings.hand_depth_m, 100.0)
        for row in index
    ]
    merged = {}
    for field in Evidence.__dataclass_fields__:
        values = [getattr(p, field) for p in parts]
        if field in ("pairs", "groups", "length_weight", "log_share", "share_weight", "one_sided") or values[0] is None:
            merged[field] = values[0]
        else:
            merged[field] = np.concatenate(values)
    result = refine(Evidence(**merged), settings.iterations)
    out = positions.copy()
    deviation = np.zeros(68)
    for row, found, spread in zip(index, result.positions, result.deviation, strict=True):
        out[row[1:]] = found[1:]
        deviation[row[1:]] = spread[1:]
    return out, deviation


def _with_forms(e: Evidence, forms, weight, target, one_sided) -> Evidence:
    from dataclasses import replace

    return replace(e, forms=forms, form_weight=weight, form_target=target, one_sided=one_sided)


def _evidence(start, index, ray, score, trust, depth, front, push, stature, samples, camera, settings, depth_sd, wrist_weight):
    pairs, shares, deviations, groups = segments()
    local = np.full(68, -1)
    local[index] = np.arange(len(index))
    keep = (local[pairs] >= 0).all(axis=1)
    numbers, group = np.unique(groups[keep], return_inverse=True)
    log_share = np.array([np.log(shares[groups == g][0]) for g in numbers])
    share_weight = np.array([1 / deviations[groups == g][0] for g in numbers])
    sigma_px = settings.keypoint_px * max(samples.height, 1.0) / 1000
    good = np.clip(score, 0.3, 1.0)
    ray_weight = np.where(np.isfinite(ray[:, 0]) & (score > 0), camera.fx / max(sigma_px, 0.5) * good, 0.0)
    target = np.nan_to_num(depth + push * unit(np.nan_to_num(ray, nan=1.0))[:, 2])
    depth_weight = np.where(np.isfinite(depth), np.sqrt(trust) / depth_sd, 0.0)
    behind = np.nan_to_num(front)
    behind_weight = np.where(np.isfinite(front) & (score > 0), 1 / 0.02, 0.0)
    anchor = np.where(ray_weight > 0, 0.0, 1 / 0.15)
    anchor = np.where((ray_weight > 0) & (depth_weight == 0), 1 / 0.5, anchor)
    anchor[[joint_index("left_wrist"), joint_index("right_wrist")]] = np.maximum(
        anchor[[joint_index("left_wrist"), joint_index("right_wrist")]], wrist_weight
    )
    return Evidence(
        start=start,
        ray=np.nan_to_num(ray[None, index, :2]),
        ray_weight=ray_weight[None, index],
        depth=target[None, index],
        depth_weight=depth_weight[None, index],
        behind=behind[None, index],
        behind_weight=behind_weight[None, index],
        anchor_weight=anchor[None, index],
        pairs=local[pairs[keep]],
        groups=group,
        length_weight=np.full(keep.sum(), 1 / 0.02),
        log_share=log_share,
        share_weight=share_weight,
        log_stature=np.array([np.log(stature)]),
        stature_weight=np.array([1 / 0.1 if wrist_weight == 0 else 1 / 0.02]),
    )


def _derive(positions: np.ndarray, stature: float, head) -> np.ndarray:
    out = positions.copy()
    T = template_joints() * stature
    at = joint_index
    hips, chest = hips_frame(out), chest_frame(out)
    frame, scale, origin, support = head
    out[at("pelvis")] = (out[at("left_hip")] + out[at("right_hip")]) / 2
    out[at("spine")] = out[at("pelvis")] + hips @ (T[at("spine")] - T[at("pelvis")])
    out[at("chest")] = out[at("neck")] + chest @ (T[at("chest")] - T[at("neck")])
    for side in SIDES:
        out[at(f"{side}_clavicle")] = out[at("neck")] + chest @ (T[at(f"{side}_clavicle")] - T[at("neck")])
    if support < 4:
        frame, scale, origin = chest, stature, out[at("neck")] + chest @ (T[at("head")] - T[at("neck")])
    out[at("head")] = origin
    for name in ("head_top", "left_eye", "right_eye"):
        out[at(name)] = origin + scale * frame @ (template_joints()[at(name)] - template_joints()[at("head")])
    return out


def _pose(positions, seen, trust, samples, stature, head) -> Pose:
    at = joint_index
    seen, trust = seen.copy(), trust.copy()
    for name, needs in (("pelvis", ("left_hip", "right_hip")), ("spine", ("left_hip", "right_hip")), ("chest", ("neck",)),
                        ("left_clavicle", ("left_shoulder", "neck")), ("right_clavicle", ("right_shoulder", "neck"))):  # fmt: skip
        seen[at(name)] = all(seen[at(n)] for n in needs)
        trust[at(name)] = min(trust[at(n)] for n in needs)
    for name in ("head", "head_top"):
        seen[at(name)] = head[3] >= 4
        trust[at(name)] = float(np.clip(head[3] / 20, 0, 1))
    return Pose(
        names=JOINT_NAMES,
        positions=positions.astype(np.float32),
        confidence=np.where(seen, np.clip(trust, 0, 1), 0).astype(np.float32),
        seen=seen,
        surface=samples.points.astype(np.float32),
        stature=float(stature),
    )
