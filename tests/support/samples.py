"""Reads the synthetic people of tests/samples, or a folder of the same form."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np


class Samples:
    """Samples of a folder, unpacked when they are asked for.

    NAME.safetensors.gz holds exact maps, NAME.gt.npz what is true of the person. Maps as a network would give them are called
    NAME.degraded; where the folder has no such file they are made from the exact ones.

    folder   where the samples are
    cache    where unpacked files go; each is written once
    """

    def __init__(self, folder: Path, cache: Path):
        self.folder, self.cache = folder, cache

    def __call__(self, name: str) -> Path:
        """Path of an unpacked predictions file: `body_apose`, `body_apose.degraded`, `walk/frame_03` ..."""
        path = self.cache / f"{name.replace('/', '_')}.safetensors"
        if not path.exists():
            packed = self.folder / f"{name}.safetensors.gz"
            path.write_bytes(gzip.decompress(packed.read_bytes()) if packed.exists() else self._degraded(name))
        return path

    def truth(self, name: str) -> dict[str, np.ndarray]:
        """Arrays of the ground truth of a sample, the same for its exact maps and its degraded ones."""
        with np.load(self.folder / f"{name.removesuffix('.degraded')}.gt.npz") as file:
            return dict(file)

    def joints(self, name: str) -> dict[str, np.ndarray]:
        """Joint name -> (3,) true position, metres in camera space."""
        truth = self.truth(name)
        return dict(zip(truth["joint_names"].tolist(), truth["joints"], strict=True))

    def _degraded(self, name: str) -> bytes:
        from safetensors.numpy import load_file, save

        from .degraded import degraded

        exact = name.removesuffix(".degraded")
        return save(degraded(load_file(self(exact)), exact))
