"""What a memo holds between builds is what would be made again, and no more bytes of it than wanted."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from sapiens2_avatar.core.avatar import AvatarSettings, make_avatars
from sapiens2_avatar.core.common.memo import ENTRY, Memo, digest, size_of
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.formats.avatar_file import save_avatars
from sapiens2_avatar.core.surface.scan import ScanSettings
from sapiens2_avatar.core.texture import base_colour, textures


def test_digests_tell_contents_types_and_shapes_apart():
    x = np.arange(12, dtype=np.float32)
    others = [x + 1e-6, x.astype(np.float64), x.reshape(3, 4), x[:-1], x.view(np.int32), None, "x", np.zeros((0, 3))]
    names = [digest(x), *map(digest, others), digest(x, x), digest(), digest("a", "b"), digest("ab")]
    assert len(set(names)) == len(names)
    assert digest(x, "s", None) == digest(x.copy(), "s", None) == digest(np.ascontiguousarray(x[::1]), "s", None)
    assert digest(x.reshape(3, 4).T) == digest(x.reshape(3, 4).T.copy())


@dataclass(frozen=True)
class Made:
    """A result as stages make them: arrays at several depths."""

    colour: np.ndarray
    extra: object = None


def test_the_size_of_a_result_is_that_of_the_memory_it_holds():
    x = np.zeros(1000, np.uint8)
    assert size_of(None) == size_of("sentence") == size_of((1, 2.0, {"a": ()})) == ENTRY
    assert size_of(x) == size_of([x, x]) == size_of(Made(x, {"again": x})) == ENTRY + 1000, "once, however often it is reached"
    assert size_of(x[:1]) == size_of(x.reshape(10, 100)[3]) == ENTRY + 1000, "a view holds the whole"
    y = np.zeros((5, 4), np.float32)
    assert size_of({"made": (Made(x, [y]), Made(y))}) == ENTRY + 1000 + 80


def test_the_least_recently_used_go_when_bytes_are_short():
    made = []

    def array(name: str, size: int):
        return memo.get(name, lambda: made.append(name) or np.zeros(size - ENTRY, np.uint8))

    memo = Memo(10 * ENTRY)
    for name, size in (("a", 4), ("b", 3), ("a", 4), ("c", 3)):
        assert array(name, size * ENTRY).nbytes == (size - 1) * ENTRY
    assert made == ["a", "b", "c"] and memo.size == 10 * ENTRY, "what just fits stays"
    array("d", 2 * ENTRY)  # pushes b out, which was used before a
    assert memo.size == 9 * ENTRY
    for name in "acd":
        array(name, 9999)
    assert made == ["a", "b", "c", "d"]
    array("b", 3 * ENTRY)  # pushes a out
    assert memo.size == 8 * ENTRY
    array("c", 9999)
    array("a", 5 * ENTRY)  # pushes d and b out
    assert made == ["a", "b", "c", "d", "b", "a"] and memo.size == 8 * ENTRY


def test_what_is_larger_than_all_of_it_pushes_nobody_out():
    memo, made = Memo(3 * ENTRY), []
    memo.get("small", lambda: np.zeros(ENTRY, np.uint8))
    for _ in range(2):
        assert memo.get("huge", lambda: made.append(1) or np.zeros(2 * ENTRY + 1, np.uint8)).nbytes == 2 * ENTRY + 1
    assert made == [1, 1] and memo.size == 2 * ENTRY
    assert memo.get("small", lambda: None) is not None


def test_small_results_do_not_grow_without_end():
    memo = Memo(3 * ENTRY)
    for i in range(9):
        memo.get(i, lambda i=i: (i, "no array"))
    assert memo.size == 3 * ENTRY
    assert [memo.get(i, lambda: "again") for i in (6, 7, 8)] == [(i, "no array") for i in (6, 7, 8)]


def test_a_failure_is_not_a_result():
    memo = Memo()
    with pytest.raises(ZeroDivisionError):
        memo.get("bad", lambda: 1 // 0)
    assert memo.get("bad", lambda: 5) == memo.get("bad", lambda: 6) == 5


def test_the_doubt_about_a_pose_is_said_with_a_rig_only(studio):
    """A build for the stature alone comes first; the pose that it leaves in the memo is the one of a build with a rig."""
    predictions = Predictions.load(studio("body_sit.degraded"))
    doubted = replace(predictions, keypoints=predictions.keypoints * np.array([1, 1, 0.4], np.float32))
    quick = replace(
        AvatarSettings(make="scan", stature=1.7),
        scan=ScanSettings(resolution="half"),
        texture=textures.TextureSettings(colour="photo"),
    )
    memo = Memo()
    for with_rig in (False, True):
        settings = replace(quick, with_rig=with_rig)
        one, two = (make_avatars(doubted, settings=settings, memo=k)[0] for k in (memo, None))
        assert one.notes == two.notes
        assert any("unsure" in note for note in one.notes) == with_rig


def test_another_scale_or_lens_is_another_pose(studio):
    """The first pose that was kept must not come back for other settings."""
    predictions = Predictions.load(studio("body_sit.degraded"))
    memo = Memo()
    quick = replace(
        AvatarSettings(make="scan"), scan=ScanSettings(resolution="half"), texture=textures.TextureSettings(colour="photo")
    )
    for change in ({}, {"stature": 1.5}, {"stature": 1.9}, {"distance": 2.0}, {"focal": 60.0}, {}):
        settings = replace(quick, **change)
        one, two = (make_avatars(predictions, settings=settings, memo=k)[0] for k in (memo, None))
        assert np.array_equal(one.rig.heads, two.rig.heads) and np.array_equal(one.mesh.vertices, two.mesh.vertices), change
        assert one.camera == two.camera and np.array_equal(one.world_from_camera, two.world_from_camera)


def test_a_file_is_the_same_with_images_that_were_encoded_before(scan_subjects, tmp_path):
    predictions, _ = scan_subjects.sphere(80)
    memo = Memo()
    made = make_avatars(predictions, settings=AvatarSettings(make="scan", with_rig=False))
    some = Memo(2 * ENTRY + made[0].image.nbytes)  # what it holds gives way while others are added
    files = [save_avatars(made, tmp_path / str(i), k) for i, k in enumerate((None, memo, memo, some, some))]
    assert len({path.read_bytes() for path in files}) == 1


def test_a_slider_repeats_only_what_depends_on_it(scan_subjects, monkeypatch):
    predictions, _ = scan_subjects.sphere(120)
    calls = []
    original = base_colour.delight
    monkeypatch.setattr(base_colour, "delight", lambda *arguments: calls.append(1) or original(*arguments))
    memo, base = Memo(), AvatarSettings(make="scan", with_rig=False)
    for detail in (0.2, 0.9):
        settings = replace(base, scan=ScanSettings(detail=detail))
        with_it, without = (make_avatars(predictions, settings=settings, memo=k)[0] for k in (memo, None))
        assert np.array_equal(with_it.textures.base_colour_srgb, without.textures.base_colour_srgb)
        assert np.array_equal(with_it.mesh.vertices, without.mesh.vertices)
    assert len(calls) == 3, "once for both with, each time without"
    brighter = replace(predictions, image=predictions.image + np.uint8(9))
    for changed, options, count in (
        (brighter, {}, 4),  # another photo
        (predictions, {"scan": ScanSettings(resolution="half")}, 5),  # another surface
        (predictions, {"texture": textures.TextureSettings(gutter=9)}, 6),  # other settings of the texture
        (predictions, {"texture": textures.TextureSettings(gutter=9)}, 6),
        (brighter, {}, 6),  # the first ones are still there
        (predictions, {"focal": 60.0}, 7),  # another lens
    ):
        make_avatars(changed, settings=replace(base, **options), memo=memo)
        assert len(calls) == count, options
