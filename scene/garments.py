"""Clothes and hair into objects of their own, which follow the rig of the body that wears them."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np

from ..core.common.arrays import RigData
from ..core.common.avatars import GarmentData
from ..core.common.looks import CLOTH, GARMENT_ROUGHNESS, Look
from ..core.common.spaces import transform_points
from .armature import bind
from .correctives import write_correctives
from .groups import write_shares, write_skin_weights
from .hand_edits import stamp
from .look import write_look
from .marks import GARMENT
from .masks import BUST, show_bust
from .material import SLOTS
from .mesh import UV_PHOTO, write_polygons

TITLES: Mapping[str, str] = {
    "hair": "Hair",
    "upper": "Upper Clothing",
    "lower": "Lower Clothing",
    "dress": "Dress",
    "shoes": "Shoes",
    "socks": "Socks",
    "headwear": "Headwear",
    "eyewear": "Glasses",
    "other": "Accessories",
}
"""Kind of garment -> what an artist calls it."""


def write_garment(
    garment: GarmentData,
    rig: RigData | None,
    name: str,
    world_from_camera: np.ndarray,
    collection: bpy.types.Collection,
    armature: bpy.types.Object | None = None,
    encoded: Mapping[str, np.ndarray] | None = None,
) -> bpy.types.Object:
    """A new object in `collection`, named after the person and the kind: the garment at rest, in world space.

    armature  the object of the rig, which it follows; None = it stands still
    encoded   its image files that were made already, by the names in `SurfaceTextures`
    """
    title = TITLES[garment.kind]
    mesh = bpy.data.meshes.new(f"{name} {title}")
    points = transform_points(world_from_camera, np.ascontiguousarray(garment.vertices, np.float32))
    write_polygons(mesh, points, garment.quads, {UV_PHOTO: garment.uvs})
    obj = bpy.data.objects.new(f"{name} {title}", mesh)
    obj[GARMENT] = garment.kind
    collection.objects.link(obj)
    red, green, blue = garment.tone.tolist()
    look = Look((red, green, blue), GARMENT_ROUGHNESS.get(garment.kind, CLOTH))
    mesh.materials.append(write_look(f"{name} {title}", garment.kind, look, garment.textures, encoded or {}))
    mesh[SLOTS] = garment.kind
    if rig is not None:
        write_skin_weights(obj, garment.weights, rig)
    if garment.bust is not None:
        write_shares(obj, BUST, garment.bust)
    if rig is not None:
        write_correctives(obj, garment.vertices, garment.weights, rig, world_from_camera)
    if armature is not None:
        bind(obj, armature)
    if garment.bust is not None:
        show_bust(obj)
    stamp(mesh)
    return obj
