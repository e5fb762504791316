"""Inpainting: fill unknown texels from known ones, without letting the colour of one part run into another.

Push-pull (Gortler et al., "The Lumigraph", 1996, section 3.4): average what is known into ever coarser levels, then give every
unknown texel the value of the coarser level. It is linear in the number of texels and has no radius to tune.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

AROUND = 32
"""Texels around the unknown ones of a part from which they are continued."""


def push_pull(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Replace texels of weight 0 by a smooth continuation of the others.

    image   (H, W, C) float32
    weight  (H, W) float32 in 0..1: how far a texel is to be believed; what lacks to 1 is mixed in from the continuation

    Returns (H, W, C) float32. With no weight at all the result is 0.
    """
    return _push_pull(_premultiplied(image, weight))[..., :-1]


def _premultiplied(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(H, W, C + 1) float32: colours times weight, and the weight; texels that are not finite weigh nothing."""
    out = np.empty((*weight.shape, image.shape[-1] + 1), np.float32)
    out[..., -1] = weight
    with np.errstate(invalid="ignore", over="ignore"):  # what comes of NaN and infinity is thrown away
        for channel in range(image.shape[-1]):
            np.multiply(image[..., channel], weight, out=out[..., channel])
            out[~np.isfinite(out[..., channel])] = 0
    return out


def _push_pull(level: np.ndarray) -> np.ndarray:
    """(H, W, C + 1) float32: colours times their weight, and the weight; the same filled, so that the weight is 1."""
    import cv2

    height, width = level.shape[:2]
    if height == 1 and width == 1:
        return level / max(float(level[0, 0, -1]), 1e-12)
    # Push: sums of 2 x 2 texels. A weight of 1 is full belief, so one known texel of four suffices.
    even = cv2.copyMakeBorder(level, 0, height % 2, 0, width % 2, cv2.BORDER_CONSTANT) if height % 2 or width % 2 else level
    coarse = 4 * cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_AREA)
    coarse = cv2.divide(coarse, _for_all(np.maximum(coarse[..., -1], 1), coarse))
    # Pull: bilinear, with the half-texel shift between the levels.
    finer = cv2.resize(_push_pull(coarse), (even.shape[1], even.shape[0]), interpolation=cv2.INTER_LINEAR)[:height, :width]
    return cv2.add(cv2.multiply(finer, _for_all(1 - level[..., -1], level)), level)


def _for_all(weight: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(H, W, C) of one weight (H, W) for all channels of an image (H, W, C).
    OpenCV multiplies arrays of the same shape three times as fast as NumPy broadcasts one."""
    import cv2

    return cv2.merge([weight] * image.shape[-1])


def nearest_index(known: np.ndarray) -> np.ndarray:
    """For every texel of a (H, W) bool map the flat index (int32) of the nearest known texel; -1 everywhere if none is known.

    Distances are those of OpenCV's 5 x 5 chamfer, within 2 % of Euclidean.
    """
    import cv2

    if not known.any():
        return np.full(known.shape, -1, np.int32)
    # Every zero texel gets its own number, in the order of the raster.
    _, number = cv2.distanceTransformWithLabels((~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    of_number = np.zeros(number.max() + 1, np.int32)
    of_number[number[known]] = np.flatnonzero(known)
    return of_number[number]


def fill_texture(image: np.ndarray, belief: np.ndarray, labels: np.ndarray, gutter: int) -> np.ndarray:
    """Continue a texture beyond what is known, each part from its own texels.

    image   (H, W, C) float32
    belief  (H, W) bool, or float in 0..1: how far a texel is to be believed; what lacks is mixed in from the continuation
    labels  (H, W) uint8: parts; 0 is outside of the person and never believed
    gutter  width in texels of the band around the person that carries the colour of the nearest part

    A part without any believed texel, and what lies beyond the gutter, continues all texels alike. Returns (H, W, C) float32;
    it is 0 if nothing is believed.
    """
    import cv2

    belief = np.where(labels > 0, belief, 0).astype(np.float32)
    known = _premultiplied(image, belief)
    belief = known[..., -1]
    out = _push_pull_far(known)
    if not belief.any():
        return out
    part, near = labels, labels > 0
    if gutter > 0 and not near.all():
        part = labels.ravel()[nearest_index(near)]
        size = 2 * int(gutter) + 1
        near = cv2.dilate(near.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0
    whole = belief == 1
    out = cv2.copyTo(np.ascontiguousarray(known[..., :-1]), whole.astype(np.uint8), out).reshape(out.shape)
    y, x = np.nonzero(near & ~whole)
    order = np.argsort(part[y, x], kind="stable")
    y, x = y[order], x[order]
    for label, start, end in _runs(part[y, x]):
        rows, columns = y[start:end], x[start:end]
        box = (
            slice(max(rows.min() - AROUND, 0), rows.max() + AROUND + 1),
            slice(max(columns.min() - AROUND, 0), columns.max() + AROUND + 1),
        )
        own = cv2.copyTo(known[box], (labels[box] == label).astype(np.uint8))
        if not own[..., -1].any():  # the part is known farther away only, if at all
            box = np.s_[:, :]
            own = cv2.copyTo(known, (labels == label).astype(np.uint8))
        if own[..., -1].any():
            out[rows, columns] = _push_pull(own)[rows - (box[0].start or 0), columns - (box[1].start or 0), :-1]
    return out


def _runs(values: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Of sorted (N,) integers: each value but 0, where it starts and where it ends."""
    found, starts = np.unique(values, return_index=True)
    for value, start, end in zip(found.tolist(), starts.tolist(), [*starts.tolist(), len(values)][1:], strict=True):
        if value:
            yield value, start, end


def _push_pull_far(known: np.ndarray, step: int = 4) -> np.ndarray:
    """(H, W, C) float32: push-pull of premultiplied texels at a quarter of the resolution, for what no eye goes to."""
    import cv2

    height, width = known.shape[:2]
    small = cv2.resize(known, (max(1, width // step), max(1, height // step)), interpolation=cv2.INTER_AREA)
    small /= np.maximum(small[..., -1:], 1e-6)
    small[..., -1] = small[..., -1] > 0.5
    return cv2.resize(_push_pull(small)[..., :-1], (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
