"""The jobs that the worker knows. Arguments and results are plain JSON; arrays go through the files named in them."""

from __future__ import annotations

import sys
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ..core.errors import SapiensError

if TYPE_CHECKING:
    from ..core.avatar import AvatarSettings
    from .worker import Progress

PREDICT_SHARE = 0.75
"""Share of the time of a whole run that the network takes; only the progress bar depends on it."""


def predict(photo: str, output: str, progress: Progress, **options: Any) -> dict:
    """Run the network on `photo` and write the predictions file `output`. `options` are those of `infer.predict.predict`."""
    from .predict import predict as run

    predictions = run(photo, progress=progress, **options)
    return {"predictions": str(predictions.save(output)), "size": [predictions.width, predictions.height]}


def build(predictions: str, name: str, output: str, progress: Progress, settings: dict | None = None) -> dict:
    """Make the avatars of a predictions file and write them to `output` for Blender to read."""
    from ..core.avatar import AvatarSettings, make_avatars
    from ..core.avatar_file import save_avatars
    from ..core.data import Predictions

    avatars = make_avatars(Predictions.load(predictions), name, apply_settings(AvatarSettings(), settings or {}), progress)
    notes = list(dict.fromkeys(note for avatar in avatars for note in avatar.notes))
    return {"avatars": str(save_avatars(avatars, output)), "predictions": predictions, "people": len(avatars), "notes": notes}


def run(
    photo: str, predictions: str, name: str, output: str, progress: Progress, settings: dict | None = None, **options: Any
) -> dict:
    """`predict`, then `build`."""
    predict(photo, predictions, lambda stage, fraction: progress(stage, fraction * PREDICT_SHARE), **options)
    rest = partial(_later, progress, PREDICT_SHARE)
    return build(predictions, name, output, rest, settings)


def _later(progress: Progress, start: float, stage: str, fraction: float) -> None:
    progress(stage, start + (1 - start) * fraction)


def doctor(progress: Progress) -> dict:
    """What this Python can do: versions, devices and memory."""
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    report: dict = {
        "python": sys.version.split()[0],
        "libraries": {
            name: installed(name) for name in ("numpy", "scipy", "opencv-python-headless", "safetensors", "torch", "timm")
        },
        "devices": [],
    }
    if report["libraries"]["torch"]:
        progress("torch", 0.2)
        import torch

        report["devices"] = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
        report["devices"] += ["mps"] if torch.backends.mps.is_available() else []
        report["devices"] += ["cpu"]
    return report


def apply_settings(default: AvatarSettings, values: dict[str, Any]) -> AvatarSettings:
    """Settings with the values of a nested dict of the same names in place of the defaults. Raises SapiensError for a foreign name."""
    known = {f.name for f in fields(default)}
    unknown = values.keys() - known
    if unknown:
        raise SapiensError(f"Unknown setting {', '.join(sorted(unknown))}.", "Restart Blender after an update.")
    changes = {}
    for name, value in values.items():
        current = getattr(default, name)
        changes[name] = apply_settings(current, value) if is_dataclass(current) and isinstance(value, dict) else value
    return replace(default, **changes)


JOBS = {"predict": predict, "build": build, "run": run, "doctor": doctor}
