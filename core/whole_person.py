"""A person as a character: the body that was fitted, what it wears, and their textures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from .body.bust import cut_to_bust
from .body.character import make_body
from .body.evaluate import Shape
from .body.fit import Sighting, fit_sightings
from .body.fitted import BodyFit
from .body.painted import paint_avatar
from .body.person import sightings_of
from .body.rest import in_photo
from .body.same_person import Traits, most_alike
from .capture.people import Person
from .capture.provenance import is_drawn
from .common.arrays import Camera, Pose, RigData
from .common.avatars import BodyData, GarmentData
from .common.errors import SapiensError
from .common.memo import digest
from .common.predictions import Predictions
from .garments.dress import dress
from .stages import Build, CacheKey, digest_of

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Fitted:
    """The body of one person.

    key      what it depends on
    photos   what was seen of them, the photo that is built first, and the body in each; empty where nothing was fitted
    problem  why nothing was fitted where a body was asked for
    left_out  sentences about photos that were of no use
    """

    key: CacheKey
    photos: tuple[tuple[Sighting, BodyFit], ...] = ()
    problem: str = ""
    left_out: tuple[str, ...] = ()

    @property
    def fit(self) -> BodyFit | None:
        """The body in the photo that is built."""
        return self.photos[0][1] if self.photos else None

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.problem, self.fit.doubt if self.fit is not None else "", *self.left_out)))


@dataclass(frozen=True, eq=False)
class Character:
    """A person as they stand in the photo, in camera space, and what there is to say about them."""

    body: BodyData
    rig: RigData
    garments: tuple[GarmentData, ...] = ()
    notes: tuple[str, ...] = ()


def fit_people(
    build: Build, predictions: Predictions, camera: Camera, people: Sequence[Person], poses: Sequence[Pose | str], lead: int
) -> list[Fitted]:
    """Everybody's body, if avatars were asked for.

    poses  of each person, or why there is none
    lead   whom other photos show
    """
    settings = build.settings
    if settings.make == "scan" and not settings.close:
        return [Fitted(CacheKey("", build.seen))] * len(people)
    build.report("body", 0.1)
    key = CacheKey("body", build.seen, camera=camera, pose=settings.pose, distance=settings.distance, stature=settings.stature)
    if build.known is not None:
        key = replace(key, known=digest(build.known.numbers()))

    def fitted(index: int, person: Person) -> Fitted:
        pose, more = poses[index], build.others if index == lead else {}
        if isinstance(pose, str):
            return Fitted(key, problem=f"No body: {pose.rstrip('.')}. The scan was made instead." if pose else "")
        # Without parts, depth and matte the mask is no outline, but a box.
        outlined = any(found is not None for found in (predictions.seg, predictions.pointmap, predictions.alpha))
        mask = person.mask if outlined else None
        own = replace(key, person=index, more=_of_others(build, more))
        return build.once(
            own,
            lambda: _fit(own, Sighting(predictions, camera, pose, index, mask), more, build.known, settings.trust_photos),
        )

    return [fitted(index, person) for index, person in enumerate(people)]


def _of_others(build: Build, others: Mapping[str, Predictions]) -> tuple[object, ...]:
    """What of the key stands for other photos of the same person."""
    if not others or build.memo is None:
        return ()
    return (build.settings.trust_photos, *map(digest_of, others.values()))


def _fit(key: CacheKey, sighting: Sighting, others: Mapping[str, Predictions], known: Shape | None, trusted: bool) -> Fitted:
    """The body, or the reason why there is none: the scan is still worth having.

    others   other photos of the same person, by name
    known    who it is, if that is known
    trusted  nobody looks whether they show somebody else
    """
    sightings, left_out = [sighting], []
    own = None if not others or is_drawn(sighting.predictions) else Traits.of(sighting)
    for name, predictions in others.items():
        try:
            seen, stranger = most_alike(own, sightings_of(predictions))
        except SapiensError as error:
            left_out.append(f"{name} was left out: {error.message}")
            continue
        if stranger and not trusted:
            left_out.append(
                f"{name} was left out: it shows somebody else, going by their {stranger}. "
                "If it is the same person all the same, turn Trust the Photos on."
            )
        else:
            sightings.append(seen)
    try:
        return Fitted(key, tuple(zip(sightings, fit_sightings(sightings, known), strict=True)), left_out=tuple(left_out))
    except SapiensError as error:
        return Fitted(key, problem=f"No body: {error.message.rstrip('.')}. The scan was made instead.", left_out=tuple(left_out))


def make_character(build: Build, fitted: Fitted) -> Character:
    """The body of a fit with clothes, hair and textures, as they were asked for."""
    settings, key = build.settings, fitted.key
    assert fitted.fit is not None
    resting, resting_rig = make_body(fitted.fit, np.eye(4))
    body, rig = in_photo(resting, resting_rig)
    garments: tuple[GarmentData, ...] = ()
    notes: tuple[str, ...] = ()
    if settings.garments:
        build.report("clothes", 0.2)
        # Surfaces that are drawn differ between photos by more than cloth is thick: one makes the clothes, all paint them.
        drawn = any(is_drawn(sighting.predictions) for sighting, _ in fitted.photos)
        shaped_by = fitted.photos[:1] if drawn else fitted.photos
        dressed = build.once(replace(key, stage="garments"), lambda: dress(shaped_by, body, rig))
        garments, notes = dressed.garments, dressed.notes
        body = replace(body, covered=dressed.covered)
    if settings.texture_size:
        build.report("texture", 0.4)
        size, look = settings.texture_size, settings.texture
        seen = look.colour, look.delight, look.gutter  # the rest is how a scan's textures are laid out
        unpainted = replace(key, more=(*key.more, settings.garments, size))
        painted = replace(unpainted, stage="painted", more=(*unpainted.more, *seen))

        def once(name: str, compute: Callable[[], T]) -> T:
            return build.once(replace(unpainted, stage=f"painted: {name}"), compute)

        body, garments = build.once(painted, lambda: paint_avatar(body, garments, fitted.photos, size, look, once))
    notes += _missing(build, fitted.photos[0][0].predictions)
    if settings.extent == "bust":
        body, garments = cut_to_bust(body, garments, resting.vertices, resting_rig)
    elif fitted.fit.unseen.get("spine"):
        notes += ("The photo shows head and shoulders: Extent makes a bust of them.",)
    return Character(body, rig, garments, notes)


def _missing(build: Build, predictions: Predictions) -> tuple[str, ...]:
    """What could not be made for lack of a map, in sentences."""
    if predictions.seg is None and build.settings.garments:
        return ("Without body parts nothing tells cloth from skin: no clothes and no hair are made.",)
    if predictions.pointmap is None and build.settings.garments:
        return ("Without a depth map clothes lie close to the body, and there is no hair.",)
    return ()
