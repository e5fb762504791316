"""Outputs of the demo scripts, written here as the scripts write them, from the exact maps of a synthetic person."""

import json

import numpy as np
import pytest
from PIL import Image

from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.formats.meta_demo import predictions_from_demo, read_ply


def write_ply(path, points, colours, ascii_text=False):
    """As Open3D writes a coloured cloud: doubles and bytes."""
    kind = "ascii" if ascii_text else "binary_little_endian"
    head = f"ply\nformat {kind} 1.0\ncomment Created by Open3D\nelement vertex {len(points)}\n"
    head += "".join(f"property double {axis}\n" for axis in "xyz")
    head += "".join(f"property uchar {name}\n" for name in ("red", "green", "blue")) + "end_header\n"
    table = np.empty(len(points), [(axis, "<f8") for axis in "xyz"] + [(name, "u1") for name in ("red", "green", "blue")])
    for i, axis in enumerate("xyz"):
        table[axis] = points[:, i]
    for i, name in enumerate(("red", "green", "blue")):
        table[name] = colours[:, i]
    body = "\n".join(" ".join(map(repr, row)) for row in table.tolist()).encode() if ascii_text else table.tobytes()
    path.write_bytes(head.encode() + body)


@pytest.fixture
def demo(studio, tmp_path):
    """(photo, folder of outputs, truth) at a quarter of the size."""
    whole = Predictions.load(studio("body_apose"))
    truth = {k: np.ascontiguousarray(getattr(whole, k)[::4, ::4]) for k in ("image", "pointmap", "normal", "seg")}
    truth["keypoints"] = whole.keypoints / np.float32([4, 4, 1])
    photo, folder = tmp_path / "person.png", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(truth["image"]).save(photo)
    np.save(folder / "person_seg.npy", truth["seg"].astype(np.int64))
    np.save(folder / "person.npy", truth["normal"].astype(np.float32) * 0.98)
    np.save(folder / "person_depth.npy", truth["pointmap"][..., 2].astype(np.float16))
    mask = (truth["seg"] > 0) & truth["image"].any(-1)
    sphere = np.random.default_rng(0).normal(size=(500, 3)) * 0.05
    points = np.concatenate([truth["pointmap"][mask], sphere])
    write_ply(folder / "person.ply", points, np.zeros((len(points), 3), np.uint8))
    people = [
        {"bbox": [1, 2, 100, 200], "keypoints": k[:, :2].tolist(), "keypoint_scores": k[:, 2].tolist()}
        for k in truth["keypoints"]
    ]
    frames = [{"image_name": "other.png", "instances": []}, {"image_name": "person.png", "instances": people}]
    (folder / "out_predictions.json").write_text(json.dumps({"num_keypoints": 308, "frames": frames}))
    return photo, folder, truth


def test_everything_together(demo):
    photo, folder, truth = demo
    found = predictions_from_demo(photo, [folder])
    mask = (truth["seg"] > 0) & truth["image"].any(-1)
    assert (found.seg == truth["seg"]).all()
    np.testing.assert_allclose(found.pointmap[mask], truth["pointmap"][mask], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.normal[mask].astype(np.float32), axis=-1), 1, atol=2e-3)
    np.testing.assert_allclose(found.keypoints, truth["keypoints"], atol=1e-3)
    assert not found.pointmap[~mask].any()
    # the lens is read from the points, to within half a pixel at the edge of the person
    assert found.metadata["focal_source"] == "pointmap"
    rays = found.pointmap[mask][:, 0] / found.pointmap[mask][:, 2] * found.intrinsics[0, 0] + found.intrinsics[0, 2]
    assert np.abs(rays - np.nonzero(mask)[1]).max() < 0.5
    found.save(photo.with_suffix(".safetensors"))


def test_depth_alone_stands_on_an_assumed_lens(demo):
    photo, folder, truth = demo
    found = predictions_from_demo(photo, [folder / "person_depth.npy", folder / "person_seg.npy"])
    mask = truth["seg"] > 0
    assert found.metadata["focal_source"] == "assumed"
    np.testing.assert_allclose(found.pointmap[mask][:, 2], truth["pointmap"][mask][:, 2], rtol=1e-3)


def test_a_cloud_without_parts_covers_every_pixel_that_has_colour(demo):
    photo, folder, truth = demo
    mask = truth["image"].any(-1)
    points = np.concatenate([truth["pointmap"][mask], np.zeros((500, 3))])
    write_ply(folder / "person.ply", points, np.zeros((len(points), 3), np.uint8))
    found = predictions_from_demo(photo, [folder / "person.ply"])
    assert found.seg is None
    np.testing.assert_array_equal(found.pointmap[mask], truth["pointmap"][mask].astype(np.float32))


def test_a_cloud_without_the_parts_that_masked_it_leaves_the_word_to_the_depth(demo):
    photo, folder, _ = demo
    depth = predictions_from_demo(photo, [folder / "person_depth.npy"])
    found = predictions_from_demo(photo, [folder / "person_depth.npy", folder / "person.ply"])
    np.testing.assert_array_equal(found.pointmap, depth.pointmap)


def test_ply_as_text(tmp_path):
    points = np.random.default_rng(0).normal(size=(7, 3))
    write_ply(tmp_path / "a.ply", points, np.zeros((7, 3), np.uint8), ascii_text=True)
    np.testing.assert_allclose(read_ply(tmp_path / "a.ply"), points, rtol=1e-6)


def spoil(folder, name, content):
    if isinstance(content, np.ndarray):
        np.save(folder / name, content, allow_pickle=content.dtype == object)
    else:
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("person_seg.npy", np.zeros((5, 5), int), "has the shape"),
        ("person_seg.npy", np.full((128, 96), 29), "labels outside"),
        ("person_seg.npy", np.array([{}], object), "not an array file"),
        ("person_seg.npy", b"text", "not an array file"),
        ("person.npy", np.zeros((256, 192, 4), np.float32), "has the shape"),
        ("person_depth.npy", b"", "not an array file"),
        ("person.ply", b"ply\nformat ascii 1.0\nelement vertex 9\nproperty float x\nend_header\n1 2", "not a point cloud"),
        ("person.ply", b"no cloud", "not a point cloud"),
        ("out_predictions.json", b"{", "not a keypoint file"),
        (
            "out_predictions.json",
            b'{"frames": [{"image_name": "person.png", "instances": [{"bbox": 1}]}]}',
            "not a keypoint file",
        ),
    ],
)
def test_bad_files(demo, name, content, sentence):
    photo, folder, _ = demo
    spoil(folder, name, content)
    with pytest.raises(SapiensError, match=sentence) as caught:
        predictions_from_demo(photo, [folder])
    assert caught.value.hint


def test_nothing_that_belongs_to_the_photo(demo, tmp_path):
    photo, folder, _ = demo
    stranger = photo.rename(tmp_path / "stranger.png")
    with pytest.raises(SapiensError, match="No output of the demo scripts for stranger"):
        predictions_from_demo(stranger, [folder])


def test_a_cloud_of_another_photo_is_not_guessed(demo):
    photo, folder, _ = demo
    (folder / "person_depth.npy").unlink()
    write_ply(folder / "person.ply", np.zeros((900, 3)), np.zeros((900, 3), np.uint8))
    with pytest.raises(SapiensError, match="cannot be matched"):
        predictions_from_demo(photo, [folder])
