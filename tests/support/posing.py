"""Avatars in poses that no photo shows: everything follows the rig by its weights, as Blender would move it."""

from collections.abc import Mapping

import numpy as np
from scipy.spatial import cKDTree

from sapiens2_avatar.core.body.evaluate import vertex_normals
from sapiens2_avatar.core.common.arrays import RigData, SkinWeights
from sapiens2_avatar.core.common.avatars import BodyData, GarmentData
from sapiens2_avatar.core.common.rotations import rotation_from_vector, unit

POSES: Mapping[str, Mapping[str, tuple[float, float, float]]] = {
    "A-pose": {},
    "arms up": {"upper_arm.L": (0, 110, 0), "upper_arm.R": (0, -110, 0)},
    "squat": {
        "thigh.L": (-95, 0, 8), "thigh.R": (-95, 0, -8), "shin.L": (115, 0, 0), "shin.R": (115, 0, 0), "spine.001": (20, 0, 0)
    },
    "high knee": {"thigh.L": (-100, 0, 0), "shin.L": (100, 0, 0), "upper_arm.R": (-40, 0, 0)},
}  # fmt: skip
"""Pose -> bone -> degrees round the axes to the person's left, front and up, each after its parent's."""

UNDER, FAR = 0.06, 0.12  # metres under a garment that count as hidden by it; from it that count as beside it


def axes(rig: RigData) -> np.ndarray:
    """(3, 3) rows: to the left of who stands in the rig's rest, to their front, up."""
    at = dict(zip(rig.names, rig.heads.astype(float), strict=True))
    up = unit(at["spine.006"] - at["spine"])
    left = unit(at["upper_arm.L"] - at["upper_arm.R"])
    left = unit(left - up * (left @ up))
    return np.stack([left, np.cross(left, up), up])


def maps(rig: RigData, pose: Mapping[str, tuple[float, float, float]]) -> np.ndarray:
    """(B, 4, 4) from rest to the pose."""
    frame = axes(rig)
    out = np.tile(np.eye(4), (len(rig.names), 1, 1))
    for bone, parent in enumerate(rig.parents):
        own = np.eye(4)
        turn = rotation_from_vector(np.radians(pose.get(rig.names[bone], (0, 0, 0))) @ frame)
        own[:3, :3], own[:3, 3] = turn, rig.heads[bone] - turn @ rig.heads[bone]
        out[bone] = own if parent < 0 else out[parent] @ own
    return out


def reposed(points: np.ndarray, weights: SkinWeights, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(n, 3) points that stand as the bones' maps `before` (B, 4, 4) put them, as `after` puts them."""
    mixed = [np.einsum("nk,nkij->nij", weights.weights, m[weights.bones]) for m in (before, after)]
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1).astype(float)
    return np.einsum("nij,nj->ni", mixed[1], np.linalg.solve(mixed[0], homogeneous[..., None])[..., 0])[:, :3]


def poking(
    body: BodyData, covered: np.ndarray, garments: tuple[GarmentData, ...], rig: RigData, least: float = 0.001
) -> dict[str, dict[str, int]]:
    """Pose -> "inner through outer" -> how many vertices that the outer one hides in the pose of the rig's photo stand beyond it.

    body      in the photo; covered (V,) bool vertices that are masked; their faces are not there
    garments  in the photo, the inner ones first
    rig       at rest, with `photo_from_rest`
    least     metres beyond the outer surface that count
    """
    assert rig.photo_from_rest is not None
    skin = body.quads[(body.part == body.part_names.index("skin")) & ~covered[body.quads].any(axis=1)]
    layers = [("skin", body.vertices, skin, body.weights)]
    layers += [(g.kind, g.vertices, g.quads[~g.inside], g.weights) for g in garments]
    out: dict[str, dict[str, int]] = {}
    before = rig.photo_from_rest.astype(float)
    hidden = {}
    for pose in ("photo", *POSES):
        after = before if pose == "photo" else maps(rig, POSES[pose])
        placed = [reposed(points, weights, before, after) for _, points, _, weights in layers]
        out[pose] = {}
        for o in range(1, len(layers)):
            for i in range(o):
                inner = np.unique(layers[i][2])
                depth, close = signed(placed[i][inner], placed[o], layers[o][2], UNDER if pose == "photo" else FAR)
                if pose == "photo":
                    hidden[i, o] = close & (depth < 0)
                    continue
                beyond = hidden[i, o] & close & (depth > least)
                if beyond.any():
                    out[pose][f"{layers[i][0]} through {layers[o][0]}"] = int(beyond.sum())
    return out


def signed(points: np.ndarray, vertices: np.ndarray, quads: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """(n,) metres of points beyond a surface, and whether its middle parts, not its border, are within reach beside them."""
    normals = vertex_normals(vertices, quads)
    used = np.unique(quads)
    ends = np.sort(np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)]), axis=1)
    edges, count = np.unique(ends, axis=0, return_counts=True)
    border = np.zeros(len(vertices), bool)
    border[edges[count == 1]] = True
    places = np.concatenate([vertices[used], vertices[quads].mean(axis=1)])
    planes = np.concatenate([normals[used], unit(normals[quads].mean(axis=1))])
    at_border = np.concatenate([border[used], border[quads].any(axis=1)])
    distance, nearest = cKDTree(places).query(points, k=4)
    # In a crease the planes of neighbours cross: only what is beyond all of them is outside.
    depth = np.einsum("nki,nki->nk", points[:, None] - places[nearest], planes[nearest]).min(axis=1)
    return depth, (distance[:, 0] < reach) & ~at_border[nearest[:, 0]]
