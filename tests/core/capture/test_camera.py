"""The lens from its witnesses, the world from the body."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.capture.camera import estimate_camera, fit_rays, scale_to_distance, scale_to_stature, scaled
from sapiens2_avatar.core.capture.ground import place
from sapiens2_avatar.core.common.arrays import Camera, Pose
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.spaces import transform_points


def _seen(camera: Camera, noise: float = 0.0, seed: int = 0) -> Predictions:
    """A wavy sheet seen by the camera."""
    rng = np.random.default_rng(seed)
    rays = camera.rays()
    y, x = np.mgrid[: camera.height, : camera.width]
    z = (2.5 + 0.3 * np.sin(x / 17) * np.cos(y / 23)).astype(np.float32)
    points = rays * z[..., None] + rng.normal(0, noise, rays.shape).astype(np.float32)
    return Predictions(image=np.zeros((camera.height, camera.width, 3), np.uint8), pointmap=points)


CENTRED = Camera(240, 320, 410.0, 410.0, 119.5, 159.5)


def test_focal_length_is_read_from_the_rays():
    estimate = estimate_camera(_seen(CENTRED))
    assert estimate.camera.source == "pointmap" and abs(estimate.camera.fx / 410 - 1) < 1e-4
    assert (estimate.camera.cx, estimate.camera.cy) == (119.5, 159.5) and not estimate.notes


def test_focal_length_survives_noise_and_a_fifth_of_garbage():
    predictions = _seen(CENTRED, noise=0.004)
    rng = np.random.default_rng(1)
    wrong = rng.random(predictions.pointmap.shape[:2]) < 0.2
    predictions.pointmap[wrong] = rng.uniform(-3, 3, (wrong.sum(), 3))
    assert abs(fit_rays(predictions).fx / 410 - 1) < 0.01


def test_principal_point_of_a_crop_is_found_and_said():
    crop = Camera(240, 320, 410.0, 410.0, 40.0, 300.0)
    estimate = estimate_camera(_seen(crop, noise=0.001))
    assert abs(estimate.camera.cx - 40) < 2 and abs(estimate.camera.cy - 300) < 2 and abs(estimate.camera.fx / 410 - 1) < 0.01
    assert any("cropped" in note for note in estimate.notes)


def test_given_intrinsics_win_and_disagreement_is_said():
    k = np.array([[410, 0, 119.5], [0, 410, 159.5], [0, 0, 1]], np.float32)
    estimate = estimate_camera(replace(_seen(CENTRED), intrinsics=k))
    assert estimate.camera.source == "given" and not estimate.notes
    k[0, 0] = k[1, 1] = 500
    estimate = estimate_camera(replace(_seen(CENTRED), intrinsics=k))
    assert estimate.camera.fx == 500 and len(estimate.notes) == 1
    # 400 pixels of diagonal are 43.3 mm; it is said as photographers say it, in no names or pixels of ours.
    assert "54 mm" in estimate.notes[0] and "44 mm" in estimate.notes[0] and "depth" in estimate.notes[0]
    assert "px" not in estimate.notes[0] and "pointmap" not in estimate.notes[0]
    assert estimate.candidates["given"] == 500 and abs(estimate.candidates["pointmap"] - 410) < 1


def test_a_disagreement_that_nobody_sees_is_not_said():
    k = np.array([[410 * 1.14, 0, 119.5], [0, 410 * 1.14, 159.5], [0, 0, 1]], np.float32)
    near = estimate_camera(replace(_seen(CENTRED), intrinsics=k))
    assert near.camera.source == "given" and not near.notes
    assert abs(near.candidates["pointmap"] - 410) < 1, "the Avatar panel lists it all the same"


def test_exif_counts_unless_the_photo_was_cropped():
    true = 410 * 43.2666 / np.hypot(240, 320)
    assert estimate_camera(_seen(CENTRED), focal_35mm=true * 1.1).camera.source == "exif"
    estimate = estimate_camera(_seen(CENTRED), focal_35mm=true * 2)
    assert estimate.camera.source == "pointmap" and "EXIF" in estimate.notes[0]


def test_scale_head_is_a_witness():
    resize = min(768 / 240, 1024 / 320)
    estimate = estimate_camera(_seen(CENTRED), scale=768 / (400 * resize))
    assert estimate.camera.source == "scale head" and abs(estimate.camera.fx - 400) < 0.1 and len(estimate.candidates) == 2


@pytest.mark.parametrize("text", ["nan", "-4", "wide", ""])
def test_metadata_is_not_trusted(text):
    estimate = estimate_camera(replace(_seen(CENTRED), metadata={"focal_35mm": text, "focal_source": "<b>"}))
    assert estimate.camera.source == "pointmap" and "exif" not in estimate.candidates


def test_without_anything_a_common_lens_is_assumed_and_said():
    for points in (None, np.full((30, 40, 3), np.nan, np.float32), np.zeros((30, 40, 3), np.float32)):
        estimate = estimate_camera(Predictions(image=np.zeros((30, 40, 3), np.uint8), pointmap=points))
        assert estimate.camera.source == "assumed" and estimate.camera.fx == 48 and "assumed" in estimate.notes[0]
    k = np.full((3, 3), np.nan, np.float32)
    assert estimate_camera(Predictions(image=np.zeros((30, 40, 3), np.uint8), intrinsics=k)).camera.source == "assumed"


def _pose(up=(0.0, -1.0, 0.0), depth=3.0, seen=None, sitting=False) -> Pose:
    """A simple standing (or sitting) person 1.7 m tall whose plumb line is `up` in camera space."""
    up = np.array(up) / np.linalg.norm(up)
    right = np.cross(up, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    front = np.cross(right, up)
    front *= -np.sign(front[2])
    heights = {"pelvis": 0.95, "spine": 1.05, "chest": 1.25, "neck": 1.45, "head": 1.5, "head_top": 1.7, "hip": 0.92, "knee": 0.5,
               "ankle": 0.08, "heel": 0.02, "toe": 0.02, "shoulder": 1.42}  # fmt: skip
    positions = np.zeros((len(JOINT_NAMES), 3))
    for i, name in enumerate(JOINT_NAMES):
        key = next((k for k in ("head_top", *heights) if k in name), "shoulder")
        height, forward = heights[key], 0.0
        if sitting:
            height = max(height - 0.45, 0.02) if key not in ("knee", "ankle", "heel", "toe") else heights[key]
            forward = 0.45 if key in ("knee", "ankle", "heel", "toe") else 0.0
        side = 0.12 * (name.startswith("right") - name.startswith("left"))
        positions[i] = height * up + side * right + forward * front
    positions += [0.3, 0.9, depth]
    visible = np.ones(len(JOINT_NAMES), bool) if seen is None else np.array([seen(n) for n in JOINT_NAMES])
    return Pose(
        JOINT_NAMES, positions.astype(np.float32), visible.astype(np.float32), visible, np.full((308, 3), np.nan, np.float32), 1.7
    )


def _surface(pose: Pose) -> np.ndarray:
    ends = pose.positions[[pose.names.index(n) for n in ("head_top", "left_heel", "right_heel")]].astype(np.float64)
    t = np.linspace(0, 1, 400)[:, None]
    return np.concatenate([ends[0] * (1 - t) + ends[1] * t, ends[0] * (1 - t) + ends[2] * t])


def test_person_stands_on_the_ground_under_the_origin():
    pose = _pose()
    matrix = place(pose, _surface(pose)).world_from_camera
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix[:3, :3]) > 0.999
    placed = transform_points(matrix, _surface(pose))
    assert abs(placed[:, 2].min()) < 0.01 and abs(placed[:, 2].max() - 1.7) < 0.03
    np.testing.assert_allclose(transform_points(matrix, pose["pelvis"].astype(np.float64))[:2], 0, atol=1e-6)
    # The camera looks along +y, so it stands at -y, and right stays right.
    assert matrix[1, 3] < -2.5 and matrix[0, 0] > 0.99


def test_a_tilted_camera_is_mostly_righted():
    """Held 15 degrees down: the body says so, and is believed more than the habit of holding cameras level."""
    tilt = np.radians(15)
    pose = _pose(up=(0, -np.cos(tilt), -np.sin(tilt)))
    up = place(pose, _surface(pose)).world_from_camera[2, :3]
    left = np.degrees(np.arccos(up @ [0, -np.cos(tilt), -np.sin(tilt)]))
    assert left < 6


def test_who_sits_says_nothing_of_gravity_but_has_feet():
    placement = place(_pose(sitting=True), _surface(_pose(sitting=True)))
    np.testing.assert_allclose(placement.world_from_camera[2, :3], [0, -1, 0], atol=1e-12)
    assert placement.notes[0] == "Both legs are bent: the camera is taken to be level."


UNSEEN = {
    "one hip under a coat": (("left_hip",), ""),
    "one leg behind something": (("left_hip", "left_knee", "left_ankle"), ""),
    "one foot out of the photo": (("right_ankle", "right_heel", "right_big_toe", "right_small_toe"), ""),
    "cut at the shins": (("ankle", "heel", "toe"), "No leg was seen from hip to ankle"),
    "hips under a table": (("hip", "pelvis"), "No leg was seen from hip to ankle"),
}


@pytest.mark.parametrize("case", UNSEEN)
def test_people_who_stand_are_not_said_to_do_otherwise(case: str) -> None:
    """What was not seen is no posture: one whole leg says that its person stands, none says that nothing is known."""
    unseen, said = UNSEEN[case]
    tilt = np.radians(10)
    pose = _pose(up=(0, -np.cos(tilt), -np.sin(tilt)), seen=lambda name: not any(part in name for part in unseen))
    placement = place(pose, _surface(pose))
    assert [n for n in placement.notes if "level" in n] == ([f"{said}: the camera is taken to be level."] if said else [])
    righted = np.degrees(np.arccos(placement.world_from_camera[2, :3] @ [0, -1, 0]))
    assert righted > 5 if not said else righted < 1e-6


def test_who_leans_is_told_by_how_much() -> None:
    lean = np.radians(60)
    pose = _pose(up=(np.sin(lean), -np.cos(lean), 0))
    (note,) = place(pose, _surface(pose)).notes
    assert note == "The upper body leans by 60° from the upright of the photo: the camera is taken to be level."
    half = _pose(sitting=True, seen=lambda name: not name.startswith("left_"))
    assert place(half, _surface(half)).notes[0] == "The leg that was seen is bent: the camera is taken to be level."


def test_portrait_stands_as_high_as_the_person():
    pose = _pose(seen=lambda n: not any(k in n for k in ("hip", "knee", "ankle", "heel", "toe", "pelvis")))
    upper = _surface(pose)
    upper = upper[upper[:, 1] < -0.2]
    placement = place(pose, upper)
    assert abs(transform_points(placement.world_from_camera, upper)[:, 2].max() - 1.7) < 0.02
    assert any("feet" in note for note in placement.notes) and any("No leg" in note for note in placement.notes)


def test_camera_frame_can_be_kept():
    matrix = place(_pose(), _surface(_pose()), keep_camera_frame=True).world_from_camera
    np.testing.assert_allclose(matrix[:3, 3], 0)
    np.testing.assert_allclose(matrix @ [1, 2, 3, 1], [1, 3, -2, 1])


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.full((5, 3), np.nan), np.array([[0, 0, 2.0]])])
def test_odd_points_still_give_a_rigid_map(points):
    matrix = place(None, points).world_from_camera
    assert np.isfinite(matrix).all()
    np.testing.assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)


def test_scale_controls():
    predictions = _seen(CENTRED)
    assert scale_to_stature(_pose(), 1.87) == pytest.approx(1.1)
    person = np.zeros((predictions.height, predictions.width), bool)
    person[100:200, 50:150] = True
    factor = scale_to_distance(predictions, person, 2 * float(np.median(predictions.pointmap[person, 2])))
    assert factor == pytest.approx(2, rel=1e-6)
    larger = scaled(predictions, factor)
    np.testing.assert_allclose(larger.pointmap, 2 * predictions.pointmap, rtol=1e-5)
    assert estimate_camera(larger).camera.fx == pytest.approx(estimate_camera(predictions).camera.fx, rel=1e-5)
    nowhere = replace(predictions, pointmap=np.full_like(predictions.pointmap, np.nan))
    for call, reason in (
        (lambda: scale_to_stature(_pose(), 17), "not a person's"),
        (lambda: scale_to_distance(predictions, person, -1), "no distance"),
        (lambda: scale_to_distance(nowhere, person, 2), "no depth"),
        (lambda: scale_to_distance(replace(predictions, pointmap=None), person, 2), "no pointmap"),
    ):
        with pytest.raises(SapiensError, match=reason) as error:
            call()
        assert error.value.hint


@pytest.mark.parametrize(
    "name", ["body_apose", "body_crossed", "body_walk.degraded", "body_sit.degraded", "face_a", "face_b.degraded"]
)
def test_studio_cameras(every_studio, name):
    predictions, truth = Predictions.load(every_studio(name)), every_studio.truth(name)
    given = estimate_camera(predictions)
    assert given.camera.source == "given" and abs(given.camera.fx / truth["intrinsics"][0, 0] - 1) < 1e-6 and not given.notes
    seen = estimate_camera(replace(predictions, intrinsics=None))
    assert abs(seen.camera.fx / truth["intrinsics"][0, 0] - 1) < (0.025 if "degraded" in name else 0.001)


def test_a_lens_that_was_typed_wins_and_the_others_are_told():
    width, height = CENTRED.width, CENTRED.height
    millimetres = CENTRED.fx * 1.3 * math.hypot(36, 24) / math.hypot(width, height)
    for predictions in (_seen(CENTRED), replace(_seen(CENTRED), intrinsics=CENTRED.matrix.astype(np.float32))):
        estimate = estimate_camera(predictions, typed_35mm=millimetres)
        assert estimate.camera.source == "typed" and estimate.camera.fx == pytest.approx(CENTRED.fx * 1.3)
        assert estimate.camera.fy / estimate.camera.fx == pytest.approx(CENTRED.fy / CENTRED.fx, rel=1e-3)
        assert estimate.candidates["pointmap"] == pytest.approx(CENTRED.fx, rel=0.01)
        witness = "the depth says" if predictions.intrinsics is None else "the predictions say"
        assert any(witness in note and f"{millimetres:.0f} mm was used" in note for note in estimate.notes)


@pytest.mark.parametrize("millimetres", [0.0, -50.0, 1e5, float("nan")])
def test_a_lens_that_cannot_be_is_refused(millimetres):
    with pytest.raises(SapiensError, match="plausible"):
        estimate_camera(_seen(CENTRED), typed_35mm=millimetres)
