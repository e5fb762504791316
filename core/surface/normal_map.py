"""The predicted normal map, made fit for use: camera space, unit length, towards the camera, and checked against the depth."""

from __future__ import annotations

import numpy as np

from ..common.spaces import TO_CAMERA, camera_from_normal_head
from .depth_edges import tangent_normals
from .person_mask import nearest

STRIDE = 4
"""Pixels between the samples of the check: depth noise drowns the slope from one pixel to the next."""

ALIKE = 0.5
"""Mean cosine between predicted normals and those of the depth below which the map is not believed."""

BETTER = 0.15
"""By how much other signs must fit better before they are taken for the right ones."""


def usable_normals(
    predicted: np.ndarray | None, z: np.ndarray, domain: np.ndarray, rays: np.ndarray
) -> tuple[np.ndarray, bool, tuple[str, ...]]:
    """Normals for every pixel of the domain.

    predicted (H, W, 3) float in the axes of the normal head, or None; z (H, W) float32 metres, 0 = none; domain (H, W) bool; rays
    (H, W, 3) float32. Pixels without a usable normal take that of the nearest pixel that has one. Returns normal (H, W, 3)
    float32 unit, camera space, 0 outside the domain; whether it carries more than the depth itself (False: made from the depth);
    notes.
    """
    notes: tuple[str, ...] = ()
    if predicted is not None:
        normal = camera_from_normal_head(predicted.astype(np.float32))
        length = np.sqrt(np.einsum("ijk,ijk->ij", normal, normal))
        good = (length > 0.3) & (length < 3) & domain
        normal = np.divide(normal, length[..., None], out=np.zeros_like(normal), where=good[..., None])
        signs, alike = _best_signs(normal, z, good, rays)
        if signs is not None and (signs < 0).any():
            axes = " and ".join(name for name, sign in zip("xyz", signs, strict=True) if sign < 0)
            notes = (f"The {axes} axis of the normal map pointed the wrong way and was turned.",)
            normal = normal * signs
        if alike < ALIKE or not good.any():
            notes = ("The normal map contradicts the depth and was left out.",)
        else:
            return _filled(normal, good, domain), True, notes
    normal = tangent_normals(np.where(domain, z, 0), rays)
    return _filled(normal, domain & (normal[..., 2] < 0), domain), False, notes


def _filled(normal: np.ndarray, good: np.ndarray, domain: np.ndarray) -> np.ndarray:
    """The normals with those of nearest neighbours where they are not good; towards the camera where there are none at all."""
    if not good.any():
        normal, good = np.broadcast_to(TO_CAMERA.astype(np.float32), normal.shape), domain
    if not (domain & ~good).any():
        return np.where(domain[..., None], normal, np.float32(0))
    return np.where(domain[..., None], nearest(good, normal), np.float32(0))


def _best_signs(normal: np.ndarray, z: np.ndarray, good: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray | None, float]:
    """Signs (3,) float32 that make the normals fit the depth best, None = as they are; and the mean cosine that they reach.

    Catches maps with another axis convention. With too few pixels to tell, everything is as it should be.
    """
    every = (slice(None, None, STRIDE), slice(None, None, STRIDE))
    measured = tangent_normals(np.where(good, z, 0)[every], np.ascontiguousarray(rays[every]))
    both = good[every] & (measured[..., 2] < 0)
    if both.sum() < 64:
        return None, 1.0
    product = (normal[every] * measured)[both].mean(0, dtype=np.float64)
    best = float(np.abs(product).sum())
    if best < product.sum() + BETTER:
        return None, float(product.sum())
    return np.sign(product).astype(np.float32), best
