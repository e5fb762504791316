"""Random poses of the body and their skinning: rotations per bone about axes of the resting body."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from .body import Body

FORWARD, UP = np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0])
_POSES = ("relaxed", "arms_out", "free", "walk", "crossed", "hips", "sit", "raised")
_ODDS = (0.22, 0.12, 0.2, 0.16, 0.08, 0.08, 0.07, 0.07)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)


def turn_about(axis: np.ndarray, degrees: float) -> np.ndarray:
    """(3, 3) rotation about an axis of any length."""
    return Rotation.from_rotvec(_unit(np.asarray(axis, float)) * np.radians(degrees)).as_matrix()


def arc(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, 3) smallest rotation that takes direction a to direction b."""
    a, b = _unit(a), _unit(b)
    axis = np.cross(a, b)
    angle = np.arctan2(np.linalg.norm(axis), a @ b)
    return Rotation.from_rotvec(_unit(axis) * angle if angle > 1e-6 else np.zeros(3)).as_matrix()


def _share(rotation: np.ndarray, part: float) -> np.ndarray:
    """(3, 3) that fraction of a rotation."""
    return Rotation.from_rotvec(Rotation.from_matrix(rotation).as_rotvec() * part).as_matrix()


def random_pose(rng: np.random.Generator, body: Body, heads: np.ndarray, kind: str | None = None) -> np.ndarray:
    """(B, 3, 3) rotation of each bone relative to its parent, in the axes of the resting body. heads: (B, 3) at rest."""
    kind = kind or rng.choice(_POSES, p=_ODDS)
    turn = np.tile(np.eye(3), (len(body.bones), 1, 1))
    stride = rng.uniform(-1, 1) if kind == "walk" else 0.0
    _spine(rng, body, turn, kind)
    for side, suffix in ((1, ".L"), (-1, ".R")):
        _leg(rng, body, heads, turn, side, suffix, kind, stride * side)
        _arm(rng, body, heads, turn, side, suffix, kind, stride * side)
        _hand(rng, body, heads, turn, side, suffix)
    return turn


def _spine(rng: np.random.Generator, body: Body, turn: np.ndarray, kind: str) -> None:
    bend = _noise(rng, (9, 5, 8)) * (2.0 if kind == "free" else 1.0)
    rotation = _euler(bend + np.array([6.0 * (kind == "sit"), 0, 0]))
    for name in ("spine05", "spine04", "spine03", "spine02", "spine01"):
        turn[body.bone(name)] = _share(rotation, 0.2)
    look = _euler(np.array([rng.normal(0, 13), rng.normal(0, 8), rng.normal(0, 24)]))
    for name, part in (("neck01", 0.2), ("neck02", 0.2), ("neck03", 0.2), ("head", 0.4)):
        turn[body.bone(name)] = _share(look, part)
    gaze = _euler(np.array([rng.normal(0, 6), 0, rng.normal(0, 10)]))
    turn[body.bone("eye.L")] = turn[body.bone("eye.R")] = gaze


def _noise(rng: np.random.Generator, sigma: tuple[float, float, float]) -> np.ndarray:
    return rng.normal(0, 1, 3).clip(-2, 2) * sigma


def _euler(degrees: np.ndarray) -> np.ndarray:
    return Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()


def _leg(
    rng: np.random.Generator, body: Body, heads: np.ndarray, turn: np.ndarray, side: int, s: str, kind: str, stride: float
) -> None:
    hip, knee = heads[body.bone("upperleg01" + s)], heads[body.bone("lowerleg01" + s)]
    rest = knee - hip
    if kind == "sit":
        target = np.array([side * rng.uniform(0, 0.45), -1.0, rng.uniform(-0.35, 0.1)])
        flex = rng.uniform(65, 110)
    elif kind == "walk":
        target = np.array([side * 0.06, -0.5 * stride, -1.0])
        flex = rng.uniform(3, 15) + (rng.uniform(5, 55) if stride < 0 else 0)
    elif kind == "free" and rng.random() < 0.5:
        target = np.array([side * rng.uniform(0, 0.7), rng.uniform(-1.0, 0.35), -1.0])
        flex = rng.uniform(0, 100)
    else:
        target = np.array([side * rng.uniform(0.02, 0.25), rng.normal(0, 0.06), -1.0])
        flex = abs(rng.normal(0, 6))
    swing = turn_about(target, side * rng.normal(8, 9)) @ arc(rest, target)
    turn[body.bone("upperleg01" + s)] = swing
    turn[body.bone("lowerleg01" + s)] = turn_about(np.cross(rest, -FORWARD), flex)
    turn[body.bone("foot" + s)] = _euler(np.array([rng.normal(0 if kind != "sit" else 5, 7), 0, side * rng.normal(0, 5)]))


def _arm(
    rng: np.random.Generator, body: Body, heads: np.ndarray, turn: np.ndarray, side: int, s: str, kind: str, stride: float
) -> None:
    shoulder, elbow, wrist = (heads[body.bone(b + s)] for b in ("upperarm01", "lowerarm01", "wrist"))
    rest, fore = elbow - shoulder, wrist - elbow
    free = kind == "free" or (kind in ("walk", "sit", "arms_out") and rng.random() < 0.25)
    twist = rng.normal(0, 18)
    if free:
        target = _unit(rng.normal(0, 1, 3)) + np.array([side * 0.45, -0.3, -0.15])
        flex, twist = rng.uniform(0, 135), rng.normal(10, 35)
    elif kind == "arms_out":
        target = np.array([side, rng.normal(0, 0.15), rng.uniform(-1.6, 0.15)])
        flex = abs(rng.normal(0, 14))
    elif kind == "crossed":
        target = np.array([side * rng.uniform(0.1, 0.35), rng.uniform(-0.75, -0.25), -1.0])
        flex, twist = rng.uniform(75, 125), rng.uniform(25, 65)
    elif kind == "hips":
        target = np.array([side * rng.uniform(0.6, 1.0), rng.uniform(-0.05, 0.45), -1.0])
        flex, twist = rng.uniform(70, 115), rng.uniform(40, 80)
    elif kind == "raised":
        target = np.array([side * rng.uniform(0.2, 1), rng.uniform(-0.6, 0.2), rng.uniform(0, 1.6)])
        flex, twist = rng.uniform(0, 130), rng.uniform(-40, 40)
    else:
        target = np.array([side * rng.uniform(0.08, 0.45), 0.5 * stride + rng.normal(0, 0.12), -1.0])
        flex = rng.uniform(4, 40)
    # Positive twist turns the forearm towards the body.
    swing = turn_about(target, -side * twist) @ arc(rest, target)
    girdle = _share(arc(rest, target), 0.15)
    turn[body.bone("clavicle" + s)] = girdle
    turn[body.bone("upperarm01" + s)] = girdle.T @ swing
    turn[body.bone("lowerarm01" + s)] = turn_about(np.cross(rest, FORWARD), flex)
    roll = rng.normal(0, 38)
    turn[body.bone("lowerarm02" + s)] = turn_about(fore, roll * 0.5)
    turn[body.bone("wrist" + s)] = turn_about(fore, roll * 0.5) @ _euler(_noise(rng, (12, 12, 12)))


def _hand(rng: np.random.Generator, body: Body, heads: np.ndarray, turn: np.ndarray, side: int, s: str) -> None:
    wrist = heads[body.bone("wrist" + s)]
    across = np.cross(heads[body.bone("finger2-1" + s)] - wrist, heads[body.bone("finger5-1" + s)] - wrist)
    palm = _unit(across) * np.sign(across @ np.array([-side, 0.0, -1.0]))
    curl, spread = rng.choice([rng.uniform(0, 25), rng.uniform(15, 60), rng.uniform(50, 85)], p=[0.4, 0.4, 0.2]), rng.normal(0, 4)
    for finger in range(1, 6):
        amount = np.clip(curl + rng.normal(0, 12), -5, 90) * (0.35 if finger == 1 else 1.0)
        chain = [f"finger{finger}-{k}{s}" for k in (1, 2, 3)]
        direction = heads[body.bone(chain[2])] - heads[body.bone(chain[0])]
        for bone in chain:
            turn[body.bone(bone)] = turn_about(np.cross(direction, palm), amount)
        turn[body.bone(chain[0])] = turn_about(palm, spread * (finger - 3)) @ turn[body.bone(chain[0])]


def skin(body: Body, rest: np.ndarray, heads: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Linear blend skinning of rest vertices (V, 3) and bone heads (B, 3) by local rotations (B, 3, 3).

    Returns posed vertices, posed heads and the rotation of each bone in world axes.
    """
    world, moved = np.empty_like(turn), np.empty_like(heads)
    for b, parent in enumerate(body.parents):
        if parent < 0:
            world[b], moved[b] = turn[b], heads[b]
        else:
            world[b] = world[parent] @ turn[b]
            moved[b] = moved[parent] + world[parent] @ (heads[b] - heads[parent])
    shift = moved - np.einsum("bij,bj->bi", world, heads)
    blend = body.weights @ np.concatenate([world.reshape(-1, 9), shift], 1).astype(np.float32)
    out = np.einsum("vij,vj->vi", blend[:, :9].reshape(-1, 3, 3), rest) + blend[:, 9:]
    return out.astype(np.float32), moved.astype(np.float32), world
