"""Between the photo and the network: normalised inputs, and raw maps brought back to the photo's pixels.

Letterbox and stretch shrink with a widened bilinear filter (antialias): what an aliased input costs a network shows on hair and
fabric. This is the filter of the published port; Meta's own tool does not widen it (0.2 to 3 of 255 levels apart on average).
Pose crops are sampled as the port samples them, bilinear when shrinking and bicubic when enlarging, with one difference:
a crop that shrinks more than twofold is reduced with the widened filter first, because plain sampling would skip pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
"""Of RGB in 0..255, for every task."""
POSE_MARGIN = 1.25
STRIP = 256
"""Rows that are upsampled at a time where the channels are many."""


@dataclass(frozen=True)
class Letterbox:
    """Where an image of height x width lies in a network input: aspect kept, centred, black bars.

    height, width              of the image, pixels
    input_height, input_width  of the network, pixels
    """

    height: int
    width: int
    input_height: int
    input_width: int

    @property
    def scale(self) -> float:
        """Network pixels per image pixel, before rounding down."""
        return min(self.input_width / self.width, self.input_height / self.height)

    @property
    def resized(self) -> tuple[int, int]:
        """(height, width) of the image inside the bars; rounded down as in training, at least 1."""
        return max(1, int(self.height * self.scale)), max(1, int(self.width * self.scale))

    @property
    def top_left(self) -> tuple[int, int]:
        """(rows, columns) of the bars above and to the left."""
        height, width = self.resized
        return (self.input_height - height) // 2, (self.input_width - width) // 2

    def crop(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (..., h, w) on the network grid, or a coarser grid over the same input, without the bars.

        On a coarser grid the rectangle is rounded to whole cells, at least one.
        """
        (height, width), (top, left) = self.resized, self.top_left
        ratio_y, ratio_x = maps.shape[-2] / self.input_height, maps.shape[-1] / self.input_width
        y0, x0 = round(top * ratio_y), round(left * ratio_x)
        y1, x1 = max(y0 + 1, round((top + height) * ratio_y)), max(x0 + 1, round((left + width) * ratio_x))
        return maps[..., y0:y1, x0:x1]


def tensor_from_image(image: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) uint8."""
    image = np.ascontiguousarray(image)
    if not image.flags.writeable:
        image = image.copy()  # torch has no read-only tensors and warns of arrays that are
    return torch.from_numpy(image).permute(2, 0, 1)[None]


def normalise(image: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) RGB in 0..255 -> float32, mean removed, divided by the deviation."""
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    return (image.float() - mean) / std


def _resize(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Bilinear, widened when shrinking; 8 bits in, 8 bits out, as the network saw its training images."""
    return functional.interpolate(image, size=(height, width), mode="bilinear", align_corners=False, antialias=True)


def letterbox(image: np.ndarray, input_height: int, input_width: int) -> tuple[torch.Tensor, Letterbox]:
    """(H, W, 3) uint8 -> network input (1, 3, input_height, input_width) float32 and the rectangle of the image in it.

    The bars are black before normalisation.
    """
    frame = Letterbox(image.shape[0], image.shape[1], input_height, input_width)
    (height, width), (top, left) = frame.resized, frame.top_left
    canvas = torch.zeros(1, 3, input_height, input_width, dtype=torch.uint8)
    canvas[..., top : top + height, left : left + width] = _resize(tensor_from_image(image), height, width)
    return normalise(canvas), frame


def stretch(image: np.ndarray, input_height: int, input_width: int) -> torch.Tensor:
    """(H, W, 3) uint8 -> network input (1, 3, input_height, input_width) float32; the aspect ratio is not kept (seg, matting)."""
    return normalise(_resize(tensor_from_image(image), input_height, input_width))


@dataclass(frozen=True)
class PoseWindow:
    """The part of the photo that the pose network sees, pixels: centre and size; its edges lie on the outermost pixel centres."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def around(cls, box: np.ndarray, input_height: int, input_width: int) -> PoseWindow:
        """From a person's box (x1, y1, x2, y2): 1.25 times its size, then one side enlarged to the aspect of the network."""
        x1, y1, x2, y2 = (float(v) for v in box)
        width, height = max(x2 - x1, 1.0) * POSE_MARGIN, max(y2 - y1, 1.0) * POSE_MARGIN
        aspect = input_width / input_height
        width, height = max(width, height * aspect), max(height, width / aspect)
        return cls((x1 + x2) / 2, (y1 + y2) / 2, width, height)

    def points(self, unit: np.ndarray) -> np.ndarray:
        """(..., 2) positions in the window, 0..1 from edge to edge -> photo pixels."""
        size = np.array([self.width, self.height])
        return unit * size + np.array([self.x, self.y]) - size / 2


def pose_crop(image: np.ndarray, window: PoseWindow, input_height: int, input_width: int) -> torch.Tensor:
    """(H, W, 3) uint8 -> network input (1, 3, input_height, input_width) float32: the window, zeros outside the photo.

    UDP form: pixel centres are integers, and the window's edges map to the centres of the first and last crop pixels.
    """
    scale = min((input_width - 1) / window.width, (input_height - 1) / window.height)
    source, reduced = _reduced(image, window, scale)
    height, width = source.shape[-2:]
    x = np.linspace(reduced.x - reduced.width / 2, reduced.x + reduced.width / 2, input_width)
    y = np.linspace(reduced.y - reduced.height / 2, reduced.y + reduced.height / 2, input_height)
    # grid_sample with aligned corners: -1 and 1 are the centres of the first and last pixel.
    grid = torch.empty(1, input_height, input_width, 2)
    grid[..., 0] = torch.from_numpy(x * (2 / max(width - 1, 1)) - 1)[None, None, :]
    grid[..., 1] = torch.from_numpy(y * (2 / max(height - 1, 1)) - 1)[None, :, None]
    mode = "bilinear" if scale < 1 else "bicubic"
    return normalise(functional.grid_sample(source, grid, mode=mode, padding_mode="zeros", align_corners=True))


def _reduced(image: np.ndarray, window: PoseWindow, scale: float) -> tuple[torch.Tensor, PoseWindow]:
    """The part of the photo under the window as float (1, 3, h, w), and the window in its pixels.

    Where the crop will be less than half as large as its source, the part is first reduced to twice the crop.
    """
    margin = 2 + 2 / scale
    x1 = min(max(0, math.floor(window.x - window.width / 2 - margin)), image.shape[1] - 1)
    y1 = min(max(0, math.floor(window.y - window.height / 2 - margin)), image.shape[0] - 1)
    x2 = max(x1 + 1, min(image.shape[1], math.ceil(window.x + window.width / 2 + margin) + 1))
    y2 = max(y1 + 1, min(image.shape[0], math.ceil(window.y + window.height / 2 + margin) + 1))
    part = tensor_from_image(image[y1:y2, x1:x2])
    moved = PoseWindow(window.x - x1, window.y - y1, window.width, window.height)
    if scale >= 0.5:
        return part.float(), moved
    height, width = max(1, round(part.shape[2] * 2 * scale)), max(1, round(part.shape[3] * 2 * scale))
    sx, sy = width / part.shape[3], height / part.shape[2]
    small = _resize(part, height, width).float()
    return small, PoseWindow((moved.x + 0.5) * sx - 0.5, (moved.y + 0.5) * sy - 0.5, moved.width * sx, moved.height * sy)


def upsample(maps: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(N, C, h, w) -> (N, C, height, width): bilinear, half-pixel centres, no widened filter."""
    return functional.interpolate(maps.float(), size=(height, width), mode="bilinear", align_corners=False)


def upsample_inside(maps: torch.Tensor, inside: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """`upsample` of (1, C, h, w) from the cells of `inside` (1, 1, h, w) bool alone; 0 where no such cell is near.

    The heads are trained on people only: what they say of the background must not bleed over the silhouette.
    """
    sums = upsample(torch.where(inside, maps.float(), 0.0), height, width)
    share = upsample(inside.float(), height, width)
    return sums.div_(share.clamp_min_(1e-6))


def upsampled_strips(maps: torch.Tensor, height: int, width: int) -> Iterator[tuple[int, torch.Tensor]]:
    """`upsample` of (1, C, h, w), a strip of rows at a time: yields (first row, (C, rows, width)).

    29 logits of a 24 megapixel photo would need 2.8 GB at once.
    """
    maps = maps[0].float()
    rows = ((torch.arange(height, dtype=torch.float64) + 0.5) * (maps.shape[1] / height) - 0.5).clamp(0, maps.shape[1] - 1)
    low = rows.long()
    high = (low + 1).clamp(max=maps.shape[1] - 1)
    weight = (rows - low).float()[None, :, None]
    for start in range(0, height, STRIP):
        part = slice(start, min(start + STRIP, height))
        lines = torch.lerp(maps[:, low[part]], maps[:, high[part]], weight[:, part])
        yield start, functional.interpolate(lines[None], size=(lines.shape[1], width), mode="bilinear", align_corners=False)[0]
