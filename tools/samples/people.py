"""Who is on the samples: shape, face, clothes and posture of each, and the camera that sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from . import postures, wardrobe
from .body import Body
from .postures import Posture
from .wardrobe import Fabric, Outfit


@dataclass(frozen=True)
class Shot:
    """A photograph of one person.

    name, posture        of the sample
    phenotype, face      shape and ARKit face actions, 0..1 each
    look                 what of the random outfit (drawn from `seed`) is set by hand
    size                 (width, height) pixels
    lens                 millimetres on a frame that is 36 mm wide on its longer side
    azimuth, elevation   degrees of the camera around the person, from the front to their left, and above the horizon
    aim, extent          metres: height of the point in the middle of the photo above the floor, height that the photo shows there
    seat                 metres: height of the box that the person sits on; 0 = none
    travel               metres that the person has moved to their front
    """

    name: str
    posture: Posture
    phenotype: dict[str, float]
    face: dict[str, float]
    look: dict[str, object]
    seed: int
    size: tuple[int, int]
    lens: float
    azimuth: float
    elevation: float
    aim: float
    extent: float
    seat: float = 0.0
    travel: float = 0.0

    def outfit(self, body: Body) -> Outfit:
        """What the person wears."""
        drawn = wardrobe.random_outfit(np.random.default_rng(self.seed), body, 0.0)
        hip = body.bone_heads[body.bone("upperleg01.L")][2]
        return replace(drawn, **{k: v + hip if k in ("hem", "waist") else v for k, v in self.look.items()})


def _phenotype(gender: float, age: float, muscle: float, weight: float, height: float, race: tuple[float, float, float]) -> dict:
    shape = {"gender": gender, "age": age, "muscle": muscle, "weight": weight, "height": height, "proportions": 0.6}
    shape |= {"cupsize": 0.45, "firmness": 0.6}
    return shape | dict(zip(("african", "asian", "caucasian"), race, strict=True))


def _colour(*linear: float) -> np.ndarray:
    return np.array(linear)


def _plain(*linear: float) -> Fabric:
    return Fabric(_colour(*linear), _colour(*linear), "plain", 10.0)


def _skin(*linear: float) -> dict[str, np.ndarray]:
    skin = _colour(*linear)
    return {"skin": skin, "lip": np.clip(skin * [0.95, 0.55, 0.55], 0.01, 0.9)}


_TROUSERS = {"trouser": 1.93, "waist": 0.06, "sock": 2.0}
_SHORT_HAIR = {"hair": -0.62, "hairline": 0.58, "hair_thickness": 0.014}
_LONG_HAIR = {"hair": -2.3, "hairline": 0.56, "hair_thickness": 0.020}

# Hem and waist are metres above the hip joints of the resting body.
APOSE = Shot(
    "body_apose", postures.APOSE, _phenotype(0.0, 0.62, 0.56, 0.50, 0.50, (0.1, 0.2, 0.7)), {},
    {**_skin(0.52, 0.31, 0.22), **_SHORT_HAIR, "hair_colour": _colour(0.06, 0.032, 0.016), "beard": 0.0,
     "iris": _colour(0.05, 0.09, 0.12),
     "top": True, "sleeve": 0.55, "hem": -0.03, "collar": 0.03, "trouser": 0.82, "waist": 0.06, "shoes": True, "sock": 2.0,
     "upper": Fabric(_colour(0.60, 0.57, 0.50), _colour(0.05, 0.10, 0.22), "hoops", 11.0), "lower": _plain(0.10, 0.085, 0.06),
     "shoe": _colour(0.05, 0.05, 0.055), "loose": (0.010, 0.012)},
    111, (384, 512), 60, 0, 4, 0.91, 2.18,
)  # fmt: skip
CROSSED = Shot(
    "body_crossed", postures.CROSSED, _phenotype(0.0, 0.58, 0.45, 0.48, 0.46, (0.2, 0.6, 0.2)), {"jawOpen": 0.32},
    {**_skin(0.44, 0.25, 0.16), **_SHORT_HAIR, "hair_colour": _colour(0.014, 0.011, 0.010), "beard": 0.0,
     "iris": _colour(0.05, 0.03, 0.02),
     "top": True, "sleeve": 0.60, "hem": -0.02, "collar": 0.02, **_TROUSERS, "shoes": True,
     "upper": _plain(0.13, 0.33, 0.50), "lower": _plain(0.030, 0.034, 0.045), "shoe": _colour(0.35, 0.10, 0.07),
     "loose": (0.011, 0.007)},
    112, (384, 512), 70, -4, 3, 0.87, 2.10,
)  # fmt: skip
WALK = Shot(
    "body_walk", postures.striding(0.05, -36), _phenotype(0.94, 0.60, 0.50, 0.45, 0.52, (0.15, 0.15, 0.7)),
    {"mouthSmileLeft": 0.3, "mouthSmileRight": 0.3},
    {**_skin(0.56, 0.35, 0.26), **_LONG_HAIR, "hair_colour": _colour(0.10, 0.05, 0.022), "beard": 0.0,
     "iris": _colour(0.06, 0.10, 0.06),
     "top": True, "sleeve": 1.85, "hem": -0.05, "collar": 0.05, "trouser": 0.88, "waist": 0.08, "shoes": False, "sock": 2.0,
     "upper": Fabric(_colour(0.48, 0.14, 0.07), _colour(0.16, 0.05, 0.03), "checks", 14.0), "lower": _plain(0.07, 0.13, 0.16),
     "shoe": _colour(0.2, 0.2, 0.2), "loose": (0.012, 0.010)},
    113, (324, 576), 50, 0, 5, 0.80, 2.20,
)  # fmt: skip
SITTING = Shot(
    "body_sit", postures.SITTING, _phenotype(0.90, 0.66, 0.45, 0.55, 0.48, (0.7, 0.1, 0.2)), {"jawOpen": 0.12},
    {**_skin(0.17, 0.085, 0.05), **_LONG_HAIR, "hair": -1.3, "hair_colour": _colour(0.010, 0.008, 0.008), "beard": 0.0,
     "iris": _colour(0.04, 0.025, 0.018),
     "top": True, "sleeve": 0.70, "hem": -0.01, "collar": 0.06, **_TROUSERS, "shoes": True,
     "upper": _plain(0.40, 0.12, 0.34), "lower": _plain(0.06, 0.16, 0.13), "shoe": _colour(0.55, 0.55, 0.52),
     "loose": (0.009, 0.008)},
    114, (448, 448), 55, 4, 6, 0.64, 1.78, seat=0.45,
)  # fmt: skip
FACE_A = Shot(
    "face_a", postures.PORTRAIT, _phenotype(0.92, 0.55, 0.50, 0.42, 0.50, (0.3, 0.2, 0.5)),
    {"jawOpen": 0.20, "mouthSmileLeft": 0.2, "mouthSmileRight": 0.2},
    {**_skin(0.40, 0.22, 0.15), **_LONG_HAIR, "hair_colour": _colour(0.05, 0.024, 0.012), "beard": 0.0,
     "iris": _colour(0.07, 0.045, 0.02),
     "top": True, "sleeve": 1.9, "hem": -0.02, "collar": 0.07, **_TROUSERS, "shoes": True, "upper": _plain(0.17, 0.24, 0.33),
     "loose": (0.008, 0.008)},
    115, (336, 448), 80, 0, 0, 1.50, 0.55,
)  # fmt: skip
FACE_B = Shot(
    "face_b", replace(postures.PORTRAIT, facing=-24, look=(0, 0, -6)), _phenotype(0.0, 0.70, 0.55, 0.55, 0.55, (0.6, 0.1, 0.3)),
    {"jawOpen": 0.48},
    {**_skin(0.26, 0.14, 0.085), **_SHORT_HAIR, "hair_colour": _colour(0.012, 0.010, 0.009), "beard": 0.0,
     "iris": _colour(0.05, 0.03, 0.02),
     "top": True, "sleeve": 0.7, "hem": -0.02, "collar": 0.02, **_TROUSERS, "shoes": True,
     "upper": Fabric(_colour(0.33, 0.42, 0.30), _colour(0.10, 0.16, 0.12), "checks", 9.0), "loose": (0.009, 0.008)},
    116, (448, 336), 60, 0, 2, 1.78, 0.52,
)  # fmt: skip
STILLS = (APOSE, CROSSED, WALK, SITTING, FACE_A, FACE_B)

FRAMES = 8
"""Frames of the walk: one gait cycle at eight frames a second."""
STRIDER = Shot(
    "walk", postures.striding(0, 62), _phenotype(0.0, 0.60, 0.52, 0.46, 0.50, (0.3, 0.2, 0.5)), {},
    {**_skin(0.36, 0.20, 0.13), **_SHORT_HAIR, "hair_colour": _colour(0.03, 0.016, 0.010), "beard": 0.0,
     "iris": _colour(0.05, 0.03, 0.02),
     "top": True, "sleeve": 0.60, "hem": -0.03, "collar": 0.03, **_TROUSERS, "shoes": True,
     "upper": _plain(0.42, 0.30, 0.06), "lower": _plain(0.05, 0.07, 0.13), "shoe": _colour(0.30, 0.30, 0.30),
     "loose": (0.010, 0.009)},
    117, (384, 288), 45, 0, 4, 0.91, 2.14,
)  # fmt: skip
