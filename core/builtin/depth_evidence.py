"""How far from the camera the joints of a body are: the body's network knows metres from the middle of the hips."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..common.arrays import Camera, Pose
from ..common.landmarks import FINGERS, SIDES, finger_joints, joint_index, keypoint_index
from ..common.rotations import swing
from ..landmarks.body import INDEX, Body
from ..pose.anatomy import rigid_head_weights, template_head, template_joints
from ..pose.anthropometry import DEFAULT_STATURE
from ..pose.initial_guess import MEAN_RADIUS
from .limb_widths import nearer_sides
from .stance import JOINTS, PARTS, stance

HEAD = ("nose", "left_ear", "right_ear")
"""Points on the skin, which tell where a head looks whose face is not seen."""
FEWEST_OF_FACE = 40
"""Points of a face without which it does not tell how it is turned, nor how far it is."""
FACE_POINT = 0.02
"""Radius of the piece of surface over a point of the face, in extents of the face."""
LENGTHS = (("elbow", "shoulder"), ("wrist", "elbow"), ("knee", "hip"), ("ankle", "knee"), ("shoulder", "hip"))
"""Joints of a side between which a person's size is measured."""
LEAST_SCORE = 0.3
"""Joints of a lower score are guesses, and so is their depth."""
USUAL_GROWTH = 1.05
"""Of people of whom no limb is seen whole."""
HANGS_ON = {"elbow": "shoulder", "wrist": "elbow", "knee": "hip", "ankle": "knee", "heel": "ankle", "big_toe": "ankle"}
IN_PHOTO = 0.5
"""Joints that the network says to be in the photo with a lower probability are beyond its border."""
FEWEST = 4
"""Joints without which the distance of a body cannot be told."""
DISC = 0.012
"""Radius of the piece of surface over a joint, in extents of the body."""


@dataclass(frozen=True, eq=False)
class JointDepths:
    """surface  (H, W, 3) float32 metres: a piece of it over each joint and each point of the face that is seen, 0 elsewhere;
             None where too few are seen
    joints   (16, 3) float64 metres of JOINTS, seen or not; None where too few are seen
    told     (16,) bool: which of them are in the photo, seen or covered; what the network says of others means nothing
    """

    surface: np.ndarray | None
    joints: np.ndarray | None = None
    told: np.ndarray = field(default_factory=lambda: np.zeros(len(JOINTS), bool))

    def placed(self, pose: Pose) -> Pose:
        """The pose with the joints where they are here, and hands at their wrists. The lift looks for a surface over each joint:
        where limbs cross it may take that of the other one, and what it does not see it stretches away from the trunk."""
        if self.joints is None or not self.told.any():
            return pose
        positions = pose.positions.astype(np.float64)
        moved = self.joints - positions[[joint_index(name) for name in JOINTS]]
        trunk = moved[self.told].mean(axis=0)
        for i, name in enumerate(JOINTS):
            side, part = name.split("_", 1)
            if not self.told[i]:  # hangs on its limb as the lift has it
                moved[i] = moved[JOINTS.index(f"{side}_{HANGS_ON[part]}")] if part in HANGS_ON else trunk
            positions[joint_index(name)] += moved[i]
        for side in SIDES:
            fingers = [joint_index(name) for finger in FINGERS for name in finger_joints(side, finger)]
            positions[fingers] += moved[JOINTS.index(f"{side}_wrist")]
        return replace(pose, positions=positions.astype(np.float32))


def joint_depths(body: Body, keypoints: np.ndarray, mask: np.ndarray, camera: Camera) -> JointDepths:
    """What the networks say of one person.

    keypoints  (308, 3) x, y, score
    mask       (H, W) bool: the person's pixels
    """
    names = (*JOINTS, *HEAD)
    at = np.array([keypoint_index(name) for name in names])
    good = (keypoints[at, 2] >= LEAST_SCORE) & np.isfinite(keypoints[at]).all(axis=1)
    of_face, face_depth, ear_depth = _face(keypoints, camera)
    discs: list[tuple[np.ndarray, np.ndarray, float]] = []
    rows = [INDEX[name.replace("big_toe", "foot_index")] for name in names]
    inside = body.inside[rows] >= IN_PHOTO
    world = body.world[rows] * _growth(body)
    rays = camera.rays(np.nan_to_num(keypoints[at, :2].astype(np.float64))).astype(np.float64)
    centre = _translation(world[good], rays[good], keypoints[at, 2][good]) if good.sum() >= FEWEST else None
    joints, told = None, np.zeros(len(JOINTS), bool)
    if centre is not None:
        head, limbs = slice(len(JOINTS), None), slice(len(JOINTS))
        depth = world[:, 2] + centre[2]
        wider = nearer_sides(keypoints, mask, LEAST_SCORE)
        stood = stance(world[limbs], rays[limbs], keypoints[at[limbs], 2], centre, wider)
        found = stood.depths
        joints = rays[limbs] * found[:, None]
        told = good[limbs] | inside[limbs]
        depth[head] = _on_trunk(world, joints, told, stood.down)[head]
        depth[limbs] = found - MEAN_RADIUS[[joint_index(name) for name in JOINTS]] * DEFAULT_STATURE
        good &= depth > 0
        if len(of_face):  # its shape is known better, and its distance less well than that of a whole body
            ears = depth[[names.index(f"{side}_ear") for side in SIDES]].mean()
            face_depth *= max(ears, 0.1) / ear_depth
            good[head] = False
        extent = float(np.ptp(keypoints[at[good], :2], axis=0).max()) if good.any() else 0.0
        discs.append((keypoints[at[good], :2], depth[good], DISC * extent))
    if len(of_face):
        extent = float(np.ptp(keypoints[of_face, :2], axis=0).max())
        discs.append((keypoints[of_face, :2], face_depth, FACE_POINT * extent))
    return JointDepths(_drawn(discs, camera) if discs else None, joints, told)


def _drawn(discs: list[tuple[np.ndarray, np.ndarray, float]], camera: Camera) -> np.ndarray:
    """(H, W, 3) float32 metres of discs: places (n, 2) pixels, depths (n,) metres, radius. Where discs overlap, a pixel is of the
    nearest middle: a shoulder behind the other one keeps its own depth.
    """
    import cv2

    places = np.concatenate([place for place, _, _ in discs])
    depths = np.concatenate([depth for _, depth, _ in discs])
    radii = np.concatenate([np.full(len(depth), max(2, round(radius))) for _, depth, radius in discs])
    surface = np.zeros((camera.height, camera.width), np.float32)
    at = np.round(np.clip(places, -20000, 20000)).astype(int)
    inside = ((at >= 0) & (at < (camera.width, camera.height))).all(axis=1)
    at, depths, radii = at[inside], depths[inside], radii[inside]
    if not len(at):
        return camera.rays() * surface[..., None]
    low, high = np.maximum(at.min(0) - radii.max(), 0), np.minimum(at.max(0) + radii.max() + 1, surface.shape[::-1])
    number = np.zeros(high[::-1] - low[::-1], np.int32)
    order = np.argsort(-depths, kind="stable")  # of two in one pixel the nearer one is seen
    x, y = (at - low)[order].T
    number[y, x] = order + 1
    distance, label = cv2.distanceTransformWithLabels(
        (number == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(label.max()) + 1, np.int64)
    of_label[label[number > 0]] = number[number > 0] - 1
    nearest = of_label[label]
    part = surface[low[1] : high[1], low[0] : high[0]]
    part[:] = np.where(distance <= radii[nearest], depths[nearest], 0)
    return camera.rays() * surface[..., None]


def _face(keypoints: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray, float]:
    """(n,) keypoints of a face that is seen, (n,) metres how far each is if that head has the mean size, and metres how far the
    middle between its ears is; n is 0 where too little of a face is seen."""
    import cv2

    head = template_head()
    seen = (keypoints[:, 2] >= LEAST_SCORE) & np.isfinite(keypoints).all(axis=1) & np.isfinite(head).all(axis=1)
    seen &= rigid_head_weights() > 0
    at = np.flatnonzero(seen)
    nothing = np.zeros(0, np.int64), np.zeros(0), 0.0
    if len(at) < FEWEST_OF_FACE:
        return nothing
    solid, flat = head[at] * DEFAULT_STATURE, keypoints[at, :2].astype(np.float64)
    found, turn, shift = cv2.solvePnP(solid, flat, camera.matrix.astype(np.float64), None, flags=cv2.SOLVEPNP_SQPNP)
    if not found:
        return nothing
    ears = np.stack([head[keypoint_index(f"{side}_ear")] for side in SIDES]).mean(axis=0) * DEFAULT_STATURE
    depth = (np.vstack([solid, ears]) @ cv2.Rodrigues(turn)[0].T + shift.ravel())[:, 2]
    return (at, depth[:-1], float(depth[-1])) if np.isfinite(depth).all() and depth.min() > 0.05 else nothing


def _on_trunk(world: np.ndarray, joints: np.ndarray, told: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(n,) metres of depth: everything as the network has it to its own trunk, on the trunk that was found. What the network says
    of a head to the shoulders holds; that it leans whole people to the camera does not.

    world   (n, 3) metres of JOINTS and HEAD, camera axes, as the network says
    joints  (16, 3) metres of JOINTS, camera space, as they were found
    told    (16,) bool, which of them the network has seen: without hips, a trunk is upright
    down    (3,) unit, where gravity points to
    """
    shoulder, hip = ([2 * PARTS.index(part), 2 * PARTS.index(part) + 1] for part in ("shoulder", "hip"))
    said = world[shoulder].mean(axis=0) - world[hip].mean(axis=0)
    found = joints[shoulder].mean(axis=0) - joints[hip].mean(axis=0) if told[hip].all() else -down
    from_shoulders = world - world[shoulder].mean(axis=0)
    return joints[shoulder, 2].mean() + swing(from_shoulders, said[None], found[None])[:, 2]


def _growth(body: Body) -> float:
    """How much larger a person of mean stature is than the network's metres say: it makes everybody small, and makes what it does
    not see smaller still, so that only limbs in the photo are compared."""
    mean = template_joints() * DEFAULT_STATURE
    names = [f"{side}_{part}" for side in SIDES for ends in LENGTHS for part in ends]
    rows, joints = (np.array([index(name) for name in names]).reshape(-1, 2) for index in (INDEX.__getitem__, joint_index))
    there = (body.inside[rows] >= IN_PHOTO).all(axis=1)
    if not there.any():
        return USUAL_GROWTH
    said, usual = (np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1) for ends in (body.world[rows], mean[joints]))
    return float(np.clip(usual[there].sum() / max(said[there].sum(), 1e-6), 1.0, 1.5))


def _translation(world: np.ndarray, rays: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
    """(3,) metres that bring points (n, 3) nearest to rays (n, 3) through the camera, least squares in the image; None where
    they are then not in front of it."""
    # x + tx = u (z + tz), and the same for y: linear in the translation.
    matrix = np.zeros((len(rays), 2, 3))
    matrix[:, 0, 0] = matrix[:, 1, 1] = 1
    matrix[:, :, 2] = -rays[:, :2]
    matrix = matrix.reshape(-1, 3) * np.repeat(weight, 2)[:, None]
    right = (rays[:, :2] * world[:, 2:] - world[:, :2]).reshape(-1) * np.repeat(weight, 2)
    found = np.linalg.lstsq(matrix, right, rcond=None)[0]
    return found if found[2] + world[:, 2].min() > 0.1 else None
