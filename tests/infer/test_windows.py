"""Geometry that must hold for any photo, person and network size."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sapiens2_avatar.core.capture.people import Person
from sapiens2_avatar.infer.postprocess import decode_heatmaps, decode_seg, mirrored_heatmaps
from sapiens2_avatar.infer.preprocess import (
    Letterbox,
    PoseWindow,
    letterbox,
    pose_crop,
    upsample,
    upsample_inside,
    upsampled_strips,
)
from sapiens2_avatar.infer.windows import MIN_GAIN, Region, owners, plan_regions

sides = st.integers(32, 5000)
inputs = st.sampled_from([(1024, 768), (512, 384), (256, 192), (768, 1024), (512, 512)])


@given(sides, sides, inputs)
def test_letterbox_fits_and_is_centred(height, width, size):
    frame = Letterbox(height, width, *size)
    (h, w), (top, left) = frame.resized, frame.top_left
    assert 1 <= h <= size[0]
    assert 1 <= w <= size[1]
    assert max(size[0] - h, 0) <= 1 or max(size[1] - w, 0) <= 1 or min(h, w) == 1
    assert 0 <= size[0] - h - 2 * top <= 1
    assert 0 <= size[1] - w - 2 * left <= 1
    assert abs(h - height * frame.scale) <= 1
    assert abs(w - width * frame.scale) <= 1


@settings(max_examples=25, deadline=None)
@given(st.integers(32, 700), st.integers(32, 700), st.sampled_from([(256, 192), (192, 256), (128, 128)]))
def test_letterbox_and_back(height, width, size):
    """A ramp survives the way into the network and back: no shift, no flip, no swapped axes."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([x * 255 / width, y * 255 / height, np.full_like(x, 128)], -1).astype(np.uint8)
    tensor, frame = letterbox(image, *size)
    assert tensor.shape == (1, 3, *size)
    back = upsample(frame.crop(tensor), height, width)[0]
    back = back * torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1) + torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    error = np.abs(back.permute(1, 2, 0).numpy() - image)
    step = 255 * max(1 / frame.resized[0], 1 / frame.resized[1], 1 / height, 1 / width)
    assert error.max() <= 2 * step + 2


@st.composite
def boxes(draw):
    height, width = draw(sides), draw(sides)
    x1, y1 = draw(st.floats(0, width - 3)), draw(st.floats(0, height - 3))
    x2, y2 = draw(st.floats(x1 + 2, width - 1)), draw(st.floats(y1 + 2, height - 1))
    return height, width, np.array([x1, y1, x2, y2], np.float32)


@given(boxes(), inputs)
def test_pose_window_holds_the_box_in_the_networks_aspect(sample, size):
    _, _, box = sample
    window = PoseWindow.around(box, *size)
    assert abs(window.width * size[0] - window.height * size[1]) <= 1e-6 * window.width * size[0]
    assert window.width >= 1.25 * (box[2] - box[0]) - 1e-3
    assert window.height >= 1.25 * (box[3] - box[1]) - 1e-3
    corners = window.points(np.array([[0, 0], [1, 1]]))
    np.testing.assert_allclose(corners.mean(0), [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], rtol=1e-5, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(80, 900),
    st.integers(80, 900),
    st.floats(0.1, 0.9),
    st.floats(0.1, 0.9),
    st.floats(0.15, 1.5),
    st.floats(0.15, 1.5),
)
def test_pose_crop_shows_what_the_window_says(height, width, cx, cy, w, h):
    """In a ramp photo every crop pixel tells where it came from, however much the crop shrinks or enlarges."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([x * (255 / width), y * (255 / height), 0 * x + 255], -1).round().astype(np.uint8)
    box = np.array(
        [cx * width - w * width / 4, cy * height - h * height / 4, cx * width + w * width / 4, cy * height + h * height / 4]
    )
    window = PoseWindow.around(box, 256, 192)
    crop = pose_crop(image, window, 256, 192)[0]
    colours = (
        crop * torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1) + torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
    ).numpy()
    v, u = np.mgrid[:256, :192]
    places = window.points(np.stack([u / 191, v / 255], -1))
    margin = 3 + 3 * window.width / 192
    shown = ((places > margin) & (places < np.array([width, height]) - 1 - margin)).all(-1)
    expected = np.stack([places[..., 0] * 255 / width, places[..., 1] * 255 / height])
    assert np.abs(colours[:2] - expected)[:, shown].max(initial=0) < 1.5
    outside = ((places < -margin) | (places > np.array([width, height]) + margin)).any(-1)
    assert np.abs(colours[:, outside]).max(initial=0) < 1e-2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(6, 89), st.floats(6, 121)), min_size=1, max_size=5), st.floats(1.5, 5))
def test_heatmaps_give_back_their_peaks(peaks, sigma):
    """Sub-pixel positions of Gaussians, through a window of any place and size."""
    cells = np.array(peaks)
    y, x = np.arange(128)[None, :, None], np.arange(96)[None, None, :]
    heat = np.exp(-((x - cells[:, :1, None]) ** 2 + (y - cells[:, 1:, None]) ** 2) / (2 * sigma**2))
    window = PoseWindow(300.5, 200.25, 240, 320)
    found = decode_heatmaps(torch.from_numpy(heat).float(), window)
    expected = window.points(cells / [95, 127])
    assert np.abs(found[:, :2] - expected).max() < 0.15
    swap = np.arange(len(cells))
    mirrored = mirrored_heatmaps(torch.from_numpy(heat[..., ::-1].copy()).float()[None], swap)[0]
    assert torch.equal(mirrored, torch.from_numpy(heat).float())


def test_heatmaps_without_a_peak():
    window = PoseWindow(100, 100, 96, 128)
    found = decode_heatmaps(torch.zeros(2, 128, 96) - torch.tensor([0.0, 0.1]).view(2, 1, 1), window)
    assert np.isfinite(found).all()
    assert (found[:, 2] <= 0).all()
    assert (found[:, 0] < 52.1).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 600), st.integers(1, 200), st.integers(2, 40), st.integers(2, 40))
def test_strips_are_the_whole(height, width, h, w):
    maps = torch.rand(1, 3, h, w, generator=torch.Generator().manual_seed(0))
    strips = torch.cat([strip for _, strip in upsampled_strips(maps, height, width)], 1)
    torch.testing.assert_close(strips, upsample(maps, height, width)[0], atol=1e-5, rtol=1e-4)


def test_seg_foreground_is_a_probability():
    logits = torch.zeros(1, 29, 4, 4)
    labels, foreground = decode_seg(logits, 10, 10)
    assert (labels == 0).all()
    assert (foreground == round(28 / 29 * 255)).all()
    assert (decode_seg(logits, 10, 10, together=True)[0] == 1).all()
    logits[:, 0] = 1000
    assert (decode_seg(logits, 10, 10)[1] == 0).all()


def test_upsampling_inside_keeps_garbage_out():
    maps = torch.full((1, 1, 8, 8), 1e6)
    maps[..., 2:6, 2:6] = 2.0
    inside = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    inside[..., 2:6, 2:6] = True
    up = upsample_inside(maps, inside, 64, 64)[0, 0]
    assert ((up - 2).abs() < 1e-4).logical_or(up == 0).all()
    assert (up[16:48, 16:48] > 0).all()
    maps[0, 0, 0, 0] = torch.nan
    assert torch.isfinite(upsample_inside(maps, inside, 64, 64)).all()


# ------------------------------------------------------------------------------------------------ regions


def person(box, height, width):
    mask = np.zeros((height, width), bool)
    x1, y1, x2, y2 = np.round(box).astype(int)
    mask[y1 : y2 + 1, x1 : x2 + 1] = True
    return Person(mask, box)


@settings(max_examples=60, deadline=None)
@given(boxes(), inputs)
def test_windows_hold_the_person_and_are_worth_it(sample, size):
    height, width, box = sample
    (region,) = plan_regions([Person(np.zeros((1, 1), bool), box)], height, width, size)
    assert 0 <= region.x1 <= np.floor(box[0]) + 1
    assert 0 <= region.y1 <= np.floor(box[1]) + 1
    assert np.ceil(box[2]) <= region.x2 <= width
    assert np.ceil(box[3]) <= region.y2 <= height
    if region != Region.whole(height, width):
        gain = min(size[0] / region.size[0], size[1] / region.size[1]) / min(size[0] / height, size[1] / width)
        assert gain >= MIN_GAIN


def test_half_the_frame_is_small():
    """Half in both sides: a window. A portrait that fills the frame: none."""
    small, large = np.array([200, 300, 583, 811]), np.array([60, 60, 700, 1000])
    whole = Region.whole(1024, 768)
    assert plan_regions([person(small, 1024, 768)], 1024, 768, (1024, 768)) != [whole]
    assert plan_regions([person(large, 1024, 768)], 1024, 768, (1024, 768)) == [whole]


def test_owners_reach_a_little_beyond_the_masks():
    left, right = person(np.array([100, 100, 200, 500]), 800, 1200), person(np.array([220, 100, 320, 500]), 800, 1200)
    owner = owners([left, right], 800, 1200)
    assert (owner[left.mask] == 0).all()
    assert (owner[right.mask] == 1).all()
    assert owner[300, 205] == 0
    assert owner[300, 215] == 1
    assert owner[300, 600] == -1
    assert owner[300, 335] == 1


def test_owners_of_someone_thinner_than_a_cell():
    mask = np.zeros((3000, 3000), bool)
    mask[1000:1003, 1001] = True
    owner = owners([Person(mask, np.array([1001, 1000, 1001, 1002], np.float32))], 3000, 3000)
    assert (owner[mask] == 0).all()
