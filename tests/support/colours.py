"""sRGB colours in other codings, after the published formulas: what a camera or a phone would have written."""

from __future__ import annotations

import numpy as np

# Linear BT.709 to linear BT.2020 (BT.2087), Display P3 and Adobe RGB, as they are printed.
FROM_REC709 = {
    1: np.eye(3),
    9: np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]),
    12: np.array([[0.82246, 0.17754, 0.0], [0.03319, 0.96681, 0.0], [0.01708, 0.07240, 0.91052]]),
}
"""H.273 code point of the primaries -> matrix."""
TO_ADOBE_RGB = np.array([[0.71513, 0.28487, 0.0], [0.0, 1.0, 0.0], [0.0, 0.04117, 0.95883]])


def linear(colour) -> np.ndarray:
    """sRGB of 0..255 as linear light of 0..1."""
    value = np.asarray(colour) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def encoded_srgb(light) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def encoded_pq(light) -> np.ndarray:
    """Linear light, 1 = 203 cd/m2, as a signal of BT.2100."""
    power = (np.asarray(light) * 203 / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def encoded_hlg(light) -> np.ndarray:
    """As `encoded_pq`, for a display of 1000 cd/m2."""
    scene = (np.asarray(light) * 203 / 1000) ** (1 / 1.2)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def signal(colour, primaries: int, transfer: int) -> np.ndarray:
    """sRGB of 0..255 as a signal of 0..1 with these H.273 code points; transfers other than PQ, HLG and linear as sRGB's."""
    light = FROM_REC709[primaries] @ linear(colour)
    return {8: np.asarray, 16: encoded_pq, 18: encoded_hlg}.get(transfer, encoded_srgb)(light)
