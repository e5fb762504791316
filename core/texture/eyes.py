"""Eyes into the texture of a body: round irises with their fibres, where faces of the mesh would have corners."""

from __future__ import annotations

import numpy as np

from .texels import texels_of

IRIS, PUPIL = 26.0, 10.0
"""Degrees from the middle of the pupil to their rims, seen from the middle of the eyeball (12 and 4.5 mm on one of 27 mm)."""
SOFT = 1.5
"""Degrees over which one colour runs into the next: the rim of an iris is not sharp."""
LIMBUS = 0.45
"""Brightness of an iris at its rim, of that in its middle."""
FIBRES = ((31, 0.4), (53, 1.9), (87, 4.2), (127, 2.6))
"""How often streaks repeat round an iris, and where they begin (radians)."""
STREAK = 0.09
"""Brightness that all streaks of one kind add at most."""
WHITE_FAR = np.array([222, 190, 180], np.float32)
"""sRGB of the white of an eye where lids touch it."""
FAR = 35.0, 75.0
"""Degrees between which the white takes that colour."""
GUTTER = 4
"""Texels that are painted round the charts."""


def paint_eyes(
    texture: np.ndarray,
    quads: np.ndarray,
    uvs: np.ndarray,
    directions: np.ndarray,
    white: np.ndarray,
    iris: np.ndarray,
    pupil: np.ndarray,
) -> np.ndarray:
    """The texture, (S, S, 3) uint8 sRGB, with both eyeballs painted on their charts.

    quads       (f, 4) int vertices of the eyeballs
    uvs         (f, 4, 2) float of the corners
    directions  (V, 3) float, from the middle of its eyeball to each vertex of one: right and up, as one who looks at the person
                sees them, and out of the middle of the pupil
    white, iris, pupil  (3,) uint8 sRGB
    """
    texels = texels_of(quads, uvs, len(texture), GUTTER)
    out_of = texels.of(directions)
    angle = np.degrees(np.arctan2(np.hypot(out_of[:, 0], out_of[:, 1]), out_of[:, 2]))
    round_it = np.arctan2(out_of[:, 1], out_of[:, 0])

    def beyond(rim: float) -> np.ndarray:
        """(N, 1) 0 inside of a rim, 1 outside."""
        x = np.clip((angle - rim) / SOFT + 0.5, 0, 1)
        return (x * x * (3 - 2 * x))[:, None]

    far = np.clip((angle - FAR[0]) / (FAR[1] - FAR[0]), 0, 1)[:, None]
    colour = white + far * (WHITE_FAR - white)
    # From the pupil to the rim: a light ring, streaks, and the dark limbus.
    along = np.clip((angle - PUPIL) / (IRIS - PUPIL), 0, 1)
    streaks = sum(np.cos(times * round_it + start + 3 * along) for times, start in FIBRES)
    bright = 1.15 - 0.15 * along + STREAK * streaks * along * (1 - along) * 4 / len(FIBRES)
    bright *= 1 - (1 - LIMBUS) * np.clip((along - 0.7) / 0.3, 0, 1) ** 2
    ring = np.asarray(iris, np.float32) * bright[:, None]
    colour = ring + beyond(IRIS) * (colour - ring)
    colour = pupil + beyond(PUPIL) * (colour - pupil)
    out = texture.copy()
    out.reshape(-1, 3)[texels.index] = colour.round().clip(0, 255).astype(np.uint8)
    return out
