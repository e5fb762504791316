"""Writing files so that a reader sees the old file or the whole new one, never a part."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from .errors import SapiensError


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
