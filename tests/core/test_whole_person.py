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


@pytest.mark.parametrize("names", [("pointmap", "normal", "albedo", "seg", "alpha"), ("pointmap",), ("seg",)])
def test_maps_without_keypoints_make_the_avatar_too(walker, names):
    """Somebody ran no pose network, or has maps of another program."""
    (avatar,) = make_avatars(only(walker, *names), settings=replace(SETTINGS, texture_size=0))
    (known,) = make_avatars(walker, settings=replace(SETTINGS, texture_size=0))
    assert avatar.body is not None and avatar.rig is not None and avatar.rig.names == known.rig.names
    assert any("found the keypoints" in note for note in avatar.notes)
    assert not any("found the keypoints" in note for note in known.notes)
    body, true = (each.body.vertices - each.body.vertices.mean(axis=0) for each in (avatar, known))
    off = np.linalg.norm(body / np.ptp(body[:, 1]) - true / np.ptp(true[:, 1]), axis=1)
    assert np.median(off) < (0.01 if "normal" in names else 0.05), "shares of the height"


@pytest.mark.parametrize("names", [(), ("seg",)])
def test_an_empty_photo_without_keypoints_is_no_avatar(walker, names):
    empty = replace(only(walker, *names), image=np.full_like(walker.image, 90))
    with pytest.raises(SapiensError, match="has no depth map"):
        make_avatars(empty, settings=SETTINGS)


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
