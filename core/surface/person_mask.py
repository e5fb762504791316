"""Which pixels belong to the person, and to which body part: segmentation and matte made to agree."""

from __future__ import annotations

import numpy as np

from ..common.landmarks import part_labels, part_names
from .pixel_mesh import components

REACH = 6
"""Pixels (of a 1024 x 768 map) by which the border of the segmentation may be off."""

ISLAND = 40
"""Pixels (of a 1024 x 768 map) of the smallest patch of a body part that is believed."""


def person_domain(
    seg: np.ndarray | None,
    alpha: np.ndarray | None,
    mask: np.ndarray | None,
    known: np.ndarray,
    pixel_scale: float = 1.0,
    alpha_threshold: float = 0.5,
    hair_threshold: float = 0.25,
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of the person and their body parts.

    The segmentation says who and what but is off by pixels at its border; the matte knows the border to a fraction of a pixel but
    not whose it is. So the matte decides within reach of the segmented border, and the segmentation decides beyond. Without a
    matte the outermost pixel is left out (it is mixed with the background); without a segmentation everything counts as torso.

    seg (H, W) uint8, alpha (H, W) uint8, mask (H, W) bool of one person: any may be None; known (H, W) bool: there is a depth.
    pixel_scale: pixels of this grid per pixel of a 1024 x 768 map. Thresholds 0..1 of alpha.
    Returns domain (H, W) bool and labels (H, W) uint8, 0 outside.
    """
    import cv2

    reach = max(1, round(REACH * pixel_scale))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    if seg is None:
        seg = np.where(known if alpha is None else alpha > 0, part_labels("Torso")[0], 0).astype(np.uint8)
        if alpha is None and mask is not None:
            seg[mask] = part_labels("Torso")[0]
    seg = np.where(seg < len(part_names()), seg, 0).astype(np.uint8)
    cleaned = without_islands(seg, max(2, round(ISLAND * pixel_scale**2)))
    person = cleaned > 0 if mask is None else (cleaned > 0) & mask
    if person.any():
        seg = cleaned
    else:  # all of the person is a speck: better than nobody
        person = seg > 0 if mask is None else (seg > 0) & mask
    if not person.any():
        return np.zeros(seg.shape, bool), np.zeros(seg.shape, np.uint8)
    allowed = np.ones(seg.shape, bool)
    if mask is not None:
        # Pixels of nobody close to this person are still to be won by the matte; those of other people are not.
        allowed = mask | ((cv2.dilate(mask.astype(np.uint8), kernel) > 0) & (seg == 0))
    labels = nearest(person, seg)
    if alpha is None:
        inner = cv2.erode(person.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE) > 0
        domain = inner if inner.any() else person
    else:
        opaque = alpha >= np.where(labels == part_labels("Hair")[0], hair_threshold, alpha_threshold) * 255
        within = cv2.dilate(person.astype(np.uint8), kernel) > 0
        beyond = cv2.erode(person.astype(np.uint8), kernel, borderType=cv2.BORDER_REPLICATE) > 0
        domain = (opaque & within & allowed) | beyond
        if not domain.any():
            domain = person
    return domain, np.where(domain, labels, 0).astype(np.uint8)


def without_islands(labels: np.ndarray, smallest: int) -> np.ndarray:
    """Labels (H, W) uint8 in which patches of fewer than `smallest` pixels took the label of what is nearest;
    background counts as a label."""
    everywhere = np.ones(labels.shape, bool)
    patch, size = components(everywhere, labels[:, 1:] == labels[:, :-1], labels[1:] == labels[:-1])
    keep = size[patch] >= smallest
    return labels if keep.all() or not keep.any() else nearest(keep, labels)


def nearest(known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(H, W, ...) values, where not `known` ((H, W) bool, at least one True) replaced by those of the nearest known pixel."""
    import cv2

    if known.all():
        return values
    index = cv2.distanceTransformWithLabels((~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    # OpenCV numbers the known pixels in an order of its own: read it back at those pixels.
    source = np.zeros(index.max() + 1, np.int64)
    source[index[known]] = np.flatnonzero(known)
    return values.reshape(-1, *values.shape[2:])[source[index]]
