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


def bump(tree: bpy.types.NodeTree, shader: bpy.types.Node, scale: float, strength: float, distance: float = 0.001) -> None:
    noise, bump = tree.nodes.new("ShaderNodeTexNoise"), tree.nodes.new("ShaderNodeBump")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = scale, 8
    bump.inputs["Strength"].default_value, bump.inputs["Distance"].default_value = strength, distance
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["Object"], noise.inputs["Vector"])
    tree.links.new(noise.outputs["Fac"], bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], shader.inputs["Normal"])
