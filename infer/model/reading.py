"""Tensors of a safetensors file, brought to a device in the precision that is wanted: at no time is there a second copy of them.

A tensor that stays as it is in main memory is mapped from the file. Any other is read a few megabytes at a time and converted on
its way, so that the memory taken is that of the tensors in their new precision.
"""

from __future__ import annotations

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
"""Bytes of the file that are in memory while they are converted."""
STORED = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


class TensorReader:
    """Reads parameters of a network.

    header  of the file
    stored  name in the network -> name in the file
    device  where they go
    dtype   of a parameter, by its name in the network
    mapped  whether those that stay as they are may be mapped: the file must stay in place while they are used, and what was read
            of it counts as memory of the process until the last of them is gone
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

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The parameters of these names. Raises SapiensError if the file cannot be read, and Cancelled."""
        found: dict[str, Tensor] = {}
        buffer = memoryview(bytearray(AT_ONCE))
        try:
            with safe_open(self.header.path, framework="pt") as mapping, self.header.path.open("rb") as file:
                for name in names:
                    if self.cancel is not None and self.cancel():
                        raise Cancelled
                    stored, dtype = self.stored[name], self.dtype(name)
                    kept = STORED.get(self.header.dtypes[stored])
                    if kept is None or (kept == dtype and self.mapped and self.device.type == "cpu"):
                        found[name] = mapping.get_tensor(stored).to(self.device, dtype)
                    else:
                        found[name] = self._converted(file, stored, kept, dtype, buffer)
        except (SafetensorError, OSError) as error:
            raise SapiensError(f"The weights in {self.header.path.name} cannot be read ({error}).", HINT) from error
        return found

    def _converted(self, file: BinaryIO, stored: str, kept: torch.dtype, dtype: torch.dtype, buffer: memoryview) -> Tensor:
        """A tensor that the file keeps as `kept`, as `dtype` on the device."""
        start, _ = self.header.offsets[stored]
        result = torch.empty(self.header.shapes[stored], dtype=dtype, device=self.device)
        flat, at = result.view(-1), 0
        file.seek(start)
        while at < len(flat):
            part = buffer[: min(len(buffer), (len(flat) - at) * kept.itemsize)]
            if file.readinto(part) != len(part):
                raise OSError("it ends too early")
            values = torch.frombuffer(part, dtype=kept)
            flat[at : at + len(values)].copy_(values)
            at += len(values)
        return result


def expect_file(path: Path) -> None:
    """Tell the system that all of a file will be read soon: what is mapped from it comes from the disk before it is touched."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
