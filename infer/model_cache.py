"""Networks in memory: how many of them, and which go when it runs short."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ..weights.header import read_header
from .checkpoints import Checkpoint
from .model.loading import load_model
from .model.reading import expect_file
from .placement import choose_dtype
from .read_ahead import ReadAhead, Stopped

if TYPE_CHECKING:
    from .model.sapiens import Sapiens2


ROOM = 0.7
"""Share of the free memory that the weights of a network may take; the maps of its heads need the rest."""
AHEAD = 1 / 3
"""Share of the memory that is free beside a network that the weights of the next may take, which is read while the first runs."""


class ModelCache:
    """The networks of checkpoints on one device. One whose weights do not fit is streamed from its file in every pass; without
    `keep`, so is every one on the processor: a network that runs once or twice is read as often either way, and takes a fraction
    of the memory.

    precision  see `infer.placement.choose_dtype`
    keep       hold as many as half of the free memory has room for; else only the last one
    order      the checkpoints in the order in which they will be asked for: the next is read ahead, where `AHEAD` allows it
    """

    def __init__(self, device: torch.device, precision: str, keep: bool = False):
        self.device, self.precision, self.keep = device, precision, keep
        self.order: tuple[Checkpoint, ...] = ()
        self._loaded: dict[Path, Sapiens2] = {}
        self._ahead = ReadAhead()

    def __len__(self) -> int:
        return len(self._loaded)

    def get(self, checkpoint: Checkpoint) -> Sapiens2:
        """The network of a checkpoint, loaded if it is not there; others make room for it."""
        if checkpoint.path not in self._loaded:
            model, needed = self._ahead.take(checkpoint.path), self._bytes(checkpoint)
            # What was read ahead is in memory already.
            if not (self.keep and (1 if model else 2) * needed < self.free_memory()):
                self.clear()
            if model is None:
                stream = self._passing or needed > ROOM * self.free_memory()
                model = load_model(checkpoint.path, self.device, self._dtype(checkpoint), stream)
            self._loaded[checkpoint.path] = model
            self._read_next(checkpoint)
        return self._loaded[checkpoint.path]

    def _read_next(self, checkpoint: Checkpoint) -> None:
        """Begin to read the checkpoint after this one, if there is room for it beside what is loaded."""
        paths = [other.path for other in self.order]
        later = self.order[paths.index(checkpoint.path) + 1 :] if checkpoint.path in paths else ()
        following = next((other for other in later if other.path not in self._loaded), None)
        if following is None or self._bytes(following) > AHEAD * self.free_memory():
            return
        dtype, stream = self._dtype(following), self._passing

        def read(stopped: Stopped) -> Sapiens2:
            model = load_model(following.path, self.device, dtype, stream, stopped)
            expect_file(following.path)
            return model

        self._ahead.begin(following.path, read)

    @property
    def _passing(self) -> bool:
        """Whether all weights come and go with a pass."""
        return self.device.type == "cpu" and not self.keep

    def _dtype(self, checkpoint: Checkpoint) -> torch.dtype:
        return choose_dtype(self.precision, self.device, checkpoint.tasks)

    def _bytes(self, checkpoint: Checkpoint) -> int:
        """What its weights take in memory, at most."""
        return read_header(checkpoint.path).parameters * self._dtype(checkpoint).itemsize

    def free_memory(self) -> int:
        """Bytes on the device that nobody uses."""
        if self.device.type in ("cuda", "xpu"):
            library = getattr(torch, self.device.type)
            unused = library.memory_reserved(self.device) - library.memory_allocated(self.device)
            return library.mem_get_info(self.device)[0] + unused
        import psutil

        return psutil.virtual_memory().available

    def total_memory(self) -> int:
        """Bytes that the device has."""
        if self.device.type in ("cuda", "xpu"):
            return getattr(torch, self.device.type).get_device_properties(self.device).total_memory
        import psutil

        return psutil.virtual_memory().total

    def make_room(self) -> bool:
        """Free everything, and read nothing ahead any more; whether there was more than one checkpoint, so that a second try
        with one alone makes sense."""
        self.order = ()
        crowded = self._ahead.forget() or len(self) > 1
        self.clear()
        return crowded

    def clear(self) -> None:
        """Free the networks."""
        self._ahead.forget()
        self._loaded = {}
        gc.collect()
        if self.device.type != "cpu":
            getattr(torch, self.device.type).empty_cache()
