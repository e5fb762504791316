"""What image files say beside their pixels, without an image library: chunks, segments and boxes. Files are untrusted input.

Each reader ends where its file makes no sense any more; struct.error and zlib.error may come from what is in a part.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

LONGEST = 4 * 1024 * 1024
"""Bytes of one part that are read; profiles and previews are smaller."""

Part = tuple[bytes, bytes]
"""Kind and content."""


def png_chunks(file: BinaryIO) -> Iterator[Part]:
    """The chunks of a PNG but the pixels."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IDAT" or length > LONGEST:
            file.seek(length + 4, 1)
        else:
            yield kind, file.read(length)
            file.seek(4, 1)
        if kind == b"IEND":
            return


def webp_chunks(file: BinaryIO) -> Iterator[Part]:
    """The chunks of a WebP but the pixels; its EXIF stands behind them."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        if kind in (b"EXIF", b"XMP ", b"ICCP") and length <= LONGEST:
            yield kind, file.read(length)
            file.seek(length % 2, 1)
        else:
            file.seek(length + length % 2, 1)


def jpeg_segments(file: BinaryIO) -> Iterator[Part]:
    """The segments of a JPEG before its pixels, by their marker."""
    file.seek(2)
    while len(head := file.read(2)) == 2 and head[0] == 0xFF:
        while head[1] == 0xFF:  # padding
            head = head[1:] + file.read(1)
            if len(head) < 2:
                return
        if head[1] == 0xDA or len(size := file.read(2)) < 2:
            return
        yield head[1:], file.read(max(struct.unpack(">H", size)[0] - 2, 0))


def heif_properties(file: BinaryIO) -> list[Part]:
    """The properties of the main picture of a HEIC or AVIF file, in the order in which they count (ISO 23008-12)."""
    meta = _top_box(file, b"meta")
    inside = dict(_boxes(meta[4:]))  # a full box: version and flags first
    if b"iprp" not in inside or b"pitm" not in inside:
        return []
    wide = inside[b"pitm"][0] > 0
    main = struct.unpack_from(">I" if wide else ">H", inside[b"pitm"], 4)[0]
    parts = list(_boxes(inside[b"iprp"]))
    properties = list(_boxes(next((content for kind, content in parts if kind == b"ipco"), b"")))
    chosen = [index for kind, content in parts if kind == b"ipma" for index in _associated(content, main)]
    return [properties[index - 1] for index in chosen if 0 < index <= len(properties)]


def _associated(content: bytes, main: int) -> list[int]:
    """Numbers of the properties of an item, from an ipma box."""
    version, long = content[0], content[3] & 1
    (count,), place = struct.unpack_from(">I", content, 4), 8
    for _ in range(min(count, len(content))):
        item, number = struct.unpack_from(">IB" if version else ">HB", content, place)
        place += 5 if version else 3
        found = struct.unpack_from(f">{number}{'H' if long else 'B'}", content, place)
        place += number * (2 if long else 1)
        if item == main:
            return [index & (0x7FFF if long else 0x7F) for index in found]
    return []


def _top_box(file: BinaryIO, wanted: bytes) -> bytes:
    """The content of the first box of this kind at the top of the file; nothing if there is none."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            return b""
        length, kind = struct.unpack_from(">I4s", head)
        start = 8
        if length == 1 and len(head) == 16:
            length, start = struct.unpack_from(">Q", head, 8)[0], 16
        if kind == wanted:
            file.seek(place + start)
            return file.read(min(length - start, LONGEST) if length else LONGEST)
        if length < start:  # 0: to the end of the file
            return b""
        place += length


def _boxes(content: bytes) -> Iterator[Part]:
    place = 0
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        if length < 8:
            return
        yield kind, content[place + 8 : place + length]
        place += length
