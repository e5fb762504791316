"""Containers: arrays and strings in one safetensors file, with the name and the version of their format among the strings.

Every file of ours that holds arrays is one. It is untrusted input:
one that is cut, foreign or newer ends in a SapiensError of one sentence.

Written byte for byte the same for the same content: keys sorted, no clock. safetensors' own writer orders the strings at random,
so the header is written here (8 bytes little-endian length, JSON padded with spaces to a multiple of 8, data).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .atomic_files import atomic_write
from .errors import SapiensError

SAFETENSORS_TYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32",
    "uint64": "U64", "int64": "I64", "float16": "F16", "float32": "F32", "float64": "F64",
}  # fmt: skip


@dataclass(frozen=True)
class Format:
    """One kind of container.

    name       in the file, for programs
    version    that is written, and the newest that can be read; a file that states none is of the first
    content    what a file holds, in an artist's words: "a pose"
    again      hint, one sentence: how to get a whole file
    other      hint: which file to choose instead of a foreign one; empty = `again`
    anonymous  files that name no format are read too, since people make them by hand
    """

    name: str
    version: int
    content: str
    again: str
    other: str = ""
    anonymous: bool = False


@dataclass(frozen=True, eq=False)
class Container:
    """What a file holds: arrays by their keys, and strings."""

    arrays: dict[str, np.ndarray]
    strings: dict[str, str]


def write_container(path: str | Path, kind: Format, arrays: Mapping[str, np.ndarray], strings: Mapping[str, str]) -> Path:
    """Write `arrays` of any type in SAFETENSORS_TYPES, and `strings`, whole or not at all;
    `strings` may state format and version themselves.

    Raises SapiensError when the file cannot be written (no permission, full disk, missing folder).
    """
    path = Path(path)
    little = {key: np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for key, array in arrays.items()}
    metadata = {"format": kind.name, "version": str(kind.version)} | dict(strings)
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    offset = 0
    # Wide types first keep every array aligned to its own size, which readers that map the file rely on.
    order = sorted(little, key=lambda key: (-little[key].itemsize, key))
    for key in order:
        array = little[key]
        header[key] = {
            "dtype": SAFETENSORS_TYPES[array.dtype.name],
            "shape": list(arrays[key].shape),  # ascontiguousarray gives a single number an axis
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    with atomic_write(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for key in order:
            file.write(little[key].data)
    return path


def read_container(path: str | Path, kind: Format, wanted: Callable[[str], bool] = lambda key: True) -> Container:
    """Read a file of this kind; arrays whose keys are not `wanted` are left alone.

    Raises SapiensError for a file that is missing, cut, not safetensors, of another format or of a newer version.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if path.is_dir():
        raise SapiensError(f"{path} is a folder, not a file of {kind.content}.", "Choose a file in it.")
    try:
        with safe_open(path, framework="np") as file:
            strings = file.metadata() or {}
            _check(path.name, kind, strings)
            return Container({key: file.get_tensor(key) for key in file.keys() if wanted(key)}, strings)  # noqa: SIM118 (no dict)
    except FileNotFoundError as error:
        raise SapiensError(f"{path} does not exist.", "Check the name.") from error
    except PermissionError as error:
        raise SapiensError(f"No permission to read {path}.", "Change the rights of the file.") from error
    except (SafetensorError, OSError, TypeError, ValueError, KeyError, AttributeError) as error:
        # TypeError, KeyError, AttributeError: numpy has no such type (bfloat16, float8), depending on the version.
        raise SapiensError(f"{path.name} is cut off, damaged or no file of {kind.content}.", kind.again) from error
    except MemoryError as error:
        raise SapiensError(f"{path.name} does not fit into memory.", "Close other programs or use a smaller photo.") from error


def _check(name: str, kind: Format, strings: Mapping[str, str]) -> None:
    """Raise SapiensError for strings that name another format, or a version that is not known yet."""
    found = strings.get("format", kind.name if kind.anonymous else "")
    if not found:
        raise SapiensError(f"{name} does not hold {kind.content}.", kind.other or kind.again)
    if found != kind.name:
        raise SapiensError(f"{name} is a {found[:40]} file, not {kind.content}.", kind.other or kind.again)
    version = strings.get("version", "1").split(".")[0]
    if version.isdigit() and int(version) > kind.version:
        raise SapiensError(
            f"{name} was written by a newer version (format {strings['version'][:20]}).", "Update Sapiens2 Avatar."
        )


@contextmanager
def fitting(path: str | Path, kind: Format) -> Iterator[None]:
    """Around code that makes the content of a file into what it stands for. What is missing or does not fit is the file's fault:
    a SapiensError."""
    try:
        yield
    except KeyError as error:
        raise SapiensError(f"{Path(path).name} is not whole: it lacks {error.args[0]}.", kind.again) from error
    except (SapiensError, ValueError, TypeError, IndexError, AttributeError) as error:
        told = error.message if isinstance(error, SapiensError) else _short(error) + "."
        raise SapiensError(f"{Path(path).name} does not fit together: {told}", kind.again) from error


def _short(error: Exception) -> str:
    """The first line of an error of another library, for use inside a sentence."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120].rstrip(".")
