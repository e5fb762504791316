"""Vertex groups by the array: whole groups at once, with the exact weights, where adding vertices one by one takes seconds."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np

from ..core.common.arrays import PartData, RigData, SkinWeights
from ..core.common.landmarks import part_names
from .alone import alone, operators_see

SMALLEST = 0.0005
"""Skin weights below this move nothing that the eye sees; they are left out and the others scaled up."""


def write_part_groups(obj: bpy.types.Object, parts: PartData) -> None:
    """One soft vertex group per body part that occurs, named as in data/seg29.json."""
    present, starts = np.unique(parts.label, return_index=True)
    ends = [*starts[1:].tolist(), len(parts.label)]
    groups = (
        (part_names()[label], parts.vertex[start:end], parts.weight[start:end])
        for label, start, end in zip(present.tolist(), starts.tolist(), ends, strict=True)
    )
    write_groups(obj, groups)


def write_skin_weights(obj: bpy.types.Object, weights: SkinWeights, rig: RigData) -> None:
    """One vertex group per bone that moves a vertex. The weights of each vertex add up to 1."""
    kept = np.where(weights.weights < SMALLEST, 0, weights.weights)
    kept = kept / np.maximum(kept.sum(axis=1, keepdims=True), SMALLEST)
    entry = np.flatnonzero(kept)
    bone = weights.bones.ravel()[entry].astype(np.uint16)  # 16 bits sort by counting
    order = np.argsort(bone, kind="stable")
    bone, entry = bone[order], entry[order]
    used, starts = np.unique(bone, return_index=True)
    ends = [*starts[1:].tolist(), len(bone)]
    vertex, weight = entry // kept.shape[1], kept.ravel()[entry]
    groups = (
        (rig.names[index], vertex[start:end], weight[start:end])
        for index, start, end in zip(used.tolist(), starts.tolist(), ends, strict=True)
    )
    write_groups(obj, groups)


def write_shares(obj: bpy.types.Object, name: str, shares: np.ndarray) -> None:
    """One more vertex group: (V,) float32 weights of all vertices, those of 0 left out."""
    inside = np.flatnonzero(shares)
    write_group(obj, name, inside, shares[inside])


def write_group(obj: bpy.types.Object, name: str, vertices: np.ndarray, weights: np.ndarray) -> None:
    """One more vertex group: (n,) vertices and their (n,) float32 weights > 0."""
    if len(vertices):
        write_groups(obj, [(name, vertices, weights)])
    else:
        obj.vertex_groups.new(name=name)


def write_groups(obj: bpy.types.Object, groups: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """New groups of (name, vertices (n,), weights (n,) float32 > 0); no vertex twice in one.

    Blender fills a group in one go when it converts a float attribute into it. The scene that the operator sees is empty, since
    every operator that ends brings the whole of its scene up to date.
    """
    mesh = obj.data
    dense = np.zeros(len(mesh.vertices), np.float32)
    with alone() as layer, operators_see(obj, layer):
        for name, vertex, weight in groups:
            dense[vertex] = weight
            attribute = mesh.attributes.new(name, "FLOAT", "POINT")
            attribute.data.foreach_set("value", dense)
            mesh.attributes.active = attribute
            bpy.ops.geometry.attribute_convert(mode="VERTEX_GROUP")
            dense[vertex] = 0
