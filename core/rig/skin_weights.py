"""How the scan follows its skeleton: linear blend weights from body parts, distance to the bones and the surface itself.

A patch of the surface belongs first to a region: head, trunk, one arm, one leg. A body part that names a limb says which; for
clothes the patches that clearly lie around one limb's bones are the seeds, and the others go with the seeds that they are nearest
to *along the surface*, so an arm that hangs beside the trunk shares nothing with it. Regions blend into each other over a few
centimetres of surface. Inside a region, bones share by distance, in units of the limb's thickness.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..common.arrays import MeshData, RigData, SkinWeights
from ..common.landmarks import HEAD_PARTS, part_labels, part_names
from .contact_seams import bridging_faces, cut
from .face_weights import add_face
from .patch_graph import Patches, make_patches
from .settings import SkinSettings

REGIONS = ("head", "trunk", "arm.L", "arm.R", "leg.L", "leg.R")
_REGION_OF_STEM = {
    "shoulder": "trunk", "upper_arm": "arm", "forearm": "arm", "hand": "arm", "thumb": "arm", "f_index": "arm", "f_middle": "arm",
    "f_ring": "arm", "f_pinky": "arm", "thigh": "leg", "shin": "leg", "foot": "leg", "toe": "leg",
}  # fmt: skip
_RADIUS = {  # thickness around the bone, share of the distance from pelvis to neck
    "spine": 0.27, "head": 0.2, "shoulder": 0.13, "upper_arm": 0.085, "forearm": 0.065, "hand": 0.055, "thumb": 0.022,
    "f_index": 0.018, "f_middle": 0.018, "f_ring": 0.018, "f_pinky": 0.016, "thigh": 0.145, "shin": 0.095, "foot": 0.075,
    "toe": 0.06,
}  # fmt: skip
_CLEAR = 0.6  # a region is clear where every other region's bones are this much farther, in limb thicknesses
_SKIRT = 1.4  # limb thicknesses: cloth between the legs that is this far from both bones hangs free
_CLOTHED = {  # regions that a garment may cover
    "Upper_Clothing": ("trunk", "arm.L", "arm.R", "leg.L", "leg.R"),
    "Lower_Clothing": ("trunk", "leg.L", "leg.R"),
    "Torso": ("trunk",),
}


def region_of_bone(name: str) -> str:
    """Region of a metarig bone; "" for bones that move no skin."""
    stem = name.split(".")[0]
    if stem == "spine":
        return "head" if name in ("spine.004", "spine.005", "spine.006") else "trunk"
    region = _REGION_OF_STEM.get(stem, "")
    return f"{region}.{name[-1]}" if region in ("arm", "leg") else region


@cache
def allowed_regions() -> np.ndarray:
    """(29, 6) bool: the regions to which a patch of each body part may belong."""
    out = np.zeros((len(part_names()), len(REGIONS)), bool)
    for label, name in enumerate(part_names()):
        side = {"Left": ".L", "Right": ".R"}.get(name.split("_")[0], "")
        if name in _CLOTHED:
            allowed = _CLOTHED[name]
        elif name in HEAD_PARTS:
            allowed = ("head",)
        elif side:
            allowed = (("arm" if "Arm" in name or "Hand" in name else "leg") + side,) if "Lip" not in name else ("head",)
        else:
            allowed = REGIONS
        out[label] = [region in allowed for region in REGIONS]
    return out


def skin_weights(mesh: MeshData, rig: RigData, settings: SkinSettings | None = None) -> SkinWeights:
    """Weights of every vertex of the scan.

    Fingers and toes that the photo does not show get none; their hand or foot takes their skin. Needs scipy.
    """
    return _skin(mesh, rig, settings)[0]


def skin(mesh: MeshData, rig: RigData, settings: SkinSettings | None = None) -> tuple[MeshData, SkinWeights]:
    """The scan, cut open where parts of the body only touch (`core.rig.contact_seams`), and its weights. Needs scipy.

    Jaw and eyes have their skin too (`core.rig.face_weights`), and the lips part.
    """
    weights, patches, region, severed = _skin(mesh, rig, settings)
    mesh, weights = cut(mesh, weights, region[patches.patch], bridging_faces(mesh.faces, patches.patch, severed))
    return add_face(mesh, rig, weights)


def _skin(
    mesh: MeshData, rig: RigData, settings: SkinSettings | None
) -> tuple[SkinWeights, Patches, NDArray[np.int64], NDArray[np.int64]]:
    """Weights, patches, the (N,) region of each patch, and the (E, 2) pairs of neighbouring patches that only touch."""
    settings = settings or SkinSettings()
    names = [
        n for n, hidden in zip(rig.names, rig.unseen.tolist(), strict=True) if region_of_bone(n) and not (hidden and _small(n))
    ]
    index = np.array([rig.names.index(n) for n in names])
    region = np.array([REGIONS.index(region_of_bone(n)) for n in names])
    trunk = float(np.linalg.norm(rig.heads[rig.names.index("spine.004")] - rig.heads[rig.names.index("spine")]))
    thickness = np.array([_RADIUS["head" if n == "spine.006" else n.split(".")[0]] for n in names], np.float32) * trunk
    thickness[[i for i, n in enumerate(names) if n in ("spine.004", "spine.005")]] = 0.11 * trunk
    handicap = np.where([n.startswith("shoulder") for n in names], 2.0, 1.0).astype(np.float32)  # the chest moves with the spine

    patches = make_patches(mesh)
    distance = segment_distance(patches.centres, rig.heads[index], rig.tails[index])
    members = _regions(patches, distance / thickness, region)
    of_patch = members.argmax(axis=1)
    together = _joined(patches, of_patch, rig, (distance / thickness).min(axis=1))
    severed, patches = patches.edges[~together], replace(patches, edges=patches.edges[together])
    share = patches.smooth(members, settings.blend * trunk)
    weights = np.zeros(distance.shape, np.float32)
    for r in range(len(REGIONS)):
        own = region == r
        if own.any():
            # Metres, not thicknesses: a thigh and a shin meet at the knee, not below it because the thigh is thicker.
            to_bone = distance[:, own] * handicap[own]
            nearest = to_bone.min(axis=1, keepdims=True)
            scale = thickness[own][to_bone.argmin(axis=1)][:, None]
            closeness = np.exp(-settings.sharpness * (to_bone**2 - nearest**2) / scale**2)
            weights[:, own] = closeness / closeness.sum(axis=1, keepdims=True) * share[:, r : r + 1]
    columns, values = patches.spread(mesh, weights, max(7, settings.influences))
    return strongest(values, index[columns], settings.influences), patches, of_patch, severed


def _small(name: str) -> bool:
    return name.split(".")[0] in ("thumb", "f_index", "f_middle", "f_ring", "f_pinky", "toe")


def segment_distance(points: np.ndarray, heads: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """(N, B) float32 metres: distance of (N, 3) points from the segments (B, 3) heads to tails."""
    axis = (tails - heads).astype(np.float32)
    offset = points[:, None, :].astype(np.float32) - heads[None].astype(np.float32)
    along = np.clip(np.einsum("nbk,bk->nb", offset, axis) / np.maximum((axis**2).sum(axis=1), 1e-12), 0, 1)
    offset -= along[..., None] * axis
    return np.sqrt(np.einsum("nbk,nbk->nb", offset, offset))


def _regions(patches: Patches, distance: np.ndarray, region: np.ndarray) -> np.ndarray:
    """(N, 6) float32: 1 for the region of each patch."""
    allowed = allowed_regions()[np.minimum(patches.labels, len(part_names()) - 1)]
    if (patches.labels == part_labels("Torso")[0]).all():  # not segmented: bones and the surface alone decide
        allowed = np.ones_like(allowed)
    near = np.stack([distance[:, region == r].min(axis=1, initial=np.inf) for r in range(len(REGIONS))], axis=1)
    near = np.where(allowed, near, np.inf)
    ordered = np.sort(near, axis=1)
    best = near.argmin(axis=1)
    clear = (allowed.sum(axis=1) == 1) | (ordered[:, 1] - ordered[:, 0] > _CLEAR)
    away = np.stack([patches.distances(clear & (best == r)) for r in range(len(REGIONS))], axis=1)
    # Where two seeds are about equally far along the surface, the nearer bones decide; 5 cm along it weigh like one thickness.
    cost = np.where(np.isfinite(away), away, 1e3) / 0.05 + near
    final = np.where(clear, best, np.where(np.isfinite(cost).any(axis=1), cost.argmin(axis=1), best))
    return np.eye(len(REGIONS), dtype=np.float32)[final]


def _joined(patches: Patches, region: np.ndarray, rig: RigData, thicknesses: np.ndarray) -> np.ndarray:
    """(E,) bool: edges across which skin may blend: within a region, or where limb and trunk grow together.

    thicknesses  (N,) distance of each patch from the nearest bone, in thicknesses of its limb

    Skin that only touches (hand on hand, forearm on belly, knee on knee) is one surface in a scan; it must come apart in motion.
    A skirt between the legs is farther from both than their own skin, and stays whole.
    """
    a, b = region[patches.edges[:, 0]], region[patches.edges[:, 1]]
    trunk, head = REGIONS.index("trunk"), REGIONS.index("head")
    joined = (a == b) | (np.minimum(a, b) == head) & (np.maximum(a, b) == trunk)
    middle = patches.centres[patches.edges].mean(axis=1)
    for limb, bone in (("arm.L", "upper_arm.L"), ("arm.R", "upper_arm.R"), ("leg.L", "thigh.L"), ("leg.R", "thigh.R")):
        if bone in rig.names:
            i, r = rig.names.index(bone), REGIONS.index(limb)
            near = np.linalg.norm(middle - rig.heads[i], axis=1) < 0.75 * np.linalg.norm(rig.tails[i] - rig.heads[i])
            joined |= near & (((a == r) & (b == trunk)) | ((a == trunk) & (b == r)))
    legs = {REGIONS.index("leg.L"), REGIONS.index("leg.R")}
    between = np.isin(a, list(legs)) & np.isin(b, list(legs))
    return joined | between & (thicknesses[patches.edges].min(axis=1) > _SKIRT)


def strongest(weights: np.ndarray, index: np.ndarray, count: int) -> SkinWeights:
    """The `count` largest of (V, n) weights per vertex, each row normalised; index (V, n) says of which bones."""
    count = int(np.clip(count, 1, min(8, weights.shape[1])))
    order = np.argpartition(weights, weights.shape[1] - count, axis=1)[:, -count:]
    kept = np.take_along_axis(weights, order, axis=1)
    kept = np.where(kept < 1e-3, 0, kept)
    total = kept.sum(axis=1, keepdims=True)
    kept = np.where(total > 0, kept / np.maximum(total, 1e-12), np.eye(1, count, count - 1, dtype=np.float32))
    return SkinWeights(np.take_along_axis(index, order, axis=1).astype(np.int32), kept.astype(np.float32))
