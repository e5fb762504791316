"""Train the preview model: `python -m tools.preview.train --data FOLDER --minutes 80`.

Reads the shards that `tools.preview.generate` writes, also those that appear while it runs. Every few minutes it writes the
averaged weights; the learning rate falls with the time left, so that stopping on the clock gives a finished model.

The network learns points and focal scale for a canonical focal length of its own input width, so that all targets are
about 1; `export` turns the last layers into Sapiens2's 768.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name torch's own documentation uses

from sapiens2_avatar.infer.model.sapiens import Sapiens2

from .dataset import Shards, half_size, mirror, recolour, to_batch
from .export import export
from .losses import WEIGHTS, all_losses
from .network import new_network, normalise

HELD_OUT_SHARDS = 2


LAST_LAYERS = ("conv_pose", "conv_seg", "conv_normal", "conv_pointmap", "conv_albedo", "scale_final_layer.5")


def optimizer_for(model: Sapiens2) -> torch.optim.AdamW:
    """AdamW. Last layers start near zero and learn ten times as fast; of the rest only matrices and kernels decay."""
    last = {n for n, _ in model.named_parameters() if n.rpartition(".")[0].endswith(LAST_LAYERS)}
    groups = (
        {"speed": 10.0, "weight_decay": 0.0, "params": [p for n, p in model.named_parameters() if n in last]},
        {"speed": 1.0, "weight_decay": 0.03, "params": [p for n, p in model.named_parameters() if n not in last and p.ndim > 1]},
        {"speed": 1.0, "weight_decay": 0.0, "params": [p for n, p in model.named_parameters() if n not in last and p.ndim <= 1]},
    )
    return torch.optim.AdamW(groups, betas=(0.9, 0.98))


def forward(model: Sapiens2, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Raw outputs; also for images of half the size, whose features fill the focal branch's grid by repetition."""
    if images.shape[2:] == model.input_size:
        return model(images)
    _, features = model.backbone(images)
    out = {}
    for task, name in (
        ("pose", "heatmaps"),
        ("seg", "logits"),
        ("normal", "normals"),
        ("pointmap", "pointmap"),
        ("albedo", "albedo"),
    ):
        out[name] = model.head(task)(features)
    out["scale"] = model.head("pointmap").scale(F.interpolate(features, scale_factor=2))
    return out


def train(options: argparse.Namespace) -> None:
    """Run until the clock says stop."""
    torch.set_num_threads(options.threads)
    device = options.device
    rng = np.random.default_rng(options.seed)
    model = new_network(options.seed).to(device)
    if options.resume:
        model.load_state_dict(torch.load(options.resume, map_location=device, weights_only=True))
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    data = Shards(options.data, skip=HELD_OUT_SHARDS)
    optimizer = optimizer_for(model)
    start, last_save, step, seen = time.time(), time.time(), 0, 0
    running: dict[str, float] = {}
    while (elapsed := (time.time() - start) / (60 * options.minutes)) < 1:
        small = elapsed < options.small
        count = options.batch * (2 if small else 1)
        for group in optimizer.param_groups:
            group["lr"] = (
                group["speed"] * options.rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * elapsed)))
            )
        samples = data.draw(rng, count)
        flip = rng.random(count) < 0.5
        samples[flip] = mirror(samples[flip])
        samples["image"] = recolour(rng, samples["image"])
        batch = to_batch(samples, device)
        if small:
            batch = half_size(batch)
        losses = all_losses(forward(model, normalise(batch["image"])), batch)
        optimizer.zero_grad(set_to_none=True)
        sum(WEIGHTS[k] * v for k, v in losses.items()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        decay = min(0.995, (step + 1) / (step + 20))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                average[name].lerp_(value, 1 - decay) if value.is_floating_point() else average[name].copy_(value)
        step, seen = step + 1, seen + count
        for name, value in losses.items():
            value = float(value.detach())
            running[name] = 0.97 * running.get(name, value) + 0.03 * value
        if step % 20 == 0:
            data.refresh()
            text = "  ".join(f"{k} {v:.3f}" for k, v in running.items())
            print(
                f"{step:5d}  {seen / (time.time() - start):.1f} images/s  {len(data)} samples  {100 * elapsed:.0f} %  {text}",
                flush=True,
            )
        if time.time() - last_save > 60 * options.save_every:
            last_save = time.time()
            _save(model, average, options)
    _save(model, average, options)


def _save(model: Sapiens2, average: dict[str, torch.Tensor], options: argparse.Namespace) -> None:
    torch.save(model.state_dict(), options.output.with_suffix(".raw.pt"))
    export(model, average, options.output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, default=Path("preview.safetensors"))
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--batch", type=int, default=6, help="twice that at half the size")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument(
        "--small", type=float, default=0.4, help="part of the time that runs on images of half the size, four times as fast"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=float, default=5, help="minutes")
    parser.add_argument("--resume", type=Path, help="weights (.raw.pt) to start from")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
