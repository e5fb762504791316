"""The colours of a decoded photo as sRGB, as browsers show it: by profile, cICP, nclx, gAMA and cHRM, or EXIF."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

import numpy as np

from .colour_coding import (
    ADOBE_GAMMA,
    ADOBE_RGB,
    UNSPECIFIED,
    ColourCoding,
    coding_of,
    coding_of_png_gamma,
    srgb_from_coded,
)
from .photo_tags import heif_properties, png_chunks

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

# EXIF: the Exif and interoperability directories, their colour space, and what a camera writes for Adobe RGB (DCF 2.0).
EXIF_DIRECTORY, INTEROPERABILITY, COLOUR_SPACE, INDEX = 0x8769, 0xA005, 0xA001, 1
UNCALIBRATED, ADOBE_INDEX = 0xFFFF, "R03"
SRGB = ColourCoding()


def colours_of(image: Image, exif: Exif, data: bytes) -> tuple[ColourCoding, bytes | None]:
    """What the numbers of an open photo mean: a coding, or an ICC profile that goes before it; sRGB where the file says nothing.

    Of PNG cICP goes before the profile, and the profile before gAMA and cHRM (PNG, third edition, 4.3).
    """
    profile = image.info.get("icc_profile") or None
    if image.format == "PNG":
        return _of_png(profile, data)
    if profile:
        return SRGB, profile
    if data[4:8] == b"ftyp":
        nclx = next((c for kind, c in heif_properties(io.BytesIO(data)) if kind == b"colr" and c[:4] == b"nclx"), None)
        return SRGB if nclx is None or len(nclx) < 8 else coding_of(*struct.unpack_from(">HH", nclx, 4)), None
    return ColourCoding(ADOBE_RGB, exponent=ADOBE_GAMMA) if _says_adobe(exif) else SRGB, None


def _of_png(profile: bytes | None, data: bytes) -> tuple[ColourCoding, bytes | None]:
    chunks = {kind: content for kind, content in png_chunks(io.BytesIO(data)) if kind in (b"cICP", b"gAMA", b"cHRM", b"sRGB")}
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) == 4 and cicp[2] == 0 and UNSPECIFIED not in (cicp[0], cicp[1]):
        return coding_of(cicp[0], cicp[1]), None
    if profile or b"sRGB" in chunks:
        return SRGB, profile
    gamma, points = chunks.get(b"gAMA", b""), chunks.get(b"cHRM", b"")
    values = [value / 1e5 for value in struct.unpack(">8I", points)] if len(points) == 32 else None
    coding = coding_of_png_gamma(
        struct.unpack(">I", gamma)[0] / 1e5 if len(gamma) == 4 else None,
        # The file has white first.
        tuple((values[place], values[place + 1]) for place in (2, 4, 6, 0)) if values else None,
    )
    return coding, None


def _says_adobe(exif: Exif) -> bool:
    """A camera that was set to Adobe RGB and wrote no profile."""
    try:
        space, index = exif.get_ifd(EXIF_DIRECTORY).get(COLOUR_SPACE), exif.get_ifd(INTEROPERABILITY).get(INDEX)
    except (KeyError, TypeError, ValueError, SyntaxError, AttributeError, struct.error):
        return False
    return space == UNCALIBRATED and str(index).strip("\0 ") == ADOBE_INDEX


def deep_pixels(image: Image, data: bytes) -> np.ndarray | None:
    """(H, W, 3 or 4) uint16 pixels, as stored, of a colour PNG of 16 bits, of which Pillow reads 8; None for any other file.

    Where the numbers are linear light, 8 bits leave a dozen dark tones.
    """
    if image.format != "PNG" or image.mode not in ("RGB", "RGBA") or data[24:25] != b"\x10" or "transparency" in image.info:
        return None
    import cv2

    deep = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if deep is None or deep.dtype != np.uint16 or deep.shape != (image.height, image.width, len(image.mode)):
        return None
    return deep[..., [2, 1, 0, 3][: deep.shape[2]]]


def converted(pixels: np.ndarray, coding: ColourCoding) -> np.ndarray:
    """(H, W, 3 or 4) uint8 or uint16 -> the same in 8 bits, its colours in sRGB, its opacity as it is."""
    colours = srgb_from_coded(pixels[..., :3], coding)
    if pixels.shape[2] == 3:
        return np.ascontiguousarray(colours)
    opacity = pixels[..., 3:] if pixels.dtype == np.uint8 else ((pixels[..., 3:].astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.concatenate([colours, opacity], axis=2)


def as_srgb(image: Image, coding: ColourCoding, profile: bytes | None) -> Image:
    """An image of any mode as RGB or RGBA in sRGB, 8 bits: from an ICC profile, else from a coding."""
    from PIL.Image import fromarray

    if image.mode.startswith("I") or image.mode == "F":
        return _from_wide(image, coding)
    transparent = "transparency" in image.info or "A" in image.getbands() or "a" in image.getbands()
    if image.mode in ("P", "PA", "La", "LA", "1") or (image.mode in ("L", "RGB") and transparent):
        image = image.convert("RGBA" if transparent else "RGB")
    if profile:
        image = _from_profile(image, profile)
    image = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA" if transparent else "RGB")
    return image if profile or coding.is_srgb else fromarray(converted(np.asarray(image), coding))


def _from_wide(image: Image, coding: ColourCoding) -> Image:
    """Grey of 16 or 32 bits or floating point -> RGB of 8 bits.

    Integers span 16 bits unless they exceed them; floats span 0..1.
    """
    from PIL import Image

    values = np.nan_to_num(np.asarray(image, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = max(float(values.max()), 0.0)
    if image.mode == "F":
        span = 1.0 if top <= 1 else 255.0 if top <= 255 else 65535.0 if top <= 65535 else top
    else:
        span = 65535.0 if top <= 65535 else top
    if not coding.is_srgb:
        deep = np.clip(values * (65535 / span) + 0.5, 0, 65535).astype(np.uint16)
        return Image.fromarray(converted(np.repeat(deep[..., None], 3, axis=2), coding))
    grey = np.clip(values * (255 / span) + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _from_profile(image: Image, profile: bytes) -> Image:
    """Convert from the embedded ICC profile to sRGB; an unusable profile counts as none, as in every viewer."""
    from PIL import ImageCms

    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = image.convert("RGB") if alpha else image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    if converted is None:
        return image
    if alpha:
        converted.putalpha(alpha)
    return converted
