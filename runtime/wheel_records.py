"""Whether the files of an environment are those that were installed: each wheel leaves a RECORD of sizes and hashes.

RECORD is read here: from Python 3.12 on, `importlib.metadata.Distribution.files` leaves out the files that are missing, and those
are what has to be found.
"""

from __future__ import annotations

import base64
import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ..core.common.atomic_files import long_path
from ..core.common.errors import Cancelled


def damaged_packages(
    environment: Path,
    content: bool = False,
    progress: Callable[[float], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[str]:
    """Names of the packages of an environment that lack a file, or have one of another size; sorted.

    content   also compare the SHA-256 of each file: reads everything once
    progress  called with the share of the packages that were looked at
    Raises Cancelled when `stopped()` says so.
    """
    records = sorted(
        [*environment.glob("lib/python*/site-packages/*.dist-info"), *environment.glob("Lib/site-packages/*.dist-info")]
    )
    damaged = set()
    for index, folder in enumerate(records):
        progress(index / len(records))
        if not _is_whole(folder, content, stopped):
            damaged.add(folder.name.split("-")[0].replace("_", "-").lower())
    return sorted(damaged)


def _is_whole(folder: Path, content: bool, stopped: Callable[[], bool]) -> bool:
    try:
        for path, digest, size in _files(folder):
            if stopped():
                raise Cancelled
            if size and path.stat().st_size != int(size):
                return False
            if content and digest.startswith("sha256=") and _sha256(path) != digest.removeprefix("sha256="):
                return False
            if not size and not path.exists():
                return False
    except (OSError, ValueError):  # a file or the record itself is missing or no record
        return False
    return True


def _files(folder: Path) -> Iterator[tuple[Path, str, str]]:
    """Path, hash and size of each file of the package whose .dist-info folder this is."""
    with (folder / "RECORD").open(encoding="utf-8", newline="") as file:
        for name, digest, size in csv.reader(file):
            yield long_path(folder.parent / name), digest, size


def _sha256(path: Path) -> str:
    """As RECORD writes it: base64 for URLs without padding."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
