"""The samples that the other files here measure with, synthetic people with exact maps: where they are, and how they are read.

SHARED is $SAPIENS2_SHARED, else the folder `shared` beside the checkout. A sample NAME has NAME.safetensors.gz (exact maps, with
the true albedo), NAME.degraded.safetensors.gz (noisy as a network's) and NAME.gt.npz (what is true of the person).
"""

from __future__ import annotations

import gzip
import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import safetensors.numpy

from sapiens2_avatar.core.common.predictions import Predictions

SHARED = Path(os.environ.get("SAPIENS2_SHARED", Path(__file__).resolve().parents[3] / "shared"))
STUDIO = SHARED / "studio"
PACKED = ".safetensors.gz"


def sample_names(folder: Path) -> list[str]:
    """Names of the samples in a folder. Leaves with a sentence if there are none."""
    names = sorted(path.name.removesuffix(PACKED) for path in folder.glob(f"*{PACKED}") if ".degraded" not in path.name)
    if not names:
        raise SystemExit(f"No samples in {folder}.")
    return names


def read_maps(folder: Path, name: str) -> dict[str, np.ndarray]:
    """The arrays of a sample by their keys; `name` with .degraded for those of a network."""
    return safetensors.numpy.load(gzip.decompress((folder / f"{name}{PACKED}").read_bytes()))


def read_predictions(folder: Path, name: str) -> Predictions:
    """A sample as predictions; what predictions do not hold is left out."""
    maps = read_maps(folder, name)
    maps["keypoints"] = maps["keypoints"].reshape(-1, 308, 3)
    return Predictions(**{field.name: maps[field.name] for field in fields(Predictions) if field.name in maps})
