"""Materials of the scan: one Principled BSDF per kind of surface (`core.surface.materials`), all on the same packed images."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ..core.common.avatars import Avatar
from ..core.surface.body_parts import face_materials
from ..core.surface.materials import MATERIALS, Material
from .image import MAP, write_image
from .mesh import UV_ATLAS, UV_PHOTO
from .typed import mesh_of

KIND = "sapiens2_material"
"""Custom property of a material: the name of its row in `core.surface.materials.MATERIALS`."""


MAPS = "sapiens2_maps"
"""Custom property of a material: which maps a build gave it."""
SLOTS = "sapiens2_slots"
"""Custom property of a mesh: the kinds of surface that its material slots were for, in lines."""


@dataclass(frozen=True)
class Images:
    """The packed images of one avatar, None = the avatar has none; and the uv map that they belong to."""

    photo: bpy.types.Image
    base_colour: bpy.types.Image | None = None
    mask: bpy.types.Image | None = None
    normal: bpy.types.Image | None = None
    roughness: bpy.types.Image | None = None
    displacement: bpy.types.Image | None = None
    uv_map: str = UV_PHOTO


def write_images(avatar: Avatar, photo: bpy.types.Image | None = None) -> Images:
    """New packed images of the avatar. `photo`: the image of its photo where another avatar of it has written one already."""
    textures = avatar.textures

    def image(title: str, name: str, pixels: np.ndarray, colour: bool = False) -> bpy.types.Image:
        written = write_image(f"{avatar.name} {title}", pixels, colour=colour, encoded=avatar.encoded.get(name))
        written[MAP] = name
        return written

    def data(title: str, name: str) -> bpy.types.Image | None:
        pixels = getattr(textures, name)
        return None if pixels is None else image(title, name, pixels)

    photo = photo or image("Photo", "image", avatar.image, colour=True)
    if textures is None:
        return Images(photo)
    return Images(
        photo=photo,
        base_colour=image("Base Color", "base_colour_srgb", textures.base_colour_srgb, colour=True),
        mask=image("Mask", "mask", textures.mask),
        normal=data("Normal", "normal_tangent"),
        roughness=data("Roughness", "roughness"),
        displacement=data("Displacement", "displacement"),
        uv_map=UV_ATLAS if textures.layout == "atlas" else UV_PHOTO,
    )


def write_materials(obj: bpy.types.Object, avatar: Avatar, images: Images) -> None:
    """A slot on `obj` for each kind of surface that its faces have, the largest first, and the slot of every face."""
    assert avatar.mesh is not None
    of_face = face_materials(avatar.mesh) if avatar.parts is None else avatar.parts.face_material
    kind = avatar.mesh.of_polygons(of_face)
    counts = np.bincount(kind, minlength=len(MATERIALS))
    used = [index for index in np.argsort(-counts, kind="stable").tolist() if counts[index]]
    slot_of_kind, names = np.zeros(len(MATERIALS), np.int32), []
    for slot, index in enumerate(used):
        slot_of_kind[index] = slot
        names.append(MATERIALS[index].name)
        obj.data.materials.append(write_material(MATERIALS[index], avatar.name, images))
    mesh_of(obj)[SLOTS] = "\n".join(names)
    slots = obj.data.attributes.get("material_index") or obj.data.attributes.new("material_index", "INT", "FACE")
    slots.data.foreach_set("value", slot_of_kind[kind])


def write_material(kind: Material, person: str, images: Images) -> bpy.types.Material:
    """A new Principled material; the node's inputs are addressed by name, their order changes between versions."""
    material = bpy.data.materials.new(f"{person} {kind.name}")
    material[KIND] = kind.name
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True  # always on, and deprecated, from 5.0
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    inputs = shader.inputs
    inputs["Metallic"].default_value = 0.0
    inputs["Roughness"].default_value = kind.roughness
    inputs["IOR"].default_value = kind.ior
    inputs["Subsurface Weight"].default_value = kind.subsurface
    inputs["Subsurface Radius"].default_value = kind.subsurface_radius
    inputs["Subsurface Scale"].default_value = kind.subsurface_scale
    inputs["Sheen Weight"].default_value = kind.sheen

    coordinates = tree.nodes.new("ShaderNodeUVMap")
    coordinates.uv_map, coordinates.location = images.uv_map, (-860, 0)

    def texture(image: bpy.types.Image, row: int) -> bpy.types.NodeSocket:
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image, node.label, node.location = image, image.name, (-640, 300 - 300 * row)
        node.extension = "EXTEND"
        tree.links.new(coordinates.outputs["UV"], node.inputs["Vector"])
        return node.outputs["Color"]

    assert images.base_colour is not None and images.mask is not None  # of a scan
    tree.links.new(texture(images.base_colour, 0), inputs["Base Color"])
    if images.roughness is not None:
        tree.links.new(texture(images.roughness, 1), inputs["Roughness"])
    if kind.soft_edge:
        tree.links.new(texture(images.mask, 2), inputs["Alpha"])
        material.surface_render_method = "DITHERED"
    if images.normal is not None:
        bump = tree.nodes.new("ShaderNodeNormalMap")
        bump.location, bump.uv_map = (-300, -600), images.uv_map
        tree.links.new(texture(images.normal, 3), bump.inputs["Color"])
        tree.links.new(bump.outputs["Normal"], inputs["Normal"])
    if images.displacement is not None:
        _displace(material, texture(images.displacement, 4))
    base = next(node for node in tree.nodes if node.type == "TEX_IMAGE" and node.image == images.base_colour)
    tree.nodes.active = base  # what solid shading shows
    material[MAPS] = " ".join(node.image[MAP] for node in tree.nodes if node.type == "TEX_IMAGE")
    return material


def _displace(material: bpy.types.Material, metres: bpy.types.NodeSocket) -> None:
    """Move the surface by a texture of metres. True displacement alone: the normal map already shades what bumps would."""
    tree = material.node_tree
    output = next(node for node in tree.nodes if node.type == "OUTPUT_MATERIAL")
    node = tree.nodes.new("ShaderNodeDisplacement")
    node.location = (-300, -900)
    node.inputs["Midlevel"].default_value, node.inputs["Scale"].default_value = 0.0, 1.0
    tree.links.new(metres, node.inputs["Height"])
    tree.links.new(node.outputs["Displacement"], output.inputs["Displacement"])
    material.displacement_method = "DISPLACEMENT"
