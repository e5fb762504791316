"""Integer images as PNG files. An own writer for the reasons of `core.formats.exr`: Blender's Python,
and the same bytes everywhere."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}


def png_bytes(pixels: np.ndarray) -> bytes:
    """(H, W), (H, W, 3) or (H, W, 4) uint8 or uint16, top row first -> a PNG file. Same pixels, same bytes.

    Filter 1 (difference to the left neighbour) for every row, after the PNG specification, section 9.
    """
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    depth = pixels.dtype.itemsize
    samples = np.ascontiguousarray(pixels.astype(f">u{depth}")).view(np.uint8).reshape(height, width, channels * depth)
    rows = np.empty((height, 1 + width * channels * depth), np.uint8)
    rows[:, 0] = 1
    body = rows[:, 1:].reshape(height, width, channels * depth)
    body[:, 0] = samples[:, 0]
    np.subtract(samples[:, 1:], samples[:, :-1], out=body[:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8 * depth, _COLOUR_TYPE[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
