"""The Sapiens2 backbone: a pre-norm vision transformer with grouped-query attention, query/key norm, register tokens, rotary
position embedding and SwiGLU. Attribute names are the names in the checkpoints.

Shapes: B images, N tokens (1 class + R registers + h*w patches), D width, H query heads, Hk key/value heads, dh head width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the name torch's own documentation uses
from torch import Tensor, nn

from ...core.common.errors import SapiensError
from .config import BackboneConfig
from .layers import Conv2d, Linear
from .rotary import RotaryEmbedding

EPS = 1e-6
FFN_TOKENS_AT_ONCE = 1056
"""Tokens that go through a feed-forward layer together, a third of an image's: it makes them eight times as wide."""
TOKENIZER_WINDOWS_AT_ONCE = 1024
"""Windows of the 4K tokenizer that go through its blocks together; more cost memory, the result is the same."""


class LayerScale(nn.Module):
    """One learned factor per channel."""

    def __init__(self, width: int, initial: float):
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Attention(nn.Module):
    """gamma * softmax(q k^T / sqrt(dh)) v, where each key/value head serves H / Hk consecutive query heads.

    The 4K tokenizer's blocks are plain: no query/key norm, no rotary embedding, no layer scale.
    """

    def __init__(self, config: BackboneConfig, kv_heads: int, plain: bool = False):
        super().__init__()
        self.heads, self.kv_heads, self.head_width = config.heads, kv_heads, config.head_width
        self.wq = Linear(config.width, config.width)
        self.wk = Linear(config.width, kv_heads * config.head_width)
        self.wv = Linear(config.width, kv_heads * config.head_width)
        self.q_norm = nn.Identity() if plain else nn.RMSNorm(config.head_width, EPS)
        self.k_norm = nn.Identity() if plain else nn.RMSNorm(config.head_width, EPS)
        self.proj = Linear(config.width, config.width)
        self.gamma = nn.Identity() if plain else LayerScale(config.width, config.layer_scale)

    def forward(self, x: Tensor, rotary: Tensor | None) -> Tensor:
        """x (B, N, D), rotary (N, 2 dh) sines and cosines or None -> (B, N, D)"""
        x = x.to(self.wq.weight.dtype)
        q, k, v = (y.unflatten(2, (-1, self.head_width)) for y in (self.wq(x), self.wk(x), self.wv(x)))  # (B, N, H or Hk, dh)
        if rotary is not None:
            q, k = (rotated_norm(y, norm.weight, rotary).to(v.dtype) for y, norm in ((q, self.q_norm), (k, self.k_norm)))
        q, k, v = (y.transpose(1, 2) for y in (q, k, v))  # (B, H or Hk, N, dh)
        if self.kv_heads < self.heads:
            # Repeating here keeps the fused kernels, which not every device has for grouped heads.
            k, v = (y.repeat_interleave(self.heads // self.kv_heads, dim=1) for y in (k, v))  # (B, H, N, dh)
        y = F.scaled_dot_product_attention(q, k, v)  # (B, H, N, dh)
        return self.gamma(self.proj(y.transpose(1, 2).flatten(2)))  # (B, N, D)


def rotated_norm(y: Tensor, weight: Tensor, rotary: Tensor) -> Tensor:
    """RMSNorm of queries or keys y (B, N, H, dh) by `weight` (dh,), then their rotation; float32.

    The factor of the norm commutes with the rotation and the weight goes into the sines and cosines: a third of the passes over
    memory that both take one after the other.
    """
    y = y.float()
    sines, cosines = rotary[:, None].chunk(2, -1)  # (N, 1, dh)
    first, second = y.chunk(2, -1)  # (B, N, H, dh / 2)
    low, high = weight.chunk(2)
    sin_low, sin_high = sines.chunk(2, -1)
    cos_low, cos_high = cosines.chunk(2, -1)
    turned = torch.cat(
        [
            torch.addcmul(first * (cos_low * low), second, sin_low * high, value=-1),
            torch.addcmul(second * (cos_high * high), first, sin_high * low),
        ],
        -1,
    )
    mean_square = torch.linalg.vector_norm(y, dim=-1, keepdim=True).square() / y.shape[-1]
    return turned * (mean_square + EPS).rsqrt()


class SwiGLU(nn.Module):
    """w3(silu(gate) * value), gate and value being the halves of w12(x)."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.w12 = Linear(width, 2 * hidden)
        self.w3 = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return self._some(x)
        return torch.cat([self._some(part) for part in x.split(FFN_TOKENS_AT_ONCE, dim=1)], dim=1)

    def _some(self, x: Tensor) -> Tensor:
        """Of some tokens: (B, n, D) -> (B, n, D)"""
        gate, value = self.w12(x).chunk(2, dim=-1)
        gate = F.silu(gate)
        return self.w3(gate * value if torch.is_grad_enabled() else gate.mul_(value))


class Block(nn.Module):
    """x + Attention(norm(x)), then x + SwiGLU(norm(x))."""

    def __init__(self, config: BackboneConfig, kv_heads: int, plain: bool = False):
        super().__init__()
        self.ln1 = nn.RMSNorm(config.width, EPS)
        self.attn = Attention(config, kv_heads, plain)
        self.ln2 = nn.RMSNorm(config.width, EPS)
        self.ffn = SwiGLU(config.width, config.ffn_width)

    def forward(self, x: Tensor, rotary: Tensor | None) -> Tensor:
        x = x + self.attn(self.ln1(x), rotary)
        return x + self.ffn(self.ln2(x))


class PatchEmbed(nn.Module):
    """One token per patch."""

    def __init__(self, width: int, patch: int):
        super().__init__()
        self.projection = Conv2d(3, width, patch, stride=patch)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, P h, P w) -> (B, D, h, w)"""
        return self.projection(image)


class Tokenizer(nn.Module):
    """4K variant: each window of 4 x 4 patches becomes one token, the window token after a few plain blocks."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.window = config.window
        self.w_cls = nn.Parameter(torch.empty(1, 1, config.width))
        self.local_pos_embed = nn.Parameter(torch.empty(1, 1 + config.window**2, config.width))
        self.blocks = nn.ModuleList(Block(config, config.heads, plain=True) for _ in range(config.tokenizer_depth))

    def forward(self, patches: Tensor, same: Tensor | None = None) -> Tensor:
        """(B, D, 4 h, 4 w) -> (B, D, h, w). same: `same_windows` of the image, each looked at once."""
        batch, width, rows, columns = patches.shape
        s = self.window
        windows = patches.reshape(batch, width, rows // s, s, columns // s, s)  # (B, D, h, 4, w, 4)
        windows = windows.permute(0, 2, 4, 3, 5, 1).reshape(-1, s * s, width)  # (B h w, 16, D)
        if same is None:
            same = torch.arange(len(windows), device=windows.device)
        looked_at, place = same.unique(return_inverse=True)
        tokens = torch.cat([self._summarise(windows[part]) for part in looked_at.split(TOKENIZER_WINDOWS_AT_ONCE)])
        tokens = tokens[place]  # (B h w, D)
        return tokens.reshape(batch, rows // s, columns // s, width).permute(0, 3, 1, 2)  # (B, D, h, w)

    def _summarise(self, windows: Tensor) -> Tensor:
        """(n, 16, D) -> (n, D)"""
        x = torch.cat([self.w_cls.expand(len(windows), -1, -1), windows], dim=1) + self.local_pos_embed  # (n, 17, D)
        for block in self.blocks:
            x = block(x, None)
        return x[:, 0]


def same_windows(image: Tensor, side: int) -> Tensor:
    """(B h w,) int64: the number of each window of side x side pixels of an image (B, 3, height, width).

    Windows of one and the same colour all have that of the first of them: bars beside a photo and what lies beyond its border.
    """
    windows = image.unflatten(3, (-1, side)).unflatten(2, (-1, side))  # (B, 3, h, side, w, side)
    lowest, highest = (extreme.permute(0, 2, 3, 1).flatten(0, 2) for extreme in (windows.amin((3, 5)), windows.amax((3, 5))))
    plain = (lowest == highest).all(1).nonzero()[:, 0]
    number = torch.arange(len(lowest), device=image.device)
    if len(plain):
        _, colour = lowest[plain].unique(dim=0, return_inverse=True)
        first = torch.full_like(plain, len(number)).scatter_reduce_(0, colour, plain, "amin")
        number[plain] = first[colour]
    return number


class Backbone(nn.Module):
    """Image -> tokens after the last block and the final norm."""

    def __init__(self, config: BackboneConfig):
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config.width, config.patch)
        if config.tokenizer_depth:
            self.tokenizer = Tokenizer(config)
        self.cls_token = nn.Parameter(torch.empty(1, 1, config.width))
        self.storage_tokens = nn.Parameter(torch.empty(1, config.registers, config.width))
        self.blocks = nn.ModuleList(Block(config, kv_heads) for kv_heads in config.kv_heads)
        self.ln1 = nn.RMSNorm(config.width, EPS)
        self.rope_embed = RotaryEmbedding(config.head_width, config.rope_base)
        self.init_weights()

    @property
    def periods(self) -> Tensor:
        """(dh / 4,) float32: the periods of the rotary embedding, in units of half the image's side."""
        return self.rope_embed.periods

    def init_weights(self) -> None:
        """Fill the parameters with random numbers that training can start from; those on the meta device stay without values.

        Random numbers there would cost seconds: for them torch imports its compiler.
        """
        if self.cls_token.is_meta:
            return
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.split(".")[-1] in ("cls_token", "storage_tokens", "w_cls", "local_pos_embed"):
                nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised RGB (B, 3, height, width), sides multiples of the patch (4K variant: of 64).

        Returns all tokens (B, N, D) and the patch tokens among them as a feature map (B, D, h, w).
        """
        side = self.config.token_side
        if image.ndim != 4 or image.shape[1] != 3 or any(n < side or n % side for n in image.shape[2:]):
            raise SapiensError(
                f"The network got an input of shape {tuple(image.shape)}.",
                f"Pass images as (batch, 3, height, width) with sides that are multiples of {side}.",
            )
        patches = self.patch_embed(image)  # (B, D, h, w)
        if self.config.tokenizer_depth:
            patches = self.tokenizer(patches, same_windows(image, side))
        grid = patches.shape[2:]
        prefix = torch.cat([self.cls_token, self.storage_tokens], dim=1)  # (1, 1 + R, D)
        x = torch.cat([prefix.expand(len(image), -1, -1), patches.flatten(2).transpose(1, 2)], dim=1)  # (B, N, D)
        rotary = self._rotary(grid, prefix.shape[1], x.device)
        for block in self.blocks:
            x = block(x, rotary)
        x = self.ln1(x)
        features = x[:, prefix.shape[1] :].transpose(1, 2).unflatten(2, grid)  # (B, D, h, w)
        return x, features

    def _rotary(self, grid: tuple[int, int], prefix: int, device: torch.device) -> Tensor:
        """(N, 2 dh) float32: sines and cosines of every token. The prefix tokens have no place: sine 0, cosine 1."""
        patches = self.rope_embed(*grid).to(device)  # (h w, 2 dh)
        dh = self.config.head_width
        still = torch.cat([patches.new_zeros(prefix, dh), patches.new_ones(prefix, dh)], dim=1)
        return torch.cat([still, patches])
