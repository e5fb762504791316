"""OpenEXR files hold the very floats, as another reader sees them."""

import os

import numpy as np
import pytest

os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # read once, when OpenCV is first asked for an EXR

from sapiens2_avatar.core.formats.exr import exr_bytes


@pytest.mark.parametrize("shape", [(1, 1), (16, 3), (37, 53), (5, 4, 3), (40, 33, 4)])
@pytest.mark.parametrize("kind", ["smooth", "noise", "zeros"])
def test_another_reader_finds_the_same_floats(shape, kind, tmp_path):
    cv2 = pytest.importorskip("cv2")
    noise = np.random.default_rng(1).normal(0, 1e-3, shape)
    pixels = {"smooth": noise.cumsum(0).cumsum(1), "noise": noise, "zeros": 0 * noise}[kind].astype(np.float32)
    path = tmp_path / "x.exr"
    path.write_bytes(exr_bytes(pixels))
    got = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if got is None:
        pytest.skip("this OpenCV was built or started without OpenEXR")
    wanted = pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: shape[2]]]
    np.testing.assert_array_equal(got, wanted)
    assert kind != "zeros" or pixels.size < 1000 or path.stat().st_size < 0.2 * pixels.nbytes


def test_same_pixels_same_bytes():
    pixels = np.linspace(-1, 1, 999, dtype=np.float32).reshape(27, 37)
    assert exr_bytes(pixels) == exr_bytes(pixels.copy())
