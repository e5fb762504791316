"""Bodies and garments painted from photos of bodies that are drawn: the skin's tone all round, and poses of other photos."""

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.body.character import make_body
from sapiens2_avatar.core.body.evaluate import Posture, Shape, pose_points, rest_points
from sapiens2_avatar.core.body.fit import Sighting
from sapiens2_avatar.core.body.fitted import BodyFit
from sapiens2_avatar.core.body.maps import draw_body
from sapiens2_avatar.core.body.other_photos import in_other_photo, rest_rig_of, rested
from sapiens2_avatar.core.body.painted import paint_avatar
from sapiens2_avatar.core.body.rest import in_photo
from sapiens2_avatar.core.body.skeleton import BONES
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.arrays import Camera, Pose
from sapiens2_avatar.core.common.avatars import GarmentData
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, part_labels
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.texture.project import vertex_normals
from sapiens2_avatar.core.texture.surface_fill import PLAIN

CAMERA = Camera(300, 400, 480.0, 480.0, 149.5, 199.5)
TO_CAMERA = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
SKIN, SHIRT = np.array([210, 150, 120]), np.array([30, 60, 170])
TRUNK = part_labels("Torso")
LEGS = tuple(f"{side}_{part}" for side in ("Left", "Right") for part in ("Upper_Leg", "Lower_Leg", "Foot"))


def standing(yaw: float, seed: int) -> BodyFit:
    rng = np.random.default_rng(seed)
    turns = Posture.rest().turns.copy()
    for row, name in enumerate(BONES):
        if name.startswith(("upper_arm", "thigh", "forearm")):
            turns[row] = rotation_from_vector(rng.normal(0, 0.2, 3))
    turns[0] = TO_CAMERA @ rotation_from_vector(np.array([0, 0, yaw]))
    hips = template().heads.of(rest_points(Shape()).astype(float))[0]
    return BodyFit(Shape(), Posture(turns, np.array([0.0, -0.05, 2.2]) - hips))


def sighted(fit: BodyFit) -> Sighting:
    """A photo of somebody whose trunk wears a shirt that is as thick as paint."""
    maps = draw_body(fit, CAMERA)
    seg = np.where(np.isin(maps.labels, TRUNK), part_labels("Upper_Clothing")[0], maps.labels).astype(np.uint8)
    image = np.full((*seg.shape, 3), 90, np.uint8)
    image[seg > 0] = SKIN
    image[seg == part_labels("Upper_Clothing")[0]] = SHIRT
    points = np.where(np.isfinite(maps.points), maps.points, 0).astype(np.float32)
    predictions = Predictions(image=image, pointmap=points, seg=seg, albedo=image)
    nowhere = np.zeros((len(JOINT_NAMES), 3), np.float32)
    known = np.ones(len(nowhere), np.float32)
    return Sighting(predictions, CAMERA, Pose(JOINT_NAMES, nowhere, known, known > 0, np.zeros((308, 3), np.float32), 1.7))


def shirt(body) -> GarmentData:
    """The trunk's skin, a few millimetres further out."""
    t = template()
    labels = t.labels[np.unique(t.faces[t.body_faces()])]
    skin = body.part == 0
    trunk = np.isin(labels[body.quads], TRUNK).all(axis=1) & skin
    points = body.vertices + 0.004 * vertex_normals(body.vertices.astype(float), body.quads[skin])
    quads = body.quads[trunk]
    return GarmentData(
        "upper",
        points.astype(np.float32),
        quads,
        body.uvs[trunk],
        body.weights,
        part_labels("Upper_Clothing").astype(np.uint8),
        np.array([90, 90, 90], np.uint8),
        np.zeros(len(quads), bool),
    )


def colours(quads_uvs: np.ndarray, texture: np.ndarray) -> np.ndarray:
    size = len(texture)
    u, v = quads_uvs.mean(axis=1).T
    return texture[np.clip((1 - v) * size, 0, size - 1).astype(int), np.clip(u * size, 0, size - 1).astype(int)].astype(float)


@pytest.fixture(scope="module")
def front() -> BodyFit:
    return standing(0.2, 1)


def test_what_stands_in_one_photo_stands_in_the_other(front):
    other = standing(2.0, 2)
    body = in_photo(*make_body(front, np.eye(4)))[0]
    rest = rested(body.vertices, body.weights, rest_rig_of(front))
    assert np.abs(rest - make_body(front, np.eye(4))[0].vertices).max() < 0.004
    t = template()
    used = np.unique(t.faces[t.body_faces()])
    there = pose_points(rest_points(other.shape), other.posture)[used]
    assert np.abs(in_other_photo(rest, body.weights, other) - there).max() < 0.01


def test_skin_and_shirt_have_their_colours_all_round(front):
    body = in_photo(*make_body(front, np.eye(4)))[0]
    painted, (worn,) = paint_avatar(body, [shirt(body)], [(sighted(front), front)], 256)
    assert np.abs(colours(worn.uvs, worn.textures.base_colour_srgb) - SHIRT).mean() < 12
    skin = body.part == 0
    assert np.abs(colours(body.uvs[skin], painted.textures.base_colour_srgb) - SKIN).mean() < 12
    assert 0.1 < painted.textures.seen.mean() < 0.6


def test_the_body_wears_what_has_no_garment(front):
    """Somebody dressed is never shown naked."""
    body = in_photo(*make_body(front, np.eye(4)))[0]
    painted, none = paint_avatar(body, [], [(sighted(front), front)], 256)
    trunk = shirt(body)
    assert none == () and np.abs(colours(trunk.uvs, painted.textures.base_colour_srgb) - SHIRT).mean() < 30


def test_limbs_that_no_photo_shows_are_plain_and_not_naked(front):
    body = in_photo(*make_body(front, np.eye(4)))[0]
    seen = sighted(front)
    labels = template().labels[: len(body.vertices)]
    legs = np.isin(labels[body.quads], part_labels(*LEGS)).all(axis=1) & (body.part == 0)
    arms = np.isin(labels[body.quads], part_labels("Left_Lower_Arm", "Left_Hand")).all(axis=1) & (body.part == 0)
    seg = np.where(np.isin(seen.predictions.seg, part_labels(*LEGS)), 0, seen.predictions.seg).astype(np.uint8)
    cut = replace(seen, predictions=replace(seen.predictions, seg=seg), mask=seg > 0)
    for sighting, wanted in ((seen, SKIN), (cut, PLAIN)):
        painted, _ = paint_avatar(body, [shirt(body)], [(sighting, front)], 256)
        assert np.abs(colours(body.uvs[legs], painted.textures.base_colour_srgb) - wanted).mean() < 15
        assert np.abs(colours(body.uvs[arms], painted.textures.base_colour_srgb) - SKIN).mean() < 15


def test_feet_below_supposed_trousers_are_plain_whatever_stray_pixels_say(front):
    body = in_photo(*make_body(front, np.eye(4)))[0]
    seen = sighted(front)
    seg = np.where(np.isin(seen.predictions.seg, part_labels(*LEGS)), 0, seen.predictions.seg).astype(np.uint8)
    rows = np.flatnonzero((seg > 0).any(axis=1))
    trunk = np.isin(seg, part_labels("Upper_Clothing")) & (np.arange(len(seg)) > rows[-1] - 0.1 * len(rows))[:, None]
    seg[trunk] = part_labels("Lower_Clothing")[0]
    assert trunk.sum() > 0.01 * (seg > 0).sum()
    cut = replace(seen, predictions=replace(seen.predictions, seg=seg), mask=seg > 0)
    legs = np.isin(template().labels[: len(body.vertices)][body.quads], part_labels(*LEGS)).all(axis=1) & (body.part == 0)
    supposed = replace(shirt(body), kind="lower", quads=body.quads[legs], uvs=body.uvs[legs], labels=np.zeros(0, np.uint8),
                       inside=np.zeros(legs.sum(), bool))  # fmt: skip
    painted, (_, trousers) = paint_avatar(body, [shirt(body), supposed], [(cut, front)], 256)
    assert np.abs(colours(body.uvs[legs], painted.textures.base_colour_srgb) - PLAIN).mean() < 15
    assert (trousers.textures.base_colour_srgb == supposed.tone).all()


def test_a_second_photo_shows_the_back(front):
    back = standing(0.2 + np.pi, 3)
    seen = sighted(back)
    image = seen.predictions.image.copy()
    image[(image == SHIRT).all(axis=-1)] = (170, 30, 30)
    seen = replace(seen, predictions=replace(seen.predictions, image=image, albedo=image))
    body = in_photo(*make_body(front, np.eye(4)))[0]
    _, (worn,) = paint_avatar(body, [shirt(body)], [(sighted(front), front), (seen, back)], 256)
    found = colours(worn.uvs, worn.textures.base_colour_srgb)
    facing = vertex_normals(worn.vertices.astype(float), worn.quads)[worn.quads].mean(axis=1)[:, 2]
    assert found[facing > 0.6, 0].mean() > 140 > 60 > found[facing < -0.6, 0].mean()


def test_a_photo_without_maps_gives_a_plain_body(front):
    body = in_photo(*make_body(front, np.eye(4)))[0]
    sighting = sighted(front)
    bare = replace(sighting, predictions=Predictions(image=sighting.predictions.image))
    painted, (worn,) = paint_avatar(body, [shirt(body)], [(bare, front)], 128)
    assert (worn.textures.base_colour_srgb == 90).all() and not painted.textures.seen.any()
