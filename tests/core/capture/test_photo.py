"""Photos of every kind that people have, and files that are none."""

import errno
import hashlib
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational

from sapiens2_avatar.core.capture.photo import NEUTRAL_GREY, read_photo
from sapiens2_avatar.core.common.errors import SapiensError

H, W = 60, 80


@pytest.fixture
def scene():
    """Red above, blue below, a white corner at the top left: orientation and channel order show."""
    image = np.zeros((H, W, 3), np.uint8)
    image[: H // 2] = [200, 30, 20]
    image[H // 2 :] = [20, 40, 190]
    image[:20, :20] = 255
    return image


def close(a, b, tolerance=2):
    return np.abs(a.astype(int) - b.astype(int)).max() <= tolerance


@pytest.mark.parametrize("name", ["photo.png", "photo.bmp", "photo.tif", "photo.webp", "Foto größe 写真 (1).png", "no_extension"])
def test_formats_and_names(scene, tmp_path, name):
    path = tmp_path / name
    Image.fromarray(scene).save(path, format="PNG" if "." not in name else None, **({"lossless": True} if "webp" in name else {}))
    photo = read_photo(str(path))
    assert close(photo.image, scene, 0)
    assert photo.alpha is None
    assert photo.focal_35mm is None
    assert photo.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(scene, tmp_path, orientation):
    """Stored in each of the eight ways that the tag allows, the photo comes out upright."""
    stored = {
        1: scene, 2: scene[:, ::-1], 3: scene[::-1, ::-1], 4: scene[::-1], 5: scene.transpose(1, 0, 2),
        6: np.rot90(scene, 1), 7: scene[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(scene, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "p.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    assert close(read_photo(path).image, scene, 0)


def test_sixteen_bit_grey(tmp_path):
    ramp = np.linspace(0, 65535, H * W).reshape(H, W).astype(np.uint16)
    for name in ("g.png", "g.tif"):
        Image.fromarray(ramp).save(tmp_path / name)
        image = read_photo(tmp_path / name).image
        assert image.shape == (H, W, 3)
        assert close(image[..., 1], (ramp / 257).round().astype(np.uint8), 1)


def test_sixteen_bit_colour(scene, tmp_path):
    """Pillow cannot write these; a PNG is four chunks."""
    wide = scene.astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in wide)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", W, H, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "p.png").write_bytes(data)
    assert close(read_photo(tmp_path / "p.png").image, scene, 1)


def test_floating_point(tmp_path):
    ramp = np.linspace(0, 1, H * W, dtype=np.float32).reshape(H, W)
    Image.fromarray(ramp).save(tmp_path / "f.tif")
    assert close(read_photo(tmp_path / "f.tif").image[..., 0], (ramp * 255).round().astype(np.uint8), 1)


@pytest.mark.parametrize("name", ["c.jpg", "c.tif"])
def test_cmyk(scene, tmp_path, name):
    Image.fromarray(scene).convert("CMYK").save(tmp_path / name, **({"quality": 98, "subsampling": 0} if "jpg" in name else {}))
    photo = read_photo(tmp_path / name)
    inner = np.s_[24:28, 30:70]
    assert close(photo.image[inner], scene[inner], 12)


@pytest.mark.parametrize("mode", ["L", "1", "P", "YCbCr", "LAB"])
def test_other_modes(scene, tmp_path, mode):
    image = Image.fromarray(scene)
    if mode == "LAB":
        image = ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB")
    else:
        image = image.convert(mode, palette=Image.Palette.ADAPTIVE)
    path = tmp_path / ("p.png" if mode in ("L", "1", "P") else "p.tif")
    image.save(path)
    photo = read_photo(path)
    assert photo.image.shape == (H, W, 3)
    if mode not in ("L", "1"):
        assert close(photo.image[24:28, 30:70], scene[24:28, 30:70], 12)


def test_colour_profile_is_converted(tmp_path):
    """The same bytes mean other colours with a profile; Display P3 is what phones write, and Pillow cannot make it."""
    path = tmp_path / "p.png"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    Image.fromarray(np.full((H, W, 3), 120, np.uint8)).save(path, icc_profile=profile)
    assert close(read_photo(path).image, np.full((H, W, 3), 120, np.uint8), 0)  # a profile that does not fit counts as none
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(np.full((H, W, 3), 120, np.uint8)).save(path, icc_profile=srgb)
    assert close(read_photo(path).image, np.full((H, W, 3), 120, np.uint8), 1)
    Image.fromarray(np.full((H, W, 3), 120, np.uint8)).save(path, icc_profile=b"no profile at all")
    assert close(read_photo(path).image, np.full((H, W, 3), 120, np.uint8), 0)


def test_swapped_profile_swaps_colours(scene, tmp_path):
    """An sRGB profile whose red and blue primaries are exchanged: reading the photo must exchange the channels."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    places = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, blue = places[b"rXYZ"], places[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    Image.fromarray(scene).save(tmp_path / "p.png", icc_profile=bytes(profile))
    assert close(read_photo(tmp_path / "p.png").image, scene[..., ::-1], 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency(scene, tmp_path, mode):
    alpha = np.zeros((H, W), np.uint8)
    alpha[10:50, 10:70] = 255
    alpha[30, :] = 128
    image = Image.fromarray(np.dstack([scene, alpha]))
    path = tmp_path / "p.png"
    if mode == "P":
        palette = Image.fromarray(scene).convert("P", palette=Image.Palette.ADAPTIVE)
        index = palette.getpixel((0, 59))  # blue
        palette.save(path, transparency=index)
        photo = read_photo(path)
        assert (photo.alpha[H // 2 :, 40] == 0).all()
        assert (photo.alpha[: H // 2] == 255).all()
        assert (photo.image[-1, 40] == NEUTRAL_GREY).all()
        return
    image.convert(mode).save(path)
    photo = read_photo(path)
    assert (photo.alpha == alpha).all()
    assert (photo.image[0, 0] == NEUTRAL_GREY).all()
    expected = np.asarray(image.convert(mode).convert("RGB"))
    assert close(photo.image[20, 15:60], expected[20, 15:60], 0)
    assert close(photo.image[30, 40], (expected[30, 40].astype(float) * 128 + NEUTRAL_GREY * 127) / 255, 1)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_animation_gives_its_first_frame(scene, tmp_path, name):
    frames = [Image.fromarray(scene), Image.fromarray(scene[::-1].copy())]
    options = {"lossless": True} if "webp" in name else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100, **options)
    assert close(read_photo(tmp_path / name).image[24:28, 30:70], scene[24:28, 30:70], 12)


def test_focal_length(scene, tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 50
    Image.fromarray(scene).save(tmp_path / "a.jpg", exif=exif)
    assert read_photo(tmp_path / "a.jpg").focal_35mm == 50
    # A camera that states its sensor's resolution instead: 6000 x 4000 pixels over 36 x 24 mm.
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x920A: IFDRational(85), 0xA002: 6000, 0xA003: 4000, 0xA20E: IFDRational(60000, 36), 0xA210: 3})
    Image.fromarray(scene).save(tmp_path / "b.jpg", exif=exif)
    assert read_photo(tmp_path / "b.jpg").focal_35mm == pytest.approx(85, rel=1e-3)


@pytest.mark.parametrize("value", [0, 1, 65535])
def test_an_impossible_focal_length_is_none(scene, tmp_path, value):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = value
    Image.fromarray(scene).save(tmp_path / "a.jpg", exif=exif)
    assert read_photo(tmp_path / "a.jpg").focal_35mm is None


# ------------------------------------------------------------------------------------------------ what is refused


def png_header(width, height):
    """A PNG that claims a size and holds no pixels."""
    data = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(data)) + b"IHDR" + data + struct.pack(">I", zlib.crc32(b"IHDR" + data))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


def refused(path, sentence):
    with pytest.raises(SapiensError, match=sentence) as caught:
        read_photo(path)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("size", [(1, 1), (4000, 3), (3, 4000)])
def test_too_small(tmp_path, size):
    path = tmp_path / "small.png"
    Image.new("RGB", size).save(path)
    refused(path, "small.png is .* too small")


@pytest.mark.parametrize("size", [(30000, 30000), (14000, 12500), (2**31 - 1, 2**31 - 1)])
def test_too_large_is_refused_from_the_header(tmp_path, size):
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(*size))
    tracemalloc.start()
    refused(path, "huge.png .*megapixels")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_real_30000_square(tmp_path):
    """Written in rows, 1 bit per pixel: 900 million pixels in a small file."""
    rows = zlib.compressobj(1)
    line = b"\0" * (1 + 30000 // 8)
    data = b"".join(rows.compress(line * 100) for _ in range(300)) + rows.flush()
    header = struct.pack(">IIBBBBB", 30000, 30000, 1, 0, 0, 0, 0)

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    path = tmp_path / "huge.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    refused(path, "megapixels")


def test_files_that_are_no_photos(tmp_path, scene):
    (tmp_path / "text.jpg").write_text("This is not a photo.")
    refused(tmp_path / "text.jpg", "text.jpg is not an image")
    (tmp_path / "empty.png").write_bytes(b"")
    refused(tmp_path / "empty.png", "empty.png is not an image")
    refused(tmp_path / "missing.png", "missing.png does not exist")
    refused(tmp_path, "is a folder")
    (tmp_path / "header.png").write_bytes(png_header(100, 100))
    refused(tmp_path / "header.png", "header.png is")


@pytest.mark.parametrize(("error", "sentence"), [(errno.EACCES, "No permission to read"), (errno.EIO, "could not be read")])
def test_the_disk_says_no(tmp_path, monkeypatch, error, sentence):
    """Raised by hand: an administrator may read everything."""
    path = tmp_path / "secret.png"
    path.touch()

    def fail(self):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(Path, "read_bytes", fail)
    refused(path, sentence)


@pytest.mark.parametrize("name", ["t.jpg", "t.png", "t.webp", "t.gif", "t.tif", "t.bmp"])
def test_truncated(tmp_path, scene, name):
    noisy = (scene + np.random.default_rng(0).integers(0, 50, scene.shape)).astype(np.uint8)
    path = tmp_path / name
    Image.fromarray(noisy).save(path)
    data = path.read_bytes()
    for share in (0.1, 0.5, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        refused(path, "t\\.(jpg|png|webp|gif|tif|bmp) is")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["jpg", "png", "tif", "gif"]),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=20),
)
def test_damage_gives_a_photo_or_a_sentence(tmp_path, kind, changes):
    """Bytes changed anywhere: never another exception."""
    image = np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8)
    path = tmp_path / f"damaged.{kind}"
    Image.fromarray(image).save(path)
    data = bytearray(path.read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    path.write_bytes(data)
    try:
        photo = read_photo(path)
    except SapiensError as error:
        assert error.hint
    else:
        assert photo.image.dtype == np.uint8
        assert photo.image.shape[2] == 3


# ------------------------------------------------------------------------------------------------ arrays


def test_arrays(scene):
    assert read_photo(scene).image is not None
    assert close(read_photo(scene).image, scene, 0)
    assert read_photo(scene[..., 0]).image.shape == (H, W, 3)
    assert (read_photo(np.dstack([scene, np.full((H, W), 9, np.uint8)])).alpha == 9).all()
    assert read_photo(scene).sha256 == read_photo(scene.copy()).sha256
    assert read_photo(scene).sha256 != read_photo(scene[::-1]).sha256
    for wrong in (scene.astype(np.float32), scene[..., :2], scene[None], scene[:1, :1]):
        with pytest.raises(SapiensError):
            read_photo(wrong)
