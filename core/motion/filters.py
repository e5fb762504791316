"""Smoothing of motion without delay: outliers found, then a zero-phase low pass that knows how far to trust each sample."""

from __future__ import annotations

import numpy as np

from ..common.quaternions import continuous
from ..common.rotations import quaternion_from_rotation, rotation_from_quaternion

ORDER = 3  # of the derivative that the low pass keeps small
HAMPEL_WINDOW, HAMPEL_LIMIT = 7, 3.0  # frames that a sample is compared with; times the usual distance that is too far
FAST_HZ, SLOW_HZ = 12.0, 2.0  # cut-off frequencies at the ends of the slider


def cutoff(smoothness: float) -> float:
    """Cut-off frequency in Hz of the slider: 0 = 12 Hz (nearly raw) .. 1 = 2 Hz (floating), by equal ratios."""
    return FAST_HZ * (SLOW_HZ / FAST_HZ) ** float(np.clip(smoothness, 0.0, 1.0))


def outliers(values: np.ndarray, floor: float) -> np.ndarray:
    """(F, n) bool: samples of (F, n, 3) points that stand off their neighbours (Hampel 1974, made blind to steady movement).

    Each sample is compared with the median of the middles of its neighbours one, two and three frames away, which steady movement
    passes through; three times the usual distance (1.4826 median) in the neighbourhood is too far.
    floor  distance in metres below which nothing is an outlier: quiet stretches have a spread near zero
    """
    frames, reach = len(values), HAMPEL_WINDOW // 2
    if frames < HAMPEL_WINDOW:
        return np.zeros(values.shape[:2], bool)
    padded = np.pad(values, ((reach, reach), (0, 0), (0, 0)), mode="reflect", reflect_type="odd")
    pairs = [(padded[reach - k : reach - k + frames] + padded[reach + k : reach + k + frames]) / 2 for k in range(1, reach + 1)]
    off = np.linalg.norm(values - np.median(pairs, axis=0), axis=2)
    around = np.pad(off, ((HAMPEL_WINDOW, HAMPEL_WINDOW), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, 2 * HAMPEL_WINDOW + 1, axis=0)
    return off > np.maximum(HAMPEL_LIMIT * 1.4826 * np.median(windows, axis=-1), floor)


def low_pass(values: np.ndarray, fps: float, hertz: float, weights: np.ndarray | None = None) -> np.ndarray:
    """Zero-phase low pass of (F, n, c) signals, sharing what each frame is worth.

    hertz    -6 dB frequency; at or above half of fps nothing is filtered but gaps are still bridged
    weights  (F, n) >= 0; None = 1

    Minimises ``sum w (x - y)^2 + k |D^3 x|^2``. With equal weights its response is
    ``1 / (1 + (sin(pi f / fps) / sin(pi fc / fps))^6)``, that of a third-order Butterworth filter run forwards and backwards; it
    needs no padding, and a weight of 0 bridges a gap.
    """
    from scipy.linalg import solveh_banded

    values = np.asarray(values, np.float64)
    frames, count = values.shape[:2]
    if frames <= ORDER:
        return values.copy()
    ratio = 2 * np.sin(np.pi * min(hertz / fps, 0.5))
    strength = ratio ** (-2 * ORDER) if hertz < 0.5 * fps else 1e-6
    bands = _penalty_bands(frames)
    w = np.ones((frames, count)) if weights is None else np.maximum(np.asarray(weights, np.float64), 0.0)
    w = np.maximum(w, 1e-9)  # so that a track without any evidence still has a solution
    out = np.empty_like(values)
    patterns, which = np.unique(w, axis=1, return_inverse=True)
    for p in range(patterns.shape[1]):
        chosen = np.flatnonzero(which.ravel() == p)
        system = strength * bands
        system[-1] += patterns[:, p]
        right = (patterns[:, p, None, None] * values[:, chosen]).reshape(frames, -1)
        out[:, chosen] = solveh_banded(system, right, check_finite=False).reshape(frames, len(chosen), -1)
    return out


def _penalty_bands(frames: int) -> np.ndarray:
    """(ORDER + 1, F) upper bands of D^T D for more than ORDER frames, as `scipy.linalg.solveh_banded` stores them."""
    stencil = np.diff(np.eye(ORDER + 1), n=ORDER, axis=0)[0]
    bands = np.zeros((ORDER + 1, frames))
    for k in range(ORDER + 1):
        for i in range(ORDER + 1 - k):
            start = i + k
            bands[ORDER - k, start : start + frames - ORDER] += stencil[i] * stencil[i + k]
    return bands


def low_pass_rotations(rotations: np.ndarray, fps: float, hertz: float, weights: np.ndarray | None = None) -> np.ndarray:
    """(F, n, 3, 3) smoothed as quaternions on one hemisphere, the mean rotation of each neighbourhood to second order."""
    q = continuous(quaternion_from_rotation(rotations))
    return rotation_from_quaternion(low_pass(q, fps, hertz, weights))
