"""Depth discontinuities, where the surface is torn: neighbours that do not lie on each other's tangent planes.

A ratio of depths says little: a steep wall and a gap look alike. A normal tells them apart, because it predicts the depth of
the next pixel; only what it cannot explain is a gap. Body parts that are no neighbours on a body (a hand and the torso) need less
of a gap to be torn apart.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ..common.arrays import Camera
from ..common.landmarks import CLOTH_PARTS, part_names

CLAMP = 0.15
"""Cosine of the view angle below which a normal is not believed: a grazing normal would excuse any gap."""

GAP = 0.010
"""Metres that a neighbour may lie off the tangent plane."""

GAP_PIXELS = 4.0
"""The same in footprints of a pixel (z / f); the larger of both counts."""

APART = 0.25
"""Share of the gap that is enough between body parts that do not touch on a body."""


def slant(normal: np.ndarray, rays: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Tangent planes as seen in the image: on a plane, inverse depth is linear in the pixel.

    normal (H, W, 3) float32 unit, camera space; rays (H, W, 3) at depth 1 of `camera`.
    Returns (down, right), each (H, W) float32: by what share of itself 1 / z grows per pixel in that direction.
    """
    facing = np.minimum(np.einsum("ijk,ijk->ij", normal, rays), np.float32(-CLAMP))
    return normal[..., 1] / (facing * np.float32(camera.fy)), normal[..., 0] / (facing * np.float32(camera.fx))


def inverse_depth(z: np.ndarray) -> np.ndarray:
    """1 / z, 0 where z <= 0."""
    return np.divide(1, z, out=np.zeros_like(z), where=z > 0)


def pair(axis: int, step: int = 1) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Index of all first and all second pixels of the neighbours along an axis: 1 = to the right, 0 = downwards."""
    ahead, behind, everything = slice(None, -step), slice(step, None), slice(None)
    return ((everything, ahead), (everything, behind)) if axis else ((ahead, everything), (behind, everything))


def pair_gap(inverse: np.ndarray, slants: tuple[np.ndarray, np.ndarray], axis: int, step: int = 1) -> np.ndarray:
    """How far neighbours lie off each other's tangent planes, metres along z, by the plane that explains the pair better.

    inverse (H, W) 1 / z; slants of `slant`; axis as in `pair`; step in pixels.
    Returns (H, W - step) or (H - step, W) float32; meaningless where either depth is missing.
    """
    first, second = pair(axis, step)
    a, b, slanted = inverse[first], inverse[second], slants[axis]
    rise = b - a
    error = np.minimum(
        np.abs(rise - a * slanted[first] * np.float32(step)), np.abs(rise - b * slanted[second] * np.float32(step))
    )
    return error / np.maximum(a * b, np.float32(1e-12))


def gap_limit(z: np.ndarray, camera: Camera) -> np.ndarray:
    """(H, W) float32 metres: the gap that tears neighbours apart."""
    return np.maximum(np.float32(GAP), z * np.float32(GAP_PIXELS / camera.fx))


def cut_pairs(
    z: np.ndarray, gaps: tuple[np.ndarray, np.ndarray], labels: np.ndarray, camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """Tear the surface between neighbours in the photo that are no neighbours in space.

    z (H, W) float32, 0 = no surface; gaps (down, right) of `pair_gap`; labels (H, W) uint8.
    Returns (down_cut, right_cut), (H, W) bool each: the last row, or the last column, is False.
    """
    limit, apart, known = gap_limit(z, camera), parts_apart(), z > 0
    out = []
    for axis, gap in enumerate(gaps):
        first, second = pair(axis)
        allowed = np.minimum(limit[first], limit[second])
        allowed = np.where(apart[labels[first], labels[second]], allowed * np.float32(APART), allowed)
        cut = np.zeros(z.shape, bool)
        cut[first] = (gap > allowed) & known[first] & known[second]
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
        first, second = pair(axis, step)
        rise = np.where(((z[first] > 0) & (z[second] > 0))[..., None], points[second] - points[first], np.nan)
        ahead[first], behind[second] = rise, rise
        flatter = np.abs(np.nan_to_num(ahead[..., 2], nan=np.inf)) <= np.abs(np.nan_to_num(behind[..., 2], nan=np.inf))
        tangents.append(np.nan_to_num(np.where(flatter[..., None], ahead, behind)))
    normal = np.cross(tangents[1], tangents[0])
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    return np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)


@cache
def parts_apart() -> np.ndarray:
    """(29, 29) bool: body parts that meet in a photo only because one lies in front of the other."""
    names = part_names()
    arms = {n for n in names if n.endswith(("_Hand", "_Lower_Arm", "_Upper_Arm"))}
    legs = {n for n in names if n.endswith(("_Foot", "_Lower_Leg", "_Upper_Leg", "_Shoe", "_Sock"))}
    head = {n for n in names if n in ("Face_Neck", "Hair", "Eyeglass") or n.endswith(("_Lip", "_Teeth")) or n == "Tongue"}
    trunk = {"Torso", *CLOTH_PARTS}

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
