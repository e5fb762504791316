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
