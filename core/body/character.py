"""A fitted body as what Blender needs: mesh, rig at rest in the A-pose with the photo's pose, weights and shape keys."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache

import numpy as np

from ..common.arrays import Pose, RigData, SkinWeights
from ..common.avatars import BodyData
from ..common.landmarks import JOINT_NAMES
from ..common.rotations import unit
from ..common.spaces import WORLD_FRONT
from ..rig.metarig import make_rig
from ..texture.eyes import IRIS, PUPIL
from .evaluate import Frames, Posture, Shape, frames, rest_points
from .fitted import BodyFit
from .skeleton import BONES, FINGERS
from .template import BODY_PARTS, template

MAP_STEP = 1e-5  # metres: what moves less is not worth an entry of a shape key


EYE_PARTS = ("irises", "pupils")
"""Parts of the eyes that have a colour of their own where there is no texture."""


@cache
def _shown_parts() -> np.ndarray:
    """(F,) uint8: the part of each of the template's faces, with EYE_PARTS after BODY_PARTS."""
    t = template()
    out = t.face_part.copy()
    eyes = np.flatnonzero(out == BODY_PARTS.index("eyes"))
    middle = unit(eye_directions()[t.faces[eyes]].mean(axis=1))
    angle = np.degrees(np.arccos(middle[:, 2].clip(-1, 1)))
    for number, most in enumerate((IRIS, PUPIL)):
        out[eyes[angle < most]] = len(BODY_PARTS) + number
    return out


@cache
def eye_directions() -> np.ndarray:
    """(P, 3) float64, of vertices of the eyeballs: from the middle of the eyeball to the vertex, as unit vectors to the left of
    the person, up, and out of the middle of the pupil. Zero for all others."""
    t = template()
    out = np.zeros((len(t.base), 3))
    eyes = np.unique(t.faces[t.face_part == BODY_PARTS.index("eyes")])
    for side in (eyes[t.base[eyes, 0] > 0], eyes[t.base[eyes, 0] < 0]):
        points = t.base[side].astype(np.float64)
        away = unit(points - points.mean(axis=0))
        axis = unit(away[away[:, 1] < -np.cos(np.radians(IRIS))].mean(axis=0))  # y is to the back
        left = unit(np.cross(axis, [0, 0, 1]))
        out[side] = away @ np.stack([left, np.cross(left, axis), axis], axis=1)
    return out


def rest_pose(points: np.ndarray) -> Pose:
    """The joints and keypoints of a body at rest, (P, 3) points, as if a photo had shown all of them."""
    t = template()
    points = points.astype(np.float64)
    joints = t.joints.of(points)
    known = np.ones(len(JOINT_NAMES), np.float32)
    stature = float(np.ptp(points[t.skin_vertices()][:, 2]))
    return Pose(JOINT_NAMES, joints.astype(np.float32), known, known > 0, t.keypoints.of(points).astype(np.float32), stature)


def rest_rig(points: np.ndarray) -> RigData:
    """The metarig of a body at rest, (P, 3) points, rest axes: the bones of BONES exactly where they turn, and those that only
    Rigify uses (face, heels, pelvis) with them."""
    rig = make_rig(rest_pose(points))
    heads = dict(zip(BONES, template().heads.of(points.astype(np.float64)), strict=True))
    new_heads, new_tails = rig.heads.copy(), rig.tails.copy()
    at = {name: k for k, name in enumerate(rig.names)}
    for name in BONES:
        if name in at and not name.startswith("palm"):  # palms do not turn in a fit
            new_heads[at[name]] = heads[name]
    for lower, upper in _joined():
        if lower in at and upper in at:
            new_tails[at[lower]] = new_heads[at[upper]]
    for side in "LR":
        if f"eye.{side}" in at:
            eye = at[f"eye.{side}"]
            length = np.linalg.norm(rig.tails[eye] - rig.heads[eye])
            new_tails[eye] = new_heads[eye] + [0, -length, 0]
    return replace(rig, heads=new_heads, tails=new_tails)


def _joined() -> list[tuple[str, str]]:
    """Bones whose tail is the head of another."""
    spine = [(f"spine.00{k}" if k else "spine", f"spine.00{k + 1}") for k in range(6)]
    limbs = [("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot"), ("foot", "toe")]
    fingers = [(f"{finger}.0{k}", f"{finger}.0{k + 1}") for finger in FINGERS for k in (1, 2)]
    return spine + [(f"{a}.{side}", f"{b}.{side}") for side in "LR" for a, b in limbs + fingers]


def make_body(fit: BodyFit, camera_from_rest: np.ndarray) -> tuple[BodyData, RigData]:
    """The body of a fit and its rig.

    camera_from_rest  (4, 4) rigid: where the resting body stands in camera space (`resting_place`)
    """
    t = template()
    points = rest_points(fit.shape).astype(np.float64)
    rig = rest_rig(points)
    skeleton = frames(t.heads.of(points), fit.posture)
    turn, shift = camera_from_rest[:3, :3], camera_from_rest[:3, 3]
    faces = t.body_faces()
    used = np.unique(t.faces[faces])
    row = np.full(len(points), -1)
    row[used] = np.arange(len(used))
    photo_from_rest = _photo_from_rest(rig, skeleton) @ np.linalg.inv(camera_from_rest)
    placed = replace(
        rig,
        heads=(rig.heads @ turn.T + shift).astype(np.float32),
        tails=(rig.tails @ turn.T + shift).astype(np.float32),
        z_axes=(rig.z_axes @ turn.T).astype(np.float32),
        photo_from_rest=photo_from_rest,
        unseen=np.array([bool(fit.unseen.get(name, False)) for name in rig.names]),
        doubt=fit.doubt,
    )
    names, entries, offsets = shape_keys()
    kept = row[entries[:, 1]] >= 0
    entries = np.stack([entries[kept, 0], row[entries[kept, 1]]], axis=1)
    body = BodyData(
        vertices=(points[used] @ turn.T + shift).astype(np.float32),
        quads=row[t.faces[faces]].astype(np.int32),
        part=_shown_parts()[faces],
        part_names=(*BODY_PARTS, *EYE_PARTS),
        uvs=t.uvs[t.face_uvs[faces]],
        weights=bone_weights(rig, used),
        key_names=names,
        key_entries=entries.astype(np.int32),
        key_offsets=(offsets[kept] @ turn.T).astype(np.float32),
        key_values=np.concatenate([fit.face, np.zeros(len(t.viseme_names))]).astype(np.float32),
        shape=fit.shape.numbers().astype(np.float32),
    )
    return body, placed


def bone_weights(rig: RigData, vertices: np.ndarray) -> SkinWeights:
    """Of some vertices of the template. Bones that a rig without fingers or face lacks give theirs to their parent."""
    t = template()
    names = list(BONES)

    def carrier(bone: str) -> int:
        while bone not in rig.names:
            parent = BONES[bone]
            assert parent is not None  # the first bone is in every rig
            bone = parent
        return rig.names.index(bone)

    carriers = np.array([carrier(name) for name in names], np.int32)
    return SkinWeights(carriers[t.weight_bones[vertices]], t.weights[vertices].astype(np.float32))


def _photo_from_rest(rig: RigData, skeleton: Frames) -> np.ndarray:
    """(b, 4, 4) of the rig's bones; one that is not in BONES goes with its parent."""
    out = np.tile(np.eye(4), (len(rig.names), 1, 1))
    names = list(BONES)
    for bone, name in enumerate(rig.names):
        if name in names:
            k = names.index(name)
            out[bone, :3, :3] = skeleton.turns[k]
            out[bone, :3, 3] = skeleton.heads[k] - skeleton.turns[k] @ skeleton.rest[k]
        elif rig.parents[bone] >= 0:
            out[bone] = out[rig.parents[bone]]
    return out


@cache
def shape_keys() -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Names of the ARKit shapes and the visemes, (m, 2) int32 of key and point ordered by key, and (m, 3) offsets in metres."""
    t = template()
    entries, offsets = [t.unit_entries], [t.unit_offsets]
    for k, mix in enumerate(t.visemes):
        dense = np.zeros((len(t.base), 3), np.float32)
        np.add.at(dense, t.unit_entries[:, 1], mix[t.unit_entries[:, 0]][:, None] * t.unit_offsets)
        moved = np.flatnonzero(np.abs(dense).max(axis=1) > MAP_STEP)
        entries.append(np.stack([np.full(len(moved), len(t.unit_names) + k), moved], axis=1).astype(np.int32))
        offsets.append(dense[moved])
    names = (*t.unit_names, *(f"viseme_{name}" for name in t.viseme_names))
    return names, np.concatenate(entries), np.concatenate(offsets)


def resting_place(fit: BodyFit, world_from_camera: np.ndarray) -> np.ndarray:
    """(4, 4) camera from rest: upright on the world's ground z = 0 under the person in the photo, facing as they do."""
    points = rest_points(fit.shape).astype(np.float64)
    t = template()
    skeleton = frames(t.heads.of(points), fit.posture)
    front = world_from_camera[:3, :3] @ skeleton.turns[0] @ WORLD_FRONT
    if np.hypot(front[0], front[1]) < 0.3:  # lying: the way that the head points away from
        front = -(world_from_camera[:3, :3] @ skeleton.turns[0] @ np.array([0.0, 0.0, 1.0]))
    yaw = np.arctan2(front[0], -front[1])
    world_from_rest = np.eye(4)
    world_from_rest[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    hips = world_from_camera[:3, :3] @ skeleton.heads[0] + world_from_camera[:3, 3]
    rest_hips = world_from_rest[:3, :3] @ skeleton.rest[0]
    soles = points[t.skin_vertices()][:, 2].min()
    world_from_rest[:3, 3] = [hips[0] - rest_hips[0], hips[1] - rest_hips[1], -soles]
    return np.linalg.inv(world_from_camera) @ world_from_rest


@lru_cache(maxsize=64)
def stature(numbers: tuple[float, ...]) -> float:
    """How tall somebody of these `Shape.numbers` is, metres."""
    return float(np.ptp(rest_points(Shape.of(np.array(numbers)))[template().skin_vertices(), 2]))


def standing(shape: Shape) -> tuple[BodyData, RigData]:
    """A body that was fitted to nothing, in the A-pose: rest axes are those of the world."""
    soles = rest_points(shape)[template().skin_vertices()][:, 2].min()
    place = np.eye(4)
    place[2, 3] = -float(soles)
    return make_body(BodyFit(shape, replace(Posture.rest(), translation=place[:3, 3])), place)
