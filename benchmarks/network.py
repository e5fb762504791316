"""Time of each stage of the network against the same arithmetic written plainly, in one run on one machine.

usage: python benchmarks/network.py [small|0.4b] [--device cpu] [--repeat 3] [--json]

Plain means: attention as an explicit softmax of the whole N x N table with the heads repeated, norms from their formulas with
temporaries, every map of a head whole in memory. Random weights. On the CPU the times are processor seconds of
all threads, which other programs disturb less than the clock; the best of the repeats counts. 0.4b takes some minutes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from sapiens2_avatar.infer import Sapiens2, Sapiens2Config, released_config
from sapiens2_avatar.infer.model.backbone import Attention, Block
from sapiens2_avatar.infer.model.config import BackboneConfig, HeadConfig
from sapiens2_avatar.infer.model.heads import ChannelNorm, InstanceNorm, SiLU

_SHUFFLE = (64, 32, 16, 8)
SMALL = Sapiens2Config(
    BackboneConfig(width=160, depth=6, heads=5, ffn_width=400),
    (
        HeadConfig("pose", (96, 64), (96,)),
        HeadConfig("seg", (64, 32, 16, 8), ()),
        HeadConfig("normal", _SHUFFLE, ()),
        HeadConfig("pointmap", _SHUFFLE, (), scale_convs=(96, 64, 32), scale_hidden=(64, 32)),
        HeadConfig("albedo", _SHUFFLE, ()),
    ),
    (256, 192),
)
"""All heads on one backbone, of some 3 M parameters: seconds on a processor."""


def plain_rms(x: Tensor, norm: nn.RMSNorm) -> Tensor:
    return x / torch.sqrt(x.square().mean(-1, keepdim=True) + 1e-6) * norm.weight


def plain_rotate(x: Tensor, rotary: Tensor) -> Tensor:
    sines, cosines = rotary.chunk(2, -1)
    first, second = x.chunk(2, -1)
    return x * cosines + torch.cat([-second, first], -1) * sines


def plain_attention(attention: Attention, x: Tensor, rotary: Tensor) -> Tensor:
    batch, tokens, _ = x.shape
    split = lambda y: y.reshape(batch, tokens, -1, attention.head_width).transpose(1, 2)  # noqa: E731
    q = plain_rotate(plain_rms(split(attention.wq(x)), attention.q_norm), rotary)
    k = plain_rotate(plain_rms(split(attention.wk(x)), attention.k_norm), rotary)
    repeat = attention.heads // attention.kv_heads
    k, v = k.repeat_interleave(repeat, 1), split(attention.wv(x)).repeat_interleave(repeat, 1)
    table = (q @ k.transpose(2, 3) / math.sqrt(attention.head_width)).softmax(-1)  # (B, H, N, N)
    return attention.proj((table @ v).transpose(1, 2).reshape(batch, tokens, -1)) * attention.gamma.weight


def plain_block(block: Block, x: Tensor, rotary: Tensor) -> Tensor:
    x = x + plain_attention(block.attn, plain_rms(x, block.ln1), rotary)
    gate, value = block.ffn.w12(plain_rms(x, block.ln2)).chunk(2, -1)
    return x + block.ffn.w3(gate * torch.sigmoid(gate) * value)


def plain_head(head: nn.Module, task: str, features: Tensor) -> Tensor:
    x = features
    for name in ("deconv_layers", "input_conv", "upsample_blocks", "conv_layers"):
        for layer in getattr(head, name, nn.Sequential()).modules():
            if isinstance(layer, InstanceNorm):
                x = (x - x.mean((2, 3), keepdim=True)) / torch.sqrt(x.var((2, 3), correction=0, keepdim=True) + 1e-5)
            elif isinstance(layer, ChannelNorm):
                x = x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-6) * layer.norm.get_parameter("weight")[:, None, None]
            elif isinstance(layer, SiLU):
                x = x * torch.sigmoid(x)
            elif isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.PixelShuffle)):
                x = layer(x)
    return head.get_submodule(f"conv_{task}")(x)


def seconds(run: Callable[[], object], device: torch.device, repeat: int) -> float:
    """Best time of a stage: processor seconds on the CPU, else seconds on the clock."""
    cpu = device.type == "cpu"
    clock = time.process_time if cpu else time.perf_counter
    best = math.inf
    for _ in range(repeat + (not cpu)):
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        start = clock()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, clock() - start)
    return best


def measure(model: Sapiens2, device: torch.device, repeat: int) -> list[dict]:
    """One row per stage: its time here, the plain time, and the largest difference of the two results."""
    height, width = model.input_size
    image = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0)).to(device)
    backbone = model.backbone
    rows = []

    def row(stage: str, ours: Callable[[], Tensor], plain: Callable[[], Tensor], times: int = 1) -> None:
        difference = float((ours() - plain()).abs().max())
        rows.append(
            {
                "stage": stage,
                "seconds": times * seconds(ours, device, repeat),
                "plain_seconds": times * seconds(plain, device, repeat),
                "difference": difference,
            }
        )

    with torch.inference_mode():
        tokens, features = backbone(image)
        rotary = backbone._rotary(features.shape[2:], tokens.shape[1] - features[0, 0].numel(), device)
        for grouped in (False, True):
            alike = [block for block in backbone.blocks if (block.attn.kv_heads < block.attn.heads) == grouped]
            if alike:
                block = alike[0]
                name = f"{len(alike)} {'grouped' if grouped else 'full'} blocks"
                row(name, lambda b=block: b(tokens, rotary), lambda b=block: plain_block(b, tokens, rotary), len(alike))
        for task in model.tasks:
            head = model.head(task)
            row(f"{task} head", lambda h=head: h(features), lambda h=head, t=task: plain_head(h, t, features))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="small", choices=("small", "0.4b"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device)
    config = SMALL
    if options.model == "0.4b":
        heads = [released_config("0.4b", task).heads[0] for task in ("pose", "seg", "normal", "pointmap")]
        config = Sapiens2Config(released_config("0.4b").backbone, tuple(heads))
    torch.manual_seed(0)
    model = Sapiens2(config).to(device).eval()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    rows = measure(model, device, options.repeat)
    if options.json:
        print(json.dumps({"model": options.model, "device": str(device), "threads": torch.get_num_threads(), "stages": rows}))
        return 0
    print(f"{options.model} on {device}, {torch.get_num_threads()} threads, input {model.input_size[0]} x {model.input_size[1]}")
    print(f"{'stage':20}{'seconds':>10}{'plain':>10}{'ratio':>8}   difference")
    for row in rows:
        ratio = row["seconds"] / row["plain_seconds"]
        print(f"{row['stage']:20}{row['seconds']:10.3f}{row['plain_seconds']:10.3f}{ratio:8.2f}   {row['difference']:.1e}")
    total, plain = sum(r["seconds"] for r in rows), sum(r["plain_seconds"] for r in rows)
    print(f"{'all':20}{total:10.3f}{plain:10.3f}{total / plain:8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
