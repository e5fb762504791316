"""What bent and turned joints do to an avatar: how much of its volume is kept, and how many faces cut each other.

usage: python benchmarks/bending.py [FILE.blend…] [--without] [--only NAME…]

Without FILE the average body. Poses are those of `tools/pictures/bodies.py`. `volume` is that of the skin in percent of what it
is at rest; `skin`, `cloth` and `through` count pairs of triangles that cut each other, beyond those at rest: skin with skin, a
garment with itself, and skin with what is worn over it.
--without  corrective shape keys are muted, to compare. Needs bpy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import bpy
import numpy as np
from mathutils.bvhtree import BVHTree

from sapiens2_avatar.core.body.character import standing
from sapiens2_avatar.core.body.evaluate import Shape
from sapiens2_avatar.scene.armature import write_armature
from sapiens2_avatar.scene.body import write_body
from sapiens2_avatar.scene.marks import GARMENT, ROLE
from sapiens2_avatar.tools.pictures.bodies import PANELS, Panel, pose

COLUMNS = ("volume", "skin", "cloth", "through")


def triangles_of(obj: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """(V, 3) float64 points of an object as it is shown, world space, and its (F, 3) triangles."""
    shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = shown.to_mesh()
    points, faces = np.empty(3 * len(mesh.vertices)), np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.vertices.foreach_get("co", points)
    mesh.loop_triangles.foreach_get("vertices", faces)
    shown.to_mesh_clear()
    matrix = np.array(obj.matrix_world)
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3], faces.reshape(-1, 3)


def largest_part(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The faces of the largest connected part: the skin without eyes, teeth and lashes."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(edges)), edges.T), (len(points), len(points)))
    part = connected_components(graph, directed=False)[1]
    return faces[part[faces[:, 0]] == np.bincount(part[faces[:, 0]]).argmax()]


def cuts(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray] | None = None) -> int:
    """Pairs of triangles that cut each other; of one mesh, those without a common vertex."""
    trees = [BVHTree.FromPolygons(p.tolist(), f.tolist()) for p, f in ((one,) if other is None else (one, other))]
    pairs = np.array(trees[0].overlap(trees[-1]), np.int64).reshape(-1, 2)
    if other is not None:
        return len(pairs)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    a, b = one[1][pairs[:, 0]], one[1][pairs[:, 1]]
    return int((~(a[:, :, None] == b[:, None, :]).any(axis=(1, 2))).sum())


def measured(body: bpy.types.Object, garments: list[bpy.types.Object]) -> dict[str, float]:
    """Cubic decimetres and pairs of faces, as it is shown."""
    masks = [modifier for modifier in body.modifiers if modifier.type == "MASK"]
    for modifier in masks:
        modifier.show_viewport = False
    points, faces = triangles_of(body)
    skin = points, largest_part(points, faces)
    for modifier in masks:
        modifier.show_viewport = True
    visible = triangles_of(body) if masks else skin
    clothes = [triangles_of(obj) for obj in garments]
    return {
        "volume": 1e3 * float(np.linalg.det(points[skin[1]]).sum() / 6),
        "skin": cuts(skin),
        "cloth": sum(cuts(cloth) for cloth in clothes),
        "through": sum(cuts(visible, cloth) for cloth in clothes),
    }


def average() -> tuple[bpy.types.Object, bpy.types.Object]:
    """(body, rig) of the average person, in an empty file."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    data, bones = standing(Shape())
    collection = bpy.context.scene.collection
    rig = write_armature(bones, np.eye(4), "Rig", collection)
    return write_body(data, bones, "Body", np.eye(4), collection, rig), rig


def print_table(file: Path | None, panels: list[Panel], without: bool) -> None:
    """One row a pose."""
    if file is None:
        body, rig = average()
        garments: list[bpy.types.Object] = []
    else:
        bpy.ops.wm.open_mainfile(filepath=str(file))
        by_role = {str(obj.get(ROLE)): obj for obj in bpy.data.objects}
        body, rig = by_role["body"], by_role["rig"]
        garments = [obj for obj in bpy.data.objects if obj.get(GARMENT) not in (None, "hair", "eyewear")]
    rig.animation_data_clear()
    for obj in (body, *garments) if without else ():
        for key in obj.data.shape_keys.key_blocks if obj.data.shape_keys else ():
            key.mute = key.name.startswith("corrective_")
    print(f"{'average body' if file is None else file.stem:20}" + "".join(f"{name:>10}" for name in COLUMNS), flush=True)
    pose(rig, Panel("rest"))
    rest = measured(body, garments)
    print(f"{'rest':20}{rest['volume']:9.1f} " + "".join(f"{rest[name]:10d}" for name in COLUMNS[1:]), flush=True)
    for panel in panels:
        pose(rig, panel)
        now = measured(body, garments)
        beyond = "".join(f"{now[name] - rest[name]:10d}" for name in COLUMNS[1:])
        print(f"{panel.name:20}{100 * now['volume'] / rest['volume']:9.2f}%{beyond}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--without", action="store_true")
    parser.add_argument("--only", nargs="+", default=[])
    options = parser.parse_args()
    panels = [panel for panel in PANELS if not panel.keys and (not options.only or panel.name in options.only)]
    for file in options.files or [None]:
        print_table(file, panels, options.without)


if __name__ == "__main__":
    main()
