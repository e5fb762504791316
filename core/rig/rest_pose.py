"""Give a rig and its scan another rest pose: an A-pose or a T-pose instead of the pose in the photo.

Each bone is turned to its direction and roll in the wanted pose (`rest_rotations`) and the joints follow by forward kinematics.
The scan is moved so that linear blend skinning with its weights, which is how Blender's Armature modifier deforms it, brings it
back to the photo: every vertex goes through the inverse of its blended map. Where that map is nearly flat (a joint bent far back
on itself) the vertex goes instead where its bones would carry it, which is near and never far out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..common.arrays import MeshData, Pose, RigData, SkinWeights
from ..common.avatars import Avatar
from ..common.errors import SapiensError
from ..common.landmarks import JOINT_NAMES, joint_index
from ..common.rotations import cross, two_axis_frame, unit
from ..common.spaces import CAMERA_UP, TO_CAMERA, WORLD_FRONT
from ..pose.anatomy import template_head, template_joints
from .metarig import RigSettings, make_rig

REST_POSES = {"A": 45.0, "T": 0.0}  # degrees of the arms below horizontal
SOFTNESS = 0.05  # how far a map may be flattened before its inverse is no longer believed
SHOE = 0.08  # metres: from the bones of the foot down to the ground, at most


def standing_rig(arms_below_degrees: float, stature: float = 1.7) -> RigData:
    """The rig of the mean standing person in body axes (x to their left, y to their back, z up), arms straight at an angle."""
    joints = stature * template_joints()
    for side, sign in (("left", 1.0), ("right", -1.0)):
        at = {n: joint_index(f"{side}_{n}") for n in ("shoulder", "elbow", "wrist")}
        angle = np.radians(arms_below_degrees)
        # A few degrees of bend to the front keep the elbow's hinge known.
        upper = unit(np.array([sign * np.cos(angle), 0.03, -np.sin(angle)]))
        fore = unit(np.array([sign * np.cos(angle), -0.05, -np.sin(angle)]))
        hand = [i for i, n in enumerate(JOINT_NAMES) if n.startswith(side) and ("finger" in n or "thumb" in n)]
        bones = (joints[at["elbow"]] - joints[at["shoulder"]], joints[at["wrist"]] - joints[at["elbow"]])
        lengths = [np.linalg.norm(b) for b in bones]
        palm = joints[hand] - joints[at["wrist"]]
        # The hand keeps its shape; its middle finger goes on along the forearm, palm down.
        middle = joints[joint_index(f"{side}_middle_finger_third_joint")] - joints[at["wrist"]]
        across = joints[joint_index(f"{side}_forefinger_third_joint")] - joints[joint_index(f"{side}_pinky_finger_third_joint")]
        before = two_axis_frame(middle, across, "yz")
        after = two_axis_frame(fore, WORLD_FRONT, "yz")
        joints[at["elbow"]] = joints[at["shoulder"]] + lengths[0] * upper
        joints[at["wrist"]] = joints[at["elbow"]] + lengths[1] * fore
        joints[hand] = joints[at["wrist"]] + palm @ (after @ before.T).T
    surface = stature * template_head() + joints[joint_index("head")]
    whole = np.ones(len(joints), np.float32)
    return make_rig(
        Pose(JOINT_NAMES, joints.astype(np.float32), whole, whole > 0, surface.astype(np.float32), stature),
        RigSettings(face=False),
    )


def rest_rotations(rig: RigData, rest: str, body: np.ndarray | None = None) -> np.ndarray:
    """(B, 3, 3): the turn of each bone, in camera axes, from the pose in the photo to the rest pose "A" or "T".

    body  (3, 3) rotation: where a standing person's axes (x to their left, y to their back, z up) point in the camera.
          None = upright in the camera, turned as the pelvis is

    Fingers and toes that the photo does not show turn with their hand or foot; hidden limbs go to the rest pose as the others do.
    The face turns with the head.
    """
    if rest not in REST_POSES:
        raise SapiensError(f"There is no rest pose {rest!r}.", f"Choose one of {', '.join(REST_POSES)}.")
    wanted = standing_rig(REST_POSES[rest])
    target, current = wanted.axes(), rig.axes()
    upright = _upright(rig, current) if body is None else body
    out = np.broadcast_to(np.eye(3), current.shape).copy()
    for i, name in enumerate(rig.names):
        parent = rig.parents[i]
        if name in wanted.names and not (rig.unseen[i] and _follows(name)):
            out[i] = upright @ target[wanted.names.index(name)] @ current[i].T
        elif parent >= 0:
            out[i] = out[parent]
    return out


def _follows(name: str) -> bool:
    """Bones whose own direction means little when it was guessed."""
    return name.startswith(("f_", "thumb", "palm", "toe", "heel"))


def _upright(rig: RigData, frames: np.ndarray) -> np.ndarray:
    """(3, 3) body axes of a person who stands upright in the camera and faces as the trunk does, columns in camera axes."""
    up = CAMERA_UP
    front = frames[rig.names.index("spine"), :, 2]
    front = front - (front @ up) * up
    if np.linalg.norm(front) < 1e-3:
        front = TO_CAMERA
    back = -unit(front)
    return np.stack([cross(back, up), back, up], axis=-1)


def pose_rig(rig: RigData, turns: np.ndarray) -> tuple[RigData, np.ndarray]:
    """Forward kinematics: each bone turned by its (B, 3, 3) global rotation about its head, which its parent carries.

    Returns the posed rig and the (B, 4, 4) float64 maps from the old positions to the new ones. The root's head stays.
    """
    count = len(rig.names)
    maps = np.broadcast_to(np.eye(4), (count, 4, 4)).copy()
    heads, tails = rig.heads.astype(np.float64), rig.tails.astype(np.float64)
    new_heads, new_tails = heads.copy(), tails.copy()
    for i in range(count):
        parent = rig.parents[i]
        if parent >= 0:
            new_heads[i] = maps[parent, :3, :3] @ heads[i] + maps[parent, :3, 3]
        maps[i, :3, :3] = turns[i]
        maps[i, :3, 3] = new_heads[i] - turns[i] @ heads[i]
        new_tails[i] = new_heads[i] + turns[i] @ (tails[i] - heads[i])
    z_axes = (turns @ rig.z_axes.astype(np.float64)[..., None])[..., 0]
    posed = replace(rig, heads=new_heads.astype(np.float32), tails=new_tails.astype(np.float32), z_axes=z_axes.astype(np.float32))
    return posed, maps


def deform(mesh: MeshData, weights: SkinWeights, maps: np.ndarray) -> MeshData:
    """The mesh moved by linear blend skinning: (B, 4, 4) maps of the bones, blended by the weights of each vertex."""
    mixed = blended(weights, maps)
    normals = np.einsum("vij,vj->vi", mixed[:, :, :3], mesh.normals)
    return replace(mesh, vertices=moved(mixed, mesh.vertices).astype(np.float32), normals=unit(normals).astype(np.float32))


def undeform(mesh: MeshData, weights: SkinWeights, maps: np.ndarray) -> MeshData:
    """The mesh that `deform` with the (B, 4, 4) rigid maps turns into the given one.

    Solves for each vertex min |A x + t - v|^2 + SOFTNESS^2 |x - x0|^2, with A, t its blended map and x0 where the blended inverse
    maps of its bones carry it: damped least squares, so that a flat A does no harm. Normals go through the transpose of A.
    """
    forward, back = blended(weights, maps), blended(weights, np.linalg.inv(maps))
    vertices = _undeformed(mesh.vertices, forward, back)
    normals = (np.swapaxes(forward[:, :, :3], 1, 2) @ mesh.normals[..., None].astype(np.float64))[..., 0]
    carried = np.einsum("vij,vj->vi", back[:, :, :3], mesh.normals)
    normals = np.where((np.linalg.norm(normals, axis=1) > 0.1)[:, None], normals, carried)
    return replace(mesh, vertices=vertices.astype(np.float32), normals=unit(normals).astype(np.float32))


def undeformed(points: np.ndarray, weights: SkinWeights, maps: np.ndarray) -> np.ndarray:
    """(V, 3) float32: the points that linear blend skinning with the (B, 4, 4) rigid maps brings to (V, 3) `points`; see
    `undeform`."""
    return _undeformed(points, blended(weights, maps), blended(weights, np.linalg.inv(maps))).astype(np.float32)


def _undeformed(points: np.ndarray, forward: np.ndarray, back: np.ndarray) -> np.ndarray:
    """(V, 3) float64, of (V, 3, 4) blended maps and blended inverse maps."""
    guess = moved(back, points)
    a = forward[:, :, :3]
    transposed = np.swapaxes(a, 1, 2)
    normal_matrix = transposed @ a + SOFTNESS**2 * np.eye(3)
    missing = transposed @ (points - moved(forward, guess))[..., None]
    return guess + np.linalg.solve(normal_matrix, missing)[..., 0]


def blended(weights: SkinWeights, maps: np.ndarray) -> np.ndarray:
    """(V, 3, 4) float64: the maps of the bones, mixed by the weights of each vertex."""
    rows = maps[:, :3].reshape(len(maps), 12)
    out = np.zeros((len(weights.bones), 12))
    for bones, amount in zip(weights.bones.T, weights.weights.T, strict=True):
        out += amount[:, None] * rows[bones]
    return out.reshape(-1, 3, 4)


def moved(blended: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(V, 3) points, each by its (3, 4) map."""
    return np.einsum("vij,vj->vi", blended[:, :, :3], points) + blended[:, :, 3]


def unpose(
    mesh: MeshData, rig: RigData, weights: SkinWeights, rest: str = "A", body: np.ndarray | None = None
) -> tuple[MeshData, RigData]:
    """The scan and its rig in the rest pose "A" or "T"; ``rig.photo_from_rest`` brings both back to the photo.

    The pelvis stays where it is. `body` as in `rest_rotations`.
    """
    posed, maps = pose_rig(rig, rest_rotations(rig, rest, body))
    back = np.linalg.inv(maps)
    return undeform(mesh, weights, back), replace(posed, photo_from_rest=back)


def rest_avatar(avatar: Avatar, rest: str, on_ground: bool = True) -> Avatar:
    """The avatar with its scan and rig in the rest pose "A" or "T": upright, facing -y, the pelvis above where it was.

    on_ground  also raise or lower it until the soles stand on z = 0

    The camera and the textures stay: posed by ``rig.photo_from_rest`` the scan lies on its pixels again.
    """
    if avatar.mesh is None or avatar.rig is None or avatar.weights is None:
        return avatar
    camera_from_world = avatar.world_from_camera[:3, :3].T
    mesh, rig = unpose(avatar.mesh, avatar.rig, avatar.weights, rest, camera_from_world)
    if on_ground:
        up = camera_from_world[:, 2]
        feet = [i for i, name in enumerate(rig.names) if name.startswith(("foot", "toe", "heel"))] or list(range(len(rig.names)))
        low = float(np.min(np.concatenate([rig.heads[feet], rig.tails[feet]]) @ up))
        surface = mesh.vertices @ up
        # The soles lie at most a shoe's height below the bones; hair or a skirt may hang lower.
        floor = float(np.clip(np.percentile(surface, 0.1), low - SHOE, low)) if len(surface) else low
        shift = (-avatar.world_from_camera[2, 3] - floor) * up
        mesh, rig = _shifted(mesh, rig, shift)
    return replace(avatar, mesh=mesh, rig=rig)


def _shifted(mesh: MeshData, rig: RigData, shift: np.ndarray) -> tuple[MeshData, RigData]:
    """Both moved by (3,) metres at rest; the photo's pose stays where it is."""
    assert rig.photo_from_rest is not None
    offset = shift.astype(np.float32)
    back = rig.photo_from_rest.copy()
    back[:, :3, 3] -= back[:, :3, :3] @ shift
    return replace(mesh, vertices=mesh.vertices + offset), replace(
        rig, heads=rig.heads + offset, tails=rig.tails + offset, photo_from_rest=back
    )
