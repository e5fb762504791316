"""The 308 keypoints on the Anny body, picked by its topology: bones, rims of eyes and mouth, masks, extreme vertices.

Body, hand and foot points are joint centres; face points lie on the skin. Points that the mesh does not define (most of the
ear) stay without a place and are left out of training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from sapiens2_avatar.core.common.landmarks import keypoint_names

from .body import Body, load_body, vertex_normals

_FINGERS = {"thumb": 1, "forefinger": 2, "middle_finger": 3, "ring_finger": 4, "pinky_finger": 5}
# Where the numbered points of a lash, lid or lip line lie between its two ends, from the viewer's left to their right.
_FRACTION = {
    "midpoint_3": 1 / 8,
    "midpoint_1": 2 / 8,
    "midpoint_4": 3 / 8,
    "center": 4 / 8,
    "midpoint_5": 5 / 8,
    "midpoint_2": 6 / 8,
    "midpoint_6": 7 / 8,
}
_CLOCK = {"3": 0, "midpoint_1": 45, "12": 90, "midpoint_4": 135, "9": 180, "midpoint_3": 225, "6": 270, "midpoint_2": 315}


@dataclass(frozen=True, eq=False)
class Landmarks:
    """defined (308,) bool; on_bone (308,) bone index or -1; vertices (308, 4) and mix (308, 4): weighted vertices of the rest;
    inside (308,) bool: the point lies inside the body, up to a joint's depth behind the skin."""

    defined: np.ndarray
    on_bone: np.ndarray
    vertices: np.ndarray
    mix: np.ndarray
    inside: np.ndarray

    def place(self, vertices: np.ndarray, heads: np.ndarray) -> np.ndarray:
        """(308, 3) keypoints of a posed body; rows that are not defined are NaN."""
        points = np.einsum("ki,kij->kj", self.mix, vertices[self.vertices])
        points[self.on_bone >= 0] = heads[self.on_bone[self.on_bone >= 0]]
        points[~self.defined] = np.nan
        return points


@cache
def landmarks() -> Landmarks:
    """The table for the cached body."""
    body = load_body()
    names = keypoint_names()
    place = _bone_points(body) | _skin_points(body)
    vertices, mix = np.zeros((len(names), 4), int), np.zeros((len(names), 4))
    on_bone, defined = np.full(len(names), -1), np.zeros(len(names), bool)
    for name, where in place.items():
        k = names.index(name)
        defined[k] = True
        if isinstance(where, str):
            on_bone[k] = body.bone(where)
        else:
            chosen = np.atleast_1d(where)[:4]
            vertices[k, : len(chosen)], mix[k, : len(chosen)] = chosen, 1 / len(chosen)
    inside = np.array([i < 63 and i not in (0, 1, 2, 3, 4) for i in range(len(names))])
    return Landmarks(defined, on_bone, vertices, mix, inside)


def _bone_points(body: Body) -> dict[str, str | np.ndarray]:
    """Joints, and the tips that no bone starts from."""
    out: dict[str, str | np.ndarray] = {"neck": "neck01"}
    normals = vertex_normals(body.template, body.faces)
    for side, s in (("left", ".L"), ("right", ".R")):
        sign = 1 if s == ".L" else -1
        for joint, bone in (
            ("shoulder", "upperarm01"),
            ("elbow", "lowerarm01"),
            ("wrist", "wrist"),
            ("hip", "upperleg01"),
            ("knee", "lowerleg01"),
            ("ankle", "foot"),
        ):
            out[f"{side}_{joint}"] = bone + s
        for finger, n in _FINGERS.items():
            for joint, k in (("_third_joint", 1), ("2", 2), ("3", 3)):
                out[f"{side}_{finger}{joint}"] = f"finger{n}-{k}{s}"
            out[f"{side}_{finger}4"] = _tip(body, f"finger{n}-3{s}")
        out[f"{side}_big_toe"], out[f"{side}_small_toe"] = _tip(body, "toe1-2" + s), _tip(body, "toe5-3" + s)
        foot = np.flatnonzero(body.weights[:, body.bone("foot" + s)] > 0.5)
        out[f"{side}_heel"] = foot[np.argsort(-(body.template[foot, 1] - 0.7 * body.template[foot, 2]))[:4]]
        shoulder, elbow, wrist = (body.bone_heads[body.bone(b + s)] for b in ("upperarm01", "lowerarm01", "wrist"))
        arm = (body.template[:, 0] * sign > 0) & (body.part_weights[:, np.isin(body.parts, (7, 11, 16, 20))].sum(1) > 0.5)
        along = (wrist - shoulder) / np.linalg.norm(wrist - shoulder)
        for name, direction in (("olecranon", np.array([0, 1.0, 0])), ("cubital_fossa", np.array([0, -1.0, 0]))):
            near = arm & (np.abs((body.template - elbow) @ along) < 0.02)
            out[f"{side}_{name}"] = _most(near, normals @ direction)
        top = (np.linalg.norm(body.template - shoulder - np.array([sign * 0.005, 0, 0.02]), axis=1) < 0.07) & (
            normals[:, 2] > 0.6
        )
        out[f"{side}_acromion"] = _most(top, -np.abs(body.template[:, 0] - shoulder[0]))
    return out


def _most(allowed: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The vertex with the highest score among those allowed."""
    return np.array([np.argmax(np.where(allowed, score, -np.inf))])


def _tip(body: Body, bone: str) -> np.ndarray:
    """The four vertices farthest out on a finger's or toe's last bone."""
    b = body.bone(bone)
    own = np.flatnonzero(body.weights[:, b] > 0.5)
    out = body.bone_heads[b] - body.bone_heads[body.parents[b]]
    return own[np.argsort(-(body.template[own] - body.bone_heads[b]) @ out)[:4]]


def _rim(body: Body, inner: np.ndarray) -> np.ndarray:
    """Vertices outside the marked cavity that share a face with it."""
    faces = body.faces
    mixed = inner[faces].any(1) & ~inner[faces].all(1)
    rim = np.unique(faces[mixed])
    return rim[~inner[rim]]


def _skin_points(body: Body) -> dict[str, np.ndarray]:
    x, y, z = body.template.T
    names, head = keypoint_names(), body.part_weights[:, body.parts == 3][:, 0] > 0.9
    skin = head & ~body.eye & ~body.tongue & ~body.inside
    face = skin & (body.head[:, 2] < 0.5)
    normals = vertex_normals(body.template, body.faces)
    face &= normals[:, 1] < 0.35
    out: dict[str, np.ndarray] = {}

    def at(px: float, pz: float, among: np.ndarray = face) -> np.ndarray:
        """The frontmost vertex near (px, pz) seen from the front."""
        return _most(among, -np.hypot(x - px, z - pz) - 0.15 * (y - y[among].min()))

    def line(points: np.ndarray, start: float, end: float, fraction: float) -> np.ndarray:
        """The rim vertex at a fraction of the way across."""
        return points[[np.argmin(np.abs(x[points] - (start + (end - start) * fraction)))]]

    nose = _most(face & (np.abs(x) < 0.01), -y)
    out["nose"] = out["tip_of_nose"] = nose
    eye_head = {s: body.bone_heads[body.bone("eye" + s)] for s in (".L", ".R")}
    ez, nz = eye_head[".L"][2], z[nose[0]]
    for name, pz in (("center_of_glabella", ez + 0.017), ("center_of_nose_root", ez + 0.005)):
        out[name] = at(0, pz)
    for name, fraction in (
        ("tip_of_nose_bridge", 0.9),
        ("midpoint_3_of_nose_bridge", 0.72),
        ("midpoint_1_of_nose_bridge", 0.52),
        ("midpoint_2_of_nose_bridge", 0.3),
    ):
        out[name] = at(0, ez + (nz - ez) * fraction)
    out["bottom_center_of_nose"] = at(0, nz - 0.012)
    for letter, sign in (("l", 1), ("r", -1)):
        for name, px, pz in (
            ("outer_corner_of_nose", 0.019, -0.003),
            ("upper_corner_of_{}_nostril", 0.009, -0.006),
            ("inner_corner_of_{}_nostril", 0.005, -0.009),
            ("outer_corner_of_{}_nostril", 0.013, -0.009),
        ):
            key = name.format(letter) if "{}" in name else f"{letter}_{name}"
            out[key] = at(sign * px, nz + pz)
    _eyes(body, out, line, at, eye_head, skin)
    _mouth(body, out, at, skin)
    for side, letter, sign in (("left", "l", 1), ("right", "r", -1)):
        ear = (body.ears > 0.5) & (x * sign > 0) & skin
        middle = np.array([0, y[ear].min() + 0.006, z[ear].mean() + 0.004])
        out[f"{side}_ear"] = _most(ear, -np.hypot(y - middle[1], z - middle[2]))
        out[f"{letter}_tip_of_ear_lobe"] = _most(ear, -z)
        out[f"{letter}_top_connecting_point_of_helix"] = _most(ear, z - 2 * (y - y[ear].min()))
        for name, dz in (("top", 0.007), ("protruding", 0.0), ("bottom", -0.007)):
            out[f"{letter}_{name}_point_of_tragus"] = _most(ear, -np.hypot(y - middle[1] + 0.004, z - middle[2] - dz))
    return {k: v for k, v in out.items() if k in names}


def _eyes(body: Body, out: dict, line: Callable, at: Callable, eye_head: dict, skin: np.ndarray) -> None:
    x, y, z = body.template.T
    for letter, side, s, sign in (("l", "left", ".L", 1), ("r", "right", ".R", -1)):
        centre = eye_head[s]
        ball = np.flatnonzero(body.eye & (x * sign > 0))
        out[f"{side}_eye"] = ball[np.argsort(y[ball])[:4]]
        for ring, radius in (("iris", 0.0058), ("pupil", 0.0025)):
            out[f"{letter}_center_of_{ring}"] = out[f"{side}_eye"]
            for clock, angle in _CLOCK.items():
                a = np.radians(angle)  # 3 o'clock is to the viewer's right on both eyes
                target = centre[[0, 2]] + radius * np.array([np.cos(a), np.sin(a)])
                near = ball[
                    np.argsort(np.hypot(x[ball] - target[0], z[ball] - target[1]) + 10 * (y[ball] > np.median(y[ball])))[:2]
                ]
                out[f"{letter}_border_of_{ring}_{clock}"] = near
        close = np.zeros(len(x), bool)
        close[_rim(body, body.inside)] = True
        rim = np.flatnonzero(close & (np.hypot(x - centre[0], z - centre[2]) < 0.03))
        if rim.size < 8:
            continue
        start, end = x[rim].min() if sign > 0 else x[rim].max(), x[rim].max() if sign > 0 else x[rim].min()
        inner, outer = rim[[np.argmin(np.abs(x[rim] - start))]], rim[[np.argmin(np.abs(x[rim] - end))]]
        level = (z[inner[0]] + z[outer[0]]) / 2
        for lid, half, up in (("upper", rim[z[rim] >= level], 1), ("lower", rim[z[rim] <= level], -1)):
            out[f"{letter}_inner_end_of_{lid}_lash_line"], out[f"{letter}_outer_end_of_{lid}_lash_line"] = inner, outer
            out[f"{letter}_outer_end_of_{lid}_eyelid_line"] = at(end + sign * 0.002, level + up * 0.002, skin)
            for name, from_viewers_left in _FRACTION.items():
                key = "centerpoint" if name == "center" else name
                fraction = from_viewers_left if sign > 0 else 1 - from_viewers_left
                vertex = line(half, start, end, fraction)
                out[f"{letter}_{key}_of_{lid}_lash_line"] = vertex
                px = start + (end - start) * fraction
                out[f"{letter}_{key}_of_{lid}_eyelid_line"] = at(px, z[vertex[0]] + up * 0.005, skin)
                if lid == "upper":
                    out[f"{letter}_{key}_of_upper_crease_line"] = at(px, z[vertex[0]] + 0.008, skin)
        for name, px, pz in (
            ("upper_startpoint", 0.010, 0.021),
            ("lower_startpoint", 0.012, 0.013),
            ("end", 0.055, 0.016),
            ("upper_midpoint_1", 0.033, 0.027),
            ("lower_midpoint_1", 0.033, 0.021),
            ("upper_midpoint_2", 0.045, 0.024),
            ("upper_midpoint_3", 0.021, 0.025),
            ("lower_midpoint_2", 0.045, 0.019),
            ("lower_midpoint_3", 0.021, 0.018),
        ):
            numbered = name.translate(str.maketrans("23", "32")) if sign > 0 else name  # from the viewer's left, too
            out[f"{numbered}_of_{letter}_eyebrow"] = at(sign * px, centre[2] + pz)


def _mouth(body: Body, out: dict, at: Callable, skin: np.ndarray) -> None:
    x, _, z = body.template.T
    lips = np.flatnonzero((body.lips > 0.5) & skin & (body.head[:, 2] < 0.5))
    right, left = lips[np.argmin(x[lips])], lips[np.argmax(x[lips])]
    middle = (z[right] + z[left]) / 2
    out["r_outer_corner_of_mouth"], out["l_outer_corner_of_mouth"] = np.array([right]), np.array([left])
    inner_right, inner_left = x[right] * 0.88, x[left] * 0.88
    out["r_inner_corner_of_mouth"], out["l_inner_corner_of_mouth"] = at(inner_right, middle), at(inner_left, middle)
    for name, fraction in _FRACTION.items():
        for part, up in (("upper", 1), ("lower", -1)):
            px = x[right] + (x[left] - x[right]) * fraction
            column = lips[np.abs(x[lips] - px) < 0.006]
            edge = column[np.argmax(up * z[column])]
            outer = (
                {"upper": "center_of_cupid_bow", "lower": "center_of_lower_outer_lip"}[part]
                if name == "center"
                else f"{name}_of_{part}_outer_lip"
            )
            out[outer] = np.array([edge])
            out[f"{name}_of_{part}_inner_lip"] = at(px * 0.88, middle + up * 0.001)
    low = z[lips].min()
    out["center_of_labiomental_groove"], out["tip_of_chin"] = at(0, low - 0.008), at(0, low - 0.026)
