"""Maps (1, C, H, W) worked through in bands of rows: what is made of a band on the way to its result is never whole in memory.
For inference alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the name torch's own documentation uses
from torch import Tensor, nn

from .layers import INSTANCE_NORM_EPS

CELLS_AT_ONCE = 1 << 15
"""Cells of a map that a band has, about."""


def bands(x: Tensor) -> Iterator[slice]:
    """The rows of a map, band by band."""
    step = max(1, CELLS_AT_ONCE // x.shape[3])
    for start in range(0, x.shape[2], step):
        yield slice(start, min(start + step, x.shape[2]))


class ChannelStatistics:
    """Mean and variance of each channel over the whole map, gathered from its bands; both (C,) float32."""

    def __init__(self, channels: int):
        self.count, self.mean, self.variance = 0, torch.zeros(channels), torch.zeros(channels)

    @classmethod
    def of(cls, x: Tensor) -> ChannelStatistics:
        found = cls(x.shape[1])
        for rows in bands(x):
            found.add(x[:, :, rows])
        return found

    def add(self, band: Tensor) -> None:
        """A band (1, C, h, W)."""
        channels, count = band.shape[1], band[0, 0].numel()
        # Their kernel takes one pass, where sums and squares take five; the factors in float32 make it give float32.
        _, mean, factor = torch.native_group_norm(
            band, torch.ones(channels), torch.zeros(channels), 1, channels, count, channels, INSTANCE_NORM_EPS
        )
        mean, variance = mean[0], factor[0].pow(-2) - INSTANCE_NORM_EPS
        self.count += count
        share, step = count / self.count, mean - self.mean
        self.variance += share * (variance - self.variance + (1 - share) * step.square())
        self.mean += share * step

    def activated(self, band: Tensor) -> Tensor:
        """SiLU of the instance norm of a band (1, C, h, W), in its precision; the norm is computed in float32."""
        return F.silu(F.batch_norm(band, self.mean, self.variance, eps=INSTANCE_NORM_EPS), inplace=True)


def upsampled(x: Tensor, layer: nn.ConvTranspose2d) -> Tensor:
    """A transposed convolution of kernel 4, stride 2 and padding 1: (1, C, H, W) -> (1, out, 2 H, 2 W), channels innermost.

    Its kernels take half the size of the result on the way.
    """
    y = _empty_map(x, layer.out_channels, layer.weight.dtype, torch.channels_last, 2)
    for rows in bands(x):
        above, below = min(rows.start, 1), min(x.shape[2] - rows.stop, 1)  # the rows that the band's own need beside them
        band = layer(x[:, :, rows.start - above : rows.stop + below])
        y[:, :, 2 * rows.start : 2 * rows.stop] = band[:, :, 2 * above : band.shape[2] - 2 * below]
    return y


def norm_and_silu_(x: Tensor) -> Tensor:
    """Instance norm and SiLU of a map, in place."""
    statistics = ChannelStatistics.of(x)
    for rows in bands(x):
        x[:, :, rows] = statistics.activated(x[:, :, rows])
    return x


def refined_by_cell(x: Tensor, convolutions: Sequence[nn.Conv2d], predictor: nn.Conv2d) -> Tensor:
    """Norm and SiLU of x, then each of the 1 x 1 convolutions with norm and SiLU after it, then the last layer.

    x is overwritten where the next map has its size. The last map is not kept if it would take more memory than the one that it
    is made of, as seg's in mixed precision: it is made once for its statistics and once more for the result.
    Returns (1, outputs, H, W) in the precision of the last layer.
    """
    statistics, last = ChannelStatistics.of(x), None
    for convolution in convolutions:
        precision, channels = convolution.weight.dtype, convolution.out_channels
        found = ChannelStatistics(channels)
        if convolution is convolutions[-1] and channels * precision.itemsize > x.shape[1] * x.itemsize:
            for rows in bands(x):
                found.add(convolution(statistics.activated(x[:, :, rows])))
            last = convolution, found
            break
        y = x if (channels, precision) == (x.shape[1], x.dtype) else _empty_map(x, channels, precision, torch.channels_last)
        for rows in bands(x):
            band = convolution(statistics.activated(x[:, :, rows]))
            found.add(band)
            y[:, :, rows] = band
        x, statistics = y, found
    out = _empty_map(x, predictor.out_channels, predictor.weight.dtype, torch.contiguous_format)
    for rows in bands(x):
        band = statistics.activated(x[:, :, rows])
        if last is not None:
            convolution, found = last
            band = found.activated(convolution(band))
        out[:, :, rows] = predictor(band)
    return out


def _empty_map(like: Tensor, channels: int, precision: torch.dtype, layout: torch.memory_format, scale: int = 1) -> Tensor:
    height, width = like.shape[2:]
    return torch.empty((1, channels, scale * height, scale * width), dtype=precision, memory_format=layout)
