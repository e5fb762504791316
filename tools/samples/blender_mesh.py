"""Meshes and materials of Blender for the demo photographs."""

from __future__ import annotations

import bpy
import numpy as np


def mesh_object(
    name: str, vertices: np.ndarray, faces: np.ndarray, values: dict[str, np.ndarray], material: bpy.types.Material
) -> bpy.types.Object:
    """A smooth mesh object with float or colour attributes per vertex."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces.tolist())
    for key, array in values.items():
        if array.ndim == 1:
            mesh.attributes.new(key, "FLOAT", "POINT").data.foreach_set("value", array.astype(np.float32))
        else:
            rgba = np.concatenate([array, np.ones((len(array), 1))], 1).astype(np.float32)
            mesh.attributes.new(key, "FLOAT_COLOR", "POINT").data.foreach_set("color", rgba.ravel())
    mesh.shade_smooth()
    mesh.materials.append(material)
    item = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(item)
    return item


def material_of(name: str, **inputs: object) -> tuple[bpy.types.Material, bpy.types.ShaderNodeTree, bpy.types.Node]:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    for key, value in inputs.items():
        shader.inputs[key.replace("_", " ")].default_value = value
    return material, material.node_tree, shader


def attribute(tree: bpy.types.NodeTree, name: str, output: str) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeAttribute")
    node.attribute_name = name
    return node.outputs[output]


def maths(
    tree: bpy.types.NodeTree, operation: str, value: bpy.types.NodeSocket, other: float | bpy.types.NodeSocket = 0.0
) -> bpy.types.NodeSocket:
    """The result of a math node on a socket and a number or another socket."""
    node = tree.nodes.new("ShaderNodeMath")
    node.operation = operation
    for socket, given in zip(node.inputs, (value, other), strict=False):
        if isinstance(given, float):
            socket.default_value = given
        else:
            tree.links.new(given, socket)
    return node.outputs[0]


def blend(
    tree: bpy.types.NodeTree,
    share: bpy.types.NodeSocket,
    one: bpy.types.NodeSocket | np.ndarray,
    other: np.ndarray,
    kind: str = "MIX",
) -> bpy.types.NodeSocket:
    """A colour that is `one` where share is 0, and blended with linear `other` where it is 1."""
    mix = tree.nodes.new("ShaderNodeMix")
    mix.data_type, mix.blend_type = "RGBA", kind
    tree.links.new(share, mix.inputs["Factor"])
    if isinstance(one, bpy.types.NodeSocket):
        tree.links.new(one, mix.inputs[6])
    else:
        mix.inputs[6].default_value = (*one, 1)
    mix.inputs[7].default_value = (*other, 1)
    return mix.outputs[2]


def noise(tree: bpy.types.NodeTree, scale: float, detail: float = 3.0) -> bpy.types.NodeSocket:
    """Noise about 0.5 in the object's space; scale in 1/m."""
    node, coordinates = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeTexCoord")
    node.inputs["Scale"].default_value, node.inputs["Detail"].default_value = scale, detail
    tree.links.new(coordinates.outputs["Object"], node.inputs["Vector"])
    return node.outputs["Fac"]


def bump(tree: bpy.types.NodeTree, shader: bpy.types.Node, scale: float, strength: float, distance: float = 0.001) -> None:
    noise, bump = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeBump")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = scale, 8
    bump.inputs["Strength"].default_value, bump.inputs["Distance"].default_value = strength, distance
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["Object"], noise.inputs["Vector"])
    tree.links.new(noise.outputs["Fac"], bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])
