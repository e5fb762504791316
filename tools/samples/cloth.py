"""Clothes and shoes of the demo photographs: shells over a figure, a sailor's shirt, worn jeans, slippers."""

from __future__ import annotations

import bpy
import numpy as np

from . import wardrobe
from .blender_mesh import attribute, bump, material_of, mesh_object
from .body import vertex_normals
from .figure import Figure, smoothing

CLOTH, STRIPE = np.array([0.50, 0.27, 0.055]), np.array([0.012, 0.022, 0.055])
"""Of the shirt: mustard, and navy."""
PERIOD, SHARE, PLAIN = 0.034, 0.36, 0.03
"""Metres from stripe to stripe, how much of that is blue, and the width of the bands along hems, which have none."""


def _cut_away(tree: bpy.types.NodeTree, shader: bpy.types.Node) -> None:
    """Transparent where the attribute `cut` is negative: hems follow a smooth line, not the triangles."""
    mix, clear, compare = (tree.nodes.new(n) for n in ("ShaderNodeMixShader", "ShaderNodeBsdfTransparent", "ShaderNodeMath"))
    compare.operation, compare.inputs[1].default_value = "GREATER_THAN", 0.0
    tree.links.new(attribute(tree, "cut", "Fac"), compare.inputs[0])
    tree.links.new(compare.outputs[0], mix.inputs[0])
    tree.links.new(clear.outputs[0], mix.inputs[1])
    tree.links.new(shader.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], tree.nodes["Material Output"].inputs["Surface"])


def garment(
    figure: Figure,
    name: str,
    cut: np.ndarray,
    offset: float | np.ndarray,
    rounds: int,
    folds: float,
    colour: np.ndarray,
    rng: np.random.Generator,
    rough: float,
    striped: bool = False,
) -> bpy.types.Object:
    """A cloth shell: the skin where cut > -0.04 m, smoothed so that it bridges hollows, lifted and folded.

    cut (V,) metres inside the hem; offset metres above the skin; rounds of smoothing; folds metres high.
    """
    keep = cut > -0.04
    faces = figure.faces[keep[figure.faces].all(1)]
    vertices = figure.vertices.copy()
    used = np.unique(faces)
    index = np.full(len(vertices), -1)
    index[used] = np.arange(len(used))
    faces = index[faces].astype(np.int32)
    relax = smoothing(faces, len(used))
    base = vertices[used]
    smooth = base
    for _ in range(rounds):
        smooth = relax @ smooth
    normals = vertex_normals(smooth.astype(np.float32), faces)
    # Never inside the body: at least the offset above the skin along its own normal.
    below = np.clip(np.einsum("ij,ij->i", base - smooth, figure.normals[used]), 0, 0.03)
    for _ in range(rounds // 10):  # cloth spans what it lies on, and shows none of it
        below = np.maximum(relax @ below, 0.5 * below)
    smooth = smooth + normals * (0.9 * below + np.broadcast_to(offset, keep.shape)[used])[:, None]
    rest = figure.rest[used]
    wave = sum(np.sin(rest @ rng.normal(0, 1, 3) * f + rng.uniform(0, 6)) for f in (26, 34, 47, 60)) / 4
    wave += 0.5 * sum(np.sin(rest @ (rng.normal(0, 1, 3) * [1, 1, 0.25]) * f) for f in (90, 120)) / 2
    smooth = smooth + normals * (folds * wave)[:, None]
    material, tree, shader = material_of(name, Roughness=rough, Sheen_Weight=0.25)
    tree.links.new(attribute(tree, "colour", "Color"), shader.inputs["Base Color"])
    if striped:
        _stripes(tree, shader)
    bump(tree, shader, 900, 0.25)
    _cut_away(tree, shader)
    sleeve = np.isin(figure.part[used], wardrobe.UPPER_ARMS + wardrobe.LOWER_ARMS)
    along = np.where(sleeve, figure.arm[used] * 0.27, smooth[:, 2])
    values = {"cut": cut[used], "along": along, "colour": np.broadcast_to(colour, (len(cut), 3))[used]}
    item = mesh_object(name, smooth, faces, values, material)
    thick = item.modifiers.new("Thickness", "SOLIDIFY")
    thick.thickness, thick.offset = 0.0025, 0.0
    return item


def _stripes(tree: bpy.types.NodeTree, shader: bpy.types.Node) -> None:
    """Stripes round trunk and sleeves, but for plain bands along the hems."""

    def math(operation: str, value: bpy.types.NodeSocket, other: float | bpy.types.NodeSocket = 0.0) -> bpy.types.NodeSocket:
        node = tree.nodes.new("ShaderNodeMath")
        node.operation = operation
        tree.links.new(value, node.inputs[0])
        if isinstance(other, float):
            node.inputs[1].default_value = other
        else:
            tree.links.new(other, node.inputs[1])
        return node.outputs[0]

    phase = math("FRACT", math("DIVIDE", attribute(tree, "along", "Fac"), PERIOD))
    blue = math("MULTIPLY", math("LESS_THAN", phase, SHARE), math("GREATER_THAN", attribute(tree, "cut", "Fac"), PLAIN))
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    tree.links.new(blue, mix.inputs["Factor"])
    mix.inputs[6].default_value, mix.inputs[7].default_value = (*CLOTH, 1), (*STRIPE, 1)
    tree.links.new(mix.outputs[2], shader.inputs["Base Color"])


def denim(figure: Figure, hip: np.ndarray) -> np.ndarray:
    """(V, 3) linear colours of worn jeans: pale on the thighs and knees, dark along the seams, with stitches beside them."""
    x, y, _ = (figure.rest - hip * [0, 1, 1]).T
    front = np.clip(-y / 0.09, 0, 1)
    worn = front * np.exp(-(((figure.leg - 0.55) / 0.4) ** 2)) + 0.5 * front * np.exp(-(((figure.leg - 1.15) / 0.2) ** 2))
    colour = np.array([0.028, 0.050, 0.105]) * (1 + 1.9 * worn[:, None])
    side = np.abs(x) > 0.11
    seam = side & (np.abs(y + 0.005) < 0.003)
    colour[seam] *= 0.45
    return colour


def shoe(figure: Figure, foot: np.ndarray, upper: np.ndarray, sole: np.ndarray) -> None:
    """A closed shoe around the foot's vertices: their convex hull, remeshed, rounded, flat below; another colour up to 22 mm."""
    import bmesh

    floor = float(figure.vertices[:, 2].min()) - 0.012
    points = figure.vertices[foot] + figure.normals[foot] * 0.004
    shell = bmesh.new()
    for point in points.tolist():
        shell.verts.new(point)
    hull = bmesh.ops.convex_hull(shell, input=shell.verts)
    bmesh.ops.delete(
        shell,
        geom=[v for v in set(hull["geom_interior"] + hull["geom_unused"]) if isinstance(v, bmesh.types.BMVert)],
        context="VERTS",
    )
    material, tree, shader = material_of("Shoe", Roughness=0.5)
    bump(tree, shader, 700, 0.15)
    coordinates, split, compare, mix = (
        tree.nodes.new(n) for n in ("ShaderNodeNewGeometry", "ShaderNodeSeparateXYZ", "ShaderNodeMath", "ShaderNodeMix")
    )
    mix.data_type, compare.operation, compare.inputs[1].default_value = "RGBA", "LESS_THAN", floor + 0.022
    tree.links.new(coordinates.outputs["Position"], split.inputs[0])
    tree.links.new(split.outputs["Z"], compare.inputs[0])
    tree.links.new(compare.outputs[0], mix.inputs["Factor"])
    mix.inputs[6].default_value, mix.inputs[7].default_value = (*upper, 1), (*sole, 1)
    tree.links.new(mix.outputs[2], shader.inputs["Base Color"])
    mesh = bpy.data.meshes.new("Shoe")
    shell.to_mesh(mesh)
    shell.free()
    mesh.materials.append(material)
    item = bpy.data.objects.new("Shoe", mesh)
    bpy.context.scene.collection.objects.link(item)
    blocks = item.modifiers.new("Remesh", "REMESH")
    blocks.mode, blocks.voxel_size, blocks.use_smooth_shade = "VOXEL", 0.004, True
    rounding = item.modifiers.new("Round", "SMOOTH")
    rounding.factor, rounding.iterations = 0.5, 12
