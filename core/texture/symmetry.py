"""Which vertex of a mesh is on the other side of it."""

from __future__ import annotations

import numpy as np

ENOUGH = 0.8
"""Share of the vertices that must have a twin for a mesh to count as symmetric."""


def twins(points: np.ndarray, nearest: float) -> np.ndarray | None:
    """(V,) int32: the vertex nearest to the mirror image of each, left for right; None where many have none.

    points   (V, 3), the mesh lies across the plane x = 0
    nearest  distance within which a vertex counts as the twin
    """
    from scipy.spatial import cKDTree

    distance, twin = cKDTree(points).query(points * [-1, 1, 1])
    return twin.astype(np.int32) if np.mean(distance < nearest) > ENOUGH else None
