"""What Mask modifiers of ours hide, and meshes without it."""

from __future__ import annotations

from collections.abc import Sequence

import bmesh
import bpy
import numpy as np

from .carry import group_weights, key_points

COVERED, BUST = "covered", "bust"
"""Vertex groups, and the modifiers that go by them: skin that clothes cover, and what a bust shows."""


def hide_covered(obj: bpy.types.Object) -> None:
    """Hide what is in the group COVERED."""
    mask = obj.modifiers.new(COVERED, "MASK")
    mask.vertex_group, mask.invert_vertex_group = COVERED, True


def show_bust(obj: bpy.types.Object) -> None:
    """Show what the group BUST holds with more than a half, cut straight between vertices."""
    mask = obj.modifiers.new(BUST, "MASK")
    mask.vertex_group, mask.threshold, mask.use_smooth = BUST, 0.5, True


def bring_masks(kept: bpy.types.Object, obj: bpy.types.Object, before: set[str]) -> None:
    """Give `kept` the masks of `obj`, whose mesh it has now, but for those that the artist has removed; and take ours that have
    nothing to hide any more. before: the groups that `kept` had."""
    for modifier in [m for m in kept.modifiers if m.type == "MASK" and m.name in (COVERED, BUST)]:
        if modifier.vertex_group not in kept.vertex_groups:
            kept.modifiers.remove(modifier)
    for modifier in obj.modifiers:
        if modifier.type == "MASK" and modifier.vertex_group not in before:
            (show_bust if modifier.name == BUST else hide_covered)(kept)


def plain_masks(obj: bpy.types.Object) -> list[bpy.types.MaskModifier]:
    """The Mask modifiers of an object that hide vertices by a vertex group now."""
    masks = [m for m in obj.modifiers if isinstance(m, bpy.types.MaskModifier) and m.show_viewport]
    return [m for m in masks if m.mode == "VERTEX_GROUP" and m.vertex_group in obj.vertex_groups]


def without_masked(mesh: bpy.types.Mesh, masks: Sequence[bpy.types.MaskModifier]) -> None:
    """Take the vertices that the masks hide out of a mesh; shape keys, weights and UVs stay."""
    hidden = np.zeros(len(mesh.vertices), bool)
    for mask, shares in zip(masks, group_weights(mesh, [mask.vertex_group for mask in masks]), strict=True):
        inside = shares > mask.threshold
        out = inside if mask.invert_vertex_group else ~inside
        if mask.use_smooth and not mask.invert_vertex_group:
            out[_slide_to_the_cut(mesh, shares, mask.threshold)] = False
        hidden |= out
    made = bmesh.new()
    try:
        made.from_mesh(mesh)
        made.verts.ensure_lookup_table()
        gone = [made.verts[n] for n in np.flatnonzero(hidden)]
        bmesh.ops.delete(made, geom=gone, context="VERTS")
        made.to_mesh(mesh)
    finally:
        made.free()


def _slide_to_the_cut(mesh: bpy.types.Mesh, shares: np.ndarray, threshold: float) -> np.ndarray:
    """Move the vertices next to what is kept along an edge to where the modifier would cut it, with their shape keys.

    shares  (V,) of which what is above the threshold is kept

    Returns their numbers. The border is as straight as the modifier's, without new vertices.
    """
    ends = np.empty(2 * len(mesh.edges), np.int32)
    mesh.edges.foreach_get("vertices", ends)
    pairs = np.concatenate([ends.reshape(-1, 2), ends.reshape(-1, 2)[:, ::-1]])
    outer, inner = pairs[(shares[pairs[:, 0]] <= threshold) & (shares[pairs[:, 1]] > threshold)].T
    nearest = np.lexsort((-shares[inner], outer))  # the edge whose other end is kept most surely comes first
    outer, first = np.unique(outer[nearest], return_index=True)
    inner = inner[nearest][first]
    part = ((threshold - shares[outer]) / (shares[inner] - shares[outer]))[:, None]
    layers = [mesh.vertices] if mesh.shape_keys is None else [key.data for key in mesh.shape_keys.key_blocks]
    for layer in layers:
        points = np.empty(3 * len(mesh.vertices), np.float32)
        layer.foreach_get("co", points)
        places = points.reshape(-1, 3)
        places[outer] += part * (places[inner] - places[outer])
        layer.foreach_set("co", points)
    if mesh.shape_keys is not None:
        mesh.vertices.foreach_set("co", np.ascontiguousarray(key_points(mesh.shape_keys.reference_key)).ravel())
    return outer
