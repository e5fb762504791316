"""Sapiens2 from its published formulas, in NumPy and float64: slow, and nothing shared with `infer.model`. Not a test.

Parameters are read by their names in the checkpoints. Arrays: B images, N tokens, D width, h x w patches.
"""

from __future__ import annotations

import numpy as np

RMS_EPS, INSTANCE_EPS = 1e-6, 1e-5
Parameters = dict[str, np.ndarray]


def parameters(module) -> Parameters:
    """Name -> float64 array of a torch module."""
    return {name: value.detach().double().numpy() for name, value in module.state_dict().items()}


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def rms_norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + RMS_EPS) * weight


def linear(x: np.ndarray, p: Parameters, name: str) -> np.ndarray:
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """(B, C, H, W) with (O, C, k, k) -> (B, O, H, W): k odd, zeros around the map."""
    k = weight.shape[-1]
    padded = np.pad(x, ((0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))  # (B, C, H, W, k, k)
    out = np.einsum("bchwij,ocij->bohw", windows, weight, optimize=True)
    return out if bias is None else out + bias[:, None, None]


def deconvolve(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Transposed convolution, kernel 4, stride 2, padding 1: (B, C, H, W) with (C, O, 4, 4) -> (B, O, 2 H, 2 W).

    Every input cell adds its kernel to the output, two cells further for the next one; a cell is cut off all around.
    """
    b, _, h, w = x.shape
    out = np.zeros((b, weight.shape[1], 2 * h + 2, 2 * w + 2))
    for i in range(4):
        for j in range(4):
            out[:, :, i : i + 2 * h : 2, j : j + 2 * w : 2] += np.einsum("bchw,co->bohw", x, weight[:, :, i, j])
    return out[:, :, 1:-1, 1:-1]


def shuffle_pixels(x: np.ndarray) -> np.ndarray:
    """(B, 4 C, H, W) -> (B, C, 2 H, 2 W): four channels are the four pixels of a block, row by row."""
    b, c, h, w = x.shape
    return x.reshape(b, c // 4, 2, 2, h, w).transpose(0, 1, 4, 2, 5, 3).reshape(b, c // 4, 2 * h, 2 * w)


def instance_norm(x: np.ndarray) -> np.ndarray:
    mean, variance = x.mean((2, 3), keepdims=True), x.var((2, 3), keepdims=True)
    return (x - mean) / np.sqrt(variance + INSTANCE_EPS)


def channel_norm(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.moveaxis(rms_norm(np.moveaxis(x, 1, -1), weight), -1, 1)


def rotary_angles(grid: tuple[int, int], head_width: int) -> np.ndarray:
    """(h w, head_width / 2) angles: a quarter of the head's width from the row, a quarter from the column, periods base 100."""
    periods = 100.0 ** (4 * np.arange(head_width // 4) / head_width)
    places = [2 * (np.arange(n) + 0.5) / n - 1 for n in grid]
    row, column = np.meshgrid(*places, indexing="ij")
    return 2 * np.pi * np.concatenate([row.reshape(-1, 1) / periods, column.reshape(-1, 1) / periods], axis=1)


def rotated(x: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(B, N, dh): patch tokens turned in the planes of components i and i + dh / 2; the prefix tokens stay."""
    prefix, half = x.shape[1] - len(angles), x.shape[-1] // 2
    first, second = x[:, prefix:, :half], x[:, prefix:, half:]
    turned = np.concatenate(
        [first * np.cos(angles) - second * np.sin(angles), second * np.cos(angles) + first * np.sin(angles)], -1
    )
    return np.concatenate([x[:, :prefix], turned], axis=1)


def attention(x: np.ndarray, p: Parameters, name: str, heads: int, kv_heads: int, angles: np.ndarray) -> np.ndarray:
    """Head by head; consecutive query heads share a key and a value where there are fewer of those."""
    width = x.shape[-1] // heads
    q, k, v = (linear(x, p, f"{name}.{w}") for w in ("wq", "wk", "wv"))
    outputs = []
    for head in range(heads):
        own, shared = (slice(i * width, (i + 1) * width) for i in (head, head * kv_heads // heads))
        query = rotated(rms_norm(q[..., own], p[f"{name}.q_norm.weight"]), angles)
        key = rotated(rms_norm(k[..., shared], p[f"{name}.k_norm.weight"]), angles)
        score = query @ key.transpose(0, 2, 1) / np.sqrt(width)
        share = np.exp(score - score.max(-1, keepdims=True))
        outputs.append(share / share.sum(-1, keepdims=True) @ v[..., shared])
    return linear(np.concatenate(outputs, -1), p, f"{name}.proj") * p[f"{name}.gamma.weight"]


def backbone(image: np.ndarray, p: Parameters, heads: int, kv_heads: tuple[int, ...], patch: int) -> list[np.ndarray]:
    """Normalised (B, 3, H, W) -> the tokens (B, N, D) after each block, and last after the final norm."""
    b, _, height, width = image.shape
    grid = height // patch, width // patch
    patches = image.reshape(b, 3, grid[0], patch, grid[1], patch)
    tokens = np.einsum("bchiwj,dcij->bhwd", patches, p["patch_embed.projection.weight"], optimize=True)
    tokens = tokens.reshape(b, -1, tokens.shape[-1]) + p["patch_embed.projection.bias"]
    prefix = np.concatenate([p["cls_token"], p["storage_tokens"]], axis=1)
    x = np.concatenate([np.repeat(prefix, b, axis=0), tokens], axis=1)
    angles = rotary_angles(grid, x.shape[-1] // heads)
    after = []
    for i, kv in enumerate(kv_heads):
        name = f"blocks.{i}"
        x = x + attention(rms_norm(x, p[f"{name}.ln1.weight"]), p, f"{name}.attn", heads, kv, angles)
        gate, value = np.split(linear(rms_norm(x, p[f"{name}.ln2.weight"]), p, f"{name}.ffn.w12"), 2, axis=-1)
        x = x + linear(silu(gate) * value, p, f"{name}.ffn.w3")
        after.append(x)
    return [*after, rms_norm(x, p["ln1.weight"])]


def feature_map(tokens: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """(B, N, D) -> the patch tokens among them as (B, D, h, w)."""
    patches = tokens[:, -grid[0] * grid[1] :]
    return patches.transpose(0, 2, 1).reshape(len(tokens), -1, *grid)


def _stage(x: np.ndarray, p: Parameters, norm: str | None) -> np.ndarray:
    """Norm and SiLU: over the channels where the norm has a weight, over each channel's map where it has none."""
    return silu(channel_norm(x, p[norm]) if norm in p else instance_norm(x))


def head(features: np.ndarray, p: Parameters, task: str) -> dict[str, np.ndarray]:
    """Raw outputs of a task's head by name. The plan of its layers is read off the parameters."""
    x = features
    if task in ("pose", "seg"):
        for i in range(0, 3 * _count(p, "deconv_layers"), 3):
            x = silu(instance_norm(deconvolve(x, p[f"deconv_layers.{i}.weight"])))
    else:
        x = _stage(convolve(x, p["input_conv.0.weight"], p["input_conv.0.bias"]), p, "input_conv.1.norm.weight")
        for i in range(_count(p, "upsample_blocks")):
            name = f"upsample_blocks.{i}"
            x = shuffle_pixels(convolve(x, p[f"{name}.0.weight"], p[f"{name}.0.bias"]))
            x = _stage(x, p, f"{name}.2.norm.weight")
    for i in range(0, 3 * _count(p, "conv_layers"), 3):
        x = convolve(x, p[f"conv_layers.{i}.weight"], p[f"conv_layers.{i}.bias"])
        x = _stage(x, p, f"conv_layers.{i + 1}.norm.weight")
    x = convolve(x, p[f"conv_{task}.weight"], p[f"conv_{task}.bias"])
    if task == "matting":
        x = 1 / (1 + np.exp(-x))
        return {"foreground": x[:, :3], "alpha": x[:, 3:]}
    name = {"pose": "heatmaps", "seg": "logits", "normal": "normals"}.get(task, task)
    return {name: x} | ({"scale": _scale(features, p)} if task == "pointmap" else {})


def _count(p: Parameters, prefix: str) -> int:
    """How many convolutions there are under a name."""
    return len({key for key in p if key.startswith(f"{prefix}.") and p[key].ndim == 4})


def _scale(features: np.ndarray, p: Parameters) -> np.ndarray:
    """(B, 1): 1 x 1 convolutions on every other cell, then linear layers with SiLU between them."""
    x = features
    for i in range(0, 3 * _count(p, "scale_conv_layers"), 3):
        name = f"scale_conv_layers.{i}"
        x = silu(instance_norm(convolve(x[:, :, ::2, ::2], p[f"{name}.weight"], p[f"{name}.bias"])))
    x = x.reshape(len(x), -1)
    layers = sorted(int(key.split(".")[1]) for key in p if key.startswith("scale_final_layer.") and key.endswith("weight"))
    for i in layers:
        x = linear(x, p, f"scale_final_layer.{i}")
        x = silu(x) if i != layers[-1] else x
    return x
