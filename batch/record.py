"""What is done: one report.json per input. A stage counts as done when its key and all of its files are as recorded.

The key of a stage is a hash of everything that its result depends on: the content of the input, the settings of the stage, the
weights, and the keys of the stages before it. So a changed setting redoes the stages it touches and no other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..core.common.atomic_files import atomic_write

REPORT = "report.json"


def key_of(*parts: object) -> str:
    """A hash of plain values (numbers, strings, lists, dicts)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode("utf-8")).hexdigest()


@dataclass
class Record:
    """The report of one input.

    input, sha256  where it was and what it held
    stages         stage -> {"key": …, "files": {name: size in bytes}}
    error, hint    the reason of a failure, "" = none; failed_key is the key of the stage that failed
    notes          sentences for the artist
    copy_of        name of the item with the same content that holds the results
    """

    input: str
    sha256: str
    stages: dict[str, dict] = field(default_factory=dict)
    error: str = ""
    hint: str = ""
    failed_key: str = ""
    notes: list[str] = field(default_factory=list)
    copy_of: str = ""

    def is_done(self, stage: str, key: str, folder: Path) -> bool:
        entry = self.stages.get(stage)
        return bool(entry) and entry["key"] == key and all(_size(folder / name) == size for name, size in entry["files"].items())

    def done(self, stage: str, key: str, files: Iterable[Path]) -> None:
        self.stages[stage] = {"key": key, "files": {path.name: path.stat().st_size for path in files}}


def load(folder: Path) -> Record | None:
    """The record in a result folder; None if there is none that can be read."""
    try:
        return Record(**json.loads((folder / REPORT).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save(folder: Path, record: Record) -> None:
    """Write report.json, whole or not at all. Raises SapiensError."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / REPORT) as file:
        file.write(json.dumps(asdict(record), indent=1, sort_keys=True, ensure_ascii=False).encode("utf-8"))


def known_names(output: Path) -> dict[str, str]:
    """Content hash -> folder name, of all records below `output` that hold results."""
    found = ((folder.name, load(folder)) for folder in sorted(output.iterdir()) if folder.is_dir()) if output.is_dir() else ()
    return {record.sha256: name for name, record in found if record and record.sha256 and not record.copy_of}


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
