"""What a surface of an avatar looks like: image textures into a Principled BSDF, which every engine understands."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np

from ..core.common.avatars import SurfaceTextures
from ..core.common.colour import linear_from_srgb
from ..core.common.looks import Look
from .image import MAP, write_image
from .material import KIND, MAPS
from .mesh import UV_PHOTO

TITLES: Mapping[str, str] = {"base_colour_srgb": "Base Color", "normal_tangent": "Normal", "roughness": "Roughness"}
"""Image of `SurfaceTextures` -> the end of its name in Blender."""


def write_look(
    name: str, kind: str, look: Look, textures: SurfaceTextures | None, encoded: Mapping[str, np.ndarray]
) -> bpy.types.Material:
    """A new material of an avatar's surface.

    kind      what it is for; kept on the material, as are the maps that it has (`scene.keep_materials`)
    textures  its images, by the mesh's uv map; None = the colour of the look
    encoded   image files that were made already, by their names in `TITLES`
    """
    material = plain_material(name, look)
    material[KIND] = kind
    maps = [] if textures is None else write_maps(material, textures, encoded, UV_PHOTO)
    # Without maps it is the look that tells the material from that of another build.
    material[MAPS] = " ".join(maps) or str(look)
    return material


def write_shared_look(name: str, kind: str, look: Look, base_colour: bpy.types.Image) -> bpy.types.Material:
    """A new material of a surface whose colour is in an image that another material shows too."""
    material = plain_material(name, look)
    node = _show(material, base_colour, "Base Color", 0)
    material.node_tree.links.new(node.outputs["Color"], shader_of(material).inputs["Base Color"])
    material.node_tree.nodes.active = node
    material[KIND], material[MAPS] = kind, base_colour[MAP]
    return material


def base_colour_of(material: bpy.types.Material) -> bpy.types.Image:
    """The image that `write_maps` gave a material for its base colour."""
    nodes = (node for node in material.node_tree.nodes if node.type == "TEX_IMAGE")
    return next(node.image for node in nodes if node.image[MAP] == "base_colour_srgb")


def _show(material: bpy.types.Material, image: bpy.types.Image, label: str, row: int) -> bpy.types.Node:
    """A new node that shows an image, in a row of its own."""
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.location, node.image, node.label = (-640, 300 - 300 * row), image, label
    return node


def plain_material(name: str, look: Look) -> bpy.types.Material:
    """A new material with a Principled BSDF and no image."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True  # always on, and deprecated, from 5.0
    inputs = shader_of(material).inputs
    linear = (*linear_from_srgb(np.array(look.colour, np.uint8)).tolist(), 1.0)
    inputs["Base Color"].default_value = linear
    inputs["Metallic"].default_value = 0.0
    inputs["Roughness"].default_value = look.roughness
    if look.subsurface:
        inputs["Subsurface Weight"].default_value = 0.3
        inputs["Subsurface Radius"].default_value = (1.0, 0.35, 0.2)
        inputs["Subsurface Scale"].default_value = look.subsurface
    material.diffuse_color = linear  # what the viewport shows in solid shading
    material.roughness = look.roughness
    return material


def write_maps(
    material: bpy.types.Material, textures: SurfaceTextures, encoded: Mapping[str, np.ndarray], uv_map: str
) -> list[str]:
    """New image textures into the Principled BSDF of a material, which has none yet; the names of the images in `TITLES`.

    encoded  image files that were made already, by the names of the images
    uv_map   by which they lie on the mesh; the one that renders
    """
    tree, inputs = material.node_tree, shader_of(material).inputs
    maps = {title: pixels for title in TITLES if (pixels := getattr(textures, title)) is not None}
    base = None
    for row, (title, pixels) in enumerate(maps.items()):
        image = write_image(
            f"{material.name} {TITLES[title]}", pixels, colour=title == "base_colour_srgb", encoded=encoded.get(title)
        )
        image[MAP] = title
        node = _show(material, image, TITLES[title], row)
        colour = node.outputs["Color"]
        if title == "normal_tangent":
            bump = tree.nodes.new("ShaderNodeNormalMap")
            bump.location, bump.uv_map = (-300, 300 - 300 * row), uv_map
            tree.links.new(colour, bump.inputs["Color"])
            tree.links.new(bump.outputs["Normal"], inputs["Normal"])
        else:
            tree.links.new(colour, inputs[TITLES[title]])
        if title == "base_colour_srgb":
            base = node
    if base is not None:
        tree.nodes.active = base  # what solid shading shows
    return list(maps)


def shader_of(material: bpy.types.Material) -> bpy.types.Node:
    """The Principled BSDF of a material that was made here."""
    return next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
