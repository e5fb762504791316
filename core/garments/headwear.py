"""Hats, caps and scarves on the head: apparel whose pixels lie round the skull, above the eyes."""

from __future__ import annotations

import numpy as np

from .envelope import COLUMNS, Capsule
from .head_space import Head, View

NEAR = 0.3  # metres from the head's middle
ABOVE = 0.5  # share of a patch that lies higher than the brows
SMALLEST = 40  # pixels


def headwear_pixels(view: View, head: Head) -> np.ndarray:
    """(H, W) bool: patches of apparel that sit on the head."""
    import cv2

    apparel = view.of("Apparel")
    if apparel.sum() < SMALLEST:
        return np.zeros_like(apparel)
    count, patch = cv2.connectedComponents(apparel.astype(np.uint8))
    of_pixel = patch[apparel]
    points = view.to_head(view.points[apparel])
    middle = np.array([0.0, head.skull[:, 1].mean(), head.eye_level])
    high = (points[:, 2] > head.eye_level + 0.2 * head.height) & (np.linalg.norm(points - middle, axis=1) < NEAR)
    size = np.bincount(of_pixel, minlength=count)
    worn = (np.bincount(of_pixel, high, minlength=count) > ABOVE * size) & (size >= SMALLEST)
    return apparel & worn[patch]


def hat_region(head: Head, capsule: Capsule, own: np.ndarray) -> np.ndarray:
    """(rows, COLUMNS) bool: round the head, from the crown down to where the hat is seen to end."""
    near = own[np.linalg.norm(own[:, :2] - capsule.middle[:2], axis=1) < 0.13]
    brim = float(np.percentile(near[:, 2], 5)) if len(near) else head.eye_level + 0.5 * head.height
    return np.repeat(capsule.heights[:, None] > brim, COLUMNS, axis=1)
