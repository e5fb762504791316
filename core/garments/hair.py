"""What a person wears on the head, as objects of their own: hair, hats and glasses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..body.fit import Sighting
from ..body.fitted import BodyFit
from ..common.arrays import RigData
from ..common.avatars import BodyData, GarmentData
from ..common.landmarks import part_labels
from .charts import chart_uvs
from .envelope import BEHIND_BODY, Capsule, Cues, envelope, scalp
from .eyewear import make_eyewear
from .head_space import SKIN, Head, View, look_at_head
from .head_weights import head_weights
from .headwear import hat_region, headwear_pixels
from .volume import piece_surface, see_piece, skin_distance

FEWEST_PIXELS = 60  # of a piece that is made at all, over all photos
MOST_POINTS = 60_000  # of one photo
HAIR_THIN = 0.006  # metres, where nothing is known
FARTHEST = 0.9  # metres from the head's middle that hair may reach
APART = 0.015  # metres in front of what is seen that would hide it
SEEN_THROUGH = 0.4
SLIVER = 0.1  # of the hair: larger patches of skin over the eyes are a bald head
SPECK = 0.05  # of the largest patch: smaller ones far below it are none of the piece
LINED = 0.001  # metres over the skin below which faces are lining


def make_head_garments(
    photos: Sequence[tuple[Sighting, BodyFit]], body: BodyData, rig: RigData
) -> tuple[tuple[GarmentData, ...], tuple[str, ...]]:
    """Hair, a hat and glasses, as far as the photos show them, and sentences about what could not be made.

    photos     of one person, with the body fitted to each
    body, rig  as they stand in the first photo, in its camera's space
    """
    head, views = look_at_head(photos)
    if not views:
        return (), ()
    pieces = []
    hats = [headwear_pixels(view, head) for view in views]
    for kind, masks in (("headwear", hats), ("hair", [_hair_pixels(view, head) for view in views])):
        made = _piece(kind, masks, head, views, body, rig)
        if made is not None:
            pieces.append(made)
    glasses, notes = make_eyewear(head, views, body, rig)
    return (*pieces[::-1], *glasses), notes


def _piece(kind: str, masks: list[np.ndarray], head: Head, views: list[View], body: BodyData, rig: RigData) -> GarmentData | None:
    """Hair or a hat; None where too little of it is seen."""
    middle = head.skull.mean(axis=0)
    masks = [_without_specks(view, _near(view, mask, middle), head) for view, mask in zip(views, masks, strict=True)]
    if sum(int(mask.sum()) for mask in masks) < FEWEST_PIXELS:
        return None
    pieces = [see_piece(view, mask) for view, mask in zip(views, masks, strict=True)]
    own = np.concatenate([_some(piece.points()) for piece in pieces])
    going_on = [view.to_head(view.points[_goes_on(view, mask)]) for view, mask in zip(views, masks, strict=True)]
    skin = np.concatenate([_some(view.to_head(view.points[view.of(*SKIN)])) for view in views])
    skin = skin[np.linalg.norm(skin - middle, axis=1) < FARTHEST]
    ends = np.concatenate(going_on)
    capsule = Capsule.round_head(head, float(own[:, 2].min()) - (BEHIND_BODY if len(ends) else 0.0))
    grows = scalp(head, capsule) if kind == "hair" else hat_region(head, capsule, own)
    likely = envelope(head, capsule, Cues(own, skin, ends, _even(views, own, head)), grows, HAIR_THIN)
    vertices, quads = piece_surface(head, pieces, likely, own)
    if not len(quads):
        return None
    first = views[0]
    inside = skin_distance(head, vertices[quads].mean(axis=1)) < LINED
    return GarmentData(
        kind=kind,
        vertices=first.to_camera(vertices).astype(np.float32),
        quads=quads,
        uvs=chart_uvs(vertices, quads, inside, np.eye(3)),
        weights=head_weights(vertices, head, first, body, rig),
        labels=part_labels("Hair" if kind == "hair" else "Apparel").astype(np.uint8),
        tone=_tone(views, masks),
        inside=inside,
    )


def _hair_pixels(view: View, head: Head) -> np.ndarray:
    """(H, W) bool: hair, with slivers over the eyes that are taken for skin between it and the background."""
    import cv2

    hair, skin = view.of("Hair"), view.of("Face_Neck")
    count, patch, stats, _ = cv2.connectedComponentsWithStats(skin.astype(np.uint8), connectivity=4)
    if count < 3 or not hair.any():
        return hair
    lowest = np.full(count, np.inf)
    np.minimum.at(lowest, patch[skin], view.to_head(view.points[skin])[:, 2])
    size = stats[:, cv2.CC_STAT_AREA]
    sliver = (size < SLIVER * hair.sum()) & (size < size[1:].max()) & (lowest > head.eye_level)
    return hair | (skin & sliver[patch])


def _even(views: list[View], own: np.ndarray, head: Head) -> bool:
    """Whether what hangs below the chin may hang on the other side too: mirrored, little of it is where photos see through."""
    low = own[own[:, 2] < head.eye_level - head.height] * [-1, 1, 1]
    if not len(low):
        return True
    through = np.zeros(len(low), bool)
    for view in views:
        row, column, shown, depth = view.look(low)
        behind = ~view.person[row, column] | (view.points[row, column, 2] > depth + APART)
        through |= shown & behind
    return float(through.mean()) < SEEN_THROUGH


def _near(view: View, mask: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels of a mask whose points are near the head."""
    out = mask.copy()
    out[mask] = np.linalg.norm(view.to_head(view.points[mask]) - middle, axis=1) < FARTHEST
    return out


def _without_specks(view: View, mask: np.ndarray, head: Head) -> np.ndarray:
    """(H, W) bool: the mask without patches below the chin that are small against the rest: dark collars and shadows."""
    import cv2

    count, patch, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 3:
        return mask
    size = stats[1:, cv2.CC_STAT_AREA]
    height = view.to_head(view.points[mask])[:, 2]
    highest = np.full(count, -np.inf)
    np.maximum.at(highest, patch[mask], height)
    speck = (size < SPECK * size.max()) & (highest[1:] < head.eye_level - head.height)
    return mask & ~np.r_[False, speck][patch]


def _some(points: np.ndarray) -> np.ndarray:
    """At most MOST_POINTS of the points, evenly."""
    return points[:: max(1, -(-len(points) // MOST_POINTS))]


def _goes_on(view: View, own: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels of a piece below which something in front of it hides it, or the photo ends."""
    out = np.zeros_like(own)
    if not own.any():
        return out
    depth = view.points[..., 2]
    step = max(1, round(0.006 * view.camera.fx / float(np.median(depth[own]))))
    if step >= len(own):
        return out
    with np.errstate(invalid="ignore"):
        nearer = (view.labels[step:] > 0) & ~own[step:] & (depth[step:] < depth[:-step] - 0.008)
    out[:-step] = own[:-step] & nearer
    out[-step:] = own[-step:]
    return out


def _tone(views: list[View], masks: list[np.ndarray]) -> np.ndarray:
    """(3,) uint8: the median colour of a piece."""
    colours = np.concatenate([view.colour[mask] for view, mask in zip(views, masks, strict=True)])
    return np.rint(np.median(colours, axis=0)).astype(np.uint8)
