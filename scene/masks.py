"""Meshes without what their Mask modifiers hide, with their shape keys: exporters leave out either the one or the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bmesh
import bpy
import numpy as np


@contextmanager
def masks_applied(objects: Sequence[bpy.types.Object]) -> Iterator[None]:
    """For the moment these objects have copies of their meshes without the vertices that a Mask modifier hides by a vertex group;
    shape keys, weights and UVs stay. glTF and USD would write what is hidden, and FBX would leave the shape keys out."""
    before = []
    try:
        for obj in objects:
            masks = [
                m
                for m in obj.modifiers
                if isinstance(m, bpy.types.MaskModifier) and m.show_viewport and m.vertex_group in obj.vertex_groups
            ]
            mesh = obj.data
            if not isinstance(mesh, bpy.types.Mesh) or not masks or any(mask.mode != "VERTEX_GROUP" for mask in masks):
                continue
            before.append((obj, mesh, [(mask, mask.show_render) for mask in masks]))
            obj.data = _without(obj, mesh, masks)
            for mask in masks:
                mask.show_viewport = mask.show_render = False
        yield
    finally:
        for obj, mesh, masks in before:
            copy, obj.data = obj.data, mesh
            if isinstance(copy, bpy.types.Mesh) and copy != mesh:
                bpy.data.meshes.remove(copy)
            for mask, rendered in masks:
                mask.show_viewport, mask.show_render = True, rendered


def _without(obj: bpy.types.Object, whole: bpy.types.Mesh, masks: Sequence[bpy.types.MaskModifier]) -> bpy.types.Mesh:
    """A copy of the object's mesh without the vertices that the masks hide."""
    mesh = whole.copy()
    hidden = np.zeros(len(mesh.vertices), bool)
    made = bmesh.new()
    try:
        made.from_mesh(mesh)
        made.verts.ensure_lookup_table()
        weights = made.verts.layers.deform.verify()
        for mask in masks:
            group = obj.vertex_groups[mask.vertex_group].index
            inside = np.array([vertex[weights].get(group, 0.0) for vertex in made.verts]) > mask.threshold
            hidden |= inside if mask.invert_vertex_group else ~inside
        gone = [made.verts[n] for n in np.flatnonzero(hidden)]
        bmesh.ops.delete(made, geom=gone, context="VERTS")
        made.to_mesh(mesh)
    finally:
        made.free()
    return mesh
