"""Shoes of the demo photographs: canvas, a rubber sole and toe, laces."""

from __future__ import annotations

import bpy
import numpy as np

from .blender_mesh import attribute, bump, material_of
from .figure import Figure

CANVAS, RUBBER, LACE = np.array([0.26, 0.028, 0.024]), np.array([0.66, 0.63, 0.57]), np.array([0.72, 0.70, 0.66])
SOLE, LINE = 0.026, (0.017, 0.0195)
"""Metres above the floor to which the sole reaches, and the line along it."""


def shoe(figure: Figure, foot: np.ndarray) -> None:
    """A closed shoe around the foot's vertices (V,) bool: their convex hull, remeshed and rounded."""
    import bmesh

    floor = float(figure.vertices[:, 2].min()) - 0.012
    inner = figure.vertices[foot] + figure.normals[foot] * 0.004
    low = inner[inner[:, 2] < floor + 0.045]
    # The sole stands out a little all round.
    rim = low + (low - low.mean(0)) * [0.06, 0.03, 0.0]
    points = np.concatenate([inner, rim, rim * [1, 1, 0] + [0, 0, floor]])
    shell = bmesh.new()
    for point in points.tolist():
        shell.verts.new(point)
    hull = bmesh.ops.convex_hull(shell, input=shell.verts)
    gone = [v for v in set(hull["geom_interior"] + hull["geom_unused"]) if isinstance(v, bmesh.types.BMVert)]
    bmesh.ops.delete(shell, geom=gone, context="VERTS")
    mesh = bpy.data.meshes.new("Shoe")
    shell.to_mesh(mesh)
    shell.free()
    item = bpy.data.objects.new("Shoe", mesh)
    bpy.context.scene.collection.objects.link(item)
    blocks = item.modifiers.new("Remesh", "REMESH")
    blocks.mode, blocks.voxel_size, blocks.use_smooth_shade = "VOXEL", 0.003, True
    rounding = item.modifiers.new("Round", "SMOOTH")
    rounding.factor, rounding.iterations = 0.5, 10
    fine = item.modifiers.new("Fine", "SUBSURF")
    fine.levels = fine.render_levels = 1
    made = bpy.data.meshes.new_from_object(item.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    item.modifiers.clear()
    item.data = made
    vertices, normals = (np.empty(3 * len(made.vertices), np.float32) for _ in range(2))
    made.vertices.foreach_get("co", vertices)
    made.vertices.foreach_get("normal", normals)
    colours = _colours(vertices.reshape(-1, 3), normals.reshape(-1, 3), floor)
    rgba = np.concatenate([colours, np.ones((len(colours), 1))], 1).astype(np.float32)
    made.attributes.new("colour", "FLOAT_COLOR", "POINT").data.foreach_set("color", rgba.ravel())
    made.shade_smooth()
    material, tree, shader = material_of("Shoe", Roughness=0.7, Sheen_Weight=0.1)
    tree.links.new(attribute(tree, "colour", "Color"), shader.inputs["Base Color"])
    bump(tree, shader, 1100, 0.2)
    made.materials.clear()
    made.materials.append(material)


def _colours(points: np.ndarray, normals: np.ndarray, floor: float) -> np.ndarray:
    """(n, 3) linear colours of a shoe that points to -y, turned by as much as its own longest axis is."""
    flat = points[:, :2] - points[:, :2].mean(0)
    _, axes = np.linalg.eigh(flat.T @ flat)
    way = axes[:, 1] * (-1 if axes[1, 1] > 0 else 1)  # to the toes
    along, across = flat @ way, flat @ np.array([-way[1], way[0]])
    share = (along - along.min()) / np.ptp(along)
    z = points[:, 2] - floor
    colour = np.tile(CANVAS, (len(points), 1))
    colour[(share > 0.80 - 1.5 * (across / np.ptp(across)) ** 2) & (z < 0.05)] = RUBBER
    opening = (share > 0.36) & (share < 0.74) & (np.abs(across) < 0.024 - 0.012 * (share - 0.36)) & (normals[:, 2] > 0.15)
    colour[opening] *= 0.75
    slanted = along + 0.25 * np.abs(across)
    colour[opening & (np.mod(slanted / 0.0145, 1) < 0.42)] = LACE
    colour[z < SOLE] = RUBBER
    colour[(z > LINE[0]) & (z < LINE[1])] = CANVAS
    return colour
