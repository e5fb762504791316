"""What the network can run on here.

The installation of the runtime runs this file alone (`runtime/programs/import_check.py`), to remember for the sidebar whose
memory the weights have to fit into: it imports torch and nothing of this package.
"""

from __future__ import annotations

from typing import NamedTuple

import torch


class Device(NamedTuple):
    """A device of torch: its name for `predict(device=...)`, the name of the hardware, its own bytes of memory.

    `hardware` is empty and `memory` 0 where the network uses the main processor or main memory.
    """

    name: str
    hardware: str = ""
    memory: int = 0

    def __str__(self) -> str:
        return f"{self.name} ({self.hardware}, {self.memory / 1e9:.0f} GB)" if self.hardware else self.name


def available_devices() -> list[Device]:
    """The devices of this computer, the one that "auto" means first."""
    found = []
    for kind, library in (("cuda", torch.cuda), ("xpu", torch.xpu)):  # ROCm calls itself CUDA
        for i in range(library.device_count() if library.is_available() else 0):
            card = library.get_device_properties(i)
            found.append(Device(f"{kind}:{i}", card.name, card.total_memory))
    if torch.backends.mps.is_available():
        found.append(Device("mps"))
    return [*found, Device("cpu")]
