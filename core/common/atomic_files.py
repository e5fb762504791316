"""Writing files so that a reader sees the old file or the whole new one, never a part."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from .errors import SapiensError
from .file_lock import Held, file_lock

PART = re.compile(r"\..+\.[0-9a-f]{32}\.part")
PART_HOURS = 24.0
"""How long nothing was written to a temporary file of `atomic_write` before its process counts as dead."""


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path`; when the block ends well it is flushed to the disk and takes the name `path`.

    When the block or the disk fails, the temporary file is removed and a former `path` stays as it was.
    Raises SapiensError for a missing folder, no permission, a full disk and every other OSError.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # the rename would take the place of a device or a pipe
        raise _in_the_way(path)
    temporary = path.parent / f".{path.name[:80]}.{uuid4().hex}.part"
    try:
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _explained(path, error) from error


def sweep_parts(folder: Path, now: float | None = None) -> None:
    """Delete the temporary files that processes left in a folder when they were killed while they wrote.

    Only names that `atomic_write` gives count, of files that nothing was written to for `PART_HOURS`. One process sweeps at a
    time. What cannot be deleted, or a folder that cannot be written to, is left as it is: writing there says why.
    """
    oldest = (time.time() if now is None else now) - PART_HOURS * 3600
    with suppress(OSError, Held):
        found = [
            Path(entry.path)
            for entry in os.scandir(folder)
            if PART.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        ]
        if not found:
            return
        with file_lock(folder / ".sweep.lock"):
            for path in found:
                with suppress(OSError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()


def _in_the_way(path: Path) -> SapiensError:
    return SapiensError(f"{path} cannot be written: something that is no file is in the way.", "Choose another name.")


def _explained(path: Path, error: OSError) -> SapiensError:
    """The sentence for an OSError met while writing `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SapiensError(f"The disk is full: {path.name} was not written.", "Free some space or choose another folder.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return SapiensError(f"No permission to write {path.name} in {path.parent}.", "Choose a folder that you may write to.")
    if error.errno == errno.ENOENT:
        return SapiensError(f"The folder {path.parent} does not exist.", "Create it first or choose another one.")
    if error.errno in (errno.EISDIR, errno.ENOTDIR):
        return _in_the_way(path)
    return SapiensError(f"{path.name} could not be written: {error.strerror or error}.", "Choose another folder or disk.")


def long_path(path: Path, windows: bool = os.name == "nt") -> Path:
    """A path that Windows takes also beyond 260 letters, as some files of torch have them: absolute, without dots, marked."""
    return Path(rf"\\?\{os.path.abspath(path)}") if windows else path  # noqa: PTH100 (resolve would follow links)
