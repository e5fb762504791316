"""Feet on the ground: where the ground is, when a foot stands, and keeping it there.

World space with z up, metres. The four contact points are left heel, left toes, right heel, right toes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..common.landmarks import SIDES, joint_index
from ..common.rotations import perpendicular, shortest_arc, unit
from ..pose.anatomy import smoothstep

SPEED = 0.15  # m/s of a standing foot point at 30 frames per second, after smoothing; slower sampling blurs more
HIPS_SHARE = 0.5  # of the speed of the hips: a foot point that is slower than this stands, however fast it is
HEIGHT = 0.04  # metres above its height on the ground up to which a foot point may stand
HYSTERESIS = 0.02  # metres more, and half as fast again, that a stand may hold out once it has begun
STAND_SECONDS = 4 / 30  # the shortest stand
FADE_SECONDS = 5 / 30  # in which the correction of a stand comes and goes
ROOT_SHARE = 0.5  # of the feet's mean correction that the hips take
ROOT_HZ = 4.0  # faster movements of the hips are left to the legs
MAX_ROOT_STEP = 0.03  # metres per frame that the hips may be moved to help
REACH = 0.995  # of the leg's length: a leg is never stretched straighter, or the knee pops
REACH_ROUNDS = 4
HELD = 0.002  # metres
SOLE = {"heel": 0.026, "toes": 0.012}  # metres from the joint of the keypoint to the ground below it, mean foot


def foot_points(positions: np.ndarray) -> np.ndarray:
    """(F, 4, 3) heel and middle of the toes of both feet, from (F, 68, 3) joints."""
    out = []
    for side in SIDES:
        heel, big, small = (positions[:, joint_index(f"{side}_{n}")] for n in ("heel", "big_toe", "small_toe"))
        out += [heel, (big + small) / 2]
    return np.stack(out, axis=1)


def ground_level(positions: np.ndarray, fps: float) -> float:
    """Height z of the ground under (F, 68, 3) joints: under the foot points where they are lowest and slowest."""
    points = foot_points(positions)
    soles = points[..., 2] - np.tile([SOLE["heel"], SOLE["toes"]], 2)
    speed = _speed(points, fps)
    low = soles <= np.quantile(soles, 0.4)
    slow = speed <= np.quantile(speed[low], 0.5)
    return float(np.median(soles[low & slow]))


def _speed(points: np.ndarray, fps: float) -> np.ndarray:
    """(F, n) m/s of (F, n, 3) points, the slower of the two neighbouring steps: a foot that has just landed stands."""
    if len(points) < 2:
        return np.zeros(points.shape[:2])
    step = np.linalg.norm(np.diff(points, axis=0), axis=-1) * fps
    return np.minimum(np.concatenate([step[:1], step]), np.concatenate([step, step[-1:]]))


def find_contacts(positions: np.ndarray, fps: float) -> np.ndarray:
    """(F, 4) bool: which foot points of (F, 68, 3) joints stand on the ground z = 0."""
    points = foot_points(positions)
    speed = _speed(points, fps)
    height = points[..., 2] - np.tile([SOLE["heel"], SOLE["toes"]], 2)
    pelvis = positions[:, joint_index("pelvis")][:, None]
    # A walking body passes over its standing foot. What a camera sees of it slides with the errors of the depth, so that
    # a foot on the ground stands if it is slow compared with the hips.
    limit = np.maximum(SPEED * max(1.0, 30.0 / fps), HIPS_SHARE * _speed(pelvis, fps))
    sure = (speed < limit) & (height < HEIGHT)
    maybe = (speed < 1.5 * limit) & (height < HEIGHT + HYSTERESIS)
    shortest = max(2, round(STAND_SECONDS * fps))
    out = np.zeros_like(sure)
    for n in range(4):
        for start, stop in spans(maybe[:, n]):
            if sure[start:stop, n].any() and stop - start >= min(shortest, len(positions)):
                out[start:stop, n] = True
    return out


def spans(flags: np.ndarray) -> list[tuple[int, int]]:
    """[start, stop) of the runs of True in (F,) bool."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def lock_feet(
    positions: np.ndarray, contacts: np.ndarray, fps: float, soles: Mapping[str, float] = SOLE
) -> tuple[np.ndarray, np.ndarray]:
    """Standing foot points do not move and lie on the ground; legs follow by two-bone IK.

    soles  height of the points "heel" and "toes" above the ground that they stand on
    The correction fades in and out around each stand. The body takes a smoothed share of it, and comes closer where a leg would
    be overstretched.
    Returns (F, 68, 3) joints and (F, 4) the contacts that hold to within `HELD`: a foot that cannot be reached does not count.
    """
    out = np.array(positions, np.float64)
    moves = {side: _foot_move(out, contacts[:, 2 * n : 2 * n + 2], side, fps, soles) for n, side in enumerate(SIDES)}
    out += _root_move(moves, fps)[:, None]
    for _ in range(REACH_ROUNDS):
        moves = {
            side: _foot_move(out, contacts[:, 2 * n : 2 * n + 2], side, fps, soles, positions) for n, side in enumerate(SIDES)
        }
        out += _reach_move(out, moves)[:, None]
    moves = {side: _foot_move(out, contacts[:, 2 * n : 2 * n + 2], side, fps, soles, positions) for n, side in enumerate(SIDES)}
    for side in SIDES:
        _move_foot(out, side, moves[side])
    return out, contacts & _still(out, contacts)


def _still(positions: np.ndarray, contacts: np.ndarray) -> np.ndarray:
    """(F, 4) bool: the point is within HELD of the middle of its stand."""
    points = foot_points(positions)
    out = np.zeros(contacts.shape, bool)
    for n in range(4):
        for start, stop in spans(contacts[:, n]):
            middle = np.median(points[start:stop, n], axis=0)
            out[start:stop, n] = np.linalg.norm(points[start:stop, n] - middle, axis=1) < HELD
    return out


def _foot_move(
    positions: np.ndarray,
    contacts: np.ndarray,
    side: str,
    fps: float,
    soles: Mapping[str, float],
    original: np.ndarray | None = None,
) -> np.ndarray:
    """(F, 3) how far the foot must go so that its contact points stand.

    `original` places the stands, positions may have moved.
    """
    n = SIDES.index(side)
    points = foot_points(positions)[:, 2 * n : 2 * n + 2]
    placed = points if original is None else foot_points(original)[:, 2 * n : 2 * n + 2]
    frames = len(points)
    want, weight = np.zeros((frames, 3)), np.zeros(frames)
    for k, sole in enumerate((soles["heel"], soles["toes"])):
        for start, stop in spans(contacts[:, k]):
            target = np.append(np.median(placed[start:stop, k, :2], axis=0), sole)
            want[start:stop] += target - points[start:stop, k]
            weight[start:stop] += 1
    held = weight > 0
    want[held] /= weight[held][:, None]
    return faded(want, held, fps)


def faded(moves: np.ndarray, held: np.ndarray, fps: float) -> np.ndarray:
    """(F, n) corrections that come and go smoothly around the frames, (F,) bool `held`, in which they hold."""
    frames = np.arange(len(moves))
    if not held.any():
        return moves
    length = max(1, round(FADE_SECONDS * fps))
    known = frames[held]
    after = np.searchsorted(known, frames)
    left, right = known[np.clip(after - 1, 0, len(known) - 1)], known[np.clip(after, 0, len(known) - 1)]
    w_left = np.clip(1 - (frames - left) / (length + 1), 0, 1) * (left <= frames)
    w_right = np.clip(1 - (right - frames) / (length + 1), 0, 1) * (right >= frames)
    w_left, w_right = (smoothstep(0.0, 1.0, w)[:, None] for w in (w_left, w_right))
    out = (w_left * moves[left] + w_right * moves[right]) / np.maximum(w_left + w_right, 1.0)
    out[held] = moves[held]
    return out


def _root_move(moves: dict[str, np.ndarray], fps: float) -> np.ndarray:
    """(F, 3) share of the feet's corrections that the body takes: half of their mean, in small steps and smoothed.

    All of it would follow what only the feet got wrong, and carry their error to every joint of the body.
    """
    mean = ROOT_SHARE * np.mean([moves[side] for side in SIDES], axis=0)
    largest = MAX_ROOT_STEP * max(1.0, 30.0 / fps) * 2
    return _rounded(np.clip(mean, -largest, largest), max(3, round(fps / min(ROOT_HZ, fps / 4)) | 1))


def _rounded(path: np.ndarray, width: int) -> np.ndarray:
    """(F, 3) averaged over `width` frames, an odd number, weighted by a Hann window: half of what swings once in it is left.

    Without scipy, since rigs are posed inside Blender.
    """
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(path, ((width // 2, width // 2), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, width, axis=0) @ (window / window.sum())


def _reach_move(positions: np.ndarray, moves: dict[str, np.ndarray]) -> np.ndarray:
    """(F, 3) how far the body must come so that no leg is stretched beyond REACH of its length to where it stands."""
    out = np.zeros((len(positions), 3))
    for side in SIDES:
        hip, knee, ankle = (positions[:, joint_index(f"{side}_{n}")] for n in ("hip", "knee", "ankle"))
        length = np.linalg.norm(knee - hip, axis=1) + np.linalg.norm(ankle - knee, axis=1)
        span = ankle + moves[side] - hip
        distance = np.linalg.norm(span, axis=1)
        short = np.where(np.linalg.norm(moves[side], axis=1) > 1e-9, np.maximum(distance - REACH * length, 0.0), 0.0)
        out += unit(span) * short[:, None]
    return out


def _move_foot(positions: np.ndarray, side: str, move: np.ndarray) -> None:
    """Shift ankle, heel and toes by (F, 3), in place; the knee bends so that thigh and shank keep their lengths."""
    hip, knee, ankle = (joint_index(f"{side}_{n}") for n in ("hip", "knee", "ankle"))
    foot = [ankle, *(joint_index(f"{side}_{n}") for n in ("heel", "big_toe", "small_toe"))]
    moved = positions[:, ankle] + move
    bent, reached = two_bone(positions[:, hip], positions[:, knee], positions[:, ankle], moved)
    still = np.linalg.norm(move, axis=1) < 1e-12
    positions[:, knee] = np.where(still[:, None], positions[:, knee], bent)
    # A leg too short to reach leaves its foot where it can reach.
    positions[:, foot] += np.where(still[:, None], 0.0, reached - positions[:, ankle])[:, None]


def two_bone(root: np.ndarray, joint: np.ndarray, end: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact two-bone IK: where the middle joint and the end go so that the end reaches `target`; all (F, 3).

    Lengths are kept, the limb stays in the plane that it turns into by the shortest arc, and it is never stretched beyond
    99.9 % of its length (law of cosines).
    Returns joint and end (F, 3); the end differs from the target where that is out of reach.
    """
    a, b = np.linalg.norm(joint - root, axis=-1), np.linalg.norm(end - joint, axis=-1)
    span = target - root
    distance = np.linalg.norm(span, axis=-1)
    c = np.clip(distance, np.abs(a - b) + 1e-6, 0.999 * (a + b))
    turn = shortest_arc(end - root, span)
    axis = unit(span)
    out = perpendicular((turn @ (joint - root)[..., None])[..., 0], axis)
    side = unit(out)
    along = (a * a + c * c - b * b) / (2 * np.maximum(c, 1e-9))
    height = np.sqrt(np.maximum(a * a - along * along, 0.0))
    return root + along[..., None] * axis + height[..., None] * side, root + c[..., None] * axis
