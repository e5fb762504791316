"""Photos from a turned camera."""

from __future__ import annotations

import numpy as np
import pytest

from sapiens2_avatar.core.capture.exif_orientation import quarter_turns, upright_point


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_the_turns_make_the_stored_pixels_what_pillow_calls_upright(tmp_path, orientation):
    from PIL import Image, ImageOps

    stored = np.zeros((40, 64, 3), np.uint8)
    stored[5:9, 50:56] = 255
    path = tmp_path / "turned ü.jpg"
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(stored).save(path, quality=100, subsampling=0, exif=exif)
    turns = quarter_turns(path)
    with Image.open(path) as image:
        expected, raw = np.asarray(ImageOps.exif_transpose(image)), np.asarray(image)
    np.testing.assert_array_equal(np.rot90(raw, turns), expected)
    # A point in the middle of the white patch lies in it in the upright picture too.
    x, y = upright_point(53.0, 7.0, 64, 40, turns)
    assert expected[int(y), int(x)].min() > 200


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\x00\x20Exif\0\0MM\0*\0\0\0\x08\x00", b"\x89PNG\r\n\x1a\n" * 9]
)
def test_files_that_say_nothing_or_nonsense_are_upright(tmp_path, content):
    path = tmp_path / "photo"
    path.write_bytes(content)
    assert quarter_turns(path) == 0 and quarter_turns(tmp_path / "missing") == 0
