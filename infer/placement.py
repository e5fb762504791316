"""On which device and in which precision a network runs."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ..core.common.errors import SapiensError
from .devices import available_devices

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(device: str) -> torch.device:
    """ "auto" takes the first of `available_devices`. Raises SapiensError for a device that is not there."""
    if device == "auto":
        device = available_devices()[0].name.split(":")[0]
    try:
        torch.empty(1, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA raises AssertionError
        raise SapiensError(f"This machine has no device {device!r} that can be used.", 'Choose "auto" or "cpu".') from error


def choose_dtype(precision: str, device: torch.device, tasks: Iterable[str]) -> torch.dtype:
    """ "auto" is bfloat16 on CUDA, but float32 for the pointmap (bfloat16 steps are 4 mm at 0.7 m) and elsewhere."""
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported() and "pointmap" not in tasks
        return torch.bfloat16 if fast else torch.float32
    if precision not in PRECISIONS:
        raise SapiensError(f"There is no precision {precision!r}.", f"Choose auto, {', '.join(PRECISIONS)}.")
    return PRECISIONS[precision]
