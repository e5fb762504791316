"""The face of Rigify's human metarig on a person's face points.

Ends of bones that lie on a landmark (lids, brows, lips, nose, chin, ears) go to the person's own point; the others (cheeks,
temples, forehead, teeth, tongue) are carried along by a smooth warp of the metarig's face onto these points. The rig needs ends
that belong together at exactly one place: Rigify finds the structure of a face by that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..common.landmarks import DATA, joint_index, keypoint_index, keypoint_swap
from ..pose.anatomy import fit_head, template_head, template_joints
from .bone_list import Bone

SUPPORT = 8.0  # face points that must agree before bones are made
TRUST = 0.012  # metres: a point this far from the mean face fitted to all points counts half
EYE_DEPTH = 0.0060  # share of stature from the plane of the lids back to the middle of the eyeball
EYE_LENGTH = 0.0120  # share of stature: length of an eye bone

_LANDMARKS: dict[tuple[str, str], tuple[str, ...]] = {
    ("nose", "head"): ("center_of_nose_root",),
    ("nose", "tail"): ("midpoint_3_of_nose_bridge",),
    ("nose.001", "tail"): ("tip_of_nose",),
    ("nose.003", "tail"): ("bottom_center_of_nose",),
    ("nose.L", "tail"): ("l_outer_corner_of_nose",),
    ("lip.T.L", "head"): ("center_of_cupid_bow", "center_of_upper_inner_lip"),
    ("lip.T.L", "tail"): ("midpoint_2_of_upper_outer_lip", "midpoint_2_of_upper_inner_lip"),
    ("lip.B.L", "head"): ("center_of_lower_outer_lip", "center_of_lower_inner_lip"),
    ("lip.B.L", "tail"): ("midpoint_2_of_lower_outer_lip", "midpoint_2_of_lower_inner_lip"),
    ("lip.T.L.001", "tail"): ("l_outer_corner_of_mouth",),
    ("jaw", "tail"): ("tip_of_chin",),
    ("chin.001", "tail"): ("center_of_labiomental_groove",),
    ("lid.T.L", "head"): ("l_outer_end_of_upper_lash_line", "l_outer_end_of_lower_lash_line"),
    ("lid.T.L", "tail"): ("l_midpoint_2_of_upper_lash_line",),
    ("lid.T.L.001", "tail"): ("l_centerpoint_of_upper_lash_line",),
    ("lid.T.L.002", "tail"): ("l_midpoint_1_of_upper_lash_line",),
    ("lid.T.L.003", "tail"): ("l_inner_end_of_upper_lash_line", "l_inner_end_of_lower_lash_line"),
    ("lid.B.L", "tail"): ("l_midpoint_1_of_lower_lash_line",),
    ("lid.B.L.001", "tail"): ("l_centerpoint_of_lower_lash_line",),
    ("lid.B.L.002", "tail"): ("l_midpoint_2_of_lower_lash_line",),
    ("brow.T.L.001", "head"): ("end_of_l_eyebrow",),
    ("brow.T.L.002", "head"): ("upper_midpoint_3_of_l_eyebrow",),
    ("brow.T.L.003", "head"): ("upper_startpoint_of_l_eyebrow",),
    ("brow.B.L.001", "tail"): ("lower_midpoint_3_of_l_eyebrow",),
    ("brow.B.L.002", "tail"): ("lower_midpoint_2_of_l_eyebrow",),
    ("brow.B.L.003", "tail"): ("lower_startpoint_of_l_eyebrow",),
    ("ear.L", "head"): ("l_protruding_point_of_tragus",),
    ("ear.L", "tail"): ("l_top_connecting_point_of_helix",),
    ("ear.L.001", "tail"): ("l_point_4_of_inner_helix",),
    ("ear.L.002", "tail"): ("l_point_7_of_inner_helix",),
    ("ear.L.003", "tail"): ("l_tip_of_ear_lobe",),
}
"""(bone, end) of the metarig's left half and middle -> the keypoints whose mean it is."""


@dataclass(frozen=True)
class _Face:
    """The metarig's face as points.

    bones      (name, parent, head, tail, z, connected): head and tail are rows of `points`, z (3,) is the bone's local z
    points     (N, 3) metres in the metarig's space, each place once
    landmarks  row -> keypoint indices
    """

    bones: tuple[tuple[str, str, int, int, np.ndarray, bool], ...]
    points: np.ndarray
    landmarks: dict[int, np.ndarray]


@cache
def _face() -> _Face:
    table = json.loads((DATA / "rigify_face.json").read_text("utf-8"))["bones"]
    ends = np.array([row[end] for row in table.values() for end in ("head", "tail")])
    points, row_of = np.unique(np.round(ends, 4) + 0.0, axis=0, return_inverse=True)
    row_of = row_of.ravel()
    place = {(name, end): int(row_of[2 * i + k]) for i, name in enumerate(table) for k, end in enumerate(("head", "tail"))}
    bones = tuple(
        (name, row["parent"], place[name, "head"], place[name, "tail"], np.array(row["z"]), bool(row["connected"]))
        for name, row in table.items()
    )
    landmarks: dict[int, np.ndarray] = {}
    for (bone, end), names in _LANDMARKS.items():
        indices = np.array([keypoint_index(n) for n in names])
        landmarks[place[bone, end]] = indices
        landmarks[place[bone.replace(".L", ".R"), end]] = keypoint_swap()[indices]
    return _Face(bones, points, landmarks)


def face_bones(surface: np.ndarray) -> list[Bone]:
    """The bones of a face, parents first, from (308, 3) keypoints on the skin, NaN = none. Empty where no face is seen.

    The root of the face is `face`, whose parent is the head bone ``spine.006``. The jaw turns about the line through its joints.
    """
    surface = np.asarray(surface, np.float64)
    fit = fit_head(surface, np.isfinite(surface).all(axis=-1).astype(float))
    if fit.support < SUPPORT:
        return []
    face = _face()
    mean = template_head()
    local = (surface - fit.origin) @ fit.frame / fit.scale
    # A point that leaves the mean face far behind was read off something else; it moves its bone little.
    with np.errstate(invalid="ignore"):
        off = np.linalg.norm(local - mean, axis=-1) * fit.scale
        weight = np.nan_to_num(1 / (1 + (off / TRUST) ** 2))
    known = np.isfinite(mean).all(axis=-1)
    points = np.where(known[:, None], mean + weight[:, None] * np.nan_to_num(local - mean), np.nan)

    rows, targets, seen_row = [], [], {}
    for row, indices in face.landmarks.items():
        usable = indices[known[indices]]
        if len(usable):
            rows.append(row)
            targets.append(points[usable].mean(axis=0))
            seen_row[row] = bool((weight[usable] > 0).any())
    top = template_joints()[joint_index("head_top")] - template_joints()[joint_index("head")]
    head = json.loads((DATA / "rigify_face.json").read_text("utf-8"))["head_bone"]
    source = np.concatenate([face.points[rows], [head["head"], head["tail"]]])
    target = np.concatenate([targets, [np.zeros(3), top]])
    placed = _warped(source, target, face.points)
    placed[rows] = targets

    def place(point: np.ndarray) -> np.ndarray:
        return fit.origin + fit.scale * fit.frame @ point

    rows_of = {name: (a, b) for name, _, a, b, _, _ in face.bones}
    hinge = (placed[rows_of["jaw.L"][0]] + placed[rows_of["jaw.R"][0]]) / 2
    out = []
    for name, parent, a, b, z, connected in face.bones:
        start, end, axis = placed[a], placed[b], z
        if name == "face":
            start, end = np.zeros(3), 0.46 * top
        elif name == "jaw":
            start, axis = hinge, np.array([0.0, 1.0, -1.0])
        elif name.startswith("eye."):
            side = name[-1]
            lids = [rows_of[f"lid.{n}.{side}{k}"][1] for n, k in (("T", ".001"), ("T", ".003"), ("B", ".001"), ("B", ".003"))]
            start = placed[lids].mean(axis=0) + np.array([0.0, EYE_DEPTH, 0.0])
            end = start - np.array([0.0, EYE_LENGTH, 0.0])
        shown = seen_row.get(a, True) and seen_row.get(b, True)
        out.append(Bone(name, parent, place(start), place(end), fit.frame @ axis, connected, shown))
    return out


def _warped(source: np.ndarray, target: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N, 3) points moved by the smoothest map that takes (n, 3) source to target: affine, and biharmonic splines (kernel r)."""

    def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.linalg.norm(a[:, None] - b[None], axis=-1)

    n = len(source)
    affine = np.concatenate([np.ones((n, 1)), source], axis=1)
    system = np.zeros((n + 4, n + 4))
    system[:n, :n] = distance(source, source) - 1e-3 * np.eye(n)  # a little give, as the points are not exact
    system[:n, n:], system[n:, :n] = affine, affine.T
    weights = np.linalg.solve(system, np.concatenate([target, np.zeros((4, 3))]))
    return distance(points, source) @ weights[:n] + np.concatenate([np.ones((len(points), 1)), points], axis=1) @ weights[n:]
