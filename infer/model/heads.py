"""The heads of Sapiens2: from the backbone's feature map (B, D, h, w) to the map of a task. Attributes are named as in files.

Two families. Pose and seg upsample with transposed convolutions and refine with 1 x 1 convolutions; the others shuffle pixels
and refine with 3 x 3 convolutions. Every stage ends with a norm without running statistics and SiLU.

At inference, norms and activations work in place, and the largest map of all, 256 to 768 channels at full resolution (0.8 GB
and more), is never whole in memory: see `ShuffleHead.refine`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812 - the name torch's own documentation uses
from torch import Tensor, nn

from ...core.common.errors import SapiensError
from .bands import norm_and_silu_, refined_by_cell, upsampled
from .config import DECONV_TASKS, HeadConfig
from .heap import trim_heap
from .layers import ChannelNorm, Conv2d, ConvTranspose2d, InstanceNorm, Linear, SiLU, as_input

CHANNELS_AT_ONCE = 32
"""Channels of the last upsampling stage that exist at the same time; fewer save memory, the result is the same."""


def convolutions(channels: int, plan: tuple[int, ...], kernel: int, norm: type[nn.Module], stride: int = 1) -> nn.Sequential:
    """Convolution, norm and SiLU for each number of output channels in the plan; every third child is a convolution."""
    layers: list[nn.Module] = []
    for out in plan:
        layers += [Conv2d(channels, out, kernel, stride, padding=kernel // 2), make_norm(norm, out), SiLU()]
        channels = out
    return nn.Sequential(*layers)


def make_norm(norm: type[nn.Module], channels: int) -> nn.Module:
    return norm(channels) if norm is ChannelNorm else norm()


class Head(nn.Module):
    """What all heads share: the last layer, which carries the name of the task."""

    def __init__(self, config: HeadConfig, channels: int):
        super().__init__()
        self.predictor_name = f"conv_{config.task}"
        self.add_module(self.predictor_name, Conv2d(channels, config.outputs, 1))

    @property
    def predictor(self) -> nn.Conv2d:
        layer = self.get_submodule(self.predictor_name)
        assert isinstance(layer, nn.Conv2d)
        return layer


class DeconvHead(Head):
    """Pose and seg: (B, D, h, w) -> (B, outputs, h 2^n, w 2^n) after n = len(upsample) transposed convolutions."""

    def __init__(self, width: int, config: HeadConfig):
        super().__init__(config, (*config.upsample, *config.refine)[-1])
        layers: list[nn.Module] = []
        for out in config.upsample:
            layers += [ConvTranspose2d(width, out, 4, stride=2, padding=1, bias=False), InstanceNorm(), SiLU()]
            width = out
        self.deconv_layers = nn.Sequential(*layers)
        self.conv_layers = convolutions(width, config.refine, config.refine_kernel, InstanceNorm)

    def forward(self, features: Tensor) -> Tensor:
        convolutions = [layer for layer in self.conv_layers if isinstance(layer, nn.Conv2d)]
        by_cell = all(max(layer.kernel_size) == 1 for layer in convolutions)
        in_16_bits = self.deconv_layers[0].weight.dtype != torch.float32
        if torch.is_grad_enabled() or features.device.type != "cpu" or not (by_cell and in_16_bits):
            return self.predictor(self.conv_layers(self.deconv_layers(features)))
        maps = [refined_by_cell(self._upsampled(x), convolutions, self.predictor) for x in features.split(1)]
        return maps[0] if len(maps) == 1 else torch.cat(maps)

    def _upsampled(self, x: Tensor) -> Tensor:
        """The map before the last norm."""
        *before, last = (layer for layer in self.deconv_layers if isinstance(layer, nn.ConvTranspose2d))
        for layer in before:
            x = norm_and_silu_(layer(x))
        trim_heap()
        return upsampled(x, last)


class ShuffleStage(nn.Sequential):
    """Convolution to four times the channels, pixel shuffle, norm and SiLU: (B, C, H, W) -> (B, out, 2 H, 2 W)."""

    def __init__(self, channels: int, out: int, norm: type[nn.Module]):
        super().__init__(Conv2d(channels, 4 * out, 3, padding=1), nn.PixelShuffle(2), make_norm(norm, out), SiLU())

    def channels(self, x: Tensor, start: int, stop: int) -> Tensor:
        """Channels start ... stop - 1 of the output alone. Not for a norm over channels."""
        convolution, *others = self
        rows = slice(4 * start, 4 * stop)  # the shuffle makes one channel of four
        assert isinstance(convolution, nn.Conv2d) and convolution.bias is not None
        x = F.conv2d(as_input(x, convolution.weight.dtype), convolution.weight[rows], convolution.bias[rows], padding=1)
        for layer in others:
            x = layer(x)
        return x


class ShuffleHead(Head):
    """Normal, pointmap, albedo and matting: (B, D, h, w) -> (B, outputs, h 2^n, w 2^n) after n = len(upsample) pixel shuffles."""

    def __init__(self, width: int, config: HeadConfig):
        super().__init__(config, (*config.upsample, *config.refine)[-1])
        norm = ChannelNorm if config.task == "albedo" else InstanceNorm
        self.input_conv = convolutions(width, (width,), 3, norm)
        plan = zip((width, *config.upsample), config.upsample, strict=False)
        self.upsample_blocks = nn.ModuleList(ShuffleStage(channels, out, norm) for channels, out in plan)
        self.conv_layers = convolutions(config.upsample[-1], config.refine, config.refine_kernel, norm)
        self.by_channels = norm is InstanceNorm and bool(config.refine)

    def forward(self, features: Tensor) -> Tensor:
        *stages, last = self.upsample_blocks
        x = self.input_conv(features)
        for stage in stages:
            x = stage(x)
        x = self.refine(last, x) if self.by_channels else self.conv_layers(last(x))
        return self.predictor(x)

    def refine(self, stage: nn.Module, x: Tensor) -> Tensor:
        """The last upsampling stage and the refinement: (B, C, H / 2, W / 2) -> (B, refine[-1], H, W).

        Instance norm treats channels apart, and a convolution is a sum over its input channels: a group of channels can
        go through the stage and be added to the first refinement's output, in float32, before the next group is made.
        """
        first = self.conv_layers[0]
        assert isinstance(stage, ShuffleStage) and isinstance(first, nn.Conv2d)
        total, bias = None, first.bias
        for start in range(0, first.in_channels, CHANNELS_AT_ONCE):
            stop = min(start + CHANNELS_AT_ONCE, first.in_channels)
            y = stage.channels(x, start, stop)  # (B, group, H, W)
            y = as_input(y, first.weight.dtype)
            y = F.conv2d(y, first.weight[:, start:stop], bias, padding=first.kernel_size[0] // 2)  # (B, refine[0], H, W)
            total = y.float() if total is None else total + y if torch.is_grad_enabled() else total.add_(y)
            bias = None  # it counts once
        return self.conv_layers[1:](total)


class PointmapHead(ShuffleHead):
    """Points, and the focal scale of the whole image, which a second branch reads from the backbone's features.

    The first linear layer of that branch fixes the size of the feature map, hence of the input image.
    """

    def __init__(self, width: int, config: HeadConfig, token_grid: tuple[int, int]):
        super().__init__(width, config)
        self.has_scale, self.token_grid = bool(config.scale_convs), token_grid
        if not self.has_scale:
            return
        self.scale_conv_layers = convolutions(width, config.scale_convs, 1, InstanceNorm, stride=2)
        self.scale_shrink, self.scale_channels = 2 ** len(config.scale_convs), config.scale_convs[-1]
        self.scale_inputs = inputs = config.scale_inputs or self._scale_numbers(*token_grid)
        layers: list[nn.Module] = [nn.Flatten()]
        for out in config.scale_hidden:
            layers += [Linear(inputs, out), SiLU()]
            inputs = out
        self.scale_final_layer = nn.Sequential(*layers, Linear(inputs, 1))

    def _scale_numbers(self, height: int, width: int) -> int:
        """How many numbers the branch makes of height x width features."""
        return self.scale_channels * math.prod(-(-side // self.scale_shrink) for side in (height, width))

    def scale(self, features: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, 1). Features of a draft, the same image in fewer cells, are resampled to the trained cells."""
        (height, width), (rows, columns) = features.shape[2:], self.token_grid
        same_image = abs(height * columns - width * rows) <= max(rows, columns)
        if same_image and self._scale_numbers(height, width) != self.scale_inputs:
            features = F.interpolate(features, self.token_grid, mode="bilinear", align_corners=False)
        x = self.scale_conv_layers(features)  # (B, C, h / 8, w / 8), rounded up
        wanted, got = self.scale_inputs, x[0].numel()
        if wanted != got:
            raise SapiensError(
                f"The scale branch of this pointmap network reads {wanted} numbers and this image size gives {got}.",
                "Use the input size that the network was trained with.",
            )
        return self.scale_final_layer(x)


def make_head(width: int, config: HeadConfig, token_grid: tuple[int, int]) -> Head:
    """The head of a task for feature maps (B, width, h, w), with random weights that training can start from; on the meta device
    without values, see `Backbone.init_weights`."""
    if config.task in DECONV_TASKS:
        head: Head = DeconvHead(width, config)
    elif config.task == "pointmap":
        head = PointmapHead(width, config, token_grid)
    else:
        head = ShuffleHead(width, config)
    if head.predictor.weight.is_meta:
        return head
    for module in head.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.normal_(head.predictor.weight, std=0.01)
    return head


def named_outputs(task: str, head: nn.Module, features: Tensor) -> dict[str, Tensor]:
    """Run a head; its raw outputs by name, as the network predicts them (no resizing, no normalisation).

    pose heatmaps (B, 308, H/4, W/4) · seg logits (B, 29, H, W) · normal normals (B, 3, H, W) · pointmap pointmap (B, 3, H, W) and
    scale (B, 1) · albedo albedo (B, 3, H, W) · matting foreground (B, 3, H, W) and alpha (B, 1, H, W), both after the sigmoid
    """
    if isinstance(head, PointmapHead):
        # Before the head: the branch is small, and the head's maps are not in memory yet.
        scale = {"scale": head.scale(features)} if head.has_scale else {}
        return {"pointmap": head(features), **scale}
    if task == "matting":
        foreground, alpha = head(features).sigmoid().split([3, 1], dim=1)
        return {"foreground": foreground, "alpha": alpha}
    return {{"pose": "heatmaps", "seg": "logits", "normal": "normals", "albedo": "albedo"}[task]: head(features)}
