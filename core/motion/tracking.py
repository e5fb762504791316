"""Who is who from frame to frame, and which side is which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..common.arrays import Pose
from ..common.errors import SapiensError
from ..common.landmarks import JOINT_NAMES, SIDES, joint_index, joint_swap

GATE = 0.5  # metres that hips may be off from where they were expected, plus SPEED per second of absence
SPEED = 3.0
SWAP_GAIN, SWAP_FRAMES = 0.7, 3  # a swap must lower the movement by 30 % to be taken back, and may last long
LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "big_toe", "small_toe")


def track(people: Sequence[Sequence[Pose]], fps: float, person: int = 0) -> list[Pose | None]:
    """One person through a clip: for each frame the pose that continues the track, None where nobody does.

    people  the poses found in each frame, in any order
    person  0 = the track that is seen longest, 1 = the next, ...
    Raises SapiensError if there are not that many.
    """
    tracks: list[list[tuple[int, int]]] = []  # (frame, index in frame)
    pelvis = joint_index("pelvis")
    for frame, poses in enumerate(people):
        centres = [np.asarray(p.positions[pelvis], np.float64) for p in poses]
        expected = [_expected(people, t, frame, pelvis) for t in tracks]
        costs = [
            (float(np.linalg.norm(centre - place)), n, t_index)
            for n, centre in enumerate(centres)
            for t_index, place in enumerate(expected)
        ]
        taken: set[int] = set()
        used: set[int] = set()
        for cost, n, t_index in sorted(costs):
            gap = (frame - tracks[t_index][-1][0]) / fps
            if n not in taken and t_index not in used and cost < GATE + SPEED * gap:
                tracks[t_index].append((frame, n))
                taken.add(n)
                used.add(t_index)
        tracks += [[(frame, n)] for n in range(len(poses)) if n not in taken]
    order = sorted(tracks, key=lambda t: (-len(t), t[0]))
    if person >= len(order):
        count = len(order)
        raise SapiensError(
            f"The clip shows {count} {'person' if count == 1 else 'people'}, number {person + 1} was asked for.",
            "Choose a lower number." if count else "Choose a clip in which people were found.",
        )
    out: list[Pose | None] = [None] * len(people)
    for frame, n in order[person]:
        out[frame] = people[frame][n]
    return out


def _expected(people: Sequence[Sequence[Pose]], track_: list[tuple[int, int]], frame: int, pelvis: int) -> np.ndarray:
    """(3,) where the hips of a track should be now: on from its last two frames, but not for longer than a few frames."""
    last = np.asarray(people[track_[-1][0]][track_[-1][1]].positions[pelvis], np.float64)
    if len(track_) < 2:
        return last
    before = np.asarray(people[track_[-2][0]][track_[-2][1]].positions[pelvis], np.float64)
    step = (last - before) / (track_[-1][0] - track_[-2][0])
    return last + step * min(frame - track_[-1][0], 3)


def undo_swaps(positions: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right exchanged back where the network exchanged them.

    positions  (F, 68, 3); valid (F,) frames in which the person was found
    Arms and legs are judged on their own. In each frame a limb pair may be as it is or exchanged; the cheapest path through the
    clip (Viterbi) by squared movement is taken, with a price on changing sides, and the majority of frames keeps its sides.
    Returns the positions and (F,) bool: something was exchanged there.
    """
    out = np.array(positions, np.float64)
    changed = np.zeros(len(out), bool)
    frames = np.flatnonzero(valid)
    if len(frames) < SWAP_FRAMES:
        return out, changed
    swap = joint_swap()
    for names in (LIMBS[:3], LIMBS[3:]):
        judged = [joint_index(f"{side}_{n}") for side in SIDES for n in names]
        pattern = [n for n, name in enumerate(JOINT_NAMES) if _belongs(name, names)]
        here = out[frames][:, judged] - out[frames][:, [joint_index("pelvis")]]
        other = out[frames][:, swap[judged]] - out[frames][:, [joint_index("pelvis")]]
        states = _cheapest_sides(here, other)
        if states.mean() > 0.5:
            states = 1 - states
        for frame in frames[states == 1]:
            out[frame, pattern] = out[frame, swap[pattern]]
            changed[frame] = True
    return out, changed


def _belongs(name: str, limbs: Sequence[str]) -> bool:
    """Whether a joint goes along when these limbs are exchanged: it is one of them, or a finger of a hand among them."""
    side, _, rest = name.partition("_")
    if side not in SIDES:
        return False
    return rest in limbs or ("wrist" in limbs and ("thumb" in rest or "finger" in rest))


def _cheapest_sides(here: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(F,) int64, 0 = as it is, 1 = exchanged, from the joints (F, n, 3) as they are and exchanged."""
    stay = ((here[1:] - here[:-1]) ** 2).sum(axis=(1, 2))
    cross = ((other[1:] - here[:-1]) ** 2).sum(axis=(1, 2))
    cost = np.zeros(2)
    back = np.zeros((len(here), 2), np.int64)
    for f in range(1, len(here)):
        # A change of sides must save 30 % of the movement: its price is that share of what staying costs.
        step = np.array([[stay[f - 1], cross[f - 1] / SWAP_GAIN], [cross[f - 1] / SWAP_GAIN, stay[f - 1]]])
        total = cost[:, None] + step
        back[f] = total.argmin(axis=0)
        cost = total.min(axis=0)
    states = np.empty(len(here), np.int64)
    states[-1] = int(cost.argmin())
    for f in range(len(here) - 1, 0, -1):
        states[f - 1] = back[f, states[f]]
    return states
