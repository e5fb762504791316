"""Everything before and after the network against the plain formulas of `plain_processing`, on photos and maps made here."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sapiens2_avatar.infer import postprocess, preprocess
from sapiens2_avatar.infer.preprocess import Letterbox, PoseWindow
from support import plain_processing as plain

SIZES = [(400, 300), (1138, 640), (700, 900), (90, 60)]
"""(height, width) of photos: 3:4 as the network, tall, wide, and smaller than the network."""
LEVEL = 1 / 57  # one of 255 levels after normalisation


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size[1]}x{size[0]}")
def photo(request) -> np.ndarray:
    """Smooth colours, a grid of thin lines, a noisy corner: what filters treat differently."""
    height, width = request.param
    y, x = np.mgrid[:height, :width].astype(float)
    waves = [np.sin(x / 17) + np.cos(y / 23), np.sin((x + y) / 9), np.cos(x * y / 4000)]
    image = 127 + 60 * np.stack(waves, -1)
    image[:: max(7, height // 40)] = 250
    corner = np.s_[: height // 3, : width // 3]
    image[corner] = np.random.default_rng(0).uniform(0, 255, image[corner].shape)
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("how", ["letterbox", "stretch"])
@pytest.mark.parametrize("size", [(1024, 768), (256, 192)])
def test_network_inputs(photo, how, size):
    """Pillow rounds after each direction and torch at the end: a level apart at most."""
    ours = preprocess.letterbox(photo, *size)[0] if how == "letterbox" else preprocess.stretch(photo, *size)
    error = np.abs(ours[0].numpy() - getattr(plain, how)(photo, *size))
    assert error.max() < 1.05 * LEVEL and error.mean() < 0.2 * LEVEL


BOXES = {"inside": (0.1, 0.1, 0.8, 0.9), "small": (0.4, 0.3, 0.55, 0.5), "over the edge": (0.7, -0.1, 1.2, 0.4)}


@pytest.mark.parametrize("place", BOXES)
def test_pose_crops(photo, place):
    """The formula where a crop is at least half as large as its source;
    a smaller one is reduced first, which the formula is not."""
    height, width = photo.shape[:2]
    box = np.array(BOXES[place]) * [width, height, width, height]
    size = (256, 192)
    frame = PoseWindow.around(box, *size)
    np.testing.assert_allclose([frame.x, frame.y, frame.width, frame.height], plain.window(box, 0.75), rtol=1e-12)
    ours, theirs = preprocess.pose_crop(photo, frame, *size)[0].numpy(), plain.pose_crop(photo, box, *size)
    if min((size[1] - 1) / frame.width, (size[0] - 1) / frame.height) >= 0.5:
        assert np.abs(ours - theirs).max() < 0.02 * LEVEL
    else:
        assert np.abs(ours.mean((1, 2)) - theirs.mean((1, 2))).max() < 2 * LEVEL


def test_a_crop_that_shrinks_a_lot_skips_no_pixels():
    """Thin lines that plain sampling would miss keep their share of the light."""
    image = np.zeros((1200, 900, 3), np.uint8)
    image[::6] = 255
    window = PoseWindow(449.5, 599.5, 800.0, 1066.7)
    crop = preprocess.pose_crop(image, window, 128, 96)[0, 0].numpy() * plain.STD[0] + plain.MEAN[0]
    assert crop.mean() == pytest.approx(255 / 6, rel=0.02) and crop.std() < 12


@pytest.fixture(scope="module")
def raw() -> np.ndarray:
    """(8, 64, 48) smooth random maps on the network's grid, in about -2..2."""
    rng = np.random.default_rng(1)
    return plain.enlarged(rng.uniform(-2, 2, (8, 12, 9)), 64, 48)


def tensor(maps: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(maps, np.float32))[None]


@pytest.mark.parametrize("size", SIZES)
def test_normals_points_and_albedo_come_back_to_the_photo(raw, size):
    frame, (height, width) = Letterbox(*size, 64, 48), size
    maps = raw[:3].copy()
    maps[:, 30, 20] = 0  # a raw normal without a direction
    unit = maps / np.maximum(np.linalg.norm(maps, axis=0), 1e-8)
    for ours, theirs in (
        (postprocess.decode_normal(tensor(maps), frame), unit),
        (postprocess.decode_pointmap(tensor(maps), 0.37, frame), maps / 0.37),
        (postprocess.decode_albedo(tensor(maps), frame), np.clip(maps, 0, 1)),
    ):
        np.testing.assert_allclose(ours.numpy(), plain.to_photo(theirs, height, width), atol=3e-5)


@pytest.mark.parametrize("size", [(400, 300), (90, 60), (700, 333)])  # the last one in several strips of rows
def test_parts_and_matte_come_back_to_the_photo(raw, size):
    height, width = size
    logits = 3 * np.concatenate([raw, raw[::-1, ::-1], raw[:, :, ::-1], raw[:5, ::-1, ::-1]])  # 29 classes
    labels, foreground = postprocess.decode_seg(tensor(logits), height, width)
    large = plain.enlarged(logits, height, width)
    best = np.sort(large, axis=0)
    certain = best[-1] - best[-2] > 1e-4
    assert certain.mean() > 0.9 and (labels == large.argmax(0))[certain].all()
    likelihood = np.exp(large - large.max(0))
    likelihood = 1 - likelihood[0] / likelihood.sum(0)
    assert np.abs(foreground / 255 - likelihood).max() < 0.51 / 255 + 1e-5
    colour, alpha = postprocess.decode_matting(tensor(raw[:3]), tensor(raw[3:4]), height, width)
    np.testing.assert_allclose(colour.numpy(), np.clip(plain.enlarged(raw[:3], height, width), 0, 1), atol=1e-5)
    np.testing.assert_allclose(alpha.numpy(), np.clip(plain.enlarged(raw[3:4], height, width), 0, 1)[0], atol=1e-5)


def test_keypoints():
    """Peaks inside, at the border, in a corner, beyond the map, two alike, a noisy one, and none."""
    rng, (h, w) = np.random.default_rng(2), (128, 96)
    y, x = np.mgrid[:h, :w]

    def peak(px: float, py: float, height: float = 0.9) -> np.ndarray:
        return height * np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 3**2))

    places = [(40.3, 61.8), (0.4, 70.2), (94.6, 126.9), (-2.0, 50.0), (20.0, 20.0), (50.2, 90.7)]
    heatmaps = np.stack([peak(*place) for place in places] + [-np.ones((h, w))])
    heatmaps[4] += peak(70, 100, 0.88)
    heatmaps[5] += rng.normal(0, 0.01, (h, w))
    box = np.array([30.0, -20.0, 310.0, 400.0])
    ours = postprocess.decode_heatmaps(torch.from_numpy(heatmaps.astype(np.float32)), PoseWindow.around(box, 1024, 768))
    theirs = plain.keypoints(heatmaps, box, 0.75)
    np.testing.assert_allclose(ours[:, :2], theirs[:, :2], atol=0.02)
    np.testing.assert_allclose(ours[:, 2], theirs[:, 2], atol=1e-6)
    # A clean peak is found to a fiftieth of a heatmap pixel, between the pixels too.
    cx, cy, width, height = plain.window(box, 0.75)
    back = (ours[0, :2] - [cx - width / 2, cy - height / 2]) / [width, height] * [w - 1, h - 1]
    assert np.abs(back - places[0]).max() < 0.02


@pytest.mark.parametrize(
    ("photo_size", "network", "rectangle"),
    [
        ((640, 1138), (1024, 768), (0, 96, 1023, 575)),  # rounded down, in floating point
        ((1138, 640), (1024, 768), (296, 0, 431, 768)),
        ((768, 1024), (1024, 768), (0, 0, 1024, 768)),
        ((1024, 768), (256, 192), (56, 0, 144, 192)),
        ((1, 1), (1024, 768), (128, 0, 768, 768)),
        ((4000, 3), (256, 192), (127, 0, 1, 192)),  # never less than one row
    ],
)
def test_letterbox_rectangles(photo_size, network, rectangle):
    """photo (width, height), network (height, width), rectangle (top, left, height, width), worked out by hand."""
    width, height = photo_size
    frame = Letterbox(height, width, *network)
    assert (*frame.top_left, *frame.resized) == rectangle == plain.rectangle(width, height, *network)
