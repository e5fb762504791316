"""People who were drawn: a body whose maps are painted with clothes, so that what should come back is known."""

from dataclasses import replace

import numpy as np

from sapiens2_avatar.core.body.character import rest_pose
from sapiens2_avatar.core.body.evaluate import Posture, Shape, pose_points, rest_points
from sapiens2_avatar.core.body.fit import Sighting
from sapiens2_avatar.core.body.fitted import BodyFit
from sapiens2_avatar.core.body.maps import draw_body
from sapiens2_avatar.core.body.skeleton import BONES
from sapiens2_avatar.core.common.arrays import Camera
from sapiens2_avatar.core.common.landmarks import part_labels
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.common.spaces import LEVEL_WORLD_FROM_CAMERA, normal_head_from_camera

OUT = 0.015  # metres that the painted cloth stands off the skin
CAMERA = Camera(384, 512, 560.0, 560.0, 191.5, 255.5)
UPPER = part_labels("Torso", "Left_Upper_Arm", "Right_Upper_Arm", "Left_Lower_Arm", "Right_Lower_Arm")
LOWER = part_labels("Left_Upper_Leg", "Right_Upper_Leg", "Left_Lower_Leg", "Right_Lower_Leg")
SHOES = {"Left_Foot": "Left_Shoe", "Right_Foot": "Right_Shoe"}


def dressed(camera=CAMERA, yaw=0.0, skirt=False, bent=None):
    """A sighting of somebody in a shirt, trousers and shoes, and the fit of the body that wears them; bent: bone -> how far it is
    turned from rest, radians about the axes of the resting body."""
    fit = BodyFit(Shape(), Posture.rest())
    turns = fit.posture.turns.copy()
    turns[0] = LEVEL_WORLD_FROM_CAMERA.T @ rotation_from_vector(np.array([0.0, 0.0, yaw]))
    for bone, turn in (bent or {}).items():
        turns[list(BONES).index(bone)] = rotation_from_vector(np.array(turn))
    posed = pose_points(rest_points(fit.shape), Posture(turns, np.zeros(3)))
    shift = np.array([0.0, 0.0, 2.2]) - (posed.max(axis=0) + posed.min(axis=0)) / 2
    fit = replace(fit, posture=Posture(turns, shift))
    maps = draw_body(fit, camera)
    seg = maps.labels.copy()
    seg[np.isin(seg, UPPER)] = part_labels("Upper_Clothing")[0]
    seg[np.isin(seg, LOWER)] = part_labels("Lower_Clothing")[0]
    for foot, shoe in SHOES.items():
        seg[seg == part_labels(foot)[0]] = part_labels(shoe)[0]
    points = maps.points.copy()
    if skirt:
        _hang(seg, points)
    cloth = np.isin(seg, part_labels("Upper_Clothing", "Lower_Clothing", "Left_Shoe", "Right_Shoe"))
    points += np.where(cloth[..., None], OUT * np.nan_to_num(maps.normals), 0)
    normals = normal_head_from_camera(maps.normals)
    image = np.where(cloth[..., None], np.array([30, 90, 160]), 200).astype(np.uint8)
    predictions = Predictions(image=image, pointmap=points.astype(np.float32), normal=normals.astype(np.float16), seg=seg)
    return Sighting(predictions, camera, rest_pose(rest_points(fit.shape)), mask=seg > 0), fit


def _hang(seg, points):
    """Cloth from leg to leg down to the knees, bare legs below."""
    legs = seg == part_labels("Lower_Clothing")[0]
    knees = int(np.flatnonzero(legs.any(axis=1))[[0, -1]] @ [0.5, 0.5])
    seg[knees:][legs[knees:]] = part_labels("Left_Lower_Leg")[0]
    for row in np.flatnonzero(legs[:knees].any(axis=1)):
        ends = np.flatnonzero(legs[row])[[0, -1]]
        gap = np.arange(ends[0], ends[1] + 1)
        gap = gap[seg[row, gap] == 0]
        seg[row, gap] = part_labels("Lower_Clothing")[0]
        points[row, gap, 2] = 2.2
        points[row, gap, :2] = CAMERA.rays()[row, gap, :2] * 2.2
