"""How rough a person's surface is: the material of each part, and the highlights that the photo shows."""

from __future__ import annotations

import numpy as np

from ..common.colour import byte_image
from ..surface.materials import roughness_of_label
from .inpaint import nearest_index

CLEAR_HIGHLIGHT = 0.15
"""White light beyond the surroundings, as a share of a white surface, that counts as a full highlight."""
STRONGEST_HINT = 0.4
"""Share of the roughness that a full highlight takes away."""


def roughness_map(labels: np.ndarray, highlight: np.ndarray) -> np.ndarray:
    """(H, W) uint8, 255 = fully rough: the roughness of each part's material, less where a highlight was seen.

    labels (H, W) uint8, continued around the person so that borders do not shine; highlight (H, W) float32 as from
    `core.texture.delight`. It is a hint: one photo shows gloss only where it happens to mirror a light.
    """
    import cv2

    part = labels.ravel()[nearest_index(labels > 0)] if (labels > 0).any() else labels
    base = cv2.GaussianBlur(roughness_of_label()[part], (0, 0), 1.0)
    seen = np.clip(cv2.GaussianBlur(highlight, (0, 0), 2.0) / CLEAR_HIGHLIGHT, 0, 1)
    return byte_image(255 * base * (1 - STRONGEST_HINT * seen * seen * (3 - 2 * seen)))
