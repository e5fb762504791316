"""What Blender's own reader finds in a .blend file: the data-blocks by name, and how much hangs together in each of them."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..core.common.errors import SapiensError
from .typed import open_library


def read_contents(path: Path) -> dict[str, tuple]:
    """Data-blocks like "objects/Photo scan" -> counts and names that tell whether the data-block came through whole.

    Every data-block that can be linked is linked into the open file, looked at and taken out again, so that Blender follows all
    the pointers of the file; the open file stays as it is. Raises SapiensError for what Blender cannot read.
    """
    before = set(bpy.data.libraries.keys())
    try:
        with open_library(path, link=True) as (offered, wanted):
            kinds = dir(offered)
            for kind in kinds:
                setattr(wanted, kind, list(getattr(offered, kind)))
        out = {}
        for kind in kinds:
            for name, block in zip(getattr(offered, kind), getattr(wanted, kind), strict=True):
                # Names that Blender cannot link (workspaces) stay as they are; None is a block that it could not read.
                out[f"{kind}/{name}"] = ("unreadable",) if block is None else () if isinstance(block, str) else _summary(block)
    except OSError as error:  # no .blend file, or a part of one
        raise SapiensError(f"Blender cannot read {path.name}: {error}.", "Save it again.") from error
    finally:
        for name in set(bpy.data.libraries.keys()) - before:
            bpy.data.libraries.remove(bpy.data.libraries[name])
    return out


def _summary(block: bpy.types.ID) -> tuple:
    """Counts and names of what a reader reaches from a data-block, for the kinds that a build writes."""
    tree = getattr(block, "node_tree", None)
    nodes = () if tree is None else (tuple(tree.nodes.keys()), len(tree.links))
    if isinstance(block, bpy.types.Object):
        return (
            block.type,
            _name(block.data),
            _name(block.parent),
            tuple((modifier.type, _name(getattr(modifier, "object", None))) for modifier in block.modifiers),
            tuple(block.vertex_groups.keys()),
            tuple(slot.name for slot in block.material_slots),
            tuple(block.keys()),
        )
    if isinstance(block, bpy.types.Mesh):
        size = (len(block.vertices), len(block.edges), len(block.polygons), len(block.loops))
        layers = (tuple(block.attributes.keys()), tuple(block.uv_layers.keys()), tuple(map(_name, block.materials)))
        return (*size, *layers, tuple(block.shape_keys.key_blocks.keys()) if block.shape_keys else ())
    if isinstance(block, bpy.types.Armature):
        return tuple((bone.name, _name(bone.parent)) for bone in block.bones)
    if isinstance(block, bpy.types.Image):
        return (block.packed_file.size if block.packed_file else 0, tuple(block.size))
    if isinstance(block, bpy.types.Action):
        start, end = block.frame_range
        return (start, end)
    if isinstance(block, bpy.types.Collection):
        return (tuple(block.objects.keys()), tuple(block.children.keys()))
    if isinstance(block, bpy.types.Scene):
        return (tuple(block.collection.all_objects.keys()), _name(block.camera), _name(block.world), *nodes)
    return nodes


def _name(block: bpy.types.bpy_struct | None) -> str:
    return block.name if block is not None else ""
