"""Where the landmarks of an avatar are now, which an artist drags onto their places in the photo."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import bpy
import numpy as np

from ..core.body.reshape import body_vertices
from ..core.body.template import template
from ..core.common.landmarks import keypoint_index
from .marks import BOX, PERSON, made_in
from .typed import mesh_of

JOINTS = {
    "shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand", "hip": "thigh", "knee": "shin", "ankle": "foot",
    "forefinger_third_joint": "f_index.01", "middle_finger_third_joint": "f_middle.01",
    "ring_finger_third_joint": "f_ring.01", "pinky_finger_third_joint": "f_pinky.01",
}  # fmt: skip
"""Keypoint without its side -> the bone that begins there, without its side."""
SKIN = (
    "nose", "tip_of_chin", "r_outer_corner_of_mouth", "l_outer_corner_of_mouth", "center_of_cupid_bow",
    "center_of_lower_outer_lip", "r_outer_end_of_upper_lash_line", "l_outer_end_of_upper_lash_line",
    "r_inner_end_of_upper_lash_line", "l_inner_end_of_upper_lash_line", "end_of_r_eyebrow", "end_of_l_eyebrow",
    "left_ear", "right_ear", "left_big_toe", "right_big_toe", "left_heel", "right_heel", "left_thumb4", "right_thumb4",
    "left_forefinger4", "right_forefinger4", "left_middle_finger4", "right_middle_finger4", "left_ring_finger4",
    "right_ring_finger4", "left_pinky_finger4", "right_pinky_finger4",
)  # fmt: skip
"""Keypoints on the skin that can be pinned, what matters most first."""


def places_of(collection: bpy.types.Collection) -> dict[tuple[str, str], np.ndarray]:
    """(name of the person, keypoint) -> (3,) where it is in the world now. Joints are those of the rig, points of the skin those
    of the body; of a person without a rig there are none."""
    found: dict[tuple[str, str], np.ndarray] = {}
    made = made_in(collection)
    for (role, person, _), rig in made.items():
        if role != "rig":
            continue
        for name, place in _joints(rig).items():
            found[person, name] = place
        body = made.get(("body", person, ""))
        if body is not None:
            found.update(((person, name), place) for name, place in _skin(body, rig).items())
    return found


def rows_of(collection: bpy.types.Collection, keypoints: np.ndarray) -> dict[str, int]:
    """Name of a person -> their row of (P, 308, 3) keypoints: people are named anew and numbered from left to right, and what
    stays is where they are in the photo. keypoints: x and y as shares of the photo's size, and scores."""
    boxes = {obj[PERSON]: np.array(obj[BOX]) for obj in made_in(collection).values() if BOX in obj and PERSON in obj}
    if len(keypoints) == 1:
        return dict.fromkeys(boxes, 0)
    seen = keypoints[..., 2] > np.maximum(0.3 * keypoints[..., 2].max(axis=1, keepdims=True), 0)
    rows, free = {}, set(range(len(keypoints)))
    shares = {
        (person, row): float(np.mean(_inside(keypoints[row][seen[row], :2], box))) if seen[row].any() else 0.0
        for person, box in boxes.items()
        for row in free
    }
    for (person, row), share in sorted(shares.items(), key=lambda entry: -entry[1]):
        if share > 0.5 and person not in rows and row in free:
            rows[person] = row
            free.discard(row)
    return rows


def _inside(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    return ((points >= box[:2]) & (points <= box[2:])).all(axis=1)


def _joints(rig: bpy.types.Object) -> dict[str, np.ndarray]:
    places = {}
    for side, letter in (("left", "L"), ("right", "R")):
        for keypoint, bone in JOINTS.items():
            stem, dot, number = bone.partition(".")
            posed = rig.pose.bones.get(f"{stem}{dot}{number}.{letter}")
            if posed is not None:
                places[f"{side}_{keypoint}"] = np.array(rig.matrix_world @ posed.head)
    return places


@cache
def _entries() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the keypoints on the skin that are means of the mesh's vertices alone: which of SKIN, vertex of the body, weight."""
    means = template().keypoints
    row_of = np.full(len(template().base), -1)
    row_of[body_vertices()] = np.arange(len(body_vertices()))
    which, vertex, weight = [], [], []
    for number, name in enumerate(SKIN):
        own = np.flatnonzero(means.entries[:, 0] == keypoint_index(name))
        rows = row_of[means.entries[own, 1]]
        if len(own) and (rows >= 0).all():
            which += [number] * len(own)
            vertex += rows.tolist()
            weight += means.weights[own].tolist()
    return np.array(which), np.array(vertex), np.array(weight)


def _skin(body: bpy.types.Object, rig: bpy.types.Object) -> dict[str, np.ndarray]:
    """Points of the skin as shape keys and bones leave them; modifiers of the artist's own are not counted."""
    which, vertex, weight = _entries()
    mesh = mesh_of(body)
    if not len(vertex) or len(mesh.vertices) != len(body_vertices()):
        return {}
    rest = _with_keys(mesh, vertex)
    bones = {group.index: group.name for group in body.vertex_groups if group.name in rig.pose.bones}
    to_rig = np.array(rig.matrix_world.inverted() @ body.matrix_world)
    rest = rest @ to_rig[:3, :3].T + to_rig[:3, 3]
    moves = {index: np.array(rig.pose.bones[n].matrix @ rig.data.bones[n].matrix_local.inverted()) for index, n in bones.items()}
    posed = np.array([_deformed(place, mesh.vertices[int(v)].groups, moves) for place, v in zip(rest, vertex, strict=True)])
    world = np.array(rig.matrix_world)
    posed = posed @ world[:3, :3].T + world[:3, 3]
    sums = np.zeros((len(SKIN), 3))
    np.add.at(sums, which, posed * weight[:, None])
    return {SKIN[number]: sums[number] for number in np.unique(which)}


def _with_keys(mesh: bpy.types.Mesh, vertex: np.ndarray) -> np.ndarray:
    """(n, 3) of the vertices, with the values of the shape keys."""
    keys = mesh.shape_keys
    if keys is None:
        return np.array([mesh.vertices[int(v)].co for v in vertex])
    basis = np.array([keys.reference_key.data[int(v)].co for v in vertex])
    shown = [key for key in keys.key_blocks[1:] if key.value and not key.mute]
    return basis + sum((key.value * (np.array([key.data[int(v)].co for v in vertex]) - basis) for key in shown), np.zeros(3))


def _deformed(place: np.ndarray, groups: Iterable[bpy.types.VertexGroupElement], moves: dict[int, np.ndarray]) -> np.ndarray:
    """A vertex in the rig's space where the bones carry it."""
    weights = [(group.weight, moves[group.group]) for group in groups if group.group in moves and group.weight > 0]
    whole = sum(weight for weight, _ in weights)
    if not whole:
        return place
    return sum((weight / whole * (move[:3, :3] @ place + move[:3, 3]) for weight, move in weights), np.zeros(3))
