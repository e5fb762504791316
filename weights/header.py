"""What a weights file says about itself: names, shapes and metadata, read without loading a tensor and without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from ..core.common.errors import SapiensError


@dataclass(frozen=True)
class CheckpointHeader:
    """Header of a safetensors file.

    shapes    name -> shape of every tensor
    dtypes    name -> safetensors dtype ("F32", "BF16", ...)
    metadata  strings
    offsets   name -> (start, end) of its values in the file, bytes
    """

    path: Path
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    metadata: dict[str, str]
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """Number of values in all tensors."""
        return sum(prod(shape) for shape in self.shapes.values())


def read_header(path: str | Path) -> CheckpointHeader:
    """Read and validate the header of a safetensors file.

    SapiensError if the file is missing, unreadable, cut off, or not safetensors. A pickle is recognised and never opened.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError:
        raise SapiensError(
            f"There is no weights file at {path}.", "Check the path, or list what is installed with: models list."
        ) from None
    except OSError as error:
        raise SapiensError(
            f"The weights file {path} cannot be read: {error.strerror}.", "Check the path and its permissions."
        ) from error
    if start[:2] in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"):
        raise SapiensError(
            f"{path.name} is a pickled PyTorch file, which can run any code when it is opened; it was not opened.",
            "Get the .safetensors file of the same model.",
        )
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            shapes = {name: tuple(part.get_shape()) for name, part in slices.items()}
            dtypes = {name: str(part.get_dtype()) for name, part in slices.items()}
            metadata = dict(file.metadata() or {})
        offsets = _offsets(path)  # only now: what was opened has a header that is whole
    except (SafetensorError, OSError, ValueError) as error:
        raise SapiensError(
            f"{path.name} is cut off, damaged or no file of weights.", "Copy it again from where it came, or download it again."
        ) from error
    return CheckpointHeader(path, shapes, dtypes, metadata, offsets)


def _offsets(path: Path) -> dict[str, tuple[int, int]]:
    """(start, end) of every tensor's values, from the beginning of the file: eight bytes say how long the header is."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        rows = json.loads(file.read(length))
    return {
        name: (8 + length + row["data_offsets"][0], 8 + length + row["data_offsets"][1])
        for name, row in rows.items()
        if name != "__metadata__"
    }
