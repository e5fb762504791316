"""Head, jaw and eyes: right on a head that is moved on purpose, ordered as the truth on people whose mouth opening is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Pose
from sapiens2_avatar.core.common.errors import SapiensError
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index, keypoint_index, keypoint_swap
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.motion.take import make_take
from sapiens2_avatar.core.pose.anatomy import fit_head, template_head, template_joints
from sapiens2_avatar.core.pose.lift import lift_pose
from sapiens2_avatar.core.retarget.armature import RestRig
from sapiens2_avatar.core.retarget.body_motion import motion_from_joints
from sapiens2_avatar.core.retarget.bone_map import BoneMap
from sapiens2_avatar.core.retarget.head_motion import HeadMotion, calm_frame, head_motion
from sapiens2_avatar.core.retarget.solve import RetargetSettings, retarget_motion
from sapiens2_avatar.core.rig.metarig import make_rig


def heads(turns: np.ndarray, scale: float = 1.72) -> np.ndarray:
    return scale * template_head() @ np.swapaxes(turns, 1, 2) + [0.1, -0.2, 2.5]


def some_turns(count: int = 20) -> np.ndarray:
    return rotation_from_vector(np.random.default_rng(0).normal(size=(count, 3)))


def test_the_head_is_found_with_noise_and_a_third_of_outliers():
    turns, rng = some_turns(), np.random.default_rng(1)
    points = heads(turns) + rng.normal(0, 0.003, (20, 308, 3))
    bad = rng.random((20, 308)) < 0.3
    points[bad] += [0, 0, 0.08]
    fit = fit_head(points, np.ones((20, 308)))
    error = np.degrees(np.arccos(np.clip((np.trace(fit.frame @ np.swapaxes(turns, 1, 2), axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert error.max() < 3 and np.abs(fit.scale / 1.72 - 1).max() < 0.05 and (fit.support > 12).all()


def test_jaw_and_gaze_do_not_depend_on_where_the_head_is():
    turns = some_turns()
    points = heads(turns)
    lower = keypoint_index("center_of_lower_inner_lip")
    points[:, lower] -= 0.01 * turns[:, :, 2]  # 10 mm down in the frame of the head
    neutral = head_motion(heads(turns[:1]), np.ones((1, 308)))
    motion = head_motion(points, np.ones((20, 308)), neutral)
    assert np.ptp(motion.jaw) < 0.05 and 2 < motion.jaw[0] < 8
    assert np.abs(motion.gaze).max() < 0.1
    assert np.allclose(head_motion(points, np.ones((20, 308)), neutral, gain=2.0).jaw, 2 * motion.jaw, atol=0.01)


def test_eyes_turn_to_where_the_iris_goes():
    turns = some_turns()
    points = heads(turns)
    for s in "lr":
        points[:, keypoint_index(f"{s}_center_of_iris")] += 0.004 * turns[:, :, 0] + 0.002 * turns[:, :, 2]
    motion = head_motion(points, np.ones((20, 308)), head_motion(heads(turns[:1]), np.ones((1, 308))))
    assert (motion.gaze[..., 0] > 12).all() and (motion.gaze[..., 1] > 5).all()


def test_a_mirrored_face_looks_to_the_other_side():
    points = heads(some_turns())
    points[:, keypoint_index("l_center_of_iris"), 0] += 0.004
    motion = head_motion(points, np.ones((20, 308)))
    other = head_motion(points[:, keypoint_swap()] * [-1, 1, 1], np.ones((20, 308)))
    assert np.allclose(other.jaw, motion.jaw, atol=1e-3)
    assert np.allclose(other.gaze[:, ::-1] * [-1, 1], motion.gaze, atol=0.05)


def test_without_a_neutral_frame_the_mean_face_looks_straight_ahead():
    motion = head_motion(heads(some_turns()), np.ones((20, 308)))
    assert np.abs(motion.gaze).max() < 0.1


def rig_with_a_face() -> tuple[RestRig, BoneMap]:
    """The mean person's metarig at rest in the world, and its bone table."""
    joints = 1.72 * template_joints()
    points = 1.72 * template_head() + joints[joint_index("head")]
    whole = np.ones(68, np.float32)
    rig = make_rig(Pose(JOINT_NAMES, joints.astype(np.float32), whole, whole > 0, points.astype(np.float32), 1.72))
    frames, count = rig.axes(), len(rig.names)
    matrices = np.tile(np.eye(4), (count, 1, 1))
    matrices[:, :3, :3], matrices[:, :3, 3] = frames, rig.heads
    whole = np.ones(count, bool)
    lengths = np.linalg.norm(rig.tails - rig.heads, axis=1).astype(float)
    rest = RestRig("Meta", rig.names, rig.parents, matrices, lengths, whole, whole, rig.connected, np.eye(4))
    bones = {"hips": ("spine",), "spine": ("spine.001", "spine.002", "spine.003"), "neck": ("spine.004", "spine.005"),
             "head": ("spine.006",),
             "jaw": ("jaw",), "leftEye": ("eye.L",), "rightEye": ("eye.R",)}  # fmt: skip
    for side, s in (("left", "L"), ("right", "R")):
        for role, bone in (
            ("UpperArm", "upper_arm"),
            ("LowerArm", "forearm"),
            ("UpperLeg", "thigh"),
            ("LowerLeg", "shin"),
            ("Foot", "foot"),
        ):
            bones[f"{side}{role}"] = (f"{bone}.{s}",)
    return rest, BoneMap("rigify_human_metarig", "Meta", bones)


def standing_motion(jaw: float, gaze: tuple[float, float], gain: float = 1.0, face: bool = True):
    joints = 1.72 * template_joints()[None] + [0, 0, 0.95]
    looks = (np.array([jaw]), np.tile(np.array(gaze, float), (1, 2, 1))) if face else None
    rest, bone_map = rig_with_a_face()
    return retarget_motion(motion_from_joints(joints, face=looks), rest, bone_map, RetargetSettings(face_gain=gain))


def test_jaw_and_eye_bones_turn_by_what_was_measured_and_by_the_gain():
    rest, _ = rig_with_a_face()
    still = standing_motion(0.0, (0.0, 0.0)).turns
    for gain in (1.0, 1.5):
        turns = standing_motion(10.0, (12.0, 5.0), gain).turns
        chin = rest.matrices[rest.names.index("jaw"), :3, 1]
        eye = rest.matrices[rest.names.index("eye.L"), :3, 1]
        opened, before = turns["jaw"][0] @ chin, still["jaw"][0] @ chin
        assert np.degrees(np.arccos(np.clip(opened @ before, -1, 1))) == pytest.approx(10 * gain, abs=0.1)
        assert opened[1] > before[1]  # the chin goes down and back
        looks, ahead = turns["eye.L"][0] @ eye, still["eye.L"][0] @ eye
        assert looks[0] > ahead[0] and looks[2] > ahead[2]  # to their left and up
        assert np.degrees(np.arcsin(looks[2])) - np.degrees(np.arcsin(ahead[2])) == pytest.approx(5 * gain, abs=0.3)


def test_gain_zero_and_an_unseen_face_leave_the_bones_alone():
    assert not {"jaw", "eye.L", "eye.R"} & set(standing_motion(10.0, (5.0, 0.0), 0.0).bones)
    assert not {"jaw", "eye.L", "eye.R"} & set(standing_motion(10.0, (5.0, 0.0), face=False).bones)
    with pytest.raises(SapiensError, match="Face must be a number from 0 to 5, not -1"):
        RetargetSettings(face_gain=-1.0)


def talking(frames: int = 60) -> list[Pose]:
    """A standing person whose lips part by 19 mm in the middle of the clip, and who looks to their left then."""
    from support.people import standing

    joints, points = standing(0)
    whole = np.ones(68, np.float32)
    out = []
    for n in range(frames):
        surface = points.copy()
        wide = np.exp(-(((n - 30) / 6) ** 2))
        surface[keypoint_index("center_of_lower_inner_lip")] += [0, 0.019 * wide, 0]
        for s in "lr":
            surface[keypoint_index(f"{s}_center_of_iris")] += [0.003 * wide, 0, 0]
        if n in (10, 11):
            surface[:] = np.nan
        out.append(Pose(JOINT_NAMES, joints.astype(np.float32), whole, whole > 0, surface.astype(np.float32), 1.72))
    return out


def test_a_take_carries_jaw_and_eyes_from_its_calmest_face():
    take = make_take(talking(), 30.0, world_from_camera=np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1.0], [0, 0, 0, 1]]))
    jaw, gaze = take.face
    assert jaw.shape == (60,) and gaze.shape == (60, 2, 2)
    assert np.abs(jaw[[0, 10, 11, 55]]).max() < 1.0 and jaw[30] == pytest.approx(take.raw_face[0][30], rel=0.2)
    assert 6 < take.raw_face[0][30] < 18 and 5 < gaze[30, 0, 0] < 30 and np.abs(gaze[5]).max() < 1.5
    motion = take.motion()
    assert np.array_equal(motion.jaw, jaw) and set(motion.face_frames()) == {"jaw", "leftEye", "rightEye"}
    faceless = [
        Pose(p.names, p.positions, p.confidence, p.seen, np.full((308, 3), np.nan, np.float32), p.stature) for p in talking(8)
    ]
    assert make_take(faceless, 30.0).face is None


def test_no_face_is_no_motion():
    motion = head_motion(np.full((3, 308, 3), np.nan), np.ones((3, 308)))
    assert (motion.support == 0).all() and (motion.jaw == 0).all() and (motion.gaze == 0).all()
    assert (calm_frame(motion).jaw == 0).all()


def test_the_calm_frame_is_the_common_face():
    count = 40
    jaw = np.full(count, 2.0)
    jaw[:8] = 15
    motion = HeadMotion(np.broadcast_to(np.eye(3), (count, 3, 3)), np.full(count, 50.0), jaw, np.ones((count, 2, 2)))
    assert calm_frame(motion).jaw[0] == pytest.approx(2.0)


def test_mouths_open_in_the_order_of_the_truth(every_studio):
    opened, measured = [], []
    for name in ("body_apose", "body_crossed", "body_sit", "face_a", "face_b"):
        info = json.loads(str(every_studio.truth(name)["info"]))
        opened.append(info["subject"]["face"].get("jawOpen", 0.0))
        pose = lift_pose(Predictions.load(every_studio(name)))
        measured.append(float(head_motion(pose.surface[None].astype(float), np.ones((1, 308))).jaw[0]))
    order = np.argsort(opened)
    assert np.corrcoef(opened, measured)[0, 1] > {"samples": 0.97, "studio": 0.8}[every_studio.folder.name]
    assert measured[order[-1]] == max(measured)
