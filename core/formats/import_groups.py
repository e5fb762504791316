"""Which files of a selection make one scene: a predictions file of ours, or demo outputs with their photo."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..capture.photo import SUFFIXES as PHOTOS
from ..common.errors import SapiensError

OURS = ".safetensors"
DEMO = (".npy", ".ply", ".json")
ENDINGS = ("_seg", "_depth", "")
KEYPOINTS = "_predictions.json"


@dataclass(frozen=True)
class Group:
    """What one scene is made of: a predictions file, or a photo and outputs of the demo scripts."""

    name: str
    files: tuple[Path, ...]
    photo: Path | None = None


def group_files(files: Sequence[Path], photo: Path | None = None, beside: bool = True) -> tuple[list[Group], list[SapiensError]]:
    """Sort selected files into groups, in the order of their names; and what is wrong with those that belong to none.

    photo   the photo of all demo outputs, where it is known; else it is looked for among the files and beside them, by name
    beside  take also what the demo scripts wrote for the same photo into the folder of a file, and into those next to it
    """
    problems = [_unknown(path) for path in files if path.suffix.lower() not in (OURS, *DEMO, *PHOTOS)]
    groups = [Group(path.stem, (path,)) for path in sorted(set(files)) if path.suffix.lower() == OURS]
    demo = [path for path in sorted(set(files)) if path.suffix.lower() in DEMO]
    photos = [path for path in files if path.suffix.lower() in PHOTOS] if photo is None else [photo]
    if photos and not demo and not groups and not problems:
        problems.append(
            SapiensError(
                f"{photos[0].name} is a photo, not what a network made of one.", "Choose it in the sidebar, under Reference."
            )
        )
    members: dict[Path, list[Path]] = {}
    for path in demo:
        try:
            for found in [photo] if photo is not None else _photos_of(path, photos):
                members.setdefault(found, []).append(path)
        except SapiensError as error:
            problems.append(error)
    for found, paths in members.items():
        more = list(_more_outputs(found, paths)) if beside else []
        groups.append(Group(stem(found), tuple(dict.fromkeys([*paths, *more])), found))
    return groups, problems


def files_in(folder: Path) -> list[Path]:
    """What can be imported from a folder, by name; where it holds none itself, from the folders in it, as the demo scripts make
    one for each task. SapiensError if there is nothing."""
    for places in ([folder], [place for place in _listed(folder) if place.is_dir()]):
        listed = [path for place in places for path in _listed(place) if path.is_file() and not path.name.startswith(".")]
        found = [path for path in listed if path.suffix.lower() in (OURS, ".npy", ".ply") or path.name.endswith(KEYPOINTS)]
        if found:
            return found
    raise SapiensError(
        f"The folder {folder.name} holds nothing that can be imported.",
        f"Choose one with {OURS} files, or with outputs of the demo scripts: .npy, .ply and *{KEYPOINTS}.",
    )


def stem(photo: Path) -> str:
    """The name that the demo scripts give to the outputs of a photo: up to the first dot."""
    return photo.name.split(".")[0]


def stored_name(group: Group) -> str:
    """Name of the predictions file that is made of demo outputs: changes with any of the files."""
    assert group.photo is not None
    digest = hashlib.sha256()
    for path in (group.photo, *group.files):
        status = path.stat()
        digest.update(f"{path}\n{status.st_size}\n{status.st_mtime_ns}\n".encode())
    return f"{group.name[:80]}-{digest.hexdigest()[:16]}.safetensors"


def _photos_of(path: Path, selected: Sequence[Path]) -> list[Path]:
    """The photos that a demo output is about. Raises SapiensError when there is none."""
    wanted = _stems_of(path)
    places = [path.parent, path.parent.parent]
    near = [*selected, *(found for place in places for found in _listed(place) if found.suffix.lower() in PHOTOS)]
    near += [found for place in _beside(path) for found in _listed(place) if found.suffix.lower() in PHOTOS]
    found = {name: next((photo for photo in near if stem(photo) == name), None) for name in wanted}
    photos = [photo for photo in found.values() if photo is not None]
    if not photos:
        example = wanted[0] if wanted else "photo"
        raise SapiensError(
            f"The photo of {path.name} was not found.",
            f"Put it beside the file under the name {example}.jpg or {example}.png, or choose it in the file browser.",
        )
    return photos if path.suffix.lower() == ".json" else photos[:1]


def _stems_of(path: Path) -> list[str]:
    """Names that the photo of a demo output may have, up to its first dot; the likeliest first."""
    if path.suffix.lower() != ".json":
        return [path.stem.removesuffix(ending) for ending in ENDINGS if path.stem.endswith(ending)]
    try:
        content = json.loads(path.read_bytes())
        return [stem(Path(str(frame["image_name"]))) for frame in content["frames"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SapiensError(
            f"{path.name} is not a keypoint file of the demo script.", "Check that it was copied whole."
        ) from error


def _more_outputs(photo: Path, paths: Iterable[Path]) -> Iterator[Path]:
    """Demo outputs for the photo in the folders of `paths` and in those next to them."""
    folders = dict.fromkeys(place for path in paths for place in (path.parent, *_beside(path)))
    names = {f"{stem(photo)}{ending}.npy" for ending in ENDINGS} | {f"{stem(photo)}.ply"}
    for folder in folders:
        for path in _listed(folder):
            if path.name in names or path.name.endswith(KEYPOINTS):
                yield path


def _beside(path: Path) -> list[Path]:
    """Folders next to the one of a file: the scripts write one for each task."""
    return [folder for folder in _listed(path.parent.parent) if folder.is_dir() and folder != path.parent]


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _unknown(path: Path) -> SapiensError:
    return SapiensError(
        f"{path.name} is no file that can be imported.",
        f"Choose {OURS} files, or outputs of the demo scripts: {', '.join(DEMO)}.",
    )
