"""People who walk, made of the standing person."""

from __future__ import annotations

import numpy as np

from measures.rig_factory import person
from sapiens2_avatar.core.common.arrays import Pose
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index
from sapiens2_avatar.core.common.spaces import LEVEL_WORLD_FROM_CAMERA
from sapiens2_avatar.core.retarget.ground_contacts import two_bone

FPS = 30.0


def walker(frames: int = 60, speed: float = 1.2, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """(F, 68, 3) world: a person who walks along -y; each foot stands while the other swings."""
    base = np.array([person("A")[n] for n in JOINT_NAMES])
    out = np.repeat(base[None], frames, axis=0)
    t = np.arange(frames) / FPS
    stride = speed * 1.0  # metres per second-long cycle
    out[:, :, 1] -= (speed * t)[:, None]
    for n, side in enumerate(("left", "right")):
        phase = (t + 0.5 * n) % 1.0
        step = np.floor(t + 0.5 * n)
        swing = np.clip((phase - 0.6) / 0.4, 0, 1)
        ease = swing * swing * (3 - 2 * swing)
        forward = -(step + ease - 0.5 * n) * stride
        lift = 0.12 * np.sin(np.pi * swing)
        for name in ("ankle", "heel", "big_toe", "small_toe"):
            j = joint_index(f"{side}_{name}")
            out[:, j] = base[j] + np.stack([0 * t, forward - 0.3 * stride, lift], axis=1)
        hip, knee, ankle = (joint_index(f"{side}_{n}") for n in ("hip", "knee", "ankle"))
        bent, _ = two_bone(out[:, hip], out[:, hip] + base[knee] - base[hip] - [0, 0.02, 0],
                                 out[:, hip] + base[ankle] - base[hip], out[:, ankle])  # fmt: skip
        out[:, knee] = bent
    return out + np.random.default_rng(seed).normal(size=out.shape) * noise


def as_poses(world: np.ndarray, distance: float = 5.0) -> list[Pose]:
    """Poses in the space of a level camera 1.2 m above the ground."""
    camera = (world - [0, -distance, 1.2]) @ LEVEL_WORLD_FROM_CAMERA
    return [Pose(JOINT_NAMES, p.astype(np.float32), np.ones(68, np.float32), np.ones(68, bool),
                 np.full((308, 3), np.nan, np.float32), 1.7)
            for p in camera]  # fmt: skip
