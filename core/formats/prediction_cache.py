"""The folder of stored predictions: how much is in it, and what may go; and the logs beside it.

Only files that `operators` named themselves count: the stem of the photo, a hyphen, 16 hexadecimal digits. The folder may be one
of the artist's, with other things in it.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r".+-[0-9a-f]{16}\.safetensors")
LOG_DAYS = 14.0


@dataclass(frozen=True)
class Stored:
    """A stored predictions file: its bytes, and when it was last used, in seconds since 1970."""

    path: Path
    size: int
    used: float


def stored_predictions(folder: Path) -> list[Stored]:
    """The predictions in a folder, the one used longest ago first; nothing where the folder cannot be read."""
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                status = entry.stat()
                found.append(Stored(Path(entry.path), status.st_size, status.st_mtime))
    return sorted(found, key=lambda stored: (stored.used, stored.path))


def mark_used(path: Path) -> None:
    """Note that a predictions file is in use now: its time of change is its time of use."""
    with contextlib.suppress(OSError):
        os.utime(path)


def prune(folder: Path, limit: int, keep: Collection[Path]) -> list[Path]:
    """Delete what was used longest ago until the folder has at most `limit` bytes of predictions; return what was deleted.

    keep  what must stay, whatever the limit says. A file that cannot be deleted stays too
    """
    found = stored_predictions(folder)
    total = sum(stored.size for stored in found)
    kept = {path.resolve() for path in keep}
    deleted = []
    for stored in found:
        if total <= limit:
            break
        if stored.path.resolve() in kept:
            continue
        try:
            stored.path.unlink()
        except OSError:  # another program has it open
            continue
        total -= stored.size
        deleted.append(stored.path)
    return deleted


def sweep_logs(folder: Path, now: float | None = None) -> None:
    """Delete the logs that nothing was written to for `LOG_DAYS`: each Blender leaves one."""
    oldest = (time.time() if now is None else now) - LOG_DAYS * 86400
    for path in folder.glob("*.log"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
