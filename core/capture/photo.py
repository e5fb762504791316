"""Reading photographs: any format and colour space becomes upright 8-bit sRGB. Files are untrusted input."""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..common.errors import SapiensError
from .camera import FULL_FRAME_DIAGONAL
from .exif_orientation import TAG as ORIENTATION
from .exif_orientation import UPRIGHT, upright
from .photo_colour import as_srgb, colours_of, converted, deep_pixels

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".hif", ".avif")
"""Endings of the files that are offered as photos."""
MAX_PIXELS = 170_000_000
"""The largest photo that is decoded. Medium format backs reach 151 megapixels; Pillow itself refuses above 179."""
MIN_SIDE = 32
"""The smallest side, pixels, on which a person can be told from anything else."""
NEUTRAL_GREY = 128
"""What stands behind transparent pixels, so that the network sees no coloured or black frame."""

BRANDS = {
    "AVIF": {b"avif", b"avis"},
    "HEIC": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"},
    "CR3 (camera raw)": {b"crx "},
}
"""Brands of the ftyp box -> what the format is called; the first that fits."""

# EXIF tags (CIPA DC-008): the Exif directory and what it says about the lens.
EXIF_DIRECTORY, FOCAL_LENGTH, FOCAL_LENGTH_35MM = 0x8769, 0x920A, 0xA405
PIXEL_WIDTH, PIXEL_HEIGHT, PLANE_X_RESOLUTION, PLANE_Y_RESOLUTION, PLANE_UNIT = 0xA002, 0xA003, 0xA20E, 0xA20F, 0xA210
MILLIMETRES_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0}


@dataclass(frozen=True, eq=False)
class Photo:
    """A photograph as the network and the artist see it.

    image       (H, W, 3) uint8 sRGB, upright
    alpha       (H, W) uint8 opacity; None = the photo has no transparent pixel
    sha256      of the file's bytes (of the pixels when the photo came as an array)
    path        where it was read from; None for an array
    focal_35mm  35 mm equivalent focal length in millimetres (diagonals compared), from EXIF; None = not recorded
    """

    image: np.ndarray
    alpha: np.ndarray | None
    sha256: str
    path: Path | None
    focal_35mm: float | None

    @property
    def name(self) -> str:
        """The file's name, for sentences."""
        return self.path.name if self.path else "the image"


def read_photo(source: str | Path | np.ndarray) -> Photo:
    """Read an image file, or take an array (H, W, 3 or 4) or (H, W) uint8 sRGB.

    EXIF orientation is applied, colours are converted to sRGB from what the file says that they are (`photo_colour`), and 16-bit
    and floating point values are scaled to 8 bits. Of an animation the first frame is taken. Transparent pixels are laid over
    neutral grey and returned as `alpha`. Raises SapiensError for a file that is missing, unreadable, truncated, no image, too
    small or too large; the size is read from the header, before any pixel is decoded.
    """
    if isinstance(source, np.ndarray):
        return _photo_from_array(source)
    path = Path(source)
    data = _read_bytes(path)
    image, focal = _decode(path.name, data)
    rgb, alpha = _over_grey(np.asarray(image))
    return Photo(rgb, alpha, hashlib.sha256(data).hexdigest(), path, focal)


def _photo_from_array(array: np.ndarray) -> Photo:
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise SapiensError(
            f"An image array must be uint8 (H, W, 3), not {array.dtype} {array.shape}.", "Convert it to 8-bit RGB."
        )
    _check_size("the image", array.shape[1], array.shape[0])
    if array.ndim == 2 or array.shape[2] == 1:
        array = np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    rgb, alpha = _over_grey(array)
    return Photo(np.ascontiguousarray(rgb), alpha, hashlib.sha256(array.tobytes()).hexdigest(), None, None)


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise SapiensError(f"{path} is a folder, not a photo.", "Choose an image in it, or process the folder with `batch`.")
    if path.exists() and not path.is_file():
        raise SapiensError(f"{path} is not a file.", "Choose an image file.")
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SapiensError(f"{path} does not exist.", "Check the name.") from error
    except PermissionError as error:
        raise SapiensError(f"No permission to read {path}.", "Change the rights of the file.") from error
    except OSError as error:
        raise SapiensError(f"{path.name} could not be read: {error.strerror or error}.", "Copy it to another disk.") from error


def _check_size(name: str, width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise SapiensError(
            f"{name} is {width} x {height} pixels, too small to show a person.",
            f"Use a photo with sides of at least {MIN_SIDE} pixels.",
        )
    if width * height > MAX_PIXELS:
        raise SapiensError(
            f"{name} is {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} megapixels.",
            "Reduce or crop the photo first.",
        )


def _decode(name: str, data: bytes) -> tuple[Image, float | None]:
    """The upright image in mode RGB or RGBA, sRGB, and its focal length."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    kind = _kind(data)
    if kind == "HEIC":
        _read_heic_too(name)
    whole = "Open it in an image editor and save it as PNG or JPEG."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large images and odd EXIF; both are dealt with here
            with Image.open(io.BytesIO(data)) as image:
                _check_size(name, *image.size)
                exif = image.getexif()
                focal = _focal_35mm(exif)
                image.load()
                coding, profile = colours_of(image, exif, data)
                deep = None if coding.is_srgb else deep_pixels(image, data)
                if deep is not None:
                    turned = upright(deep, *UPRIGHT.get(exif.get(ORIENTATION), (0, False)))
                    return Image.fromarray(converted(turned, coding)), focal
                return as_srgb(ImageOps.exif_transpose(image), coding, profile), focal
    except SapiensError:
        raise
    except UnidentifiedImageError as error:
        if kind:
            raise SapiensError(f"{name} is a photo in the format {kind}, which cannot be read here.", whole) from error
        raise SapiensError(f"{name} is not an image that can be read.", whole) from error
    except Image.DecompressionBombError as error:
        raise SapiensError(
            f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels.", "Reduce or crop the photo first."
        ) from error
    except MemoryError as error:
        raise SapiensError(f"{name} does not fit into memory.", "Reduce the photo or close other programs.") from error
    except Exception as error:
        # Pillow's decoders meet damaged files with errors of many types (OSError, SyntaxError, struct.error, EOFError, ...).
        raise SapiensError(f"{name} is damaged or not complete: it could not be decoded.", whole) from error


def _kind(data: bytes) -> str:
    """The name of a format that not every Pillow can read, from the first bytes; "" for the others."""
    if data[4:8] == b"ftyp":
        brands = {data[8:12], *(data[place : place + 4] for place in range(16, min(int.from_bytes(data[:4], "big"), 256), 4))}
        return next((kind for kind, known in BRANDS.items() if brands & known), "")
    return "JPEG XL" if data.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")) else ""


def _read_heic_too(name: str) -> None:
    """Let Pillow read HEIC. SapiensError where the library for it is missing."""
    try:
        import pillow_heif
    except ImportError as error:
        raise SapiensError(
            f"{name} is HEIC, and pillow-heif, which reads it, is not installed.",
            "Install pillow-heif (in Blender: update the runtime in the add-on's preferences), or save the photo as JPEG.",
        ) from error
    pillow_heif.register_heif_opener()


def _over_grey(image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """(H, W, 3 or 4) uint8 -> RGB over neutral grey, and the opacity or None when all is opaque."""
    if image.shape[2] == 3:
        return np.ascontiguousarray(image), None
    alpha = np.ascontiguousarray(image[..., 3])
    if alpha.min() == 255:
        return np.ascontiguousarray(image[..., :3]), None
    weight = alpha[..., None].astype(np.uint16)
    rgb = (image[..., :3] * weight + NEUTRAL_GREY * (255 - weight) + 127) // 255
    return rgb.astype(np.uint8), alpha


def _focal_35mm(exif: Exif) -> float | None:
    """35 mm equivalent focal length: the tag of that name, or focal length and sensor size."""
    try:
        tags = exif.get_ifd(EXIF_DIRECTORY)
        equivalent = float(tags.get(FOCAL_LENGTH_35MM) or 0)
        if not equivalent and tags.get(PLANE_UNIT) in MILLIMETRES_PER_UNIT:
            unit = MILLIMETRES_PER_UNIT[tags[PLANE_UNIT]]
            width = float(tags[PIXEL_WIDTH]) / float(tags[PLANE_X_RESOLUTION]) * unit
            height = float(tags[PIXEL_HEIGHT]) / float(tags.get(PLANE_Y_RESOLUTION) or tags[PLANE_X_RESOLUTION]) * unit
            equivalent = float(tags[FOCAL_LENGTH]) * FULL_FRAME_DIAGONAL / math.hypot(width, height)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OverflowError, SyntaxError, AttributeError):
        return None  # missing or damaged tags say nothing about the lens
    return equivalent if 4 <= equivalent <= 2000 else None
