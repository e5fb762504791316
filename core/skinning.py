"""How the scan follows its skeleton: linear blend weights from body parts, distance to the bones and the surface itself.

A vertex belongs first to a region (head, trunk, one arm, one leg), then to the bones of that region by distance. The region comes from
the body part where the part names a limb, and where it does not (a sleeve, a trouser leg, a whole dress) from which limb's
capsule fits best; it is then smoothed along the surface, so that an arm that lies on the trunk, where the scan is cut, does not
share weights with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .data import MeshData, RigData, SkinWeights
from .skeleton import part_names

REGIONS = ("head", "trunk", "arm.L", "arm.R", "leg.L", "leg.R")
_REGION_OF_STEM = {
    "upper_arm": "arm", "forearm": "arm", "hand": "arm", "palm": "arm", "thumb": "arm", "f_index": "arm", "f_middle": "arm",
    "f_ring": "arm", "f_pinky": "arm", "thigh": "leg", "shin": "leg", "foot": "leg", "toe": "leg",
}  # fmt: skip
_RADIUS = {  # of the limb around the bone, share of the person's trunk length
    "spine": 0.26, "shoulder": 0.14, "upper_arm": 0.085, "forearm": 0.06, "hand": 0.05, "thumb": 0.022, "f_index": 0.018,
    "f_middle": 0.018, "f_ring": 0.018, "f_pinky": 0.016, "thigh": 0.145, "shin": 0.09, "foot": 0.07, "toe": 0.06,
}  # fmt: skip
_UNDEFORMED = ("heel", "pelvis", "breast", "face", "palm")


@dataclass(frozen=True)
class SkinSettings:
    """influences  most bones per vertex, 1..8
    sharpness   how fast a bone's influence falls off with distance; higher = stiffer limbs, sharper joints
    smoothing   steps of smoothing of the regions along the surface
    """

    influences: int = 4
    sharpness: float = 3.0
    smoothing: int = 12


def region_of_bone(name: str) -> str:
    """Region of a metarig bone; "" for bones that move no skin."""
    stem = name.split(".")[0]
    if stem in _UNDEFORMED:
        return ""
    if stem == "spine":
        return "head" if name in ("spine.004", "spine.005", "spine.006") else "trunk"
    if stem == "shoulder":
        return "trunk"
    return f"{_REGION_OF_STEM[stem]}.{name[-1]}" if stem in _REGION_OF_STEM else ""


def _region_of_label() -> np.ndarray:
    """(29,) index into REGIONS of the parts that name one region, -1 for clothes and background."""
    out = np.full(len(part_names()), -1)
    for label, name in enumerate(part_names()):
        side = {"Left": "L", "Right": "R"}.get(name.split("_")[0], "")
        if (side and "Arm" in name) or "Hand" in name:
            out[label] = REGIONS.index(f"arm.{side}")
        elif side and any(word in name for word in ("Leg", "Foot", "Shoe", "Sock")):
            out[label] = REGIONS.index(f"leg.{side}")
        elif name in ("Face_Neck", "Hair", "Eyeglass", "Lower_Lip", "Upper_Lip", "Lower_Teeth", "Upper_Teeth", "Tongue"):
            out[label] = REGIONS.index("head")
        elif name == "Torso":
            out[label] = REGIONS.index("trunk")
    return out


def skin_weights(mesh: MeshData, rig: RigData, settings: SkinSettings | None = None) -> SkinWeights:
    """Weights of every vertex of the scan; bones that are `unseen` get none unless nothing else is near."""
    settings = settings or SkinSettings()
    names = [n for n in rig.names if region_of_bone(n)]
    index = np.array([rig.names.index(n) for n in names])
    region = np.array([REGIONS.index(region_of_bone(n)) for n in names])
    neck = rig.heads[rig.names.index("spine.004")]
    trunk = float(np.linalg.norm(neck - rig.heads[rig.names.index("spine")]))
    radius = np.array([_RADIUS[n.split(".")[0]] for n in names]) * trunk
    radius[region == 0] = 0.16 * trunk
    distance = segment_distance(mesh.vertices, rig.heads[index], rig.tails[index]) / radius.astype(np.float32)
    membership = _regions(mesh, distance, region, settings)
    closeness = np.empty_like(distance)
    for r in range(len(REGIONS)):
        own = region == r
        nearest = distance[:, own].min(axis=1, keepdims=True)
        closeness[:, own] = np.exp(-settings.sharpness * (distance[:, own] ** 2 - nearest**2))
        closeness[:, own] *= membership[:, r : r + 1] / closeness[:, own].sum(axis=1, keepdims=True)
    return strongest(closeness, index, settings.influences)


def segment_distance(points: np.ndarray, heads: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """(V, B) float32 distance of (V, 3) points from the segments (B, 3) heads to tails, metres."""
    p = points.astype(np.float32)
    h, axis = heads.astype(np.float32), (tails - heads).astype(np.float32)
    length2 = np.maximum((axis**2).sum(axis=1), 1e-12)
    along = np.clip((p @ axis.T - (h * axis).sum(axis=1)) / length2, 0, 1)
    out = np.empty(along.shape, np.float32)
    for b in range(len(h)):
        out[:, b] = np.linalg.norm(p - h[b] - along[:, b : b + 1] * axis[b], axis=1)
    return out


def _regions(mesh: MeshData, distance: np.ndarray, region: np.ndarray, settings: SkinSettings) -> np.ndarray:
    """(V, 6) float32 share of each region per vertex, rows sum to 1."""
    nearest = np.stack([distance[:, region == r].min(axis=1) for r in range(len(REGIONS))], axis=1)
    labelled = _region_of_label()[np.minimum(mesh.labels, len(part_names()) - 1)]
    best = np.where(labelled >= 0, labelled, nearest.argmin(axis=1))
    out = np.zeros(nearest.shape, np.float32)
    out[np.arange(len(out)), best] = 1
    return _smooth(out, mesh.faces, settings.smoothing)


def _smooth(values: np.ndarray, faces: np.ndarray, steps: int) -> np.ndarray:
    """(V, n) values averaged with their neighbours along the surface, `steps` times."""
    from scipy.sparse import coo_matrix

    a = faces[:, [0, 1, 2, 1, 2, 0]].ravel()
    b = faces[:, [1, 2, 0, 0, 1, 2]].ravel()
    count = len(values)
    graph = coo_matrix((np.ones(len(a), np.float32), (a, b)), shape=(count, count)).tocsr()
    degree = np.asarray(graph.sum(axis=1)).ravel()
    for _ in range(steps):
        mean = (graph @ values) / np.maximum(degree, 1)[:, None]
        values = np.where(degree[:, None] > 0, 0.5 * values + 0.5 * mean, values)
    return values


def strongest(weights: np.ndarray, index: np.ndarray, count: int) -> SkinWeights:
    """The `count` largest of (V, B) weights per vertex, normalised; index (B,) are the bones."""
    count = min(count, weights.shape[1], 8)
    order = np.argpartition(-weights, count - 1, axis=1)[:, :count]
    kept = np.take_along_axis(weights, order, axis=1)
    kept = np.where(kept < 1e-3, 0, kept)
    total = kept.sum(axis=1, keepdims=True)
    kept = np.where(total > 0, kept / np.maximum(total, 1e-12), np.eye(1, count, dtype=np.float32))
    return SkinWeights(index[order].astype(np.int32), kept.astype(np.float32))
