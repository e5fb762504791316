"""sRGB and linear light (IEC 61966-2-1). Light adds up in linear values only: convert, compute, convert back."""

from __future__ import annotations

from functools import cache

import numpy as np

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of linear red, green and blue."""
SKIN_TONE = (204, 158, 132)
"""(3,) sRGB of skin whose colour is not known."""
TABLE = 1 << 16
"""Linear values that are told apart: the darkest steps of sRGB are twenty of them wide."""


def linear_from_srgb(image: np.ndarray) -> np.ndarray:
    """(...) uint8 sRGB -> (...) float32 in 0..1, linear."""
    return _linear_of_byte()[image]


def srgb_from_linear(linear: np.ndarray) -> np.ndarray:
    """(...) float linear -> (...) float32 sRGB in 0..255, not rounded; clipped to what sRGB can show, NaN becomes 0."""
    value = np.clip(np.nan_to_num(np.asarray(linear, np.float32)), 0, 1)
    return 255 * np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** np.float32(1 / 2.4) - 0.055)


def srgb_bytes_from_linear(linear: np.ndarray) -> np.ndarray:
    """(...) float linear -> (...) uint8 sRGB, rounded; NaN becomes 0.

    By a table, within a twentieth of a step of `srgb_from_linear`.
    """
    index = np.fmin(np.fmax(linear, np.float32(0)), np.float32(1))
    index *= np.float32(TABLE - 1)
    index += np.float32(0.5)
    return _byte_of_linear()[index.astype(np.uint16)]


def byte_image(values: np.ndarray) -> np.ndarray:
    """(...) float in 0..255 -> (...) uint8, rounded and clipped."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@cache
def _byte_of_linear() -> np.ndarray:
    return byte_image(srgb_from_linear(np.arange(TABLE) / (TABLE - 1)))


@cache
def _linear_of_byte() -> np.ndarray:
    value = np.arange(256) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
