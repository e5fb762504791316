"""What the numbers of a picture mean: primaries and transfer (ITU-T H.273, PNG gAMA and cHRM), and the way to sRGB.

High dynamic range is read by BT.2100 and BT.2408: diffuse white, 203 cd/m2, is the white of sRGB, and what is brighter rolls off.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..common.colour import srgb_bytes_from_linear

# H.273 code points of transfers. What television and browsers write as 1, 6, 7, 11, 14 and 15 is shown like sRGB by all of them.
UNSPECIFIED = 2
SRGB, GAMMA_22, GAMMA_28, LINEAR, PQ, DCI, HLG = 13, 4, 5, 8, 16, 17, 18
SHOWN_AS_SRGB = frozenset({0, 1, 2, 3, 6, 7, 11, 12, 13, 14, 15})
HDR = frozenset({PQ, HLG})

D65 = (0.3127, 0.3290)
REC709 = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65)
ADOBE_RGB = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060), D65)
ADOBE_GAMMA = 563 / 256
PRIMARIES: dict[int, tuple[tuple[float, float], ...]] = {
    1: REC709,
    4: ((0.670, 0.330), (0.210, 0.710), (0.140, 0.080), (0.310, 0.316)),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
}
"""H.273 code point -> x, y of red, green, blue and white; others count as those of sRGB."""
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

DIFFUSE_WHITE = 203.0
"""cd/m2 of a white sheet of paper in HDR (BT.2408)."""
HLG_PEAK, HLG_GAMMA = 1000.0, 1.2
KNEE = 0.75
"""Linear value up to which HDR is shown as it is; all that is brighter fits between it and 1."""
SRGB_PNG_GAMMA = 0.45455


@dataclass(frozen=True)
class ColourCoding:
    """How a picture is coded.

    primaries  x, y of red, green, blue and white
    transfer   an H.273 code point
    exponent   linear light is the number to this power; None = by `transfer`
    """

    primaries: tuple[tuple[float, float], ...] = REC709
    transfer: int = SRGB
    exponent: float | None = None

    @property
    def is_srgb(self) -> bool:
        """There is nothing to convert."""
        return self.exponent is None and self.transfer in SHOWN_AS_SRGB and self.primaries == REC709


def coding_of(primaries: int, transfer: int) -> ColourCoding:
    """The coding that two H.273 code points stand for."""
    return ColourCoding(PRIMARIES.get(primaries, REC709), transfer)


def coding_of_png_gamma(gamma: float | None, chromaticity: tuple[tuple[float, float], ...] | None) -> ColourCoding:
    """The coding that gAMA (as in the file: 0.45455 is sRGB's) and cHRM (red, green, blue, white) stand for; None = absent."""
    exponent = None if gamma is None or abs(gamma - SRGB_PNG_GAMMA) < 0.005 or not 0.05 < gamma < 20 else 1 / gamma
    primaries = REC709
    if chromaticity is not None and np.abs(np.subtract(chromaticity, REC709)).max() > 0.002 and _makes_sense(chromaticity):
        primaries = chromaticity
    return ColourCoding(primaries, SRGB, exponent)


def srgb_from_coded(values: np.ndarray, coding: ColourCoding) -> np.ndarray:
    """(..., 3) uint8 or uint16 in this coding, full range -> (..., 3) uint8 sRGB."""
    if coding.is_srgb:
        return values if values.dtype == np.uint8 else ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    linear = _linear_table(coding.transfer, coding.exponent, values.dtype.itemsize)[values]
    if coding.primaries != REC709:
        linear = linear @ _to_rec709(coding.primaries).T
    if coding.exponent is None and coding.transfer in HDR:
        linear = _rolled_off(linear)
    return srgb_bytes_from_linear(linear)


def _rolled_off(linear: np.ndarray) -> np.ndarray:
    """Linear light whose largest component is bent from the knee on, so that hues stay: (..., 3) float32."""
    largest = linear.max(axis=-1, keepdims=True)
    above = np.maximum(largest - KNEE, 0)
    bent = KNEE + above * (1 - KNEE) / (above + (1 - KNEE))
    return np.where(largest > KNEE, linear * (bent / np.maximum(largest, KNEE)), linear)


@lru_cache(maxsize=8)
def _linear_table(transfer: int, exponent: float | None, itemsize: int) -> np.ndarray:
    """(256 or 65536,) float32 linear light of each number; 1 is the white of sRGB, HDR goes beyond."""
    value = np.linspace(0.0, 1.0, 256**itemsize)
    exponents = {GAMMA_22: 2.2, GAMMA_28: 2.8, LINEAR: 1.0, DCI: 2.6}
    if exponent is None:
        exponent = exponents.get(transfer)
    if exponent is not None:
        linear = value**exponent
    elif transfer == PQ:
        root = value ** (32 / 2523)
        light = np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)
        linear = light ** (8192 / 1305) * (10000 / DIFFUSE_WHITE)
    elif transfer == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)
        # The gamma of the display goes to each component by itself, as ffmpeg's zscale does it.
        linear = scene**HLG_GAMMA * (HLG_PEAK / DIFFUSE_WHITE)
    else:
        linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


@lru_cache(maxsize=16)
def _to_rec709(primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    """(3, 3) float32 from linear values of these primaries to those of sRGB, white to white (Bradford)."""
    white, target = BRADFORD @ _xyz(primaries[3]), BRADFORD @ _xyz(D65)
    adapted = np.linalg.inv(BRADFORD) @ np.diag(target / white) @ BRADFORD
    return (np.linalg.inv(_xyz_from_rgb(REC709)) @ adapted @ _xyz_from_rgb(primaries)).astype(np.float32)


def _xyz(point: tuple[float, float]) -> np.ndarray:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _xyz_from_rgb(primaries: tuple[tuple[float, float], ...]) -> np.ndarray:
    columns = np.stack([_xyz(point) for point in primaries[:3]], axis=1)
    return columns * np.linalg.solve(columns, _xyz(primaries[3]))


def _makes_sense(chromaticity: tuple[tuple[float, float], ...]) -> bool:
    """The four points can be primaries and their white: no division by zero, and white inside their triangle."""
    if any(not (0 <= x <= 1 and 0.001 < y <= 1) for x, y in chromaticity):
        return False
    columns = np.stack([_xyz(point) for point in chromaticity[:3]], axis=1)
    if np.linalg.cond(columns) > 1e4:
        return False
    return bool((np.linalg.solve(columns, _xyz(chromaticity[3])) > 0).all())
