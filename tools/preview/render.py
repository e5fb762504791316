"""Pictures of random people with every map that the network predicts, ray-cast against the posed mesh.

Camera space is that of `core.common.spaces`: x right, y down, z forward, metres. All samples have the network's input size and
lie in it as at inference: a photo of any aspect between black bars, or the window around a person that the pose head sees.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from . import wardrobe
from .backdrop import random_backdrop
from .body import Body, vertex_normals
from .landmarks import landmarks
from .light import develop, shade, srgb
from .pose import random_pose, skin

HEIGHT, WIDTH = 256, 192
SAMPLE = np.dtype(
    [
        ("image", np.uint8, (HEIGHT, WIDTH, 3)),
        ("seg", np.uint8, (HEIGHT, WIDTH)),
        ("albedo", np.uint8, (HEIGHT, WIDTH, 3)),
        ("normal", np.int8, (HEIGHT, WIDTH, 3)),
        ("depth", np.float16, (HEIGHT, WIDTH)),
        ("keypoints", np.float32, (308, 3)),
        ("intrinsics", np.float32, (3, 3)),
        ("pose", np.uint8),
    ]
)
"""One training sample. normal: normal-head axes * 127. depth: metres, 0 = background. keypoints: x, y, score (1 seen, 0.5 hidden,
0 outside the photo, -1 not defined). pose: 1 if the keypoints are those of everybody in the picture."""

_ASPECTS = (3 / 4, 2 / 3, 9 / 16, 1.0, 4 / 3, 16 / 9, 0.5)
_ASPECT_ODDS = (0.5, 0.16, 0.08, 0.1, 0.08, 0.04, 0.04)


@dataclass(frozen=True, eq=False)
class Person:
    """A dressed, posed body in world space (z up, metres)."""

    outfit: wardrobe.Outfit
    vertices: np.ndarray
    normals: np.ndarray
    keypoints: np.ndarray

    def moved(self, offset: np.ndarray, degrees: float) -> Person:
        """The same person turned about the vertical axis and shifted."""
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        return Person(
            self.outfit,
            (self.vertices @ turn.T + offset).astype(np.float32),
            (self.normals @ turn.T).astype(np.float32),
            self.keypoints @ turn.T + offset,
        )


@dataclass(frozen=True, eq=False)
class View:
    """A camera: K (3, 3) in pixels of the sample, rotation (3, 3) camera from world, position (3,).

    photo  x0, y0, x1, y1: where the photo lies in the sample
    """

    K: np.ndarray
    rotation: np.ndarray
    position: np.ndarray
    photo: np.ndarray

    def project(self, points: np.ndarray) -> np.ndarray:
        """World (n, 3) -> x, y in pixels and depth (n, 3)."""
        p = (points - self.position) @ self.rotation.T
        z = np.where(np.abs(p[:, 2:]) < 1e-6, 1e-6, p[:, 2:])
        return np.concatenate([p[:, :2] / z * [self.K[0, 0], self.K[1, 1]] + self.K[:2, 2], p[:, 2:]], 1)


def random_person(rng: np.random.Generator, body: Body, kind: str | None = None) -> Person:
    """A random shape, face, pose and outfit."""
    phenotype, face = wardrobe.random_subject(rng)
    outfit = wardrobe.random_outfit(rng, body, phenotype["gender"])
    rest, heads = body.rest(phenotype, face)
    bare = body.parts[body.part_weights.argmax(1)]
    label = wardrobe.cut(body, outfit, bare, body.template, body.arm, body.leg, body.head, body.lips)
    label[body.eye | body.tongue | body.inside] = wardrobe.FACE
    dressed = rest + vertex_normals(rest.astype(np.float32), body.faces) * wardrobe.thickness(body, outfit, label)[:, None]
    turn = random_pose(rng, body, heads, kind)
    # Keypoints go with the skin, not with the clothes.
    skinned, moved, _ = skin(body, rest, heads, turn)
    vertices, _, _ = skin(body, dressed, heads, turn)
    return Person(outfit, vertices, vertex_normals(vertices, body.faces), landmarks().place(skinned, moved))


def random_view(rng: np.random.Generator, person: Person) -> View:
    """A camera that shows the whole person, a part, or the face."""
    aspect = rng.choice(_ASPECTS, p=_ASPECT_ODDS)
    w, h = (WIDTH, int(WIDTH / aspect)) if aspect >= WIDTH / HEIGHT else (int(HEIGHT * aspect), HEIGHT)
    x0, y0 = (WIDTH - w) // 2, (HEIGHT - h) // 2
    focal = rng.choice([rng.uniform(24, 40), rng.uniform(40, 100)], p=[0.4, 0.6]) / 36 * max(w, h)
    low, high = person.vertices.min(0), person.vertices.max(0)
    tall, head = high[2] - low[2], np.nanmean(person.keypoints[:5], 0)
    framing = rng.choice(["full", "part", "bust", "face"], p=[0.46, 0.2, 0.22, 0.12])
    extent = {
        "full": tall * rng.uniform(1.03, 1.5),
        "part": tall * rng.uniform(0.4, 0.85),
        "bust": rng.uniform(0.45, 0.85),
        "face": rng.uniform(0.27, 0.45),
    }[framing]
    middle = (low + high) / 2
    target = {
        "full": middle,
        "part": np.array([middle[0], middle[1], high[2] + 0.06 - extent / 2]),
        "bust": head - np.array([0, 0, 0.12 * rng.uniform(0.5, 1.5)]),
        "face": head,
    }[framing]
    if framing == "part" and rng.random() < 0.2:
        target = np.array([middle[0], middle[1], low[2] + extent / 2])
    if framing == "full":
        extent = max(extent, np.hypot(*(high - low)[:2]) * 1.05 * h / w)
    target = target + rng.normal(0, 0.05, 3) * extent
    azimuth = rng.choice([rng.normal(0, 32), rng.uniform(-180, 180)], p=[0.68, 0.32] if framing != "face" else [0.9, 0.1])
    elevation, roll = rng.normal(5, 10), rng.normal(0, 2.5)
    a, e = np.radians(azimuth), np.radians(elevation)
    away = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    # The nearest part of the body stays well in front of the camera.
    distance = max(extent * focal / h, 0.35, 0.25 + np.max((person.vertices - target) @ away))
    forward = -away
    right = np.cross(forward, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    rotation = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) @ rotation
    K = np.array([[focal, 0, x0 + (w - 1) / 2], [0, focal, y0 + (h - 1) / 2], [0, 0, 1.0]])
    view = View(K, rotation, target + away * distance, np.array([x0, y0, x0 + w - 1, y0 + h - 1], float))
    return _around_person(rng, view, person) if rng.random() < 0.42 else view


def _around_person(rng: np.random.Generator, view: View, person: Person) -> View:
    """The window that the pose head gets: the person's box enlarged by about 1.25, at 3:4."""
    xy = view.project(person.vertices)[:, :2]
    low = np.maximum(xy.min(0) + rng.normal(0, 2, 2), view.photo[:2])
    high = np.minimum(xy.max(0) + rng.normal(0, 2, 2), view.photo[2:])
    size = np.maximum(high - low, 8) * rng.uniform(1.1, 1.4)
    height = max(size[1], size[0] * HEIGHT / WIDTH)
    scale = HEIGHT / height
    centre = (low + high) / 2 + rng.normal(0, 0.02, 2) * height
    shift = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2]) - centre * scale
    K = view.K.copy()
    K[:2, :2] *= scale
    K[:2, 2] = K[:2, 2] * scale + shift
    return View(K, view.rotation, view.position, np.concatenate([view.photo[:2] * scale + shift, view.photo[2:] * scale + shift]))


class Group:
    """People that can be ray-cast together; their geometry is prepared once for all cameras."""

    def __init__(self, body: Body, people: list[Person]):
        self.body, self.people, self.scene = body, people, EmbreeScene()
        # The scene does not own its meshes: they have to outlive it.
        self.meshes = [TriangleMesh(self.scene, p.vertices, body.faces) for p in people]


def render(rng: np.random.Generator, group: Group, view: View) -> np.ndarray:
    """One sample (a record of `SAMPLE`); the keypoints are those of the group's first person."""
    out, people = np.zeros((), SAMPLE), group.people
    # Rays half a pixel apart, every second one through a pixel's centre: those give the maps, all of them the picture.
    ys, xs = np.arange(2 * HEIGHT + 1) / 2 - 0.5, np.arange(2 * WIDTH + 1) / 2 - 0.5
    seen = np.concatenate([view.project(p.vertices)[:, :2] for p in people])
    low, high = np.maximum(seen.min(0) - 1, view.photo[:2] - 0.5), np.minimum(seen.max(0) + 1, view.photo[2:] + 0.5)
    rows, columns = np.flatnonzero((ys >= low[1]) & (ys <= high[1])), np.flatnonzero((xs >= low[0]) & (xs <= high[0]))
    coverage, colour = np.zeros((ys.size, xs.size), np.float32), np.zeros((ys.size, xs.size, 3), np.float32)
    maps = {
        "seg": np.zeros(coverage.shape, np.uint8),
        "albedo": np.zeros(colour.shape, np.uint8),
        "normal": np.zeros(colour.shape, np.int8),
        "depth": np.zeros(coverage.shape, np.float32),
    }
    if rows.size and columns.size:
        gy, gx = np.meshgrid(rows, columns, indexing="ij")
        gy, gx = gy.ravel(), gx.ravel()
        rays = np.stack([(xs[gx] - view.K[0, 2]) / view.K[0, 0], (ys[gy] - view.K[1, 2]) / view.K[1, 1], np.ones(gx.size)], 1)
        hit = _cast(rng, group, view, rays)
        gy, gx = gy[hit["ray"]], gx[hit["ray"]]
        coverage[gy, gx], colour[gy, gx] = 1, hit["radiance"]
        for name, values in maps.items():
            values[gy, gx] = hit[name]
    centre = np.s_[1::2, 1::2]
    for name, values in maps.items():
        out[name] = values[centre]
    tent = np.array([0.25, 0.5, 0.25], np.float32)
    soft = cv2.sepFilter2D(np.dstack([colour, coverage]), -1, tent, tent, borderType=cv2.BORDER_REPLICATE)[centre]
    inside = np.zeros((HEIGHT, WIDTH, 1), bool)
    y0, y1 = np.clip(np.round(view.photo[[1, 3]]), -1, HEIGHT).astype(int)
    x0, x1 = np.clip(np.round(view.photo[[0, 2]]), -1, WIDTH).astype(int)
    inside[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = True
    backdrop = random_backdrop(rng, HEIGHT, WIDTH) * rng.uniform(0.3, 1.3)
    out["image"] = develop(rng, soft[..., :3] + (1 - soft[..., 3:]) * backdrop, inside)
    out["intrinsics"], out["pose"] = view.K, len(people) == 1
    out["keypoints"] = _keypoints(view, people[0], out["depth"].astype(np.float32))
    return out


def _cast(rng: np.random.Generator, group: Group, view: View, rays: np.ndarray) -> dict[str, np.ndarray]:
    """Where rays (n, 3; camera space, depth 1) meet people, and what is seen there."""
    body, scene = group.body, group.scene
    directions = (rays @ view.rotation).astype(np.float32)
    origin = np.broadcast_to(view.position.astype(np.float32), directions.shape).copy()
    found = scene.run(origin, directions, output=1)
    ray = np.flatnonzero(found["primID"] >= 0)
    depth, prim, geometry = found["tfar"][ray], found["primID"][ray], found["geomID"][ray]
    u, v = found["u"][ray], found["v"][ray]
    mix = np.stack([1 - u - v, u, v], 1).astype(np.float32)
    corners = body.faces[prim]
    fixed = np.concatenate(
        [
            body.template,
            body.head,
            body.arm[:, None],
            body.leg[:, None],
            body.lips[:, None],
            body.eye[:, None],
            (body.inside & ~body.tongue)[:, None],
            body.part_weights,
        ],
        1,
    ).astype(np.float32)
    values = np.einsum("nk,nkc->nc", mix, fixed[corners])
    rest, head, (arm, leg, lips, eye, cavity) = values[:, :3], values[:, 3:6], values[:, 6:11].T
    part = body.parts[values[:, 11:].argmax(1)]
    normal, label, albedo = np.zeros((ray.size, 3), np.float32), np.zeros(ray.size, np.uint8), np.zeros((ray.size, 3))
    tongue = body.tongue[corners].all(1)
    for i, person in enumerate(group.people):
        own = geometry == i
        if not own.any():
            continue
        normal[own] = np.einsum("nk,nkc->nc", mix[own], person.normals[corners[own]])
        bare = (eye[own] > 0.5) | tongue[own] | (cavity[own] > 0.6)
        cut = wardrobe.cut(body, person.outfit, part[own], rest[own], arm[own], leg[own], head[own], lips[own])
        label[own] = np.where(bare, np.where(tongue[own], wardrobe.TONGUE, wardrobe.FACE), cut)
        albedo[own] = wardrobe.paint(body, person.outfit, label[own], rest[own], head[own], eye[own], cavity[own])
        cloth = np.isin(label[own], (wardrobe.UPPER, wardrobe.LOWER)) * 0.22 + (label[own] == wardrobe.HAIR) * 0.25
        bumps = np.stack([wardrobe.noise(person.outfit, rest[own], f, 4, o) for f, o in ((30, 0), (22, 6), (38, 12))], 1)
        normal[own] += bumps * cloth[:, None]
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    # A shading normal that turns away from the viewer at a silhouette is bent back into view.
    toward = -directions[ray] / np.linalg.norm(directions[ray], axis=1, keepdims=True)
    facing = np.einsum("nc,nc->n", normal, toward)
    normal += toward * np.maximum(0.02 - facing, 0)[:, None]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    radiance = shade(rng, scene, origin[ray] + directions[ray] * depth[:, None], normal, toward, albedo, label)
    camera_normal = normal @ view.rotation.T * [1, -1, -1]
    return {
        "ray": ray,
        "radiance": radiance,
        "seg": label,
        "albedo": np.round(srgb(albedo) * 255),
        "normal": np.round(camera_normal * 127),
        "depth": depth,
    }


def _keypoints(view: View, person: Person, depth: np.ndarray) -> np.ndarray:
    """(308, 3) x, y, score of a person, hidden points found in the depth map."""
    table = landmarks()
    projected = view.project(np.nan_to_num(person.keypoints))
    xy, z = projected[:, :2], projected[:, 2]
    inside = (z > 0.05) & (xy >= view.photo[:2] - 0.5).all(1) & (xy <= view.photo[2:] + 0.5).all(1)
    inside &= (xy >= 0).all(1) & (xy <= [WIDTH - 1, HEIGHT - 1]).all(1)
    column, row = (np.clip(np.round(xy[:, k]).astype(int), 0, n - 1) for k, n in ((0, WIDTH), (1, HEIGHT)))
    surface = depth[row, column]
    hidden = (surface > 0) & (z - surface > np.where(table.inside, 0.13, 0.025))
    score = np.where(inside, np.where(hidden, 0.5, 1.0), 0.0)
    score[~table.defined] = -1
    return np.concatenate([xy, score[:, None]], 1)
