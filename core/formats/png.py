"""Integer images as PNG files. An own writer for the reasons of `core.formats.exr`: Blender's Python,
and the same bytes everywhere."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}


def png_bytes(pixels: np.ndarray) -> bytes:
    """(H, W), (H, W, 3) or (H, W, 4) uint8 or uint16, top row first -> a PNG file. Same pixels, same bytes.

    Filter 2 (difference to the pixel above) for every row, after the PNG specification, section 9, and run lengths alone: of
    textures both are a fifth faster and smaller than the difference to the left and matches of whole strings.
    """
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    depth = pixels.dtype.itemsize
    samples = np.ascontiguousarray(pixels.astype(f">u{depth}")).view(np.uint8).reshape(height, width * channels * depth)
    rows = np.empty((height, 1 + width * channels * depth), np.uint8)
    rows[:, 0] = 2
    rows[0, 1:] = samples[0]
    np.subtract(samples[1:], samples[:-1], out=rows[1:, 1:])
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    data = packer.compress(rows.data) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8 * depth, _COLOUR_TYPE[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
