"""Face bones: the metarig's, on the person's points, whole whatever the photo shows; and the skin of jaw and eyes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from sapiens2_avatar.core.common.arrays import Camera, MeshData, Pose, SkinWeights
from sapiens2_avatar.core.common.landmarks import DATA, JOINT_NAMES, keypoint_index, keypoint_swap, part_labels
from sapiens2_avatar.core.common.predictions import Predictions
from sapiens2_avatar.core.common.rotations import rotation_from_vector
from sapiens2_avatar.core.common.spaces import uv_from_pixel
from sapiens2_avatar.core.pose.anatomy import template_head
from sapiens2_avatar.core.pose.lift import lift_pose
from sapiens2_avatar.core.rig.face_bones import face_bones
from sapiens2_avatar.core.rig.face_weights import add_face, eye_share, jaw_share
from sapiens2_avatar.core.rig.metarig import RigSettings, make_rig
from support.people import CAMERA_FROM_BODY, standing

METARIG = json.loads((DATA / "rigify_face.json").read_text("utf-8"))["bones"]


def face(turn: tuple[float, float, float] = (0.1, -0.2, 0.05), noise: float = 0.0) -> np.ndarray:
    """(308, 3) the mean face, turned, 2 m before the camera."""
    points = 1.72 * template_head() @ (rotation_from_vector(np.array(turn)) @ CAMERA_FROM_BODY).T + [0.1, -0.3, 2.0]
    return points + np.random.default_rng(0).normal(0, noise, points.shape)


def ends(bones) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {b.name: (b.head, b.tail) for b in bones}


def test_names_parents_and_connections_are_those_of_the_metarig():
    bones = face_bones(face())
    assert [b.name for b in bones] == list(METARIG)
    assert all(b.parent == METARIG[b.name]["parent"] and b.connected == METARIG[b.name]["connected"] for b in bones)
    at = ends(bones)
    for bone in bones:
        assert np.linalg.norm(bone.tail - bone.head) > 1e-3
        if bone.connected:
            assert np.array_equal(bone.head, at[bone.parent][1])


def test_ends_that_meet_in_the_metarig_meet_exactly():
    at = ends(face_bones(face(noise=0.004)))
    place: dict[tuple, list[tuple[str, int]]] = {}
    for name, row in METARIG.items():
        for k, end in enumerate(("head", "tail")):
            if not name.startswith(("eye", "face")) and (name, k) != ("jaw", 0):
                place.setdefault(tuple(row[end]), []).append((name, k))
    meeting = [who for who in place.values() if len(who) > 1]
    assert len(meeting) > 30
    for who in meeting:
        first = at[who[0][0]][who[0][1]]
        assert all(np.array_equal(at[name][k], first) for name, k in who)


def test_bones_lie_on_the_points_of_the_face():
    points = face()
    at = ends(face_bones(points))
    for (bone, end), name in {
        ("lip.T.L.001", 1): "l_outer_corner_of_mouth",
        ("lid.T.L.001", 1): "l_centerpoint_of_upper_lash_line",
        ("lid.B.R.001", 1): "r_centerpoint_of_lower_lash_line",
        ("nose.001", 1): "tip_of_nose",
        ("jaw", 1): "tip_of_chin",
        ("brow.T.R.001", 0): "end_of_r_eyebrow",
    }.items():
        assert np.linalg.norm(at[bone][end] - points[keypoint_index(name)]) < 1e-4, bone
    # The eyeball lies behind its lids, and both jaw joints are between the ears and the mouth.
    for s in "lr":
        iris, centre = points[keypoint_index(f"{s}_center_of_iris")], at[f"eye.{s.upper()}"][0]
        assert 0.005 < np.linalg.norm(iris - centre) < 0.02
    across = at["jaw.L"][0] - at["jaw.R"][0]
    assert 0.08 < np.linalg.norm(across) < 0.2 and np.allclose(at["jaw"][0], (at["jaw.L"][0] + at["jaw.R"][0]) / 2)


def test_the_face_turns_with_the_head_and_mirrors_with_it():
    one, two = face_bones(face((0, 0, 0))), face_bones(face((0.3, -0.6, 0.2)))
    turn = rotation_from_vector(np.array([0.3, -0.6, 0.2]))
    for a, b in zip(one, two, strict=True):
        assert np.allclose(b.head - [0.1, -0.3, 2.0], (a.head - [0.1, -0.3, 2.0]) @ turn.T, atol=1e-4)
        assert np.allclose(b.z, turn @ a.z, atol=1e-4)
    points = face()
    flip = np.array([-1.0, 1, 1])
    other = ends(face_bones(points[keypoint_swap()] * flip))
    for name, (head, tail) in ends(face_bones(points)).items():
        twin = name.replace(".L", ".*").replace(".R", ".L").replace(".*", ".R")
        # The mean face is not quite its own mirror image, so the fit differs by less than a millimetre.
        assert np.allclose(other[twin][0], head * flip, atol=1e-3) and np.allclose(other[twin][1], tail * flip, atol=1e-3)


def test_a_point_read_off_something_else_moves_its_bone_little():
    points = face()
    clean = ends(face_bones(points))
    points[keypoint_index("l_outer_corner_of_mouth")] += [0, 0, 0.25]
    points[keypoint_index("r_inner_end_of_upper_lash_line")] += [0, 0, -0.3]
    moved = ends(face_bones(points))
    assert max(np.linalg.norm(moved[n][k] - clean[n][k]) for n in clean for k in (0, 1)) < 0.004


def test_half_a_face_makes_a_whole_one_with_the_other_half_marked():
    points = face()
    left = np.array([n.startswith("l_") for n in (str(k) for k in json_names())])
    points[left] = np.nan
    bones = face_bones(points)
    assert len(bones) == len(METARIG) and np.isfinite([b.head for b in bones]).all()
    hidden = {b.name for b in bones if not b.seen}
    assert {"lid.T.L", "ear.L"} <= hidden and not any(".R" in n and n.startswith("lid") for n in hidden)


def json_names() -> list[str]:
    return [k["name"] for k in json.loads((DATA / "keypoints308.json").read_text("utf-8"))["keypoints"]]


def test_no_face_no_bones_and_the_setting_leaves_them_out():
    assert face_bones(np.full((308, 3), np.nan)) == []
    joints, points = standing(0)
    whole = np.ones(68, np.float32)
    pose = Pose(JOINT_NAMES, joints.astype(np.float32), whole, whole > 0, points.astype(np.float32), 1.72)
    assert "jaw" in make_rig(pose).names and "jaw" not in make_rig(pose, RigSettings(face=False)).names
    behind = replace(pose, seen=np.array([n not in ("head", "head_top") for n in JOINT_NAMES]))
    assert "face" not in make_rig(behind).names


@pytest.mark.parametrize("name", ["face_a", "face_b.degraded", "body_sit.degraded"])
def test_on_people_the_lids_are_around_the_iris_in_the_photo(studio, name):
    p = Predictions.load(studio(name))
    rig = make_rig(lift_pose(p))
    pixels = Camera.from_matrix(p.intrinsics, p.width, p.height).project(rig.heads.astype(float))
    for s in "LR":
        lids = pixels[[rig.names.index(f"lid.{k}.{s}{n}") for k in "TB" for n in ("", ".001", ".002", ".003")]]
        iris = p.keypoints[0, keypoint_index(f"{s.lower()}_center_of_iris"), :2]
        size = np.ptp(lids, axis=0)
        assert (np.abs(iris - (lids.min(0) + lids.max(0)) / 2) < 0.6 * size + 3).all()
        assert size[0] > size[1] > 0


def wall(labels_at) -> tuple[MeshData, SkinWeights, object]:
    """A sheet through the mean face that follows the head, with labels by height; and the rig."""
    joints, points = standing(0)
    whole = np.ones(68, np.float32)
    rig = make_rig(Pose(JOINT_NAMES, joints.astype(np.float32), whole, whole > 0, points.astype(np.float32), 1.72))
    chin, nose = (points[keypoint_index(n)] for n in ("tip_of_chin", "tip_of_nose"))
    y, x = (a.ravel() for a in np.mgrid[-0.16:0.16:161j, -0.09:0.09:91j])
    vertices = np.stack([nose[0] + x, (chin[1] + nose[1]) / 2 + y, np.full(len(x), chin[2])], 1).astype(np.float32)
    index = np.arange(161 * 91).reshape(161, 91)
    a, b, c, d = index[:-1, :-1].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel(), index[:-1, 1:].ravel()
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    head = rig.names.index("spine.006")
    bones = np.tile(np.array([[head, rig.names.index("spine.005")]], np.int32), (len(vertices), 1))
    mesh = MeshData(vertices, faces, uv_from_pixel(vertices[:, :2], 100, 100), np.tile(np.float32([0, 0, -1]), (len(x), 1)),
                    labels_at(vertices, points).astype(np.uint8))  # fmt: skip
    return mesh, SkinWeights(bones, np.tile(np.float32([[0.9, 0.1]]), (len(x), 1))), rig


def lips(vertices: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Skin with an upper and a lower lip that touch at the line of the mouth."""
    skin, upper, lower = part_labels("Face_Neck", "Upper_Lip", "Lower_Lip")
    mouth, corner = points[keypoint_index("center_of_upper_inner_lip")], points[keypoint_index("l_outer_corner_of_mouth")]
    below, within = vertices[:, 1] - corner[1], np.abs(vertices[:, 0] - mouth[0]) < abs(corner[0] - mouth[0])
    return np.select(
        [within & (np.abs(below) < 0.008) & (below < 0), within & (below >= 0) & (below < 0.01)], [upper, lower], skin
    )


def test_the_jaw_takes_chin_and_lower_lip_and_nothing_above():
    mesh, weights, rig = wall(lips)
    share = jaw_share(mesh, rig)
    at = lambda name: np.linalg.norm(mesh.vertices[:, :2] - standing(0)[1][keypoint_index(name)][:2], axis=1).argmin()  # noqa: E731
    assert share[at("tip_of_chin")] > 0.9 and share[at("center_of_labiomental_groove")] > 0.9
    assert share[at("tip_of_nose")] == 0 and share[at("l_center_of_iris")] == 0 and share[at("bottom_center_of_nose")] < 0.02
    column = share[np.abs(mesh.vertices[:, 0] - mesh.vertices[at("tip_of_chin"), 0]) < 1e-3]
    assert column[-1] < 0.2  # the neck stays
    cheeks = np.abs(mesh.vertices[:, 0] - mesh.vertices[:, 0].mean()) > 0.06
    grid = share.reshape(161, 91)
    assert np.abs(np.diff(grid, axis=0))[:, cheeks.reshape(161, 91)[0]].max() < 0.15  # no step where there is no lip
    _, new = add_face(mesh, rig, weights)
    assert np.allclose(new.weights.sum(axis=1), 1, atol=1e-6) and new.bones.shape[1] == 2 and (new.weights >= 0).all()


def test_lips_part_when_the_jaw_opens():
    mesh, weights, rig = wall(lips)
    opened, new = add_face(mesh, rig, weights)
    lower = np.isin(mesh.labels, part_labels("Lower_Lip"))
    upper = np.isin(mesh.labels, part_labels("Upper_Lip"))
    both = lambda m: ((lower[m.faces]).any(1) & (upper[m.faces]).any(1)).sum()  # noqa: E731
    assert both(mesh) > 0 and len(opened.vertices) > len(mesh.vertices)
    jaw = rig.names.index("jaw")
    follow = (new.weights * (new.bones == jaw)).sum(axis=1)
    pulled = opened.vertices + np.float32([0, 0.02, 0]) * follow[:, None]
    a, b, c = (pulled[opened.faces[:, k]] for k in range(3))
    step = 2e-3 * 1.5
    near = np.abs(mesh.vertices[mesh.faces[:, 0], 0] - mesh.vertices[:, 0].mean()) < 0.012
    longest = np.maximum.reduce([np.linalg.norm(p - q, axis=1) for p, q in ((a, b), (b, c), (c, a))])
    assert longest[near].max() < step + 0.02 * 0.35  # no sheet across the mouth


def test_an_eye_takes_what_is_between_its_lids():
    mesh, _, rig = wall(lambda v, p: np.full(len(v), part_labels("Face_Neck")[0]))
    points = standing(0)[1]
    for s in "LR":
        share = eye_share(replace(mesh, vertices=mesh.vertices), rig, s)
        iris = points[keypoint_index(f"{s.lower()}_center_of_iris")]
        away = np.linalg.norm(mesh.vertices[:, :2] - iris[:2], axis=1)
        assert share[away.argmin()] > 0.9 and share[away > 0.02].max() == 0 and 3 < (share > 0).sum() < 400


def test_without_a_face_nothing_changes():
    mesh, weights, rig = wall(lips)
    joints, points = standing(0)
    whole = np.ones(68, np.float32)
    bare = make_rig(
        Pose(JOINT_NAMES, joints.astype(np.float32), whole, whole > 0, points.astype(np.float32), 1.72), RigSettings(face=False)
    )
    assert add_face(mesh, bare, weights) == (mesh, weights)
    assert len(bare.names) < len(rig.names)
