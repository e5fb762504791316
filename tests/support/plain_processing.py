"""Pre- and post-processing of Sapiens2 from its description, with Pillow, SciPy and NumPy alone. Not a test.

Nothing here is fast or in pieces: whole arrays in float64, one formula after the other.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


def rectangle(width: int, height: int, input_height: int, input_width: int) -> tuple[int, int, int, int]:
    """(top, left, height, width) of a photo between black bars."""
    ratio = min(input_width / width, input_height / height)
    w, h = max(1, math.floor(width * ratio)), max(1, math.floor(height * ratio))
    return (input_height - h) // 2, (input_width - w) // 2, h, w


def _normalised(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) 0..255 -> (3, H, W)."""
    return ((image - MEAN) / STD).transpose(2, 0, 1)


def _shrunk(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pillow's bilinear filter, which is as wide as the photo's pixels in a network pixel; 8 bits."""
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def letterbox(image: np.ndarray, input_height: int, input_width: int) -> np.ndarray:
    """(H, W, 3) uint8 -> (3, input_height, input_width), black bars before normalisation."""
    top, left, h, w = rectangle(image.shape[1], image.shape[0], input_height, input_width)
    canvas = np.zeros((input_height, input_width, 3), np.uint8)
    canvas[top : top + h, left : left + w] = _shrunk(image, h, w)
    return _normalised(canvas)


def stretch(image: np.ndarray, input_height: int, input_width: int) -> np.ndarray:
    return _normalised(_shrunk(image, input_height, input_width))


def window(box: np.ndarray, aspect: float) -> tuple[float, float, float, float]:
    """Centre x, y and width, height: the box a quarter larger, then wider or taller until width / height = aspect."""
    x1, y1, x2, y2 = (float(v) for v in box)
    width, height = 1.25 * (x2 - x1), 1.25 * (y2 - y1)
    if width > height * aspect:
        height = width / aspect
    else:
        width = height * aspect
    return (x1 + x2) / 2, (y1 + y2) / 2, width, height


def pose_crop(image: np.ndarray, box: np.ndarray, input_height: int, input_width: int) -> np.ndarray:
    """(H, W, 3) uint8 -> (3, input_height, input_width): bilinear when shrinking, else bicubic (a = -0.75); zeros outside.

    The outermost crop pixels' centres lie on the edges of the window.
    """
    cx, cy, width, height = window(box, input_width / input_height)
    columns = cx - width / 2 + np.arange(input_width) * width / (input_width - 1)
    rows = cy - height / 2 + np.arange(input_height) * height / (input_height - 1)
    kernel = _linear if min((input_width - 1) / width, (input_height - 1) / height) < 1 else _cubic
    along_rows, along_columns = _weights(rows, image.shape[0], kernel), _weights(columns, image.shape[1], kernel)
    return _normalised(np.einsum("yr,rcn,xc->yxn", along_rows, image.astype(np.float64), along_columns, optimize=True))


def _linear(distance: np.ndarray) -> np.ndarray:
    return np.clip(1 - np.abs(distance), 0, None)


def _cubic(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    """Keys' cubic convolution kernel."""
    d = np.abs(distance)
    near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def _weights(places: np.ndarray, count: int, kernel) -> np.ndarray:
    """(n, count): how much of each of `count` pixels is in the value at each place; pixels outside are zeros."""
    return kernel(places[:, None] - np.arange(count)[None, :])


def enlarged(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """(C, h, w) -> (C, height, width): bilinear between the pixels' centres, the border's value beyond them."""
    _, h, w = maps.shape
    rows = np.clip((np.arange(height) + 0.5) * h / height - 0.5, 0, h - 1)
    columns = np.clip((np.arange(width) + 0.5) * w / width - 0.5, 0, w - 1)
    along_rows, along_columns = _weights(rows, h, _linear), _weights(columns, w, _linear)
    return np.einsum("yh,chw,xw->cyx", along_rows, maps.astype(np.float64), along_columns, optimize=True)


def to_photo(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """(C, h, w) on the network's grid -> (C, height, width) without the bars."""
    top, left, h, w = rectangle(width, height, *maps.shape[1:])
    return enlarged(maps[:, top : top + h, left : left + w], height, width)


def keypoints(heatmaps: np.ndarray, box: np.ndarray, aspect: float) -> np.ndarray:
    """(K, h, w) -> (K, 3): the top of a parabola through the logarithm of the blurred heatmap, in photo pixels,
    and the maximum."""
    cx, cy, width, height = window(box, aspect)
    out = []
    for heatmap in np.asarray(heatmaps, np.float64):
        h, w = heatmap.shape
        y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
        score = heatmap[y, x]
        place = np.array([-1.0, -1.0])
        if score > 0:
            blurred = gaussian_filter(heatmap, 2.0, mode="constant", radius=5)
            logs = np.log(np.clip(blurred * (score / blurred.max()), 1e-3, 50))
            # What is beyond the border is the border's own value.
            rows, columns = (np.clip(c + np.array([-1, 0, 1]), 0, n - 1) for c, n in ((y, h), (x, w)))
            f = logs[np.ix_(rows, columns)]
            slope = np.array([f[1, 2] - f[1, 0], f[2, 1] - f[0, 1]]) / 2
            dxx, dyy = f[1, 2] - 2 * f[1, 1] + f[1, 0], f[2, 1] - 2 * f[1, 1] + f[0, 1]
            # The mixed term from the corners of one diagonal and the four neighbours, as DARK's published code has it.
            dxy = (f[2, 2] + f[0, 0] - f[1, 2] - f[1, 0] - f[2, 1] - f[0, 1] + 2 * f[1, 1]) / 2
            curvature = np.array([[dxx, dxy], [dxy, dyy]])
            place = np.array([x, y]) - np.linalg.solve(curvature, slope)
        photo = np.array([cx - width / 2, cy - height / 2]) + place / [w - 1, h - 1] * [width, height]
        out.append([*photo, score])
    return np.array(out)
