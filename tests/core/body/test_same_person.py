"""Photos of one person go together, and those of somebody else are named and left out."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.avatar import make_avatars
from sapiens2_avatar.core.body.person import sighting_of, sightings_of
from sapiens2_avatar.core.body.same_person import BARE, LIMIT, Traits, differences, most_alike
from sapiens2_avatar.core.common.landmarks import part_labels
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.settings import AvatarSettings


@pytest.fixture(scope="module")
def loaded(studio):
    """Function: predictions of a sample."""
    return lambda name: Predictions.load(studio(name))


def recoloured(predictions: Predictions, classes: tuple[str, ...], colour: tuple[int, int, int]) -> Predictions:
    albedo = np.where(np.isin(predictions.seg, part_labels(*classes))[..., None], np.uint8(colour), predictions.albedo)
    return replace(predictions, albedo=albedo)


def enlarged(predictions: Predictions, factor: float) -> Predictions:
    """The same person, as far away as if they were larger."""
    return replace(predictions, pointmap=predictions.pointmap * np.float32(factor))


def apart(one: Predictions, other: Predictions) -> float:
    return sum(differences(Traits.of(sighting_of(one)), Traits.of(sighting_of(other))).values())


def test_another_pose_and_a_network_s_noise_are_still_the_same_person(loaded) -> None:
    photos = [loaded(name) for name in ("walk/frame_00", "walk/frame_04", "walk/frame_07")]
    assert max(apart(a, b) for a in photos for b in photos) < LIMIT / 2
    assert apart(loaded("body_apose"), loaded("body_apose.degraded")) < LIMIT / 2
    assert apart(loaded("body_apose"), enlarged(loaded("body_apose"), 1.06)) < LIMIT / 2, "metric depth is unsure"


def test_skin_size_and_build_tell_apart_and_hair_alone_does_not(loaded) -> None:
    photo = loaded("body_apose")
    assert apart(photo, recoloured(photo, BARE, (70, 45, 35))) > LIMIT
    assert apart(photo, recoloured(photo, ("Hair",), (240, 220, 60))) < LIMIT
    assert apart(photo, enlarged(photo, 0.7)) > LIMIT, "a child"
    assert apart(photo, loaded("body_walk")) > LIMIT or apart(photo, loaded("body_sit")) > LIMIT


def test_of_two_people_the_one_who_is_alike_is_taken(loaded) -> None:
    photo = loaded("body_apose")
    sighting = sighting_of(photo)
    dark = sighting_of(recoloured(photo, BARE, (70, 45, 35)))
    assert most_alike(Traits.of(sighting), [dark, sighting]) == (sighting, "")
    found, stranger = most_alike(Traits.of(sighting), [dark])
    assert found is dark and stranger == "skin"


def test_the_built_in_model_and_maps_without_people_tell_nobody_apart(loaded) -> None:
    photo = loaded("body_apose")
    child = replace(enlarged(photo, 0.5), metadata={"models": '{"pose": {"id": "preview"}}'})
    own = Traits.of(sighting_of(photo))
    assert most_alike(own, sightings_of(child))[1] == ""
    assert most_alike(None, sightings_of(enlarged(photo, 0.5)))[1] == ""
    plain = replace(photo, seg=None, albedo=None, normal=None)
    assert most_alike(own, sightings_of(plain))[1] == ""


def test_where_there_is_no_telling_nobody_but_the_largest_is_looked_at(loaded) -> None:
    drawn = sighting_of(replace(loaded("body_apose"), metadata={"models": '{"pose": {"id": "preview"}}'}))
    asked = []

    def people():
        for sighting in (drawn, sighting_of(loaded("body_apose"))):
            asked.append(sighting)
            yield sighting

    assert most_alike(Traits.of(sighting_of(loaded("body_apose"))), people()) == (drawn, "")
    assert most_alike(None, people()) == (drawn, "") and asked == [drawn, drawn]


def test_a_stranger_s_photo_is_named_and_left_out_unless_it_is_trusted(loaded) -> None:
    photo = loaded("body_apose")
    others = {"anna.jpg": loaded("body_apose.degraded"), "bert.jpg": enlarged(photo, 0.7)}
    settings = AvatarSettings(garments=False, texture_size=0)
    (avatar,) = make_avatars(photo, settings=settings, others=others)
    said = [note for note in avatar.notes if "left out" in note]
    assert len(said) == 1 and said[0].startswith("bert.jpg was left out: it shows somebody else, going by their size.")
    (trusting,) = make_avatars(photo, settings=replace(settings, trust_photos=True), others=others)
    assert not any("left out" in note for note in trusting.notes)
    (alone,) = make_avatars(photo, settings=settings, others={"anna.jpg": others["anna.jpg"]})
    height = [float(np.ptp(made.body.vertices[:, 2])) for made in (avatar, trusting, alone)]
    assert height[0] == height[2] and height[1] < height[0]
