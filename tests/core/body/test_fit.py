"""A body is found again from what a camera sees of it, and people of the tests from their maps."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from sapiens2_avatar.core.body.evaluate import Posture, Shape, average_phenotype, pose_points, rest_points
from sapiens2_avatar.core.body.fit import Sighting, fit_sightings
from sapiens2_avatar.core.body.fitted import BodyFit
from sapiens2_avatar.core.body.maps import draw_body
from sapiens2_avatar.core.body.person import Person, fit_body
from sapiens2_avatar.core.body.skeleton import BONES
from sapiens2_avatar.core.body.state import HELD
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import (
    JOINT_NAMES,
    joint_index,
    joint_swap,
    keypoint_index,
    keypoint_swap,
    part_labels,
    part_swap,
)
from sapiens2_avatar.core.common.pins import Pin, pinned
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import rotation_from_vector, vector_from_rotation
from sapiens2_avatar.core.common.spaces import normal_head_from_camera
from sapiens2_avatar.core.pose.lift import lift_pose

TO_CAMERA = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
CAMERA = Camera(300, 400, 480.0, 480.0, 149.5, 199.5)
LIMBS = [
    joint_index(f"{side}_{name}") for side in ("left", "right") for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
]


def posed(shape: Shape, yaw: float, seed: int) -> BodyFit:
    """Somebody who stands before the camera with arms and legs anyhow."""
    rng = np.random.default_rng(seed)
    turns = Posture.rest().turns.copy()
    for bone, size in (("upper_arm", 0.3), ("thigh", 0.2), ("spine.002", 0.1)):
        for row, name in enumerate(BONES):
            if name.startswith(bone):
                turns[row] = rotation_from_vector(rng.normal(0, size, 3))
    turns[0] = TO_CAMERA @ rotation_from_vector(np.array([0, 0, yaw]))
    hips = template().heads.of(rest_points(shape).astype(float))[0]
    return BodyFit(shape, Posture(turns, np.array([0.0, -0.05, 2.2]) - hips))


def photographed(fit: BodyFit, camera: Camera = CAMERA) -> Predictions:
    """What a perfect network would say of a naked body."""
    maps = draw_body(fit, camera)
    places = template().keypoints.of(pose_points(rest_points(fit.shape, fit.face), fit.posture))
    known = np.isfinite(places).all(axis=1)
    pixels = camera.project(np.where(known[:, None], places, 1.0))
    inside = known & (pixels >= 0).all(axis=1) & (pixels < [camera.width, camera.height]).all(axis=1)
    keypoints = np.concatenate([pixels, inside[:, None]], axis=1)
    seen = maps.face >= 0
    image = np.where(seen[..., None], np.uint8([200, 160, 140]), np.uint8(90))
    return Predictions(
        image=image,
        pointmap=np.where(seen[..., None], maps.points, 0).astype(np.float32),
        normal=normal_head_from_camera(np.where(seen[..., None], maps.normals, 0)).astype(np.float16),
        seg=maps.labels,
        keypoints=keypoints[None].astype(np.float32),
        intrinsics=camera.matrix.astype(np.float32),
    )


def gap(found: BodyFit, truth: BodyFit) -> tuple[float, float]:
    """Metres from the true skin to the found one, and between the joints of the limbs, on average."""
    a, b = (pose_points(rest_points(f.shape, f.face), f.posture) for f in (found, truth))
    skin = np.unique(template().skin_faces())
    skin = skin[~np.isin(template().labels[skin], part_labels("Left_Hand", "Right_Hand"))]  # half of all vertices
    joints = np.linalg.norm(template().joints.of(a)[LIMBS] - template().joints.of(b)[LIMBS], axis=1)
    return cKDTree(a[skin]).query(b[skin])[0].mean(), joints.mean()


def numbers(**values: float) -> Shape:
    out = average_phenotype()
    for name, value in values.items():
        out[("gender", "age", "muscle", "weight", "height").index(name)] = value
    return Shape(out)


@pytest.fixture(scope="module")
def man():
    """A heavy man: the truth, his photo and the body that is found."""
    truth = posed(PEOPLE["heavy man"], 0.3, 5)
    photo = photographed(truth)
    return truth, photo, fit_body(photo).fits[0]


PEOPLE = {
    "heavy man": numbers(gender=0.05, weight=0.85),
    "slim old woman": numbers(gender=0.95, age=0.95, weight=0.25),
    "child": numbers(age=0.3, height=0.5),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_a_body_is_found_again(man, name):
    truth, _, found = man
    if name != "heavy man":
        truth = posed(PEOPLE[name], 0.3, 5)
        found = fit_body(photographed(truth)).fits[0]
    skin, joints = gap(found, truth)
    assert skin < 0.008
    assert joints < 0.025


def dressed(photo: Predictions, ease: float) -> Predictions:
    """The photo of somebody in shirt and trousers whose front is `ease` metres before the skin."""
    clothes = {
        "Upper_Clothing": ("Torso", "Left_Upper_Arm", "Right_Upper_Arm", "Left_Lower_Arm", "Right_Lower_Arm"),
        "Lower_Clothing": ("Left_Upper_Leg", "Right_Upper_Leg", "Left_Lower_Leg", "Right_Lower_Leg"),
    }
    seg, points = photo.seg.copy(), photo.pointmap.copy()
    for name, parts in clothes.items():
        under = np.isin(photo.seg, part_labels(*parts))
        seg[under] = part_labels(name)[0]
        points[under] *= 1 - ease / points[under][:, 2:]
    return replace(photo, seg=seg, pointmap=points)


@pytest.mark.parametrize(("ease", "most"), [(0.003, (0.003, 0.005)), (0.012, (0.003, 0.006)), (0.035, (0.007, 0.018))])
def test_tight_and_loose_clothes_hide_the_same_body(man, ease, most):
    truth, photo, _ = man
    skin, joints = gap(fit_body(dressed(photo, ease)).fits[0], truth)
    assert skin < most[0]
    assert joints < most[1]


def test_photos_of_both_sides_share_one_shape(man):
    truth, photo, _ = man
    behind = posed(truth.shape, 0.3 + np.pi, 2)
    person = fit_body([photo, photographed(behind)])
    front, back = person.fits
    assert np.array_equal(front.shape.coefficients(), back.shape.coefficients())
    assert max(gap(front, truth)[0], gap(back, behind)[0]) < 0.008


def all_round(moved: float) -> list[BodyFit]:
    """One man in a posture, from three sides; between the photos every bone turns by some `moved` degrees."""
    rng, first = np.random.default_rng(1), posed(PEOPLE["heavy man"], 0.0, 6)
    out = []
    for yaw in (0.3, 2.4, 4.5):
        turns = rotation_from_vector(rng.normal(0, np.radians(moved), (len(BONES), 3))) @ first.posture.turns
        turns[0] = TO_CAMERA @ rotation_from_vector(np.array([0, 0, yaw]))
        out.append(BodyFit(first.shape, Posture(turns, first.posture.translation)))
    return out


def bones_apart(fits: list[BodyFit]) -> float:
    """Degrees by which bones turn between photos, but for the root."""
    turns = np.stack([fit.posture.turns for fit in fits])[:, 1:]
    between = np.swapaxes(turns, -1, -2) @ np.roll(turns, 1, axis=0)
    return float(np.degrees(np.linalg.norm(vector_from_rotation(between), axis=-1)).mean())


def test_photos_of_one_posture_agree_how_the_bones_turn(monkeypatch):
    truth = all_round(0)
    photos = [dressed(photographed(fit), 0.012) for fit in truth]
    found = fit_body(photos).fits
    monkeypatch.setattr("sapiens2_avatar.core.body.fit.spread_between", lambda *_: np.inf)
    apart = fit_body(photos).fits
    assert bones_apart(found) < 0.6 * bones_apart(apart)
    joints, joints_apart = (np.mean([gap(a, b)[1] for a, b in zip(fits, truth, strict=True)]) for fits in (found, apart))
    assert joints < 0.8 * joints_apart


def test_postures_that_differ_do_not_pull_each_other(monkeypatch):
    photos = [photographed(fit) for fit in all_round(25)]
    found = fit_body(photos).fits
    monkeypatch.setattr("sapiens2_avatar.core.body.fit.spread_between", lambda *_: np.inf)
    for one, other in zip(found, fit_body(photos).fits, strict=True):
        assert np.array_equal(one.posture.turns, other.posture.turns)


def test_a_known_person_keeps_their_shape(tmp_path, man):
    truth = man[0]
    known = Person(truth.shape)
    known.save(tmp_path / "anna.person")
    loaded = Person.load(tmp_path / "anna.person")
    assert np.allclose(loaded.shape.phenotype, truth.shape.phenotype, atol=1e-6)
    other = posed(truth.shape, -0.5, 9)
    found = fit_body(photographed(other), loaded).fits[0]
    assert np.array_equal(found.shape.phenotype, loaded.shape.phenotype)
    assert gap(found, other)[0] < 0.006


def test_the_mirrored_photo_gives_the_mirrored_body(man):
    _, photo, found = man
    keypoints = photo.keypoints[:, keypoint_swap()].copy()
    keypoints[..., 0] = photo.width - 1 - keypoints[..., 0]
    mirrored = replace(
        photo,
        image=photo.image[:, ::-1].copy(),
        pointmap=(photo.pointmap[:, ::-1] * [-1, 1, 1]).astype(np.float32),
        normal=(photo.normal[:, ::-1] * [-1, 1, 1]).astype(np.float16),
        seg=part_swap()[photo.seg[:, ::-1]],
        keypoints=keypoints,
    )
    joints = [
        template().joints.of(pose_points(rest_points(fit.shape, fit.face), fit.posture))
        for fit in (found, fit_body(mirrored).fits[0])
    ]
    assert np.abs(joints[1][joint_swap()] - joints[0] * [-1, 1, 1]).max() < 0.01


@pytest.mark.parametrize(("name", "suffix"), [("body_apose", ".degraded"), ("body_crossed", ""), ("body_walk", ".degraded")])
def test_joints_of_clothed_people(studio, name, suffix):
    predictions = Predictions.load(studio(name + suffix))
    fit = fit_body(predictions).fits[0]
    found = template().joints.of(pose_points(rest_points(fit.shape, fit.face), fit.posture))
    true = studio.joints(name)
    off = np.array([np.linalg.norm(found[k] - true[JOINT_NAMES[k]]) for k in LIMBS])
    assert off.mean() < (0.030 if suffix else 0.015)


def test_the_same_photo_gives_the_same_bytes(man):
    _, photo, first = man
    second = fit_body(photo).fits[0]
    assert first.posture.turns.tobytes() == second.posture.turns.tobytes()
    assert first.shape.coefficients().tobytes() == second.shape.coefficients().tobytes()


@pytest.mark.parametrize("without", ["normal", "seg", "keypoints of the face"])
def test_less_is_still_a_body(man, without):
    truth, photo, _ = man
    if without == "keypoints of the face":
        keypoints = photo.keypoints.copy()
        keypoints[:, 70:, 2] = 0
        photo = replace(photo, keypoints=keypoints)
    else:
        photo = replace(photo, **{without: None})
    skin, joints = gap(fit_body(photo).fits[0], truth)
    assert skin < 0.025
    assert joints < 0.04


def test_what_the_photo_does_not_show_is_said(man):
    truth = man[0]
    close = replace(CAMERA, fx=1100.0, fy=1100.0, cy=480.0)
    fit = fit_body(photographed(truth, close)).fits[0]
    assert "guess" in fit.doubt
    assert fit.unseen["shin.L"]
    assert not fit.unseen["spine.006"]
    assert np.isfinite(pose_points(rest_points(fit.shape), fit.posture)).all()


GARBAGE = {
    "points all NaN": lambda photo: replace(photo, pointmap=np.full_like(photo.pointmap, np.nan)),
    "points a hundred metres off": lambda photo: replace(photo, pointmap=photo.pointmap * np.float32(100)),
    "points behind the camera": lambda photo: replace(photo, pointmap=-photo.pointmap),
    "parts at random": lambda photo: replace(
        photo, seg=np.random.default_rng(0).integers(1, 29, photo.seg.shape).astype(np.uint8)
    ),
    "somebody else's keypoints": lambda photo: replace(photo, keypoints=photo.keypoints[:, :, :] * np.float32([0.5, 0.6, 1])),
    "keypoints upside down": lambda photo: replace(
        photo, keypoints=np.float32([0, photo.height, 0]) + photo.keypoints * np.float32([1, -1, 1])
    ),
    "two people on one spot": lambda photo: replace(photo, keypoints=np.concatenate([photo.keypoints, photo.keypoints + 5])),
}


@pytest.mark.parametrize("fault", GARBAGE)
def test_garbage_is_a_body_of_a_person_s_size_or_one_sentence(man, fault):
    try:
        fit = fit_body(GARBAGE[fault](man[1])).fits[0]
    except SapiensError as error:
        assert error.hint
        return
    points = rest_points(fit.shape)[np.unique(template().skin_faces())]
    assert 0.4 < np.ptp(points[:, 2]) < 2.6
    assert np.isfinite(pose_points(rest_points(fit.shape, fit.face), fit.posture)).all()
    assert np.abs(fit.shape.coefficients()).max() < 5


def test_nobody_in_the_photo_is_one_sentence():
    nobody = Predictions(image=np.zeros((40, 30, 3), np.uint8), seg=np.zeros((40, 30), np.uint8))
    with pytest.raises(SapiensError, match="No person"):
        fit_body(nobody)
    with pytest.raises(SapiensError, match="no photo"):
        fit_body([])


def test_the_posture_of_the_frame_before_is_followed(man):
    """Three steps find what moved by ten degrees in every joint and by six centimetres."""
    truth, photo, _ = man
    pose = lift_pose(photo, person=0, camera=CAMERA)
    rng = np.random.default_rng(0)
    turns = rng.normal(0, np.radians(10) / np.sqrt(3), (len(BONES), 3))
    turns[[k for k, bone in enumerate(BONES) if bone in HELD]] = 0
    moved = truth.posture.translation + rng.normal(0, 0.06 / np.sqrt(3), 3)
    before = replace(truth, posture=Posture(rotation_from_vector(turns) @ truth.posture.turns, moved))
    assert gap(before, truth)[0] > 0.03
    (found,) = fit_sightings([Sighting(photo, CAMERA, pose, start=before.posture)], truth.shape)
    assert gap(found, truth)[0] < 0.006


@pytest.mark.parametrize("fault", ["short", "far", "not finite", "foreign"])
def test_a_broken_person_file_is_one_sentence(tmp_path, fault):
    path = tmp_path / "x.person"
    shape = Shape()
    if fault == "short":
        shape = Shape(shape.phenotype, shape.body[:3], shape.head)
    elif fault == "far":
        shape = Shape(shape.phenotype, shape.body + 50, shape.head)
    elif fault == "not finite":
        shape = Shape(shape.phenotype, shape.body * np.nan, shape.head)
    Person(shape).save(path)
    if fault == "foreign":
        path.write_bytes(b"not a person")
    with pytest.raises(SapiensError):
        Person.load(path)


@pytest.mark.parametrize("name", ["left_wrist", "right_elbow", "left_knee", "r_outer_corner_of_mouth"])
def test_a_body_follows_a_pin_against_all_that_the_network_saw(name):
    seen = photographed(posed(Shape(), 0.2, 5))
    row = keypoint_index(name)
    x, y = seen.keypoints[0, row, :2] + ([2.5, 1.5] if "mouth" in name else [12, -9])
    corrected = pinned(seen, [Pin(person=0, keypoint=name, x=float(x), y=float(y))])
    fit = fit_body(corrected).fits[0]
    places = CAMERA.project(template().keypoints.of(pose_points(rest_points(fit.shape, fit.face), fit.posture)))
    assert np.linalg.norm(places[row] - (x, y)) < 1.0
    others = seen.keypoints[0, :, 2] > 0
    assert np.nanmedian(np.linalg.norm(places - seen.keypoints[0, :, :2], axis=1)[others]) < 1.5
