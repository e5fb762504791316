"""Where clothes open, at the neck above all, a photo looks at their shadowed inside.

The surface that is painted has only an outside there, and would wear the shadow as a stain.
"""

from __future__ import annotations

import numpy as np

from ..common.colour import LUMINANCE

AROUND = 0.025
"""Metres: standard deviation of the blur that says how bright the cloth is round about."""
DARKER = 0.35
"""Share of that brightness (sRGB) below which a pixel is thought to be shadow."""
NEAR, REACH = 0.008, 0.06
"""Metres from the skin within which a shadow begins, and which it is across at most."""
TRIM = 0.4
"""Share of the cloth beside the skin from which on the dark is a border that is sewn on, or dark cloth."""
PATTERN = 0.01
"""Share of the cloth farther off that is as dark, from which on the dark is part of a pattern."""


def shadowed_inside(colour: np.ndarray, own: np.ndarray, skin: np.ndarray, scale: float) -> np.ndarray:
    """(H, W) bool: pixels of a piece of clothing that show its inside.

    colour  (H, W, 3) uint8 sRGB
    own     (H, W) bool: the piece
    skin    (H, W) bool: the bare parts of the person, which go in where cloth opens
    scale   pixels a metre
    """
    import cv2

    none = np.zeros(own.shape, bool)
    if not skin.any():
        return none
    beside = own & (cv2.distanceTransform((~skin).astype(np.uint8), cv2.DIST_L2, 5) <= max(NEAR * scale, 2.0))
    if not beside.any():
        return none
    light, mask = (colour.astype(np.float32) @ LUMINANCE.astype(np.float32)) * own, own.astype(np.float32)
    sigma = max(AROUND * scale, 1.0)
    usual = cv2.GaussianBlur(light, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(mask, (0, 0), sigma), 1e-3)
    dark = own & (light < DARKER * usual)
    far = own & (cv2.distanceTransform((~beside).astype(np.uint8), cv2.DIST_L2, 5) > REACH * scale)
    if _share(dark, beside) > TRIM or _share(dark, far) > PATTERN:
        return none
    _, piece, found, _ = cv2.connectedComponentsWithStats(dark.astype(np.uint8), connectivity=8)
    small = found[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1) <= max(REACH * scale, 3.0)
    opens = np.zeros(len(found), bool)
    opens[piece[dark & beside]] = True
    # The shadow's border is mixed with the cloth.
    inside = cv2.dilate((dark & (small & opens)[piece]).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return inside & own


def _share(dark: np.ndarray, of: np.ndarray) -> float:
    return np.count_nonzero(dark & of) / max(np.count_nonzero(of), 1)
