"""What a batch is asked to do: inputs in a fixed order, each with its content hash and the folder of its results."""

from __future__ import annotations

import glob
import hashlib
import re
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..core.capture.frame_numbers import natural_order
from ..core.capture.photo import SUFFIXES
from ..core.capture.video import IMAGES, VIDEOS
from ..core.common.errors import SapiensError, UsageError
from ..core.formats.stored_inputs import demo_group, is_demo

PHOTOS = {*SUFFIXES, ".gif", ".jp2"}
"""What is worth a try: a photo that cannot be read ends with its reason."""
PREDICTIONS = ".safetensors"
MAX_NAME_BYTES = 96  # of a result folder: file systems allow 255, and suffixes, temporary names and clones need room


@dataclass(frozen=True)
class Item:
    """One input.

    path    where it is
    name    of its result folder and files; unique within the batch
    sha256  of its bytes; "" when it could not be read, and then
    error   and hint say why
    clip    a video, or a folder of frames: its result is motion
    photos  of one person, in the order of their names: the input is the folder that holds them
    """

    path: Path
    name: str
    sha256: str = ""
    error: str = ""
    hint: str = ""
    clip: bool = False
    photos: tuple[Path, ...] = ()


def find_inputs(source: str, one_person: bool = False) -> list[Path]:
    """Photos, videos and predictions that `source` names.

    source  a folder (searched deeply), a text file with a path per line, a pattern, or one file. A folder that a list or a
            pattern names is a clip if it holds frames
    one_person  each folder in the folder `source` is one person, with all photos in it, however deep

    A folder gives every file and every folder that has the suffix of a photo, so that odd ones are reported instead of missed.
    Outputs of Meta's demo scripts, which lie beside their photos, count where a list names them or a pattern ends in
    their suffix.
    Raises SapiensError when nothing is found.
    """
    path = Path(source)
    if path.is_dir():
        found = sorted(_walk(path), key=lambda p: p.relative_to(path).as_posix())
        if one_person:
            found = [file if file.parent == path else path / file.relative_to(path).parts[0] for file in found]
    elif path.is_file() and path.suffix.lower() in (".txt", ".lst", ".list"):
        lines = (line.strip() for line in path.read_text("utf-8-sig", errors="surrogateescape").splitlines())
        found = [path.parent / line for line in lines if line and not line.startswith("#")]
    elif path.exists() or path.is_symlink():
        found = [path]
    else:
        matches = map(Path, sorted(glob.glob(source, recursive=True)))  # noqa: PTH207
        found = [p for p in matches if _wanted(p) or _frames(p) or (is_demo(p) and source.lower().endswith(p.suffix.lower()))]
    found = list(dict.fromkeys(found))
    if not found:
        raise SapiensError(
            f"No photo was found in {source}.",
            f"Photos end in {', '.join(sorted(PHOTOS))}, videos in {', '.join(sorted(VIDEOS))}, "
            f"stored predictions in {PREDICTIONS}.",
        )
    return found


def make_items(
    paths: Iterable[Path], pattern: str = "{stem}", known: dict[str, str] | None = None, one_person: bool = False
) -> list[Item]:
    """Hash the inputs and name their results.

    pattern     may use {stem}, {parent}, {index} (from 1) and {sha8}
    known       content hash -> folder name of an earlier run: the same content keeps its folder whatever the file is called now
    one_person  a folder holds photos of one person, instead of the frames of a clip
    """
    known = known or {}
    taken: set[str] = set()
    rows = []
    for index, path in enumerate(paths, 1):
        photos = photos_of(path) if one_person and path.is_dir() else ()
        sha256, error, hint = (_hash_of(photos), "", "") if photos else _content_hash(path)
        try:
            stem = path.name if photos else path.stem  # what follows the point of a folder's name is part of it
            wanted = pattern.format(stem=stem, parent=path.parent.name, index=index, sha8=sha256[:8] or "unread")
        except (KeyError, IndexError, ValueError) as problem:
            raise UsageError(
                f"The name pattern {pattern!r} is wrong: {problem}.", "It may use {stem}, {parent}, {index} and {sha8}."
            ) from problem
        rows.append((path, safe_name(wanted), sha256, error, hint, photos))
    # Names that an earlier run gave away come first, so that a new input cannot take the folder of an old one.
    names = {sha: known[sha] for _, _, sha, *_ in rows if sha in known}
    taken |= {name.casefold() for name in names.values()}
    items = []
    seen: set[str] = set()
    for path, wanted, sha256, error, hint, photos in rows:
        if sha256 in names and sha256 not in seen:
            name = names[sha256]
        else:
            name, n = wanted, 2
            while name.casefold() in taken:
                name, n = f"{wanted}-{n}", n + 1
        taken.add(name.casefold())
        seen.add(sha256)
        clip = not error and not photos and (path.suffix.lower() in VIDEOS or path.is_dir())
        items.append(Item(path, name, sha256, error, hint, clip, photos))
    return items


def photos_of(folder: Path) -> tuple[Path, ...]:
    """Photos and predictions in a folder, however deep, in the natural order of their names; empty for none."""
    found = [path for path in _walk(folder) if path.suffix.lower() not in VIDEOS]
    return tuple(sorted(found, key=lambda path: natural_order(path.relative_to(folder).as_posix())))


def chunk(items: list[Item], part: int, parts: int) -> list[Item]:
    """The part-th (from 1) of `parts` shares. Copies of one content fall into one share, whoever computes the split."""
    return [item for item in items if int(item.sha256[:8] or _path_hash(item)[:8], 16) % parts == part - 1]


def safe_name(text: str) -> str:
    """A file name that every system accepts, with the letters of all scripts; long ones are cut and end in a hash."""
    name = re.sub(r'[\x00-\x1f<>:"/\\|?*\udc80-\udcff]+', "_", unicodedata.normalize("NFC", text)).strip(" .") or "photo"
    encoded = name.encode("utf-8")
    if len(encoded) <= MAX_NAME_BYTES:
        return name
    return encoded[: MAX_NAME_BYTES - 9].decode("utf-8", errors="ignore") + "-" + hashlib.sha256(encoded).hexdigest()[:8]


def _walk(folder: Path) -> Iterable[Path]:
    for path in folder.rglob("*"):
        if _wanted(path) and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            yield path


def _wanted(path: Path) -> bool:
    return path.suffix.lower() in PHOTOS | VIDEOS | {PREDICTIONS}


def _frames(folder: Path) -> list[Path]:
    """The frames of a folder that is a clip; none for anything else."""
    if not folder.is_dir() or folder.suffix.lower() in PHOTOS:
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGES and not path.name.startswith("."))


def _content_hash(path: Path) -> tuple[str, str, str]:
    """(sha256, "", "") or ("", error, hint)."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            if frames := _frames(path):
                return _hash_of(frames), "", ""
            return "", f"{path.name} is a folder.", "Give the photos in it."
        if not stat.S_ISREG(mode):
            return "", f"{path.name} is not a file.", ""
        if is_demo(path):
            group = demo_group(path)
            return _hash_of([group.photo, *sorted(group.files)] if group.photo is not None else list(group.files)), "", ""
        return _file_hash(path), "", ""
    except SapiensError as problem:
        return "", problem.message, problem.hint
    except OSError as problem:
        return (
            "",
            f"{path.name} could not be read: {problem.strerror or problem}.",
            "Check that the file exists and that you may read it.",
        )


def _hash_of(files: Iterable[Path]) -> str:
    """Of the names and the contents of several files; one that cannot be read counts by its name."""
    digest = hashlib.sha256()
    for path in files:
        try:
            content = _file_hash(path)
        except OSError:
            content = ""
        digest.update(f"{path.name}\0{content}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _path_hash(item: Item) -> str:
    return hashlib.sha256(str(item.path).encode("utf-8", "surrogateescape")).hexdigest()
