"""Networks in memory: how many of them, and which go when it runs short."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..weights.header import read_header
from .checkpoints import Checkpoint
from .model.loading import load_model
from .placement import choose_dtype

if TYPE_CHECKING:
    from .model.sapiens import Sapiens2


ROOM = 0.7
"""Share of the free memory that the weights of a network may take; the maps of its heads need the rest."""


class ModelCache:
    """The networks of checkpoints on one device. One whose weights do not fit is streamed from its file in every pass.

    precision  see `infer.placement.choose_dtype`
    keep       hold as many as half of the free memory has room for; else only the last one
    """

    def __init__(self, device: torch.device, precision: str, keep: bool = False):
        self.device, self.precision, self.keep = device, precision, keep
        self._loaded: dict[Path, Sapiens2] = {}

    def __len__(self) -> int:
        return len(self._loaded)

    def get(self, checkpoint: Checkpoint) -> Sapiens2:
        """The network of a checkpoint, loaded if it is not there; others make room for it."""
        if checkpoint.path not in self._loaded:
            dtype = choose_dtype(self.precision, self.device, checkpoint.tasks)
            needed = read_header(checkpoint.path).parameters * dtype.itemsize
            if not (self.keep and 2 * needed < self.free_memory()):
                self.clear()
            stream = needed > ROOM * self.free_memory()
            self._loaded[checkpoint.path] = load_model(checkpoint.path, self.device, dtype, stream)
        return self._loaded[checkpoint.path]

    def free_memory(self) -> int:
        """Bytes on the device that nobody uses."""
        if self.device.type in ("cuda", "xpu"):
            library = getattr(torch, self.device.type)
            unused = library.memory_reserved(self.device) - library.memory_allocated(self.device)
            return library.mem_get_info(self.device)[0] + unused
        import psutil

        return psutil.virtual_memory().available

    def make_room(self) -> bool:
        """Free everything; whether other checkpoints were among it, so that a second try with one alone makes sense."""
        crowded = len(self) > 1
        self.clear()
        return crowded

    def clear(self) -> None:
        """Free the networks."""
        self._loaded = {}
        gc.collect()
        if self.device.type != "cpu":
            getattr(torch, self.device.type).empty_cache()
