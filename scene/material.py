"""Materials of the scan: one Principled BSDF per kind of surface, all on the same packed images."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ..core.data import Avatar
from ..core.skeleton import part_names
from .image import write_image


@dataclass(frozen=True)
class Kind:
    """How one kind of surface answers light, beside what the textures say.

    parts       names of body parts (data/seg29.json)
    roughness   where no roughness texture exists
    subsurface  weight; its radius is Blender's default (red light goes farthest, as in skin) at a scale of 5 mm
    sheen       weight, fibres that stand off the surface
    soft_edge   the mask is the opacity
    """

    name: str
    parts: tuple[str, ...]
    roughness: float
    subsurface: float = 0.0
    sheen: float = 0.0
    soft_edge: bool = False


_LIMBS = ("Foot", "Hand", "Lower_Arm", "Lower_Leg", "Upper_Arm", "Upper_Leg")
KINDS = (
    Kind("Skin", ("Face_Neck", "Torso", "Lower_Lip", "Upper_Lip", "Tongue", *(f"{s}_{p}" for s in ("Left", "Right") for p in _LIMBS)),
         roughness=0.5, subsurface=0.1),
    Kind("Hair", ("Hair",), roughness=0.6, sheen=0.1, soft_edge=True),
    Kind("Clothing", ("Apparel", "Lower_Clothing", "Upper_Clothing", "Left_Sock", "Right_Sock"), roughness=0.8, sheen=0.2),
    Kind("Shoes", ("Left_Shoe", "Right_Shoe"), roughness=0.6),
    Kind("Hard Surfaces", ("Eyeglass", "Lower_Teeth", "Upper_Teeth"), roughness=0.3),
)  # fmt: skip


@dataclass(frozen=True)
class Images:
    """The packed images of one avatar; None = the avatar has none."""

    base_colour: bpy.types.Image
    photo: bpy.types.Image
    mask: bpy.types.Image
    normal: bpy.types.Image | None
    roughness: bpy.types.Image | None


def write_images(avatar: Avatar, photo: bpy.types.Image | None = None) -> Images:
    """New packed images of the avatar. `photo`: the image of its photo where another avatar of it has written one already."""
    textures, name = avatar.textures, avatar.name
    photo = photo or write_image(f"{name} Photo", avatar.image, colour=True)
    return Images(
        base_colour=write_image(f"{name} Base Color", textures.base_colour_srgb, colour=True),
        photo=photo,
        mask=write_image(f"{name} Mask", textures.mask, colour=False),
        normal=None if textures.normal_tangent is None else write_image(f"{name} Normal", textures.normal_tangent, colour=False),
        roughness=None if textures.roughness is None else write_image(f"{name} Roughness", textures.roughness, colour=False),
    )


def write_materials(obj: bpy.types.Object, avatar: Avatar, images: Images) -> None:
    """A slot on `obj` for each kind of surface that its faces have, the largest first, and the slot of every face."""
    kind_of_label = _kind_of_label()
    face_kind = kind_of_label[avatar.mesh.labels[avatar.mesh.faces]]
    # The kind that two corners share, else that of the first corner.
    face_kind = np.where(face_kind[:, 1] == face_kind[:, 2], face_kind[:, 1], face_kind[:, 0])
    counts = np.bincount(face_kind, minlength=len(KINDS))
    used = [kind for kind in np.argsort(-counts, kind="stable").tolist() if counts[kind]]
    slot_of_kind = np.zeros(len(KINDS), np.int32)
    for slot, kind in enumerate(used):
        slot_of_kind[kind] = slot
        obj.data.materials.append(_write_material(f"{avatar.name} {KINDS[kind].name}", KINDS[kind], images))
    slots = obj.data.attributes.get("material_index") or obj.data.attributes.new("material_index", "INT", "FACE")
    slots.data.foreach_set("value", slot_of_kind[face_kind])


def _kind_of_label() -> np.ndarray:
    """(29,) index into KINDS of each body part; the background counts as clothing, the most neutral."""
    names = [kind.name for kind in KINDS]
    table = np.full(len(part_names()), names.index("Clothing"))
    for index, kind in enumerate(KINDS):
        for part in kind.parts:
            table[part_names().index(part)] = index
    return table


def _write_material(name: str, kind: Kind, images: Images) -> bpy.types.Material:
    """A new Principled material; the node's inputs are addressed by name, their order changes between versions."""
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0, 0):
        material.use_nodes = True  # always on, and deprecated, from 5.0
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    inputs = shader.inputs
    inputs["Metallic"].default_value = 0.0
    inputs["Roughness"].default_value = kind.roughness
    inputs["Subsurface Weight"].default_value = kind.subsurface
    inputs["Subsurface Scale"].default_value = 0.005
    inputs["Sheen Weight"].default_value = kind.sheen

    def texture(image: bpy.types.Image, row: int) -> bpy.types.NodeSocket:
        node = tree.nodes.new("ShaderNodeTexImage")
        node.image, node.label, node.location = image, image.name, (-640, 300 - 300 * row)
        node.extension = "EXTEND"
        return node.outputs["Color"]

    tree.links.new(texture(images.base_colour, 0), inputs["Base Color"])
    if images.roughness is not None:
        tree.links.new(texture(images.roughness, 1), inputs["Roughness"])
    if kind.soft_edge:
        tree.links.new(texture(images.mask, 2), inputs["Alpha"])
        material.surface_render_method = "DITHERED"
    if images.normal is not None:
        bump = tree.nodes.new("ShaderNodeNormalMap")
        bump.location, bump.uv_map = (-300, -600), "UVMap"
        tree.links.new(texture(images.normal, 3), bump.inputs["Color"])
        tree.links.new(bump.outputs["Normal"], inputs["Normal"])
    return material
