"""Matte refinement: the border of a matte, moved to where the photo has it."""

from __future__ import annotations

import numpy as np

from .guided_filter import ColourWindows, symmetric

SIDE = 1024
"""Longer side, in pixels, on which the matte is compared with the photo: that of the network's maps."""
WINDOW = 8
"""Half the window, in those pixels, in which the opacity is a linear function of the colour: wider than the matte's waves."""
SMOOTHEST = 1e-4
"""Variance of colours (0..1) that counts as none: the noise of a photo."""
EXPLAINED = (0.15, 0.35)
"""Share of the matte's variance that the colours must explain to be believed: from here on, and wholly."""
OFF_BORDER = 0.22
"""Pixels by which a border must be off in the mean to be moved. The filter itself moves true ones by 0.05 to 0.1."""


def follow_photo(alpha: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(H, W) uint8 opacity whose border lies where the photo has it.

    alpha (H, W) uint8 as a network gave it: its border waves by a pixel or two; image (H, W, 3) uint8 sRGB

    A guided filter (`core.capture.guided_filter`): within a window the opacity is a linear function of the colour, whose
    coefficients are found on at most SIDE pixels. Where colours do not explain the matte, as on a white shirt before a white
    wall, it stays; so does the whole of a matte that already follows the photo.
    """
    import cv2

    height, width = alpha.shape
    shrink = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    guide = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    matte = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    linear = cv2.resize(_linear_in_colour(guide, matte), (width, height), interpolation=cv2.INTER_LINEAR)
    reach = 4 * round(WINDOW / shrink) + 1
    solid = (alpha > 127).astype(np.uint8)
    y, x = np.nonzero(cv2.dilate(solid, np.ones((reach, reach), np.uint8)) != cv2.erode(solid, np.ones((reach, reach), np.uint8)))
    slope, offset, explained = linear[y, x, :3], linear[y, x, 3], linear[y, x, 4]
    before = alpha[y, x].astype(np.float32) / 255
    told = np.clip(np.einsum("nk,nk->n", slope, image[y, x].astype(np.float32) / 255) + offset, 0, 1)
    trust = np.clip((explained - EXPLAINED[0]) / (EXPLAINED[1] - EXPLAINED[0]), 0, 1)
    # A bite in the matte is itself what colours cannot explain: what clearly looks like the person is added all the same.
    trust = np.maximum(trust, np.clip(4 * told - 3, 0, 1))
    after = before + trust * (told - before)
    border = max(1, int((cv2.dilate(solid, np.ones((3, 3), np.uint8)) != solid).sum()))
    if np.count_nonzero((after > 0.5) != (before > 0.5)) < OFF_BORDER / shrink * border:
        return alpha
    out = alpha.copy()
    out[y, x] = np.rint(255 * after)
    return out


def _linear_in_colour(guide: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """(H, W, 5) float32: slope (3) and offset of the opacity over the colour, mean of all windows that hold the pixel; and the
    share of the opacity's variance that they explain. guide (H, W, 3) and matte (H, W) float32 0..1."""
    windows = ColourWindows(guide, WINDOW)
    opacity = windows.average(matte)
    both = windows.covariance_with(matte, opacity)
    spread = windows.average(matte * matte) - opacity * opacity
    out = np.zeros((*matte.shape, 5), np.float32)
    out[..., 3] = opacity
    y, x = np.nonzero(spread > 1e-4)  # elsewhere a window is all person or all background
    slope = np.linalg.solve(symmetric(windows.covariance()[y, x], SMOOTHEST), both[y, x, :, None])[..., 0]
    out[y, x, :3] = slope
    out[y, x, 3] -= np.einsum("nk,nk->n", slope, windows.mean[y, x])
    out[y, x, 4] = np.einsum("nk,nk->n", slope, both[y, x]) / spread[y, x]
    return windows.average(out)
