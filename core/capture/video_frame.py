"""A decoded frame of a video as a player shows it: sRGB, square pixels, upright, by what the file says about itself."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import numpy as np

from .colour_coding import HDR, UNSPECIFIED, ColourCoding, coding_of, srgb_from_coded
from .exif_orientation import upright

if TYPE_CHECKING:
    from av import VideoFrame

TELEVISION = frozenset({0, 1, 2, 3, 5, 6, 7})
"""H.273 primaries that nobody converts."""


def srgb_image(frame: VideoFrame, stretched: float) -> np.ndarray:
    """The image of a decoded frame in sRGB, its pixels square, turned as the display matrix says.

    stretched  width of a pixel by its height; the side that has too few pixels grows
    """
    width, height = square(frame.width, frame.height, stretched)
    coding = _coding(frame)
    image = frame.to_ndarray(
        format="rgb24" if coding.is_srgb else "rgb48le",
        width=width,
        height=height,
        src_colorspace=_matrix(frame),
    )
    image = srgb_from_coded(image, coding)
    return np.ascontiguousarray(upright(image, *_held(frame)))


def _held(frame: VideoFrame) -> tuple[int, bool]:
    """How the display matrix turns a frame: counter-clockwise quarters, and whether it is mirrored left to right before."""
    from av.sidedata.sidedata import Type

    matrix = frame.side_data.get(Type.DISPLAYMATRIX)
    if matrix is None:
        return 0, False
    a, b, _, c, d = struct.unpack_from("=5i", bytes(matrix))  # where its axes point on the screen: x to (a, b), y to (c, d)
    mirrored = a * d - b * c < 0
    x, y = (-a, -b) if mirrored else (a, b)
    return round(math.atan2(-y, x) / (math.pi / 2)) % 4, mirrored


def _coding(frame: VideoFrame) -> ColourCoding:
    """What the numbers of a frame mean. Television of old is taken for sRGB by every player, and so it is here."""
    primaries, transfer = int(frame.color_primaries), int(frame.color_trc)
    coding = coding_of(primaries, transfer)
    return ColourCoding() if primaries in TELEVISION and transfer not in HDR else coding


def _matrix(frame: VideoFrame) -> int:
    """The matrix between Y'CbCr and R'G'B' (H.273); where the file is silent, by the size of the picture as players do it."""
    said = int(frame.colorspace)
    if said != UNSPECIFIED:
        return said
    if int(frame.color_primaries) == 9:
        return 9
    return 1 if frame.width >= 1280 or frame.height > 576 else said


def square(width: int, height: int, stretched: float) -> tuple[int, int]:
    """Size of a picture whose pixels are made square; what makes no sense changes nothing."""
    if not 0.1 < stretched < 10:
        return width, height
    return (round(width * stretched), height) if stretched > 1 else (width, round(height / stretched))
