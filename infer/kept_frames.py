"""Predictions of a clip's frames in a folder, found again by picture, weights and options: never those of anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..core.common.atomic_files import sweep_parts
from ..core.common.errors import SapiensError
from ..core.common.memo import digest
from ..core.common.predictions import Predictions
from ..weights.catalogue import PREVIEW, fingerprint

DIGITS = 16


class KeptFrames:
    """The stored frames of a folder, `STEM-NUMBER-DIGEST.safetensors`; other files in it are left alone.

    The digest stands for the picture, the weights and the options: it does not matter which clip, moment or rate a frame was kept
    for. One that cannot be read counts as not there and is written anew.
    """

    def __init__(self, folder: Path, stem: str, options: dict[str, Any]):
        """options: model, tasks, flip_test, precision and draft, as `infer.clip.clip_poses` takes them."""
        self._folder, self._stem = folder, stem
        sweep_parts(folder)
        tasks, model = options.get("tasks"), options.get("model", PREVIEW)
        made_with = options | {"model": fingerprint(model), "tasks": None if tasks is None else sorted(tasks)}
        self._made_with = repr(sorted(made_with.items()))
        self._files = {path.stem[-DIGITS:]: path for path in sorted(folder.glob(f"*-{'?' * DIGITS}.safetensors"))}

    def find(self, image: np.ndarray) -> Predictions | None:
        """What was predicted of this picture (H, W, 3) uint8 in the same way; None = nothing."""
        path = self._files.get(self._key(image))
        if path is None:
            return None
        try:
            return Predictions.load(path)
        except SapiensError:
            return None

    def save(self, made: Predictions, image: np.ndarray, number: int) -> None:
        """Keep what was predicted of the frame of this number. Raises SapiensError if it cannot be written."""
        key = self._key(image)
        made.save(self._files.setdefault(key, self._folder / f"{self._stem}-{number:06d}-{key}.safetensors"))

    def _key(self, image: np.ndarray) -> str:
        return digest(image, self._made_with)[:DIGITS]
