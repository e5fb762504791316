"""Photos from a turned camera, in every format that says so."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from sapiens2_avatar.core.capture.exif_orientation import quarter_turns, upright, upright_of, upright_point
from sapiens2_avatar.core.capture.photo import read_photo

FORMATS = {"jpg": {"quality": 100, "subsampling": 0}, "png": {}, "webp": {"lossless": True}, "tif": {}, "avif": {"quality": 95}}


@pytest.fixture
def stored() -> np.ndarray:
    """(40, 64, 3) uint8: one white patch off all axes."""
    image = np.zeros((40, 64, 3), np.uint8)
    image[4:12, 48:60] = 255
    return image


def same(path, stored) -> None:
    """The turns make of the stored pixels what the reader of photos gives, and move a point with them."""
    turns, mirrored = upright_of(path)
    expected = read_photo(path).image
    made = upright(stored, turns, mirrored)
    assert made.shape == expected.shape
    assert np.abs(made.astype(int) - expected).mean() < 3
    x, y = upright_point(54.0, 8.0, 64, 40, turns, mirrored)
    assert expected[int(y), int(x)].min() > 200


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
def test_the_turns_make_the_stored_pixels_what_the_reader_calls_upright(tmp_path, stored, suffix, orientation):
    from PIL import Image

    path = tmp_path / f"turned ü.{suffix}"
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(stored).save(path, exif=exif, **FORMATS[suffix])
    assert upright_of(path) == {2: (0, True), 3: (2, False), 4: (2, True), 5: (1, True), 6: (3, False), 7: (3, True),
                                8: (1, False)}.get(orientation, (0, False))  # fmt: skip
    assert quarter_turns(path) == upright_of(path)[0]
    same(path, stored)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic(tmp_path, stored, orientation):
    """The turn of a HEIC is a property of the picture; the EXIF in it says the same a second time and does not count."""
    pillow_heif = pytest.importorskip("pillow_heif")
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.heic"
    pillow_heif.from_pillow(Image.fromarray(stored)).save(path, exif=exif.tobytes(), quality=95)
    same(path, stored)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_the_turn_of_xmp_counts_where_there_is_no_exif(tmp_path, stored, suffix):
    from PIL import Image, PngImagePlugin

    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>' + b" " * 100
    path = tmp_path / f"x.{suffix}"
    options: dict = {"xmp": xmp} if suffix in ("jpg", "webp") else {}
    if suffix == "png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    if suffix == "tif":
        options["tiffinfo"] = {700: xmp}
    Image.fromarray(stored).save(path, **FORMATS[suffix], **options)
    assert quarter_turns(path) == 3
    same(path, stored)


def test_exif_that_imagemagick_packs_into_png(tmp_path, stored):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 8
    raw = b"Exif\0\0" + exif.tobytes().removeprefix(b"Exif\0\0")
    text = b"\nexif\n%8d\n" % len(raw) + raw.hex().encode()
    plain = tmp_path / "plain.png"
    Image.fromarray(stored).save(plain)
    data = b"Raw profile type exif\0\0" + zlib.compress(text)
    chunk = struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))
    content = plain.read_bytes()
    path = tmp_path / "packed.png"
    path.write_bytes(content[:33] + chunk + content[33:])
    assert quarter_turns(path) == 1
    same(path, stored)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe1\x00\x20Exif\0\0MM\0*\0\0\0\x08\x00",
        b"\xff\xd8\xff\xff\xff",
        b"\x89PNG\r\n\x1a\n" * 9,
        b"RIFF\x10\0\0\0WEBPEXIF\xff\xff\xff\xffMM",
        b"II*\0\xff\xff\xff\xff",
        b"\0\0\0\x10ftypheic\0\0\0\0\0\0\0\x20meta\0\0\0\0\0\0\0\x0epitm\0\0\0\0\0\x01\0\0\0\x0aiprp\0\0",
        b"\0\0\0\x10ftypavif\0\0\0\0\0\0\0\1meta",
    ],
)
def test_files_that_say_nothing_or_nonsense_are_upright(tmp_path, content):
    path = tmp_path / "photo"
    path.write_bytes(content)
    assert upright_of(path) == (0, False)
    assert quarter_turns(tmp_path / "missing") == 0
