"""Fill unknown texels from known ones, without letting the colour of one part run into another.

Push-pull (Gortler et al., "The Lumigraph", 1996, section 3.4): average what is known into ever coarser levels, then give every
unknown texel the value of the coarser level. It is linear in the number of texels and has no radius to tune.
"""

from __future__ import annotations

import numpy as np


def push_pull(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Replace texels of weight 0 by a smooth continuation of the others.

    image   (H, W, C) float32
    weight  (H, W) float32 in 0..1: how far a texel is to be believed; between 0 and 1 it is mixed with the continuation

    Returns (H, W, C) float32. With no weight at all the result is 0.
    """
    import cv2

    height, width = weight.shape
    weight = np.where(np.isfinite(image).all(axis=-1), weight, 0).astype(np.float32)
    image = np.where(weight[..., None] > 0, image, 0).astype(np.float32)
    if height == 1 and width == 1:
        return image * (weight > 0)[..., None]
    # Push: sums of 2 x 2 texels, the colour weighted; a level keeps at most full belief, so that one known texel suffices.
    padded = np.pad(np.concatenate([image * weight[..., None], weight[..., None]], axis=-1),
                    ((0, height % 2), (0, width % 2), (0, 0)))  # fmt: skip
    total = padded[0::2, 0::2] + padded[1::2, 0::2]
    total += padded[0::2, 1::2]
    total += padded[1::2, 1::2]
    belief = total[..., -1]
    coarse = push_pull(total[..., :-1] / np.maximum(belief, 1e-8)[..., None], np.minimum(belief, 1))
    # Pull: bilinear, with the half-texel shift between the levels.
    finer = cv2.resize(coarse, (padded.shape[1], padded.shape[0]), interpolation=cv2.INTER_LINEAR)
    finer = finer.reshape(padded.shape[0], padded.shape[1], -1)[:height, :width]
    return finer + weight[..., None] * (image - finer)


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

    A part without any believed texel, and what lies beyond the gutter, continues all texels alike. Returns (H, W, C) float32; it is
    0 if nothing is believed.
    """
    import cv2

    person = labels > 0
    belief = np.where(person & np.isfinite(image).all(axis=-1), belief, 0).astype(np.float32)
    image = np.where(belief[..., None] > 0, image, 0).astype(np.float32)
    out = push_pull(image, belief)
    if not belief.any():
        return out
    part, near = labels, person
    if gutter > 0 and not person.all():
        part = labels.ravel()[nearest_index(person)]
        size = 2 * int(gutter) + 1
        near = cv2.dilate(person.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0
    for label in np.flatnonzero(np.bincount(part[near & (belief < 1)], minlength=1)):
        wanted = near & (part == label)
        rows, columns = np.flatnonzero(wanted.any(axis=1)), np.flatnonzero(wanted.any(axis=0))
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        own = np.where(labels[box] == label, belief[box], 0)
        if own.any():
            out[box][wanted[box]] = push_pull(image[box], own)[wanted[box]]
    return out
