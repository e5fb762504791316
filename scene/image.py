"""Arrays into packed Blender images: encoded as PNG or EXR, which is several times faster than through Image.pixels."""

from __future__ import annotations

import bpy
import numpy as np

from ..core.formats.exr import exr_bytes
from ..core.formats.png import png_bytes

MAP = "sapiens2_map"
"""Custom property of an image of an avatar: which of its maps it is (`core.common.arrays.Textures`), "image" = the photo."""


def write_image(name: str, pixels: np.ndarray, *, colour: bool, encoded: np.ndarray | None = None) -> bpy.types.Image:
    """A new image packed into the .blend: PNG of uint8 or uint16, EXR of float32 pixels, top row first.

    `colour` True: sRGB values, False: data (normals, roughness, masks, metres). `encoded`: the file (N,) uint8, if
    it was made already.
    """
    exact = pixels.dtype.kind == "f"
    data = encoded.tobytes() if encoded is not None else exr_bytes(pixels) if exact else png_bytes(pixels)
    image = bpy.data.images.new(name, 1, 1, float_buffer=exact)
    image.source = "FILE"
    # By the name that Blender gave it: two photos may have the same, and unpacked images must not replace each other.
    image.filepath_raw = f"//textures/{bpy.path.clean_name(image.name)}.{'exr' if exact else 'png'}"
    image.pack(data=data, data_len=len(data))
    image.colorspace_settings.name = "sRGB" if colour else "Non-Color"
    image.alpha_mode = "CHANNEL_PACKED"
    return image
