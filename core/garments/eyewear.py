"""Glasses: a rim round each lens, a bridge and two temples, from the outline that a photo shows."""

from __future__ import annotations

import numpy as np

from ..common.arrays import RigData, SkinWeights
from ..common.avatars import BodyData, GarmentData
from ..common.landmarks import part_labels
from .head_space import HEAD, Head, View

FEWEST_PIXELS = 40
CORNERS = 32  # of a rim
RADIUS = 0.0016  # metres, of the tubes
BEFORE_EYES = 0.022  # metres from the middles of the eyeballs to the plane of the lenses
LENS = (0.014, 0.036)  # metres, least and most from the middle of a lens to its rim
NOTE = "The photo shows too little of the glasses: they were left out. Use a sharper or closer photo."


def make_eyewear(head: Head, views: list[View], body: BodyData, rig: RigData) -> tuple[tuple[GarmentData, ...], tuple[str, ...]]:
    """Glasses where a photo shows them, and a sentence where they are seen but too small."""
    label = part_labels("Eyeglass")
    masks = [np.isin(view.labels, label) for view in views]
    counts = [int(mask.sum()) for mask in masks]
    best = int(np.argmax(counts))
    if not counts[best]:
        return (), ()
    rim = _rim(head, views[best], masks[best]) if counts[best] >= FEWEST_PIXELS else None
    if rim is None:
        return (), (NOTE,)
    lines = [rim, rim * [-1, 1, 1]]
    closed = [True, True]
    inner = rim[np.argmin(rim[:, 0] - 0.3 * rim[:, 2])]
    bridge = np.linspace(inner, inner * [-1, 1, 1], 7)
    bridge[:, 2] += 0.003 * np.sin(np.linspace(0, np.pi, 7))
    outer = rim[np.argmax(rim[:, 0] + 0.5 * rim[:, 2])]
    hinge = outer + np.array([0.004, 0.004, 0])
    ear = head.ears[0] + np.array([0.004, 0.012, 0.11 * head.height])
    ear[2] = max(ear[2], outer[2] - 0.02)
    temple = np.concatenate([[outer], np.linspace(hinge, ear, 9), [ear + np.array([-0.004, 0.025, -0.022])]])
    lines += [bridge, temple, temple * [-1, 1, 1]]
    closed += [False] * 3
    vertices, quads, uvs = _tubes(lines, closed)
    names = list(rig.names)
    bone = names.index(HEAD) if HEAD in names else 0
    weights = SkinWeights(np.full((len(vertices), 1), bone, np.int32), np.ones((len(vertices), 1), np.float32))
    colour = np.concatenate([view.colour[mask] for view, mask in zip(views, masks, strict=True)])
    piece = GarmentData(
        kind="eyewear",
        vertices=views[0].to_camera(vertices).astype(np.float32),
        quads=quads,
        uvs=uvs,
        weights=weights,
        labels=label.astype(np.uint8),
        tone=np.rint(np.median(colour, axis=0)).astype(np.uint8),
        inside=np.zeros(len(quads), bool),
    )
    return (piece,), ()


def _rim(head: Head, view: View, mask: np.ndarray) -> np.ndarray | None:
    """(CORNERS, 3) the left rim in head space, of the side that is seen better, mirrored if need be; None = too little."""
    plane = float(head.eyes[:, 1].mean()) - BEFORE_EYES
    pixels = np.argwhere(mask)[:, ::-1].astype(np.float64)
    rays = view.camera.rays(pixels).astype(np.float64) @ view.turn
    origin = -view.turn.T @ view.shift
    with np.errstate(divide="ignore", invalid="ignore"):
        at = origin + rays * ((plane - origin[1]) / rays[:, 1])[:, None]
    at = at[np.isfinite(at).all(axis=1) & (rays[:, 1] > 0.2 * np.linalg.norm(rays, axis=1))]
    pixel = abs(plane - origin[1]) / view.camera.fx
    profiles, seen = [], []
    for side in (0, 1):
        eye = head.eyes[side]
        own = at[np.sign(at[:, 0]) == np.sign(eye[0])]
        flat = (own - eye)[:, [0, 2]] * [np.sign(eye[0]), 1]
        radius = np.hypot(*flat.T)
        near = radius < LENS[1] + RADIUS
        sector = (np.arctan2(flat[near, 1], flat[near, 0]) / (2 * np.pi) * CORNERS).astype(np.int64) % CORNERS
        far = np.full(CORNERS, np.nan)
        order = np.argsort(radius[near], kind="stable")
        far[sector[order]] = radius[near][order]
        far[far < LENS[0]] = np.nan
        profiles.append(far)
        seen.append(int(np.isfinite(far).sum()))
    best = int(np.argmax(seen))
    if seen[best] < CORNERS // 2 or pixel > 0.004:
        return None
    known = np.flatnonzero(np.isfinite(profiles[best]))
    around = np.interp(np.arange(CORNERS), known, profiles[best][known], period=CORNERS)
    middle = np.median(np.stack([np.roll(around, k) for k in (-2, -1, 0, 1, 2)]), axis=0)
    even = np.clip((np.roll(middle, 1) + 2 * middle + np.roll(middle, -1)) / 4, *LENS)
    angle = (np.arange(CORNERS) + 0.5) / CORNERS * 2 * np.pi
    eye = head.eyes[0]
    x = np.maximum(eye[0] + even * np.cos(angle), 0.004)
    return np.stack([x, plane + 1.5 * np.maximum(x - eye[0], 0) ** 2 / 0.036, eye[2] + even * np.sin(angle)], axis=1)


def _tubes(lines: list[np.ndarray], closed: list[bool]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Square tubes along lines (n, 3), ends closed: vertices, quads and their texture coordinates, each tube in a strip."""
    vertices, quads, uvs, start = [], [], [], 0
    height = 1 / len(lines)
    for row, (line, ring) in enumerate(zip(lines, closed, strict=True)):
        count = len(line)
        along = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0) if ring else np.gradient(line, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        # Across: towards the face for rims, upwards for what runs along it.
        guide = np.where(np.abs(along[:, 1:2]) < 0.7, [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]])
        first = np.cross(along, guide)
        first /= np.linalg.norm(first, axis=1, keepdims=True)
        second = np.cross(along, first)
        round_it = np.stack([first + second, second - first, -first - second, first - second], axis=1) * RADIUS / np.sqrt(2)
        vertices.append((line[:, None] + round_it).reshape(-1, 3))
        steps = count if ring else count - 1
        i, k = np.meshgrid(np.arange(steps), np.arange(4), indexing="ij")
        following = (i + 1) % count
        side = np.stack([4 * i + k, 4 * i + (k + 1) % 4, 4 * following + (k + 1) % 4, 4 * following + k], axis=-1)
        quads.append(start + side.reshape(-1, 4))
        x, y = (i + 0.02) / (steps + 1), height * (row + 0.05 + 0.22 * k)
        wide, high = 0.96 / (steps + 1), 0.2 * height
        corner = np.stack([np.stack([x, y], -1), np.stack([x, y + high], -1), np.stack([x + wide, y + high], -1),
                           np.stack([x + wide, y], -1)], axis=2)  # fmt: skip
        uvs.append(corner.reshape(-1, 4, 2))
        if not ring:
            last = start + 4 * (count - 1)
            quads.append(np.array([[start + 3, start + 2, start + 1, start], [last, last + 1, last + 2, last + 3]]))
            square = np.array([[0, 0], [0, 1], [1, 1], [1, 0]]) * [0.3 * wide, 0.3 * height]
            uvs.append(np.stack([square + np.array([steps / (steps + 1), height * (row + s)]) for s in (0.1, 0.5)]))
        start += 4 * count
    return np.concatenate(vertices), np.concatenate(quads).astype(np.int32), np.concatenate(uvs).astype(np.float32)
