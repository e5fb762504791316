"""A draft: the network looks at half of the resolution that it was trained with, which is a quarter of the tokens.

Its rotary embedding counts in shares of the image, so that it sees the same picture through coarser cells.
"""

from __future__ import annotations

import torch

from .tasks import TASKS


def draft_size(size: tuple[int, int], token_side: int) -> tuple[int, int]:
    """Half of an input size (height, width), in whole tokens of `token_side` pixels, at least one."""
    height, width = (max(1, round(side / (2 * token_side))) * token_side for side in size)
    return height, width


def in_input_pixels(outputs: dict[str, torch.Tensor], ratio: float) -> dict[str, torch.Tensor]:
    """Raw outputs of an input whose width is `ratio` times that of the training.

    The canonical points, and the scale = 768 / focal length that they bear, are meant for an input of the trained size. Both are
    divided by the ratio, after which the focal length counts in pixels of the input that was seen; metres stay as they are.
    """
    if ratio == 1:
        return outputs
    return {name: value / ratio if name in TASKS["pointmap"].needs else value for name, value in outputs.items()}
