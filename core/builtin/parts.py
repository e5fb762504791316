"""Body parts, clothes, hair and shoes of one person: where a pixel lies on the body says what is likely, its colour decides.

Kinds of surface have colours that are counted from the person themself: where each kind is expected first, then where it was
found (expectation and maximisation). Borders follow the photo's edges.
"""

from __future__ import annotations

import numpy as np

from ..body.maps import BodyMaps
from ..capture.guided_filter import GuidedFilter
from ..common.landmarks import part_labels, part_names
from ..landmarks.people import PersonLandmarks
from .body_regions import Regions, nearest_cells, regions_of
from .colours import bins_of, lab, log_likelihood

CELLS = 320
"""Of the longer side of the person's box, at most."""
RADIUS = 3
"""Half the window of the guided filter, cells."""
ROUNDS = 4
"""Of counting colours and of deciding."""
COLOUR = 0.8
"""How much colour weighs: neighbouring pixels are not independent."""
MOST = 5.0
"""A colour makes a kind at most e to the power of this less likely."""
UNSURE = 0.05
"""How much a colour counts where its kind is only probable, beside faces and hands for skin, beside chests and hips for cloth."""
COVERED = (-0.15, 0.05)
"""Heights of the way from the hips to the shoulders: below the first legs may be bare, above the second they are covered."""
CHEST = (0.45, 0.65)
"""The same for trunks: below the first bellies may be bare, above the second they are covered."""
BELOW_SHIRTS = (-0.7, -0.3)
"""The same for what covers legs: above the second it may be the end of a shirt, below the first it is not."""
PATTERN = 2.5
"""How far stripes and checks of a garment reach, cells."""
THREAD = 0.006
"""Cloth narrower than this does not join two pieces, longer sides of the person's box."""
SPECK = 0.015
"""Sides of the least piece of a kind, longer sides of the person's box."""
FAINT = np.float32(1e-3)
"""Cloth that every cell has at least, so that there is always a mean."""
SKIN, HAIR, UPPER, LOWER, SHOE = KINDS = range(5)
WAIST = 0.14
"""Height on the trunk at which trousers and skirts usually begin, of the way from the hips to the shoulders."""
WAIST_SPREAD = 0.12

# Logarithms of how likely each kind is on a part of the body, but for what `_expected` says of heads and trunks
#        skin, hair, upper, lower, shoe
EXPECTED = {
    "Face_Neck": (0.0, -1.5, -1.5, -9.0, -9.0),
    "Torso": (-3.0, -2.0, 0.0, 0.0, -9.0),
    "Upper_Arm": (-0.7, -4.0, 0.0, -9.0, -9.0),
    "Lower_Arm": (0.0, -5.0, -0.4, -9.0, -9.0),
    "Hand": (0.0, -6.0, -2.5, -5.0, -9.0),
    "Upper_Leg": (-0.8, -6.0, 0.0, 0.0, -9.0),
    "Lower_Leg": (-0.4, -9.0, -6.0, 0.0, -2.0),
    "Foot": (-1.5, -9.0, -9.0, -2.5, 0.0),
}
IN_FACE = (0.0, -3.5, -7.0, -9.0, -9.0)
ON_HEAD = (-0.5, 0.0, -4.0, -9.0, -9.0)
ARMS = tuple(f"{side}_{part}" for side in ("Left", "Right") for part in ("Upper_Arm", "Lower_Arm", "Hand"))
LEGS = tuple(f"{side}_{part}" for side in ("Left", "Right") for part in ("Upper_Leg", "Lower_Leg", "Foot"))
BESIDE = 0.04
"""Lengths of a head away from a neck, beyond which it is no longer the neck's own outline."""
HUE, HUE_SPREAD = 1.0, 10.0
"""How much the hue of the face tells of skin elsewhere, and how far hues of one person's skin lie apart, a and b of CIELAB."""
FEWEST_OF_FACE = 20
"""Cells of a face that tell its hue."""
BELLY = 1.3
"""How much likelier a bare belly is than a bare chest."""
BALD_HUE, BALD_SHADE = 6.0, -3.0
"""What would be hair is a bald scalp if its hue, a and b of CIELAB, is as near to the face's, and it is no darker than that, in
lightness: scalps shine, and hair of that hue is darker than the skin."""
BALD_OFF = 0.3
"""Share of it that may lie off the head: hair that hangs is hair, of whatever colour."""
WISP = 0.16
"""Lengths of a head: hair below the head that is narrower is none."""
HAIR_FALLS = 1.6
"""How fast hair becomes less likely away from the head, a length of it."""
NEVER = -12.0
"""Logarithm of how likely hair is where it hangs on no head."""
BEYOND = 6.0
"""The same for skin away from the body, which has its outline there."""


def person_parts(
    image: np.ndarray, mask: np.ndarray, landmarks: PersonLandmarks, maps: BodyMaps | None, box: tuple[slice, slice]
) -> np.ndarray:
    """(h, w) uint8 of the 29 classes in a box of the photo, 0 outside of the person.

    image  (H, W, 3) uint8 sRGB
    mask   (H, W) bool: the person's pixels
    maps   of the fitted body; None = none fits, and all but a face is upper clothing
    """
    import cv2

    photo, inside = np.ascontiguousarray(image[box]), mask[box]
    height, width = inside.shape
    step = max(1.0, max(height, width) / CELLS)
    size = max(1, round(width / step)), max(1, round(height / step))
    rows, columns = (_middles(count, pixels) for count, pixels in zip(size[::-1], (height, width), strict=True))
    cells = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    solid = inside[np.ix_(rows, columns)]
    regions = regions_of(landmarks, maps, rows + box[0].start, columns + box[1].start, solid)
    shares = np.zeros((*solid.shape, len(KINDS)), np.float32)
    if solid.any():
        colours, expected = lab(cells), _expected(regions)
        alike = _like_the_face(colours, regions)
        expected[..., SKIN] += alike
        bins, counts = bins_of(colours[solid]), _counts(regions, alike)[solid]
        shares[solid] = _kinds(bins, expected[solid], counts, solid)
        stray = _stray_hair(regions, solid & (shares.argmax(axis=-1) == HAIR))
        if stray.any():  # a collar must not tell what colour hair has
            expected[stray, HAIR] = NEVER
            shares[solid] = _kinds(bins, expected[solid], counts, solid)
        if _is_bald(colours, regions, solid & (shares.argmax(axis=-1) == HAIR)):
            shares[..., SKIN] += shares[..., HAIR]
            shares[..., HAIR] = 0
    filled = _sharp(shares, photo, solid)
    row, column = (np.clip((np.arange(n) * m) // n, 0, m - 1) for n, m in zip((height, width), solid.shape, strict=True))
    label = regions.label[np.ix_(row, column)]
    if maps is not None:  # borders of the naked parts at full resolution, where the body is
        label = np.where(maps.face[box] >= 0, maps.labels[box], label)
    classes = _classes(filled, label, regions.face[np.ix_(row, column)], inside)
    return _with_socks(np.where(inside, classes, 0).astype(np.uint8), label)


def _middles(count: int, pixels: int) -> np.ndarray:
    """(count,) int64: the pixel in the middle of each cell."""
    return np.minimum(((np.arange(count) + 0.5) * pixels / count).astype(np.int64), pixels - 1)


def _expected(regions: Regions) -> np.ndarray:
    """(h, w, kinds) float32: logarithms of how likely each kind is by the place alone."""
    table = np.zeros((len(part_names()), len(KINDS)), np.float32)
    for number, name in enumerate(part_names()):
        plain = name.removeprefix("Left_").removeprefix("Right_")
        table[number] = EXPECTED.get(plain, EXPECTED["Face_Neck"])
    out = table[regions.label]
    out[regions.head] = ON_HEAD
    out[regions.face] = IN_FACE
    trunk = np.isin(regions.label, part_labels("Torso", "Left_Upper_Leg", "Right_Upper_Leg"))
    above = np.clip((regions.height - WAIST) / WAIST_SPREAD, -2, 2)  # tunics and coats reach farther: their colour tells
    out[..., UPPER] += np.where(trunk, -np.logaddexp(0, -above), 0)
    out[..., LOWER] += np.where(trunk, -np.logaddexp(0, above), 0)
    belly = np.clip((CHEST[1] - regions.height) / (CHEST[1] - CHEST[0]), 0, 1)
    out[..., SKIN] += np.where(regions.label == part_labels("Torso")[0], BELLY * belly, 0)
    # Beside a neck there is hair, or a collar: the colour tells.
    out[..., HAIR] += np.where((regions.label == part_labels("Face_Neck")[0]) & (regions.beyond > BESIDE) & ~regions.head, 1.5, 0)
    out[..., HAIR] -= np.where(regions.head, 0, HAIR_FALLS * np.minimum(regions.to_head, 4))
    out[..., SKIN] -= np.minimum(BEYOND * regions.beyond, 4)
    return out


def _like_the_face(colours: np.ndarray, regions: Regions) -> np.ndarray:
    """(h, w) float32: how much likelier skin is for the hue of cells (h, w, 3) CIELAB beside that of the face; 0 without a face.
    Legs see another sun than faces, and wear no make-up: they are darker or paler, of nearly the same hue."""
    if regions.face.sum() < FEWEST_OF_FACE:
        return np.zeros(regions.face.shape, np.float32)
    away = np.linalg.norm(colours[..., 1:] - np.median(colours[regions.face][:, 1:], axis=0), axis=-1)
    told = np.isin(regions.label, part_labels("Torso", "Face_Neck", *ARMS, *LEGS)) & ~regions.head
    return np.where(told, HUE * (2 * np.exp(-np.square(away / HUE_SPREAD)) - 1), 0).astype(np.float32)


def _is_bald(colours: np.ndarray, regions: Regions, hair: np.ndarray) -> bool:
    """Whether the cells (h, w) that would be hair are a scalp; colours (h, w, 3) CIELAB. Without a face nothing tells."""
    if regions.face.sum() < FEWEST_OF_FACE or not hair.any():
        return False
    skin, found = np.median(colours[regions.face & ~hair], axis=0), np.median(colours[hair], axis=0)
    stands_off = np.mean((regions.beyond > BESIDE)[hair] | ~regions.head[hair])
    near = np.linalg.norm((found - skin)[1:]) < BALD_HUE
    return bool(near and found[0] - skin[0] > BALD_SHADE and stands_off < BALD_OFF)


def _stray_hair(regions: Regions, hair: np.ndarray) -> np.ndarray:
    """(h, w) bool: the pieces of the cells that would be hair, (h, w) bool, which do not reach the head: collars, scarves. Narrow
    strips below the head are none either: shadows beside a neck, and what of the background is taken for the person there."""
    import cv2

    width = max(2, round(WISP * regions.length))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    broad = cv2.morphologyEx((hair | regions.head).astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0
    kept = hair & (broad | regions.head)
    _, piece = cv2.connectedComponents(kept.astype(np.uint8))
    rooted = np.unique(piece[kept & regions.head])
    return hair & ~(kept & np.isin(piece, rooted)) if len(rooted) else np.zeros_like(hair)


def _counts(regions: Regions, alike: np.ndarray) -> np.ndarray:
    """(h, w, kinds) float32: how much the colour of a cell counts for each kind. Faces and hands are bare, chests and hips are
    covered; arms, legs and bellies may be either: their colour must not pass for skin, or for cloth, only because that was
    expected there.

    alike  (h, w) of `_like_the_face`: what is unlike a face is cloth wherever it is
    """
    unsure = np.clip(0.5 - alike / HUE, UNSURE, 1)
    out = np.ones((*regions.label.shape, len(KINDS)), np.float32)
    hands = np.isin(regions.label, part_labels("Left_Hand", "Right_Hand"))
    out[..., SKIN] = np.where(regions.face, 1, np.where(hands, np.clip(1 + alike / HUE, UNSURE, 1), UNSURE))
    arms, legs, trunk = (np.isin(regions.label, part_labels(*names)) for names in (ARMS, LEGS, ("Torso",)))
    hips, chest = (np.clip((regions.height - low) / (high - low), 0, 1) for low, high in (COVERED, CHEST))
    waist = np.clip((CHEST[0] - regions.height) / (CHEST[0] - COVERED[1]), 0, 1)
    out[..., LOWER] = np.where(legs, unsure + (1 - unsure) * hips, np.where(trunk, unsure + (1 - unsure) * waist, 1))
    # A shirt over the hips must not tell what colour trousers have: as many believe it to be theirs as it covers of them.
    out[..., LOWER] *= np.clip((BELOW_SHIRTS[1] - regions.height) / (BELOW_SHIRTS[1] - BELOW_SHIRTS[0]), UNSURE, 1)
    out[..., UPPER] = np.where(trunk, unsure + (1 - unsure) * chest, np.where(arms, unsure, 1))
    return out


def _kinds(bins: np.ndarray, expected: np.ndarray, counts: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """(n, kinds) float32 shares of (n,) colours, from what is expected of their places (n, kinds).

    counts (n, kinds): how much each counts for its kinds; solid (h, w) bool: where the n cells are
    """
    shares = _softmax(expected)
    for _ in range(ROUNDS):
        likely = log_likelihood(bins, shares * counts)
        likely = np.maximum(likely - likely.max(axis=1, keepdims=True), -MOST)
        # Stripes and checks of one garment have colours of the other: the neighbourhood tells which of the two it is.
        worn = shares[:, UPPER] + shares[:, LOWER] + FAINT
        rather = _blurred(solid, worn * (likely[:, UPPER] - likely[:, LOWER])) / _blurred(solid, worn)
        cloth = likely[:, [UPPER, LOWER]].max(axis=1)
        likely[:, UPPER], likely[:, LOWER] = cloth + np.minimum(rather, 0), cloth + np.minimum(-rather, 0)
        shares = _softmax(expected + COLOUR * likely)
    return shares


def _blurred(solid: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) float32 values of the solid cells (h, w), blurred over the grid; other cells count as 0."""
    import cv2

    grid = np.zeros(solid.shape, np.float32)
    grid[solid] = values
    return cv2.GaussianBlur(grid, (0, 0), PATTERN)[solid]


def _softmax(logarithms: np.ndarray) -> np.ndarray:
    values = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)


def _sharp(shares: np.ndarray, photo: np.ndarray, solid: np.ndarray) -> np.ndarray:
    """(h, w, kinds) shares of cells -> (H, W, kinds) float32, along the photo's edges."""
    import cv2

    height, width = photo.shape[:2]
    if min(solid.shape) <= 2 * RADIUS:
        return cv2.resize(shares, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
    guided = GuidedFilter(photo, solid.shape, RADIUS, weight=solid.astype(np.float32))
    return np.stack([guided.upsample(shares[..., kind]) for kind in KINDS], axis=-1)


def _classes(shares: np.ndarray, label: np.ndarray, face: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(H, W) uint8 classes.

    shares  (H, W, kinds);  label (H, W): the part of the naked body
    face, inside  (H, W) bool: where the face is, and where the person is
    """
    left = np.array([name.startswith("Left_") for name in part_names()])[label]
    shoes = np.where(left, *part_labels("Left_Shoe", "Right_Shoe"))
    head, torso = part_labels("Face_Neck", "Torso")
    lips = np.isin(label, part_labels("Lower_Lip", "Upper_Lip"))
    skin = np.where(face & ~lips, head, np.where(label == 0, torso, label))
    upper, lower, hair = part_labels("Upper_Clothing", "Lower_Clothing", "Hair")
    kind = _without_specks(shares.argmax(axis=-1).astype(np.uint8), inside)
    return np.choose(kind, [skin, np.full_like(skin, hair), np.full_like(skin, upper), np.full_like(skin, lower), shoes])


def _without_specks(kind: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(H, W) uint8 kinds of the person's pixels, inside (H, W) bool; pieces that are too small to be worn are of the kind around
    them."""
    import cv2

    least = (SPECK * max(kind.shape)) ** 2
    kept = np.zeros(kind.shape, bool)
    for k in KINDS:
        _, piece, stats, _ = cv2.connectedComponentsWithStats(((kind == k) & inside).astype(np.uint8), connectivity=4)
        large = stats[:, cv2.CC_STAT_AREA] >= least
        large[0] = False
        kept |= large[piece]
    if not kept.any():
        return kind
    return np.where(inside & ~kept, kind.ravel()[nearest_cells(kept)[1]], kind)


def _with_socks(classes: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The classes (H, W), with socks: what would be trousers, but is cut off from them by bare legs.

    label  (H, W) uint8: the part of the naked body
    """
    import cv2

    below = part_labels("Left_Lower_Leg", "Right_Lower_Leg", "Left_Foot", "Right_Foot")
    lower = classes == part_labels("Lower_Clothing")[0]
    shins = np.isin(label, below)
    size = 2 * max(1, round(THREAD * max(classes.shape))) + 1
    worn = cv2.morphologyEx(lower.astype(np.uint8), cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    count, piece = cv2.connectedComponents(worn)
    above = np.unique(piece[(worn > 0) & ~shins])
    socks = (worn > 0) & shins & ~np.isin(piece, above)
    bare = np.isin(classes, part_labels("Left_Lower_Leg", "Right_Lower_Leg", "Left_Upper_Leg", "Right_Upper_Leg"))
    if count < 2 or np.count_nonzero(bare) < np.count_nonzero(socks) / 4:
        return classes
    left = np.array([name.startswith("Left_") for name in part_names()])[label]
    return np.where(socks, np.where(left, *part_labels("Left_Sock", "Right_Sock")), classes).astype(np.uint8)
