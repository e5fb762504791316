"""The built-in model on a real photo, on the sample photo, and on a picture of nobody."""

import json

import numpy as np
import pytest
from skimage import data

from sapiens2_avatar.core.builtin.predict import ASSUMED_FOCAL, TASKS, WHOLE_FIGURE, predict_builtin, task_names
from sapiens2_avatar.core.common.errors import Cancelled, SapiensError
from sapiens2_avatar.core.common.landmarks import DATA, keypoint_index, part_labels
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.spaces import camera_from_normal_head

NOISE = np.random.default_rng(0).integers(0, 256, (160, 120, 3), np.uint8)


@pytest.fixture(scope="module")
def astronaut() -> Predictions:
    return predict_builtin(data.astronaut())


@pytest.fixture(scope="module")
def sample() -> Predictions:
    return predict_builtin(DATA / "sample_photo.jpg")


def share(seg: np.ndarray, *names: str) -> float:
    return float(np.isin(seg, part_labels(*names)).mean())


def test_the_astronaut_is_found_without_flag_and_shuttle(astronaut):
    assert len(astronaut.keypoints) == len(astronaut.boxes) == 1
    person = astronaut.seg > 0
    assert person[60:180, 195:255].mean() > 0.95  # face
    assert person[300:430, 60:240].mean() > 0.95  # suit
    assert person[0:150, 0:60].mean() < 0.02  # flag
    assert person[0:170, 400:512].mean() < 0.02  # shuttle
    assert share(astronaut.seg[100:160, 205:245], "Face_Neck", "Upper_Lip", "Lower_Lip") > 0.9
    assert share(astronaut.seg[20:45, 190:250], "Hair") > 0.9
    assert share(astronaut.seg[300:430, 60:240], "Upper_Clothing") > 0.9


def test_nothing_under_an_arm_turns_white(sample):
    """Where the drawn surface is darker than the real one, a photo over its light would be as bright as snow."""
    shirt = np.isin(sample.seg, part_labels("Upper_Clothing"))
    assert sample.image[shirt].min(axis=1).max() < 190
    assert (sample.albedo[shirt].min(axis=1) > 200).sum() == 0


def test_hands_that_are_not_seen_are_not_drawn_over_the_suit(astronaut):
    assert share(astronaut.seg, "Left_Hand", "Right_Hand") < 0.01


def test_every_pixel_of_a_person_has_every_map(sample):
    person = sample.seg > 0
    assert 0.05 < person.mean() < 0.5
    assert np.isfinite(sample.pointmap).all() and (sample.pointmap[person][:, 2] > 0.5).all()
    np.testing.assert_allclose(np.linalg.norm(sample.normal[person].astype(np.float32), axis=1), 1, atol=5e-3)
    assert (sample.alpha[person] > 127).all()
    for name in ("pointmap", "normal", "albedo"):
        assert (getattr(sample, name)[~person] == 0).all(), name


def test_points_lie_on_the_rays_of_their_pixels(sample):
    person = sample.seg > 0
    rows, columns = np.nonzero(person)
    x, y, z = sample.pointmap[person].T
    k = sample.intrinsics
    np.testing.assert_allclose(x / z * k[0, 0] + k[0, 2], columns, atol=0.01)
    np.testing.assert_allclose(y / z * k[1, 1] + k[1, 2], rows, atol=0.01)


def test_normals_are_those_of_the_points(sample):
    points = sample.pointmap.astype(np.float64)
    across, down = points[2:-2, 4:] - points[2:-2, :-4], points[4:, 2:-2] - points[:-4, 2:-2]
    person = sample.seg > 0
    inside = person[2:-2, 2:-2] & person[2:-2, 4:] & person[2:-2, :-4] & person[4:, 2:-2] & person[:-4, 2:-2]
    inside &= (np.linalg.norm(across, axis=-1) < 0.04) & (np.linalg.norm(down, axis=-1) < 0.04)
    seen = np.cross(down, across)[inside]
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    kept = camera_from_normal_head(sample.normal.astype(np.float64))[2:-2, 2:-2][inside]
    assert np.degrees(np.arccos(np.clip((seen * kept).sum(1), -1, 1))).mean() < 15


def test_clothes_and_skin_are_told_apart(sample):
    at = {name: sample.keypoints[0, keypoint_index(name), :2] for name in ("left_knee", "left_wrist", "left_elbow", "nose")}

    def around(point: np.ndarray) -> np.ndarray:
        x, y = np.round(point).astype(int)
        return sample.seg[y - 3 : y + 4, x - 3 : x + 4]

    assert share(around(at["left_knee"]), "Lower_Clothing") > 0.8
    assert share(around((at["left_wrist"] + at["left_elbow"]) / 2), "Left_Lower_Arm") > 0.8
    assert share(around(at["nose"]), "Face_Neck") > 0.8
    assert 0.001 < share(sample.seg, "Left_Shoe") < 0.03 and 0.001 < share(sample.seg, "Right_Shoe") < 0.03


def test_it_says_what_it_is(sample):
    models = json.loads(sample.metadata["models"])
    assert set(models) == set(TASKS) and {model["id"] for model in models.values()} == {"preview"}
    assert sample.metadata["focal_source"] == "assumed"


def test_a_longer_lens_is_assumed_for_whole_figures(sample, astronaut):
    assert sample.intrinsics[0, 0] == pytest.approx(WHOLE_FIGURE * max(sample.width, sample.height))
    assert astronaut.intrinsics[0, 0] == pytest.approx(ASSUMED_FOCAL * 512)


def test_the_same_photo_gives_the_same_bytes(astronaut, tmp_path):
    again = predict_builtin(data.astronaut())
    assert again.save(tmp_path / "a.safetensors").read_bytes() == astronaut.save(tmp_path / "b.safetensors").read_bytes()


def test_nobody_is_one_sentence_with_the_next_step():
    with pytest.raises(SapiensError, match=r"No person was found in the image\.") as error:
        predict_builtin(NOISE)
    assert "box" in error.value.hint


@pytest.mark.parametrize("picture", [NOISE, np.full_like(NOISE, 255)], ids=["noise", "white"])
def test_a_drawn_box_always_gives_a_person(picture):
    found = predict_builtin(picture, boxes=np.array([[20, 10, 100, 150], [2, 2, 12, 30]]))
    assert len(found.keypoints) == 2
    np.testing.assert_array_equal(found.boxes, [[20, 10, 100, 150], [2, 2, 12, 30]])
    for x1, y1, x2, y2 in found.boxes.astype(int):
        assert (found.seg[y1 : y2 + 1, x1 : x2 + 1] > 0).any()
    person = found.seg > 0
    assert np.isfinite(found.pointmap).all() and (found.pointmap[person][:, 2] > 0).all()


def test_only_the_tasks_that_were_asked_for_are_there():
    found = predict_builtin(NOISE, tasks=("pose", "seg"), boxes=np.array([[20, 10, 100, 150]]))
    assert found.keypoints is not None and found.seg is not None
    assert found.pointmap is None and found.normal is None and found.albedo is None and found.intrinsics is None


@pytest.mark.parametrize(("tasks", "sentence"), [("matting", "no task 'matting'"), ((), "No task was asked for")])
def test_a_task_that_it_lacks_is_named(tasks, sentence):
    with pytest.raises(SapiensError, match=sentence):
        task_names(tasks)


def test_it_can_be_cancelled():
    with pytest.raises(Cancelled):
        predict_builtin(NOISE, cancel=lambda: True)


def test_what_lies_behind_the_body_has_low_scores(sample):
    """From the side one shoulder covers the other one."""
    shoulders = [keypoint_index(f"{side}_shoulder") for side in ("left", "right")]
    assert (sample.keypoints[0, shoulders, 2] > 0.8).all()
    near, far = sorted(predict_builtin(DATA / "sample_side.jpg", ("pose",)).keypoints[0, shoulders, 2], reverse=True)
    assert near > 0.8 and far < 0.5
