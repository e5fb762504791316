"""Layers that compute in the precision of their weights, whatever comes in: a network whose matrix products are in 16 bits keeps
everything between them (the sums of the blocks, norms, softmax, the last layers) in float32.

The sum of a product's terms is in float32 on every device; its inputs, its weights and what it gives have 16 bits.
"""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F  # noqa: N812 - the name torch's own documentation uses
from torch import Tensor, nn

INSTANCE_NORM_EPS = 1e-5
RMS_NORM_EPS = 1e-6

_IN_LOW_PRECISION = re.compile(
    r"backbone\.(tokenizer\.)?blocks\.\d+\.(attn\.(wq|wk|wv|proj)|ffn\.(w12|w3))\."
    r"|decode_heads?\.(\w+\.)?(deconv_layers|input_conv|upsample_blocks|conv_layers\.0)\.(?!.*norm)"
)


def in_low_precision(name: str) -> bool:
    """Whether the parameter of this name takes the precision of the network's matrix products; the others are float32.

    float32 are all norms and layer scales, the tokens, the patch embedding (the photo has more than 8 bits after normalisation),
    and of a head its refinement after the first convolution, its last layer and the branch of the focal scale: little work, and
    what they give is what is measured in millimetres.
    """
    return _IN_LOW_PRECISION.match(name) is not None


class Linear(nn.Linear):
    """torch's, for an input of any precision."""

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input.to(self.weight.dtype), self.weight, self.bias)


class Conv2d(nn.Conv2d):
    """torch's, for an input of any precision."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(as_input(input, self.weight.dtype))


class ConvTranspose2d(nn.ConvTranspose2d):
    """torch's, for an input of any precision."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        return super().forward(as_input(input, self.weight.dtype), output_size)


def as_input(x: Tensor, dtype: torch.dtype) -> Tensor:
    """A map (B, C, H, W) in the precision of a convolution; 16 bits with the channels innermost, which its kernels want."""
    return x if x.dtype == dtype == torch.float32 else x.to(dtype, memory_format=torch.channels_last)


class InstanceNorm(nn.Module):
    """Zero mean and unit variance of each channel over the whole map, nothing learned; statistics in float32.

    In place when nothing is being trained and the channels are outermost.
    """

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return F.instance_norm(x, eps=INSTANCE_NORM_EPS)
        if x.dtype != torch.float32:
            return F.group_norm(x, x.shape[1], eps=INSTANCE_NORM_EPS)  # the same norm, by the faster kernel
        x.sub_(x.mean((2, 3), keepdim=True))
        if not x.is_contiguous():
            # Channels innermost: this kernel does not lose digits once the mean is gone.
            return F.group_norm(x, x.shape[1], eps=INSTANCE_NORM_EPS)
        variance = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True).square_().div_(x[0, 0].numel())  # (B, C, 1, 1)
        return x.mul_(variance.add_(INSTANCE_NORM_EPS).rsqrt_())


class ChannelNorm(nn.Module):
    """RMSNorm over the channels of each pixel, in float32; in place when nothing is being trained and the input is float32."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.RMSNorm(channels, RMS_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.dtype != torch.float32:
            return self.norm(x.float().movedim(1, -1)).movedim(-1, 1).to(x.dtype)
        # By groups of channels: a reduction over dimension 1 in one call is several times slower on the CPU.
        squares = [part.square().sum(1, keepdim=True) for part in x.split(16, dim=1)]
        mean_square = torch.stack(squares).sum(0).div_(x.shape[1])  # (B, 1, H, W)
        return x.mul_(mean_square.add_(RMS_NORM_EPS).rsqrt_()).mul_(self.norm.weight[:, None, None])


class SiLU(nn.Module):
    """x * sigmoid(x); in place when nothing is being trained."""

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x, inplace=not torch.is_grad_enabled())
