"""Materials of an avatar that is built again: the artist's own stay, and ours stay with the artist's changes and new images."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from .material import KIND, MAP, MAPS, SLOTS
from .mesh import UV_ATLAS, UV_PHOTO
from .restore import Changes


def keep_materials(
    old: bpy.types.Mesh, new: bpy.types.Mesh, is_shared: Callable[[bpy.types.Material], bool], changes: Changes
) -> None:
    """Put the materials of `old` into the slots of `new`, kind of surface by kind of surface.

    is_shared  whether something that is not built again shows a material of ours: it stays as it is then, and a copy of it
               takes the new images
    A material of ours is replaced only where the build has other maps than before.
    """
    kinds = old.get(SLOTS, "").split("\n")
    slot_of = {material[KIND]: slot for slot, material in enumerate(new.materials) if material is not None and KIND in material}
    for index, material in enumerate(old.materials):
        if material is None:
            continue
        ours = KIND in material
        slot = slot_of.get(material[KIND] if ours else kinds[index] if index < len(kinds) else "")
        if slot is not None:
            made = new.materials[slot]
            assert made is not None  # as `slot_of` says
            new.materials[slot] = _merged(material, made, is_shared, changes) if ours else material
        elif not ours:
            new.materials.append(material)


def take_places(
    meshes: list[bpy.types.Mesh], old: set[bpy.types.Material], made: dict[str, bpy.types.Material], changes: Changes
) -> list[bpy.types.Material]:
    """New materials, by kind, into the slots of `meshes` that have ours, `old`; like `keep_materials`. Returns what they get."""

    def is_shared(material: bpy.types.Material) -> bool:
        return material.users - material.use_fake_user > sum(list(mesh.materials).count(material) for mesh in meshes)

    taken = {material: _merged(material, made[material[KIND]], is_shared, changes) for material in old}
    for mesh in meshes:
        for slot, material in enumerate(mesh.materials):
            if material in taken and taken[material] != material:
                changes.set_slot(mesh, slot, taken[material])
    return list(taken.values())


def _merged(
    old: bpy.types.Material,
    made: bpy.types.Material,
    is_shared: Callable[[bpy.types.Material], bool],
    changes: Changes,
) -> bpy.types.Material:
    """The artist's material with the new images, a copy of it where something else shows it, or the new one for other maps."""
    if MAPS not in old or old[MAPS] != made[MAPS]:
        return made
    kept = old.copy() if is_shared(old) else old
    _take_maps(kept, made, changes)
    return kept


def _take_maps(kept: bpy.types.Material, made: bpy.types.Material, changes: Changes) -> None:
    """The images and uv maps of `made` in the nodes of `kept` that show the ones before."""
    assert kept.node_tree is not None and made.node_tree is not None
    images = {node.image[MAP]: node.image for node in made.node_tree.nodes if _map(node)}
    uv_map = next((node.uv_map for node in made.node_tree.nodes if node.type == "UVMAP"), UV_PHOTO)
    for node in kept.node_tree.nodes:
        if _map(node) in images:
            changes.set(node, "image", images[_map(node)])
        elif node.type in ("UVMAP", "NORMAL_MAP") and node.uv_map in (UV_PHOTO, UV_ATLAS):
            changes.set(node, "uv_map", uv_map)


def _map(node: bpy.types.Node) -> str:
    """Which of our maps a node shows, empty for any other node."""
    return node.image.get(MAP, "") if node.type == "TEX_IMAGE" and node.image is not None else ""


def images_of(materials: set[bpy.types.Material]) -> set[bpy.types.Image]:
    """The images of ours that materials show."""
    nodes = [node for material in materials if material.node_tree for node in material.node_tree.nodes]
    return {node.image for node in nodes if _map(node)}
