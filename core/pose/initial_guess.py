"""Initialisation: a position for every joint without a surface, for the solver to start from.

The trunk is placed as one rigid body, then each limb outwards by bone length: on the keypoint's ray where there is one, and in
the mean person's direction where there is none.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np

from ..common.landmarks import FINGERS, JOINT_NAMES, SIDES, finger_joints, joint_index
from ..common.rotations import dot, swing, two_axis_frame, unit
from ..common.spaces import CAMERA_UP
from .anatomy import HeadFit, chest_frame, is_upright, standing_frame, template_joints
from .anthropometry import small_radii
from .monocular import lean_pairs
from .residuals import Observation


def _mean_radius(name: str) -> float:
    bare = name.split("_", 1)[-1]
    table = {"neck": 0.039, "shoulder": 0.036, "elbow": 0.022, "wrist": 0.014, "hip": 0.06, "knee": 0.032, "ankle": 0.026}
    return table.get(bare, float(small_radii()[joint_index(name)]))


TRUNK = ("pelvis", "neck", "left_hip", "right_hip", "left_shoulder", "right_shoulder")
MEAN_RADIUS = np.array([_mean_radius(name) for name in JOINT_NAMES])
"""(68,) share of stature: distance from joint to skin, before the pose is known."""
ELBOW_CHILDREN = (joint_index("left_wrist"), joint_index("right_wrist"))
TRUNK_HALF = (0.1, 0.08)  # share of stature: half width and half depth of the trunk
FORWARD = {"elbow": 0.2, "wrist": 0.6, "knee": 0.2, "ankle": -0.6}
"""Share of a bone's length by which its end is likelier before the body than where it hangs: elbows and hips bend to the front,
knees to the back. Halves the wrong ones of two solutions on the studio's people."""
LEGS = tuple(
    np.array([joint_index(f"{side}_{name}") for name in ("knee", "ankle", "heel", "big_toe", "small_toe")]) for side in SIDES
)
AMBIGUOUS = 0.035  # share of stature: half the distance of two solutions that the photo cannot tell apart


def fill_joints(
    positions: np.ndarray, known: np.ndarray, seen: Observation, stature: float, head: HeadFit, flat: bool = False
) -> np.ndarray:
    """(68, 3) finite positions of one person.

    positions  (68, 3) metres, NaN = no surface
    known      (68,) bool; all other joints are placed anew
    seen       rays, covers and leans of this pose alone, without a leading axis
    stature    metres
    flat       nothing but keypoints: where a limb has two solutions, the one to which it bends is likelier
    """
    lean_of = np.full(len(positions), -1)  # row of the lean that says where a joint lies from its parent
    told = seen.lean_trust > 0.3
    lean_of[lean_pairs()[told, 1]] = np.flatnonzero(told)
    out = np.where(known[:, None], positions, np.nan)
    T = template_joints() * stature
    frame = _trunk(out, T, seen, head)
    _wrists_from_knuckles(out, T, frame)
    frames = np.broadcast_to(frame, (len(out), 3, 3)).copy()
    frames[_unseen_legs(out, seen)] = _hanging(frame)
    for level in _levels():
        parent, child, grandparent = level[:, ~np.isfinite(out[level[1]]).all(axis=1)]
        if not len(child):
            continue
        offset = np.einsum("kij,kj->ki", frames[child], T[child] - T[parent])
        if (grandparent >= 0).all():
            bone = out[parent] - out[grandparent]
            rest = np.einsum("kij,kj->ki", frames[child], T[parent] - T[grandparent])
            offset = swing(offset, rest, bone)
            # The mean person stands with bent elbows; a hidden arm more likely hangs.
            hangs = np.isin(child, ELBOW_CHILDREN)
            straight = unit(unit(offset[hangs]) + unit(bone[hangs]))
            offset[hangs] = np.linalg.norm(offset[hangs], axis=1)[:, None] * straight
        length = np.linalg.norm(offset, axis=1)
        if flat:
            offset += (_forward()[child] * length)[:, None] * -frames[child, :, 1]
        leans = lean_of[child] >= 0
        offset[leans] = length[leans, None] * seen.lean[lean_of[child[leans]]]
        out[child] = out[parent] + offset
        shown = np.isfinite(seen.ray[child]).all(axis=1)
        parent, child = parent[shown], child[shown]
        out[child] = on_ray(out[parent], length[shown], seen.ray[child], out[child], seen.front[child])
    missing = ~np.isfinite(out).all(axis=1)
    out[missing] = out[0] + T[missing] @ frame.T
    return out


def _unseen_legs(positions: np.ndarray, seen: Observation) -> np.ndarray:
    """(68,) bool: joints of legs of which nothing below the hip is seen."""
    shown = np.isfinite(seen.ray).all(axis=1) | np.isfinite(positions).all(axis=1)
    out = np.zeros(len(positions), bool)
    for leg in LEGS:
        out[leg] = not shown[leg].any()
    return out


def _hanging(trunk: np.ndarray) -> np.ndarray:
    """(3, 3) frame of legs that nothing is known of, below a trunk with this one: who leans stands on both feet all the same. Who
    lies, or has their head down, has legs that go on where the trunk ends."""
    return standing_frame(trunk) if is_upright(trunk) else trunk


def behind_trunk(positions: np.ndarray, seen: Observation, stature: float) -> np.ndarray:
    """(68,) metres: `front` of one pose, moved to the trunk's far side for rays that meet the trunk first.

    Nobody's arm is inside their body. The trunk is an elliptic cylinder from below the pelvis to the neck. Where something else
    lies over it (another arm), the joint may be between the two, and `front` stays.
    """
    ray, front, frame = seen.ray, seen.front, chest_frame(positions)
    low, high = positions[joint_index("pelvis")], positions[joint_index("neck")]
    local = unit(np.nan_to_num(ray, nan=1.0)) @ frame
    start = -low @ frame
    inverse = 1 / (np.array(TRUNK_HALF) * stature) ** 2
    a = (local[:, :2] ** 2 * inverse).sum(axis=1)
    b = (local[:, :2] * start[:2] * inverse).sum(axis=1)
    c = (start[:2] ** 2 * inverse).sum() - 1
    inside = np.maximum(b**2 - a * c, 0.0)
    near, far = (-b - np.sqrt(inside)) / a, (-b + np.sqrt(inside)) / a
    height = start[2] + local[:, 2] * (near + far) / 2
    z = unit(np.nan_to_num(ray, nan=1.0))[:, 2]
    meets = (inside > 0) & (height > -0.05 * stature) & (height < np.linalg.norm(high - low))
    with np.errstate(invalid="ignore"):
        meets &= front > near * z - 0.03 * stature
    return np.where(meets, np.maximum(front, far * z), front)


def on_ray(
    parent: np.ndarray, length: np.ndarray | float, ray: np.ndarray, guess: np.ndarray, front: np.ndarray | float
) -> np.ndarray:
    """(..., 3) intersections of a ray with a sphere: the points at a known length from their parents.

    parent  (..., 3) metres;  length  (...,) metres
    ray     (..., 3) from the camera
    guess   (..., 3) metres: of two solutions the one nearer to it is taken
    front   (...,) metres (z): solutions in front of it are avoided; NaN = nothing is there

    If the ray passes at a greater distance, the nearest point of the ray, pulled to the right length.
    """
    d = unit(ray)
    along, length = dot(d, parent), np.asarray(length)
    inside = along**2 - dot(parent, parent) + length**2
    nearest = parent + length[..., None] * unit(along[..., None] * d - parent)
    half = np.sqrt(np.maximum(inside, 0))
    points = np.stack([along - half, along + half])[..., None] * d
    cost = np.linalg.norm(points - guess, axis=-1)
    cost += 5 * np.maximum(np.nan_to_num(front, nan=-np.inf) - points[..., 2], 0)
    return np.where((inside <= 0)[..., None], nearest, np.where((cost[1] < cost[0])[..., None], points[1], points[0]))


def _trunk(out: np.ndarray, T: np.ndarray, seen: Observation, head: HeadFit) -> np.ndarray:
    """Place the joints of the trunk in `out` and return the trunk's (3, 3) frame."""
    at = {n: joint_index(n) for n in TRUNK}

    def known(*names: str) -> bool:
        return all(np.isfinite(out[at[n]]).all() for n in names)

    hips, shoulders = known("left_hip", "right_hip"), known("left_shoulder", "right_shoulder")
    lower = np.nanmean(out[[at["left_hip"], at["right_hip"]]], axis=0) if known("left_hip") or known("right_hip") else None
    tops = [out[at[n]] for n in ("neck", "left_shoulder", "right_shoulder") if known(n)]
    upper = out[at["neck"]] if known("neck") else (np.mean(tops, axis=0) if tops else None)

    across = np.zeros(3)
    if hips:
        across += unit(out[at["left_hip"]] - out[at["right_hip"]])
    if shoulders:
        across += unit(out[at["left_shoulder"]] - out[at["right_shoulder"]])
    if not across.any():
        across = head.frame[:, 0] if head.known else np.array([1.0, 0.0, 0.0])
    if lower is not None and upper is not None:
        up = upper - lower
    elif upper is not None and head.known:
        up = unit(head.origin - upper) + CAMERA_UP
    else:
        up = CAMERA_UP + (0.5 * head.frame[:, 2] if head.known else 0.0)
    frame = two_axis_frame(up, across, "zx")

    anchors = [(i, out[i]) for i in at.values() if np.isfinite(out[i]).all()]
    if anchors:
        origin = np.mean([p - frame @ T[i] for i, p in anchors], axis=0)
    elif head.known:
        origin = head.origin - frame @ T[joint_index("head")]
    else:
        rest = [(p - frame @ t) for p, t in zip(out, T, strict=True) if np.isfinite(p).all()]
        origin = np.mean(rest, axis=0) if rest else np.array([0.0, 0.0, 4.0])
    for name, i in at.items():
        if np.isfinite(out[i]).all():
            continue
        mirror = name.replace("left", "*").replace("right", "left").replace("*", "right")
        if mirror != name and known(mirror):
            offset = frame @ (T[i] - T[at[mirror]])
            out[i] = out[at[mirror]] + offset
            if np.isfinite(seen.ray[i]).all():
                # The far shoulder or hip of someone seen from the side: covered, so behind what covers it by its own flesh.
                cover = seen.front[i] + 0.06
                out[i] = on_ray(out[at[mirror]], float(np.linalg.norm(offset)), seen.ray[i], out[i], cover)
            continue
        if name == "pelvis" and (known("left_hip") or known("right_hip")):
            out[i] = np.nanmean([out[at[n]] - frame @ T[at[n]] for n in ("left_hip", "right_hip")], axis=0)
        else:
            out[i] = origin + frame @ T[i]
        if np.isfinite(seen.ray[i]).all() and seen.ray[i][2] > 0:
            out[i] = seen.ray[i] * max(out[i][2], 0.1)
    return frame


def ambiguous_joints(positions: np.ndarray, sure: np.ndarray, ray: np.ndarray, stature: float) -> np.ndarray:
    """(68,) bool: joints of limbs that hang on their bone's length alone, in front of or behind their parent.

    sure  (68,) bool: joints whose depth was measured

    A hidden joint with a sure one further out on its limb (an elbow whose wrist is seen) counts as ambiguous only if both
    solutions have the right distance from that one, within 3 cm.
    """
    out = np.zeros(len(positions), bool)
    for parent, child, _ in _chains():
        if sure[child]:
            continue
        if out[parent]:
            out[child] = True
            continue
        if not np.isfinite(ray[child]).all():
            continue
        d = unit(ray[child])
        half = float(d @ positions[child] - d @ positions[parent])
        other = positions[child] - 2 * half * d
        ends = [i for p, i, _ in _chains() if p == child and sure[i]]
        told = any(
            abs(np.linalg.norm(other - positions[i]) - np.linalg.norm(positions[child] - positions[i])) > 0.03 for i in ends
        )
        out[child] = abs(half) > AMBIGUOUS * stature and not told
    return out


def _wrists_from_knuckles(out: np.ndarray, T: np.ndarray, frame: np.ndarray) -> None:
    """Place a wrist that is not known on the elbow's side of the knuckles that are."""
    for side in SIDES:
        wrist, elbow = joint_index(f"{side}_wrist"), joint_index(f"{side}_elbow")
        bases = [joint_index(finger_joints(side, finger)[0]) for finger in FINGERS[1:]]
        seen = [i for i in bases if np.isfinite(out[i]).all()]
        if np.isfinite(out[wrist]).all() or not seen:
            continue
        centre, rest = out[seen].mean(axis=0), T[wrist] - T[seen].mean(axis=0)
        back = unit(out[elbow] - centre) if np.isfinite(out[elbow]).all() else unit(frame @ rest)
        out[wrist] = centre + back * np.linalg.norm(rest)


@cache
def _forward() -> np.ndarray:
    """FORWARD of the (68,) joints."""
    return np.array([FORWARD.get(name.split("_", 1)[-1], 0.0) for name in JOINT_NAMES])


@cache
def _chains() -> list[tuple[int, int, int]]:
    """(parent, child, grandparent or -1) from the trunk outwards."""
    at = joint_index
    out = []
    for side in SIDES:
        shoulder, elbow, wrist, hip, knee, ankle = (
            at(f"{side}_{n}") for n in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        )
        out += [(shoulder, elbow, -1), (elbow, wrist, shoulder), (hip, knee, -1), (knee, ankle, hip)]
        out += [(ankle, at(f"{side}_{n}"), knee) for n in ("heel", "big_toe", "small_toe")]
        for finger in FINGERS:
            chain = [at(n) for n in finger_joints(side, finger)]
            out.append((wrist, chain[0], elbow))
            before = wrist
            for a, b in itertools.pairwise(chain):
                out.append((a, b, before))
                before = a
    return out


@cache
def _levels() -> list[np.ndarray]:
    """The chains for all limbs at once: (3, K) int64 rows parent, child, grandparent; each level hangs on the ones before."""
    depth: dict[int, int] = {}
    for parent, child, _ in _chains():
        depth[child] = depth.get(parent, 0) + 1
    return [np.array([row for row in _chains() if depth[row[1]] == level]).T for level in range(1, max(depth.values()) + 1)]
