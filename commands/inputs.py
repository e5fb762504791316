"""From what a person typed to predictions: a photo goes through the network, a predictions file is read."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from ..core.data import Predictions
from ..core.errors import SapiensError
from .console import Console


def predictions_of(path: Path, options: Namespace, console: Console) -> Predictions:
    """Predictions of a photo (by the network) or from a .safetensors file. Raises SapiensError."""
    if path.suffix.lower() == ".safetensors":
        return Predictions.load(path)
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
        flip_test=options.flip,
        progress=lambda stage, fraction: console.progress(path.name, stage, fraction),
    )


def focal_from_exif(path: Path) -> float | None:
    """Focal length for 35 mm film that the photo states, millimetres; None for predictions and photos without it."""
    if path.suffix.lower() == ".safetensors":
        return None
    from ..core.photo import read_photo

    return read_photo(path).focal_35mm


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
