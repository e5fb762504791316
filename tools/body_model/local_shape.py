"""Principal directions of the targets that change one part: what the eleven numbers of a person do not say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .makehuman import read_target, read_targets

HEAD = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "nose")
BODY = ("arms", "buttocks", "feet", "hands", "hip", "legs", "neck", "pelvis", "stomach", "torso")
LEFT_OUT = ("nipple", "bulge", "pregnant", "navel", "nubian", "pointed", "square", "triangle")
SPREAD = 0.35  # of a slider, one standard deviation of what is usual


def read_local_targets(root: Path, count: int, groups: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    """Names and (n, count, 3) offsets of the sliders of some groups: half of the way from their lower to their upper end, the
    left and the right side together."""
    table = json.loads((read_targets(root) / "target.json").read_text("utf-8"))
    names, out = [], []
    for group in groups:
        for category in table[group]["categories"]:
            name, opposites = category["name"], category.get("opposites")
            if opposites is None or any(word in name for word in LEFT_OUT):
                continue
            offsets = np.zeros((count, 3))
            for side in ("left", "right", "unsided"):
                ends = opposites[f"negative-{side}"], opposites[f"positive-{side}"]
                if all(ends):
                    low, high = (read_target(read_targets(root) / group / f"{end}.target.gz", count) for end in ends)
                    offsets += (high - low) / 2
            names.append(name)
            out.append(offsets)
    return names, np.array(out)


def principal(offsets: np.ndarray, count: int) -> np.ndarray:
    """(count, N, 3) directions of one standard deviation each, for independent sliders (n, N, 3) with the usual spread."""
    flat = offsets.reshape(len(offsets), -1) * SPREAD
    values, vectors = np.linalg.eigh(flat @ flat.T)
    order = values.argsort()[::-1][:count]
    return (vectors[:, order].T @ flat).reshape(count, *offsets.shape[1:])
