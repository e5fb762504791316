"""One length per bone through a clip: people do not grow and shrink from frame to frame."""

from __future__ import annotations

import numpy as np

from ..common.landmarks import FINGERS, JOINT_NAMES, SIDES, finger_joints, joint_index

SYMMETRY = 0.08  # sides that differ by less than this are the same length


def joint_tree() -> list[tuple[int, int]]:
    """(parent, child) joint indices, parents first."""
    pairs = [("pelvis", "spine"), ("spine", "chest"), ("chest", "neck"), ("neck", "head"), ("head", "head_top")]
    for side in SIDES:
        chain = (
            ("pelvis", "hip"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("ankle", "heel"),
            ("ankle", "big_toe"),
            ("ankle", "small_toe"),
        )
        pairs += [(a if a == "pelvis" else f"{side}_{a}", f"{side}_{b}") for a, b in chain]
        pairs += [("chest", f"{side}_clavicle"), (f"{side}_clavicle", f"{side}_shoulder"), (f"{side}_shoulder", f"{side}_elbow"),
                  (f"{side}_elbow", f"{side}_wrist"), ("head", f"{side}_eye")]  # fmt: skip
        for finger in FINGERS:
            joints = finger_joints(side, finger)
            pairs += list(zip((f"{side}_wrist", *joints), joints, strict=False))
    return [(joint_index(a), joint_index(b)) for a, b in pairs]


def steady_lengths(positions: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(F, 68, 3) joints moved along their bones, from the pelvis outwards, to the bones' median lengths.

    seen  (F, 68) bool: frames in which both ends are seen count; all frames if there are fewer than five of them
    """
    tree = joint_tree()
    lengths = np.array([_length(positions, seen, a, b) for a, b in tree])
    twin = {(JOINT_NAMES[a], JOINT_NAMES[b]): n for n, (a, b) in enumerate(tree)}
    for (a, b), n in twin.items():
        if b.startswith("left_"):
            other = twin[(a.replace("left_", "right_"), b.replace("left_", "right_"))]
            if abs(lengths[n] - lengths[other]) < SYMMETRY * max(lengths[n], lengths[other]):
                lengths[n] = lengths[other] = (lengths[n] + lengths[other]) / 2
    out = np.array(positions, np.float64)
    for (a, b), length in zip(tree, lengths.tolist(), strict=True):
        along = positions[:, b] - positions[:, a]
        now = np.linalg.norm(along, axis=1, keepdims=True)
        out[:, b] = out[:, a] + along * np.where(now > 1e-6, length / np.maximum(now, 1e-6), 1.0)
    return out


def _length(positions: np.ndarray, seen: np.ndarray, a: int, b: int) -> float:
    lengths = np.linalg.norm(positions[:, b] - positions[:, a], axis=1)
    both = seen[:, a] & seen[:, b]
    return float(np.median(lengths[both] if both.sum() >= min(5, len(lengths)) else lengths))
