"""Photos whose numbers are not sRGB, and that say so in some way: each becomes what browsers show."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from sapiens2_avatar.core.capture.colour_coding import ColourCoding, coding_of, srgb_from_coded
from sapiens2_avatar.core.capture.photo import read_photo
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.formats.png import png_bytes
from support.colours import FROM_REC709, TO_ADOBE_RGB, linear, signal

SHOWN = np.array([200, 120, 60])
P3, SRGB_TRANSFER, LINEAR, REC2020, PQ, HLG = 12, 13, 8, 9, 16, 18


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(path, values, *chunks, bits=8, opacity=None):
    """A PNG of one colour, 0..1 per channel, with these chunks."""
    channels = [*np.atleast_1d(values), *([] if opacity is None else [opacity])]
    pixels = np.rint(np.full((40, 40, len(channels)), channels) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    data = png_bytes(pixels)
    path.write_bytes(data[:33] + b"".join(chunk(kind, content) for kind, content in chunks) + data[33:])
    return path


def gama(gamma: float):
    return b"gAMA", struct.pack(">I", round(gamma * 1e5))


def cicp(primaries: int, transfer: int):
    return b"cICP", bytes((primaries, transfer, 0, 1))


P3_CHRM = b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def shows(path, colour=SHOWN, tolerance=2) -> None:
    shown = read_photo(path).image
    assert np.abs(shown.astype(int) - colour).max() <= tolerance, shown[9, 9]


@pytest.mark.parametrize("bits", [8, 16])
def test_linear_light(tmp_path, bits):
    # Of 8 bits the darkest channel has 12 steps below it.
    shows(png(tmp_path / "l.png", linear(SHOWN), gama(1.0), bits=bits), tolerance=2 if bits == 16 else 4)


@pytest.mark.parametrize("gamma", [1 / 1.8, 0.6, 1 / 2.6])
def test_any_gamma(tmp_path, gamma):
    shows(png(tmp_path / "g.png", linear(SHOWN) ** gamma, gama(gamma)))


def test_deep_grey_with_a_gamma(tmp_path):
    grey = np.full(3, 90)
    data = png_bytes(np.full((40, 40), round(linear(grey)[0] * 65535), np.uint16))
    path = tmp_path / "grey.png"
    path.write_bytes(data[:33] + chunk(*gama(1.0)) + data[33:])
    shows(path, grey)


def test_opacity_has_no_gamma(tmp_path):
    path = png(tmp_path / "a.png", linear(SHOWN), gama(1.0), bits=16, opacity=0.5)
    photo = read_photo(path)
    assert abs(int(photo.alpha[9, 9]) - 128) <= 1
    assert np.abs(photo.image[9, 9].astype(int) - (SHOWN + 128) / 2).max() <= 3


@pytest.mark.parametrize(
    "chunks",
    [
        (gama(0.45455),),
        (gama(1 / 2.2), (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))),
        ((b"sRGB", b"\0"), gama(1.0)),
        (cicp(1, SRGB_TRANSFER), gama(1.0)),
        (cicp(1, 1),),
        (gama(0.0),),
        (gama(0.45455), (b"cHRM", bytes(32))),
    ],
)
def test_what_means_srgb_or_nothing_stays(tmp_path, chunks):
    shows(png(tmp_path / "s.png", SHOWN / 255, *chunks), tolerance=0)


def test_primaries_of_chrm(tmp_path):
    shows(png(tmp_path / "c.png", signal(SHOWN, P3, SRGB_TRANSFER), gama(0.45455), P3_CHRM))
    shows(png(tmp_path / "d.png", FROM_REC709[P3] @ linear(SHOWN), gama(1.0), P3_CHRM, bits=16))


@pytest.mark.parametrize(
    ("primaries", "transfer"),
    [(P3, SRGB_TRANSFER), (REC2020, SRGB_TRANSFER), (REC2020, PQ), (REC2020, HLG), (P3, PQ), (1, LINEAR)],
)
def test_cicp_goes_before_everything_else(tmp_path, primaries, transfer):
    profile = b"x\0\0" + zlib.compress(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    chunks = cicp(primaries, transfer), (b"iCCP", profile), gama(1.0)
    shows(png(tmp_path / "c.png", signal(SHOWN, primaries, transfer), *chunks, bits=16))


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_brightness_beyond_white_keeps_its_order_and_its_hue(transfer):
    coded = (np.array([[0.5] * 3, [0.6] * 3, [0.7] * 3, [0.8] * 3, [0.9, 0.5, 0.5]]) * 65535).astype(np.uint16)
    shown = srgb_from_coded(coded, coding_of(1, transfer)).astype(int)
    assert (np.diff(shown[:4, 0]) > 0).all() and (np.ptp(shown[:4], axis=1) == 0).all()
    assert shown[4, 0] > shown[4, 1] == shown[4, 2]


def test_adobe_rgb_of_a_camera_without_a_profile(tmp_path):
    pixels = np.broadcast_to(np.rint((TO_ADOBE_RGB @ linear(SHOWN)) ** (256 / 563) * 255), (40, 40, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R03"}}
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    shows(tmp_path / "a.jpg", tolerance=3)


@pytest.mark.parametrize("suffix", ["avif", "heic"])
@pytest.mark.parametrize(("primaries", "transfer"), [(P3, SRGB_TRANSFER), (REC2020, PQ), (REC2020, HLG), (1, SRGB_TRANSFER)])
def test_nclx_of_avif_and_heic(tmp_path, suffix, primaries, transfer):
    """A phone that writes no ICC profile: the two code points in the file say what its numbers mean."""
    coded = np.rint(signal(SHOWN, primaries, transfer) * 255)
    image = Image.fromarray(np.broadcast_to(coded, (64, 64, 3)).astype(np.uint8))
    path = tmp_path / f"p.{suffix}"
    if suffix == "avif":
        image.save(path, quality=100, subsampling="4:4:4")
    else:
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.from_pillow(image).save(path, quality=-1, chroma=444)
    data = path.read_bytes()
    place = data.index(b"nclx") + 4
    path.write_bytes(data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :])
    # 8 bits of PQ are steps of several levels.
    shows(path, tolerance=8 if transfer in (PQ, HLG) else 3)


def test_a_heic_without_its_library_names_it(tmp_path, monkeypatch):
    import sys

    path = tmp_path / "photo.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(SapiensError, match="HEIC") as caught:
        read_photo(path)
    assert "Install pillow-heif" in caught.value.hint


@pytest.mark.parametrize(("start", "kind"), [(b"\xff\x0a", "JPEG XL"), (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "CR3")])
def test_formats_that_nobody_reads_are_named(tmp_path, start, kind):
    path = tmp_path / "photo.jpg"
    path.write_bytes(start + bytes(99))
    with pytest.raises(SapiensError, match=kind):
        read_photo(path)


def test_nothing_is_converted_where_there_is_nothing_to_convert():
    assert ColourCoding().is_srgb and coding_of(1, 1).is_srgb and coding_of(2, 2).is_srgb
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert srgb_from_coded(pixels, coding_of(2, 2)) is pixels
