"""Reading what was written into Blender, as arrays and by role."""

from __future__ import annotations

import bpy
import numpy as np


def roles(collection: bpy.types.Collection) -> dict[str, bpy.types.Object]:
    """Role -> object, for collections with one object of each."""
    return {obj["sapiens2_role"]: obj for obj in collection.objects}


def read(owner: bpy.types.bpy_prop_collection, attribute: str, size: int, dtype: type = np.float32) -> np.ndarray:
    """(n, size) values of an attribute of all n members; (n,) for size 1."""
    values = np.empty(len(owner) * size, dtype)
    owner.foreach_get(attribute, values)
    return values.reshape(-1, size) if size > 1 else values
