"""Motion: the filter has no delay, gaps are bridged, sides stay sides, feet stand still, lengths are steady."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from measures.walks import jitter, measure, slide
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index, joint_swap
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import angle_between, rotation_from_vector
from sapiens2_avatar.core.formats.bvh import read_bvh
from sapiens2_avatar.core.formats.take_bvh import write_take_bvh
from sapiens2_avatar.core.motion.bone_lengths import joint_tree, steady_lengths
from sapiens2_avatar.core.motion.filters import cutoff, low_pass, low_pass_rotations, outliers
from sapiens2_avatar.core.motion.take import MotionSettings, make_take, who_moves
from sapiens2_avatar.core.motion.tracking import track, undo_swaps
from sapiens2_avatar.core.retarget.ground_contacts import find_contacts, ground_level, lock_feet, spans, two_bone
from sapiens2_avatar.core.retarget.recognise import recognise
from support.walks import FPS, as_poses, walker

pytest.importorskip("scipy", reason="motion is filtered with scipy")


@pytest.mark.parametrize("hertz", [1.0, 3.0, 6.0, 10.0])
def test_the_filter_has_the_response_it_says_and_no_delay(hertz: float) -> None:
    t = np.arange(600) / FPS
    signal = np.sin(2 * np.pi * hertz * t)
    out = low_pass(signal[:, None, None], FPS, 6.0)[:, 0, 0]
    expected = 1 / (1 + (np.sin(np.pi * hertz / FPS) / np.sin(np.pi * 6.0 / FPS)) ** 6)
    middle = slice(100, 500)
    assert np.abs(out[middle] - expected * signal[middle]).max() < 2e-3


def test_parabolas_pass_unchanged_at_both_ends() -> None:
    t = np.arange(40)[:, None, None] / FPS
    assert np.abs(low_pass(3 * t**2 - t + 1, FPS, 2.0) - (3 * t**2 - t + 1)).max() < 1e-6


def test_rotations_are_filtered_through_half_turns() -> None:
    angle = np.linspace(0, 3 * np.pi, 120)
    clean = rotation_from_vector(np.stack([0 * angle, 0 * angle, angle], axis=1))
    noisy = clean @ rotation_from_vector(np.random.default_rng(0).normal(size=(120, 3)) * 0.05)
    out = low_pass_rotations(noisy[:, None], FPS, 3.0)[:, 0]
    error = [np.degrees(angle_between(r[..., 0], clean[..., 0])) for r in (noisy, out)]
    assert error[1].mean() < 0.5 * error[0].mean() and error[1].max() < 6


def test_outliers_are_single_frames_that_stand_off() -> None:
    t = np.arange(60) / FPS
    values = np.stack([np.sin(t), np.cos(t), t], axis=1)[:, None].repeat(3, axis=1)
    values[20, 1] += [0.3, 0, 0]
    found = outliers(values, 0.02)
    assert found.sum() == 1 and found[20, 1]


def test_the_slider_runs_from_twelve_to_two_hertz() -> None:
    assert cutoff(0.0) == pytest.approx(12.0) and cutoff(1.0) == pytest.approx(2.0) and cutoff(0.3) > cutoff(0.6)


def test_two_bone_ik_reaches_and_keeps_lengths() -> None:
    rng = np.random.default_rng(1)
    root, joint, end = rng.normal(size=(3, 200, 3))
    target = root + rng.normal(size=(200, 3)) * 0.7
    bent, reached = two_bone(root, joint, end, target)
    a, b = np.linalg.norm(joint - root, axis=1), np.linalg.norm(end - joint, axis=1)
    assert np.abs(np.linalg.norm(bent - root, axis=1) - a).max() < 1e-9
    assert np.abs(np.linalg.norm(reached - bent, axis=1) - b).max() < 1e-9
    d = np.linalg.norm(target - root, axis=1)
    near = (d > np.abs(a - b) + 1e-3) & (d < 0.998 * (a + b))
    assert near.any() and np.abs(reached - target)[near].max() < 1e-9


def test_lengths_are_steady_and_directions_kept() -> None:
    noisy = walker(40, noise=0.01)
    out = steady_lengths(noisy, np.ones((40, 68), bool))
    for a, b in joint_tree():
        lengths = np.linalg.norm(out[:, b] - out[:, a], axis=1)
        assert np.ptp(lengths) < 1e-9
        assert np.degrees(angle_between(out[:, b] - out[:, a], noisy[:, b] - noisy[:, a])).max() < 1e-4


def test_feet_stand_where_the_walker_put_them() -> None:
    clean = walker(90)
    assert abs(ground_level(clean, FPS)) < 0.02
    contacts = find_contacts(clean, FPS)
    for n, side in enumerate((0, 0, 1, 1)):
        t = np.arange(90) / FPS
        stands = ((t + 0.5 * side) % 1.0) < 0.6
        assert (contacts[:, n] == stands).mean() > 0.85
    sliding = clean.copy()
    sliding[:, :, 0] += 0.1 * np.sin(2 * np.pi * 0.3 * np.arange(90) / FPS)[:, None]  # the whole body drifts, as depth does
    locked, held = lock_feet(sliding, find_contacts(sliding, FPS), FPS)
    assert held.sum() > 100
    foot = joint_index("left_big_toe")
    for start, stop in spans(held[:, 1]):
        assert np.ptp(locked[start:stop, foot], axis=0).max() < 0.005
    for a, b in (("hip", "knee"), ("knee", "ankle")):
        j, k = joint_index(f"left_{a}"), joint_index(f"left_{b}")
        before, after = (np.linalg.norm(p[:, j] - p[:, k], axis=1) for p in (sliding, locked))
        assert np.abs(before - after).max() < 1e-6


def test_a_take_is_smoother_than_its_frames_and_as_true() -> None:
    clean = walker(90)
    previous = np.inf
    for smoothness in (0.1, 0.4, 0.7):
        take = make_take(as_poses(walker(90, noise=0.012)), FPS, MotionSettings(smoothness=smoothness, lock_feet=False))
        assert jitter(take.positions, FPS) < min(previous, 0.95 * jitter(take.raw, FPS))
        previous = jitter(take.positions, FPS)
        errors = []
        for positions in (take.raw, take.positions):
            apart = positions - clean
            errors.append(np.linalg.norm(apart - apart.mean(axis=(0, 1)), axis=-1).mean())
        assert errors[1] < errors[0] + 0.005  # steady bone lengths cost up to 4 mm where little is smoothed
    assert previous < 0.25 * jitter(take.raw, FPS)
    locked = make_take(as_poses(walker(90, noise=0.004)), FPS)
    assert locked.contacts.sum() > 60 and slide(locked) < 5.0


def test_gaps_are_bridged_and_marked() -> None:
    clean = walker(60)
    frames: list = as_poses(clean)
    for n in range(25, 33):
        frames[n] = None
    frames[0] = frames[59] = []
    take = make_take(frames, FPS, MotionSettings(lock_feet=False, smoothness=0.0))
    assert take.found.tolist() == [n not in (0, 59, *range(25, 33)) for n in range(60)]
    whole = make_take(as_poses(clean), FPS, MotionSettings(lock_feet=False, smoothness=0.0))
    apart = take.positions - whole.positions
    apart -= np.median(apart, axis=0)
    assert np.linalg.norm(apart[25:33, joint_index("pelvis")], axis=-1).max() < 0.02
    assert any("10 of 60 frames" in note for note in take.notes)


def test_two_people_who_cross_keep_their_tracks() -> None:
    one, two = walker(60), walker(60) * [1, -1, 1]
    two[:, :, 0] += 0.5
    two[:, :, 1] -= 2.0
    people = [[a, b] if n % 2 else [b, a] for n, (a, b) in enumerate(zip(as_poses(one), as_poses(two), strict=True))]
    for person_index in (0, 1):
        found = track(people, FPS, person_index)
        path = np.array([p["pelvis"] for p in found])
        assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() < 0.06
    with pytest.raises(SapiensError, match="shows 2 people, number 3"):
        track(people, FPS, 2)


def test_the_avatar_of_who_is_seen_longest_moves() -> None:
    """Whoever stands further left, is fuller, or was not built; and who is missing in the frame that avatars are built from."""
    right, left = as_poses(walker(30) * [0.98, 1, 1]), as_poses(walker(30) - [1.5, 0, 0])
    right = [replace(pose, seen=np.arange(68) > 3) for pose in right]
    built = [SimpleNamespace(name=f"clip {n + 1}", rig=object()) for n in range(2)]
    late = [[left[n], right[n]] if n >= 20 else [right[n]] for n in range(30)]
    take = make_take(late, FPS)
    assert (take.fullest, take.person, take.people) == (20, 1, 2)
    assert who_moves(built, take, "clip") is built[1]
    assert who_moves(built, make_take(late, FPS, MotionSettings(person=1)), "clip") is built[0]
    assert who_moves(built[1:], take, "clip") is built[1], "the other has no surface"
    assert who_moves(built[:1], take, "clip") is None, "this person has no surface"
    assert who_moves([SimpleNamespace(name="clip 1", rig=None), built[1]], take, "clip") is built[1]
    assert who_moves([SimpleNamespace(name="clip", rig=None)], make_take(right, FPS), "clip") is None
    between = as_poses(walker(30) - [0.7, 0, 0])
    lost = [[left[n], between[n]] if n == 20 else [right[n]] for n in range(30)]
    take = make_take(lost, FPS)
    assert (take.fullest, take.person) == (20, 1) and not take.found[20]


@pytest.mark.parametrize("frames", [range(20, 24), range(5), [30, 40, 50]])
def test_exchanged_sides_are_exchanged_back(frames) -> None:
    clean = walker(60)
    broken = clean.copy()
    for n in frames:
        broken[n] = broken[n, joint_swap()]
    fixed, changed = undo_swaps(broken, np.ones(60, bool))
    limbs = [
        joint_index(f"{s}_{n}") for s in ("left", "right") for n in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel")
    ]
    assert np.abs(fixed[:, limbs] - clean[:, limbs]).max() < 1e-9
    assert set(np.flatnonzero(changed)) == set(frames)


def test_crossing_legs_are_not_exchanged() -> None:
    for speed in (0.8, 1.6):
        clean = walker(90, speed)
        assert not undo_swaps(clean, np.ones(90, bool))[1].any()
        assert not undo_swaps(clean[::4], np.ones(len(clean[::4]), bool))[1].any()  # the same walk at 7.5 frames per second


def test_a_take_is_written_as_bvh_and_read_again(tmp_path: Path) -> None:
    take = make_take(as_poses(walker(30)), FPS)
    clip = read_bvh(write_take_bvh(take, tmp_path / "take.bvh"))
    assert len(clip.root) == 30 and clip.fps == pytest.approx(FPS, rel=1e-4)
    found = recognise(clip.rest)
    assert not found.missing
    at = clip.positions()
    for side in ("left", "right"):
        for role, a, b in (
            ("UpperArm", "shoulder", "elbow"),
            ("LowerArm", "elbow", "wrist"),
            ("UpperLeg", "hip", "knee"),
            ("LowerLeg", "knee", "ankle"),
        ):
            child = {"UpperArm": "LowerArm", "LowerArm": "Hand", "UpperLeg": "LowerLeg", "LowerLeg": "Foot"}[role]
            i, j = (clip.rest.index(found.first(side + r)) for r in (role, child))
            wanted = take.positions[:, joint_index(f"{side}_{b}")] - take.positions[:, joint_index(f"{side}_{a}")]
            assert np.degrees(angle_between(at[:, j] - at[:, i], wanted)).max() < 0.01
            assert np.abs(np.linalg.norm(at[:, j] - at[:, i], axis=1) - np.linalg.norm(wanted, axis=1)).max() < 1e-3
    hips = (at[:, clip.rest.index(found.first("leftUpperLeg"))] + at[:, clip.rest.index(found.first("rightUpperLeg"))]) / 2
    assert np.linalg.norm(hips - take.positions[:, joint_index("pelvis")], axis=1).max() < 0.03


def test_nobody_and_nonsense_are_refused() -> None:
    with pytest.raises(SapiensError, match="shows 0 people"):
        make_take([None, []], FPS)
    with pytest.raises(SapiensError, match="frames per second"):
        make_take(as_poses(walker(3)), 0.0)
    for bad in ({"smoothness": 2.0}, {"person": -1}):
        with pytest.raises(SapiensError):
            MotionSettings(**bad)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7])
def test_short_clips_are_takes(frames: int) -> None:
    take = make_take(as_poses(walker(frames)), FPS)
    assert len(take) == frames and np.isfinite(take.positions).all() and np.isfinite(take.motion().position).all()


def walk(samples, suffix: str) -> tuple[list[Predictions], np.ndarray]:
    """Predictions of the eight frames of the walk, and the true joints (8, 68, 3), metres in camera space."""
    names = [f"walk/frame_{n:02d}" for n in range(8)]
    joints = [samples.joints(name) for name in names]
    truth = np.array([[frame[joint] for joint in JOINT_NAMES] for frame in joints], np.float64)
    return [Predictions.load(samples(name + suffix)) for name in names], truth


@pytest.mark.parametrize("suffix", ["", ".degraded"])
def test_the_studio_walk_keeps_its_figures(every_studio, suffix: str) -> None:
    frames, truth = walk(every_studio, suffix)
    result = measure(frames, truth, 8.0, MotionSettings().smoothness)
    exact, as_predicted = {"samples": (10.5, 35), "studio": (12, 30)}[every_studio.folder.name]
    assert result["error_raw_mm"] < (as_predicted if suffix else exact)  # a gait cycle in eight frames is no row of outliers
    assert result["jitter"] < 1.5 and result["jitter_locked"] < 1.5
    assert result["added_mm"] < 15 and result["added_locked_mm"] < 15
    assert result["slide_mm"] < 5 and result["rig_slide_mm"] < 5
