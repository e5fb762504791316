"""Where the surface is torn: neighbours that do not lie on each other's tangent planes.

A ratio of depths says little: a steep wall and a gap look alike. A normal tells them apart, because it predicts the depth of
the next pixel; only what it cannot explain is a gap. Body parts that are no neighbours on a body (a hand and the torso) need less
of a gap to be torn apart.
"""

from __future__ import annotations

import numpy as np

from .data import Camera
from .skeleton import part_names

CLAMP = 0.15
"""Cosine of the view angle below which a normal is not believed: a grazing normal would excuse any gap."""

GAP = 0.010
"""Metres that a neighbour may lie off the tangent plane."""

GAP_PIXELS = 4.0
"""The same in footprints of a pixel (z / f); the larger of both counts."""

APART = 0.25
"""Share of the gap that is enough between body parts that do not touch on a body."""


def plane_gradients(z: np.ndarray, normal: np.ndarray, rays: np.ndarray, camera: Camera) -> tuple[np.ndarray, ...]:
    """Tangent planes as images: inverse depth is linear in the pixel on a plane.

    z (H, W) float32 metres, > 0 where it counts; normal (H, W, 3) unit, camera space; rays (H, W, 3) at depth 1.
    Returns (inverse, along_x, along_y), each (H, W) float32: 1 / z and its change per pixel; 0 where z <= 0.
    """
    facing = np.minimum(np.einsum("ijk,ijk->ij", normal, rays), -CLAMP)
    inverse = np.divide(1, z, out=np.zeros_like(z), where=z > 0)
    scale = inverse / facing
    return inverse, normal[..., 0] * scale * np.float32(1 / camera.fx), normal[..., 1] * scale * np.float32(1 / camera.fy)


def pair_gap(planes: tuple[np.ndarray, ...], axis: int, step: int = 1) -> np.ndarray:
    """How far neighbours lie off each other's tangent planes, metres along z, by the plane that explains the pair better.

    planes of `plane_gradients`; axis 1 = right neighbours, 0 = lower ones; step in pixels.
    Returns (H, W - step) or (H - step, W) float32; meaningless where either depth is missing.
    """
    inverse, gradient = planes[0], planes[2 - axis]
    first = (slice(None), slice(None, -step)) if axis else (slice(None, -step), slice(None))
    second = (slice(None), slice(step, None)) if axis else (slice(step, None), slice(None))
    rise = inverse[second] - inverse[first]
    error = np.minimum(np.abs(rise - gradient[first] * step), np.abs(rise - gradient[second] * step))
    return error / np.maximum(inverse[first] * inverse[second], 1e-12)


def gap_limit(z: np.ndarray, camera: Camera, step: int = 1) -> np.ndarray:
    """(H, W) float32 metres: the gap that tears neighbours `step` pixels of `camera` apart."""
    return np.maximum(np.float32(GAP), z * np.float32(GAP_PIXELS * step / camera.fx))


def cut_pairs(z: np.ndarray, normal: np.ndarray, labels: np.ndarray, rays: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Tear the surface between neighbours that are no neighbours in space.

    z (H, W) float32, 0 = no surface; normal (H, W, 3) unit, camera space; labels (H, W) uint8; rays (H, W, 3).
    Returns (right_cut, down_cut), (H, W) bool each; the last column and the last row are False.
    """
    planes = plane_gradients(z, normal, rays, camera)
    limit = gap_limit(z, camera)
    apart = parts_apart()
    out = []
    for axis in (1, 0):
        first = (slice(None), slice(None, -1)) if axis else (slice(None, -1), slice(None))
        second = (slice(None), slice(1, None)) if axis else (slice(1, None), slice(None))
        allowed = np.minimum(limit[first], limit[second])
        allowed = np.where(apart[labels[first], labels[second]], allowed * np.float32(APART), allowed)
        cut = np.zeros(z.shape, bool)
        cut[first] = (pair_gap(planes, axis) > allowed) & (z[first] > 0) & (z[second] > 0)
        out.append(cut)
    return out[0], out[1]


def tangent_normals(z: np.ndarray, rays: np.ndarray, step: int = 1) -> np.ndarray:
    """Normals of the depth map itself, from the flatter of the two sides of every pixel, so that they hold at edges too.

    z (H, W) float32, 0 = no surface; rays (H, W, 3). step in pixels.
    Returns (H, W, 3) float32 unit, towards the camera; 0 where there is no neighbour to measure with.
    """
    points = rays * z[..., None]
    tangents = []
    for axis in (1, 0):
        ahead = np.full(points.shape, np.nan, np.float32)
        behind = ahead.copy()
        first = (slice(None), slice(None, -step)) if axis else (slice(None, -step), slice(None))
        second = (slice(None), slice(step, None)) if axis else (slice(step, None), slice(None))
        rise = np.where(((z[first] > 0) & (z[second] > 0))[..., None], points[second] - points[first], np.nan)
        ahead[first], behind[second] = rise, rise
        flatter = np.abs(np.nan_to_num(ahead[..., 2], nan=np.inf)) <= np.abs(np.nan_to_num(behind[..., 2], nan=np.inf))
        tangents.append(np.nan_to_num(np.where(flatter[..., None], ahead, behind)))
    normal = np.cross(tangents[1], tangents[0])
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    return np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)


def parts_apart() -> np.ndarray:
    """(29, 29) bool: body parts that meet in a photo only because one lies in front of the other."""
    names = part_names()
    arms = {n for n in names if n.endswith(("_Hand", "_Lower_Arm", "_Upper_Arm"))}
    legs = {n for n in names if n.endswith(("_Foot", "_Lower_Leg", "_Upper_Leg", "_Shoe", "_Sock"))}
    head = {n for n in names if n in ("Face_Neck", "Hair", "Eyeglass") or n.endswith(("_Lip", "_Teeth")) or n == "Tongue"}
    trunk = {"Torso", "Upper_Clothing", "Lower_Clothing", "Apparel"}

    def side(name: str) -> str:
        return name.split("_")[0] if name.startswith(("Left", "Right")) and name in arms | legs else ""

    def meet(a: str, b: str) -> bool:
        if a == b or a == "Background" or b == "Background":
            return True
        if (a in arms and b in arms) or (a in legs and b in legs):
            order = ("Hand", "Lower_Arm", "Upper_Arm") if a in arms else ("Foot", "Shoe", "Sock", "Lower_Leg", "Upper_Leg")
            places = [order.index(n.split("_", 1)[1]) for n in (a, b)]
            return side(a) == side(b) and (abs(places[0] - places[1]) == 1 or (a in legs and max(places) < 4))
        for x, y in ((a, b), (b, a)):
            if x in arms and (y in legs or y in head or y == "Lower_Clothing"):
                return False
            if x in arms and y in trunk:
                return x.endswith("_Upper_Arm")
            if x in legs and (y in head or y in ("Torso", "Upper_Clothing")):
                return False
        return True

    return np.array([[not meet(a, b) for b in names] for a in names])
