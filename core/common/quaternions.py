"""Rotations over time: products, interpolation and continuity of unit quaternions (w, x, y, z), and Euler angles.

Any number of leading axes; float64 throughout. Frames and matrices are in `core.common.rotations`, whose docstring says why they
are not scipy's.
"""

from __future__ import annotations

import numpy as np


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(..., 4) Hamilton product: the rotation b followed by a."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a, np.float64), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b, np.float64), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def conjugate(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4): the inverse rotation of a unit quaternion."""
    return quaternions * np.array([1.0, -1.0, -1.0, -1.0])


def logarithm(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) unit -> (..., 3) rotation vectors (axis times angle, radians, angle <= pi)."""
    q = np.where(quaternions[..., :1] < 0, -quaternions, quaternions)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    return q[..., 1:] * np.where(sine > 1e-12, angle / np.where(sine > 1e-12, sine, 1.0), 2.0)


def exponential(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) rotation vectors (radians) -> (..., 4) unit."""
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.concatenate([np.cos(angle / 2), vectors * 0.5 * np.sinc(angle / (2 * np.pi))], axis=-1)


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray | float) -> np.ndarray:
    """(..., 4) from a (t = 0) to b (t = 1) along the shorter arc; t has the leading shape."""
    step = logarithm(multiply(conjugate(a), b))
    return multiply(a, exponential(step * np.asarray(t, np.float64)[..., None]))


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """(F, ..., 4) with signs chosen so that each frame is on the same hemisphere as the one before: linear keys do not spin."""
    q = np.array(quaternions, np.float64)
    if len(q) > 1:
        flips = np.sum(q[1:] * q[:-1], axis=-1) < 0
        q[1:] *= np.where(np.cumsum(flips, axis=0) % 2 == 1, -1.0, 1.0)[..., None]
    return q


def euler_from_rotation(rotations: np.ndarray, order: str = "XYZ") -> np.ndarray:
    """(..., 3, 3) -> (..., 3) angles about x, y, z in radians, applied in `order` (Blender: "XYZ" turns about x first)."""
    i, j, k = ("XYZ".index(axis) for axis in order)
    parity = 1.0 if (j - i) % 3 == 1 else -1.0
    m = np.asarray(rotations, np.float64)
    # m = R_k R_j R_i: its entry (k, i) is -parity * sin(angle j).
    sine = np.clip(-parity * m[..., k, i], -1.0, 1.0)
    middle = np.arcsin(sine)
    locked = np.abs(sine) > 1 - 1e-9
    first = np.where(locked, np.arctan2(-parity * m[..., j, k], m[..., j, j]), np.arctan2(parity * m[..., k, j], m[..., k, k]))
    last = np.where(locked, 0.0, np.arctan2(parity * m[..., j, i], m[..., i, i]))
    out = np.empty(m.shape[:-1])
    out[..., i], out[..., j], out[..., k] = first, middle, last
    return out


def rotation_from_euler(angles: np.ndarray, order: str = "XYZ") -> np.ndarray:
    """(..., 3) angles about x, y, z in radians -> (..., 3, 3), the inverse of `euler_from_rotation`."""
    out = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for axis in order:
        n = "XYZ".index(axis)
        a, b = (n + 1) % 3, (n + 2) % 3
        c, s = np.cos(angles[..., n]), np.sin(angles[..., n])
        turn = np.zeros((*angles.shape[:-1], 3, 3))
        turn[..., n, n] = 1.0
        turn[..., a, a], turn[..., a, b], turn[..., b, a], turn[..., b, b] = c, -s, s, c
        out = turn @ out
    return out


def unwrapped(angles: np.ndarray, order: str = "XYZ") -> np.ndarray:
    """(F, ..., 3) Euler angles moved by whole turns, or to their equal twin, to stay closest to the frame before."""
    out = np.array(angles, np.float64)
    middle = "XYZ".index(order[1])
    for f in range(1, len(out)):
        twin = out[f] + np.pi
        twin[..., middle] = np.pi - out[f][..., middle]
        turns = [c - 2 * np.pi * np.round((c - out[f - 1]) / (2 * np.pi)) for c in (out[f], twin)]
        far = [np.abs(c - out[f - 1]).sum(axis=-1, keepdims=True) for c in turns]
        out[f] = np.where(far[0] <= far[1], turns[0], turns[1])
    return out
