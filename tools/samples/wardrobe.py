"""What a random person looks like: shape, skin, hair, clothes.

Colours are linear; clothes are cut by where they end on the body.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .body import Body

BACKGROUND, EYEGLASS, FACE, HAIR, LOWER, UPPER, LOWER_LIP, UPPER_LIP, TONGUE = 0, 2, 3, 4, 13, 23, 24, 25, 28
FEET, SHOES, SOCKS, SHANKS, THIGHS = (5, 14), (9, 18), (10, 19), (8, 17), (12, 21)
UPPER_ARMS, LOWER_ARMS, TORSO = (11, 20), (7, 16), (22,)


@dataclass(frozen=True)
class Fabric:
    """A colour and a pattern over it: kind plain, stripes, hoops, checks, noise; scale in 1/m."""

    colour: np.ndarray
    second: np.ndarray
    kind: str
    scale: float


@dataclass(frozen=True)
class Outfit:
    """All that is drawn once per person. Lengths along arm and leg as in `body.Body`; heights in metres at rest.

    skin, lip, hair_colour, iris, shoe   linear colours
    hair            how far down it covers the back of the head, in head heights (negative: below the eyes); 0 = none
    hairline        where it begins on the forehead, 0 = eyes, 1 = crown; hair_thickness in metres; beard 0..1
    top, shoes      whether they are worn; sock: where it ends on the leg, 2 = none
    sleeve, trouser where they end on arm and leg; sleeve < 0: none
    hem, waist      heights of the lower end of the shirt and the upper end of the trousers
    collar          how deep the neckline is, metres
    loose           metres by which shirt and trousers stand off
    phases, waves   of the noise that belongs to this person
    """

    skin: np.ndarray
    lip: np.ndarray
    hair_colour: np.ndarray
    iris: np.ndarray
    hair: float
    hairline: float
    hair_thickness: float
    beard: float
    top: bool
    sleeve: float
    hem: float
    collar: float
    trouser: float
    waist: float
    shoes: bool
    sock: float
    upper: Fabric
    lower: Fabric
    shoe: np.ndarray
    loose: tuple[float, float]
    phases: np.ndarray
    waves: np.ndarray


def random_subject(rng: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    """Phenotypes and face actions of a random adult (now and then a teenager)."""
    gender = float(rng.choice([rng.uniform(0, 0.15), rng.uniform(0.85, 1), rng.uniform(0, 1)], p=[0.42, 0.42, 0.16]))
    race = rng.dirichlet([0.6, 0.6, 0.6])
    phenotype = {
        "gender": gender,
        "age": float(rng.uniform(0.45, 0.95)),
        "muscle": float(rng.beta(4, 4)),
        "weight": float(rng.beta(3.5, 4)),
        "height": float(rng.beta(4, 4)),
        "proportions": float(rng.beta(4, 3)),
        "cupsize": float(rng.beta(3, 3)),
        "firmness": float(rng.beta(4, 3)),
        "african": float(race[0]),
        "asian": float(race[1]),
        "caucasian": float(race[2]),
    }
    face: dict[str, float] = {}
    if rng.random() < 0.55:
        smile = float(rng.uniform(0, 0.9))
        face |= {"mouthSmileLeft": smile, "mouthSmileRight": smile * float(rng.uniform(0.8, 1.0))}
    if rng.random() < 0.3:
        face["jawOpen"] = float(rng.uniform(0, 0.6))
    if rng.random() < 0.25:
        face |= dict.fromkeys(("eyeBlinkLeft", "eyeBlinkRight"), float(rng.uniform(0, 0.9)))
    if rng.random() < 0.25:
        face["browInnerUp"] = float(rng.uniform(0, 0.8))
    return phenotype, face


def _fabric_colour(rng: np.random.Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.38:
        value = rng.choice([rng.uniform(0.01, 0.06), rng.uniform(0.1, 0.4), rng.uniform(0.5, 0.85)])
        return np.clip(value * (1 + rng.normal(0, 0.05, 3)), 0.005, 0.9)
    if kind < 0.55:
        return np.array([0.03, 0.055, 0.13]) * rng.uniform(0.4, 3.0)
    hue, saturation, value = rng.random(), rng.uniform(0.25, 0.95), rng.uniform(0.08, 0.8)
    rgb = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return value * (1 - saturation + saturation * rgb)


def _fabric(rng: np.random.Generator) -> Fabric:
    kind = str(rng.choice(["plain", "stripes", "hoops", "checks", "noise", "print"], p=[0.5, 0.08, 0.12, 0.08, 0.12, 0.1]))
    return Fabric(_fabric_colour(rng), _fabric_colour(rng), kind, float(rng.uniform(8, 40)))


def random_outfit(rng: np.random.Generator, body: Body, female: float) -> Outfit:
    """A random look. female 0..1 shifts the odds of long hair and beards."""
    melanin = rng.beta(1.3, 1.8)
    skin = np.array([0.62, 0.40, 0.30]) ** (1 + 2.3 * melanin) * rng.uniform(0.9, 1.12) * (1 + rng.normal(0, 0.03, 3))
    hair_base = [
        np.array([0.012, 0.009, 0.008]),
        np.array([0.05, 0.025, 0.012]),
        np.array([0.17, 0.09, 0.04]),
        np.array([0.45, 0.3, 0.13]),
        np.array([0.25, 0.07, 0.02]),
        np.array([0.42, 0.42, 0.42]),
    ]
    odds = [0.42, 0.25, 0.12, 0.08, 0.05, 0.08]
    long = rng.random() < 0.15 + 0.6 * female
    bald = rng.random() < 0.08
    hip = body.bone_heads[body.bone("upperleg01.L")][2]
    sleeves = [-1.0, rng.uniform(0.15, 0.7), rng.uniform(0.7, 1.5), rng.uniform(1.75, 1.98)]
    trousers = [rng.uniform(0.2, 0.8), rng.uniform(0.8, 1.5), rng.uniform(1.75, 2.0)]
    waist = hip + rng.uniform(0.03, 0.12)
    return Outfit(
        skin=np.clip(skin, 0.01, 0.9),
        lip=np.clip(skin * [1.0, 0.62, 0.62], 0.01, 0.9),
        hair_colour=hair_base[rng.choice(len(hair_base), p=odds)] * rng.uniform(0.7, 1.4),
        iris=rng.uniform(0.02, 0.25, 3) * [0.8, 0.7, 1.0],
        hair=0.0 if bald else (float(rng.uniform(-3.2, -0.9)) if long else float(rng.uniform(-0.75, -0.45))),
        hairline=float(rng.uniform(0.45, 0.68)),
        hair_thickness=float(rng.uniform(0.006, 0.035) if not long else rng.uniform(0.012, 0.035)),
        beard=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.35 * (1 - female) else 0.0,
        top=bool(rng.random() > 0.05),
        sleeve=float(rng.choice(sleeves, p=[0.1, 0.42, 0.1, 0.38])),
        hem=float(rng.uniform(hip - 0.08, waist + 0.02)),
        collar=float(rng.choice([rng.uniform(0.0, 0.05), rng.uniform(0.05, 0.16)], p=[0.6, 0.4])),
        trouser=float(rng.choice(trousers, p=[0.25, 0.1, 0.65])),
        waist=float(waist),
        shoes=bool(rng.random() < 0.78),
        sock=float(rng.uniform(1.6, 1.95) if rng.random() < 0.5 else 2.0),
        upper=_fabric(rng),
        lower=_fabric(rng),
        shoe=_fabric_colour(rng),
        loose=(float(rng.uniform(0.003, 0.022)), float(rng.uniform(0.003, 0.022))),
        phases=rng.uniform(0, 6.28, 24),
        waves=rng.normal(0, 1, (24, 3)),
    )


def hair_amount(outfit: Outfit, head: np.ndarray) -> np.ndarray:
    """(n,) > 0 where the scalp's hair grows, about 0..1; head (n, 3) as in `Body.head`."""
    if outfit.hair == 0.0:
        return np.full(len(head), -1.0, np.float32)
    line = np.interp(
        head[:, 2],
        [0.0, 0.28, 0.42, 0.5, 0.56, 0.68],
        [outfit.hairline + 0.05, outfit.hairline, 0.25, 0.0, -0.2 if outfit.hair > -0.8 else outfit.hair, outfit.hair],
    )
    return (head[:, 1] - line).astype(np.float32)


def cut(
    body: Body,
    outfit: Outfit,
    part: np.ndarray,
    rest: np.ndarray,
    arm: np.ndarray,
    leg: np.ndarray,
    head: np.ndarray,
    lips: np.ndarray,
) -> np.ndarray:
    """(n,) uint8 class of surface samples: part = bare class, rest (n, 3) template position, the others as in `Body`."""
    z, label = rest[:, 2], part.copy()
    limbs_upper, limbs_lower = np.isin(part, UPPER_ARMS + LOWER_ARMS), np.isin(part, THIGHS + SHANKS)
    torso = part == TORSO[0]
    trunk = torso | np.isin(part, THIGHS)
    label[(part == FACE) & (lips > 0.5)] = LOWER_LIP
    # The mouth's line lies about where the upper lip's mask turns; eye level 0, crown 1: the mouth is 0.62 below the eyes.
    mouth = body.template[body.lips > 0.5][:, 2].mean()
    label[(label == LOWER_LIP) & (z > mouth + 0.001)] = UPPER_LIP
    neck = body.bone_heads[body.bone("neck01")]
    if outfit.trouser > 0:
        label[(limbs_lower & (leg < outfit.trouser)) | (torso & (z < outfit.waist) & ~limbs_upper)] = LOWER
    if outfit.top:
        neckline = neck[2] + 0.035 - outfit.collar * np.clip(1.2 - np.abs(rest[:, 0]) / 0.1, 0, 1) * (rest[:, 1] < neck[1])
        wide = np.hypot(rest[:, 0], rest[:, 1] - neck[1]) > 0.075
        covered = trunk & (z > outfit.hem) & (wide | (z < neckline)) & (z < neckline + 0.05)
        sleeved = np.isin(part, UPPER_ARMS + LOWER_ARMS) & (arm < outfit.sleeve)
        label[covered | sleeved] = UPPER
    for left_right in range(2):
        foot, shank = part == FEET[left_right], part == SHANKS[left_right]
        bare = label == part
        if outfit.sock < 2.0:
            label[bare & (foot | (shank & (leg > outfit.sock)))] = SOCKS[left_right]
        if outfit.shoes:
            label[foot | (shank & (leg > 1.96) & bare)] = SHOES[left_right]
    hair = hair_amount(outfit, head) > 0
    label[hair & ((part == FACE) | (torso & (head[:, 2] > 0.55) & (np.abs(head[:, 0]) < 0.1)))] = HAIR
    return label


def thickness(body: Body, outfit: Outfit, label: np.ndarray) -> np.ndarray:
    """(V,) metres by which hair and clothes stand off the skin at each vertex of class label."""
    out = np.zeros(len(label), np.float32)
    wave = sum(np.sin(body.template @ (outfit.waves[i] * 18) + outfit.phases[i]) for i in range(4)) * 0.25
    out[label == UPPER] = (outfit.loose[0] * (1 + 0.5 * wave) + 0.003)[label == UPPER]
    out[label == LOWER] = (outfit.loose[1] * (1 + 0.4 * wave) + 0.002)[label == LOWER]
    out[np.isin(label, SHOES)] = 0.007
    out[np.isin(label, SOCKS)] = 0.002
    amount = np.clip(hair_amount(outfit, body.head) * 4, 0, 1)
    hair = label == HAIR
    out[hair] = (amount * (1 - 0.8 * body.ears) * outfit.hair_thickness * (1 + 0.25 * wave) + 0.002)[hair]
    return out


def noise(outfit: Outfit, points: np.ndarray, frequency: float, count: int = 6, offset: int = 0) -> np.ndarray:
    """(n,) smooth noise in about -1..1 attached to the resting body."""
    k = slice(offset, offset + count)
    return np.sin(points @ (outfit.waves[k].T * frequency) + outfit.phases[k]).sum(1) / np.sqrt(count) * 0.8


def _pattern(outfit: Outfit, fabric: Fabric, p: np.ndarray) -> np.ndarray:
    """(n, 3) colour of a fabric at template positions."""
    s = fabric.scale
    if fabric.kind == "stripes":
        mix = (np.sin(p[:, 0] * s * 6.28) > 0.2).astype(float)
    elif fabric.kind == "hoops":
        mix = (np.sin((p[:, 2] + 0.3 * np.abs(p[:, 0])) * s * 6.28) > 0.3).astype(float)
    elif fabric.kind == "checks":
        mix = 0.5 * (np.sin(p[:, 0] * s * 6.28) > 0) + 0.5 * (np.sin(p[:, 2] * s * 6.28) > 0)
    elif fabric.kind == "noise":
        mix = np.clip(0.5 + noise(outfit, p, s * 1.2), 0, 1)
    elif fabric.kind == "print":
        mix = ((np.abs(p[:, 0]) < 0.09) & (np.abs(p[:, 2] - 0.33) < 0.09) & (p[:, 1] < 0) & (noise(outfit, p, 60) > -0.2)).astype(
            float
        )
    else:
        mix = np.zeros(len(p))
    return fabric.colour + (fabric.second - fabric.colour) * mix[:, None]


def brows(label: np.ndarray, rest: np.ndarray, head: np.ndarray) -> np.ndarray:
    """(n,) bool: samples of class label under the eyebrows."""
    x = np.abs(rest[:, 0])
    line = np.abs(head[:, 1] - 0.185 + 1.9 * np.abs(x - 0.036)) < 0.03
    return (label == FACE) & (head[:, 2] < 0.35) & (np.abs(x - 0.033) < 0.021) & line


def paint(
    body: Body, outfit: Outfit, label: np.ndarray, rest: np.ndarray, head: np.ndarray, eye: np.ndarray, inside: np.ndarray
) -> np.ndarray:
    """(n, 3) linear albedo of samples; eye, inside (n,) how much a sample belongs to an eyeball / a cavity."""
    grain = noise(outfit, rest, 25)
    colour = outfit.skin * (1 + 0.05 * grain[:, None])
    flush = (
        np.exp(-(((np.abs(rest[:, 0]) - 0.035) / 0.02) ** 2 + ((head[:, 1] + 0.3) / 0.2) ** 2))
        * (head[:, 2] < 0.4)
        * (label == FACE)
    )
    colour = colour * (1 - flush[:, None] * [0.0, 0.18, 0.15])
    brow = brows(label, rest, head)
    colour[brow] = 0.35 * colour[brow] + 0.65 * outfit.hair_colour
    if outfit.beard:
        chin = (
            (label == FACE)
            & (head[:, 1] < -0.52 + 0.9 * np.clip(head[:, 2] - 0.25, 0, 0.4))
            & (head[:, 1] > -1.25)
            & (head[:, 2] < 0.62)
        )
        strength = outfit.beard * np.clip((-head[chin, 1] - 0.5) * 8, 0, 1)[:, None]
        colour[chin] = colour[chin] * (1 - strength) + outfit.hair_colour * strength
    colour[np.isin(label, (LOWER_LIP, UPPER_LIP))] = outfit.lip
    colour[inside > 0.6] = [0.10, 0.03, 0.03]
    ball = eye > 0.5
    if ball.any():
        centre = np.array([body.bone_heads[body.bone(b)] for b in ("eye.L", "eye.R")])
        off = rest[ball] - np.where(rest[ball, :1] > 0, centre[0], centre[1])
        radius = np.hypot(off[:, 0], off[:, 2])
        front = off[:, 1] < 0
        colour[ball] = np.where(
            (radius < 0.0025)[:, None] & front[:, None],
            0.005,
            np.where((radius < 0.0058)[:, None] & front[:, None], outfit.iris, [0.72, 0.68, 0.66]),
        )
    hair = label == HAIR
    strands = np.sin(rest[hair, 0] * 900 + 6 * noise(outfit, rest[hair], 14, 4, 8)) * 0.25 + 0.2 * noise(
        outfit, rest[hair], 120, 4, 12
    )
    colour[hair] = outfit.hair_colour * (1 + strands[:, None])
    for cls, fabric in ((UPPER, outfit.upper), (LOWER, outfit.lower)):
        chosen = label == cls
        colour[chosen] = _pattern(outfit, fabric, rest[chosen]) * (1 + 0.06 * noise(outfit, rest[chosen], 45, 4, 16)[:, None])
    shoe = np.isin(label, SHOES)
    sole = rest[shoe, 2] < body.template[:, 2].min() + 0.022
    colour[shoe] = np.where(sole[:, None], np.clip(1 - outfit.shoe, 0.05, 0.8) * 0.7, outfit.shoe)
    colour[np.isin(label, SOCKS)] = np.clip(outfit.shoe[::-1] + 0.3, 0, 0.8)
    return np.clip(colour, 0.004, 0.92)
