"""A person in a plain room, ray-cast: what every ray of a camera meets, and the light there.

World space is that of the body: metres, x = left of someone who faces -y, z up; the floor is z = 0. Camera space as in the
product: x right, y down, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene

from sapiens2_avatar.core.common.landmarks import keypoint_names

from . import wardrobe
from .body import Body, vertex_normals
from .figure import smoothing, subdivide
from .landmarks import landmarks
from .lips import inner_lips
from .people import Shot
from .pose import skin
from .postures import rotations

_LIFT = 0.003  # metres off the surface at which rays towards the light start
_SHOE_ROUNDS, _SHOE_LEATHER = 24, 0.005  # rounds of smoothing; metres more than a sock's worth
_WALL = 1.6  # metres behind the person


@dataclass(frozen=True, eq=False)
class Figure:
    """A posed, dressed person. V vertices of the finer mesh, B bones.

    vertices, normals   (V, 3) float32 world; faces (F, 3) int32
    attributes          (V, A) float32 of the resting body at each vertex, in the order that `Surface` reads
    naked               (V0, 3) float32: the body's own vertices without clothes, posed
    rest_heads, heads   (B, 3) float32 joints of the bones at rest and posed; turns (B, 3, 3): from rest to posed, world axes
    keypoints           (308, 3) world, NaN = not defined
    crown               (3,) world: the top of the skull
    """

    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    attributes: np.ndarray
    naked: np.ndarray
    rest_heads: np.ndarray
    heads: np.ndarray
    turns: np.ndarray
    keypoints: np.ndarray
    crown: np.ndarray


def figure(body: Body, shot: Shot) -> Figure:
    """The person of a shot, standing on the floor or sitting on the seat, the pelvis over the origin moved by `travel`."""
    outfit = shot.outfit(body)
    rest, rest_heads = body.rest(shot.phenotype, shot.face)
    # Each triangle becomes four, and the new surface is rounded as the old one was meant to be.
    faces, matrix = subdivide(body.faces, len(rest))
    relax = smoothing(faces, matrix.shape[0])
    attributes = matrix @ _attributes(body)
    surface = Surface(body, attributes)
    label = surface.label(body, outfit)
    turn = rotations(body, rest_heads, shot.posture)
    naked, heads, turns = skin(body, rest, rest_heads, turn)
    vertices = matrix @ naked
    for amount in (0.5, -0.35):
        vertices = vertices + amount * (relax @ vertices - vertices)
    naked = vertices[: len(rest)]
    # A shoe has no toes: the foot in it is rounded until they are one, then covered as thick as they were high.
    shod = np.isin(label, wardrobe.SHOES)
    for _ in range(_SHOE_ROUNDS):
        vertices[shod] = (relax @ vertices)[shod]
    head = surface.head
    thick = wardrobe.thickness(_Fine(body, surface.rest, head, surface.ears), outfit, label) + np.where(shod, _SHOE_LEATHER, 0)
    for _ in range(2):  # hems and hairlines rise over a few millimetres, not from one vertex to the next
        thick = relax @ thick
    vertices = (vertices + vertex_normals(vertices.astype(np.float32), faces) * thick[:, None]).astype(np.float32)
    forward = np.array([np.sin(np.radians(shot.posture.facing)), -np.cos(np.radians(shot.posture.facing)), 0.0])
    # A sitting person hangs between the floor and the seat: the seat is put under them, the soles on the floor.
    shift = forward * shot.travel - np.array([heads[0, 0], heads[0, 1], vertices[:, 2].min()])
    keypoints = landmarks().place(naked, heads) + shift
    for name, vertex in inner_lips().items():
        keypoints[keypoint_names().index(name)] = naked[vertex] + shift
    skull = np.flatnonzero(body.weights[:, body.bone("head")] > 0.5)
    crown = naked[skull[np.argmax(body.template[skull, 2])]] + shift
    vertices = (vertices + shift).astype(np.float32)
    return Figure(
        vertices,
        vertex_normals(vertices, faces),
        faces,
        attributes.astype(np.float32),
        (naked + shift).astype(np.float32),
        rest_heads,
        (heads + shift).astype(np.float32),
        turns,
        keypoints,
        crown,
    )


@dataclass(frozen=True, eq=False)
class _Fine:
    """What `wardrobe.thickness` asks of a body, on the finer mesh."""

    body: Body
    template: np.ndarray
    head: np.ndarray
    ears: np.ndarray


def _attributes(body: Body) -> np.ndarray:
    """(V, A) float32: template, head, arm, leg, lips, ears, eye, cavity, tongue, parts."""
    scalars = (body.arm, body.leg, body.lips, body.ears, body.eye, body.inside & ~body.tongue, body.tongue)
    columns = np.stack([np.asarray(s, np.float32) for s in scalars], 1)
    return np.concatenate([body.template, body.head, columns, body.part_weights], 1).astype(np.float32)


class Surface:
    """What the resting body knows of n points on the skin, from their attributes (n, A)."""

    def __init__(self, body: Body, attributes: np.ndarray):
        self.rest, self.head = attributes[:, :3], attributes[:, 3:6]
        self.arm, self.leg, self.lips, self.ears, self.eye, self.cavity, self.tongue = attributes[:, 6:13].T
        self.part = body.parts[attributes[:, 13:].argmax(1)]

    def label(self, body: Body, outfit: wardrobe.Outfit) -> np.ndarray:
        """(n,) uint8 class of 29: skin, clothes, hair, lips; eyes and the cavity of the mouth are of the face."""
        cut = wardrobe.cut(body, outfit, self.part, self.rest, self.arm, self.leg, self.head, self.lips)
        bare = (self.eye > 0.5) | (self.cavity > 0.6)
        cut = np.where(bare, wardrobe.FACE, cut)
        return np.where(self.tongue > 0.5, wardrobe.TONGUE, cut).astype(np.uint8)

    def albedo(self, body: Body, outfit: wardrobe.Outfit, label: np.ndarray) -> np.ndarray:
        """(n, 3) linear base colour."""
        return wardrobe.paint(body, outfit, label, self.rest, self.head, self.eye, self.cavity)


@dataclass(frozen=True, eq=False)
class View:
    """A camera. K (3, 3) pixels, integer = pixel centre; rotation (3, 3) camera from world; position (3,) world metres."""

    K: np.ndarray
    rotation: np.ndarray
    position: np.ndarray
    size: tuple[int, int]

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points (n, 3) -> camera space."""
        return (points - self.position) @ self.rotation.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera-space points (n, 3) -> pixels (n, 2)."""
        return points[:, :2] / points[:, 2:] * [self.K[0, 0], self.K[1, 1]] + self.K[:2, 2]


def view(shot: Shot) -> View:
    """The camera of a shot: it looks at a point above the origin of the floor, level to the horizon."""
    width, height = shot.size
    focal = shot.lens / 36 * max(width, height)
    a, e = np.radians(shot.azimuth), np.radians(shot.elevation)
    away = np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    position = np.array([0, 0, shot.aim]) + away * shot.extent * focal / height
    right = np.cross(-away, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    K = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return View(K, np.stack([right, np.cross(-away, right), -away]), position, shot.size)


class Room:
    """The person, the box that they sit on, floor and wall, and the light of a sky, of the floor and of one soft lamp."""

    PERSON, SEAT, ROOM = 0, 1, 2
    SKY, GROUND, LAMP = np.array([0.75, 0.82, 0.95]), np.array([0.34, 0.31, 0.28]), np.array([1.9, 1.75, 1.55])
    TOWARDS_LAMP = np.array([-0.55, -0.62, 0.56])
    COLOURS = {SEAT: np.array([0.30, 0.24, 0.19]), ROOM: np.array([0.42, 0.44, 0.45])}

    def __init__(self, person: Figure, shot: Shot):
        self.person, self.scene = person, EmbreeScene()
        boxes = [_box(person, shot) if shot.seat else np.zeros((0, 3, 3)), _floor_and_wall()]
        # The scene does not own its meshes: they have to outlive it.
        self.meshes = [TriangleMesh(self.scene, person.vertices, person.faces)]
        self.meshes += [TriangleMesh(self.scene, *_indexed(corners)) for corners in boxes]
        self.ambient = self._sky_light(person.vertices, person.normals)

    def cast(self, origin: np.ndarray, directions: np.ndarray) -> dict[str, np.ndarray]:
        """First hits of rays (n, 3) float32 from one point: geomID, primID, u, v, tfar (along the direction as it is long)."""
        start = np.broadcast_to(origin.astype(np.float32), directions.shape).copy()
        return self.scene.run(start, directions.astype(np.float32), output=1)

    def _sky_light(self, points: np.ndarray, normals: np.ndarray, count: int = 96) -> np.ndarray:
        """(n, 3) irradiance / pi from sky and ground around, with what stands in the way; n points with their normals."""
        k = np.arange(count) + 0.5
        z, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
        directions = np.stack([np.cos(turn) * np.sqrt(1 - z**2), np.sin(turn) * np.sqrt(1 - z**2), z], 1)
        lifted = (points + normals * _LIFT).astype(np.float32)
        total = np.zeros((len(points), 3))
        for direction in directions:
            cosine = normals @ direction
            facing = np.flatnonzero(cosine > 0)
            rays = np.broadcast_to(direction.astype(np.float32), (len(facing), 3)).copy()
            found = self.scene.run(lifted[facing], rays, output=1)
            # Only what is near darkens; walls and floor give back light of their own.
            near = (found["geomID"] != self.ROOM) & (found["primID"] >= 0) & (found["tfar"] < 1.0)
            light = self.GROUND + (self.SKY - self.GROUND) * (0.5 + 0.5 * direction[2])
            total[facing] += (cosine[facing] * np.where(near, 0.18, 1.0))[:, None] * light
        return total * 4 / count

    def lamp_light(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """(n, 3) irradiance / pi of the lamp, its shadow soft over a few rays."""
        towards = self.TOWARDS_LAMP / np.linalg.norm(self.TOWARDS_LAMP)
        side = np.cross(towards, [0, 0, 1.0])
        ring = [np.zeros(3)] + [0.05 * (np.cos(t) * side + np.sin(t) * np.cross(side, towards)) for t in np.arange(8) * np.pi / 4]
        lifted = (points + normals * _LIFT).astype(np.float32)
        seen = np.zeros(len(points))
        for offset in ring:
            rays = np.broadcast_to((towards + offset).astype(np.float32), points.shape).copy()
            found = self.scene.run(lifted, rays, output=1)
            seen += (found["primID"] < 0) | (found["geomID"] == self.ROOM)
        return (np.clip(normals @ towards, 0, None) * seen / len(ring))[:, None] * self.LAMP


def _indexed(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (n, 3, 3) -> vertices and faces; one degenerate triangle for none, so that the numbering of the meshes stays."""
    corners = corners if len(corners) else np.full((1, 3, 3), -50.0)
    return corners.reshape(-1, 3).astype(np.float32), np.arange(len(corners) * 3, dtype=np.int32).reshape(-1, 3)


def _quads(quads: np.ndarray) -> np.ndarray:
    """Quads (n, 4, 3) -> triangles (2 n, 3, 3)."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _floor_and_wall() -> np.ndarray:
    floor = [[-20, -20, 0], [20, -20, 0], [20, _WALL, 0], [-20, _WALL, 0]]
    wall = [[-20, _WALL, 0], [20, _WALL, 0], [20, _WALL, 20], [-20, _WALL, 20]]
    return _quads(np.array([floor, wall], float))


def _box(person: Figure, shot: Shot) -> np.ndarray:
    """The box under the person: its top touches the lowest point of their seat, its front is behind the knees."""
    facing = np.radians(shot.posture.facing)
    forward, left = np.array([np.sin(facing), -np.cos(facing), 0]), np.array([np.cos(facing), np.sin(facing), 0])
    around = person.vertices - person.heads[0]
    below = (np.abs(around @ left) < 0.16) & (np.abs(around @ forward) < 0.12)
    top = float(person.vertices[below, 2].min())
    centre = person.heads[0] * [1, 1, 0] + forward * 0.05
    a, b = left * 0.24, forward * 0.20
    ring = np.stack([centre + s * a + t * b for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    high = ring + np.array([0, 0, top])
    sides = [np.stack([ring[i], ring[(i + 1) % 4], high[(i + 1) % 4], high[i]]) for i in range(4)]
    return _quads(np.stack([high, *sides]))
