"""The rotary position embedding of DINOv3, which is Sapiens2's: every token's row and column as angles."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class RotaryEmbedding(nn.Module):
    """Angles 2 pi c / period for the row and the column of a cell, c in -1..1 across the image whatever its shape.

    width  dh of an attention head, a multiple of 4: a quarter of it for rows, as much for columns, both twice
    base   the longest period but one step, in units of half the image's side; the shortest is 1

    periods  (dh / 4,) float32. They follow from the base: on every device, never loaded, never in 16 bits
    """

    periods: Tensor

    def __init__(self, width: int, base: float):
        super().__init__()
        exponents = 4 / width * torch.arange(width // 4, dtype=torch.float32, device="cpu")
        self.register_buffer("periods", base**exponents, persistent=False)

    def forward(self, rows: int, columns: int) -> Tensor:
        """(rows * columns, 2 dh) float32: the sines of all angles of a cell, then their cosines."""
        middles = [2 * (torch.arange(n, dtype=torch.float32, device="cpu") + 0.5) / n - 1 for n in (rows, columns)]
        places = torch.cartesian_prod(*middles).to(self.periods.device)  # (h w, 2)
        angles = (2 * math.pi * places[:, :, None] / self.periods).flatten(1)  # (h w, dh / 2)
        angles = torch.cat([angles, angles], 1)  # the halves that turn into one another have the same angle
        return torch.cat([angles.sin(), angles.cos()], 1)
