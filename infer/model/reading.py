"""Tensors of a safetensors file, brought to a device in the precision that is wanted: at no time is there a second copy of them.

A tensor that stays as it is in main memory is mapped from the file. Any other is read a little at a time and converted on its
way, so that the memory taken is that of the tensors in their new precision.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...core.common.errors import Cancelled, SapiensError
from ...weights.header import CheckpointHeader

HINT = "Use a Sapiens2 checkpoint in the original names, as published on Hugging Face, or download it again."
AT_ONCE = 1 << 24
"""Bytes of the file that are in memory on their way to another device."""
VALUES_AT_ONCE = 31 << 10
"""Values that are converted together in main memory: they stay in the processor's cache, and torch shares out 32768 values and
more among its threads, which wait for the next ones in a loop: twice the processor's time, ten times where others use it."""
STORED = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class TensorReader:
    """Reads parameters of a network.

    header  of the file
    stored  name in the network -> name in the file
    device  where they go
    dtype   of a parameter, by its name in the network
    mapped  whether those that stay as they are may be mapped: the file must stay in place while they are used, and what was read
            of it counts as memory of the process until `forget_pages`
    cancel  asked between parameters; True ends the reading with Cancelled
    """

    def __init__(
        self,
        header: CheckpointHeader,
        stored: Mapping[str, str],
        device: torch.device,
        dtype: Callable[[str], torch.dtype],
        mapped: bool = True,
        cancel: Callable[[], bool] | None = None,
    ):
        self.header, self.stored, self.device, self.dtype, self.mapped = header, stored, device, dtype, mapped
        self.cancel = cancel
        self._mapping: mmap.mmap | None = None
        self._mapped_at: dict[int, int] = {}  # address of a mapped tensor -> where it begins in the file

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The parameters of these names. Raises SapiensError if the file cannot be read, and Cancelled."""
        found: dict[str, Tensor] = {}
        at_once = VALUES_AT_ONCE * torch.float32.itemsize if self.device.type == "cpu" else AT_ONCE
        buffer = memoryview(bytearray(at_once))
        try:
            with self.header.path.open("rb", buffering=0) as file:
                for name in names:
                    if self.cancel is not None and self.cancel():
                        raise Cancelled
                    stored, dtype = self.stored[name], self.dtype(name)
                    kept = STORED.get(self.header.dtypes[stored])
                    if kept is None:
                        found[name] = self._other(stored).to(self.device, dtype)
                    elif kept == dtype and self.mapped and self.device.type == "cpu":
                        found[name] = self._of_mapping(file, stored, kept)
                    else:
                        found[name] = self._converted(file, stored, kept, dtype, buffer)
        except (SafetensorError, OSError, ValueError) as error:
            raise SapiensError(f"The weights in {self.header.path.name} cannot be read ({error}).", HINT) from error
        return found

    def forget_pages(self, module: torch.nn.Module) -> None:
        """Tell the system that the mapped weights of a module are not needed for now: they stop counting as memory of the
        process, and come back from the file, or its cache, when they are next read. Weights that were changed are kept."""
        if self._mapping is None or torch.is_grad_enabled() or not hasattr(mmap, "MADV_DONTNEED"):
            return
        for parameter in module.parameters():
            start = self._mapped_at.get(parameter.data_ptr())
            if start is None or parameter.requires_grad or parameter.is_inference() or parameter._version:
                continue
            first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
            length = start + parameter.nbytes - first
            if length > 0:
                self._mapping.madvise(mmap.MADV_DONTNEED, first, length)

    def _of_mapping(self, file: BinaryIO, stored: str, kept: torch.dtype) -> Tensor:
        """A tensor as it lies in the file, which is mapped once for all. Writing to it changes the memory and not the file."""
        start, stop = self.header.offsets[stored]
        if start == stop:
            return torch.empty(self.header.shapes[stored], dtype=kept)
        if self._mapping is None:
            self._mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        values = torch.frombuffer(self._mapping, dtype=kept, count=(stop - start) // kept.itemsize, offset=start)
        self._mapped_at[values.data_ptr()] = start
        return values.view(self.header.shapes[stored])

    def _converted(self, file: BinaryIO, stored: str, kept: torch.dtype, dtype: torch.dtype, buffer: memoryview) -> Tensor:
        """A tensor that the file keeps as `kept`, as `dtype` on the device."""
        start, _ = self.header.offsets[stored]
        result = torch.empty(self.header.shapes[stored], dtype=dtype, device=self.device)
        flat, at, count = result.view(-1), 0, result.numel()
        values = torch.frombuffer(buffer, dtype=kept)
        if self.device.type == "cpu":
            values = values[:VALUES_AT_ONCE]
        file.seek(start)
        while at < count:
            part = values[: count - at]
            if file.readinto(buffer[: part.nbytes]) != part.nbytes:
                raise OSError("it ends too early")
            flat[at : at + len(part)].copy_(part)
            at += len(part)
        return result

    def _other(self, stored: str) -> Tensor:
        """A tensor whose values are of a kind that no released file has."""
        with safe_open(self.header.path, framework="pt") as file:
            return file.get_tensor(stored)


def expect_file(path: Path) -> None:
    """Tell the system that all of a file will be read soon: what is mapped from it comes from the disk before it is touched."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
