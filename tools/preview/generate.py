"""Write training samples: `python -m tools.preview.generate FOLDER --shards N` (64 samples a shard, about 38 MB)."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from .body import load_body
from .render import SAMPLE, Group, random_person, random_view, render

SHARD = 64
VIEWS = 4
"""Cameras around each person."""


def make_shard(seed: int) -> np.ndarray:
    """(64,) records of `SAMPLE`; the same seed gives the same samples."""
    rng = np.random.default_rng(seed)
    body = load_body()
    samples, other = np.zeros(SHARD, SAMPLE), None
    for i in range(0, SHARD, VIEWS):
        person = random_person(rng, body)
        people = [person]
        if other is not None and rng.random() < 0.12:
            offset = np.array([rng.choice([-1, 1]) * rng.uniform(0.5, 1.1), rng.uniform(-0.1, 1.2), 0])
            people.append(other.moved(offset, rng.normal(0, 50)))
        group = Group(body, people)
        for k in range(VIEWS):
            samples[i + k] = render(rng, group, random_view(rng, person))
        other = person
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--first", type=int, default=0, help="seed of the first shard; shards that exist are kept")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for seed in range(options.first, options.first + options.shards):
        target = options.folder / f"{seed:05d}.npy"
        if target.exists():
            continue
        start = time.perf_counter()
        samples = make_shard(seed)
        # A trainer beside this process only ever sees whole files.
        partial = target.with_suffix(".part")
        with partial.open("wb") as file:
            np.save(file, samples)
        partial.replace(target)
        print(f"{target.name}: {(time.perf_counter() - start) / SHARD:.3f} s per sample", flush=True)


if __name__ == "__main__":
    main()
