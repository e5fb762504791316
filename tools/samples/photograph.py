"""From a room to a sample: the photo, the exact maps at the pixels' centres, the keypoints, and what is true of the person."""

from __future__ import annotations

import json

import numpy as np

from sapiens2_avatar.core.common.colour import srgb_from_linear
from sapiens2_avatar.core.common.landmarks import JOINT_NAMES, keypoint_names

from . import wardrobe
from .body import Body
from .landmarks import landmarks
from .people import Shot
from .scene import Figure, Room, Surface, View

_OFFSETS = np.array([-1 / 3, 0.0, 1 / 3])
"""Rays of a pixel in x and in y, pixels: nine make its colour, the middle one the maps."""
_POINT_STEP, _NORMAL_STEP = 2.0**12, 2.0**7
"""Points are rounded to 1 / _POINT_STEP metres and normals to 1 / _NORMAL_STEP, only so that the files compress."""
_JOINT_BONES = {"spine": "spine04", "chest": "spine02", "head": "head", "left_clavicle": "clavicle.L",
                "right_clavicle": "clavicle.R", "left_eye": "eye.L", "right_eye": "eye.R"}  # fmt: skip
_DEPTH_OF_JOINT = {"hip": 0.16, "shoulder": 0.12, "knee": 0.10, "elbow": 0.08, "ankle": 0.08, "wrist": 0.06, "neck": 0.12}
"""Metres that a joint may lie behind the skin that shows it; fingers, toes and heels 0.04, points on the skin 0.015."""


def photograph(body: Body, shot: Shot, person: Figure, room: Room, view: View) -> dict[str, np.ndarray]:
    """The arrays of a predictions file: image, pointmap, normal, albedo, seg, alpha, keypoints, intrinsics."""
    width, height = view.size
    outfit = shot.outfit(body)
    rows, columns = np.mgrid[:height, :width].reshape(2, -1)
    colour, coverage = np.zeros((height * width, 3)), np.zeros(height * width)
    maps = {}
    for dy in _OFFSETS:
        for dx in _OFFSETS:
            pixels = np.stack([columns + dx, rows + dy, np.ones(rows.size)], 1)
            rays = pixels @ np.linalg.inv(view.K).T
            seen = _seen(body, outfit, person, room, view, rays)
            colour[seen["room"]] += seen["room_light"] / 9
            colour[seen["ray"]] += seen["light"] / 9
            coverage[seen["ray"]] += 1 / 9
            if dx == 0 and dy == 0:
                maps = _maps(seen, view, rays, height, width)
    exposure = 0.42 / np.quantile(colour[coverage > 0.5], 0.85)
    picture = srgb_from_linear(colour * exposure).reshape(height, width, 3)
    depth = maps["pointmap"][..., 2]
    return {
        "image": np.round(picture).astype(np.uint8),
        **maps,
        "alpha": np.round(coverage * 255).astype(np.uint8).reshape(height, width),
        "keypoints": _keypoints(view, view.to_camera(person.keypoints), depth),
        "intrinsics": view.K.astype(np.float32),
    }


def _seen(body: Body, outfit: wardrobe.Outfit, person: Figure, room: Room, view: View, rays: np.ndarray) -> dict[str, np.ndarray]:
    """What rays (n, 3; camera space, depth 1) meet. `ray`, `room`: which of them meet the person and what is around.

    Of the person: depth metres, normal (camera space), label, albedo and light (linear); of the room: room_light.
    """
    directions = rays @ view.rotation
    found = room.cast(view.position, directions)
    ray = np.flatnonzero((found["primID"] >= 0) & (found["geomID"] == Room.PERSON))
    other = np.flatnonzero((found["primID"] >= 0) & (found["geomID"] != Room.PERSON))
    corners = person.faces[found["primID"][ray]]
    u, v = found["u"][ray], found["v"][ray]
    mix = np.stack([1 - u - v, u, v], 1)
    blend = lambda values: np.einsum("nk,nkc->nc", mix, values[corners])  # noqa: E731
    surface = Surface(body, blend(person.attributes))
    label = surface.label(body, outfit)
    albedo = surface.albedo(body, outfit, label)
    normal = blend(person.normals)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    points = view.position + directions[ray] * found["tfar"][ray, None]
    lamp = room.lamp_light(points, normal)
    toward = -directions[ray] / np.linalg.norm(directions[ray], axis=1, keepdims=True)
    half = toward + Room.TOWARDS_LAMP / np.linalg.norm(Room.TOWARDS_LAMP)
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    gloss = np.select([label == wardrobe.HAIR, np.isin(label, (wardrobe.UPPER, wardrobe.LOWER))], [0.06, 0.005], 0.03)
    shine = gloss * np.clip(np.einsum("nc,nc->n", normal, half), 0, None) ** 20
    light = albedo * (blend(room.ambient) + lamp) + shine[:, None] * lamp
    return {
        "ray": ray,
        "room": other,
        "room_light": _room_light(room, found, view, directions, other),
        "light": light,
        "depth": found["tfar"][ray],
        "normal": normal @ view.rotation.T,
        "label": label,
        "albedo": albedo,
    }


def _room_light(room: Room, found: dict[str, np.ndarray], view: View, directions: np.ndarray, rays: np.ndarray) -> np.ndarray:
    """(n, 3) linear radiance of floor, wall and box where `rays` meet them."""
    points = view.position + directions[rays] * found["tfar"][rays, None]
    normal = found["Ng"][rays].astype(float)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    normal *= -np.sign(np.einsum("nc,nc->n", normal, directions[rays]))[:, None]
    colour = np.where((found["geomID"][rays] == Room.SEAT)[:, None], Room.COLOURS[Room.SEAT], Room.COLOURS[Room.ROOM])
    up = 0.5 + 0.5 * normal[:, 2:]
    return colour * (Room.GROUND + (Room.SKY - Room.GROUND) * up + room.lamp_light(points, normal))


def _maps(seen: dict[str, np.ndarray], view: View, rays: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    """Exact maps from the rays through the pixels' centres."""

    def image(values: np.ndarray, dtype: type) -> np.ndarray:
        out = np.zeros((height * width, *values.shape[1:]), dtype)
        out[seen["ray"]] = values
        return out.reshape(height, width, *values.shape[1:])

    points = np.round(rays[seen["ray"]] * seen["depth"][:, None] * _POINT_STEP) / _POINT_STEP
    normal = np.round(seen["normal"] * [1, -1, -1] * _NORMAL_STEP) / _NORMAL_STEP
    return {
        "pointmap": image(points, np.float32),
        "normal": image(normal, np.float16),
        "albedo": image(np.round(srgb_from_linear(seen["albedo"])), np.uint8),
        "seg": image(seen["label"], np.uint8),
    }


def _keypoints(view: View, points: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """(308, 3) float32 x, y in pixels and score: 1 visible, 0.5 behind something, 0 outside the photo or not defined."""
    names, table = keypoint_names(), landmarks()
    defined = np.isfinite(points).all(1)
    # A network gives every point a place: those of the ear that are not defined lie at the ear.
    ears = points[[names.index("left_ear"), names.index("right_ear")]]
    safe = np.where(defined[:, None], points, ears[[int(name.startswith(("r_", "right_"))) for name in names]])
    xy = view.project(safe)
    height, width = depth.shape
    inside = defined & (safe[:, 2] > 0.05) & (xy >= -0.5).all(1) & (xy <= [width - 0.5, height - 0.5]).all(1)
    column, row = (np.clip(np.round(xy[:, k]).astype(int), 0, n - 1) for k, n in ((0, width), (1, height)))
    surface = depth[row, column]
    allowed = np.where(table.inside, 0.04, 0.015)
    for part, metres in _DEPTH_OF_JOINT.items():
        allowed[[k for k, name in enumerate(names) if k < 70 and name.split("_")[-1] == part]] = metres
    hidden = (surface > 0) & (safe[:, 2] - surface > allowed)
    score = np.where(inside, np.where(hidden, 0.5, 1.0), 0.0)
    return np.concatenate([xy, score[:, None]], 1).astype(np.float32)


def ground_truth(body: Body, shot: Shot, person: Figure, view: View, with_mesh: bool) -> dict[str, np.ndarray]:
    """What is true of the person, camera space in metres: joints, keypoints, bones, the camera; on request the whole surface."""
    heads, keypoints = view.to_camera(person.heads), view.to_camera(person.keypoints)
    place = {name: heads[body.bone(bone)] for name, bone in _JOINT_BONES.items()}
    place |= {name: point for name, point in zip(keypoint_names(), keypoints, strict=True) if name not in place}
    place["pelvis"] = (place["left_hip"] + place["right_hip"]) / 2
    place["head_top"] = view.to_camera(person.crown[None])[0]
    rest = np.tile(np.eye(4), (len(body.bones), 1, 1))
    rest[:, :3, 3] = person.rest_heads
    camera = np.eye(4)
    camera[:3, :3], camera[:3, 3] = view.rotation, -view.rotation @ view.position
    truth = {
        "joint_names": np.array(JOINT_NAMES),
        "joints": np.array([place[name] for name in JOINT_NAMES], np.float32),
        "keypoints_xyz": keypoints.astype(np.float32),
        "bone_names": np.array(body.bones),
        "bone_parents": body.parents.astype(np.int32),
        "bone_heads": heads.astype(np.float32),
        "bone_delta": (view.rotation @ person.turns @ view.rotation.T).astype(np.float32),
        "bone_delta_world": person.turns.astype(np.float32),
        "bone_rest_world": rest.astype(np.float32),
        "cam_from_world": camera.astype(np.float32),
        "intrinsics": view.K.astype(np.float32),
        "size_wh": np.array(view.size),
        "info": np.array(json.dumps({"seed": shot.seed, "subject": {"ph": shot.phenotype, "face": shot.face}})),
    }
    return truth | (_mesh(body, shot, person, view) if with_mesh else {})


def _mesh(body: Body, shot: Shot, person: Figure, view: View) -> dict[str, np.ndarray]:
    """The whole surface, front and back, clothes and hair included, with colour and class of every vertex."""
    outfit, surface = shot.outfit(body), Surface(body, person.attributes)
    label = surface.label(body, outfit)
    return {
        "vertices": (np.round(view.to_camera(person.vertices) * _POINT_STEP) / _POINT_STEP).astype(np.float32),
        "faces": person.faces,
        "vertex_normals": (person.normals @ view.rotation.T).astype(np.float16),
        "vertex_albedo": np.round(srgb_from_linear(surface.albedo(body, outfit, label))).astype(np.uint8),
        "vertex_seg": label,
    }
