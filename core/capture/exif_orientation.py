"""How a camera was held, as its photo says it; read without an image library, since Blender shows photos as they are stored."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .photo_tags import heif_properties, jpeg_segments, png_chunks, webp_chunks

TAG, XMP_TAG = 0x0112, 700
UPRIGHT: dict[int, tuple[int, bool]] = {
    1: (0, False), 2: (0, True), 3: (2, False), 4: (2, True), 5: (1, True), 6: (3, False), 7: (3, True), 8: (1, False),
}  # fmt: skip
"""EXIF orientation -> counter-clockwise quarter turns that make the stored picture upright, and whether it has to be mirrored
left to right before them."""
XMP_ORIENTATION = re.compile(rb"tiff:Orientation(?:=\"|>)([1-8])")


def upright_of(path: Path) -> tuple[int, bool]:
    """Counter-clockwise quarter turns, 0 to 3, that make the file's stored pixels upright, and whether they are mirrored left to
    right before; (0, False) for a file that says nothing.

    EXIF of JPEG, PNG, WebP and TIFF, without it their XMP; of HEIC and AVIF the turn and the mirror that are their own.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
            if start[4:8] == b"ftyp":
                return _of_heif(file)
            return UPRIGHT.get(_orientation(file, start), (0, False))
    except (OSError, struct.error, zlib.error, ValueError, IndexError):  # what makes no sense says nothing
        return 0, False


def quarter_turns(path: Path) -> int:
    """The turns of `upright_of` alone."""
    return upright_of(path)[0]


def upright(pixels: np.ndarray, turns: int, mirrored: bool = False) -> np.ndarray:
    """A picture (H, W, ...) as stored -> upright, as a view."""
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, turns)


def upright_point(x: float, y: float, width: float, height: float, turns: int, mirrored: bool = False) -> tuple[float, float]:
    """A point of the stored picture, width x height, pixels from its upper left corner -> the same point of the upright one."""
    if mirrored:
        x = width - x
    for _ in range(turns % 4):
        x, y, width, height = y, width - x, height, width
    return x, y


def _orientation(file: BinaryIO, start: bytes) -> int:
    """The orientation of a JPEG, PNG, WebP or TIFF, 0 where there is none. May raise struct.error or zlib.error."""
    exif = xmp = b""
    if start[:2] == b"\xff\xd8":
        for marker, content in jpeg_segments(file):
            if marker == b"\xe1" and content.startswith(b"Exif\0\0"):
                exif = exif or content[6:]
            elif marker == b"\xe1" and content.startswith(b"http://ns.adobe.com/xap/1.0/\0"):
                xmp = xmp or content
    elif start[:8] == b"\x89PNG\r\n\x1a\n":
        for kind, content in png_chunks(file):
            if kind == b"eXIf":
                exif = content
            elif kind == b"iTXt" and content.startswith(b"XML:com.adobe.xmp\0"):
                xmp = content
            elif kind == b"zTXt" and content.startswith(b"Raw profile type exif\0"):
                exif = exif or _raw_profile(content[len(b"Raw profile type exif\0") + 1 :])
    elif start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        for kind, content in webp_chunks(file):
            exif, xmp = (content, xmp) if kind == b"EXIF" else (exif, content if kind == b"XMP " else xmp)
    elif start[:2] in (b"II", b"MM"):
        found, xmp = _first_directory(file)
        return found or _of_xmp(xmp)
    exif = exif.removeprefix(b"Exif\0\0")
    return (_first_directory(io.BytesIO(exif))[0] if exif else 0) or _of_xmp(xmp)


def _of_xmp(xmp: bytes) -> int:
    found = XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 0


def _raw_profile(packed: bytes) -> bytes:
    """EXIF as ImageMagick writes it into PNG: a line with the name, one with the length, hexadecimal digits."""
    text = zlib.decompressobj().decompress(packed, 1 << 20)
    return bytes.fromhex("".join(text.decode("ascii").split("\n")[3:]))


def _first_directory(file: BinaryIO) -> tuple[int, bytes]:
    """Orientation (0: none) and XMP of the first directory of a TIFF, BigTIFF or EXIF block. May raise struct.error."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", head, 2)[0] == 43
    start = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)[0]
    counting, entry = order + ("Q" if big else "H"), order + ("HHQ8s" if big else "HHI4s")
    file.seek(start)
    number = struct.unpack(counting, file.read(struct.calcsize(counting)))[0]
    size = struct.calcsize(entry)
    table = file.read(min(number, 4096) * size)
    orientation, xmp = 0, b""
    for tag, kind, count, value in struct.iter_unpack(entry, table[: len(table) // size * size]):
        if tag == TAG:
            orientation = struct.unpack_from(order + ("I" if kind == 4 else "H"), value)[0]
        elif tag == XMP_TAG and len(value) < count < 1 << 22:
            file.seek(struct.unpack(order + ("Q" if big else "I"), value)[0])
            xmp = file.read(count)
    return orientation, xmp


def _of_heif(file: BinaryIO) -> tuple[int, bool]:
    """Turns and mirror of a HEIC or AVIF, in the order in which the file lists them; its EXIF does not count."""
    turns, mirrored = 0, False
    for kind, content in heif_properties(file):
        if kind == b"irot":
            turns += content[0] & 3
        elif kind == b"imir":  # 1: left to right, 0: top to bottom, which is that and half a turn
            turns, mirrored = -turns + (0 if content[0] & 1 else 2), not mirrored
    return turns % 4, mirrored
