"""From what a person typed to predictions: a photo goes through the network; stored predictions and demo outputs are read."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.common.errors import SapiensError, UsageError
from .console import Console

if TYPE_CHECKING:
    from ..core.common.predictions import Predictions


def predictions_of(path: Path, options: Namespace, console: Console) -> Predictions:
    """Predictions of a photo (by the network), or from a file of ours or of Meta's demo scripts. Raises SapiensError."""
    from ..core.formats.stored_inputs import is_stored, load_stored

    if is_stored(path):
        return load_stored(path)
    return predict_photo(path, options, console)


def predict_photo(path: Path, options: Namespace, console: Console) -> Predictions:
    """Run the network in this process, as the model options ask. Raises SapiensError."""
    try:
        from ..infer.predict import predict
    except ImportError as error:
        raise SapiensError(
            f"The network needs a package that is not installed: {error.name}.", "Install sapiens2-avatar[predict]."
        ) from error
    return predict(
        path,
        model=options.model,
        tasks=options.tasks,
        device=options.device,
        precision=options.precision,
        boxes=options.box,
        flip_test=options.flip_test,
        draft=options.draft,
        progress=lambda stage, fraction: console.progress(path.name, stage, fraction),
    )


def predictions_files(paths: Iterable[Path], folder: Path, options: Namespace, console: Console) -> tuple[Path, ...]:
    """The predictions of inputs as files in `folder`, named after the inputs, made in this process or, inside Blender, whose
    Python lacks what it needs, in the worker's. Inputs that fail are reported and left out."""
    from . import through_worker

    files = []
    for number, path in enumerate(distinct(paths)):
        file = folder / str(number) / f"{path.stem}.safetensors"
        file.parent.mkdir()
        try:
            if through_worker.needed():
                files.append(through_worker.predictions_of(path, file, options, console))
            else:
                files.append(predictions_of(path, options, console).save(file))
        except SapiensError as error:
            console.failed(path, error)
    return tuple(files)


def name_of(path: Path) -> str:
    """What is made of an input is called like the input, or like the photo that a demo output is about. Raises SapiensError."""
    from ..core.formats.stored_inputs import demo_group, is_demo

    return demo_group(path).name if is_demo(path) else path.stem


def distinct(paths: Iterable[Path]) -> list[Path]:
    """The inputs with one demo output of each photo: the others are found beside it."""
    from ..core.formats.stored_inputs import demo_group, is_demo

    kept, photos = [], set()
    for path in paths:
        try:
            photo = demo_group(path).photo if is_demo(path) else None
        except SapiensError:
            photo = None  # the reason is said when it is its turn
        if photo is None or photo not in photos:
            kept.append(path)
        photos.add(photo)
    return kept


def check_blend(path: Path) -> None:
    """Raise UsageError unless the name is that of a Blender file."""
    if path.suffix.lower() != ".blend":
        raise UsageError(f"The output must end in .blend, {path.name} does not.", "Other formats have options of their own.")


def check_writable(path: Path) -> None:
    """Raise SapiensError unless a file can be made at `path`; makes its folder. Asked before hours of work, not after."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SapiensError(
            f"The folder {path.parent} cannot be made: {error.strerror}.", "Choose another place for the result."
        ) from error
    if path.is_dir():
        raise SapiensError(f"{path} is a folder.", "Give the name of a file.")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise SapiensError(f"There is no permission to write {path}.", "Choose another place for the result.")
