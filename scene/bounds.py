"""The box around objects in the world."""

from __future__ import annotations

from collections.abc import Iterable

import bpy
import numpy as np
from mathutils import Vector


def bounds_of(objects: Iterable[bpy.types.Object]) -> tuple[np.ndarray, np.ndarray]:
    """(3,) lowest and (3,) highest values, metres, of the bounding boxes of objects, at least one, in the world."""
    corners = np.array([obj.matrix_world @ Vector(corner) for obj in objects for corner in obj.bound_box])
    return corners.min(axis=0), corners.max(axis=0)
