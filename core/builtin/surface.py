"""The surface of one person: the fitted body, and inflated from the outline where clothes and hair are wider.

Normals first ("Lumo", Johnston 2002): known on the body and sideways along the outline, as smooth as possible in between. Then
the depth whose slopes they are, near that of the body. Both are solved on a grid of cells and so agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.maps import BodyMaps
from ..common.arrays import Camera
from ..common.landmarks import CLOTH_PARTS, part_labels
from ..surface.multigrid import solve
from ..texture.inpaint import push_pull
from .body_regions import nearest_cells
from .hair_dome import hair_dome

CELLS = 448
"""Of the longer side of the person's box, at most."""
LIMBS = tuple(
    tuple(f"{side}_{part}" for part in parts)
    for side in ("Left", "Right")
    for parts in (("Upper_Arm", "Lower_Arm", "Hand"), ("Upper_Leg", "Lower_Leg", "Foot"))
)
"""Parts of the body that may hang or stand in front of the rest: left arm, left leg, right arm, right leg."""
LEGS = 2, 4
APART = 0.03
"""Metres between the surfaces of two limbs, or of a limb and the trunk, from which one has an outline in front of the other."""
SPANNED = 0.03
"""Metres from the legs, half way between them: where it is more, a skirt or a coat spans both."""
UNDER_CLOTH = 0.015
"""How much the normal of a covered body weighs against smoothness: cloth lies over hollows, some six cells wide."""
ON_LIMBS = 0.03
"""The same of covered arms and legs, which sleeves and trousers follow."""
UNDER_HAIR = 0.002
"""The same of the skull under hair, which stands centimetres off it."""
RIM_SLOPE = 0.97
"""Sideways share of a normal in the cell along the outline: its middle is half a cell inside."""
RIM = 2.0
"""How much a normal of the outline weighs against smoothness."""
STEEPEST = 0.2
"""Least cosine between normal and ray that the depth follows; steeper surfaces would run away."""
HOLD, HOLD_HAIR = 0.03, 0.0005
"""How much the depth of the body, and of the skull under hair, weighs against the slopes, a cell."""
FAINT = 1e-6
"""The weight of what decides only where nothing else does."""
STEP = 0.04
"""Metres between neighbouring cells of the body beyond which one part is in front of another."""
STATURE = 1.7
"""Metres that the longer side of a person without a body is taken for."""

Box = tuple[slice, slice]
Cuts = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class PersonSurface:
    """depth (h, w) float32 metres and normal (h, w, 3) float32 camera space, unit, in the pixels of a box of the photo."""

    depth: np.ndarray
    normal: np.ndarray


def person_surface(mask: np.ndarray, parts: np.ndarray, maps: BodyMaps | None, camera: Camera, box: Box) -> PersonSurface:
    """The surface in a box of the photo, which leaves a margin around the mask where the photo has one.

    mask   (H, W) bool: the person's pixels
    parts  (h, w) uint8 of the 29 classes, in the box
    maps   of the person's body; None = only the outline is known
    """
    import cv2

    height, width = mask[box].shape
    share = min(1.0, CELLS / max(height, width))
    size = max(2, round(width * share)), max(2, round(height * share))
    inside = cv2.resize(mask[box].astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.4
    columns, rows = (_cell_centres(n, whole) for n, whole in zip(size, (width, height), strict=True))
    rays = np.ones((*inside.shape, 3), np.float32)
    rays[..., 0] = ((columns + box[1].start - camera.cx) / camera.fx)[None, :]
    rays[..., 1] = ((rows + box[0].start - camera.cy) / camera.fy)[:, None]
    at = np.ix_(np.round(rows).astype(int) + box[0].start, np.round(columns).astype(int) + box[1].start)
    if maps is None:
        on = np.zeros(inside.shape, bool)
        points, normals = np.zeros((2, *rays.shape), np.float32)
    else:
        on = maps.face[at] >= 0
        points, normals = (np.nan_to_num(a[at]) for a in (maps.points, maps.normals))
    worn = parts[np.ix_(at[0].ravel() - box[0].start, at[1].ravel() - box[1].start)]
    cloth, hair = (np.isin(worn, part_labels(*names)) for names in (CLOTH_PARTS, ("Hair",)))
    part = maps.labels[at] if maps is not None else np.zeros(inside.shape, np.uint8)
    cut = _cuts(inside, on, points, part, _pitch(share, camera))
    on_limb = np.isin(part, part_labels(*(name for names in LIMBS for name in names)))
    body, bare = points[..., 2], np.select([hair, cloth & on_limb, cloth], [UNDER_HAIR, ON_LIMBS, UNDER_CLOTH], 1.0)
    hold = np.where(hair, HOLD_HAIR, HOLD)
    dome = hair_dome(inside, on, part, hair, points, normals)
    if dome is not None:
        lies = dome.share > 0
        on, body, normals = on | lies, np.where(lies, dome.depth, body), np.where(lies[..., None], dome.normal, normals)
        bare, hold = np.maximum(bare, dome.share * hair), hold + (HOLD - HOLD_HAIR) * dome.share
    normal = _normals(inside, on, normals, bare, cut)
    pitch = _pitch(share, camera)
    distance = STATURE * camera.fy / max(height, width)
    depth = _depth(inside, on, body, normal, rays, pitch, distance, hold, cut)
    fine = cv2.resize(np.dstack([normal, depth]), (width, height), interpolation=cv2.INTER_LINEAR)
    length = np.maximum(np.linalg.norm(fine[..., :3], axis=-1, keepdims=True), 1e-6)
    return PersonSurface(fine[..., 3], fine[..., :3] / length)


def _pitch(share: float, camera: Camera) -> float:
    """Metres from a cell to the next at depth 1; share: cells a pixel."""
    return max(1 / share / camera.fx, 1e-9)


def _cuts(inside: np.ndarray, on: np.ndarray, points: np.ndarray, part: np.ndarray, pitch: float) -> Cuts:
    """(h, w - 1) and (h - 1, w) bool: between which cells, to the right and down, a limb has its outline in front of something
    else of the person: sleeves beside a jacket, a leg before the other one.

    on      (h, w) bool: where the body is
    points  (h, w, 3) float32 camera space, of the body
    part    (h, w) uint8 of the body
    """
    on = on & inside
    if not on.any():
        return np.zeros((inside.shape[0], inside.shape[1] - 1), bool), np.zeros((inside.shape[0] - 1, inside.shape[1]), bool)
    limb = np.zeros(inside.shape, np.uint8)
    for k, names in enumerate(LIMBS):
        limb[np.isin(part, part_labels(*names))] = k + 1
    distance, nearest = nearest_cells(on)
    limb = limb.ravel()[nearest]
    surface = points.reshape(-1, 3)[nearest]
    away = distance * pitch * surface[..., 2]
    found = []
    for axis in (1, 0):
        ahead, behind = (np.s_[:, 1:], np.s_[:, :-1]) if axis else (np.s_[1:], np.s_[:-1])
        border = (limb[ahead] != limb[behind]) & inside[ahead] & inside[behind]
        gap = np.linalg.norm(surface[ahead] - surface[behind], axis=-1)
        legs = np.isin(limb[ahead], LEGS) & np.isin(limb[behind], LEGS)
        found.append((border, gap > APART, legs, np.maximum(away[ahead], away[behind]) > SPANNED))
    spanned = sum(np.count_nonzero(border & legs & wide) for border, _, legs, wide in found)
    between = sum(np.count_nonzero(border & legs & far) for border, far, legs, _ in found)
    skirt = spanned > 0.3 * between
    right, down = (border & far & ~(legs & (wide | skirt)) for border, far, legs, wide in found)
    return right, down


def _beside(cut: Cuts) -> np.ndarray:
    """(h, w) bool: cells at a cut."""
    right, down = cut
    out = np.zeros((right.shape[0], down.shape[1]), bool)
    out[:, 1:] |= right
    out[:, :-1] |= right
    out[1:] |= down
    out[:-1] |= down
    return out


def _cell_centres(count: int, pixels: int) -> np.ndarray:
    """(count,) float64: where the middles of cells lie among pixels."""
    return np.clip((np.arange(count) + 0.5) * pixels / count - 0.5, 0, pixels - 1)


def _distances(region: np.ndarray) -> np.ndarray:
    """(h, w) float32: cells to the next one outside of the region. Beyond the border of the photo the region goes on."""
    import cv2

    return np.minimum(cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5), np.float32(sum(region.shape)))


def _normals(inside: np.ndarray, on: np.ndarray, normals: np.ndarray, bare: np.ndarray, cut: Cuts) -> np.ndarray:
    """(h, w, 3) float32 unit normals, camera space: the body's where its outline is the person's, else smooth. Along a cut both
    sides have an outline. bare: (h, w) how much the body's normal weighs, 1 of skin."""
    import cv2

    known = on & inside
    apart = ~_beside(cut)
    to_outline, to_body_outline = _distances(inside & apart), _distances(known & apart)
    wider = np.maximum(to_outline - to_body_outline, 0)
    trust = known * np.exp(-np.square(wider / (to_body_outline + 1))) * bare
    smooth = cv2.GaussianBlur(to_outline, (0, 0), 1.5)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    length = np.maximum(np.hypot(across, down), 1e-6)
    outwards = -across / length, -down / length
    rim = (inside & (to_outline < 1.5) & ~(known & (wider < 1))).astype(np.float32)
    if known.any() and not apart.all():  # what goes on behind a limb has no outline there
        nearest = nearest_cells(known)[1]
        turned = sum(normals[..., axis].ravel()[nearest] * outwards[axis] for axis in (0, 1))
        by_a_cut = cv2.dilate((~apart).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        rim = np.where(by_a_cut, rim * np.clip(turned, 0, 1) ** 2, rim)
    prior = (trust + RIM * rim + FAINT * inside).astype(np.float32)
    links = inside[:, 1:] & inside[:, :-1] & ~cut[0], inside[1:] & inside[:-1] & ~cut[1]
    right, down_links = (link.astype(np.float32) for link in links)
    out = np.empty((*inside.shape, 3), np.float32)
    for axis in (0, 1):
        wanted = trust * normals[..., axis] + RIM * rim * RIM_SLOPE * outwards[axis]
        out[..., axis] = solve(right, down_links, prior, wanted.astype(np.float32))
    sideways = np.hypot(out[..., 0], out[..., 1])
    out[..., :2] *= np.minimum(1, 0.98 / np.maximum(sideways, 1e-6))[..., None]
    out[..., 2] = -np.sqrt(np.maximum(1 - np.square(out[..., :2]).sum(-1), 0))
    return push_pull(out, inside.astype(np.float32))


def _depth(
    inside: np.ndarray,
    on: np.ndarray,
    body: np.ndarray,
    normal: np.ndarray,
    rays: np.ndarray,
    pitch: float,
    distance: float,
    hold: np.ndarray,
    cut: Cuts,
) -> np.ndarray:
    """(h, w) float32 metres: slopes of the normals, near the body's depth (h, w), held by `hold` (h, w); without any body at a
    distance, metres."""
    known = on & inside & (body > 0)
    start = float(np.log(np.median(body[known]))) if known.any() else float(np.log(distance))
    log_body = np.where(known, np.log(np.where(known, body, 1.0)) - start, 0).astype(np.float32)
    facing = np.minimum((normal * rays).sum(-1), -STEEPEST)
    slope = -normal[..., :2] / facing[..., None] * np.float32(pitch)  # of the logarithm of the depth, a cell
    right = (inside[:, 1:] & inside[:, :-1]).astype(np.float32)
    down = (inside[1:] & inside[:-1]).astype(np.float32)
    # Over a step from one part of the body to another in front of it, nothing holds.
    limit = STEP / np.exp(start)
    right[(np.abs(np.diff(log_body, axis=1)) > limit) & known[:, 1:] & known[:, :-1]] = 1e-3
    down[(np.abs(np.diff(log_body, axis=0)) > limit) & known[1:] & known[:-1]] = 1e-3
    right[cut[0] & (right > 0)], down[cut[1] & (down > 0)] = 1e-3, 1e-3
    prior = (hold * known + FAINT * inside).astype(np.float32)
    b = hold * known * log_body
    flow = right * (slope[:, 1:, 0] + slope[:, :-1, 0]) / 2
    b[:, 1:] += flow
    b[:, :-1] -= flow
    flow = down * (slope[1:, :, 1] + slope[:-1, :, 1]) / 2
    b[1:] += flow
    b[:-1] -= flow
    found = solve(right, down, prior, b.astype(np.float32))
    filled = push_pull(found[..., None], inside.astype(np.float32))[..., 0]
    return np.exp(filled + np.float32(start))
