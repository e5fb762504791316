"""Who somebody is, apart from any photo: found from photos, kept in a file, used again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..capture.camera import estimate_camera
from ..capture.people import find_people
from ..common.containers import Format, fitting, read_container, write_container
from ..common.errors import SapiensError
from ..common.predictions import Predictions
from ..landmarks.of_maps import with_keypoints
from ..pose.lift import lift_pose
from .evaluate import Shape
from .fit import Sighting, fit_sightings
from .fitted import BodyFit
from .phenotype import HIGHEST, LOWEST, PHENOTYPES
from .state import FARTHEST
from .template import template

FILE = Format(
    "sapiens2-person", 1, "a person", "Save the person again, or check that the whole file was copied.", "Choose a .person file."
)


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody's body, and how it stands in the photos that it was found in.

    shape  who it is
    fits   one of each photo, in their order; empty where the person came from a file
    """

    shape: Shape
    fits: tuple[BodyFit, ...] = ()

    def save(self, path: str | Path) -> Path:
        """Write the identity, whole or not at all. The postures stay with the photos."""
        numbers = {"phenotype": self.shape.phenotype, "body": self.shape.body, "head": self.shape.head}
        arrays = {name: np.asarray(values, np.float32) for name, values in numbers.items()}
        return write_container(path, FILE, arrays, {"phenotypes": " ".join(PHENOTYPES)})

    @classmethod
    def load(cls, path: str | Path) -> Person:
        """Read an identity. Raises SapiensError for a file that is missing, cut, of another kind or out of range."""
        wanted = {"phenotype": len(PHENOTYPES), "body": template().counts[1], "head": template().counts[2]}
        read = read_container(path, FILE, wanted.__contains__)
        with fitting(path, FILE):
            for name, size in wanted.items():
                values = read.arrays.get(name)
                if values is None or values.shape != (size,) or not np.isfinite(values).all():
                    raise ValueError(f"{name} must be {size} finite numbers.")
                if np.abs(values).max() > FARTHEST:
                    raise ValueError(f"{name} is nobody's: a number is beyond {FARTHEST:g}.")
            phenotype = np.clip(read.arrays["phenotype"].astype(np.float64), LOWEST, HIGHEST)
            return cls(Shape(phenotype, read.arrays["body"].astype(np.float64), read.arrays["head"].astype(np.float64)))


def fit_body(predictions: Predictions | Sequence[Predictions], person: Person | None = None) -> Person:
    """The body of the largest person in a photo, or of one person in several photos.

    person  who it is, where that is known: only posture and face are found

    Raises SapiensError where a photo shows nobody, or too little of them to tell.
    """
    photos = [predictions] if isinstance(predictions, Predictions) else list(predictions)
    if not photos:
        raise SapiensError("There is no photo to fit a body to.", "Give the predictions of at least one photo.")
    return person_of([sighting_of(photo) for photo in photos], person)


def person_of(sightings: Sequence[Sighting], person: Person | None = None) -> Person:
    """Who is seen in all of some photos; see `fit_body`."""
    fits = fit_sightings(sightings, None if person is None else person.shape)
    return Person(fits[0].shape, tuple(fits))


def sighting_of(predictions: Predictions) -> Sighting:
    """The largest person of a photo. Raises SapiensError where there is nobody, or where too little is known."""
    return next(sightings_of(predictions))


def sightings_of(predictions: Predictions) -> Iterator[Sighting]:
    """Everybody in a photo, the largest first; errors as `sighting_of`, of the largest.

    One after the other, so that nobody is looked at who is not asked for. People beside the largest one of whom too little is
    known are left out.
    """
    predictions = with_keypoints(predictions)
    camera = estimate_camera(predictions).camera
    if predictions.seg is None:
        yield Sighting(predictions, camera, lift_pose(predictions, person=0, camera=camera))
        return
    boxes = predictions.boxes if predictions.boxes is not None and len(predictions.boxes) else None
    people = find_people(predictions.seg, boxes)
    if not people:
        raise SapiensError("No person was found in the photo.", "Choose a photo of a person, or draw a box around them.")
    order = sorted(range(len(people)), key=lambda k: -int(people[k].mask.sum()))
    for place, index in enumerate(order):
        try:
            pose = lift_pose(predictions, person=index, camera=camera)
        except SapiensError:
            if place == 0:
                raise
            continue
        yield Sighting(predictions, camera, pose, index, people[index].mask)
