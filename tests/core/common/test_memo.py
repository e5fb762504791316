"""What is kept between builds is what would be made again, and no more of it than wanted."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open

from sapiens2_avatar.core.avatar import AvatarSettings, make_avatars
from sapiens2_avatar.core.common.memo import Kept, digest
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.formats.avatar_file import save_avatars
from sapiens2_avatar.core.surface.scan import ScanSettings
from sapiens2_avatar.core.texture import textures


def test_digests_tell_contents_types_and_shapes_apart():
    x = np.arange(12, dtype=np.float32)
    others = [x + 1e-6, x.astype(np.float64), x.reshape(3, 4), x[:-1], x.view(np.int32), None, "x", np.zeros((0, 3))]
    names = [digest(x), *map(digest, others), digest(x, x), digest(), digest("a", "b"), digest("ab")]
    assert len(set(names)) == len(names)
    assert digest(x, "s", None) == digest(x.copy(), "s", None) == digest(np.ascontiguousarray(x[::1]), "s", None)
    assert digest(x.reshape(3, 4).T) == digest(x.reshape(3, 4).T.copy())


def test_only_the_latest_are_kept_and_failures_are_not():
    kept, made = Kept(2), []

    def make(value):
        made.append(value)
        return value

    for value in (1, 2, 1, 3, 1, 2):  # 3 pushes 2 out
        assert kept.get((value,), lambda value=value: make(value)) == value
    assert made == [1, 2, 3, 2]
    with pytest.raises(ZeroDivisionError):
        kept.get(("bad",), lambda: 1 // 0)
    assert kept.get(("bad",), lambda: 5) == 5


def test_another_scale_or_lens_is_another_pose(studio):
    """The first pose that was kept must not come back for other settings."""
    predictions = Predictions.load(studio("body_sit.degraded"))
    kept = Kept()
    quick = replace(AvatarSettings(), scan=ScanSettings(resolution="half"), texture=textures.TextureSettings(colour="photo"))
    for change in ({}, {"stature": 1.5}, {"stature": 1.9}, {"distance": 2.0}, {"typed_35mm": 60.0}, {}):
        settings = replace(quick, **change)
        one, two = (make_avatars(predictions, settings=settings, kept=k)[0] for k in (kept, None))
        assert np.array_equal(one.rig.heads, two.rig.heads) and np.array_equal(one.mesh.vertices, two.mesh.vertices), change
        assert one.camera == two.camera and np.array_equal(one.world_from_camera, two.world_from_camera)


def test_a_file_is_the_same_with_images_that_were_encoded_before(scan_subjects, tmp_path):
    predictions, _ = scan_subjects.sphere(80)
    kept = Kept()
    made = make_avatars(predictions, settings=AvatarSettings(with_rig=False))
    files = [save_avatars(made, tmp_path / str(i), k) for i, k in enumerate((None, kept, kept))]
    contents = []
    for path in files:  # not byte by byte: the library writes the strings of the header in any order
        with safe_open(path, framework="np") as file:
            contents.append((file.metadata(), {name: file.get_tensor(name) for name in file.keys()}))  # noqa: SIM118
    for strings, arrays in contents[1:]:
        assert strings == contents[0][0]
        assert arrays.keys() == contents[0][1].keys()
        assert all(np.array_equal(array, contents[0][1][name]) for name, array in arrays.items())


def test_a_slider_repeats_only_what_depends_on_it(scan_subjects, monkeypatch):
    predictions, _ = scan_subjects.sphere(120)
    calls = []
    original = textures.delight
    monkeypatch.setattr(textures, "delight", lambda *arguments: calls.append(1) or original(*arguments))
    kept, base = Kept(), AvatarSettings(with_rig=False)
    for refine in (0.2, 0.9):
        settings = replace(base, scan=ScanSettings(refine=refine))
        with_it, without = (make_avatars(predictions, settings=settings, kept=k)[0] for k in (kept, None))
        assert np.array_equal(with_it.textures.base_colour_srgb, without.textures.base_colour_srgb)
        assert np.array_equal(with_it.mesh.vertices, without.mesh.vertices)
    assert len(calls) == 3, "once for both with, each time without"
    brighter = replace(predictions, image=predictions.image + np.uint8(9))
    for change, photo, more in (
        ({}, brighter, 1),
        ({"scan": ScanSettings(resolution="half")}, predictions, 1),
        ({"texture": textures.TextureSettings(gutter=9)}, predictions, 1),
        ({}, predictions, 0),
    ):
        calls.clear()
        make_avatars(photo, settings=replace(base, **change), kept=kept)
        assert len(calls) == more, change
