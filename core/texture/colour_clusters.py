"""Colour clustering: the few colours that a piece of clothing has: clusters that a valley separates, however many there are."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

SMALLEST_SHARE = 0.04
"""A colour that covers less of a material stays with its neighbour in colour."""
NEAREST_CENTRES = 0.25
"""Colours closer than this, in logarithms, are one."""
FEW = 1000
"""Samples that are enough to find two centres."""
DEEPEST = 3
"""Splits in a row, so at most eight colours."""


def split_colours(log_colour: np.ndarray, group: np.ndarray, lightness: float = 0.5, whole: Collection[int] = ()) -> np.ndarray:
    """(N,) int cluster of every sample, numbered from 0; clusters never cross groups.

    log_colour  (N, 3) natural logarithm of linear colours
    group       (N,) int
    lightness   weight of differences in lightness against differences in hue: light may be left in the former
    whole       groups that are never split
    """
    mean = log_colour.mean(axis=1, keepdims=True)
    features = np.concatenate([log_colour - mean, lightness * mean], axis=1)
    out, count = np.zeros(len(group), np.int64), 0
    for index in np.unique(group):
        members = np.flatnonzero(group == index)
        depth = 0 if index in whole else DEEPEST
        parts = _split(features[members], np.arange(len(members)), depth, max(20, int(SMALLEST_SHARE * len(members))))
        for part in parts:
            out[members[part]] = count
            count += 1
    return out


def _split(features: np.ndarray, members: np.ndarray, depth: int, smallest: int) -> list[np.ndarray]:
    """Halve while a valley lies between the halves."""
    if depth == 0 or len(members) < 2 * smallest:
        return [members]
    first = _two_means(features[members])
    if first is None:
        return [members]
    if min(np.count_nonzero(first), np.count_nonzero(~first)) < smallest:
        return [members]
    return _split(features, members[first], depth - 1, smallest) + _split(features, members[~first], depth - 1, smallest)


def _two_means(points: np.ndarray) -> np.ndarray | None:
    """(n,) bool, the members of one of two clusters; None if the points between the two are no fewer than at them."""
    some = points[:: max(1, len(points) // FEW)]
    centred = some - some.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along = centred @ axis
    low, high = np.quantile(along, (0.25, 0.75))
    centres = np.stack([some[along <= low].mean(axis=0), some[along >= high].mean(axis=0)])
    before = None
    for _ in range(8):
        first = _nearer_second(some, centres)
        if first.all() or not first.any():
            return None
        if before is not None and np.array_equal(first, before):
            break
        before = first
        centres = np.stack([np.median(some[~first], axis=0), np.median(some[first], axis=0)])
    first = _nearer_second(points, centres)
    gap = centres[1] - centres[0]
    length = np.linalg.norm(gap)
    if length < NEAREST_CENTRES:
        return None
    position = (points - centres[0]) @ gap / length**2
    at_first, between, at_second = (np.count_nonzero(np.abs(position - t) < 0.12) for t in (0.0, 0.5, 1.0))
    return first if between < 0.5 * min(at_first, at_second) else None


def _nearer_second(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n,) bool: nearer to the second of two centres (2, C) than to the first."""
    return points @ (centres[1] - centres[0]) > 0.5 * (np.square(centres[1]).sum() - np.square(centres[0]).sum())
