"""How a camera was held: the EXIF orientation of a JPEG, read without an image library, since Blender shows photos as stored."""

from __future__ import annotations

import struct
from pathlib import Path

TAG = 0x0112
QUARTER_TURNS = {1: 0, 3: 2, 6: 3, 8: 1}
"""EXIF orientation -> counter-clockwise quarter turns that make the stored picture upright; cameras never mirror."""


def quarter_turns(path: Path) -> int:
    """Counter-clockwise quarter turns, 0 to 3, that make the file's stored pixels upright; 0 for a file that says nothing."""
    try:
        with path.open("rb") as file:
            return QUARTER_TURNS.get(_orientation(file.read(256 * 1024)), 0)
    except (OSError, struct.error):
        return 0


def _orientation(data: bytes) -> int:
    """The value of the orientation tag in the APP1 segment of a JPEG, 1 where there is none. May raise struct.error."""
    position = 2 if data[:2] == b"\xff\xd8" else len(data)
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        length = struct.unpack_from(">H", data, position + 2)[0]
        if data[position + 1] == 0xE1 and data[position + 4 : position + 10] == b"Exif\0\0":
            return _first_directory(data[position + 10 : position + 2 + length])
        position += 2 + length
    return 1


def _first_directory(tiff: bytes) -> int:
    order = "<" if tiff[:2] == b"II" else ">"
    start = struct.unpack_from(order + "I", tiff, 4)[0]
    for index in range(struct.unpack_from(order + "H", tiff, start)[0]):
        tag, _kind, _count, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * index)
        if tag == TAG:
            return value
    return 1


def upright_point(x: float, y: float, width: float, height: float, turns: int) -> tuple[float, float]:
    """A point of the stored picture, width x height, pixels from its upper left corner -> the same point of the upright one."""
    for _ in range(turns % 4):
        x, y, width, height = y, width - x, height, width
    return x, y
