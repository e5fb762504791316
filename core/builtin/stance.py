"""How a person stands in depth: the body's network, how bodies are built, and the ground under both feet, weighed together.

The network makes strides too short, bends the knees of people who stand straight, and lets feet hang down. Its depths are one
piece of evidence of several: joints lie on their rays, limbs have usual lengths, left and right alike, feet point to the front
and stand flat on one level ground, below what they carry; and of a left and a right limb the nearer one looks wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.landmarks import SIDES, joint_index
from ..common.rotations import unit
from ..pose.anatomy import template_joints
from ..pose.anthropometry import DEFAULT_STATURE

PARTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "big_toe")
JOINTS = tuple(f"{side}_{part}" for part in PARTS for side in SIDES)
"""The joints whose depths are found; left ones are even."""
SAID = {
    "shoulder": 0.05, "elbow": 0.08, "wrist": 0.14, "hip": 0.03, "knee": 0.09, "ankle": 0.25, "heel": 0.4, "big_toe": 0.4,
}  # fmt: skip
"""Metres, standard deviation of what the network says of a joint's depth. Heels and toes say again what ankles said."""
LEAN = 0.04
"""How much the network leans everybody to the camera: metres nearer a metre."""
BONES = {
    ("shoulder", "elbow"): 0.05, ("elbow", "wrist"): 0.06, ("hip", "knee"): 0.06, ("knee", "ankle"): 0.05,
    ("ankle", "heel"): 0.08, ("ankle", "big_toe"): 0.12, ("heel", "big_toe"): 0.15,
}  # fmt: skip
"""Pairs at a nearly fixed distance, and its standard deviation between people: a share, with what keypoints are off."""
ACROSS, TRUNK, SIZE = 0.07, 0.06, 0.05
"""The same for shoulders and hips, for the way from the ones to the others, and for everything together."""
ALIKE = 0.025
"""The same between left and right of one person."""
KNEE = 0.04
"""Metres that the knee of a straight leg is before or behind the line from hip to ankle. Bent legs count less."""
HIPS = 0.05
"""The same for hips and the line from shoulders to ankles."""
FLAT, GROUND = 0.03, 0.04
"""Metres between the heights of heel and toe, and between the lowest points of both feet."""
HEEL_ABOVE = 0.015
"""Metres that the back of the heel is above the joint of the big toe of a foot that stands flat."""
FORWARDS = 0.05
"""Metres that a toe is nearer or farther than straight before its heel, as the trunk faces."""
BALANCE, UPRIGHT = 0.07, 0.1
"""Metres that the middle of the trunk is off above the feet, and the shoulders above the hips."""
PITCH, PITCH_SPREAD, ROLL_SPREAD = 3.0, 6.0, 3.0
"""Degrees that cameras look down, how much that differs, and how much they are tilted."""
SEEN = 0.3
"""Joints of a lower score are guesses, of which nothing follows."""
WIDTHS = {("shoulder", "elbow"): 0.12, ("elbow", "wrist"): 0.12, ("hip", "knee"): 0.05, ("knee", "ankle"): 0.04}
"""What the widths of a left and a right limb in the photo differ by at the same distance: a share, one standard deviation. Arms
turn, and show a broader or a narrower side."""
STEPS, LONGEST = 25, 0.15


@dataclass(frozen=True, eq=False)
class Stance:
    """depths (16,) metres of JOINTS, camera space; down (3,) unit, where gravity points to; size, of a mean person's."""

    depths: np.ndarray
    down: np.ndarray
    size: float


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a photo shows: rays (16, 3) of depth 1, said (16,) metres of depth from the hips, scores (16,), toes: metres that
    toes are farther than heels if feet point to where the trunk faces, stands: 0..1 whether the trunk is upright in the photo,
    wider (4,) of `limb_widths.nearer_sides`."""

    rays: np.ndarray
    said: np.ndarray
    scores: np.ndarray
    toes: float
    stands: float
    wider: np.ndarray


def stance(world: np.ndarray, rays: np.ndarray, scores: np.ndarray, centre: np.ndarray, wider: np.ndarray) -> Stance:
    """The depths that agree best with everything.

    world   (16, 3) metres of JOINTS from the middle of the hips, camera axes, as the network says, of a person of mean size
    rays    (16, 3) depth-1 rays of their places in the photo
    scores  (16,) 0..1
    centre  (3,) metres, where those hips are
    wider   (4,) of `limb_widths.nearer_sides`
    """
    left, right = world[0::2], world[1::2]
    shoulder, hip = PARTS.index("shoulder"), PARTS.index("hip")
    up = unit((left + right)[shoulder] - (left + right)[hip])
    facing = unit(np.cross(-up, (left - right)[shoulder] + (left - right)[hip]))
    foot = float(_lengths()[1][list(_pairs()[2]).index("heel big_toe")])
    said, stands = world[:, 2] - LEAN * world[:, 1], float(np.clip((-up[1] - 0.5) / 0.3, 0, 1))
    seen = _Seen(rays, said, scores, float(facing[2]) * foot, stands, wider)
    heel, toe = 2 * PARTS.index("heel"), 2 * PARTS.index("big_toe")
    depths = world[:, 2] + centre[2]
    depths[toe : toe + 2] = depths[heel : heel + 2] + seen.toes
    state = np.concatenate([depths, [0.0, centre[2], np.radians(PITCH) * seen.stands, 0.0]])
    damping = 1e-3
    spread = 1e-5 * np.eye(len(state))
    for _ in range(STEPS):
        at, far = _residuals(state[None], seen)
        weight = np.sqrt(1 / (1 + np.square(at[0] / far)))
        at = at[0] * weight
        slopes = (_residuals(state + spread, seen)[0] * weight - at).T / 1e-5
        normal, gradient = slopes.T @ slopes, slopes.T @ at
        for _ in range(5):
            step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), gradient)
            moved = state + np.clip(step, -LONGEST, LONGEST)
            moved[: len(JOINTS)] = np.maximum(moved[: len(JOINTS)], 0.1)
            if np.square(_residuals(moved[None], seen)[0] * weight).sum() < at @ at:
                state, damping = moved, max(damping / 4, 1e-5)
                break
            damping *= 8
        else:
            break
    return Stance(state[: len(JOINTS)], _down(state[None])[0], float(np.exp(state[len(JOINTS)])))


@cache
def _pairs() -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """(S, 2) rows of JOINTS, (S,) relative standard deviations, and (S,) names; left before right, then what goes across."""
    rows, spreads, names = [], [], []
    for (a, b), spread in BONES.items():
        for side in range(2):
            rows.append((2 * PARTS.index(a) + side, 2 * PARTS.index(b) + side))
            spreads.append(spread)
            names.append(f"{a} {b}")
    for part in ("shoulder", "hip"):
        rows.append((2 * PARTS.index(part), 2 * PARTS.index(part) + 1))
        spreads.append(ACROSS)
        names.append(part)
    return np.array(rows), np.array(spreads), tuple(names)


@cache
def _lengths() -> tuple[float, np.ndarray]:
    """Metres of a mean person: from the middle of the hips to that of the shoulders, and (S,) of the pairs."""
    joints = template_joints()[[joint_index(name) for name in JOINTS]] * DEFAULT_STATURE
    pairs = _pairs()[0]
    middles = (joints[0::2] + joints[1::2]) / 2
    trunk = np.linalg.norm(middles[PARTS.index("shoulder")] - middles[PARTS.index("hip")])
    return float(trunk), np.linalg.norm(joints[pairs[:, 0]] - joints[pairs[:, 1]], axis=1)


def _down(states: np.ndarray) -> np.ndarray:
    """(B, 3) where gravity points to."""
    pitch, roll = states[:, -2], states[:, -1]
    return unit(np.stack([np.tan(roll), np.ones_like(pitch), np.tan(pitch)], axis=1))


def _residuals(states: np.ndarray, seen: _Seen) -> tuple[np.ndarray, np.ndarray]:
    """(B, M) residuals in standard deviations of states (B, 20): depths, logarithm of the size, depth of the hips, pitch, roll;
    and (M,) from where on each counts as an exception, inf = never."""
    depth, log_size, hips = states[:, : len(JOINTS)], states[:, -4, None], states[:, -3, None]
    points = seen.rays * depth[..., None]
    known = seen.scores >= SEEN
    out: list[np.ndarray] = []
    far: list[float] = []

    def add(residual: np.ndarray, exception: float = np.inf) -> None:
        out.append(residual)
        far.extend([exception] * residual.shape[1])

    said = np.array([SAID[part] for part in PARTS]).repeat(2)
    add((depth - hips - np.exp(log_size) * seen.said) / said * np.sqrt(np.maximum(seen.scores, 0.05)))
    (pairs, spreads, _), (trunk, lengths) = _pairs(), _lengths()
    apart = np.linalg.norm(points[:, pairs[:, 0]] - points[:, pairs[:, 1]], axis=2)
    longer = (np.log(np.maximum(apart, 1e-6) / lengths) - log_size) * known[pairs].all(axis=1)
    add(longer / spreads)
    both = known[pairs].all(axis=1)[: 2 * len(BONES)].reshape(-1, 2).all(axis=1)
    add((longer[:, 0 : 2 * len(BONES) : 2] - longer[:, 1 : 2 * len(BONES) : 2]) / ALIKE * both)
    add(log_size / SIZE)

    for ratio, (start, end), spread in zip(seen.wider, WIDTHS, WIDTHS.values(), strict=True):
        if np.isfinite(ratio):
            a, b = (2 * PARTS.index(name) for name in (start, end))
            middles = (depth[:, a : a + 2] + depth[:, b : b + 2]) / 2
            add((np.log(middles[:, 1:] / middles[:, :1]) - ratio) / spread, 2.0)

    middle: dict[str, np.ndarray] = dict(zip(PARTS, np.moveaxis((points[:, 0::2] + points[:, 1::2]) / 2, 1, 0), strict=True))
    whole: dict[str, bool] = dict(zip(PARTS, known[0::2] & known[1::2], strict=True))
    spine = middle["shoulder"] - middle["hip"]
    longer = np.log(np.maximum(np.linalg.norm(spine, axis=1), 1e-6) / trunk)[:, None] - log_size
    add(longer / TRUNK * (whole["shoulder"] and whole["hip"]))

    hip, knee, ankle, heel, toe = (slice(2 * k, 2 * k + 2) for k in range(PARTS.index("hip"), len(PARTS)))
    upper = np.linalg.norm(seen.rays[knee] - seen.rays[hip], axis=1)
    share = upper / np.maximum(upper + np.linalg.norm(seen.rays[ankle] - seen.rays[knee], axis=1), 1e-9)
    share = np.clip(share, 0.35, 0.65)
    bent = depth[:, knee] - (1 - share) * depth[:, hip] - share * depth[:, ankle]
    add(bent / KNEE * (known[hip] & known[knee] & known[ankle]), 1.0)

    trunk_ray, leg_ray = (
        np.linalg.norm(seen.rays[a].mean(axis=0) - seen.rays[b].mean(axis=0)) for a, b in ((slice(2), hip), (hip, ankle))
    )
    share = np.clip(trunk_ray / max(trunk_ray + leg_ray, 1e-9), 0.3, 0.5)
    z = {part: middle[part][:, 2:] for part in ("shoulder", "hip", "ankle")}
    add((z["hip"] - (1 - share) * z["shoulder"] - share * z["ankle"]) / HIPS * seen.stands * all(whole[part] for part in z), 1.0)

    down = _down(states)
    height = (points * down[:, None]).sum(axis=2)
    stood = seen.stands * (known[heel] & known[toe])
    add((height[:, heel] + HEEL_ABOVE - height[:, toe]) / FLAT * stood, 1.0)
    add((depth[:, toe] - depth[:, heel] - seen.toes) / FORWARDS * (known[heel] & known[toe]))
    lowest = np.maximum(height[:, heel], height[:, toe])
    add((lowest[:, :1] - lowest[:, 1:]) / GROUND * stood.min(), 4.0)
    feet = (middle["heel"] + middle["big_toe"] + 2 * middle["ankle"]) / 4
    carried = (middle["hip"] + middle["shoulder"]) / 2
    standing = seen.stands * min(whole[part] for part in ("shoulder", "hip", "ankle", "heel", "big_toe"))
    add(_aside(carried - feet, down) / BALANCE * standing, 2.0)
    add(_aside(spine, down) / UPRIGHT * seen.stands * (whole["shoulder"] and whole["hip"]), 1.0)
    add((states[:, -2:] - np.radians([PITCH, 0.0])) / np.radians([PITCH_SPREAD, ROLL_SPREAD]))
    return np.concatenate(out, axis=1), np.array(far)


def _aside(ways: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(B, 2) metres across and away from the camera, of what of ways (B, 3) is level."""
    level = ways - (ways * down).sum(axis=1, keepdims=True) * down
    return level[:, [0, 2]]
