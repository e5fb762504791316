"""A lock file that one process at a time can hold; the system lets go of it however that process ends.

The library filelock does the same and comes with huggingface_hub, but Blender's own Python, which installs the runtime, does not
have it. One way for all: this one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class Held(Exception):
    """Another process, or another caller in this one, holds the lock."""


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the lock of the file at `path`, which is made if need be and stays.

    Raises Held at once where somebody else holds it, OSError where the file cannot be opened for writing.
    """
    with path.open("ab") as file:
        try:
            _lock(file)
        except OSError as error:
            raise Held(path) from error
        yield


def _lock(file: BinaryIO) -> None:
    """Raises OSError where the lock is held. Closing the file gives it back."""
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
