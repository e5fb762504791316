"""Measure how far the skin is from each joint in every direction, on Anny's adults, into data/body_template.json.

usage: python tools/skin_distance.py data/body_template.json          needs the packages anny and embreex

Rays come from outside towards the joint centre of people at rest; the distance from their first hit to the joint is averaged
over people and stored on a grid of azimuth (0 = from the front, 90 = from the outer side) and elevation about the bone. Rays that
meet another limb first are replaced by the nearest azimuth that does not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from sapiens2_avatar.core.common.landmarks import joint_index
from sapiens2_avatar.core.pose.anatomy import SKIN_AZIMUTHS, SKIN_ELEVATIONS, joint_frames

BONES = {
    "neck": "neck01", "left_shoulder": "upperarm01.L", "left_elbow": "lowerarm01.L", "left_wrist": "wrist.L",
    "left_hip": "upperleg01.L", "left_knee": "lowerleg01.L", "left_ankle": "foot.L",
}  # fmt: skip
PEOPLE = 24
FAR = 2.2  # a first hit at this many times the median of its ring belongs to another limb


def people(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Vertices (count, V, 3), faces (F, 3), bone heads (count, 104, 3) of adults at rest, z up, facing -y."""
    import anny
    import torch

    model = anny.Anny()
    rng = np.random.default_rng(0)
    ranges = {"gender": (0, 1), "age": (0.6, 0.9), "muscle": (0.3, 0.8), "weight": (0.3, 0.75), "height": (0.3, 0.8),
              "proportions": (0.45, 0.85)}  # fmt: skip
    shapes = {k: torch.tensor(rng.uniform(*r, count), dtype=torch.float32) for k, r in ranges.items()}
    with torch.no_grad():
        body = model(phenotype_kwargs=shapes)
    faces = model.faces.numpy()
    return body["rest_vertices"].numpy(), faces[:, :3], body["rest_bone_heads"].numpy(), list(model.bone_labels)


def first_hits(vertices: np.ndarray, faces: np.ndarray, centre: np.ndarray, directions: np.ndarray, reach: float) -> np.ndarray:
    """(n,) distance from the centre to the outermost skin in each direction."""
    from embreex import rtcore_scene
    from embreex.mesh_construction import TriangleMesh

    scene = rtcore_scene.EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(vertices.astype(np.float32)[faces]))
    origins = np.ascontiguousarray(centre + directions * reach, np.float32)
    hit = scene.run(origins, np.ascontiguousarray(-directions, np.float32), query="INTERSECT", output=True)
    return reach - hit["tfar"]


def main() -> None:
    path = Path(sys.argv[1])
    table = json.loads(path.read_text("utf-8"))
    vertices, faces, heads, names = people(PEOPLE)
    frames = joint_frames(np.array(list(table["joints"].values())))
    azimuth, elevation = np.meshgrid(np.radians(SKIN_AZIMUTHS), np.radians(SKIN_ELEVATIONS), indexing="ij")
    local = np.stack([np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)], axis=-1)
    found = {}
    for joint, bone in BONES.items():
        directions = local.reshape(-1, 3) @ frames[joint_index(joint)].T
        rows = []
        for v, h in zip(vertices, heads, strict=True):
            stature = np.ptp(v[:, 2])
            rows.append(first_hits(v, faces, h[names.index(bone)], directions, 0.35 * stature) / stature)
        grid = np.median(rows, axis=0).reshape(azimuth.shape)
        found[joint.removeprefix("left_")] = np.round(without_other_limbs(grid), 4).tolist()
    table["skin_distance"] = found
    text = json.dumps(table).replace("], ", "],\n ").replace("{", "{\n ")
    path.write_text(text + "\n", "utf-8")


def without_other_limbs(grid: np.ndarray) -> np.ndarray:
    """(A, E) distances with those far above the median of their elevation taken from the nearest azimuth that is not."""
    out = grid.copy()
    count = len(grid)
    for e in range(grid.shape[1]):
        good = np.flatnonzero(grid[:, e] < FAR * np.median(grid[:, e]))
        gap = np.abs(np.arange(count)[:, None] - good[None, :])
        out[:, e] = grid[good[np.minimum(gap, count - gap).argmin(axis=1)], e]
    return out


if __name__ == "__main__":
    main()
