"""Whole avatars of people that are hard to see: no exception, left stays left, what was not seen is reported and rests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.avatar import AvatarSettings, make_avatars
from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.avatars import Avatar
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index, keypoint_index
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import unit
from sapiens2_avatar.core.pose.lift import lift_pose
from sapiens2_avatar.core.rig.metarig import RigSettings, make_rig
from sapiens2_avatar.core.surface.scan import ScanSettings
from support.people import BODY, cut_below, photograph, quarter_turned, standing


def build(predictions: Predictions, rest: str = "photo") -> list[Avatar]:
    settings = AvatarSettings(make="scan", scan=ScanSettings(resolution="half"), rig=RigSettings(rest=rest))
    return make_avatars(predictions, settings=settings)


def unseen(avatar: Avatar) -> set[str]:
    return {n for n, hidden in zip(avatar.rig.names, avatar.rig.unseen.tolist(), strict=True) if hidden}


def whole(avatar: Avatar) -> None:
    """What Blender needs, whatever was seen."""
    assert np.isfinite(avatar.mesh.vertices).all() and np.isfinite(avatar.rig.heads).all() and np.isfinite(avatar.rig.tails).all()
    assert np.linalg.norm(avatar.rig.tails - avatar.rig.heads, axis=1).min() > 1e-3
    assert np.allclose(avatar.weights.weights.sum(axis=1), 1, atol=1e-5) and (avatar.weights.weights >= 0).all()
    assert avatar.mesh.faces.max() < len(avatar.mesh.vertices) == len(avatar.weights.bones)


def test_from_behind_left_is_left_and_there_is_no_face():
    joints, points = standing(180.0)
    camera = Camera(800, 1000, 1400.0, 1400.0, 399.5, 499.5)
    back = np.arange(308) >= 70
    back[:5] = True  # nose, eyes and ears
    pose = lift_pose(photograph(points, camera, visible=~back))
    for name in ("shoulder", "elbow", "hip", "knee"):
        assert pose[f"left_{name}"][0] < pose[f"right_{name}"][0]  # seen from behind, their left is at the left
    rig = make_rig(pose)
    assert not {"face", "jaw", "eye.L"} & set(rig.names)
    assert rig.unseen[rig.names.index("spine.006")] and not rig.unseen[rig.names.index("thigh.L")]
    front = rig.z_axes[rig.names.index("spine.003")]
    assert front[2] > 0.5  # the chest faces away from the camera
    toes = rig.tails[rig.names.index("toe.L")] - rig.heads[rig.names.index("foot.L")]
    assert toes[2] > 0 and np.abs(pose["pelvis"] - joints[joint_index("pelvis")]).max() < 0.4


def crossing(p: Predictions, pixels: int = 90, metres: float = 0.35) -> Predictions:
    """The person of a photo, and behind them the same person again, moved aside in the photo and farther away."""
    moved = {name: np.roll(getattr(p, name), pixels, axis=1) for name in ("image", "seg", "normal")}
    pointmap = np.roll(p.pointmap.astype(np.float32), pixels, axis=1)
    with np.errstate(invalid="ignore"):
        farther = 1 + metres / np.where(pointmap[..., 2:] > 0, pointmap[..., 2:], np.nan)
        camera = Camera.from_matrix(p.intrinsics, p.width, p.height)
        pointmap = camera.rays() * pointmap[..., 2:] * farther
    front = p.seg > 0
    keypoints = p.keypoints.copy()
    keypoints[..., 0] += pixels
    inside = (keypoints[..., 0] > 0) & (keypoints[..., 0] < p.width - 1)
    keypoints[..., 2] *= inside
    # Of the one behind, the network is sure only where they are seen.
    x, y = (np.clip(keypoints[0, :, k].astype(int), 0, s - 1) for k, s in ((0, p.width), (1, p.height)))
    keypoints[0, front[y, x], 2] *= 0.35
    pick = lambda name: np.where(front[..., None] if moved[name].ndim == 3 else front, getattr(p, name), moved[name])  # noqa: E731
    boxes = np.array(
        [
            [k[:, 0].min(), k[:, 1].min(), k[:, 0].max(), k[:, 1].max()]
            for k in (c[0][c[0, :, 2] > 0] for c in (p.keypoints, keypoints))
        ]
    )
    return replace(p, image=pick("image"), seg=pick("seg"), normal=pick("normal"), albedo=None, alpha=None,
                   pointmap=np.where(front[..., None], p.pointmap, pointmap).astype(np.float32),
                   keypoints=np.concatenate([p.keypoints, keypoints]).astype(np.float32),
                   boxes=boxes.astype(np.float32))  # fmt: skip


def test_two_people_who_cross_are_two_people(studio):
    p = Predictions.load(studio("body_apose"))
    both, alone = crossing(p), lift_pose(p)
    front, behind = lift_pose(both, 0), lift_pose(both, 1)
    assert np.linalg.norm(front.positions - alone.positions, axis=1)[BODY].max() < 0.01
    assert np.isfinite(behind.positions).all()
    shift = behind.positions - alone.positions
    claimed = [
        i for i in range(68) if behind.seen[i] and any(w in JOINT_NAMES[i] for w in ("shoulder", "elbow", "hip", "knee", "ankle"))
    ]
    assert len(claimed) >= 3 and np.median(np.linalg.norm(shift[claimed] - np.median(shift[claimed], axis=0), axis=1)) < 0.08
    made = build(both)
    assert 1 <= len(made) <= 2
    for avatar in made:
        whole(avatar)


@pytest.mark.parametrize("rest", ["photo", "A"])
def test_cut_at_the_waist(studio, rest):
    p = Predictions.load(studio("body_apose"))
    made = build(cut_below(p, int(p.keypoints[0, [9, 10], 1].min()) - 25), rest)[0]
    whole(made)
    assert {"thigh.L", "shin.R", "foot.L", "toe.R"} <= unseen(made) and "upper_arm.L" not in unseen(made)
    assert any("legs" in note or "feet" in note for note in made.notes)


def test_one_arm_hidden(studio):
    p = Predictions.load(studio("body_apose"))
    keypoints = p.keypoints.copy()
    keypoints[0, [7, 62, *range(42, 62), 63, 65], 2] = 0
    arm = {"upper_arm.L", "forearm.L", "hand.L", "f_index.01.L", "thumb.02.L", "palm.03.L"}
    for rest in ("photo", "T"):
        made = build(replace(p, keypoints=keypoints), rest)[0]
        whole(made)
        assert arm <= unseen(made) and not {n.replace(".L", ".R") for n in arm} & unseen(made)
    fingers = [i for i, n in enumerate(made.rig.names) if n.endswith(".L") and n.startswith(("f_", "thumb"))]
    assert not np.isin(made.weights.bones[made.weights.weights > 0], fingers).any()
    i = made.rig.names.index("upper_arm.L")  # a T-pose has both arms up, whether they were seen or not
    assert abs(unit(made.world_from_camera[:3, :3] @ (made.rig.tails - made.rig.heads)[i])[0]) > 0.99


@pytest.mark.parametrize("turns", [1, 2])
def test_lying_and_upside_down_people_stand_in_an_a_pose(studio, turns):
    p = Predictions.load(studio("body_walk"))
    for _ in range(turns):
        p = quarter_turned(p)
    made = build(p, "A")[0]
    whole(made)
    up = made.world_from_camera[2, :3]
    i = made.rig.names.index("spine.001")
    assert unit((made.rig.tails - made.rig.heads)[i].astype(float)) @ up > 0.9
    head, foot = (made.rig.heads[made.rig.names.index(n)] @ up for n in ("spine.006", "foot.L"))
    assert 1.0 < head - foot < 1.9


@pytest.mark.parametrize(
    "change", [lambda k: k * 0, lambda k: k * np.nan, lambda k: k[:, np.random.default_rng(1).permutation(308)]]
)
def test_keypoints_that_are_no_person_leave_a_scan_and_one_sentence(studio, change):
    p = Predictions.load(studio("body_apose"))
    made = build(replace(p, keypoints=change(p.keypoints).astype(np.float32)))[0]
    assert made.rig is None and made.weights is None and len(made.mesh.vertices) > 1000
    said = [note for note in made.notes if note.startswith("No rig: ")]
    assert len(said) == 1 and said[0].count(". ") <= 1


def test_an_iris_that_is_not_there_does_not_move_the_eyes():
    _, points = standing(0.0)
    points[keypoint_index("l_center_of_iris")] = np.nan
    pose = lift_pose(photograph(points, Camera(800, 1000, 1400.0, 1400.0, 399.5, 499.5)))
    assert np.isfinite(make_rig(pose).heads).all()
