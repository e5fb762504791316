"""Rotations in closed form: frames from two directions, swing and twist, the rigid fit of point sets, hinge axes of limbs and
the signed flexion of fingers.

scipy.spatial.transform.Rotation does part of this, but Blender's own Python has numpy only, and poses are written there.

All functions take any number of leading axes (frames of a video, joints, people) and broadcast over them. A frame is a
(..., 3, 3) rotation whose columns are the axes x, y, z. Quaternions are (..., 4) w x y z. float64 throughout.
"""

from __future__ import annotations

import math

import numpy as np

TINY = 1e-9


def unit(vectors: np.ndarray) -> np.ndarray:
    """(..., n) vectors of length 1; a zero vector stays zero."""
    vectors = np.asarray(vectors, np.float64)
    if vectors.ndim == 1:  # one vector: three times as fast
        size = math.sqrt(vectors @ vectors)
        return vectors / size if size > TINY else np.zeros_like(vectors)
    length = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None]
    return np.where(length > TINY, vectors / np.maximum(length, TINY), 0.0)


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(...,) scalar products of (..., n)."""
    return np.einsum("...i,...i->...", a, b)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(..., 3) vector products; what np.cross does, six times faster on few vectors."""
    a, b = np.asarray(a), np.asarray(b)
    out = np.empty(a.shape if a.shape == b.shape else np.broadcast_shapes(a.shape, b.shape))
    out[..., 0] = a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1]
    out[..., 1] = a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2]
    out[..., 2] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return out


def perpendicular(vectors: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The part of (..., 3) vectors that is perpendicular to (..., 3) unit axes, not normalised."""
    return vectors - dot(vectors, axis)[..., None] * axis


def any_perpendicular(axis: np.ndarray) -> np.ndarray:
    """Some (..., 3) unit vector perpendicular to each (..., 3) unit axis."""
    axis = np.asarray(axis, np.float64)
    helper = np.eye(3)[np.argmin(np.abs(axis), axis=-1)]
    return unit(cross(axis, helper))


def two_axis_frame(primary: np.ndarray, secondary: np.ndarray, names: str = "yz") -> np.ndarray:
    """(..., 3, 3) frames with the axis names[0] along `primary` and names[1] in the half plane of `secondary`.

    primary, secondary  (..., 3), any length. Where they are parallel or zero, some perpendicular is taken, so that the
    result is a rotation for every input.
    """
    first = unit(primary)
    first = np.where(dot(first, first)[..., None] > 0.5, first, np.broadcast_to([0.0, 1.0, 0.0], first.shape))
    second = perpendicular(np.asarray(secondary, np.float64), first)
    length = np.linalg.norm(second, axis=-1, keepdims=True)
    told = length > 1e-6
    second = second / np.maximum(length, TINY)
    if not told.all():
        second = np.where(told, second, any_perpendicular(first))
    i, j = "xyz".index(names[0]), "xyz".index(names[1])
    third = cross(first, second) if (j - i) % 3 == 1 else cross(second, first)
    columns = [third, third, third]
    columns[i], columns[j] = first, second
    return np.stack(columns, axis=-1)


def shortest_arc(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(..., 3, 3) smallest rotation that takes the direction of (..., 3) source to that of target (Rodrigues)."""
    a, b = unit(source), unit(target)
    cosine = np.clip(dot(a, b), -1.0, 1.0)
    axis = np.where((cosine < -1 + 1e-9)[..., None], any_perpendicular(a), cross(a, b))
    angle = np.arctan2(np.linalg.norm(cross(a, b), axis=-1), cosine)
    return rotation_from_vector(unit(axis) * angle[..., None])


def swing(vectors: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(..., 3) vectors turned by the smallest rotation that takes the direction of (..., 3) source to that of target.

    As ``shortest_arc(source, target) @ vectors`` without matrices: v cos + w x v + w (w . v) / (1 + cos), w = source x target.
    """
    a, b = unit(source), unit(target)
    cosine = dot(a, b)[..., None]
    w = cross(a, b)
    turned = cosine * vectors + cross(w, vectors) + w * (dot(w, vectors)[..., None] / np.maximum(1 + cosine, 1e-6))
    opposite = cosine < -1 + 1e-6
    if not opposite.any():
        return turned
    half_turn = any_perpendicular(a)
    return np.where(opposite, 2 * dot(half_turn, vectors)[..., None] * half_turn - vectors, turned)


def rotation_from_vector(vectors: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations about (..., 3) vectors by their length in radians (exponential map)."""
    vectors = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(vectors, axis=-1)
    k = unit(vectors)
    zero = np.zeros_like(angle)
    cross = np.stack([zero, -k[..., 2], k[..., 1], k[..., 2], zero, -k[..., 0], -k[..., 1], k[..., 0], zero], axis=-1)
    cross = cross.reshape(*angle.shape, 3, 3)
    sine, cosine = np.sin(angle)[..., None, None], np.cos(angle)[..., None, None]
    return np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)


def vector_from_rotation(rotations: np.ndarray) -> np.ndarray:
    """(..., 3) axis times angle in radians, angle in [0, pi] (logarithm), of (..., 3, 3) rotations."""
    q = quaternion_from_rotation(rotations)
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1)
    angle = 2 * np.arctan2(sine, q[..., 0])
    scale = np.where(sine > TINY, angle / np.maximum(sine, TINY), 2.0)
    return q[..., 1:] * scale[..., None]


def quaternion_from_rotation(rotations: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternions w x y z of (..., 3, 3) rotations (Shepperd: divide by the largest component)."""
    m = np.asarray(rotations, np.float64)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = np.stack([1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22], axis=-1)
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = np.stack(
        [
            np.stack([squares[..., 0], wx, wy, wz], axis=-1),
            np.stack([wx, squares[..., 1], xy, xz], axis=-1),
            np.stack([wy, xy, squares[..., 2], yz], axis=-1),
            np.stack([wz, xz, yz, squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(squares, axis=-1)
    return unit(np.take_along_axis(rows, best[..., None, None], axis=-2)[..., 0, :])


def rotation_from_quaternion(quaternions: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations of (..., 4) quaternions w x y z of any length but zero."""
    w, x, y, z = np.moveaxis(unit(quaternions), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def swing_twist(rotations: np.ndarray, axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split (..., 3, 3) R = swing @ twist, where twist turns about the (..., 3) axis and swing is the shortest arc of it.

    Returns swing (..., 3, 3) and the twist angle (...,) in radians, in (-pi, pi].
    """
    axis = unit(axis)
    q = quaternion_from_rotation(rotations)
    angle = 2 * np.arctan2(dot(q[..., 1:], axis), q[..., 0])
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    twist = rotation_from_vector(axis * angle[..., None])
    return rotations @ np.swapaxes(twist, -1, -2), angle


def angle_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(...,) angle in radians, 0..pi, between (..., 3) directions; exact near 0 and pi, where arccos is not."""
    return np.arctan2(np.linalg.norm(cross(a, b), axis=-1), dot(a, b))


def signed_angle(a: np.ndarray, b: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(...,) angle in radians from (..., 3) a to b, positive counter-clockwise about the unit axis."""
    return np.arctan2(dot(cross(a, b), axis), dot(perpendicular(a, axis), perpendicular(b, axis)))


def fit_rigid(source: np.ndarray, target: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Similarity target = scale * R @ source + t with the least weighted squared error (Kabsch 1976, Umeyama 1991).

    source, target  (..., n, 3)
    weights         (..., n)  >= 0
    Returns R (..., 3, 3), scale (...,), t (..., 3). With fewer than three points that matter, R is still a rotation.
    """
    w = weights / np.maximum(weights.sum(axis=-1, keepdims=True), TINY)
    p, q = (w[..., None] * source).sum(axis=-2), (w[..., None] * target).sum(axis=-2)
    a, b = source - p[..., None, :], target - q[..., None, :]
    u, s, vt = np.linalg.svd(np.swapaxes(w[..., None] * b, -1, -2) @ a)
    sign = np.ones_like(s)
    sign[..., 2] = np.where(np.linalg.det(u @ vt) < 0, -1.0, 1.0)
    rotation = (u * sign[..., None, :]) @ vt
    scale = (s * sign).sum(axis=-1) / np.maximum((w[..., None] * a**2).sum(axis=(-1, -2)), TINY)
    return rotation, scale, q - scale[..., None] * (rotation @ p[..., None])[..., 0]
