"""What the network can run on here."""

from __future__ import annotations

import torch


def available_devices() -> list[str]:
    """Names that `predict(device=...)` takes, best first, each with the name of the hardware where there is one."""
    found = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]
