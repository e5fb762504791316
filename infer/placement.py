"""On which device and in which precision a network runs."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from ..core.common.errors import SapiensError
from .devices import available_devices
from .tasks import TASKS

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
    """Of the matrix products of a network with heads for these tasks; what else it computes is in float32.

    "auto" is bfloat16 where the device has units for it and every task bears it (`infer.tasks.Task.low_precision`), else float32.
    """
    if precision == "auto":
        bears = all(TASKS[task].low_precision for task in tasks)
        return torch.bfloat16 if bears and has_bfloat16_units(device) else torch.float32
    if precision not in PRECISIONS:
        raise SapiensError(f"There is no precision {precision!r}.", f"Choose auto, {', '.join(PRECISIONS)}.")
    return PRECISIONS[precision]


def has_bfloat16_units(device: torch.device) -> bool:
    """Whether products of bfloat16 matrices are known to be faster than those of float32 here.

    Asked of the hardware, not timed: a busy moment would change what the same photo gives. Known are cards of NVIDIA and AMD that
    do not emulate it, and x86 processors with AMX or AVX512_BF16; others would first have to be measured.
    """
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # from torch 2.11 on
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(unit) for unit in ("amx_bf16", "avx512_bf16"))
