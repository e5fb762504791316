"""predict, with an oracle in the place of the network: it answers every input with the exact maps of a synthetic person.

What is left is the work of predict itself: finding people, windows, geometry, merging, focal lengths, keypoints.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, binary_erosion

from sapiens2_avatar.core.capture.photo import read_photo
from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.errors import Cancelled, SapiensError
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.infer import Sapiens2, dense_passes
from sapiens2_avatar.infer import network_predict as predict_module
from sapiens2_avatar.infer.checkpoints import Checkpoint
from sapiens2_avatar.infer.predict import predict
from sapiens2_avatar.infer.session import Session
from sapiens2_avatar.infer.tasks import TASKS
from support.small_network import small_network

SIZE = (512, 384)


@dataclass
class Oracle:
    """Stands for Session: knows which part of the truth an input shows, because it watches the inputs being made."""

    truth: Predictions
    focal_scale_error: float = 1.0

    def install(self, monkeypatch, letterboxed=False):
        self.passes, self._region, self._window, self._mirrored = [], None, None, False
        monkeypatch.setattr(dense_passes, "letterbox", self._see("letterbox"))
        monkeypatch.setattr(dense_passes, "stretch", self._see("stretch"))
        monkeypatch.setattr(predict_module, "pose_crop", self._see_pose)
        tasks = tuple(t for t in TASKS if t != "matting")
        checkpoints = {t: Checkpoint(f"{t}.safetensors", "oracle", "", (t,), letterboxed) for t in tasks}
        if letterboxed:
            one = Checkpoint("all.safetensors", "oracle", "", tasks, True)
            checkpoints = dict.fromkeys(tasks, one)
        monkeypatch.setattr(predict_module, "find_checkpoints", lambda model, wanted: {
            t: c for t, c in checkpoints.items() if wanted is None or t in wanted})  # fmt: skip
        monkeypatch.setattr(Session, "input_size", lambda session, checkpoint: SIZE)
        monkeypatch.setattr(Session, "images_at_once", lambda session, checkpoint: 1)
        monkeypatch.setattr(Session, "run", lambda session, *arguments: self._run(*arguments))
        return self

    def _see(self, how):
        make = getattr(dense_passes, how)

        def see(image, height, width):
            base = self.truth.image
            offset = image.__array_interface__["data"][0] - self._image.__array_interface__["data"][0]
            y, x = divmod(offset // 3, base.shape[1])
            rows, columns = slice(y, y + image.shape[0]), slice(x, x + image.shape[1])
            result = make(image, height, width)
            frame = result[1] if how == "letterbox" else None
            self._region = (rows, columns, frame)
            return result

        return see

    def _see_pose(self, image, window, height, width):
        self._window, self._flips = window, 0
        return torch.zeros(1, 3, height, width)

    def _cells(self, array, rows, columns, frame):
        """The truth at the centres of the network's pixels; between the bars only, with garbage on them."""
        part = array[rows, columns]
        height, width = SIZE if frame is None else frame.resized
        y = np.minimum(((np.arange(height) + 0.5) * part.shape[0] / height).astype(int), part.shape[0] - 1)
        x = np.minimum(((np.arange(width) + 0.5) * part.shape[1] / width).astype(int), part.shape[1] - 1)
        grid = part[y[:, None], x[None, :]]
        if frame is None:
            return grid
        canvas = np.full((*SIZE, *grid.shape[2:]), 7, grid.dtype)
        top, left = frame.top_left
        canvas[top : top + height, left : left + width] = grid
        return canvas

    def _run(self, checkpoint, image, tasks):
        self.passes.append(tasks)
        if tasks == ("pose",):
            return {"heatmaps": self._heatmaps()}
        rows, columns, frame = self._region
        outputs = {}
        for task in tasks:
            if task == "seg":
                labels = self._cells(self.truth.seg, rows, columns, frame)
                outputs["logits"] = torch.from_numpy((labels[None, None] == np.arange(29)[None, :, None, None]) * np.float32(10))
                continue
            array = getattr(self.truth, task).astype(np.float32)
            if task == "pointmap":
                # Seen by a camera of the photo's focal length; the background is garbage, as in a real network.
                array = np.where(self.truth.seg[..., None] > 0, array, 3.0)
                focal = float(self.truth.intrinsics[0, 0]) * frame.scale * self.focal_scale_error
                # Who takes the lens for longer takes the person for farther away, not for larger.
                array = array * np.float32([1, 1, self.focal_scale_error]) * (768 / focal)
                outputs["scale"] = torch.tensor([[768 / focal]])
            elif task == "normal":
                array = np.where(self.truth.seg[..., None] > 0, array, -1.0)
            elif task == "albedo":
                array = array / 255
            grid = self._cells(array, rows, columns, frame)
            name = {"normal": "normals"}.get(task, task)
            outputs[name] = torch.from_numpy(grid).permute(2, 0, 1)[None]
        return outputs

    def _heatmaps(self):
        """Gaussians at the true keypoints; the second look at a person is at the mirrored crop."""
        from sapiens2_avatar.core.common.landmarks import keypoint_swap

        window = self._window
        best = None
        for points in self.truth.keypoints:  # the person whose points the window shows
            unit = (points[:, :2] - [window.x - window.width / 2, window.y - window.height / 2]) / [window.width, window.height]
            shown = ((unit > 0) & (unit < 1)).all(1).sum()
            if best is None or shown > best[0]:
                best = (shown, unit * [95, 127], points[:, 2])
        _, cells, score = best
        y, x = np.arange(128)[None, :, None], np.arange(96)[None, None, :]
        heat = score[:, None, None] * np.exp(-((x - cells[:, :1, None]) ** 2 + (y - cells[:, 1:, None]) ** 2) / (2 * 3**2))
        heat = torch.from_numpy(heat.astype(np.float32))[None]
        self._flips += 1
        return heat if self._flips % 2 else heat[:, torch.as_tensor(keypoint_swap())].flip(-1)

    def predict(self, monkeypatch, **options):
        """predict on the truth's image, which the oracle recognises by where it lies in memory."""
        photo = read_photo(self.truth.image)
        self._image = photo.image
        monkeypatch.setattr(predict_module, "read_photo", lambda image: photo)
        return predict(self.truth.image, model="oracle", device="cpu", **options)


def placed(parts, height, width):
    """Several (predictions, scale step, x, y) in one photo of height x width with one camera: the truth for a group."""
    image = np.full((height, width, 3), 90, np.uint8)
    maps = {"pointmap": np.zeros((height, width, 3), np.float32), "normal": np.zeros((height, width, 3), np.float16),
            "albedo": np.zeros((height, width, 3), np.uint8), "seg": np.zeros((height, width), np.uint8),
            "alpha": np.zeros((height, width), np.uint8)}  # fmt: skip
    focal, keypoints = 1500.0, []
    camera = Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
    rays = camera.rays()
    for part, step, x, y in parts:
        sub = {key: getattr(part, key)[::step, ::step] for key in maps}
        region = np.s_[y : y + sub["seg"].shape[0], x : x + sub["seg"].shape[1]]
        mask = sub["seg"] > 0
        image[region][mask] = part.image[::step, ::step][mask]
        # The same size in metres through another lens stands at another distance.
        z = sub["pointmap"][..., 2:] * focal * step / part.intrinsics[0, 0]
        sub["pointmap"] = rays[region] * z
        for key, value in sub.items():
            maps[key][region][mask] = value[mask]
        points = part.keypoints[0].copy()
        points[:, :2] = points[:, :2] / step + [x, y]
        keypoints.append(points)
    return Predictions(image=image, keypoints=np.stack(keypoints), intrinsics=camera.matrix.astype(np.float32), **maps)


def angles(a, b):
    """Degrees between vectors (N, 3)."""
    a, b = (v.astype(np.float64) / np.linalg.norm(v.astype(np.float64), axis=-1, keepdims=True) for v in (a, b))
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1)))


def interior(seg, pixels=3):
    return binary_erosion(seg > 0, iterations=pixels)


@pytest.fixture(scope="module")
def apose(studio):
    return Predictions.load(studio("body_apose"))


@pytest.fixture(scope="module")
def crossed(studio):
    return Predictions.load(studio("body_crossed"))


@pytest.fixture(scope="module")
def group(apose, crossed):
    return placed([(crossed, 2, 575, 250), (apose, 3, 100, 50)], 600, 900)


def test_one_person_comes_back_as_seen(apose, monkeypatch):
    """At the network's own size nothing is resampled: the maps are the truth inside the person."""
    oracle = Oracle(apose).install(monkeypatch)
    result = oracle.predict(monkeypatch)
    inside = interior(apose.seg, 1)
    assert np.abs(result.pointmap - apose.pointmap)[inside].max() < 2e-3
    assert np.quantile(angles(result.normal[inside], apose.normal[inside]), 0.999) < 0.2
    assert (result.seg == apose.seg).all()
    assert np.abs(result.albedo.astype(int) - apose.albedo)[inside].max() <= 1
    np.testing.assert_allclose(result.intrinsics[0, 0], apose.intrinsics[0, 0], rtol=1e-4)
    seen = apose.keypoints[0, :, 2] == 1
    assert np.abs(result.keypoints - apose.keypoints)[0, seen, :2].max() < 0.1
    # The top of a Gaussian of sigma 3 between four cells: exp(-0.5 / 18) = 0.973.
    np.testing.assert_allclose(result.keypoints[0, seen, 2], 1, atol=0.028)


def test_nothing_is_predicted_away_from_people(apose, monkeypatch):
    result = Oracle(apose).install(monkeypatch).predict(monkeypatch)
    far = ~binary_dilation(apose.seg > 0, iterations=25)
    for key in ("pointmap", "normal", "albedo", "seg", "alpha"):
        assert not getattr(result, key)[far].any(), key
    # The garbage behind the person (3 m) must not bleed over the silhouette (the person is nearer or farther).
    z = result.pointmap[..., 2]
    truth = apose.pointmap[..., 2][apose.seg > 0]
    assert z[z > 0].min() > truth.min() - 0.02
    assert z[z > 0].max() < truth.max() + 0.02


@pytest.mark.parametrize("letterboxed", [False, True])
def test_small_people_in_a_large_photo(group, monkeypatch, letterboxed):
    """Two people, each small: seen through windows, back in one camera, left to right."""
    truth = group
    oracle = Oracle(truth).install(monkeypatch, letterboxed)
    result = oracle.predict(monkeypatch)
    assert len(result.boxes) == 2
    assert result.boxes[0, 0] < result.boxes[1, 0]
    inside = interior(truth.seg)
    error = np.abs(result.pointmap - truth.pointmap)[inside]
    assert np.quantile(error, 0.99) < 0.02, np.quantile(error, 0.99)
    assert np.mean(angles(result.normal[inside], truth.normal[inside])) < 4
    assert (result.seg == truth.seg).mean() > 0.999
    np.testing.assert_allclose(result.intrinsics, truth.intrinsics, rtol=1e-3)
    # left to right: apose first
    for found, person in ((result.keypoints[0], truth.keypoints[1]), (result.keypoints[1], truth.keypoints[0])):
        seen = person[:, 2] == 1
        assert np.abs(found - person)[seen, :2].max() < 0.2
    passes = oracle.passes
    assert sum(p == ("pose",) for p in passes) == 4
    if letterboxed:  # one pass on the photo and one through each window
        assert len(passes) == 3 + 4
        assert len({p for p in passes if p != ("pose",)}) == 1


def test_windows_keep_the_size_of_people_when_they_misjudge_the_lens(apose, monkeypatch):
    """All windows believe in a lens 1.4 times too long: people stand farther away, but are as tall as they are."""
    truth = placed([(apose, 3, 100, 50)], 600, 900)
    result = Oracle(truth, focal_scale_error=1.4).install(monkeypatch).predict(monkeypatch)
    inside = interior(truth.seg)
    height = np.ptp(result.pointmap[inside], axis=0)[1] / np.ptp(truth.pointmap[inside], axis=0)[1]
    assert abs(height - 1) < 0.02
    camera = Camera.from_matrix(result.intrinsics, 900, 600)
    rows, columns = np.nonzero(inside)
    projected = camera.project(result.pointmap[inside])
    assert np.abs(projected - np.stack([columns, rows], 1)).max() < 0.1


def test_a_box_chooses_the_person(group, monkeypatch):
    result = Oracle(group).install(monkeypatch).predict(monkeypatch, boxes=[[95, 45, 240, 230]])
    assert len(result.boxes) == 1
    assert result.seg[:, 300:].max() == 0
    assert (result.seg == group.seg)[:, :300].mean() > 0.999


def test_tasks_that_are_not_asked_for_are_not_stored(apose, monkeypatch):
    result = Oracle(apose).install(monkeypatch).predict(monkeypatch, tasks=["normal"])
    assert result.normal is not None
    assert result.seg is None
    assert result.pointmap is None
    assert result.keypoints is None
    assert list(json.loads(result.metadata["models"])) == ["normal"]


def test_nobody(apose, monkeypatch):
    empty = Predictions(image=apose.image, seg=np.zeros_like(apose.seg))
    with pytest.raises(SapiensError, match="No person was found"):
        Oracle(empty).install(monkeypatch).predict(monkeypatch)


def test_a_cut_out_photo_keeps_its_own_alpha(apose, monkeypatch):
    oracle = Oracle(apose).install(monkeypatch)
    photo = read_photo(np.dstack([apose.image, apose.alpha]))
    oracle.truth = Predictions(**{k: getattr(apose, k) for k in ("pointmap", "normal", "albedo", "seg", "keypoints",
                                                                 "intrinsics")},
                               image=photo.image)  # fmt: skip
    oracle._image = photo.image
    monkeypatch.setattr(predict_module, "read_photo", lambda image: photo)
    result = predict("cutout.png", model="oracle", device="cpu")
    near = apose.seg > 0
    assert (result.alpha[near] == apose.alpha[near]).all()


# ------------------------------------------------------------------------------------------------ a small real network


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return small_network(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture
def picture(tmp_path):
    from PIL import Image

    path = tmp_path / "größe test.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 200, 3), np.uint8)).save(path)
    return path


def test_same_input_same_bytes(tiny, picture, tmp_path):
    digests = set()
    for i in range(2):
        result = predict(picture, model=tiny, device="cpu", boxes=[[20, 20, 180, 280], [60, 60, 100, 120]])
        digests.add(hashlib.sha256(result.save(tmp_path / f"{i}.safetensors").read_bytes()).hexdigest())
    assert len(digests) == 1
    assert result.metadata["source"] == picture.name
    assert result.metadata["sha256"] == hashlib.sha256(picture.read_bytes()).hexdigest()
    again = Predictions.load(tmp_path / "0.safetensors")
    assert again.keypoints.shape == (2, 308, 3)
    assert again.pointmap.shape == (300, 200, 3)


@pytest.mark.parametrize("tasks", [["normal"], ["seg"], ["pose"], ["pose", "pointmap"]])
def test_only_the_tasks_that_were_asked_for_are_in_the_file(tiny, picture, tasks):
    result = predict(picture, model=tiny, tasks=tasks, boxes=[[20, 20, 180, 280]])
    keys = {"keypoints" if task == "pose" else task for task in tasks}
    assert {k for k in ("seg", "normal", "albedo", "pointmap", "keypoints") if getattr(result, k) is not None} == keys
    assert sorted(json.loads(result.metadata["models"])) == sorted(tasks)


def test_created_is_not_the_clock(tiny, picture, monkeypatch):
    import os

    os.utime(picture, (0, 86400))
    assert predict(picture, model=tiny, tasks=["pose"], boxes=[[20, 20, 180, 280]]).metadata["created"].startswith("1970-01-02")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert predict(picture, model=tiny, tasks=["pose"], boxes=[[20, 20, 180, 280]]).metadata["created"].startswith("1970-01-01")


def test_progress_only_grows_and_ends_at_one(tiny, picture):
    steps = []
    predict(
        picture,
        model=tiny,
        boxes=[[20, 20, 60, 80], [90, 90, 140, 200]],
        progress=lambda stage, share: steps.append((stage, share)),
    )
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert len(set(shares)) > 20


def test_cancel_stops_within_a_pass(tiny, picture):
    asked = 0

    def cancel():
        nonlocal asked
        asked += 1
        return asked > 5

    with pytest.raises(Cancelled):
        predict(picture, model=tiny, boxes=[[20, 20, 180, 280]], cancel=cancel)
    assert asked == 6


def test_an_exception_from_progress_ends_the_job(tiny, picture):
    def progress(stage, share):
        if share > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        predict(picture, model=tiny, boxes=[[20, 20, 180, 280]], progress=progress)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tasks": ["depth"]}, "There is no task 'depth'"),
        ({"tasks": ["matting"]}, "no weights for matting"),
        ({"tasks": []}, "No task was asked for"),
        ({"device": "cuda:77"}, "no device 'cuda:77'"),
        ({"device": "toaster"}, "no device 'toaster'"),
        ({"precision": "int4"}, "no precision 'int4'"),
        ({"boxes": [[1, 2, 3]]}, "Boxes must be rows"),
        ({"boxes": [[50, 50, 50, 90]]}, "has no area inside the photo"),
        ({"boxes": [[900, 900, 950, 950]]}, "has no area inside the photo"),
        ({"boxes": [[float("nan"), 0, 50, 50]]}, "has no area inside the photo"),
        ({"model": "nowhere.safetensors"}, "no weights file at"),
    ],
)
def test_wrong_options_are_named(tiny, picture, options, sentence):
    with pytest.raises(SapiensError, match=sentence) as caught:
        predict(picture, **({"model": tiny} | options))
    assert caught.value.hint


def test_the_network_is_freed_after_an_error(tiny, picture, monkeypatch):
    closed = []
    monkeypatch.setattr(Session, "close", lambda session, close=Session.close: (closed.append(session), close(session)))
    with pytest.raises(SapiensError):
        predict(picture, model=tiny, boxes=[[0, 0, 0, 0]])
    assert not len(closed[-1].models)


def test_not_enough_memory_is_a_sentence(tiny, picture, monkeypatch):
    def run_out(self, *arguments):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Sapiens2, "forward", run_out)
    with pytest.raises(SapiensError, match="Not enough GPU memory"):
        predict(picture, model=tiny)
