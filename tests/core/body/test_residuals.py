"""What counts how much in a fit."""

from dataclasses import replace

import numpy as np

from sapiens2_avatar.core.body.evaluate import Posture, Shape, pose_points, rest_points
from sapiens2_avatar.core.body.evidence import Evidence
from sapiens2_avatar.core.body.residuals import Stage, gather_rows
from sapiens2_avatar.core.body.state import Body, State
from sapiens2_avatar.core.body.template import template
from sapiens2_avatar.core.common.arrays import Camera, Pose
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, joint_index
from sapiens2_avatar.core.common.pins import SCORE


def test_surfaces_take_over_from_joints_that_were_seen_but_not_from_those_that_were_not():
    """A strip of trousers at the border of a photo bent the knees of legs that the photo does not show."""
    unseen, seen = joint_index("left_knee"), joint_index("left_hip")
    there = np.ones(len(JOINT_NAMES), bool)
    there[unseen] = False
    nowhere = np.full((308, 3), np.nan, np.float32)
    pose = Pose(JOINT_NAMES, np.zeros((68, 3), np.float32), np.ones(68, np.float32), there, nowhere, 1.7)
    body = Body.of(State(Shape(), Posture.rest(), np.zeros(len(template().unit_names))))
    camera = Camera(300, 400, 480.0, 480.0, 149.5, 199.5)
    places = template().joints.of(pose_points(rest_points(body.state.shape), body.state.posture))
    evidence = Evidence(camera, replace(pose, positions=places), None)
    first, last = (gather_rows(body, evidence, Stage(1, ("turns",), joints=share)).weights["joints"] for share in (1.0, 0.4))
    assert last[seen] == np.float64(0.4) * first[seen]
    assert last[unseen] == first[unseen]
    assert first[unseen] < first[seen] / 5


def test_pins_count_on_drawn_maps_as_on_any_and_other_keypoints_less():
    there = np.ones(len(JOINT_NAMES), bool)
    pose = Pose(
        JOINT_NAMES, np.zeros((68, 3), np.float32), np.ones(68, np.float32), there, np.full((308, 3), np.nan, np.float32), 1.7
    )
    posture = replace(Posture.rest(), translation=np.array([0.0, 0.0, 3.0]))
    body = Body.of(State(Shape(), posture, np.zeros(len(template().unit_names))))
    camera = Camera(300, 400, 480.0, 480.0, 149.5, 199.5)
    places = template().keypoints.of(pose_points(rest_points(Shape()), posture))
    keypoints = np.column_stack([np.nan_to_num(camera.project(places)), np.full(308, 0.8)])
    pinned, joint, face = 9, 10, 100
    keypoints[pinned, 2] = SCORE
    exact = Evidence(camera, pose, keypoints)
    one, other = (
        gather_rows(body, e, Stage(1, ("turns",), image=1.0)).weights["image"] for e in (exact, replace(exact, depth_spread=0.1))
    )
    assert other[pinned] == one[pinned] > 0
    assert 0 < other[joint] < 0.5 * one[joint]
    assert other[face] == one[face] > 0
