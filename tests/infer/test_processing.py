"""Everything before and after the network against stored results of the reference processor, which are not in the repository.

`test_processing_plain.py` compares it with formulas, everywhere.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sapiens2_avatar.infer import postprocess, preprocess
from sapiens2_avatar.infer.preprocess import Letterbox, PoseWindow

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module", params=["300x400", "640x1138", "900x700"])
def case(request, shared):
    from PIL import Image

    folder = shared / "fixtures" / "processing" / request.param
    info = json.loads((folder / "case.json").read_text())
    return SimpleNamespace(
        image=np.asarray(Image.open(folder / "image.png").convert("RGB")),
        boxes=[np.array([x, y, x + w, y + h]) for x, y, w, h in info["boxes_xywh"]],
        tolerance=info["tolerances"],
        size=(info["image"]["height"], info["image"]["width"]),
        pre=dict(np.load(folder / "pre.npz")),
        post=dict(np.load(folder / "post.npz")),
        offset=(info["sample_offset"]["oy"], info["sample_offset"]["ox"]),
    )


def sampled(array, step, offset):
    """The reference arrays keep every step-th pixel."""
    return np.asarray(array)[..., offset[0] :: step, offset[1] :: step]


def tensor(array):
    return torch.from_numpy(np.asarray(array, np.float32))[None]


def test_network_inputs(case):
    inputs = {
        "letterbox_full_s8": sampled(preprocess.letterbox(case.image, 1024, 768)[0][0], 8, case.offset),
        "stretch_full_s8": sampled(preprocess.stretch(case.image, 1024, 768)[0], 8, case.offset),
        "letterbox_small": preprocess.letterbox(case.image, 256, 192)[0][0].numpy(),
        "stretch_small": preprocess.stretch(case.image, 256, 192)[0].numpy(),
    }
    for key, mine in inputs.items():
        error = np.abs(mine - case.pre[key])
        assert error.max() <= case.tolerance["pre_same_filter"], (key, error.max())


def test_pose_crops(case):
    """The same filter, but where a crop shrinks more than twofold ours is widened and the reference skips pixels."""
    for i, box in enumerate(case.boxes):
        for key, (height, width), step in (("crops_full_s8", (1024, 768), 8), ("crops_small_s2", (256, 192), 2)):
            window = PoseWindow.around(box, height, width)
            mine = sampled(preprocess.pose_crop(case.image, window, height, width)[0], step, case.offset)
            error = np.abs(mine - case.pre[key][i])
            if min((width - 1) / window.width, (height - 1) / window.height) >= 0.5:
                assert error.max() <= case.tolerance["pre_same_filter"], (key, i, error.max())
            else:
                assert error.mean() <= case.tolerance["pre_other_filter_mean"], (key, i, error.mean())


def test_normal(case):
    frame = Letterbox(*case.size, 256, 192)
    mine = sampled(postprocess.decode_normal(tensor(case.post["normal_raw"]), frame), 5, case.offset)
    np.testing.assert_allclose(mine, case.post["normal_s5"], atol=case.tolerance["normal"])


def test_pointmap(case):
    frame = Letterbox(*case.size, 256, 192)
    mine = postprocess.decode_pointmap(tensor(case.post["pointmap_raw"]), case.post["scale"].item(), frame)
    np.testing.assert_allclose(sampled(mine, 5, case.offset), case.post["pointmap_s5"], atol=case.tolerance["pointmap"])


def test_seg(case):
    labels, foreground = postprocess.decode_seg(tensor(case.post["seg_logits"]), *case.size)
    tie = np.unpackbits(case.post["seg_tie"])[: labels.size].reshape(labels.shape).astype(bool)
    assert (labels == case.post["seg_labels"])[~tie].all()
    # 29 classes: where the foreground is less likely than 1/2 the background must win, not the other way round.
    assert (labels[foreground < 126] == 0).all()


def test_matting(case):
    raw = tensor(case.post["matting_raw"])
    foreground, alpha = postprocess.decode_matting(raw[:, :3], raw[:, 3:], *case.size)
    np.testing.assert_allclose(
        sampled(foreground, 5, case.offset), case.post["matting_foreground_s5"], atol=case.tolerance["matting"]
    )
    np.testing.assert_allclose(sampled(alpha, 5, case.offset), case.post["matting_alpha_s5"][0], atol=case.tolerance["matting"])


def test_keypoints(case):
    for i, box in enumerate(case.boxes):
        window = PoseWindow.around(box, 1024, 768)
        plain, mirror = (torch.from_numpy(case.post[k][i].astype(np.float32)) for k in ("pose_heatmaps", "pose_heatmaps_mirror"))
        for heatmaps, key in ((plain, "pose"), ((plain + mirror) / 2, "pose_mirror_averaged")):
            mine = postprocess.decode_heatmaps(heatmaps, window)
            np.testing.assert_allclose(mine[:, :2], case.post[f"{key}_keypoints"][i], atol=case.tolerance["pose_keypoints_px"])
            np.testing.assert_allclose(mine[:, 2], case.post[f"{key}_scores"][i], atol=case.tolerance["pose_scores"])


def test_letterbox_rectangles(shared):
    for row in json.loads((shared / "fixtures/processing/geometry.json").read_text())["letterbox"]:
        width, height = row["image"]
        frame = Letterbox(height, width, *row["model_hw"])
        expected = row["resized_wh"][::-1]
        assert frame.resized == tuple(max(1, side) for side in expected), row
        if min(expected) > 0:
            assert frame.top_left == (row["pad_top"], row["pad_left"]), row


def test_pose_windows(shared):
    for row in json.loads((shared / "fixtures/processing/geometry.json").read_text())["pose_crops"]:
        x, y, w, h = row["box_xywh"]
        window = PoseWindow.around(np.array([x, y, x + w, y + h]), 1024, 768)
        np.testing.assert_allclose([window.x, window.y], row["centre"], rtol=1e-5)
        np.testing.assert_allclose([window.width, window.height], row["window_wh"], rtol=1e-5)
