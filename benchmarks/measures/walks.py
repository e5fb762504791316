"""A walk whose truth is known: how much of its jitter is left, how far joints are off, and how far standing feet slide."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from measures.rig_factory import make_rig, with_legs
from measures.round_trip import forward_kinematics
from measures.studio import read_predictions, sample_names
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, SIDES, joint_index
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import fit_rigid
from sapiens2_avatar.core.motion.take import MotionSettings, Take, make_take
from sapiens2_avatar.core.retarget.armature_frames import rest_frames, rest_points
from sapiens2_avatar.core.retarget.body_motion import leg_length
from sapiens2_avatar.core.retarget.foot_lock import sole_offsets
from sapiens2_avatar.core.retarget.ground_contacts import foot_points, spans
from sapiens2_avatar.core.retarget.recognise import recognise
from sapiens2_avatar.core.retarget.solve import retarget_motion

BODY = [joint_index(f"{s}_{n}") for s in ("left", "right") for n in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]


def load_walk(folder: Path, suffix: str) -> tuple[list[Predictions], np.ndarray]:
    """Predictions of all frames, and the true joints (F, 68, 3) in camera space."""
    frames, truth = [], []
    for name in sample_names(folder):
        frames.append(read_predictions(folder, name + suffix))
        known = np.load(folder / f"{name}.gt.npz")
        order = list(known["joint_names"])
        truth.append([known["joints"][order.index(n)] for n in JOINT_NAMES])
    return frames, np.array(truth, np.float64)


def jitter(positions: np.ndarray, fps: float) -> float:
    return float(np.sqrt(((np.diff(positions, n=2, axis=0) * fps**2) ** 2).sum(-1).mean()))


def fitted_error(positions: np.ndarray, truth: np.ndarray) -> float:
    """Millimetres, body joints, one rigid motion for the whole clip."""
    p, q = positions[:, BODY].reshape(-1, 3), truth[:, BODY].reshape(-1, 3)
    rotation, _, _ = fit_rigid(p, q, np.ones(len(p)))
    moved = (p - p.mean(0)) @ rotation.T + q.mean(0)
    return float(np.linalg.norm(moved - q, axis=1).mean() * 1000)


def slide(take: Take) -> float:
    """Millimetres: the farthest that a foot point is from where its stand began, level and upright."""
    points, worst = foot_points(take.positions), 0.0
    for n in range(4):
        for start, stop in spans(take.contacts[:, n]):
            worst = max(worst, float(np.linalg.norm(points[start:stop, n] - points[start, n], axis=1).max()))
    return worst * 1000


def rig_slide(take: Take, thigh: float = 1.2, shank: float = 0.85) -> float:
    """Millimetres that heels and toes of a rig with other legs move while they stand; nan where nothing does."""
    plain = make_rig("mixamo", "A")
    rest = with_legs(plain, recognise(plain), thigh, shank)
    bone_map = recognise(rest)
    points = rest_points(rest, bone_map)
    own = rest_frames(points)
    solved = retarget_motion(take.motion(), rest, bone_map)
    _, heads = forward_kinematics(rest, solved)
    moved = []
    for n, side in enumerate(SIDES):
        foot = bone_map.bones[f"{side}Foot"][0]
        for k, (ahead, below) in enumerate(sole_offsets().values()):
            offset = leg_length(points, side) * own[f"{side}Foot"] @ np.array([0.0, ahead, -below])
            at = heads[:, rest.index(foot)] + solved.turns[foot] @ offset
            moved += [np.linalg.norm(at[a:b] - at[a], axis=1).max() for a, b in spans(take.contacts[:, 2 * n + k])]
    return float(max(moved)) * 1000 if moved else float("nan")


def measure(frames: list[Predictions], truth: np.ndarray, fps: float, smoothness: float) -> dict[str, float]:
    start = time.perf_counter()
    plain = make_take(frames, fps, MotionSettings(smoothness=smoothness, lock_feet=False))
    locked = make_take(frames, fps, MotionSettings(smoothness=smoothness))
    world = truth @ locked.world_from_camera[:3, :3].T
    before = fitted_error(plain.raw, world)
    return {
        "jitter_raw": jitter(plain.raw, fps) / jitter(truth, fps),
        "jitter": jitter(plain.positions, fps) / jitter(truth, fps),
        "jitter_locked": jitter(locked.positions, fps) / jitter(truth, fps),
        "error_raw_mm": before,
        "added_mm": fitted_error(plain.positions, world) - before,
        "added_locked_mm": fitted_error(locked.positions, world) - before,
        "contacts": int(locked.contacts.sum()),
        "slide_mm": slide(locked),
        "rig_slide_mm": rig_slide(locked),
        "seconds": time.perf_counter() - start,
    }
