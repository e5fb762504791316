"""What becomes of a person of whom some maps are missing: less, and a sentence, never nonsense."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core import whole_person
from sapiens2_avatar.core.avatar import make_avatars
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.memo import Memo
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.settings import AvatarSettings
from sapiens2_avatar.core.texture.settings import TextureSettings

SETTINGS = AvatarSettings(texture_size=256)


@pytest.fixture(scope="module")
def walker(studio):
    return Predictions.load(studio("body_walk"))


def only(predictions: Predictions, *names: str) -> Predictions:
    """The predictions with these maps alone."""
    maps = ("pointmap", "normal", "albedo", "seg", "alpha", "keypoints", "boxes")
    return replace(predictions, **{name: None for name in maps if name not in names})


@pytest.mark.parametrize("names", [("keypoints",), ("keypoints", "seg"), ("keypoints", "pointmap")])
def test_keypoints_with_little_else_make_a_body_of_a_person_s_size_and_form(walker, names):
    (avatar,) = make_avatars(only(walker, *names), settings=SETTINGS)
    assert avatar.mesh is None and avatar.body is not None
    points = avatar.body.vertices @ avatar.world_from_camera[:3, :3].T + avatar.world_from_camera[:3, 3]
    head = points[np.isin(avatar.rig.names, ["spine.006"])[avatar.body.weights.bones[:, 0]]]
    assert 1.4 < np.ptp(points[:, 2]) < 2.1, "metres, at rest"
    width, depth, height = np.ptp(head, axis=0)
    assert 0.12 < width < 0.26 and 0.9 < depth / width < 1.6 and 1.1 < height / width < 1.8, "no crushed skull"
    assert not any("does not show the head" in note for note in avatar.notes)
    said = "Without body parts" if "seg" not in names else "Without a depth map"
    assert any(note.startswith(said) for note in avatar.notes)
    kinds = {garment.kind for garment in avatar.garments}
    assert kinds == (kinds if "seg" in names else set())


def test_two_people_of_keypoints_alone_are_two_avatars(walker):
    beside = walker.keypoints + np.float32([walker.width, 0, 0])
    beside[..., 2] = walker.keypoints[..., 2]
    both = replace(
        only(walker),
        image=np.concatenate([walker.image] * 2, axis=1),
        keypoints=np.concatenate([walker.keypoints, beside]),
        intrinsics=None,
    )
    avatars = make_avatars(both, settings=replace(SETTINGS, texture_size=0))
    assert [avatar.body is not None for avatar in avatars] == [True, True]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (AvatarSettings(make="scan"), ("keypoints",)),
        (AvatarSettings(make="both"), ("keypoints", "seg")),
        (AvatarSettings(), ("seg",)),
        (AvatarSettings(stature=1.8), ("keypoints",)),
        (AvatarSettings(distance=2.0), ("keypoints",)),
    ],
)
def test_what_needs_depth_says_so(walker, settings, names):
    with pytest.raises(SapiensError, match="has no depth map"):
        make_avatars(only(walker, *names), settings=settings)


@pytest.mark.parametrize(("model", "photos"), [("preview", 1), ("0.4b", 2)])
def test_drawn_maps_of_other_photos_do_not_shape_clothes(walker, monkeypatch, model, photos):
    """What the built-in model draws differs between photos as its guesses do."""
    shaped_by: list[int] = []

    def dress(given, *arguments):
        shaped_by.append(len(given))
        return whole_person_dress(given, *arguments)

    whole_person_dress = whole_person.dress
    monkeypatch.setattr(whole_person, "dress", dress)
    photo = replace(walker, metadata={"models": json.dumps({"pose": {"id": model}})})
    (avatar,) = make_avatars(photo, settings=replace(SETTINGS, texture_size=0), others={"side": photo})
    assert shaped_by == [photos] and avatar.garments


def test_a_bust_in_one_mesh_is_not_the_whole_that_was_made_before(walker):
    """Both have the same vertices; what is kept of former builds must tell them apart."""
    memo = Memo()
    settings = replace(SETTINGS, one_mesh=True, texture_size=0)
    photo = only(walker, "keypoints")
    ((whole,), (bust,)) = (
        make_avatars(photo, settings=replace(settings, extent=extent), memo=memo) for extent in ("whole", "bust")
    )
    assert whole.body.bust is None and bust.body.bust is not None


def test_the_base_colour_that_is_asked_for_is_that_of_the_avatar_too(walker):
    memo = Memo()
    made = {}
    for colour in ("auto", "albedo", "photo"):
        settings = replace(SETTINGS, garments=False, texture=TextureSettings(colour=colour))
        (avatar,) = make_avatars(walker, settings=settings, memo=memo)
        made[colour] = avatar.body.textures.base_colour_srgb.astype(float)
    assert (made["auto"] == made["albedo"]).all()
    assert np.abs(made["photo"] - made["albedo"]).mean() > 3
    with pytest.raises(SapiensError, match="have no albedo map"):
        make_avatars(
            replace(walker, albedo=None),
            settings=replace(SETTINGS, garments=False, texture=TextureSettings(colour="albedo")),
            memo=memo,
        )
