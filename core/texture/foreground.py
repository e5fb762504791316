"""Foreground colour estimation at the border of a person: what the pixel would show without the background in it."""

from __future__ import annotations

import numpy as np

from .inpaint import fill_texture, push_pull

BORDER = 3.0
"""Pixels from the border of the mask within which colours may be mixed: lens, resampling and networks blur over about two."""
MIXED = 0.07
"""A ring of pixels counts as mixed beyond what the matte says if half of it is by more than this."""


def foreground(colour: np.ndarray, alpha: np.ndarray | None, labels: np.ndarray, gutter: int = 0) -> np.ndarray:
    """Colours of the person alone, and their continuation around the person.

    colour  (H, W, 3) float32, in the space in which foreground and background were mixed (light mixes in linear values)
    alpha   (H, W) uint8 opacity; None = opaque inside of the person
    labels  (H, W) uint8 body parts, 0 = not the person
    gutter  see `core.texture.inpaint.fill_texture`

    Returns (H, W, 3) float32. Inside, pixels with opacity a become F + a (I - a F - (1 - a) B), where F and B continue the
    colours of the part and of the background (Forte, "Approximate Fast Foreground Colour Estimation", 2021). Opaque pixels stay
    as they are. Near the border the opacity is also measured, as the place of the colour between B and F, and the lower of both
    counts. It is measured only where the border is mixed as a whole: a dark seam on a sharp border is not background.
    """
    import cv2

    person = labels > 0
    opacity = np.ones(labels.shape, np.float32) if alpha is None else alpha.astype(np.float32) / 255
    inside = cv2.distanceTransform(person.astype(np.uint8), cv2.DIST_L2, 5)
    belief = _away_from_border(inside) * (opacity > 0.97)
    front = fill_texture(colour, belief, labels, gutter)
    if person.all() or not belief.any():
        return np.where(person[..., None], colour, front).astype(np.float32)
    outside = cv2.distanceTransform((~person).astype(np.uint8), cv2.DIST_L2, 5)
    away = _away_from_border(outside)
    if alpha is not None:
        away *= opacity < 0.03
    y, x = np.nonzero(person & ((inside <= BORDER + 0.5) | (opacity < 1)))
    i, f, b = colour[y, x], front[y, x], push_pull(colour, away)[y, x]
    a, ring = opacity[y, x], np.minimum(inside[y, x], BORDER + 1).astype(np.int64)
    measured, clear = _place_between(i, b, f)
    # A matte that calls a pixel background which looks like the person is off by a pixel: it must not add contrast.
    a = np.where(clear, np.maximum(a, measured), a)
    for distance in range(int(BORDER) + 1):
        here = ring == distance
        usable = here & clear
        if usable.any() and np.median((measured - a)[usable]) < -MIXED:
            a = np.where(usable, np.minimum(a, measured), a)
    out = np.where(person[..., None], colour, front).astype(np.float32)
    mixed = a[:, None]
    out[y, x] = np.clip(f + mixed * (i - mixed * f - (1 - mixed) * b), 0, max(1.0, float(colour.max())))
    return out


def _away_from_border(distance: np.ndarray) -> np.ndarray:
    """Belief in a colour by its distance to the border; a trace everywhere, for fingers thinner than two borders."""
    return np.maximum(np.square(np.clip((distance - 0.5 * BORDER) / (BORDER - 1), 0, 1)), 1e-3 * (distance > 0))


def _place_between(colour: np.ndarray, background: np.ndarray, front: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where (N, 3) colours lie from background (0) to front (1), (N,) float32; and (N,) bool where these two differ clearly."""
    way = front - background
    length = np.square(way).sum(axis=1)
    scale = np.square(np.maximum(front, background)).sum(axis=1)
    place = np.einsum("ij,ij->i", colour - background, way) / np.maximum(length, 1e-12)
    return np.clip(place, 0, 1), length > 0.04 * scale + 1e-9
