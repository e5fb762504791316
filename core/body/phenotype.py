"""What a person is, as MakeHuman's eleven numbers, and how they mix the targets of the body.

A number lies between anchors that each have a name ("child", "young"): the two neighbours share it linearly. The weight of a
target is the product of the shares of the variations that it stands for (multilinear interpolation), so its derivative is known.
"""

from __future__ import annotations

import numpy as np

CHOICES: dict[str, tuple[str, ...]] = {
    "ancestry": ("african", "asian", "caucasian"),
    "gender": ("male", "female"),
    "age": ("newborn", "baby", "child", "young", "old"),
    "muscle": ("minmuscle", "averagemuscle", "maxmuscle"),
    "weight": ("minweight", "averageweight", "maxweight"),
    "height": ("minheight", "maxheight"),
    "proportions": ("idealproportions", "uncommonproportions"),
    "cupsize": ("mincup", "averagecup", "maxcup"),
    "firmness": ("minfirmness", "averagefirmness", "maxfirmness"),
}
"""Variations in the order of their anchors; ancestries are shares of their sum instead."""

PHENOTYPES = ("gender", "age", "muscle", "weight", "height", "proportions", "cupsize", "firmness", *CHOICES["ancestry"])
"""The numbers, in the order of all arrays of them. 0..1; age -1/3 (newborn), 0 (baby), 1/3 (child), 2/3 (young adult), 1 (old);
gender 0 = male."""

LOWEST = np.array([-1 / 3 if name == "age" else 0.0 for name in PHENOTYPES])
HIGHEST = np.ones(len(PHENOTYPES))

_FIRST = {name: sum(len(words) for words in list(CHOICES.values())[:k]) for k, name in enumerate(CHOICES)}


def choice_shares(phenotype: np.ndarray) -> np.ndarray:
    """(M,) share of each variation, in the order of CHOICES, of the (11,) numbers; what lies outside its range is clamped."""
    return choice_shares_with_slopes(phenotype)[0]


def choice_shares_with_slopes(phenotype: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(M,) shares and (M, 11) their derivatives. At an anchor the slope is that of the upper side, at the top of the lower."""
    values = np.clip(np.asarray(phenotype, np.float64), LOWEST, HIGHEST)
    count = sum(len(words) for words in CHOICES.values())
    shares, slopes = np.zeros(count), np.zeros((count, len(PHENOTYPES)))
    for column, name in enumerate(PHENOTYPES[:8]):
        anchors = np.linspace(LOWEST[column], 1.0, len(CHOICES[name]))
        lower = int(np.clip(np.searchsorted(anchors, values[column], side="right") - 1, 0, len(anchors) - 2))
        step = anchors[lower + 1] - anchors[lower]
        place = _FIRST[name] + lower
        share = (values[column] - anchors[lower]) / step
        shares[place], shares[place + 1] = 1 - share, share
        slopes[place, column], slopes[place + 1, column] = -1 / step, 1 / step
    ancestry = values[8:]
    total = ancestry.sum()
    first = _FIRST["ancestry"]
    if total <= 0:
        shares[first : first + 3] = 1 / 3
    else:
        shares[first : first + 3] = ancestry / total
        slopes[first : first + 3, 8:] = (np.eye(3) - (ancestry / total)[:, None]) / total
    return shares, slopes


def mixture(shares: np.ndarray, members: np.ndarray) -> np.ndarray:
    """(K,) weights of the targets from (M,) shares; members: (K, M) bool, the variations that each target is the product of."""
    return np.where(members, shares, 1.0).prod(axis=1)


def mixture_slopes(shares: np.ndarray, slopes: np.ndarray, members: np.ndarray) -> np.ndarray:
    """(K, 11) derivatives of `mixture` by the phenotype."""
    factors = np.where(members, shares, 1.0)
    # The product of all other factors, also where one of them is zero.
    before = np.cumprod(np.concatenate([np.ones((len(factors), 1)), factors[:, :-1]], axis=1), axis=1)
    after = np.cumprod(np.concatenate([np.ones((len(factors), 1)), factors[:, :0:-1]], axis=1), axis=1)[:, ::-1]
    return (before * after * members) @ slopes
