"""Bringing weights into the models folder, and checking the ones that are there.

Beside each file lies its provenance, ``<name>.json``: the SHA-256 that it had when it came, and where it came from.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.common.atomic_files import atomic_write
from ..core.common.errors import SapiensError
from ..core.common.progress import Progress
from .catalogue import CHECKPOINTS, ModelRow, ReleasedCheckpoint, find_checkpoint, identify, models_folder, row_of
from .header import read_header
from .licence import require_acceptance

CHUNK = 1 << 22


@dataclass(frozen=True)
class Provenance:
    """What was known of a file when it came: SHA-256 in hex, bytes, the Hub's commit (may be empty), and its source."""

    sha256: str
    size: int
    revision: str = ""
    source: str = ""


@dataclass(frozen=True)
class Verification:
    """One line of `models verify`.

    ok        nothing is wrong
    problem   what is wrong, one sentence; empty if nothing is
    sha256    of the file as it is now
    recorded  whether there was a hash to compare with
    """

    model: str
    task: str
    path: Path
    ok: bool
    problem: str
    sha256: str
    recorded: bool


def verify_model(model: str | None = None, progress: Progress | None = None) -> list[Verification]:
    """Read every installed file (of one model, or of all) from end to end: header, names and sizes of the network, SHA-256.

    The hash is compared with the one that the file came with, or with the name that the Hugging Face cache gave it.
    SapiensError if the model does not exist or nothing of it is installed.
    """
    installed = []
    for size, task in CHECKPOINTS:
        if model in (None, size) and (path := find_checkpoint(size, task)) is not None:
            installed.append((CHECKPOINTS[size, task], path))
    if model is not None and not installed:
        find_checkpoint(model, "pose")  # names the models if there is none of this name
        raise SapiensError(f"Nothing of {model} is installed.", f"Get it with: models download {model}")
    return [_verify(checkpoint, path, progress) for checkpoint, path in installed]


def _verify(checkpoint: ReleasedCheckpoint, path: Path, progress: Progress | None) -> Verification:
    label = f"{checkpoint.model} {checkpoint.task}"
    known = known_hash(path)
    found, problem = "", ""
    try:
        if not checkpoint.describes(read_header(path)):
            problem = f"{path.name} is not the {checkpoint.task} file of {checkpoint.model}."
        found = hash_file(path, lambda done: progress(label, done) if progress else None)
    except SapiensError as error:
        problem = error.message
    except OSError as error:
        problem = f"{path.name} cannot be read: {error.strerror}."
    if not problem and known and found != known:
        problem = f"{path.name} has changed since it was installed."
    return Verification(checkpoint.model, checkpoint.task, path, not problem, problem, found, bool(known))


def import_model(
    path: str | Path, link: bool = False, accept_licence: bool = False, progress: Progress | None = None
) -> list[ModelRow]:
    """Take released checkpoints from a file or from a folder (with subfolders) into the models folder.

    Files are recognised by what is in them, so ``model.safetensors`` of the Hub and Meta's own names both work.

    link  make a link instead of a copy: the original must stay where it is
    Returns what was imported. SapiensError if the licence is not accepted, nothing is found, the disk has no room, or a file is
    not what it seems; files that came before it stay.
    """
    found = _released_files(Path(path).expanduser())
    require_acceptance(accept_licence)
    make_models_folder()
    rows = []
    for checkpoint, source in found:
        target = models_folder() / checkpoint.files[0]
        label = f"{checkpoint.model} {checkpoint.task}"

        def report(done: float, label: str = label) -> None:
            if progress is not None:
                progress(label, done)

        if target.exists() and target.samefile(source):
            rows.append(row_of(checkpoint, target))
            continue
        digest = _link(source, target, report) if link else _copy(source, target, report)
        write_provenance(target, Provenance(digest, source.stat().st_size, source=str(source)))
        rows.append(row_of(checkpoint, target))
    return rows


def _released_files(path: Path) -> list[tuple[ReleasedCheckpoint, Path]]:
    """Checkpoints at a path. Where a folder has one twice, the first by name counts."""
    if path.is_file():
        checkpoint = identify(read_header(path))
        if checkpoint is None:
            raise SapiensError(
                f"{path.name} is no file of released Sapiens2 weights.",
                "A model of your own can be used without importing it: pass its path as the model.",
            )
        return [(checkpoint, path)]
    if not path.is_dir():
        raise SapiensError(f"There is nothing at {path}.", "Give a .safetensors file or a folder that has some.")
    found: dict[ReleasedCheckpoint, Path] = {}
    unreadable = []
    for file in sorted(path.rglob("*.safetensors")):
        try:
            checkpoint = identify(read_header(file))
        except SapiensError as error:
            unreadable.append(error.message)
            continue
        if checkpoint is not None:
            found.setdefault(checkpoint, file)
    if not found:
        reason = f" {unreadable[0]}" if unreadable else ""
        raise SapiensError(
            f"No Sapiens2 weights were found in {path}.{reason}",
            "It should have files like sapiens2_0.4b_pose.safetensors, or model.safetensors as downloaded from the Hub.",
        )
    return list(found.items())


def _copy(source: Path, target: Path, progress: Callable[[float], None]) -> str:
    """Copy and return the SHA-256 of what was written."""
    size = source.stat().st_size
    require_space(target.parent, size)
    digest, done = hashlib.sha256(), 0
    try:
        with source.open("rb") as reader, atomic_write(target) as writer:
            while chunk := reader.read(CHUNK):
                writer.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                progress(done / size)
    except OSError as error:
        raise SapiensError(f"{source} could not be copied: {error.strerror}.", "Check the disk and try again.") from error
    return digest.hexdigest()


def _link(source: Path, target: Path, progress: Callable[[float], None]) -> str:
    """Link and return the SHA-256 of the original. A hard link where symbolic ones need rights that the person lacks."""
    digest = hash_file(source, progress)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.link")
    try:
        unfinished.unlink(missing_ok=True)
        try:
            unfinished.symlink_to(source.resolve())
        except OSError:
            unfinished.hardlink_to(source.resolve())
        unfinished.replace(target)
    except OSError as error:
        raise SapiensError(f"{source.name} could not be linked: {error.strerror}.", "Import it as a copy.") from error
    return digest


def make_models_folder() -> Path:
    """The models folder, made if need be. SapiensError where it cannot be."""
    folder = models_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SapiensError(
            f"The models folder {folder} cannot be made: {error.strerror}.", "Choose another one, or set SAPIENS2_MODELS."
        ) from error
    return folder


def require_space(folder: Path, size: int) -> None:
    """SapiensError if the disk of the folder has less than `size` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise SapiensError(
            f"The disk of {folder} has {free / 1e9:.1f} GB free; {size / 1e9:.1f} GB are needed.",
            "Free some space, or choose another models folder.",
        )


def hash_file(path: Path, progress: Callable[[float], None] = lambda _: None) -> str:
    """SHA-256 of a file, in hex."""
    size, done, digest = max(path.stat().st_size, 1), 0, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress(done / size)
    return digest.hexdigest()


def write_provenance(path: Path, provenance: Provenance) -> None:
    """Write down the hash of an installed file."""
    with atomic_write(path.with_name(f"{path.name}.json")) as file:
        file.write(json.dumps(asdict(provenance), indent=1).encode())


def read_provenance(path: Path) -> Provenance | None:
    """What is written beside a file, None if there is nothing, or nothing that can be read."""
    try:
        values = json.loads(path.with_name(f"{path.name}.json").read_text("utf-8"))
        return Provenance(str(values["sha256"]), int(values["size"]), str(values["revision"]), str(values["source"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def known_hash(path: Path) -> str:
    """SHA-256 that the file should have; empty where nobody wrote it down.

    The Hugging Face cache names each blob by its hash and links to it from the snapshot.
    """
    if provenance := read_provenance(path):
        return provenance.sha256
    blob = path.resolve().name
    return blob if len(blob) == 64 and set(blob) <= set("0123456789abcdef") else ""
