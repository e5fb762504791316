"""Several photos of one person as one input of a batch: a folder of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..core.common.errors import SapiensError
from ..core.common.predictions import Predictions
from ..core.formats.stored_inputs import is_stored, load_stored
from .items import PREDICTIONS, Item, safe_name

LEFT_OUT = "left_out"
"""Key of the first photo's metadata: sentences, a line each, about photos that could not be used."""
Look = Callable[[Sequence[Path]], Iterator[Predictions | SapiensError]]


def predict_person(item: Item, folder: Path, look: Look) -> list[Path]:
    """Look at all photos of a person and write what was seen into the folder: NAME.safetensors of the first photo that can be
    used, NAME.PHOTO.safetensors of each of the others.

    look  photos -> what the network gives for each, in turn

    Photos that cannot be used are left out, and the first file says so. Raises SapiensError where none can.
    """
    looked = look([photo for photo in item.photos if not is_stored(photo)])
    first: Predictions | None = None
    files: list[Path] = []
    problems: list[tuple[Path, SapiensError]] = []
    for photo in item.photos:
        try:
            found = load_stored(photo) if is_stored(photo) else next(looked)
        except SapiensError as error:
            found = error
        if isinstance(found, SapiensError):
            problems.append((photo, found))
        elif first is None:
            first = found
        else:
            files.append(found.save(_free(folder, f"{item.name}.{safe_name(photo.stem)}", files)))
    if first is None:
        error = problems[0][1]
        raise SapiensError(f"No photo in {item.path.name} can be used: {error.message}", error.hint)
    if problems:
        said = "\n".join(f"{photo.name} was left out: {error.message}" for photo, error in problems)
        first = replace(first, metadata={**first.metadata, LEFT_OUT: said})
    return [first.save(folder / f"{item.name}{PREDICTIONS}"), *files]


def _free(folder: Path, name: str, taken: list[Path]) -> Path:
    """A file that none of the photos before has, though two of them may have one name."""
    path, count = folder / f"{name}{PREDICTIONS}", 2
    while path in taken:
        path, count = folder / f"{name} {count}{PREDICTIONS}", count + 1
    return path


def other_photos(item: Item, folder: Path, files: Sequence[str]) -> dict[str, Predictions]:
    """The photos after the first by name, out of the names of the files that `predict_person` has written."""
    first = f"{item.name}{PREDICTIONS}"
    return {
        name[len(item.name) + 1 : -len(PREDICTIONS)]: Predictions.load(folder / name) for name in sorted(files) if name != first
    }


def left_out(first: Predictions) -> tuple[str, ...]:
    """Sentences about photos that were of no use."""
    return tuple(filter(None, first.metadata.get(LEFT_OUT, "").split("\n")))
