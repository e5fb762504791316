"""Arrays into packed Blender images: encoded as PNG or EXR here, which is several times faster than through Image.pixels."""

from __future__ import annotations

import struct
import zlib

import bpy
import numpy as np

from ..core.exr import exr_bytes

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
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def write_image(name: str, pixels: np.ndarray, *, colour: bool) -> bpy.types.Image:
    """A new image packed into the .blend: PNG of uint8 or uint16, EXR of float32 pixels, top row first.

    `colour` True: sRGB values, False: data (normals, roughness, masks, metres).
    """
    exact = pixels.dtype.kind == "f"
    data = exr_bytes(pixels) if exact else png_bytes(pixels)
    image = bpy.data.images.new(name, 1, 1, float_buffer=exact)
    image.source = "FILE"
    image.filepath_raw = f"//textures/{bpy.path.clean_name(name)}.{'exr' if exact else 'png'}"
    image.pack(data=data, data_len=len(data))
    image.colorspace_settings.name = "sRGB" if colour else "Non-Color"
    image.alpha_mode = "CHANNEL_PACKED"
    return image
