"""Everybody in a photo with their keypoints, their mask and the body that fits both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ..body.evaluate import pose_points, rest_points
from ..body.fit import Stage, fit_photo
from ..body.fitted import BodyFit
from ..body.maps import BodyMaps, draw_body, triangles
from ..body.skeleton import BONES
from ..body.template import template
from ..common.arrays import Camera
from ..common.errors import SapiensError
from ..common.landmarks import SIDES, joint_keypoints
from ..common.predictions import Predictions
from ..landmarks.body import INDEX
from ..landmarks.keypoints import keypoints_of
from ..landmarks.people import PersonLandmarks
from ..pose.anthropometry import DEFAULT_STATURE
from ..pose.initial_guess import MEAN_RADIUS
from ..pose.lift import lift_pose
from ..pose.settings import PoseSettings
from .body_regions import face_oval
from .depth_evidence import joint_depths

STAGES = (
    Stage(2, ("translation", "turns")),
    Stage(4, ("translation", "turns", "phenotype", "body"), joints=0.7, fingers=1.0, image=0.5, reach=0.15),
    Stage(4, ("translation", "turns", "phenotype", "body", "head", "face"), joints=0.4, fingers=0.9, image=1.5, reach=0.06),
)
"""Fewer steps than for a person whose surface was seen: landmarks alone do not say more."""
LIFT = PoseSettings(hand_depth_m=0.04)
"""The depth that a network of landmarks gives a finger is no measurement. That of the joints of a body is coarse too, and yet
better than what the lengths of limbs say: who is taken for a twentieth too tall would bend every limb by a third of its length.
"""
HAND = ("hand", "thumb", "f_", "palm")
LIMBS = ("upper_arm", "forearm", *HAND, "thigh", "shin", "foot", "toe")
"""How the names of the bones of a hand, and of arms and legs, begin."""
WRIST_SURE, WRIST_SEEN = 0.9, 0.5
"""A hand that its own network does not see is drawn where the wrist scores the first at least, the forearm the second."""
LEAST_MASK = 40
"""Pixels; of a person in a box of whom less is seen, the body or the box itself says where they are."""
WEAK = 0.3
"""Keypoints of a lower score lie where the body has them."""
BEHIND = 0.06
"""Metres that a joint is farther behind the surface than inside of its own limb, from which on something else covers it."""
COVERED = 0.4
"""What is left of the score of such a keypoint."""
ON_FACE, ON_BODY = 0.8, 0.3
"""How much more opaque somebody counts where their own face is seen, and where their fitted body is."""


@dataclass(frozen=True, eq=False)
class FittedPerson:
    """One person of a photo.

    landmarks  what the networks said
    keypoints  (308, 3) float32: x, y in pixels, score 0..1
    opacity    (H, W) float32 0..1, 0 where somebody else is in front
    box        (4,) float32: x1, y1, x2, y2
    maps       of the body as the camera sees it; None where no body fits
    """

    landmarks: PersonLandmarks
    keypoints: np.ndarray
    opacity: np.ndarray
    box: np.ndarray
    maps: BodyMaps | None

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool: more person than not."""
        return self.opacity > 0.5


def fit_people(
    image: np.ndarray, people: list[PersonLandmarks], camera: Camera, alpha: np.ndarray | None, report: Callable[[float], None]
) -> list[FittedPerson]:
    """The bodies of people whom the networks found.

    image   (H, W, 3) uint8 sRGB
    alpha   (H, W) uint8 opacity that the photo itself has; None = opaque
    report  called with the share of the bodies that are done
    """
    height, width = image.shape[:2]
    opacities = [person.mask.in_photo(height, width) for person in people]
    if alpha is not None:
        opacities = [np.minimum(opacity, alpha / np.float32(255)) for opacity in opacities]
    found = []
    for i, (person, opacity) in enumerate(zip(people, opacities, strict=True)):
        report(i / len(people))
        keypoints = keypoints_of(person)
        fit = _fitted(image, keypoints, person, opacity > 0.5, camera)
        maps = None if fit is None else _drawn(fit, person, camera)
        if fit is not None and maps is not None:
            keypoints = _completed(keypoints, fit, maps, camera)
        opacity = _enough(opacity, maps, person.box)
        found.append(FittedPerson(person, keypoints, opacity, person.box.astype(np.float32), maps))
    return _apart(found)


def _fitted(
    image: np.ndarray, keypoints: np.ndarray, person: PersonLandmarks, mask: np.ndarray, camera: Camera
) -> BodyFit | None:
    """The body; None where the keypoints cannot be a person's: what is drawn of them then is the outline."""
    seen = Predictions(image, keypoints=keypoints[None], intrinsics=camera.matrix.astype(np.float32))
    try:
        depths = joint_depths(person.body, keypoints, mask, camera)
        pose = depths.placed(lift_pose(replace(seen, pointmap=depths.surface), 0, camera, LIFT))
        return fit_photo(seen, camera=camera, pose=pose, mask=mask if mask.any() else None, stages=STAGES)
    except (SapiensError, np.linalg.LinAlgError):
        return None


def _drawn(fit: BodyFit, person: PersonLandmarks, camera: Camera) -> BodyMaps:
    """The body as the camera sees it, without limbs that are a guess: they would lie over what the photo shows."""
    maps = draw_body(fit, camera)
    guessed = [bone for bone, unseen in fit.unseen.items() if unseen and bone.startswith(LIMBS)]
    for side, hand in zip(SIDES, person.hands, strict=True):
        wrist = float(person.body.points[INDEX[f"{side}_wrist"], 3])
        if hand is None and wrist < WRIST_SURE:
            hidden = (*HAND, "forearm") if wrist < WRIST_SEEN else HAND
            guessed += [bone for bone in BONES if bone.startswith(hidden) and bone.endswith(side[0].upper())]
    if not guessed:
        return maps
    t = template()
    owner = t.weight_bones[np.arange(len(t.base)), t.weights.argmax(axis=1)]
    hidden = np.isin(owner, [list(BONES).index(bone) for bone in guessed])[triangles()[:, 0]]
    gone = (maps.face >= 0) & hidden[maps.face]
    return BodyMaps(
        np.where(gone[..., None], np.float32(np.nan), maps.points),
        np.where(gone[..., None], np.float32(np.nan), maps.normals),
        np.where(gone, 0, maps.labels).astype(np.uint8),
        np.where(gone, -1, maps.face).astype(np.int32),
    )


def _completed(keypoints: np.ndarray, fit: BodyFit, maps: BodyMaps, camera: Camera) -> np.ndarray:
    """The keypoints, those of low scores where the body has them; their scores stay as low as they are. What lies behind another
    part of the body has a low score too: the surface there is not its own, however sure the network is of its place."""
    places = template().keypoints.of(pose_points(rest_points(fit.shape, fit.face), fit.posture))
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = np.isfinite(places).all(axis=1) & (places[:, 2] > 0.05)
        pixels = camera.project(np.where(drawn[:, None], places, 1.0))
    replaced = drawn & (keypoints[:, 2] < WEAK)
    out = keypoints.copy()
    out[replaced, :2] = pixels[replaced]
    x, y = np.clip(np.round(np.nan_to_num(pixels)), 0, (camera.width - 1, camera.height - 1)).astype(np.int64).T
    with np.errstate(invalid="ignore"):
        behind = drawn & (places[:, 2] - maps.points[y, x, 2] > _depth_inside() + BEHIND)
    out[behind, 2] *= COVERED
    return out


@cache
def _depth_inside() -> np.ndarray:
    """(308,) metres that a keypoint of a joint lies inside the body, 0 on the skin."""
    out, at = np.zeros(308), joint_keypoints()
    out[at[at >= 0]] = MEAN_RADIUS[at >= 0] * DEFAULT_STATURE
    return out


def _enough(opacity: np.ndarray, maps: BodyMaps | None, box: np.ndarray) -> np.ndarray:
    """The opacity; of somebody in a box of whom next to nothing is seen, that of their body in the box, or of an ellipse."""
    if np.count_nonzero(opacity > 0.5) >= LEAST_MASK:
        return opacity
    height, width = opacity.shape
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]
    x1, y1, x2, y2 = box
    body = np.zeros(opacity.shape, bool) if maps is None else maps.face >= 0
    body &= (x >= x1) & (x <= x2) & (y >= y1) & (y <= y2)
    if np.count_nonzero(body) < LEAST_MASK:
        across, down = max((x2 - x1) / 2, 1.0), max((y2 - y1) / 2, 1.0)
        body = ((x - (x1 + x2) / 2) / across) ** 2 + ((y - (y1 + y2) / 2) / down) ** 2 <= 1
    return body.astype(np.float32)


def _apart(people: list[FittedPerson]) -> list[FittedPerson]:
    """Every pixel belongs to one person: whose face is seen there, whose body is there and who is more opaque, and of two who are
    equal to the nearer body. Masks of people who stand close together reach over each other."""
    if len(people) < 2:
        return people
    claims = np.stack([np.round(person.opacity, 1) for person in people])
    for claim, person in zip(claims, people, strict=True):
        there = person.opacity > 0.5
        claim += np.float32(ON_FACE) * (there & face_oval(person.landmarks, claim.shape))
        if person.maps is not None:
            body = person.maps.face >= 0
            claim += np.float32(ON_BODY) * (there & body)
            # At most half of a step of the opacity.
            claim += np.where(body, 0.05 / (1 + np.nan_to_num(person.maps.points[..., 2])), 0).astype(np.float32)
    owner = claims.argmax(axis=0)
    out = []
    for i, person in enumerate(people):
        opacity = np.where(owner == i, person.opacity, np.float32(0))
        if np.count_nonzero(opacity > 0.5) < LEAST_MASK:  # wholly behind somebody else: a piece of them stays
            opacity = _enough(np.zeros_like(opacity), None, person.box)
        out.append(FittedPerson(person.landmarks, person.keypoints, opacity, person.box, person.maps))
    taken = np.zeros(people[0].opacity.shape, bool)
    for person in sorted(out, key=lambda person: int(person.mask.sum())):
        person.opacity[taken] = 0
        taken |= person.mask
    return out
