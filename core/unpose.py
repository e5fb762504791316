"""Give a rig and its scan another rest pose: an A-pose or a T-pose instead of the pose in the photo.

Each bone is turned to its direction and roll in the wanted pose (`rest_rotations`), the joints follow by forward kinematics, and the scan by
linear blend skinning with its weights, which is how Blender's Armature modifier deforms it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .bone_frames import template_head, template_joints
from .data import MeshData, Pose, RigData, SkinWeights
from .errors import SapiensError
from .rotations import cross, two_axis_frame, unit
from .skeleton import JOINT_NAMES, joint_index

REST_POSES = {"A": 45.0, "T": 0.0}  # degrees of the arms below horizontal


def standing_rig(arms_below_degrees: float, stature: float = 1.7) -> RigData:
    """The rig of the mean standing person in body axes (x to their left, y to their back, z up), arms straight at an angle."""
    from .rig import make_rig

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
        after = two_axis_frame(fore, np.array([0.0, -1.0, 0.0]), "yz")
        joints[at["elbow"]] = joints[at["shoulder"]] + lengths[0] * upper
        joints[at["wrist"]] = joints[at["elbow"]] + lengths[1] * fore
        joints[hand] = joints[at["wrist"]] + palm @ (after @ before.T).T
    surface = stature * template_head() + joints[joint_index("head")]
    whole = np.ones(len(joints), np.float32)
    return make_rig(Pose(JOINT_NAMES, joints.astype(np.float32), whole, whole > 0, surface.astype(np.float32), stature))


def bone_frames(rig: RigData) -> np.ndarray:
    """(B, 3, 3) float64 rest axes of the bones, as Blender rolls them: y along the bone, z in the half plane of z_axes."""
    along = (rig.tails - rig.heads).astype(np.float64)
    return two_axis_frame(along, rig.z_axes.astype(np.float64), "yz")


def rest_rotations(rig: RigData, rest: str) -> np.ndarray:
    """(B, 3, 3): the turn of each bone, in camera axes, from the pose in the photo to the rest pose "A" or "T".

    The person stands upright in the photo's camera as their pelvis faces: its turn about the camera's vertical stays. Bones that the
    photo does not show turn with their parent.
    """
    if rest not in REST_POSES:
        raise SapiensError(f"There is no rest pose {rest!r}.", f"Choose one of {', '.join(REST_POSES)}.")
    wanted = standing_rig(REST_POSES[rest])
    target, current = bone_frames(wanted), bone_frames(rig)
    upright = _upright(rig, current)
    out = np.broadcast_to(np.eye(3), current.shape).copy()
    for i, name in enumerate(rig.names):
        parent = rig.parents[i]
        if name in wanted.names and not rig.unseen[i]:
            out[i] = upright @ target[wanted.names.index(name)] @ current[i].T
        elif parent >= 0:
            out[i] = out[parent]
    return out


def _upright(rig: RigData, frames: np.ndarray) -> np.ndarray:
    """(3, 3) body axes of a person who stands upright in the camera and faces as the trunk does, columns in camera axes."""
    up = np.array([0.0, -1.0, 0.0])
    front = frames[rig.names.index("spine"), :, 2]
    front = front - (front @ up) * up
    if np.linalg.norm(front) < 1e-3:
        front = np.array([0.0, 0.0, -1.0])
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
    count, bones = len(mesh.vertices), len(maps)
    vertices, normals = np.zeros((count, 3)), np.zeros((count, 3))
    points, directions = mesh.vertices.astype(np.float64), mesh.normals.astype(np.float64)
    for b in range(bones):
        row, place = np.nonzero((weights.bones == b) & (weights.weights > 0))
        w = weights.weights[row, place].astype(np.float64)[:, None]
        vertices[row] += w * (points[row] @ maps[b, :3, :3].T + maps[b, :3, 3])
        normals[row] += w * (directions[row] @ maps[b, :3, :3].T)
    return replace(mesh, vertices=vertices.astype(np.float32), normals=unit(normals).astype(np.float32))


def unpose(mesh: MeshData, rig: RigData, weights: SkinWeights, rest: str = "A") -> tuple[MeshData, RigData, np.ndarray]:
    """The scan and its rig in the rest pose "A" or "T".

    Returns the mesh, the rig, and the (B, 3, 3) turns that bring the bones back to the pose in the photo.
    """
    turns = rest_rotations(rig, rest)
    posed, maps = pose_rig(rig, turns)
    return deform(mesh, weights, maps), posed, np.swapaxes(turns, 1, 2)
